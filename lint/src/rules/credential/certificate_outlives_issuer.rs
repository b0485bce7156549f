use std::collections::BTreeSet;

use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::time::{format, format_day};

rule! {
    /// A certificate is valid for longer than the one that signed it.
    ///
    /// ## Why it matters
    ///
    /// The path breaks on the day the issuer expires, although the certificate looks fine for months or years.
    /// Monitoring that looks at the certificate alone does not see it coming.
    ///
    /// ## How to fix
    ///
    /// Renew the CA in time and distribute it, then issue the certificate anew; or issue it so that it ends before its
    /// issuer does.
    ///
    /// ## What you see in the logs
    ///
    /// Nothing until then. On the day:
    ///
    /// - OpenSSL: `certificate has expired` at depth 1
    /// - Go: `x509: certificate has expired or is not yet valid`
    ///
    /// ## Reference
    ///
    /// RFC 5280, section 6.1.3; <https://github.com/cert-manager/cert-manager/issues/2478>
    "certificate-outlives-issuer", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let held = &subject.held;
    let mut told = BTreeSet::new();
    let presented = held.presented.iter().flat_map(|presented| &presented.chain);
    for certificate in presented.chain(held.stored.iter().flat_map(|stored| &stored.chain)) {
        let Some(issuer) = held.outlived(certificate) else { continue };
        // one that has expired already, is not valid yet or breaks for another reason, is told as such
        if issuer.not_after < subject.at
            || certificate.not_before > subject.at
            || subject.is_blamed(certificate.span)
            || !told.insert(certificate.digest)
        {
            continue;
        }
        let (own, its) = (certificate.not_after, issuer.not_after);
        let shown = |at| if format_day(own) == format_day(its) { format(at) } else { format_day(at) };
        findings.push(RULE.finding(
            format!(
                "{} is valid until {}, but {}, which signed it, only until {}",
                certificate.shown,
                shown(own),
                issuer.shown,
                shown(its)
            ),
            Some(format!(
                "renew {} and distribute it before {}, then issue this certificate anew",
                issuer.shown,
                shown(its)
            )),
            vec![
                Label { span: certificate.span, message: format!("until {}", shown(own)) },
                Label { span: issuer.span, message: format!("until {}", shown(its)) },
            ],
        ));
    }
}

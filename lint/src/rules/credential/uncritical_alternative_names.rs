use std::collections::BTreeSet;

use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A certificate has an empty subject, and its alternative names are not marked critical.
    ///
    /// ## Why it matters
    ///
    /// Where the subject is empty, the alternative names are all the identity there is, and RFC 5280 demands them to be
    /// critical. OpenSSL in strict mode and Java refuse such a certificate. cert-manager 1.14.0 and 1.14.1 issued them.
    ///
    /// ## How to fix
    ///
    /// Issue it anew; with openssl `subjectAltName = critical, DNS:web`, with cert-manager after an upgrade by `cmctl
    /// renew`.
    ///
    /// ## What you see in the logs
    ///
    /// - OpenSSL: `Subject empty and Subject Alt Name extension not critical`
    ///
    /// ## Reference
    ///
    /// RFC 5280, section 4.2.1.6
    "uncritical-alternative-names", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut told = BTreeSet::new();
    for presented in &subject.held.presented {
        let Some(first) = presented.chain.first().filter(|first| !first.is_planned()) else { continue };
        let fits = !first.subject.is_empty() || first.alternative_names.is_none() || first.critical_names;
        let path = &presented.credential.certificate.path;
        if fits || subject.is_blamed(first.span) || subject.is_blamed(path.span) || !told.insert(first.span) {
            continue;
        }
        findings.push(RULE.finding(
            format!(
                "{} of {} has an empty subject and alternative names that are not critical",
                first.shown, presented.program.name
            ),
            Some("issue it anew with a critical subjectAltName, or with a subject".to_owned()),
            vec![
                Label { span: first.span, message: "strict verifiers refuse it".to_owned() },
                Label { span: path.span, message: "presented from here".to_owned() },
            ],
        ));
    }
}

use std::collections::BTreeSet;

use super::unjudged::unjudged;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::stack::load::Certificates;
use crate::stack::say;
use crate::time::format_day;

rule! {
    /// A certificate on the path has expired.
    ///
    /// ## Why it matters
    ///
    /// Every verifier refuses it from notAfter on, to the second. An expired CA breaks every certificate below it,
    /// even those that are still valid.
    ///
    /// ## How to fix
    ///
    /// Renew the certificate (with cert-manager: `cmctl renew NAME -n NAMESPACE`), give the new file to the
    /// program, and let programs that do not re-read files restart. If it is the CA that has expired, renew the CA
    /// first, distribute it, then renew what it issued.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `client SSL certificate verify error: (10:certificate has expired)`,
    ///   `upstream SSL certificate verify error: (10:certificate has expired)`
    /// - Go: `x509: certificate has expired or is not yet valid`,
    ///   `x509: certificate has expired or is not yet valid: current time … is after …`
    /// - APISIX: `client certificate verification is not passed: FAILED:certificate has expired`
    /// - OpenSSL, curl: `certificate has expired`; APISIX in TLS 1.2, at the client:
    ///   `SSL certificate verification failed`
    /// - Envoy: `certificate verification error at depth …: certificate has expired`
    /// - the other side, as an alert: `certificate expired`, `SSL alert number 45`, Go
    ///   `remote error: tls: expired certificate`
    /// - the client of nginx, in the body of the answer 400: `The SSL certificate error`
    ///
    /// ## Reference
    ///
    /// RFC 5280, section 4.1.2.5
    "expired-certificate", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
    let mut told = BTreeSet::new();
    let wrong = |chain: &Certificates| {
        chain.first().is_some_and(|first| first.not_after < subject.at && !first.is_planned())
    };
    for unjudged in unjudged(subject, wrong) {
        let Some(first) = unjudged.chain.first().filter(|first| told.insert(first.digest)) else { continue };
        let ended = format!("expired on {}", format_day(first.not_after));
        findings.push(RULE.finding(
            say::expired(0, first, subject.at),
            None,
            unjudged.labels(Label { span: first.span, message: ended }),
        ));
    }
}

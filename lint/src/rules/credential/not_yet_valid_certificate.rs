use std::collections::BTreeSet;

use super::unjudged::unjudged;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::stack::load::Certificates;
use crate::stack::say;
use crate::time::format_day;

rule! {
    /// A certificate on the path is not valid yet.
    ///
    /// ## Why it matters
    ///
    /// notBefore lies in the future of the verifier's clock: a clock is wrong, or a certificate was issued ahead of
    /// time.
    ///
    /// ## How to fix
    ///
    /// Check the clocks of the issuer and of the verifier (`date -u`), or use the previous certificate until the
    /// new one is valid.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `client SSL certificate verify error: (9:certificate is not yet valid)`
    /// - Go: `x509: certificate has expired or is not yet valid`,
    ///   `x509: certificate has expired or is not yet valid: current time … is before …`
    /// - curl: `SSL certificate problem: certificate is not yet valid`
    /// - OpenSSL: `certificate is not yet valid`
    /// - Envoy: `certificate verification error at depth …: certificate is not yet valid`
    ///
    /// ## Reference
    ///
    /// RFC 5280, section 4.1.2.5
    "not-yet-valid-certificate", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
    let mut told = BTreeSet::new();
    let wrong = |chain: &Certificates| {
        chain.first().is_some_and(|first| first.not_before > subject.at && !first.is_planned())
    };
    for unjudged in unjudged(subject, wrong) {
        let Some(first) = unjudged.chain.first().filter(|first| told.insert(first.digest)) else { continue };
        let begins = format!("valid from {} on", format_day(first.not_before));
        findings.push(RULE.finding(
            say::not_yet_valid(0, first, subject.at),
            None,
            unjudged.labels(Label { span: first.span, message: begins }),
        ));
    }
}

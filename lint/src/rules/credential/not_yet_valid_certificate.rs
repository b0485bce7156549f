use crate::finding::Finding;
use crate::rules::{Subject, rule};

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
}

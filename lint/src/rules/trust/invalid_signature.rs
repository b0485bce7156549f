use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// The signature of a certificate does not verify under its issuer's key.
    ///
    /// ## Why it matters
    ///
    /// The certificate was changed after signing, or damaged.
    ///
    /// ## How to fix
    ///
    /// Get the certificate again from its issuer.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `(7:certificate signature failure)`
    /// - Envoy: `certificate verification error at depth …: certificate signature failure`
    /// - the other side, as an alert: `alert decrypt error`, `SSL alert number 51`, Go
    ///   `remote error: tls: error decrypting message`
    ///
    /// ## Reference
    ///
    /// RFC 5280, section 6.1.3
    "invalid-signature", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

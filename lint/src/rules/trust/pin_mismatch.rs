use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A certificate matches none of the pinned hashes.
    ///
    /// ## Why it matters
    ///
    /// `verify_certificate_hash` and `verify_certificate_spki` accept exactly the certificates or keys they list: a
    /// renewed certificate needs a new pin.
    ///
    /// ## How to fix
    ///
    /// Pin the public key (SPKI) instead of the certificate and keep the key on renewal, or add the new hash before
    /// the renewal.
    ///
    /// ## What you see in the logs
    ///
    /// - Envoy: `verify cert failed: cert hash and spki`, `cert hash and spki`, `…_VERIFY_FAILED`
    /// - the other side, as an alert: `bad certificate hash value`
    ///
    /// ## Reference
    ///
    /// RFC 7469, section 2.4
    "pin-mismatch", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

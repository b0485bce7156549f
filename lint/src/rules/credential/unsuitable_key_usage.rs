use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// The key usage of a certificate forbids what its key is used for.
    ///
    /// ## Why it matters
    ///
    /// Signing a handshake needs digitalSignature (TLS 1.3 knows nothing else); signing certificates needs
    /// keyCertSign. Stacks differ in what they check: Go does not look at the key usage of an end-entity
    /// certificate, OpenSSL and BoringSSL do.
    ///
    /// ## How to fix
    ///
    /// Issue the certificate with `digitalSignature` (and `keyEncipherment` for RSA in TLS 1.2), a CA with
    /// `keyCertSign` and `cRLSign`. In cert-manager: `usages: [digital signature, key encipherment, …]`.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `client SSL certificate verify error: (26:unsuitable certificate purpose)`,
    ///   `(32:key usage does not include certificate signing)`, `no shared cipher`
    /// - Envoy: `KEY_USAGE_BIT_INCORRECT`; the other side then: `alert illegal parameter`, Go
    ///   `remote error: tls: illegal parameter`
    /// - OpenSSL, as the client of an EC certificate in TLS 1.2: `ecc cert not for signing`, `bad ecc cert`
    /// - the other side, as an alert: `unsupported certificate`
    ///
    /// ## Reference
    ///
    /// RFC 5280, section 4.2.1.3; RFC 8446, section 4.4.2.2
    "unsuitable-key-usage", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

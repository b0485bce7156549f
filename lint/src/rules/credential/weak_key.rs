use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A key is too short for the library that has to accept it.
    ///
    /// ## Why it matters
    ///
    /// OpenSSL at security level 2 (Debian's default) refuses RSA keys under 2048 bits, in the own certificate, in
    /// the peer's and in CAs on the path. Go and BoringSSL accept more.
    ///
    /// ## How to fix
    ///
    /// Issue a certificate with RSA 2048 or ECDSA P-256: in cert-manager `privateKey: {algorithm: ECDSA, size:
    /// 256}`.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `SSL_CTX_use_certificate("…") failed (SSL: … ee key too small)`, `(66:EE certificate key too weak)`,
    ///   `(67:CA certificate key too weak)`
    /// - OpenSSL: `ee key too small`, `EE certificate key too weak`, `CA certificate key too weak`
    /// - APISIX: `SSL_use_certificate() failed (… ee key too small)`,
    ///   `failed to set PEM cert: SSL_use_certificate() failed`
    /// - Envoy: refuses its own RSA keys under 2048 bits at start
    /// - nginx, of an intermediate in the file: `ca key too small`
    ///
    /// ## Reference
    ///
    /// OpenSSL, SSL_CTX_set_security_level(3)
    "weak-key", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// Client and server have no cipher suite, curve or signature algorithm in common.
    ///
    /// ## Why it matters
    ///
    /// The kind of the server's key must suit what the client offers: an ECDSA key needs ECDSA suites in TLS 1.2,
    /// BoringSSL in Envoy takes no Ed25519 and no P-521.
    ///
    /// ## How to fix
    ///
    /// Use an RSA 2048 or ECDSA P-256 key, and drop cipher lists that leave out the key's kind. Leave groups and suites of
    /// TLS 1.3 to the library, or write lists that share one.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `no shared cipher`, `no suitable signature algorithm`, `no suitable key share`
    /// - Go: `tls: no cipher suite supported by both client and server`,
    ///   `tls: peer doesn't support any of the certificate's signature algorithms`
    /// - the client: `alert handshake failure:SSL alert number 40`, Go `remote error: tls: handshake failure`
    /// - the client: `alert handshake failure`; Envoy: `HANDSHAKE_FAILURE_ON_CLIENT_HELLO`
    /// - Envoy: `BAD_ECC_CERT`, `NO_COMMON_SIGNATURE_ALGORITHMS`, `NO_SHARED_GROUP`, `SSLV3_ALERT_HANDSHAKE_FAILURE`
    /// - nginx, of Envoy's certificate in TLS 1.2: `wrong curve`
    ///
    /// ## Reference
    ///
    /// RFC 8446, section 4.2.3
    "no-common-algorithm", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

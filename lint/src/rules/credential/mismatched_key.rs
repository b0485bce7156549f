use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A private key does not belong to the certificate it is configured with.
    ///
    /// ## Why it matters
    ///
    /// The program cannot prove that it owns the certificate: most refuse to start, and nginx with keys of
    /// different types starts and fails every handshake. Often the certificate file begins with an intermediate
    /// instead of the end-entity certificate.
    ///
    /// ## How to fix
    ///
    /// Configure the key that the certificate was issued for, or put the end-entity certificate first in its file.
    /// These two must print the same: `openssl x509 -in tls.crt -noout -pubkey` and `openssl pkey -in tls.key
    /// -pubout`.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `SSL_CTX_use_PrivateKey("…") failed (SSL: … key values mismatch)`
    /// - OpenSSL, BoringSSL: `key values mismatch`
    /// - Go: `tls: private key does not match public key`, `tls: private key type does not match public key type`
    /// - Envoy: `Failed to load private key from … key values mismatch`
    /// - curl: `unable to set private key file`, `Private key does not match the certificate public key`
    /// - APISIX: `key and cert don't match`, `failed to handle cert-key pair`,
    ///   `failed to set PEM priv key: SSL_use_PrivateKey() failed`,
    ///   `SSL_use_PrivateKey() failed (… key values mismatch)`, `tls set client private key failed`
    ///
    /// ## Reference
    ///
    /// RFC 8446, section 4.4.2
    "mismatched-key", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

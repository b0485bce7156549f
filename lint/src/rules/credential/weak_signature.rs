use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A certificate is signed with MD5 or SHA-1, which its verifier no longer accepts.
    ///
    /// ## Why it matters
    ///
    /// Collisions make such signatures forgeable. OpenSSL at security level 1 and above, and Go since 1.18, refuse
    /// them; BoringSSL still takes SHA-1.
    ///
    /// ## How to fix
    ///
    /// Let the CA sign the certificate again with SHA-256; if an intermediate is signed so, replace the
    /// intermediate. The self-signature of a root does not matter.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `(68:CA signature digest algorithm too weak)`, `ca md too weak`
    /// - Go: `x509: cannot verify signature: insecure algorithm SHA1-RSA`
    /// - Envoy: `DIGEST_AND_KEY_TYPE_NOT_SUPPORTED`
    /// - APISIX: `failed to set PEM cert: SSL_use_certificate() failed`
    ///
    /// ## Reference
    ///
    /// RFC 9155; OpenSSL, SSL_CTX_set_security_level(3)
    "weak-signature", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

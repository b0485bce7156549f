use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A TLS endpoint has no certificate, or a certificate without its key.
    ///
    /// ## Why it matters
    ///
    /// A server without certificate and key cannot complete any handshake, so the program refuses to start.
    ///
    /// ## How to fix
    ///
    /// Configure both the certificate file and its private key.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `no "ssl_certificate" is defined for the "listen … ssl" directive`
    /// - etcd: `TLS key/cert (--cert-file, --key-file) must be provided`,
    ///   `cannot listen on TLS for … KeyFile and CertFile are not presented`
    /// - APISIX: `missing ssl cert for https admin`
    ///
    /// ## Reference
    ///
    /// RFC 8446, section 4.4.2
    "missing-credential", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A server is configured for TLS without a certificate.
    ///
    /// ## Why it matters
    ///
    /// Without a certificate no handshake can complete; the program refuses its configuration.
    ///
    /// ## How to fix
    ///
    /// Give the listener a certificate and its key.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `no "ssl_certificate" is defined`
    /// - Envoy: `No TLS certificates found for server context`
    /// - Go: `tls: no certificates configured`
    ///
    /// ## Reference
    ///
    /// RFC 8446, section 4.4.2
    "missing-server-certificate", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

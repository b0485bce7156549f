use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A client with TLS dials a port that speaks plaintext.
    ///
    /// ## Why it matters
    ///
    /// The scheme is https where the server has no TLS, or the port is the wrong one.
    ///
    /// ## How to fix
    ///
    /// Dial the server's TLS port, or configure TLS on this one.
    ///
    /// ## What you see in the logs
    ///
    /// - curl, Envoy: `wrong version number`
    /// - nginx: `SSL_do_handshake() failed (SSL: … wrong version number)`
    /// - Go: `http: server gave HTTP response to HTTPS client`
    /// - APISIX, of etcd: `unexpected eof while reading`
    ///
    /// ## Reference
    ///
    /// RFC 8446, section 5.1
    "tls-to-plaintext-port", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

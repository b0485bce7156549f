use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A client without TLS dials a port that speaks TLS.
    ///
    /// ## Why it matters
    ///
    /// The scheme is http where it must be https; nothing is encrypted and nothing is answered.
    ///
    /// ## How to fix
    ///
    /// Write https in the URL, and configure the client's trust and certificate.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: 400 `The plain HTTP request was sent to HTTPS port`
    /// - nginx's own log: `client sent plain HTTP request to HTTPS port`
    /// - nginx, of gRPC: `upstream sent too large http2 frame`, at the server
    ///   `client sent invalid request while reading client request line`
    /// - a Go server's answer: `Client sent an HTTP request to an HTTPS server`
    /// - Go: `tls: first record does not look like a TLS handshake`
    /// - APISIX, of etcd: `request etcd endpoint … error, closed`, `failed to load the configuration: … closed`
    ///
    /// ## Reference
    ///
    /// RFC 9110, section 4.2.2
    "plaintext-to-tls-port", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

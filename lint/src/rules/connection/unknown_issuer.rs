use crate::rules::{Subject, rule};

rule! {
    /// The verifier trusts no issuer of the peer's certificate.
    ///
    /// Path validation (RFC 5280, section 6) ends at a trust anchor of the verifying side. Here the certificates
    /// that the peer presents, together with the trust bundle of the verifier, lead to none.
    ///
    /// ## Why it matters
    ///
    /// The connection fails, or, where the server answers instead of closing, every request does.
    ///
    /// ## How to fix
    ///
    /// Give the verifying side the certificate of the CA that really issued the peer's certificate, or let the
    /// same issuer sign both sides' certificates. If an intermediate is missing, append it to the peer's
    /// certificate file, after the end-entity certificate.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `client SSL certificate verify error: (21:unable to verify the first certificate)`,
    ///   `upstream SSL certificate verify error: (21:unable to verify the first certificate)`,
    ///   `SSL certificate verify error: (20:unable to get local issuer certificate)`
    /// - APISIX: `client certificate verification is not passed: FAILED:unable to verify the first certificate`
    /// - etcd, etcdctl: `x509: certificate signed by unknown authority`, `signed by unknown authority`
    /// - curl: `SSL certificate problem: unable to get local issuer certificate`
    /// - OpenSSL: `self-signed certificate in certificate chain`, `unable to verify the first certificate`
    /// - Envoy: `certificate verification error at depth 0: unable to get local issuer certificate`
    /// - the peer of a Go program: `remote error: tls: bad certificate`,
    ///   `remote error: tls: unknown certificate authority`
    /// - the peer of others, as an alert: `alert unknown ca`, `alert certificate unknown`, `certificate unknown`,
    ///   `SSL alert number 48`, `SSL alert number 46`
    /// - the client of nginx, in the body of the answer 400: `The SSL certificate error`
    /// - Java: `Path does not chain with any of the trust anchors`,
    ///   `unable to find valid certification path to requested target`
    /// - OpenSSL and BoringSSL, without the reason: `…_VERIFY_FAILED`
    /// - the alert: `bad_certificate`, `remote error: tls: unknown certificate`
    /// - a Go server whose client, with OpenSSL and TLS 1.3, refuses it: `local error: tls: bad record MAC`; Envoy then:
    ///   `BAD_PACKET_LENGTH`
    /// - etcdctl: `context deadline exceeded`
    /// - the client of Envoy: `upstream connect error … remote connection failure`
    /// - APISIX: `request etcd endpoint … error, certificate verify failed`, `all etcd nodes are unavailable`
    /// - lua-resty-core 0.1.25, now and then in place of the reason: `socket.lua:244: assertion failed!`
    ///
    /// ## Reference
    ///
    /// RFC 5280, section 6.1
    "unknown-issuer", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<crate::finding::Finding>) {
    subject.named(&RULE, findings);
}

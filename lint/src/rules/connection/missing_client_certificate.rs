use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// The server insists on a client certificate and the client has none to present.
    ///
    /// ## Why it matters
    ///
    /// etcd asks for certificates as soon as `trusted-ca-file` is set, even with `client-cert-auth: false`.
    ///
    /// ## How to fix
    ///
    /// Give the client a certificate of a CA that the server trusts, with its key: nginx `proxy_ssl_certificate`
    /// and `proxy_ssl_certificate_key`, APISIX `deployment.etcd.tls.cert` and `key` or the upstream's
    /// `tls.client_cert`, Envoy `tls_certificates`, curl `--cert` and `--key`.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: 400 `No required SSL certificate was sent`
    /// - etcd: `tls: client didn't provide a certificate`
    /// - the client: `alert certificate required`, `alert bad certificate`
    ///
    /// ## Reference
    ///
    /// RFC 8446, section 4.3.2
    "missing-client-certificate", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

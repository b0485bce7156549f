use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A certificate is configured without its private key, or a key without its certificate.
    ///
    /// ## Why it matters
    ///
    /// One is of no use without the other; the program refuses the configuration or leaves the certificate out.
    ///
    /// ## How to fix
    ///
    /// Configure both: in nginx `proxy_ssl_certificate` with `proxy_ssl_certificate_key` (`grpc_ssl_…`, `uwsgi_ssl_…`
    /// likewise), `ssl_certificate` with `ssl_certificate_key`.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `no "proxy_ssl_certificate_key" is defined for certificate`, `no "ssl_certificate_key" is defined`
    /// - APISIX: `missing 'ssl_key_path' or 'ssl_key'`
    /// - etcdctl: `KeyFile and CertFile must both be present`
    ///
    /// ## Reference
    ///
    /// RFC 8446, section 4.4.3
    "certificate-without-key", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

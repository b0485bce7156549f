use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// Verification is switched on without naming whom to trust.
    ///
    /// ## Why it matters
    ///
    /// The program refuses the configuration: there is nothing to verify against.
    ///
    /// ## How to fix
    ///
    /// Name the CA: `ssl_client_certificate /path/ca.crt;` beside `ssl_verify_client on;`,
    /// `proxy_ssl_trusted_certificate /path/ca.crt;` beside `proxy_ssl_verify on;`, and `grpc_ssl_trusted_certificate` or
    /// `uwsgi_ssl_trusted_certificate` beside the `verify` of the same beginning.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `no ssl_client_certificate for ssl_verify_client`,
    ///   `no proxy_ssl_trusted_certificate for proxy_ssl_verify`, `no grpc_ssl_trusted_certificate for grpc_ssl_verify`,
    ///   `no uwsgi_ssl_trusted_certificate for uwsgi_ssl_verify`
    /// - nginx: `no ssl_client_certificate or ssl_trusted_certificate for ssl_verify_client`
    ///
    /// ## Reference
    ///
    /// <https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_verify_client>
    "verification-without-trust", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

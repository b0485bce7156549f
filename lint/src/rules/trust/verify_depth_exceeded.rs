use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// The certification path is longer than the verifier's configured depth.
    ///
    /// ## Why it matters
    ///
    /// nginx's depth is 1 unless written: one intermediate between the end-entity certificate and the root. The
    /// error names the issuer, not the depth.
    ///
    /// ## How to fix
    ///
    /// Raise the depth to the number of intermediates: `ssl_verify_depth 2;` (`proxy_ssl_verify_depth`),
    /// `client.depth` of APISIX's ssl object, `max_verify_depth` of Envoy.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `SSL certificate verify error: (20:unable to get local issuer certificate)`,
    ///   `SSL certificate verify error: (2:unable to get issuer certificate)`
    /// - OpenSSL: `unable to get issuer certificate`
    /// - Envoy: `depth 1: unable to get local issuer certificate`
    /// - APISIX: `client certificate verification is not passed: FAILED:…`, in the handshake `… verify failed`
    /// - the client of nginx, in the body of the answer 400: `The SSL certificate error`
    /// - the client of APISIX, as an alert: `alert unknown ca`
    ///
    /// ## Reference
    ///
    /// <https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_verify_depth>
    "verify-depth-exceeded", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

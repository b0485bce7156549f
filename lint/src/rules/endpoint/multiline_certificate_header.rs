use std::collections::BTreeSet;

use super::nginx::{configurations, rests_on};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A client certificate goes into a header with its line breaks.
    ///
    /// `$ssl_client_raw_cert` and `$ssl_client_cert` are PEM text of many lines; a header has one.
    ///
    /// ## Why it matters
    ///
    /// The upstream rejects the request, or reads the rest of the certificate as headers of its own. `$ssl_client_cert` continues
    /// the line with tabs, which RFC 9112 forbids and many servers refuse.
    ///
    /// ## How to fix
    ///
    /// ```nginx
    /// proxy_set_header X-Client-Cert $ssl_client_escaped_cert;   # percent-encoded, since 1.13.5
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - upstream: `invalid header value`, `client sent invalid header line`
    ///
    /// ## Reference
    ///
    /// <https://nginx.org/en/docs/http/ngx_http_ssl_module.html#var_ssl_client_escaped_cert>; RFC 9112, section 5.2
    "multiline-certificate-header", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut told = BTreeSet::new();
    let places = configurations(subject).flat_map(|(_, config)| {
        config
            .servers
            .iter()
            .flat_map(|server| server.locations.iter().map(move |location| (server, location)))
    });
    for (server, location) in places {
        let Some(pass) = &location.pass else { continue };
        for header in &location.headers {
            let names = rests_on(server, &header.value.value);
            let Some(name) =
                names.iter().find(|name| matches!(**name, "ssl_client_cert" | "ssl_client_raw_cert"))
            else {
                continue;
            };
            if told.insert(header.value.span) {
                findings.push(RULE.finding(
                    format!("header {} gets ${name}, a text of many lines", header.name.value),
                    Some(format!(
                        "write {} {} $ssl_client_escaped_cert;",
                        pass.kind.header_directive(),
                        header.name.value
                    )),
                    vec![Label { span: header.value.span, message: "PEM with line breaks".to_owned() }],
                ));
            }
        }
    }
}

use std::collections::BTreeMap;

use super::nginx::configurations;
use crate::dialect::nginx::{Location, Pass, PassKind};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// Two ways to one upstream share TLS sessions, and only one of them verifies or presents a certificate.
    ///
    /// nginx keeps the sessions of an upstream with the upstream, not with the location. A session that an unverified location
    /// began carries its failed verification along: the location that verifies resumes it and fails. A session begun without a
    /// client certificate stays one without.
    ///
    /// ## Why it matters
    ///
    /// Requests fail, or are refused by the upstream, depending on which location was used before: it works until somebody
    /// calls the other one.
    ///
    /// ## How to fix
    ///
    /// Treat both ways alike, or keep sessions apart:
    ///
    /// ```nginx
    /// proxy_ssl_session_reuse off;
    /// ```
    ///
    /// An `upstream` block of its own for each way does it too.
    ///
    /// ## What you see in the logs
    ///
    /// - `SSL certificate verify error: (20:unable to get local issuer certificate)`
    /// - the upstream: `client sent no required SSL certificate`
    ///
    /// ## Reference
    ///
    /// Seen on nginx 1.22.1; <https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_session_reuse>
    "shared-upstream-session", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for (program, config) in configurations(subject) {
        let mut ways: BTreeMap<String, Vec<(&Location, &Pass)>> = BTreeMap::new();
        for location in config.servers.iter().flat_map(|server| &server.locations) {
            let Some(pass) = location.pass.as_ref().filter(|pass| pass.tls && pass.kind == PassKind::Proxy)
            else {
                continue;
            };
            // sessions of a name known only per request are not kept with it
            if pass.written.value.contains('$') || !location.tls.session_reuse.value() {
                continue;
            }
            let port = pass.port.or(pass.default_port).unwrap_or(0);
            ways.entry(format!("{}:{port}", pass.host.value.to_ascii_lowercase()))
                .or_default()
                .push((location, pass));
        }
        for ways in ways.values() {
            let Some((first, pass)) = ways.first() else { continue };
            let Some((other, other_pass, what)) =
                ways.iter().find_map(|(other, pass)| Some((other, pass, difference(first, other)?)))
            else {
                continue;
            };
            findings.push(RULE.finding(
                format!(
                    "{} shares the TLS sessions of {} between locations of which only one {what}",
                    program.name, pass.host.value
                ),
                Some("write proxy_ssl_session_reuse off; in both".to_owned()),
                vec![
                    Label { span: other_pass.span, message: says(other) },
                    Label { span: pass.span, message: says(first) },
                ],
            ));
        }
    }
}

fn difference(one: &Location, other: &Location) -> Option<&'static str> {
    if one.tls.verify.value() != other.tls.verify.value() {
        Some("verifies the upstream")
    } else if one.tls.certificate.is_some() != other.tls.certificate.is_some() {
        Some("presents a client certificate")
    } else {
        None
    }
}

fn says(location: &Location) -> String {
    let verifies = if *location.tls.verify.value() { "verifies" } else { "does not verify" };
    let presents = if location.tls.certificate.is_some() { "with" } else { "without" };
    format!("{verifies}, {presents} a client certificate")
}

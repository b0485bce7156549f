use mtls_identity::sorted::Numbers;

use super::nginx::configurations;
use crate::dialect::nginx::{Location, Pass, PassKind};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// Two ways to one upstream share TLS sessions, and they do not verify alike, or present different certificates.
    ///
    /// nginx keeps the sessions of an upstream with the upstream, not with the location. A session that an unverified location
    /// began carries its failed verification along: the location that verifies resumes it and fails. A session begun without a
    /// client certificate stays one without, and one begun with a certificate brings that one's name to all others.
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
        let mut upstreams = Numbers::default();
        let mut ways: Vec<Vec<(&Location, &Pass)>> = Vec::new();
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
            let upstream = format!("{}:{port}", pass.host.value.to_ascii_lowercase());
            upstreams.push(&mut ways, upstream, (location, pass));
        }
        for ways in &ways {
            let Some((first, pass)) = ways.first() else { continue };
            let Some((other, other_pass, what)) =
                ways.iter().find_map(|(other, pass)| Some((other, pass, difference(first, other)?)))
            else {
                continue;
            };
            let shares =
                format!("{} shares the TLS sessions of {} between locations", program.name, pass.host.value);
            findings.push(RULE.finding(
                match what {
                    Difference::Certificates => format!(
                        "{shares} with different client certificates: requests of one may come under the name of \
                         the other"
                    ),
                    Difference::Only(what) => format!("{shares} of which only one {what}"),
                },
                Some("write proxy_ssl_session_reuse off; in both".to_owned()),
                vec![
                    Label { span: other_pass.span, message: says(other) },
                    Label { span: pass.span, message: says(first) },
                ],
            ));
        }
    }
}

/// What tells two ways apart that share sessions.
enum Difference {
    /// Only one of them does this.
    Only(&'static str),
    /// They present different client certificates.
    Certificates,
}

fn difference(one: &Location, other: &Location) -> Option<Difference> {
    let presented = |location: &Location| Some(location.tls.certificate.as_ref()?.value.clone());
    if one.tls.verify.value() != other.tls.verify.value() {
        return Some(Difference::Only("verifies the upstream"));
    }
    match (presented(one), presented(other)) {
        (Some(one), Some(other)) => (one != other).then_some(Difference::Certificates),
        (None, None) => None,
        _ => Some(Difference::Only("presents a client certificate")),
    }
}

fn says(location: &Location) -> String {
    let verifies = if *location.tls.verify.value() { "verifies" } else { "does not verify" };
    match &location.tls.certificate {
        Some(certificate) => format!("{verifies}, with the client certificate {}", certificate.value),
        None => format!("{verifies}, without a client certificate"),
    }
}

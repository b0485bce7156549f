use super::nginx::configurations;
use crate::deployment::Configuration;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::source::Located;

rule! {
    /// A server name is written in a form that no client ever asks for.
    ///
    /// A name in a handshake or a Host header is compared without port and scheme. nginx's `server_name` and `sni` of an
    /// APISIX ssl object take `shop.example.com:443` and say nothing; APISIX takes `.example.com` as well, which only
    /// nginx reads as a wildcard.
    ///
    /// ## Why it matters
    ///
    /// The block never serves anyone. Its name is served by the default server instead, with another certificate and
    /// another word on client certificates; APISIX refuses the handshake.
    ///
    /// ## How to fix
    ///
    /// - nginx: `server_name shop.example.com;`
    /// - APISIX: `snis: [shop.example.com, "*.shop.example.com"]`
    ///
    /// ## What you see in the logs
    ///
    /// - nginx, of a scheme only: `server name "…" has suspicious symbols`
    /// - APISIX: `failed to match any SSL certificate by SNI: …`
    ///
    /// ## Reference
    ///
    /// Seen with nginx 1.22.1 and APISIX 3.18.0; <https://nginx.org/en/docs/http/server_names.html>
    "unmatchable-server-name", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for (program, config) in configurations(subject) {
        for name in config.servers.iter().flat_map(|server| &server.names) {
            findings.extend(finding(&program.name, name, false));
        }
    }
    for program in &subject.deployment.programs {
        let Configuration::Apisix(facts) = &program.configuration else { continue };
        let served = facts.objects.ssls.iter().filter(|ssl| ssl.enabled && ssl.refusals.is_empty());
        for name in served.flat_map(|ssl| &ssl.names) {
            findings.extend(finding(&program.name, name, true));
        }
    }
}

fn finding(program: &str, name: &Located<String>, dot_is_literal: bool) -> Option<Finding> {
    let text = name.value.as_str();
    // an expression or a variable may stand for anything
    if text.starts_with('~') || text.contains('$') {
        return None;
    }
    let bare = text.split_once("://").map_or(text, |(_, rest)| rest);
    let bare = bare.split('/').next().unwrap_or_default();
    let (host, port) = match bare.rsplit_once(':') {
        Some((host, port))
            if !host.contains(':') && !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            (host, true)
        }
        _ => (bare, false),
    };
    let (meant, why) = if text.contains("://") {
        (host.to_owned(), "names are compared without scheme")
    } else if port {
        (host.to_owned(), "names are compared without port")
    } else if dot_is_literal && host.starts_with('.') {
        (format!("*{host}"), "a leading dot is no wildcard here")
    } else {
        return None;
    };
    Some(RULE.finding(
        format!("{program} never serves {text}: {why}"),
        Some(format!("write {meant}")),
        vec![Label { span: name.span, message: "no client asks for this".to_owned() }],
    ))
}

//! What the rules about nginx share, and their tables.

use std::collections::HashSet;

use crate::deployment::{Configuration, Program};
use crate::dialect::nginx::{NginxConfig, Server, variables};
use crate::rules::Subject;
use crate::source::Span;

/// Every nginx with its configuration.
pub(super) fn configurations<'a>(
    subject: &Subject<'a>,
) -> impl Iterator<Item = (&'a Program, &'a NginxConfig)> {
    subject.deployment.programs.iter().filter_map(|program| match &program.configuration {
        Configuration::Nginx(config) => Some((program, config.as_ref())),
        _ => None,
    })
}

/// The variables that a text rests on, without `$`: those it names, and those that a `set` of the server gives one of
/// these from.
pub(super) fn rests_on<'a>(server: &'a Server, text: &'a str) -> Vec<&'a str> {
    let mut names = variables(text);
    let set = server.derived.iter().filter(|(name, _)| names.contains(&name.as_str()));
    let from: Vec<&str> = set.flat_map(|(_, value)| variables(&value.value)).collect();
    names.extend(from);
    names
}

/// Where the servers and passes stand that files nobody saw may say more of: what they leave out may be written there.
pub(super) fn unsettled(subject: &Subject<'_>) -> HashSet<Span> {
    let mut unsettled = HashSet::new();
    for (_, config) in configurations(subject) {
        for server in &config.servers {
            let commands = &server.tls.other_commands;
            if config.surroundings_unseen || !server.unseen.is_empty() || !commands.is_empty() {
                unsettled.insert(server.span);
            }
            for location in &server.locations {
                let Some(pass) = &location.pass else { continue };
                let commands = &location.tls.other_commands;
                if config.surroundings_unseen || !location.unseen.is_empty() || !commands.is_empty() {
                    unsettled.insert(pass.span);
                }
            }
        }
    }
    unsettled
}

#[cfg(test)]
mod tests {
    use crate::assume::Assume;
    use crate::source::Sources;
    use crate::{Options, lint};

    /// The rules that fire on an nginx with this in its `http` block.
    fn fired(http: &str, version: &str) -> Vec<&'static str> {
        let mut sources = Sources::default();
        sources.root = true;
        sources.add("etc/nginx/nginx.conf", format!("events {{}} http {{ {http} }}"));
        for path in ["a.pem", "b.pem"] {
            sources.add(format!("etc/nginx/{path}"), format!("bundle {path}"));
        }
        let options = Options {
            at: 1_795_392_000,
            assume: Assume::parse(&[format!("nginx={version}")]).unwrap(),
            expires_within: 0,
            command: None,
        };
        let mut rules: Vec<&str> =
            lint(&sources, &options).findings.iter().map(|finding| finding.rule).collect();
        rules.dedup();
        rules
    }

    const TLS: &str = "ssl_certificate c; ssl_certificate_key k;";

    #[test]
    fn rules_about_nginx_fire_on_their_mistake_and_are_silent_beside_it() {
        let optional = |rest: &str| {
            format!(
                "server {{ listen 443 ssl; {TLS} ssl_client_certificate a.pem; ssl_verify_client optional; {rest} }}"
            )
        };
        let headers = |second: &str| {
            format!(
                "server {{ location / {{ proxy_set_header X-DN $ssl_client_s_dn; proxy_pass http://up:80; }} location /b {{ {second} proxy_pass http://UP; }} }}"
            )
        };
        let two = |default: &str, other: &str| {
            format!(
                "server {{ listen 443 ssl; {TLS} {default} }} server {{ listen 443 ssl; server_name b; {TLS} {other} }}"
            )
        };
        let verified = |bundle: &str| format!("ssl_verify_client on; ssl_client_certificate {bundle};");
        let sharing = |rest: &str| {
            format!(
                "server {{ location / {{ proxy_pass https://up:443; }} location /b {{ proxy_pass https://up; proxy_ssl_trusted_certificate a.pem; {rest} }} }}"
            )
        };
        let pass = |rest: &str| format!("server {{ location / {{ {rest} }} }}");
        let upstream = |rest: &str| {
            format!(
                "server {{ listen 8443 ssl; server_name d; {TLS} }} server {{ listen 8443 ssl; server_name localhost; {TLS} }} {}",
                pass(&format!("proxy_pass https://localhost:8443; {rest}"))
            )
        };
        for (rule, http, version, fires) in [
            ("unchecked-optional-certificate", optional("root /x;"), "1.26.3", true),
            (
                "unchecked-optional-certificate",
                optional("if ($ssl_client_verify != SUCCESS) { return 403; }"),
                "1.26.3",
                false,
            ),
            ("unchecked-optional-certificate", optional("access_log /l $ssl_client_verify;"), "1.26.3", true),
            (
                "unchecked-optional-certificate",
                optional("location / { content_by_lua_block { } }"),
                "1.26.3",
                false,
            ),
            (
                "unchecked-optional-certificate",
                format!(
                    "proxy_set_header V $ssl_client_verify; {}",
                    optional("location / { proxy_pass http://x; }")
                ),
                "1.26.3",
                false,
            ),
            (
                "unchecked-optional-certificate",
                format!("map $ssl_client_verify $ok {{ }} {}", optional("")),
                "1.26.3",
                false,
            ),
            ("spoofable-identity-header", headers(""), "1.26.3", true),
            ("spoofable-identity-header", headers("proxy_set_header x-dn '';"), "1.26.3", false),
            ("spoofable-identity-header", headers("proxy_set_header Other x;"), "1.26.3", true),
            ("spoofable-identity-header", headers("proxy_pass_request_headers off;"), "1.26.3", false),
            ("spoofable-identity-header", headers("proxy_pass_request_headers on;"), "1.26.3", true),
            (
                "multiline-certificate-header",
                pass("proxy_set_header C $ssl_client_raw_cert; proxy_pass http://x;"),
                "1.26.3",
                true,
            ),
            (
                "multiline-certificate-header",
                pass("proxy_set_header C $ssl_client_escaped_cert; proxy_pass http://x;"),
                "1.26.3",
                false,
            ),
            ("bypassable-client-trust", two(&verified("a.pem"), &verified("a.pem")), "1.26.3", false),
            ("bypassable-client-trust", two("ssl_reject_handshake on;", &verified("b.pem")), "1.26.3", false),
            ("bypassable-client-trust", two("", &verified("b.pem")), "1.26.3", false),
            ("resumable-across-servers", two(&verified("a.pem"), &verified("b.pem")), "1.27.3", true),
            ("resumable-across-servers", two(&verified("a.pem"), &verified("b.pem")), "1.26.3", false),
            (
                "resumable-across-servers",
                two(&verified("a.pem"), &format!("{} ssl_session_tickets off;", verified("b.pem"))),
                "1.27.3",
                false,
            ),
            ("shared-upstream-session", sharing("proxy_ssl_verify on;"), "1.26.3", true),
            (
                "shared-upstream-session",
                sharing("proxy_ssl_certificate c; proxy_ssl_certificate_key k;"),
                "1.26.3",
                true,
            ),
            (
                "shared-upstream-session",
                sharing("proxy_ssl_verify on; proxy_ssl_session_reuse off;"),
                "1.26.3",
                false,
            ),
            ("shared-upstream-session", sharing(""), "1.26.3", false),
            ("unsent-server-name", upstream(""), "1.26.3", true),
            ("unsent-server-name", upstream("proxy_ssl_server_name on;"), "1.26.3", false),
            ("unused-upstream-tls", pass("proxy_pass http://x; proxy_ssl_verify on;"), "1.26.3", true),
            ("unused-upstream-tls", pass("proxy_pass https://x; proxy_ssl_server_name on;"), "1.26.3", false),
            (
                "unused-upstream-tls",
                format!(
                    "proxy_ssl_server_name on; {} {}",
                    pass("proxy_pass http://x;"),
                    pass("proxy_pass https://x;")
                ),
                "1.26.3",
                false,
            ),
            (
                "verification-without-trust",
                format!("server {{ listen 443 ssl; {TLS} ssl_verify_client on; }}"),
                "1.26.3",
                true,
            ),
            (
                "verification-without-trust",
                pass("proxy_pass https://x; proxy_ssl_verify on; proxy_ssl_trusted_certificate a.pem;"),
                "1.26.3",
                false,
            ),
            ("missing-server-certificate", "server { listen 443 ssl; }".to_owned(), "1.26.3", true),
            (
                "missing-server-certificate",
                "server { listen 443 ssl; ssl_reject_handshake on; }".to_owned(),
                "1.26.3",
                false,
            ),
            (
                "certificate-without-key",
                "server { listen 443 ssl; ssl_certificate c; }".to_owned(),
                "1.26.3",
                true,
            ),
            ("certificate-without-key", two("", ""), "1.26.3", false),
            ("duplicate-directive", "ssl_verify_depth 1; ssl_verify_depth 2;".to_owned(), "1.26.3", true),
            (
                "duplicate-directive",
                "ssl_verify_depth 1; server { ssl_verify_depth 2; }".to_owned(),
                "1.26.3",
                false,
            ),
            ("refused-syntax", "server { listen 80 }".to_owned(), "1.26.3", true),
            ("refused-syntax", "server { listen 80; }".to_owned(), "1.26.3", false),
            ("refused-setting", "ssl_verify_client yes;".to_owned(), "1.26.3", true),
            ("refused-setting", "ssl_verify_client on;".to_owned(), "1.26.3", false),
            (
                "plaintext-beside-client-authentication",
                format!("server {{ listen 80; listen 443 ssl; {TLS} {} }}", verified("a.pem")),
                "1.26.3",
                true,
            ),
            (
                "plaintext-beside-client-authentication",
                format!("server {{ listen 127.0.0.1:80; listen 443 ssl; {TLS} {} }}", verified("a.pem")),
                "1.26.3",
                false,
            ),
            (
                "plaintext-beside-client-authentication",
                format!(
                    "server {{ listen 80; return 301 https://x; }} server {{ listen 443 ssl; {TLS} {} }}",
                    verified("a.pem")
                ),
                "1.26.3",
                false,
            ),
        ] {
            let found = fired(&http, version);
            assert_eq!(found.contains(&rule), fires, "{rule} with {version}: {http}: {found:?}");
        }
    }
}

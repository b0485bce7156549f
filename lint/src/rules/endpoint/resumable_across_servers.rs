use super::nginx::configurations;
use crate::deployment::{ClientAuthMode, KnownFrom, Protocol, Version};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// This nginx resumes a TLS session of one server at another, past its client verification (CVE-2025-23419).
    ///
    /// Where servers of one address ask for client certificates and TLS 1.3 sessions can be resumed, a client that was verified
    /// at one server takes its session to another with a different trust bundle. Fixed in 1.26.3 and 1.27.4.
    ///
    /// ## Why it matters
    ///
    /// A client certificate for one server opens the others.
    ///
    /// ## How to fix
    ///
    /// Upgrade to 1.26.3, 1.27.4 or later. Until then, on every such server:
    ///
    /// ```nginx
    /// ssl_session_tickets off;
    /// ssl_session_cache off;
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// Nothing.
    ///
    /// ## Reference
    ///
    /// <https://nginx.org/en/security_advisories.html>, CVE-2025-23419; nginx/nginx#493
    "resumable-across-servers", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for (program, config) in configurations(subject) {
        let version = program.versions.program;
        // introduced with 1.11.4 (advisory); 1.26.3 has the fix, 1.27.0 to 1.27.3 have not
        let affected = version >= Version(1, 11, 4)
            && version < Version(1, 27, 4)
            && !(version >= Version(1, 26, 3) && version < Version(1, 27, 0));
        if !affected || program.versions.known_from == KnownFrom::Default {
            continue;
        }
        for group in config.groups().iter().filter(|group| group.ssl) {
            let asking: Vec<_> = group
                .members
                .iter()
                .filter_map(|(index, _)| config.servers.get(*index))
                .filter(|server| *server.tls.verify_client.value() != ClientAuthMode::Off)
                .filter(|server| server.tls.protocols.value().versions.contains(&Protocol::Tls13))
                .filter(|server| {
                    let cached = server.tls.session_cache.as_ref();
                    *server.tls.session_tickets.value()
                        || cached.is_some_and(|cache| cache.value != "off" && cache.value != "none")
                })
                .collect();
            let [first, second, ..] = asking.as_slice() else { continue };
            let bundle = |server: &crate::dialect::nginx::Server| {
                server.tls.client_certificate.as_ref().map(|path| path.value.clone())
            };
            if bundle(first) == bundle(second) {
                continue;
            }
            findings.push(RULE.finding(
                format!(
                    "nginx {version} lets a session verified at one of these servers be resumed at the other (CVE-2025-23419)"
                ),
                Some("use nginx 1.26.3, 1.27.4 or later; until then write ssl_session_tickets off;".to_owned()),
                vec![
                    Label { span: first.tls.verify_client.span(), message: "one trust bundle here".to_owned() },
                    Label { span: second.tls.verify_client.span(), message: "another here".to_owned() },
                ],
            ));
        }
    }
}

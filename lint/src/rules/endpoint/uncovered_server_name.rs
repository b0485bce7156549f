use std::collections::BTreeSet;
use std::sync::Arc;

use mtls_identity::sorted;

use crate::deployment::{Lookup, ProgramKind};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::source::{Located, Span};
use crate::stack::Certificate;
use crate::stack::openssl::host;

rule! {
    /// A server is configured for a name that its certificate does not bear.
    ///
    /// nginx (`server_name`), APISIX (`sni` of an ssl object) and Envoy (`server_names` of a filter chain) choose a
    /// certificate by the name that the client asks for, and never compare the two.
    ///
    /// ## Why it matters
    ///
    /// A client that asks for this name gets this certificate, compares, and leaves.
    ///
    /// ## How to fix
    ///
    /// Issue the certificate with the name (`dnsNames`), or move the name to the server whose certificate bears it.
    ///
    /// ## What you see in the logs
    ///
    /// - curl: `SSL: no alternative certificate subject name matches target host name`
    /// - Go: `x509: certificate is valid for …, not …`
    /// - the server: `tlsv1 alert unknown ca` or `bad certificate`, or nothing
    ///
    /// ## Reference
    ///
    /// RFC 9525, section 6; <https://github.com/apache/apisix/issues/8663>
    "uncovered-server-name", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut told = BTreeSet::new();
    let failing = failing_names(subject);
    for (program, listener) in subject.listeners() {
        let gateway = matches!(program.kind, ProgramKind::Nginx | ProgramKind::Apisix | ProgramKind::Envoy);
        if !gateway || !program.refusals.is_empty() {
            continue;
        }
        for context in listener.tls.iter().flat_map(|tls| &tls.contexts) {
            if context.rejects_handshake || !context.refusals.is_empty() || !told.insert(context.span) {
                continue;
            }
            // one that the program refuses is told as such
            if context
                .credentials
                .iter()
                .any(|credential| subject.is_blamed(credential.certificate.path.span))
            {
                continue;
            }
            let mut certificates: Vec<Arc<Certificate>> = Vec::new();
            for credential in &context.credentials {
                certificates.extend(subject.presented(program, credential).first().map(Arc::clone));
            }
            // one that is not seen may bear the name
            let Some(certificate) = certificates.first() else { continue };
            if certificates.len() < context.credentials.len() {
                continue;
            }
            let failed =
                |name: &str| failing.binary_search(&(context.span, name.to_ascii_lowercase())).is_ok();
            let uncovered = context.names.iter().filter(|name| {
                is_name(&name.value)
                    && !failed(&name.value)
                    && !certificates.iter().any(|certificate| covers(certificate, &name.value))
            });
            let uncovered: Vec<&Located<String>> = uncovered.collect();
            let Some(first) = uncovered.first() else { continue };
            let names: Vec<&str> = uncovered.iter().map(|name| name.value.as_str()).collect();
            let mut labels: Vec<Label> = uncovered
                .iter()
                .map(|name| Label { span: name.span, message: format!("{} is served here", name.value) })
                .collect();
            labels.truncate(MOST_SHOWN);
            labels.push(Label {
                span: certificate.span,
                message: format!("with this certificate, which bears {}", certificate.shown_names()),
            });
            findings.push(RULE.finding(
                format!(
                    "{} serves {} with a certificate that does not bear {}",
                    program.name,
                    names.join(", "),
                    if names.len() == 1 { "that name" } else { "these names" }
                ),
                Some(format!("issue the certificate with the DNS name {} besides", first.value)),
                labels,
            ));
        }
    }
}

/// As many names as a finding points at.
const MOST_SHOWN: usize = 4;

/// Contexts, and names over which a connection to them fails already: told there.
fn failing_names(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let connections = subject.deployment.connections.iter().zip(subject.predictions);
    let failing = connections.filter_map(|(connection, prediction)| {
        prediction.why.first().filter(|why| why.rule == "name-mismatch")?;
        let Lookup::Found(server) = connection.server else { return None };
        let (_, dialer) = subject.dialer_of(connection)?;
        let tls = dialer.tls.as_ref()?;
        let reached = subject.context(subject.listener(server)?.1, tls)?;
        Some((reached.span, tls.reference.as_ref()?.value.to_ascii_lowercase()))
    });
    sorted::list(failing.collect())
}

/// Whether a configured name is one that a client can ask for: no catch-all, no expression, no single label.
fn is_name(name: &str) -> bool {
    let name = name.strip_prefix("*.").unwrap_or(name);
    name.contains('.')
        && !name.starts_with('.')
        && name.parse::<std::net::IpAddr>().is_err()
        && name.split('.').all(|label| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
}

fn covers(certificate: &Certificate, name: &str) -> bool {
    match name.strip_prefix("*.") {
        // a wildcard of the server stands for any label: some name beneath it is enough
        Some(rest) => {
            let ending = format!(".{rest}").to_ascii_lowercase();
            let mut names = certificate.dns_names().map(str::to_ascii_lowercase);
            let common = certificate.subject.common_names.iter().map(|name| name.to_ascii_lowercase());
            names.any(|own| own.ends_with(&ending)) || common.into_iter().any(|own| own.ends_with(&ending))
        }
        None => host::check_host(certificate, name),
    }
}

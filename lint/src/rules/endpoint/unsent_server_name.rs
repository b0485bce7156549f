use std::collections::BTreeSet;

use crate::deployment::{DialerPurpose, Lookup, ProgramKind};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::selection::Selected;

rule! {
    /// A client dials a server by name and does not send that name (SNI), though the server has several certificates.
    ///
    /// nginx sends no SNI to upstreams unless told to; Envoy none without `sni` or `auto_sni`.
    ///
    /// ## Why it matters
    ///
    /// The server picks the context of its default: another certificate, other rules for client certificates. What is verified
    /// then is the wrong certificate, and what is asked for is not what the server's owner meant for this name.
    ///
    /// ## How to fix
    ///
    /// - nginx: `proxy_ssl_server_name on;` (and `proxy_ssl_name NAME;` where the upstream block is named otherwise)
    /// - Envoy: `sni: NAME` in the UpstreamTlsContext
    ///
    /// ## What you see in the logs
    ///
    /// - `upstream SSL certificate does not match "…" while SSL handshaking to upstream`
    /// - `SSL_do_handshake() failed (SSL: … unrecognized name:SSL alert number 112)`
    /// - `SSL_do_handshake() failed (SSL: … alert handshake failure:SSL alert number 40)`
    /// - `SSL alert number 40 … while SSL handshaking to upstream`
    /// - APISIX as the server:
    ///   `failed to find SNI: please check if the client requests via IP or uses an outdated protocol`
    /// - `peer closed connection in SSL handshake … while SSL handshaking to upstream`
    ///
    /// ## Reference
    ///
    /// RFC 6066, section 3; <https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_server_name>
    "unsent-server-name", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut told = BTreeSet::new();
    for connection in &subject.deployment.connections {
        let Lookup::Found(server) = connection.server else { continue };
        let (Some((client, dialer)), Some((program, listener))) =
            (subject.dialer_of(connection), subject.listener(server))
        else {
            continue;
        };
        let (Some(tls), Some(contexts)) = (&dialer.tls, &listener.tls) else { continue };
        let host = dialer.target.host.value.as_str();
        // what a person types, and addresses, which have no SNI
        if tls.server_name.is_some()
            || tls.names_from_request
            || dialer.purpose != DialerPurpose::Upstream
            || host.parse::<std::net::IpAddr>().is_ok()
        {
            continue;
        }
        let wanted = tls.reference.as_ref().map_or(host, |reference| reference.value.as_str());
        let (without, with) = (contexts.select(None), contexts.select(Some(wanted)));
        let Selected::Context(meant) = with else { continue };
        if without == with || matches!(without, Selected::Undetermined(_)) || !told.insert(dialer.span) {
            continue;
        }
        let mut labels =
            vec![Label { span: dialer.span, message: format!("dials {} without SNI", dialer.target.url) }];
        labels.extend(
            contexts
                .contexts
                .get(meant)
                .map(|context| Label { span: context.span, message: format!("{wanted} is served here") }),
        );
        if let Selected::Context(index) = without {
            labels.extend(contexts.contexts.get(index).map(|context| Label {
                span: context.span,
                message: "clients without SNI are served here".to_owned(),
            }));
        }
        let help = match client.kind {
            ProgramKind::Nginx => {
                Some(format!("write proxy_ssl_server_name on; and proxy_ssl_name {wanted};"))
            }
            ProgramKind::Envoy => Some(format!("write sni: {wanted} in the UpstreamTlsContext")),
            _ => None,
        };
        findings.push(RULE.finding(
            format!("{} does not tell {} that it wants {wanted}", client.name, program.name),
            help,
            labels,
        ));
    }
}

use crate::deployment::{Configuration, Version};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A filter chain is chosen by server name, and nothing looks for the server name.
    ///
    /// ## Why it matters
    ///
    /// Envoy learns the server name (SNI), the application protocol and whether there is TLS at all from the TLS
    /// inspector, a listener filter. Without it, a filter chain with `server_names`, `application_protocols` or
    /// `transport_protocol: tls` never matches: every connection is reset, or served by a chain that was meant for
    /// others. Until 1.17 Envoy added the inspector by itself.
    ///
    /// ## How to fix
    ///
    /// In the listener:
    ///
    /// ```yaml
    /// listener_filters:
    /// - name: envoy.filters.listener.tls_inspector
    ///   typed_config:
    ///     '@type': type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// Envoy counts `listener.….no_filter_chain_match` and, at debug level, says `closing connection from …: no
    /// matching filter chain found`; the client sees `connection reset by peer`.
    /// - Envoy: `no matching filter chain found`
    ///
    /// ## Reference
    ///
    /// Observed with Envoy 1.40.0; <https://github.com/envoyproxy/envoy/issues/25002>
    "uninspected-server-name", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for program in &subject.deployment.programs {
        let Configuration::Envoy(config) = &program.configuration else { continue };
        if program.versions.program < Version(1, 18, 0) {
            continue;
        }
        for listener in config.listeners.iter().filter(|listener| !listener.inspects_tls && !listener.udp) {
            for chain in listener.filter_chains.iter().filter(|chain| chain.matches.looks_into_tls()) {
                let matches = &chain.matches;
                let first = matches
                    .server_names
                    .first()
                    .or(matches.application_protocols.first())
                    .or(matches.transport_protocol.as_ref());
                let span = first.map_or(chain.span, |first| first.span);
                let what = first.map_or("TLS", |first| first.value.as_str());
                findings.push(RULE.finding(
                    format!("no connection of {} reaches the filter chain for {what}: no TLS inspector looks for it", program.name),
                    Some("add the listener filter envoy.filters.listener.tls_inspector".to_owned()),
                    vec![
                        Label { span, message: "never matches".to_owned() },
                        Label { span: listener.span, message: "this listener has no tls_inspector".to_owned() },
                    ],
                ));
            }
        }
    }
}

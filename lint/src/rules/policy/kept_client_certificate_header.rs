use crate::deployment::ClientAuthMode;
use crate::dialect::envoy::ClientCertificateForwarding;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A client with a certificate can write the header by which servers behind know clients.
    ///
    /// ## Why it matters
    ///
    /// `FORWARD_ONLY`, `APPEND_FORWARD` and `ALWAYS_FORWARD_ONLY` keep the `x-forwarded-client-cert` that the client sent.
    /// That is right when every client is itself a proxy that may speak for others. Where ordinary clients connect,
    /// each of them can claim to be any other. With `APPEND_FORWARD` the forged element stands in front of the
    /// true one.
    ///
    /// ## How to fix
    ///
    /// Where clients meet this Envoy first: `forward_client_cert_details: SANITIZE_SET`. Where only proxies may connect, say
    /// so with `match_typed_subject_alt_names` in the validation context, which silences this rule.
    ///
    /// ## What you see in the logs
    ///
    /// Nothing.
    ///
    /// ## Reference
    ///
    /// Observed with Envoy 1.40.0; <https://github.com/envoyproxy/envoy/issues/6038>
    "kept-client-certificate-header", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for (program, chain, manager, mode) in super::managers(subject) {
        let Some(forwarding) = &manager.forwarding else { continue };
        let keeps = match forwarding.value {
            ClientCertificateForwarding::Sanitize | ClientCertificateForwarding::SanitizeSet => false,
            // without mutual TLS these two remove it
            ClientCertificateForwarding::ForwardOnly | ClientCertificateForwarding::AppendForward => {
                mode != ClientAuthMode::Off
            }
            // with clients that nobody authenticated it is the sharper rule's
            ClientCertificateForwarding::AlwaysForwardOnly => mode == ClientAuthMode::Required,
        };
        if !keeps || names_its_clients(program, chain) {
            continue;
        }
        findings.push(RULE.finding(
            format!(
                "{} keeps the client certificate header of every client that has a certificate ({})",
                program.name,
                forwarding.value.name()
            ),
            Some(
                "write forward_client_cert_details: SANITIZE_SET, or name the proxies that may connect in \
                 match_typed_subject_alt_names"
                    .to_owned(),
            ),
            vec![Label { span: forwarding.span, message: "x-forwarded-client-cert is kept".to_owned() }],
        ));
    }
}

/// Whether the chain's validation context says by name which clients may connect.
fn names_its_clients(
    program: &crate::deployment::Program,
    chain: &crate::dialect::envoy::FilterChain,
) -> bool {
    let span = chain.transport.tls().map(|tls| tls.span);
    let contexts =
        program.listeners.iter().filter_map(|listener| listener.tls.as_ref()).flat_map(|tls| &tls.contexts);
    contexts.filter(|context| Some(context.span) == span).any(|context| {
        let checks = &context.client_auth.checks;
        !checks.names.is_empty() || !checks.pins.is_empty()
    })
}

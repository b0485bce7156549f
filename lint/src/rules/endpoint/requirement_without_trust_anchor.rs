use crate::deployment::{ClientAuthMode, Configuration, Program, ServerContext};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// Client certificates are required by the letter of the configuration, and no client is asked for one.
    ///
    /// ## Why it matters
    ///
    /// Envoy asks for a certificate only when it has something to verify it with. `require_client_certificate: true`
    /// without a validation context, or with an empty one, lets in every client, with or without a certificate. So do
    /// `system_root_certs` and `ca_certificate_provider_instance`, which Envoy itself does not look at.
    ///
    /// ## How to fix
    ///
    /// ```yaml
    /// require_client_certificate: true
    /// common_tls_context:
    ///   validation_context:
    ///     trusted_ca: {filename: /etc/envoy/client-ca.crt}
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// Nothing: that is the point.
    ///
    /// ## Reference
    ///
    /// Observed with Envoy 1.40.0;
    /// <https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/transport_sockets/tls/v3/tls.proto>
    "requirement-without-trust-anchor", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for (program, listener) in subject.listeners() {
        for context in listener.tls.iter().flat_map(|tls| &tls.contexts) {
            let Some(required) = required(program, context) else { continue };
            findings.push(
                RULE.finding(
                    format!(
                    "{} requires a client certificate, and asks for none: it has no trusted_ca to verify one with",
                    program.name
                ),
                    Some(
                        "write validation_context: {trusted_ca: {filename: …}} in its common_tls_context"
                            .to_owned(),
                    ),
                    vec![
                        Label { span: required, message: "required here".to_owned() },
                        Label { span: context.span, message: "no trusted_ca in here".to_owned() },
                    ],
                ),
            );
        }
    }
}

/// Where a context requires client certificates without having them verified.
pub(super) fn required(program: &Program, context: &ServerContext) -> Option<crate::source::Span> {
    let Configuration::Envoy(config) = &program.configuration else { return None };
    let mut chains = config.listeners.iter().flat_map(|listener| listener.chains());
    let tls = chains.find_map(|chain| chain.transport.tls().filter(|tls| tls.span == context.span))?;
    let flag = tls.require_client_certificate.as_ref().filter(|flag| flag.value)?;
    (*context.client_auth.mode.value() == ClientAuthMode::Off).then_some(flag.span)
}

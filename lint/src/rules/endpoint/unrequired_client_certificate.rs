use crate::deployment::{ClientAuthMode, ProgramKind};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// Client certificates are verified when they come, and clients without one are let in.
    ///
    /// ## Why it matters
    ///
    /// The CA is configured and a wrong certificate is refused, so it looks like mutual TLS; but whoever presents none
    /// passes. In Envoy this is the default as soon as a validation context is there. It is right only where
    /// something behind it, a filter or the application, insists on an identity for every request.
    ///
    /// ## How to fix
    ///
    /// Envoy: `require_client_certificate: true` in the `DownstreamTlsContext`. Where clients without a certificate are
    /// meant to pass, write `require_client_certificate: false`, so that it is said, and allow this rule with a reason.
    ///
    /// ## What you see in the logs
    ///
    /// Envoy, where the field is not set: `Using deprecated insecure default of not requiring client cert when a
    /// validation context is configured.`
    ///
    /// ## Reference
    ///
    /// RFC 8446, section 4.4.2.4; <https://github.com/envoyproxy/envoy/issues/41211>
    "unrequired-client-certificate", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for (program, listener) in subject.listeners().filter(|(program, _)| program.kind == ProgramKind::Envoy) {
        for context in listener.tls.iter().flat_map(|tls| &tls.contexts) {
            let auth = &context.client_auth;
            if *auth.mode.value() != ClientAuthMode::Optional || auth.checks.accept_untrusted.is_some() {
                continue;
            }
            let label = if auth.mode.is_given() { "switched off here" } else { "not required by default" };
            findings.push(RULE.finding(
                format!("{} verifies client certificates, and lets in clients that have none", program.name),
                Some("write require_client_certificate: true in the DownstreamTlsContext".to_owned()),
                vec![Label { span: auth.mode.span(), message: label.to_owned() }],
            ));
        }
    }
}

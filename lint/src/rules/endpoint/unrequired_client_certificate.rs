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
    /// A warning, and no error: a filter behind the handshake may still insist on a verified certificate.
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
    ingresses(subject, findings);
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

/// ingress-nginx names a CA, and a word beside it takes the insistence back.
fn ingresses(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for ingress in &subject.deployment.manifests.nginx_ingresses {
        let settings = &ingress.settings;
        let mode = settings.verify_client.as_ref().filter(|_| settings.client_secret.is_some());
        let Some(mode) = mode.filter(|_| !settings.snippet && settings.match_common_name.is_none()) else {
            continue;
        };
        let label = match mode.value.as_str() {
            "off" => "nobody is asked",
            "optional" => "clients without a certificate are let in",
            "optional_no_ca" => "any certificate is let in, whoever issued it",
            _ => continue,
        };
        findings.push(RULE.finding(
            format!(
                "{} names a CA for its clients, and lets in clients that have no certificate of it",
                settings.name.value
            ),
            Some("write auth-tls-verify-client: \"on\", or leave it out".to_owned()),
            vec![Label { span: mode.span, message: label.to_owned() }],
        ));
    }
}

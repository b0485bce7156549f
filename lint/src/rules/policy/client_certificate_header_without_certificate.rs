use crate::deployment::{ClientAuthMode, ListenerPurpose};
use crate::dialect::envoy::ClientCertificateForwarding;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// Details of the client's certificate are to be passed on, and no client is asked for a certificate.
    ///
    /// ## Why it matters
    ///
    /// `set_current_client_cert_details` with `SANITIZE_SET` or `APPEND_FORWARD` fills `x-forwarded-client-cert` from the
    /// certificate of the connection. On a listener that asks for none, the header is never there: servers behind that
    /// need it refuse everybody, or treat its absence as harmless.
    ///
    /// ## How to fix
    ///
    /// `require_client_certificate: true` and a `validation_context` with `trusted_ca` in the listener's
    /// `DownstreamTlsContext`.
    ///
    /// ## What you see in the logs
    ///
    /// Nothing; the servers behind miss the header.
    ///
    /// ## Reference
    ///
    /// <https://github.com/envoyproxy/envoy/issues/794>
    "client-certificate-header-without-certificate", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for (program, chain, manager, mode) in super::managers(subject) {
        let sets = manager.forwarding.as_ref().is_some_and(|forwarding| {
            matches!(
                forwarding.value,
                ClientCertificateForwarding::SanitizeSet | ClientCertificateForwarding::AppendForward
            )
        });
        let Some(detail) = manager.forwarded_details.first().filter(|_| sets && mode == ClientAuthMode::Off)
        else {
            continue;
        };
        findings.push(RULE.finding(
            format!("{} is to pass on client certificates, and asks for none", program.name),
            super::super::endpoint::unauthenticated_clients::help(program, ListenerPurpose::Clients, None),
            vec![
                Label {
                    span: detail.span,
                    message: format!("{} of the certificate is to be passed on", detail.value),
                },
                Label { span: chain.span, message: "no client certificate is asked for here".to_owned() },
            ],
        ));
    }
}

use crate::deployment::ClientAuthMode;
use crate::dialect::envoy::ClientCertificateForwarding;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A client that nobody authenticated can write the header by which servers behind know clients.
    ///
    /// ## Why it matters
    ///
    /// With `forward_client_cert_details: ALWAYS_FORWARD_ONLY` Envoy passes `x-forwarded-client-cert` on as it came. Where
    /// the listener lets in clients without a certificate, whoever reaches it sends the header with any identity, and
    /// the servers behind believe it.
    ///
    /// ## How to fix
    ///
    /// Where clients meet this Envoy first: `forward_client_cert_details: SANITIZE_SET`, which replaces the header by the
    /// certificate of this connection. Behind another proxy: `FORWARD_ONLY`, with a listener that requires that
    /// proxy's certificate.
    ///
    /// ## What you see in the logs
    ///
    /// Nothing.
    ///
    /// ## Reference
    ///
    /// Observed with Envoy 1.40.0; <https://github.com/envoyproxy/envoy/issues/6038>
    "forgeable-client-certificate-header", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for (program, chain, manager, mode) in super::managers(subject) {
        let Some(forwarding) = &manager.forwarding else { continue };
        if forwarding.value != ClientCertificateForwarding::AlwaysForwardOnly
            || mode == ClientAuthMode::Required
        {
            continue;
        }
        findings.push(RULE.finding(
            format!("{} passes on the identity that any client writes into a header", program.name),
            Some("write forward_client_cert_details: SANITIZE_SET".to_owned()),
            vec![
                Label {
                    span: forwarding.span,
                    message: "x-forwarded-client-cert is passed on as it came".to_owned(),
                },
                Label {
                    span: chain.span,
                    message: "clients without a certificate are let in here".to_owned(),
                },
            ],
        ));
    }
}

use mtls_identity::policy::{SourceKind, Verification};

use crate::deployment::ClientAuthMode;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// The filter decides by a certificate that the listener in front of it does not vouch for.
    ///
    /// ## Why it matters
    ///
    /// The filter judges names; that the client holds the certificate's key and that a trusted issuer signed it is the
    /// listener's part. A listener that asks for no certificate gives the filter nothing: every request that is not
    /// exempt is denied. With `verification: listener` the filter believes the listener, so one that lets
    /// strangers through (`ACCEPT_UNTRUSTED`) lets anybody be anyone.
    ///
    /// ## How to fix
    ///
    /// In the listener's `DownstreamTlsContext`: `require_client_certificate: true`, a `validation_context` with `trusted_ca`,
    /// and no `trust_chain_verification: ACCEPT_UNTRUSTED`.
    ///
    /// ## What you see in the logs
    ///
    /// The filter's line: `mtls-guard: deny reason=no-certificate` or `mtls-guard: deny reason=unverified-certificate`;
    /// where it relies on the listener, nothing.
    ///
    /// ## Reference
    ///
    /// `mtls_identity::policy`, "Where the certificate comes from"
    "unvouched-certificate", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for given in super::policies(subject) {
        let Some(Ok(policy)) = given.read() else { continue };
        let from_connection = matches!(policy.source.kind, SourceKind::Envoy | SourceKind::EnvoyXfcc);
        let Some(chain) = given.chain.filter(|_| from_connection) else { continue };
        let mode = given.context.map_or(ClientAuthMode::Off, |context| *context.client_auth.mode.value());
        let waved_through = given.context.and_then(|context| context.client_auth.checks.accept_untrusted);
        let program = &given.program.name;
        let (message, place, label) = match (mode, policy.source.verification, waved_through) {
            (ClientAuthMode::Off, ..) => (
                format!("{program} decides by client certificates, and its listener asks for none"),
                given.context.map_or(chain.span, |context| context.client_auth.mode.span()),
                "no client certificate is asked for here",
            ),
            (_, Verification::Listener, Some(untrusted)) => (
                format!("{program} believes its listener, which lets any certificate through"),
                untrusted,
                "nothing that the certificate says is verified",
            ),
            _ => continue,
        };
        findings.push(
            RULE.finding(
                message,
                Some(
                    "write require_client_certificate: true and a validation_context with trusted_ca in the \
                 DownstreamTlsContext"
                        .to_owned(),
                ),
                vec![
                    Label { span: place, message: label.to_owned() },
                    Label { span: given.span, message: "the policy that relies on it".to_owned() },
                ],
            ),
        );
    }
}

use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A peer's certificate is asked for, and accepted whoever issued it.
    ///
    /// ## Why it matters
    ///
    /// `trust_chain_verification: ACCEPT_UNTRUSTED` lets any certificate pass: self-signed, expired, of another CA, for
    /// another purpose, with other names. The peer proves that it has some key, nothing else. Behind it, Envoy still
    /// says `connection.mtls = true` and fills `x-forwarded-client-cert` with whatever the certificate claims.
    ///
    /// ## How to fix
    ///
    /// Remove `trust_chain_verification`, and give `trusted_ca`. If strangers are meant to pass, the filters behind must
    /// decide by `connection.peer_certificate_valid`, which is 0 also on every resumed session: switch resumption
    /// off with `disable_stateless_session_resumption` and `disable_stateful_session_resumption`.
    ///
    /// ## What you see in the logs
    ///
    /// Nothing; Envoy's counter of failed verifications stays at 0.
    ///
    /// ## Reference
    ///
    /// Observed with Envoy 1.40.0; <https://github.com/envoyproxy/envoy/issues/18033>
    "accepted-untrusted-certificate", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let servers = subject.listeners().flat_map(|(program, listener)| {
        let contexts = listener.tls.iter().flat_map(|tls| &tls.contexts);
        contexts.map(move |context| (program, &context.client_auth.checks, "its clients"))
    });
    let clients = subject
        .dialers()
        .filter_map(|(program, dialer)| Some((program, &dialer.tls.as_ref()?.checks, "its servers")));
    let mut told = Vec::new();
    for (program, checks, whom) in servers.chain(clients) {
        let Some(span) = checks.accept_untrusted.filter(|span| !told.contains(span)) else { continue };
        told.push(span);
        findings.push(RULE.finding(
            format!("{} accepts any certificate of {whom}, whoever issued it", program.name),
            Some("remove trust_chain_verification, and give trusted_ca".to_owned()),
            vec![Label { span, message: "nothing that the certificate says is verified".to_owned() }],
        ));
    }
}

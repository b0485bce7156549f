use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// An Ingress passes TLS through and asks the gateway to verify clients.
    ///
    /// With `ssl-passthrough` ingress-nginx looks at the server name only and hands the bytes on: the handshake is
    /// between client and server behind. Every other annotation of the host is without effect.
    ///
    /// ## Why it matters
    ///
    /// Where the controller runs with `--enable-ssl-passthrough`, nobody at the gateway verifies a client. Without that
    /// flag the annotation does nothing, and the day somebody sets it the verification is gone.
    ///
    /// ## How to fix
    ///
    /// Decide where the handshake ends: delete `ssl-passthrough`, or delete `auth-tls-…` and let the server behind
    /// require client certificates.
    ///
    /// ## What you see in the logs
    ///
    /// Nothing: that is the point.
    ///
    /// ## Reference
    ///
    /// <https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/#ssl-passthrough>
    "passed-through-client-authentication", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for ingress in super::all(subject) {
        let settings = &ingress.settings;
        let (Some(through), Some(secret), true) =
            (settings.passes_through, &settings.client_secret, settings.asks_clients())
        else {
            continue;
        };
        findings.push(RULE.finding(
            format!("{} passes TLS through, past the verification of clients", settings.name.value),
            Some("delete ssl-passthrough, or leave the verification to the server behind".to_owned()),
            vec![
                Label { span: through, message: "the handshake does not end at the gateway".to_owned() },
                Label { span: secret.span, message: "so clients are not verified with this".to_owned() },
            ],
        ));
    }
}

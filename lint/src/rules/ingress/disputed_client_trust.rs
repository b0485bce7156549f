use std::collections::BTreeSet;

use mtls_identity::sorted::Numbers;

use crate::deployment::NginxIngress;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// Two Ingresses of one host want clients verified in different ways.
    ///
    /// ingress-nginx verifies clients by host, not by path: the Ingress that it meets first decides for all.
    ///
    /// ## Why it matters
    ///
    /// Which CA, and whether a certificate is required at all, depends on the age of the objects. Clients of the other
    /// paths are refused, or accepted by a CA that was not meant for them.
    ///
    /// ## How to fix
    ///
    /// Give each its own host; or write the same `auth-tls-…` annotations on both, with one Secret whose `ca.crt` has
    /// both CAs, and tell the clients apart by `auth-tls-match-cn` or behind the gateway.
    ///
    /// ## What you see in the logs
    ///
    /// - at verbosity 3: `Server "…" is already configured for mutual authentication (Ingress "…")`
    ///
    /// ## Reference
    ///
    /// <https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/#client-certificate-authentication>,
    /// internal/ingress/controller/controller.go
    "disputed-client-trust", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut hosts = Numbers::default();
    let mut first: Vec<&NginxIngress> = Vec::new();
    let mut told = BTreeSet::new();
    for ingress in super::all(subject) {
        let settings = &ingress.settings;
        let Some(secret) = &settings.client_secret else { continue };
        for host in &settings.hosts {
            let Some(before) = first.get(hosts.of(host.value.to_ascii_lowercase())).copied() else {
                first.push(ingress);
                continue;
            };
            let Some(other) = &before.settings.client_secret else { continue };
            let mode = |ingress: &NginxIngress| {
                ingress.settings.verify_client.as_ref().map_or("on", |mode| mode.value.as_str()).to_owned()
            };
            let same = secret.value == other.value && mode(ingress) == mode(before);
            if same || !told.insert(secret.span) {
                continue;
            }
            let by_secret = secret.value != other.value;
            let (this, that) = match (by_secret, &settings.verify_client, &before.settings.verify_client) {
                (false, Some(this), Some(that)) => (this.span, that.span),
                (false, Some(this), None) => (this.span, other.span),
                (false, None, Some(that)) => (secret.span, that.span),
                _ => (secret.span, other.span),
            };
            let said = |ingress: &NginxIngress, secret: &str| {
                if by_secret {
                    format!("verified with {secret}")
                } else {
                    format!("verification is {}", mode(ingress))
                }
            };
            findings.push(RULE.finding(
                format!(
                    "{} and {} want clients of {} verified differently: one of them has its way for all paths",
                    before.settings.name.value, settings.name.value, host.value
                ),
                Some("write the same auth-tls annotations on both, or use two hosts".to_owned()),
                vec![
                    Label { span: this, message: said(ingress, &secret.value) },
                    Label { span: that, message: said(before, &other.value) },
                ],
            ));
        }
    }
}

use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::source::Located;

rule! {
    /// Annotations about certificates stand on an Ingress without the one that puts them into force.
    ///
    /// ingress-nginx reads `auth-tls-…` only where `auth-tls-secret` names a CA, and `proxy-ssl-…` only where
    /// `proxy-ssl-secret` names a Secret.
    ///
    /// ## Why it matters
    ///
    /// `auth-tls-verify-client: "on"` alone asks no client for a certificate; `proxy-ssl-verify: "on"` alone verifies
    /// no server. Nothing is logged.
    ///
    /// ## How to fix
    ///
    /// ```yaml
    /// metadata:
    ///   annotations:
    ///     nginx.ingress.kubernetes.io/auth-tls-secret: edge/clients-ca
    ///     nginx.ingress.kubernetes.io/auth-tls-verify-client: "on"
    ///     nginx.ingress.kubernetes.io/proxy-ssl-secret: edge/backend
    ///     nginx.ingress.kubernetes.io/proxy-ssl-verify: "on"
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// Nothing: that is the point.
    ///
    /// ## Reference
    ///
    /// <https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/#client-certificate-authentication>
    "ineffective-annotation", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    // another Ingress of the host may name the Secret: it holds for the whole host
    let named: Vec<&str> = super::all(subject)
        .filter(|ingress| ingress.settings.client_secret.is_some())
        .flat_map(|ingress| ingress.settings.hosts.iter().map(|host| host.value.as_str()))
        .collect();
    for ingress in super::all(subject) {
        let settings = &ingress.settings;
        let elsewhere = settings.hosts.iter().any(|host| named.contains(&host.value.as_str()));
        let clients = settings
            .client_option
            .as_ref()
            .filter(|_| settings.client_secret.is_none() && !settings.snippet && !elsewhere);
        // who writes that nothing is verified asks for nothing: unverified-server speaks
        let asks = |option: &Located<String>| {
            let off = settings.verify_server.as_ref().is_some_and(|verify| !verify.value);
            !(off && option.value.ends_with("/proxy-ssl-verify"))
        };
        let servers = settings
            .server_option
            .as_ref()
            .filter(|option| settings.server_secret.is_none() && !settings.snippet && asks(option));
        let asked = [
            (clients, "auth-tls-secret", "no client is asked for a certificate"),
            (servers, "proxy-ssl-secret", "none of proxy-ssl-… is in force"),
        ];
        for (option, missing, consequence) in asked {
            let Some(option) = option else { continue };
            findings.push(RULE.finding(
                format!("{} has no {missing}: {consequence}", settings.name.value),
                Some(format!(
                    "add nginx.ingress.kubernetes.io/{missing}: {}/NAME with a Secret that has ca.crt",
                    settings.namespace
                )),
                vec![Label { span: option.span, message: "has no effect by itself".to_owned() }],
            ));
        }
    }
}

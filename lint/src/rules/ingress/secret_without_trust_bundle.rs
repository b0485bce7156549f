use crate::deployment::Lookup;
use crate::deployment::NamedSecret;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A Secret that ingress-nginx shall verify certificates with has no `ca.crt`.
    ///
    /// ## Why it matters
    ///
    /// The controller leaves the verification out and says so at log level 3 only. With `auth-tls-secret` no client is
    /// asked for a certificate; with `proxy-ssl-secret` no server's certificate is checked, in spite of
    /// `proxy-ssl-verify: "on"`. A Secret with neither `ca.crt` nor a key pair is worse: its paths answer 503.
    ///
    /// ## How to fix
    ///
    /// Put the CA under exactly this key:
    ///
    /// ```sh
    /// kubectl create secret generic clients-ca --from-file=ca.crt=clients-ca.pem
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - at verbosity 3: `Secret "…" has no 'ca.crt' key, mutual authentication disabled for Ingress "…"`
    /// - without a key pair: `error obtaining certificate: local SSL certificate … was not found`
    ///
    /// ## Reference
    ///
    /// <https://kubernetes.github.io/ingress-nginx/examples/auth/client-certs/>;
    /// <https://github.com/kubernetes/ingress-nginx/issues/2918>
    "secret-without-trust-bundle", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for ingress in super::all(subject) {
        let settings = &ingress.settings;
        let clients = settings.client_secret.as_ref().filter(|_| settings.asks_clients());
        let servers = settings
            .server_secret
            .as_ref()
            .filter(|_| settings.verify_server.as_ref().is_some_and(|verify| verify.value));
        let asked = [
            (clients, &ingress.client_secret, "clients are asked for no certificate"),
            (servers, &ingress.server_secret, "the servers behind are not verified"),
        ];
        for (named, secret, consequence) in asked {
            let (Some(named), Some(Lookup::Found(secret))) = (named, secret) else { continue };
            let NamedSecret { title, span, authority, has_pair } = secret;
            let Lookup::Missing(missing) = &authority.content else { continue };
            let consequence =
                if *has_pair { consequence } else { "its paths are denied, every request gets 503" };
            let mut labels = vec![
                Label { span: named.span, message: "the CA is looked for here".to_owned() },
                Label { span: *span, message: String::new() },
            ];
            if let (Some(label), Some(has)) = (labels.last_mut(), missing.labels.first()) {
                label.message.clone_from(&has.message);
            }
            findings.push(RULE.finding(
                format!("{title} has no ca.crt, so for {} {consequence}", settings.name.value),
                Some("add the CA's certificate to the Secret under the key ca.crt".to_owned()),
                labels,
            ));
        }
    }
}

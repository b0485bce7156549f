use crate::dialect::ingress_nginx::split_name;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// An annotation of ingress-nginx names a Secret without its namespace.
    ///
    /// `auth-tls-secret` and `proxy-ssl-secret` are `namespace/name`, also where the Secret stands beside the Ingress.
    ///
    /// ## Why it matters
    ///
    /// The controller cannot read the annotation and denies the paths of the Ingress: every request gets 503.
    ///
    /// ## How to fix
    ///
    /// ```yaml
    /// metadata:
    ///   annotations:
    ///     nginx.ingress.kubernetes.io/auth-tls-secret: edge/clients-ca
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - the controller: `invalid format (namespace/name) found in '…'`
    ///
    /// ## Reference
    ///
    /// <https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/#client-certificate-authentication>
    "unqualified-secret-name", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for ingress in super::all(subject) {
        let settings = &ingress.settings;
        for named in [&settings.client_secret, &settings.server_secret].into_iter().flatten() {
            if split_name(&named.value).is_some() || named.value.is_empty() {
                continue;
            }
            let name = named.value.trim_matches('/');
            findings.push(RULE.finding(
                format!("{} names the Secret {} without its namespace", settings.name.value, named.value),
                Some(format!("write {}/{name}", settings.namespace)),
                vec![Label { span: named.span, message: "namespace/name is expected".to_owned() }],
            ));
        }
    }
}

use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::source::Text;

rule! {
    /// A Secret for TLS holds an empty certificate or key.
    ///
    /// ## Why it matters
    ///
    /// The file is there and empty: the program that mounts it does not start, or shows nothing. It is left over from a
    /// template whose value was not given, or from an export without its content.
    ///
    /// ## How to fix
    ///
    /// Fill in both keys, or let cert-manager fill them: a Certificate with this `secretName`.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `PEM_read_bio_X509_AUX() failed (SSL: … no start line)`
    /// - Go: `tls: failed to find any PEM data in certificate input`
    ///
    /// ## Reference
    ///
    /// <https://kubernetes.io/docs/concepts/configuration/secret/#tls-secrets>
    "empty-tls-secret", Warning, check
}

/// Annotations by which nobody fills a Secret; any other may.
const INERT: [&str; 4] =
    ["argocd.argoproj.io/", "helm.sh/", "kubectl.kubernetes.io/last-applied-configuration", "meta.helm.sh/"];

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let manifests = &subject.deployment.manifests;
    for secret in &manifests.stored {
        if secret.kind.as_ref().is_none_or(|kind| kind.value != "kubernetes.io/tls") {
            continue;
        }
        // one that is filled by somebody is to be empty
        let filled = manifests.certificates.iter().any(|certificate| {
            certificate.metadata.namespace() == secret.metadata.namespace()
                && certificate
                    .secret_name
                    .as_ref()
                    .is_some_and(|name| name.value == secret.metadata.name.value)
        });
        let mut annotations = secret.metadata.annotations.iter();
        if filled || annotations.any(|pair| !INERT.iter().any(|start| pair.key.value.starts_with(start))) {
            continue;
        }
        let empty = |key: &str| {
            secret.data.iter().find(|datum| {
                let nothing = |text: &Text| text.bytes().trim_ascii().is_empty();
                datum.key.value == key && datum.value.as_ref().is_ok_and(nothing)
            })
        };
        let Some(datum) = empty("tls.crt").or_else(|| empty("tls.key")) else { continue };
        findings.push(RULE.finding(
            format!("{} of Secret {} is empty", datum.key.value, secret.metadata.path()),
            Some("give certificate and key, or add a Certificate with this secretName".to_owned()),
            vec![
                Label { span: datum.key.span, message: "nothing is in it".to_owned() },
                Label { span: secret.metadata.name.span, message: "a Secret for TLS".to_owned() },
            ],
        ));
    }
}

use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A Secret of type kubernetes.io/tls lacks tls.crt or tls.key.
    ///
    /// ## Why it matters
    ///
    /// The API server refuses it: this type promises both keys. A Secret for a CA certificate alone has the type
    /// Opaque.
    ///
    /// ## How to fix
    ///
    /// Give the keys these names, or leave `type` out:
    ///
    /// ```yaml
    /// type: kubernetes.io/tls
    /// data:
    ///   tls.crt: …
    ///   tls.key: …
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - `data[tls.crt]: Required value`, `data[tls.key]: Required value`
    /// - APISIX's ingress controller: `missing cert field`, `missing key field`
    ///
    /// ## Reference
    ///
    /// <https://kubernetes.io/docs/concepts/configuration/secret/#tls-secrets>
    "tls-secret-without-pair", Error, check
}

const HELP: &str = "name the keys tls.crt and tls.key, or write type: Opaque";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.refused_manifests(&RULE, HELP, findings);
}

use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A private key lies in a ConfigMap.
    ///
    /// ## Why it matters
    ///
    /// ConfigMaps are shown to everyone who may look at a namespace, are not encrypted at rest and stand in every
    /// backup and dashboard: a key in one is no longer private.
    ///
    /// ## How to fix
    ///
    /// Put it into a Secret and mount that, and issue a new certificate with a new key:
    ///
    /// ```yaml
    /// apiVersion: v1
    /// kind: Secret
    /// type: kubernetes.io/tls
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// Nothing.
    ///
    /// ## Reference
    ///
    /// <https://kubernetes.io/docs/concepts/configuration/configmap/>
    "private-key-in-config-map", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for map in &subject.deployment.manifests.config_maps {
        for datum in map.data.iter().filter(|datum| datum.holds_private_key()) {
            findings.push(RULE.finding(
                format!("ConfigMap {} holds a private key in {}", map.metadata.path(), datum.key.value),
                Some("move it into a Secret, and issue anew what it belongs to".to_owned()),
                vec![Label {
                    span: datum.key.span,
                    message: "a private key, readable by everyone".to_owned(),
                }],
            ));
        }
    }
}

use super::lost;
use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A Pod uses a ConfigMap that nothing in the manifests creates.
    ///
    /// ## Why it matters
    ///
    /// The Pod waits for ever in ContainerCreating.
    ///
    /// ## How to fix
    ///
    /// Correct the name, or add the ConfigMap in the same namespace.
    ///
    /// ## What you see in the logs
    ///
    /// - `MountVolume.SetUp failed for volume … : configmap "…" not found`
    ///
    /// ## Reference
    ///
    /// <https://kubernetes.io/docs/concepts/configuration/configmap/>
    "missing-config-map", Error, check
}

const HELP: &str = "create the ConfigMap in the namespace of the Pod, or write the name of one that exists";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    lost(subject, &RULE, HELP, findings);
}

use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A Pod uses a Secret that nothing in the manifests creates.
    ///
    /// ## Why it matters
    ///
    /// No Secret and no Certificate with that `secretName`: the Pod waits for ever in ContainerCreating.
    ///
    /// ## How to fix
    ///
    /// Correct the name, or add the Certificate (or Secret) in the same namespace.
    ///
    /// ## What you see in the logs
    ///
    /// - `MountVolume.SetUp failed for volume … : secret "…" not found`
    ///
    /// ## Reference
    ///
    /// <https://kubernetes.io/docs/concepts/configuration/secret/>
    "missing-secret", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

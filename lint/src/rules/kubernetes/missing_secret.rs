use super::{lost, never_issued};
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
    /// - nginx, where the volume is optional: `cannot load certificate "…": BIO_new_file() failed`
    ///
    /// ## Reference
    ///
    /// <https://kubernetes.io/docs/concepts/configuration/secret/>
    "missing-secret", Error, check
}

const HELP: &str =
    "create the Secret (a Certificate with this secretName does), or write the name of one that exists";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    never_issued(subject, &RULE, HELP, findings);
    lost(subject, &RULE, HELP, findings);
}

use super::lost;
use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A container mounts a volume that its Pod does not define.
    ///
    /// ## Why it matters
    ///
    /// Kubernetes refuses the Pod.
    ///
    /// ## How to fix
    ///
    /// Add the volume to `spec.volumes`, or correct the name in `volumeMounts`.
    ///
    /// ## What you see in the logs
    ///
    /// - `spec.containers[…].volumeMounts[…].name: Not found`
    /// - nginx, where it starts all the same: `cannot load certificate "…": BIO_new_file() failed`
    ///
    /// ## Reference
    ///
    /// <https://kubernetes.io/docs/concepts/storage/volumes/>
    "missing-volume", Error, check
}

const HELP: &str = "add the volume under spec.volumes, or write the name of one that is there";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    lost(subject, &RULE, HELP, findings);
}

use super::lost;
use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A configuration names a file where nothing is mounted.
    ///
    /// The image of the container is a published one that has no such file, and no volume of the Pod is mounted at the
    /// path or above it. Images of your own may hold the file: they are not accused.
    ///
    /// ## Why it matters
    ///
    /// The program cannot open the file, and refuses its configuration.
    ///
    /// ## How to fix
    ///
    /// Mount the Secret or ConfigMap at the folder of the path, or write the path at which it is mounted.
    ///
    /// ## What you see in the logs
    ///
    /// - `open …: no such file or directory`
    /// - `cannot load certificate "…": BIO_new_file() failed`
    ///
    /// ## Reference
    ///
    /// <https://kubernetes.io/docs/concepts/configuration/secret/#using-secrets-as-files-from-a-pod>
    "unmounted-path", Error, check
}

const HELP: &str =
    "mount the Secret or ConfigMap at the folder of this path, or write the path at which it is mounted";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    lost(subject, &RULE, HELP, findings);
}

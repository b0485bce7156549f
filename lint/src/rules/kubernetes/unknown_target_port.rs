use super::lost;
use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A Service forwards to a named port that no container has.
    ///
    /// ## Why it matters
    ///
    /// The endpoint of that port stays empty.
    ///
    /// ## How to fix
    ///
    /// Give the container's port the name that `targetPort` says, or write the number.
    ///
    /// ## What you see in the logs
    ///
    /// - `connection refused`, `no endpoints available for service`
    ///
    /// ## Reference
    ///
    /// <https://kubernetes.io/docs/concepts/services-networking/service/#field-spec-ports>
    "unknown-target-port", Error, check
}

const HELP: &str =
    "write the number of the container's port as targetPort, or give the container's port this name";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    lost(subject, &RULE, HELP, findings);
}

use super::lost;
use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A client dials a port that the Service does not have.
    ///
    /// ## Why it matters
    ///
    /// A Service forwards the ports it lists and no others.
    ///
    /// ## How to fix
    ///
    /// Dial a port of the Service, or add this one to `spec.ports`.
    ///
    /// ## What you see in the logs
    ///
    /// - a time-out, or `connection refused`
    ///
    /// ## Reference
    ///
    /// <https://kubernetes.io/docs/concepts/services-networking/service/>
    "unknown-service-port", Error, check
}

const HELP: &str = "dial a port that the Service has, or add this one under spec.ports";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    lost(subject, &RULE, HELP, findings);
}

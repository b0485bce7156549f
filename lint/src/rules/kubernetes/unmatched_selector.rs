use super::lost;
use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A Service selects no Pod.
    ///
    /// ## Why it matters
    ///
    /// Its name resolves, and nothing answers.
    ///
    /// ## How to fix
    ///
    /// Correct the Service's selector to labels that the Pods have (`spec.template.metadata.labels`).
    ///
    /// ## What you see in the logs
    ///
    /// - `connection refused`, `no endpoints available for service`
    ///
    /// ## Reference
    ///
    /// <https://kubernetes.io/docs/concepts/services-networking/service/>
    "unmatched-selector", Error, check
}

const HELP: &str = "write labels that the Pods have into the Service's selector";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    lost(subject, &RULE, HELP, findings);
}

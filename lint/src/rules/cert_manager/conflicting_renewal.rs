use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// renewBefore and renewBeforePercentage are both given.
    ///
    /// ## Why it matters
    ///
    /// The webhook refuses the Certificate: they say the same thing twice.
    ///
    /// ## How to fix
    ///
    /// Keep one of them:
    ///
    /// ```yaml
    /// renewBefore: 360h
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - `renewBefore and renewBeforePercentage are mutually exclusive`
    ///
    /// ## Reference
    ///
    /// <https://cert-manager.io/docs/reference/api-docs/#cert-manager.io/v1.CertificateSpec>
    "conflicting-renewal", Error, check
}

const HELP: &str = "remove one of the two";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.refused_manifests(&RULE, HELP, findings);
}

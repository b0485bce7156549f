use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// duration or renewBefore is not written as Go writes durations.
    ///
    /// ## Why it matters
    ///
    /// The largest unit is the hour: `90d` or a bare number is refused, and the Certificate is not created.
    ///
    /// ## How to fix
    ///
    /// Ninety days are `2160h`, thirty days `720h`:
    ///
    /// ```yaml
    /// duration: 2160h
    /// renewBefore: 720h
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - `time: unknown unit "…" in duration "…"`
    /// - `time: missing unit in duration "…"`
    ///
    /// ## Reference
    ///
    /// <https://cert-manager.io/docs/reference/api-docs/#cert-manager.io/v1.CertificateSpec>
    "invalid-certificate-duration", Error, check
}

const HELP: &str = "write hours, minutes and seconds: 2160h for 90 days, 1h30m";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.refused_manifests(&RULE, HELP, findings);
}

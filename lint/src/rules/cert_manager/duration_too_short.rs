use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A Certificate shall live less than an hour, or be renewed less than five minutes before its end.
    ///
    /// ## Why it matters
    ///
    /// cert-manager refuses both: it would not keep up. Workloads need time to notice the new file as well.
    ///
    /// ## How to fix
    ///
    /// An hour is the least for `duration`, five minutes for `renewBefore`; a day is a good choice for short lives:
    ///
    /// ```yaml
    /// duration: 24h
    /// renewBefore: 8h
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - `certificate duration must be greater than …`
    /// - `certificate renewBefore must be greater than …`
    /// - `certificate renewBeforePercentage must result in a renewBefore greater than …`; before cert-manager 1.21 also of
    ///   a life of many years, which its webhook cannot multiply
    ///
    /// ## Reference
    ///
    /// <https://cert-manager.io/docs/reference/api-docs/#cert-manager.io/v1.CertificateSpec>
    "duration-too-short", Error, check
}

const HELP: &str = "write a duration of 1h at least and a renewBefore of 5m at least";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.refused_manifests(&RULE, HELP, findings);
}

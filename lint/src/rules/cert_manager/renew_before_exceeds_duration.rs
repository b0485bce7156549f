use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A Certificate is to be renewed before it is issued.
    ///
    /// ## Why it matters
    ///
    /// renewBefore counts back from the end: where it is no shorter than the whole life, the webhook refuses the
    /// Certificate. Who lowers `duration` and keeps `renewBefore` meets this.
    ///
    /// ## How to fix
    ///
    /// A third of the life is the default, and good:
    ///
    /// ```yaml
    /// duration: 2160h
    /// renewBefore: 720h
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - `certificate duration … must be greater than renewBefore …`
    /// - `certificate renewBeforePercentage must result in a renewBefore less than duration`
    ///
    /// ## Reference
    ///
    /// <https://cert-manager.io/docs/reference/api-docs/#cert-manager.io/v1.CertificateSpec>
    "renew-before-exceeds-duration", Error, check
}

const HELP: &str =
    "write a renewBefore shorter than duration (a third of it is the default), or leave renewBefore out";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.refused_manifests(&RULE, HELP, findings);
}

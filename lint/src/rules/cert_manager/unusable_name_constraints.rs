use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// nameConstraints stand in a Certificate that cannot have them.
    ///
    /// ## Why it matters
    ///
    /// Only a CA has them; and before 1.17 cert-manager takes them only behind the feature gate NameConstraints, on the
    /// webhook and on the controller. Otherwise the Certificate is refused.
    ///
    /// ## How to fix
    ///
    /// Write `isCA: true` beside them, and for cert-manager before 1.17 start both components with `--feature-
    /// gates=NameConstraints=true`:
    ///
    /// ```yaml
    /// isCA: true
    /// nameConstraints:
    ///   critical: true
    ///   permitted:
    ///     dnsDomains: [demo.svc]
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - `isCa should be true when nameConstraints is set`
    /// - `feature gate NameConstraints must be enabled`
    ///
    /// ## Reference
    ///
    /// <https://cert-manager.io/docs/reference/api-docs/#cert-manager.io/v1.CertificateSpec>
    "unusable-name-constraints", Error, check
}

const HELP: &str = "write isCA: true, or remove nameConstraints; before cert-manager 1.17 enable the feature gate NameConstraints";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.refused_manifests(&RULE, HELP, findings);
}

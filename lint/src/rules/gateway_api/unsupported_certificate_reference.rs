use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A Gateway or policy takes a certificate from an object that holds none.
    ///
    /// ## Why it matters
    ///
    /// The certificate of a listener comes from a Secret, a CA from a ConfigMap (or, where the implementation says so,
    /// a Secret). The core group is written as an empty string: `v1` and `core` are groups that do not exist.
    ///
    /// ## How to fix
    ///
    /// For example:
    ///
    /// ```yaml
    /// caCertificateRefs:
    ///   - group: ""
    ///     kind: ConfigMap
    ///     name: clients-ca
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// Condition `ResolvedRefs: False`, reason `InvalidKind` or `InvalidCertificateRef`.
    ///
    /// ## Reference
    ///
    /// <https://gateway-api.sigs.k8s.io/reference/spec/>
    "unsupported-certificate-reference", Error, check
}

const HELP: &str = "write an empty group, with kind: Secret for a certificate and kind: ConfigMap for a CA";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.refused_manifests(&RULE, HELP, findings);
}

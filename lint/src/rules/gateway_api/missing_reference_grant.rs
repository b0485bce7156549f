use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A Gateway takes a certificate from another namespace, which does not allow it.
    ///
    /// ## Why it matters
    ///
    /// A reference across namespaces counts only where the other namespace agrees by a ReferenceGrant. Otherwise the
    /// listener has no certificate, or verifies nobody and refuses all.
    ///
    /// ## How to fix
    ///
    /// In the namespace of the Secret:
    ///
    /// ```yaml
    /// apiVersion: gateway.networking.k8s.io/v1beta1
    /// kind: ReferenceGrant
    /// metadata:
    ///   name: edge
    ///   namespace: certificates
    /// spec:
    ///   from:
    ///     - group: gateway.networking.k8s.io
    ///       kind: Gateway
    ///       namespace: edge
    ///   to:
    ///     - group: ""
    ///       kind: Secret
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// Condition `ResolvedRefs: False`, reason `RefNotPermitted`.
    ///
    /// ## Reference
    ///
    /// <https://gateway-api.sigs.k8s.io/api-types/referencegrant/>
    "missing-reference-grant", Error, check
}

const HELP: &str =
    "add a ReferenceGrant in that namespace, from kind Gateway of the own namespace to this kind";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.refused_manifests(&RULE, HELP, findings);
}

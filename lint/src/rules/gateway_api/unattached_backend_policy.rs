use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A BackendTLSPolicy is for a port that its Service does not have.
    ///
    /// ## Why it matters
    ///
    /// `sectionName` is the name of a port. A policy that meets none applies to nothing: the Gateway goes on in
    /// plaintext, or without verifying.
    ///
    /// ## How to fix
    ///
    /// Write the name of a port of the Service, or leave `sectionName` out for all of them:
    ///
    /// ```yaml
    /// targetRefs:
    ///   - group: ""
    ///     kind: Service
    ///     name: backend
    ///     sectionName: https
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// Nothing at the Gateway; the policy has the condition `Accepted: False`, reason `TargetNotFound`.
    ///
    /// ## Reference
    ///
    /// <https://gateway-api.sigs.k8s.io/api-types/backendtlspolicy/>
    "unattached-backend-policy", Warning, check
}

const HELP: &str = "write the name of a port of the Service as sectionName, or remove sectionName";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.refused_manifests(&RULE, HELP, findings);
}

use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A BackendTLSPolicy verifies the backend and trusts nobody.
    ///
    /// ## Why it matters
    ///
    /// The API server refuses it; the Gateway then speaks to the backend as if there were no policy, in plaintext.
    ///
    /// ## How to fix
    ///
    /// Name the CA, or the public ones:
    ///
    /// ```yaml
    /// validation:
    ///   caCertificateRefs:
    ///     - group: ""
    ///       kind: ConfigMap
    ///       name: backend-ca
    ///   hostname: backend.demo.svc
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - `must specify either CACertificateRefs or WellKnownCACertificates`
    ///
    /// ## Reference
    ///
    /// <https://gateway-api.sigs.k8s.io/api-types/backendtlspolicy/>
    "backend-policy-without-trust", Error, check
}

const HELP: &str = "write caCertificateRefs (caCertRefs in v1alpha2) with the ConfigMap of the CA, or wellKnownCACertificates: System (wellKnownCACerts) for a public one";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.refused_manifests(&RULE, HELP, findings);
}

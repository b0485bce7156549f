use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A BackendTLSPolicy does not say which name the backend's certificate must bear.
    ///
    /// ## Why it matters
    ///
    /// The name is sent as SNI and compared with the certificate. Without a precise one the API server refuses the
    /// policy; a pattern or an address is none.
    ///
    /// ## How to fix
    ///
    /// Write the DNS name that stands in the certificate of the backend:
    ///
    /// ```yaml
    /// validation:
    ///   hostname: backend.demo.svc
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - `spec.validation.hostname: Required value`
    ///
    /// ## Reference
    ///
    /// <https://gateway-api.sigs.k8s.io/api-types/backendtlspolicy/>
    "backend-policy-without-hostname", Error, check
}

const HELP: &str = "write hostname with a DNS name of the backend's certificate";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.refused_manifests(&RULE, HELP, findings);
}

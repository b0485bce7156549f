use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A BackendTLSPolicy names a CA of its own and the public CAs.
    ///
    /// ## Why it matters
    ///
    /// Only one of them may stand: the API server refuses the policy. With both, whoever has a certificate of any
    /// public CA would pass for the backend.
    ///
    /// ## How to fix
    ///
    /// For a backend with a certificate of your own CA, keep `caCertificateRefs` and remove `wellKnownCACertificates`.
    ///
    /// ## What you see in the logs
    ///
    /// - `must not contain both CACertificateRefs and WellKnownCACertificates`
    ///
    /// ## Reference
    ///
    /// <https://gateway-api.sigs.k8s.io/api-types/backendtlspolicy/>
    "conflicting-backend-trust", Error, check
}

const HELP: &str = "remove wellKnownCACertificates";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.refused_manifests(&RULE, HELP, findings);
}

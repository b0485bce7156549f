use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A Gateway is to verify clients and names no CA for them.
    ///
    /// ## Why it matters
    ///
    /// Without a trust anchor nothing can be verified: the API server refuses the Gateway.
    ///
    /// ## How to fix
    ///
    /// Name the ConfigMap whose key `ca.crt` holds the CA of the clients:
    ///
    /// ```yaml
    /// validation:
    ///   caCertificateRefs:
    ///     - group: ""
    ///       kind: ConfigMap
    ///       name: clients-ca
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - `caCertificateRefs in body should have at least 1 items`
    ///
    /// ## Reference
    ///
    /// <https://gateway-api.sigs.k8s.io/geps/gep-91/>
    "frontend-validation-without-ca", Error, check
}

const HELP: &str = "write caCertificateRefs with the ConfigMap of the CA";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.refused_manifests(&RULE, HELP, findings);
}

use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A Certificate does not say into which Secret it is written.
    ///
    /// ## Why it matters
    ///
    /// The API server refuses the object, as it does a name that no Secret can have (capitals, `_`). Whatever mounts the
    /// Secret waits for it in vain.
    ///
    /// ## How to fix
    ///
    /// Name the Secret that holds certificate and key:
    ///
    /// ```yaml
    /// spec:
    ///   secretName: web-tls
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - `spec.secretName: Required value`
    /// - `spec.secretName: Invalid value: … a lowercase RFC 1123 subdomain must consist of …`
    ///
    /// ## Reference
    ///
    /// <https://cert-manager.io/docs/reference/api-docs/#cert-manager.io/v1.CertificateSpec>
    "certificate-without-secret-name", Error, check
}

const HELP: &str = "write secretName under spec: the Secret that programs mount";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.refused_manifests(&RULE, HELP, findings);
}

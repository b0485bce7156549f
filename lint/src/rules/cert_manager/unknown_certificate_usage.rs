use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// usages has a word that cert-manager does not know.
    ///
    /// ## Why it matters
    ///
    /// The webhook refuses the Certificate. The names are words with spaces: `client auth`, not `clientAuth` or
    /// `client-auth`.
    ///
    /// ## How to fix
    ///
    /// Write the names as cert-manager has them:
    ///
    /// ```yaml
    /// usages:
    ///   - digital signature
    ///   - key encipherment
    ///   - server auth
    ///   - client auth
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - `spec.usages[…]: Invalid value: … unknown keyusage`
    /// - `unknown keyusage`
    /// - `Unsupported value: "…": supported values: "signing", "digital signature", …`
    ///
    /// ## Reference
    ///
    /// <https://cert-manager.io/docs/reference/api-docs/#cert-manager.io/v1.CertificateSpec>
    "unknown-certificate-usage", Error, check
}

const HELP: &str =
    "write it as cert-manager does: digital signature, key encipherment, server auth, client auth";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.refused_manifests(&RULE, HELP, findings);
}

use super::never_issued;
use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A Certificate names an issuer that does not exist.
    ///
    /// ## Why it matters
    ///
    /// cert-manager waits for it: the Secret is never made. Often only the kind is wrong: without `kind`,
    /// cert-manager looks for an Issuer in the Certificate's own namespace.
    ///
    /// ## How to fix
    ///
    /// Correct `issuerRef.name` and `issuerRef.kind` (Issuer or ClusterIssuer), or create the issuer. A
    /// ClusterIssuer's Secret lies in cert-manager's own namespace.
    ///
    /// ## What you see in the logs
    ///
    /// - `Referenced "Issuer" not found: issuer.cert-manager.io "…" not found`, `Referenced "ClusterIssuer" not found`
    /// - `Error getting keypair for CA issuer: secret "…" not found`
    /// - `must be one of Issuer or ClusterIssuer (did you forget to set spec.issuerRef.…group?)`
    /// - nginx, whose Secret is never made: `BIO_new_file() failed`
    ///
    /// ## Reference
    ///
    /// <https://cert-manager.io/docs/usage/certificate/>
    "missing-issuer", Error, check
}

const HELP: &str = "write issuerRef with the name and kind of an issuer that exists (kind: ClusterIssuer for one without a namespace), and with its group if it is not cert-manager's own";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    never_issued(subject, &RULE, HELP, findings);
}

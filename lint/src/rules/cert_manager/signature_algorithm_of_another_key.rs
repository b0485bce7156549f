use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// signatureAlgorithm does not fit the key that is asked for.
    ///
    /// ## Why it matters
    ///
    /// The webhook refuses the Certificate: an RSA key makes no ECDSA signature. Without `privateKey.algorithm` the key
    /// is RSA. Only the request is signed so; the certificate is signed as its issuer pleases.
    ///
    /// ## How to fix
    ///
    /// Leave `signatureAlgorithm` out, or write one of the key:
    ///
    /// ```yaml
    /// privateKey:
    ///   algorithm: ECDSA
    /// signatureAlgorithm: ECDSAWithSHA256
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - `for key algorithm … the allowed signature algorithms are …`
    ///
    /// ## Reference
    ///
    /// <https://cert-manager.io/docs/reference/api-docs/#cert-manager.io/v1.CertificateSpec>
    "signature-algorithm-of-another-key", Error, check
}

const HELP: &str = "remove signatureAlgorithm, or write the one that belongs to privateKey.algorithm (RSA where none is written)";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.refused_manifests(&RULE, HELP, findings);
}

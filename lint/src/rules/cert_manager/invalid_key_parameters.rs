use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A Certificate asks for a private key that cert-manager does not make.
    ///
    /// ## Why it matters
    ///
    /// The API server or the webhook refuses it. RSA keys have 2048 to 8192 bits, ECDSA keys 256, 384 or 521, and the
    /// algorithms are written `RSA`, `ECDSA` and `Ed25519`.
    ///
    /// ## How to fix
    ///
    /// For example:
    ///
    /// ```yaml
    /// privateKey:
    ///   algorithm: ECDSA
    ///   size: 256
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - `spec.privateKey.size: Invalid value: …: must be between 2048 and 8192 for rsa keyAlgorithm`
    /// - `spec.privateKey.size: Unsupported value: …: supported values: …`
    /// - `Unsupported value: "…": supported values: "RSA", "ECDSA", "Ed25519"`
    ///
    /// ## Reference
    ///
    /// <https://cert-manager.io/docs/reference/api-docs/#cert-manager.io/v1.CertificateSpec>
    "invalid-key-parameters", Error, check
}

const HELP: &str =
    "write algorithm: RSA with a size from 2048 to 8192, ECDSA with 256, 384 or 521, or Ed25519 without size";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.refused_manifests(&RULE, HELP, findings);
}

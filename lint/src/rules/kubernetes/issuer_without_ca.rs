use super::never_issued;
use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A CA issuer signs with a certificate that is no CA.
    ///
    /// ## Why it matters
    ///
    /// The Secret of the issuer comes from a Certificate without `isCA: true`: no verifier accepts what it signs.
    ///
    /// ## How to fix
    ///
    /// Write `isCA: true` into the CA's Certificate.
    ///
    /// ## What you see in the logs
    ///
    /// - OpenSSL: `invalid CA certificate`
    /// - Go: `x509: certificate is not authorized to sign other certificates`
    /// - cert-manager: `signing certificate is not a CA`
    /// - nginx, whose Secret is never made: `BIO_new_file() failed`
    ///
    /// ## Reference
    ///
    /// <https://cert-manager.io/docs/configuration/ca/>
    "issuer-without-ca", Error, check
}

const HELP: &str = "write isCA: true in the spec of the Certificate that fills the issuer's Secret";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    never_issued(subject, &RULE, HELP, findings);
}

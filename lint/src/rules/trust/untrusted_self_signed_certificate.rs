use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A peer presents a self-signed certificate that the verifier does not trust.
    ///
    /// ## Why it matters
    ///
    /// A self-signed certificate is trusted only where it is itself in the bundle. cert-manager's SelfSigned issuer
    /// makes such certificates.
    ///
    /// ## How to fix
    ///
    /// Issue the certificate with a CA that the verifier trusts (in cert-manager an Issuer with `spec.ca`), or put
    /// the certificate itself into the verifier's bundle.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `(18:self-signed certificate)`
    /// - OpenSSL, curl: `self-signed certificate`, before OpenSSL 3 `self signed certificate`
    /// - Go: `x509: certificate signed by unknown authority`
    ///
    /// ## Reference
    ///
    /// RFC 5280, section 6.1
    "untrusted-self-signed-certificate", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// An issuing certificate on the path is not a CA (basicConstraints cA is not TRUE).
    ///
    /// ## Why it matters
    ///
    /// A certificate may sign others only if its own issuer made it a CA. In cert-manager, a CA issuer whose Secret
    /// comes from a Certificate without `isCA: true` signs certificates that nobody accepts.
    ///
    /// ## How to fix
    ///
    /// Issue the CA with basicConstraints cA TRUE: in cert-manager `isCA: true` in its Certificate.
    ///
    /// ## What you see in the logs
    ///
    /// - OpenSSL: `invalid CA certificate` (24, 79), `unsuitable certificate purpose` (26)
    /// - nginx: `SSL certificate verify error: (79:invalid CA certificate)`
    /// - Go: `x509: certificate is not authorized to sign other certificates`,
    ///   `not authorized to sign other certificates`
    /// - OpenSSL, strict: `CA cert does not include key usage extension`
    /// - OpenSSL: `key usage does not include certificate signing`
    /// - Go: `x509: certificate signed by unknown authority (… parent certificate cannot sign this kind of certificate)`
    /// - Go: `parent certificate cannot sign this kind of certificate`
    ///
    /// ## Reference
    ///
    /// RFC 5280, section 4.2.1.9
    "issuer-not-ca", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// An issuing certificate has an extended key usage that excludes what the certificate below it is used for.
    ///
    /// ## Why it matters
    ///
    /// The extended key usage of an intermediate or root limits everything below it: a CA for servers alone issues no
    /// client certificate that anybody accepts, whatever the certificate itself lists. With cert-manager it happens
    /// where `usages` of a CA list `server auth` or `client auth`. curl, nginx, Go and Envoy look at every
    /// intermediate; Envoy leaves out the anchor.
    ///
    /// ## How to fix
    ///
    /// Issue the CA without extended key usage: in its Certificate leave these usages out, then issue what is below it
    /// anew:
    ///
    /// ```yaml
    /// isCA: true
    /// usages: [cert sign, crl sign]
    /// ```
    ///
    /// With openssl, remove `extendedKeyUsage` from the extensions of the CA.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `client SSL certificate verify error: (26:unsuitable certificate purpose)`
    /// - Go: `x509: certificate specifies an incompatible key usage`
    /// - Envoy: `certificate verification error at depth 1: unsupported certificate purpose`,
    ///   `depth 1: unsupported certificate purpose`
    ///
    /// ## Reference
    ///
    /// RFC 5280, section 4.2.1.12; <https://github.com/openssl/openssl/issues/20090>
    "usage-excluded-by-issuer", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

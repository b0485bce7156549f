use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// The trust bundle holds an intermediate, but not the root that this verifier insists on.
    ///
    /// ## Why it matters
    ///
    /// nginx and APISIX do not accept a path that ends at an intermediate; curl, Go and Envoy do. cert-manager's
    /// ca.crt holds just the intermediate when the CA issuer is one.
    ///
    /// ## How to fix
    ///
    /// Add the root to the bundle: `cat intermediate.crt root.crt > ca.crt`. With cert-manager, distribute the root
    /// by trust-manager.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `SSL certificate verify error: (2:unable to get issuer certificate)`
    /// - OpenSSL: `unable to get issuer certificate`
    ///
    /// ## Reference
    ///
    /// RFC 5280, section 6.1; OpenSSL, X509_V_FLAG_PARTIAL_CHAIN
    "missing-root", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

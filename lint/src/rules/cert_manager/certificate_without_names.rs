use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A Certificate has no name at all.
    ///
    /// ## Why it matters
    ///
    /// The webhook refuses it: a certificate that names nobody identifies nobody.
    ///
    /// ## How to fix
    ///
    /// A server needs the names by which it is dialled, a client an identity:
    ///
    /// ```yaml
    /// spec:
    ///   dnsNames:
    ///     - web
    ///     - web.demo.svc
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - `at least one of commonName (from the commonName field or from a literalSubject), dnsNames, emailSANs, ipAddresses, otherNames, or uriSANs must be set`
    ///
    /// ## Reference
    ///
    /// <https://cert-manager.io/docs/reference/api-docs/#cert-manager.io/v1.CertificateSpec>
    "certificate-without-names", Error, check
}

const HELP: &str =
    "write dnsNames for a server, or uris, emailAddresses or dnsNames as the identity of a client";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.refused_manifests(&RULE, HELP, findings);
}

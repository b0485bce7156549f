use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// An entry of ipAddresses or emailAddresses is none.
    ///
    /// ## Why it matters
    ///
    /// The webhook refuses the whole Certificate. A DNS name among the addresses, a network (`10.0.0.0/8`) or an
    /// address with a display name (`Ann <ann@example.com>`) is usual.
    ///
    /// ## How to fix
    ///
    /// Names belong under `dnsNames`, single addresses under `ipAddresses`, bare e-mail addresses under
    /// `emailAddresses`:
    ///
    /// ```yaml
    /// spec:
    ///   dnsNames: [web]
    ///   ipAddresses: [10.0.0.5]
    ///   emailAddresses: [ann@example.com]
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - `spec.ipAddresses[…]: Invalid value: …: invalid IP address`
    /// - `invalid email address: make sure the supplied value only contains the email address itself`
    ///
    /// ## Reference
    ///
    /// <https://cert-manager.io/docs/reference/api-docs/#cert-manager.io/v1.CertificateSpec>
    "invalid-alternative-name", Error, check
}

const HELP: &str = "write a single IP address under ipAddresses, the bare address under emailAddresses, and host names under dnsNames";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.refused_manifests(&RULE, HELP, findings);
}

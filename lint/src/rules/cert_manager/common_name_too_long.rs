use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A common name has more than 64 bytes.
    ///
    /// ## Why it matters
    ///
    /// RFC 5280 allows no more, and the webhook refuses the Certificate. Long names of Services in long namespaces get
    /// there easily. A verifier of today looks at alternative names only, which may be longer.
    ///
    /// ## How to fix
    ///
    /// Leave `commonName` out, and write the name under `dnsNames`:
    ///
    /// ```yaml
    /// spec:
    ///   dnsNames:
    ///     - a-long-name.a-long-namespace.svc.cluster.local
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - `spec.commonName: Too long: may not be longer than 64`
    /// - `Too long: may not be longer than 64`, `Too long: may not be more than 64 bytes`
    ///
    /// ## Reference
    ///
    /// RFC 5280, appendix A.1, ub-common-name
    "common-name-too-long", Error, check
}

const HELP: &str = "remove commonName and write the name under dnsNames, where it may be longer";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.refused_manifests(&RULE, HELP, findings);
}

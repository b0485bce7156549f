use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// An etcd member calls from an address that its certificate does not stand for.
    ///
    /// ## Why it matters
    ///
    /// The accepting member compares the caller's certificate with the caller's address: IP addresses must match,
    /// DNS names must resolve to it. A certificate without such names passes.
    ///
    /// ## How to fix
    ///
    /// Issue the peer certificate with names that resolve to the member's address, or with that address.
    ///
    /// ## What you see in the logs
    ///
    /// - etcd: `rejected connection … tls: "…" does not match any of DNSNames […]`
    /// - etcd, as logged by its versions from 3.5 on: `tls: "…" does not match any of DNSNames […]`,
    ///   `tls: "…" does not match any of IPAddresses […]`
    /// - the other side: `remote error: tls: bad certificate`
    ///
    /// ## Reference
    ///
    /// <https://etcd.io/docs/latest/op-guide/security/>
    "foreign-peer-address", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

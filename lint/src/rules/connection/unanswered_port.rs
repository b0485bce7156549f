use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A client dials a port on which nothing listens.
    ///
    /// ## Why it matters
    ///
    /// The connection is refused before TLS begins.
    ///
    /// ## How to fix
    ///
    /// Dial the port that the server listens on, or let it listen on this one.
    ///
    /// ## What you see in the logs
    ///
    /// - `connection refused`
    /// - APISIX, of etcd: `the etcd cluster needs at least 50% and above healthy nodes`
    ///
    /// ## Reference
    ///
    /// RFC 9293, section 3.10.7.1
    "unanswered-port", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

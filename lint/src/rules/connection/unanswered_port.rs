use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A client dials a port on which nothing listens.
    ///
    /// ## Why it matters
    ///
    /// The connection is refused before TLS begins. A Service may lead there: its `targetPort` is a port on which a
    /// container of its Pods listens.
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
    let mut found = Vec::new();
    subject.named(&RULE, &mut found);
    for finding in &mut found {
        // what to write stands at the Service's port, and is the help of the finding
        if let Some(label) = finding.labels.first_mut().filter(|label| label.message.starts_with("write ")) {
            let nowhere = "nothing listens on this port of its Pods".to_owned();
            finding.help = Some(std::mem::replace(&mut label.message, nowhere));
        }
    }
    findings.append(&mut found);
}

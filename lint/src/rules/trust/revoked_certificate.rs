use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A certificate is on a revocation list that the verifier uses.
    ///
    /// ## Why it matters
    ///
    /// The issuer withdrew it: that is what the list is for.
    ///
    /// ## How to fix
    ///
    /// Issue a new certificate for the peer, unless the revocation was a mistake.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `(23:certificate revoked)`
    /// - etcd: `transport: certificate serial … revoked`
    /// - Envoy: `certificate revocation check against provided CRLs failed: certificate revoked`
    /// - the other side, as an alert: `SSL alert number 44`, Go `remote error: tls: revoked certificate`
    ///
    /// ## Reference
    ///
    /// RFC 5280, section 5
    "revoked-certificate", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

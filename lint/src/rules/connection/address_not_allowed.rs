use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// The client's address is not among those that the server lets in.
    ///
    /// ## Why it matters
    ///
    /// APISIX's Admin API answers the networks of `allow_admin` only (127.0.0.0/24 unless written), before it looks
    /// at the key.
    ///
    /// ## How to fix
    ///
    /// Add the client's network to `deployment.admin.allow_admin`.
    ///
    /// ## What you see in the logs
    ///
    /// - the client: `HTTP 403`
    /// - APISIX: `access forbidden by rule`
    ///
    /// ## Reference
    ///
    /// <https://apisix.apache.org/docs/apisix/admin-api/>
    "address-not-allowed", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// The request has no API key, or one that the server does not know.
    ///
    /// ## Why it matters
    ///
    /// A client certificate does not replace the key of APISIX's Admin API.
    ///
    /// ## How to fix
    ///
    /// Send the key of `deployment.admin.admin_key` in the header `X-API-KEY`.
    ///
    /// ## What you see in the logs
    ///
    /// - the client: `HTTP 401`, `wrong apikey`, `missing apikey`
    /// - APISIX: `failed to check token: wrong apikey`, `failed to check token: missing apikey`
    ///
    /// ## Reference
    ///
    /// <https://apisix.apache.org/docs/apisix/admin-api/>
    "wrong-api-key", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

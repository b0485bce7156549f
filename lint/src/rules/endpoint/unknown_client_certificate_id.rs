use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// An upstream's `client_cert_id` names no ssl object of type `client`.
    ///
    /// APISIX looks the object up at each request. One that does not exist, or that is a server's, ends the request
    /// with 502.
    ///
    /// ## Why it matters
    ///
    /// Every request to the route fails, and the log alone says why.
    ///
    /// ## How to fix
    ///
    /// Create the ssl object that carries the client certificate, and name it:
    ///
    /// ```yaml
    /// ssls:
    ///   - id: "9"
    ///     type: client
    ///     cert: |
    ///       -----BEGIN CERTIFICATE-----
    ///     key: |
    ///       -----BEGIN PRIVATE KEY-----
    /// upstreams:
    ///   - id: "5"
    ///     scheme: https
    ///     tls:
    ///       client_cert_id: "9"
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - `failed to get ssl cert: ssl id […] not exits`, `not exits`
    /// - `failed to get ssl cert: ssl type should be 'client'`
    /// - the Admin API: `failed to fetch ssl info by ssl id […], response code: 404`, `wrong ssl type`
    ///
    /// ## Reference
    ///
    /// <https://apisix.apache.org/docs/apisix/admin-api/#upstream>, apisix/init.lua
    "unknown-client-certificate-id", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut places = std::collections::BTreeSet::new();
    for (_, dialer) in subject.dialers() {
        for refusal in dialer.refusals.iter().filter(|refusal| refusal.rule == RULE.id) {
            if places.insert(refusal.labels.first().map(|label| label.span)) {
                let help = Some("name an ssl object whose type is client".to_owned());
                let mut labels = refusal.labels.clone();
                if let Some(label) = labels.first_mut().filter(|label| label.message.is_empty()) {
                    "the certificate is looked for under this id".clone_into(&mut label.message);
                }
                findings.push(RULE.finding(refusal.message.clone(), help, labels));
            }
        }
    }
}

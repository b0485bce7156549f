use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// The ingress controller of APISIX does not verify the Admin API to which it sends its key.
    ///
    /// ## Why it matters
    ///
    /// Whoever answers at the address gets the admin key, and with it the gateway: routes, private keys of ssl objects,
    /// plugins that run code.
    ///
    /// ## How to fix
    ///
    /// ```yaml
    /// kind: GatewayProxy
    /// spec:
    ///   provider:
    ///     controlPlane:
    ///       tlsVerify: true
    /// ```
    ///
    /// The controller verifies with the CAs of its image: mount the Admin API's CA there, or use a certificate of a CA
    /// that it knows.
    ///
    /// ## What you see in the logs
    ///
    /// Nothing: that is the point. With verification on and the CA unknown:
    /// `x509: certificate signed by unknown authority`
    ///
    /// ## Reference
    ///
    /// <https://apisix.apache.org/docs/ingress-controller/reference/api-reference/>, ControlPlaneProvider
    "unverified-control-plane", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut told = std::collections::BTreeSet::new();
    for proxy in &subject.deployment.manifests.control_planes {
        let Some(verify) = proxy.verify.as_ref().filter(|verify| !verify.value) else { continue };
        if !proxy.endpoint.value.starts_with("https://") || !told.insert(verify.span) {
            continue;
        }
        findings.push(RULE.finding(
            format!("{} sends its admin key to whoever answers at {}", proxy.name, proxy.endpoint.value),
            Some("write tlsVerify: true".to_owned()),
            vec![
                Label { span: verify.span, message: "verification is off here".to_owned() },
                Label { span: proxy.endpoint.span, message: "the key is sent there".to_owned() },
            ],
        ));
    }
}

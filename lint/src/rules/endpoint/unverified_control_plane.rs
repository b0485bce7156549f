use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// The ingress controller of APISIX does not verify the Admin API to which it sends its key.
    ///
    /// `tlsVerify` is false unless it is written.
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
        let verifies = proxy.verify.as_ref().is_some_and(|verify| verify.value);
        let place = proxy.verify.as_ref().map_or(proxy.endpoint.span, |verify| verify.span);
        if verifies || !proxy.endpoint.value.starts_with("https://") || !told.insert(place) {
            continue;
        }
        let sent = "the key is sent there".to_owned();
        let labels = match &proxy.verify {
            Some(verify) => vec![
                Label { span: verify.span, message: "verification is off here".to_owned() },
                Label { span: proxy.endpoint.span, message: sent },
            ],
            None => {
                let message = format!("{sent}; without tlsVerify nothing is verified");
                vec![Label { span: proxy.endpoint.span, message }]
            }
        };
        findings.push(RULE.finding(
            format!("{} sends its admin key to whoever answers at {}", proxy.name, proxy.endpoint.value),
            Some("write tlsVerify: true in controlPlane".to_owned()),
            labels,
        ));
    }
}

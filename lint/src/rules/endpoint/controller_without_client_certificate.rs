use crate::deployment::{ClientAuthMode, Lookup};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// The ingress controller of APISIX is sent to an Admin API that insists on client certificates.
    ///
    /// A GatewayProxy has a key for the Admin API and no client certificate: the controller cannot present one.
    ///
    /// ## Why it matters
    ///
    /// Every push of configuration is answered with 400. The gateway keeps serving what it had.
    ///
    /// ## How to fix
    ///
    /// Leave `admin_ssl_ca_cert` out of `admin_api_mtls` (the Admin API stays TLS), let in the controller's addresses
    /// alone with `allow_admin`, and give it a key of its own.
    ///
    /// ## What you see in the logs
    ///
    /// - the controller: 400 with `No required SSL certificate was sent`
    ///
    /// ## Reference
    ///
    /// <https://github.com/apache/apisix-ingress-controller/issues/2479>
    "controller-without-client-certificate", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let planes = subject.deployment.manifests.control_planes.iter();
    // by plain HTTP it does not come so far
    for proxy in planes.filter(|proxy| proxy.endpoint.value.starts_with("https://")) {
        let Lookup::Found(server) = proxy.listener else { continue };
        let Some((program, listener)) = subject.listener(server) else { continue };
        let mut contexts = listener.tls.iter().flat_map(|tls| &tls.contexts);
        let asking = contexts.find(|context| *context.client_auth.mode.value() == ClientAuthMode::Required);
        let Some(asking) = asking else { continue };
        findings.push(RULE.finding(
            format!(
                "{} sends the controller to the Admin API of {}, which refuses it: it has no client certificate",
                proxy.name, program.name
            ),
            Some(
                "keep admin_ssl_ca_cert, and send the controller to a proxy in its own Pod that presents a client \
                 certificate for it (nginx: proxy_ssl_certificate)"
                    .to_owned(),
            ),
            vec![
                Label { span: proxy.endpoint.span, message: "the controller dials this".to_owned() },
                Label {
                    span: asking.client_auth.mode.span(),
                    message: "client certificates are required here".to_owned(),
                },
            ],
        ));
    }
}

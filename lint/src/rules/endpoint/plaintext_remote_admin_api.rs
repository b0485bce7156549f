use std::net::IpAddr;

use crate::deployment::{Configuration, ListenerPurpose};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// APISIX's Admin API is plain HTTP and lets in other machines.
    ///
    /// ## Why it matters
    ///
    /// The key goes over the network as it is, and so do the private keys of ssl objects. Whoever reads along configures
    /// the gateway.
    ///
    /// ## How to fix
    ///
    /// ```yaml
    /// deployment:
    ///   admin:
    ///     https_admin: true
    ///     admin_api_mtls:
    ///       admin_ssl_cert: /usr/local/apisix/conf/cert/admin.crt
    ///       admin_ssl_cert_key: /usr/local/apisix/conf/cert/admin.key
    ///       admin_ssl_ca_cert: /usr/local/apisix/conf/cert/clients-ca.crt
    /// ```
    ///
    /// Or leave `allow_admin` at the loopback and administrate from the machine itself.
    ///
    /// ## What you see in the logs
    ///
    /// Nothing: that is the point.
    ///
    /// ## Reference
    ///
    /// <https://apisix.apache.org/docs/apisix/mtls/>, "Protect Admin API"
    "plaintext-remote-admin-api", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for program in &subject.deployment.programs {
        let Configuration::Apisix(facts) = &program.configuration else { continue };
        let Some(admin) = &facts.config.admin else { continue };
        // sharper findings: every address is let in, or the certificates are there and idle
        if admin.mtls.is_some() || *admin.https.value() || !admin.allow.is_given() {
            continue;
        }
        if admin.allow.value().iter().any(|network| network.ends_with("/0")) {
            continue;
        }
        let Some(network) = admin.allow.value().iter().find(|network| is_remote(network)) else { continue };
        let bind = program
            .listeners
            .iter()
            .filter(|listener| listener.purpose == ListenerPurpose::Admin && listener.tls.is_none())
            .flat_map(|listener| &listener.binds)
            .find(|bind| !bind.address.is_some_and(|address| address.is_loopback()));
        let Some(bind) = bind else { continue };
        let mut labels = vec![Label { span: admin.allow.span(), message: format!("{network} is let in") }];
        if bind.span != admin.allow.span() {
            labels.push(Label { span: bind.span, message: format!("plain HTTP at port {}", bind.port) });
        }
        findings.push(RULE.finding(
            format!("the Admin API of {} takes its key from {network} in plain text", program.name),
            Some("write https_admin: true and admin_api_mtls with its three files".to_owned()),
            labels,
        ));
    }
}

/// Whether a network has addresses of other machines.
fn is_remote(network: &str) -> bool {
    let address = network.split('/').next().unwrap_or_default();
    address.parse::<IpAddr>().is_ok_and(|address| !address.is_loopback())
}

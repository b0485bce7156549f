use std::collections::BTreeSet;

use crate::deployment::{Configuration, DialerPurpose, Gate, Lookup};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A client with a common name logs in to etcd through its JSON gateway, which refuses common names.
    ///
    /// With `client-cert-auth` etcd takes the common name of a certificate for the user. Its gateway under `/v3`, which
    /// APISIX uses, dials etcd with a certificate of its own, so the client's name is lost on the way; etcd refuses such
    /// requests rather than ignore the name. That is so only while etcd's own authentication is on: a user and a
    /// password in `deployment.etcd` say that it is.
    ///
    /// ## Why it matters
    ///
    /// The handshake succeeds, and every request is answered with 400: APISIX does not start.
    ///
    /// ## How to fix
    ///
    /// Give APISIX a client certificate without a common name; a subjectAltName is enough:
    ///
    /// ```yaml
    /// kind: Certificate
    /// spec:
    ///   dnsNames: [apisix.edge.svc]   # and no commonName
    ///   usages: [digital signature, client auth]
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - `CommonName of client sending a request against gateway will be ignored and not used as expected`
    /// - grpc-proxy: `cert has non empty Common Name`
    ///
    /// ## Reference
    ///
    /// Seen with etcd 3.4.23; <https://etcd.io/docs/latest/op-guide/authentication/rbac/>, "Using TLS Common Name";
    /// <https://github.com/etcd-io/etcd/issues/10392>
    "common-name-through-gateway", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut told = BTreeSet::new();
    for (connection, prediction) in subject.deployment.connections.iter().zip(subject.predictions) {
        let Lookup::Found(server) = connection.server else { continue };
        let (Some((client, dialer)), Some((etcd, listener))) =
            (subject.dialer_of(connection), subject.listener(server))
        else {
            continue;
        };
        let (Configuration::Apisix(facts), Configuration::Etcd(config), Gate::Etcd { .. }) =
            (&client.configuration, &etcd.configuration, &listener.gate)
        else {
            continue;
        };
        let used = dialer.purpose == DialerPurpose::Configuration
            && facts.config.etcd.password
            && *config.client.client_cert_auth.value()
            && *config.enable_grpc_gateway.value();
        // a handshake that fails is told first
        if !used || !prediction.why.is_empty() || listener.tls.is_none() {
            continue;
        }
        let Some(credential) = dialer.tls.as_ref().and_then(|tls| tls.credential.as_ref()) else { continue };
        let presented = subject.presented(client, credential);
        let Some(certificate) = presented.first() else { continue };
        let Some(name) = certificate.subject.common_names.last().filter(|name| !name.is_empty()) else {
            continue;
        };
        if !told.insert(credential.certificate.path.span) {
            continue;
        }
        findings.push(RULE.finding(
            format!(
                "{} logs in to {} with a certificate for the common name {name}, which etcd's gateway answers with 400",
                client.name, etcd.name
            ),
            Some(format!("issue {} without a common name", credential.certificate.path.value)),
            vec![
                Label {
                    span: credential.certificate.path.span,
                    message: format!("presented to etcd; its common name is {name}"),
                },
                Label { span: facts.config.etcd.span, message: "a user and a password are given".to_owned() },
                Label {
                    span: config.client.client_cert_auth.span(),
                    message: "common names stand for users".to_owned(),
                },
            ],
        ));
    }
}

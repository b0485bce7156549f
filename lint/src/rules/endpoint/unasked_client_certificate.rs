use crate::deployment::{ClientAuthMode, Lookup};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A client has a certificate for a connection on which the server never asks for one.
    ///
    /// The client's side of mutual TLS is configured, the server's is not: the certificate stays unused.
    ///
    /// ## Why it matters
    ///
    /// Everybody who reaches the port is served, with or without a certificate. The configuration of the client looks
    /// as if it were otherwise.
    ///
    /// ## How to fix
    ///
    /// Let the server require a certificate of the client's CA:
    ///
    /// - nginx: `ssl_client_certificate /path/ca.crt;` and `ssl_verify_client on;` in the server block
    /// - etcd: `--trusted-ca-file=/path/ca.crt --client-cert-auth`
    /// - APISIX: `client.ca` in the ssl object
    /// - Envoy: `validation_context` with `trusted_ca`, and `require_client_certificate: true`
    ///
    /// ## What you see in the logs
    ///
    /// Nothing: that is the point. nginx passes on that nothing was verified.
    ///
    /// ## Reference
    ///
    /// RFC 8446, section 4.3.2 (Certificate Request)
    "unasked-client-certificate", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut told = Vec::new();
    for connection in &subject.deployment.connections {
        let Lookup::Found(server) = connection.server else { continue };
        let (Some((client, dialer)), Some((program, listener))) =
            (subject.dialer_of(connection), subject.listener(server))
        else {
            continue;
        };
        let Some(tls) = dialer.tls.as_ref() else { continue };
        let (Some(credential), Some(context)) = (&tls.credential, subject.context(listener, tls)) else {
            continue;
        };
        let off = *context.client_auth.mode.value() == ClientAuthMode::Off;
        // etcd's gateway shows its own process the server's certificate
        if !off || client.name == program.name || told.contains(&context.span) {
            continue;
        }
        // required by the letter of the configuration: that is the sharper finding
        if super::requirement_without_trust_anchor::required(program, context).is_some() {
            continue;
        }
        // both sides make their own: self-made-certificate says so
        if super::self_made_certificate::serves_its_own(program, context) {
            continue;
        }
        told.push(context.span);
        findings.push(RULE.finding(
            format!(
                "{} presents a certificate to {}, which never asks for one: the connection is not mutual TLS",
                client.name, program.name
            ),
            super::unauthenticated_clients::help(program, listener.purpose, Some(context)),
            vec![
                Label {
                    span: context.client_auth.mode.span(),
                    message: "no client certificate is asked for here".to_owned(),
                },
                Label {
                    span: credential.certificate.path.span,
                    message: format!("{} would present this one", client.name),
                },
            ],
        ));
    }
}

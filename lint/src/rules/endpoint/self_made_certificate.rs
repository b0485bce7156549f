use crate::deployment::{Configuration, Program, ServerContext};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// etcd makes its own certificate: the connection is encrypted, and nobody is authenticated.
    ///
    /// With `auto-tls` or `peer-auto-tls` etcd signs a certificate for itself at start. Members then do not check each
    /// other's, and the settings of that side, `trusted-ca-file` among them, are lost.
    ///
    /// ## Why it matters
    ///
    /// Whoever reaches the peer port joins in as a member would; clients have nothing to compare the server with.
    ///
    /// ## How to fix
    ///
    /// Give each member a certificate of your CA, good for servers and clients, and the CA:
    ///
    /// ```yaml
    /// peer-transport-security:
    ///   cert-file: /etc/etcd/peer.crt
    ///   key-file: /etc/etcd/peer.key
    ///   trusted-ca-file: /etc/etcd/ca.crt
    ///   client-cert-auth: true
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - etcd: `automatically generate certificates`
    ///
    /// ## Reference
    ///
    /// <https://etcd.io/docs/latest/op-guide/security/>; etcd, client/pkg/transport/listener.go, `SelfCert`
    "self-made-certificate", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for program in &subject.deployment.programs {
        let Configuration::Etcd(config) = &program.configuration else { continue };
        // what is refused is read as far as the refusal
        if !config.refusals.is_empty() {
            continue;
        }
        let peers = ("peers", &config.peer, config.listen_peer_urls.value(), "peer-");
        let clients = ("clients", &config.client, config.listen_client_urls.value(), "");
        for (whom, side, urls, prefix) in [clients, peers] {
            let https = urls.iter().any(|url| url.value.scheme == "https");
            if !side.auto_tls.value() || !side.is_empty() || !https {
                continue;
            }
            let mut labels = vec![Label { span: side.auto_tls.span(), message: "asked for here".to_owned() }];
            if let Some(bundle) = &side.trusted_ca_file {
                labels.push(Label { span: bundle.span, message: "this has no effect then".to_owned() });
            }
            let (prefix, block) = match (&config.file, prefix) {
                (None, prefix) => (prefix, ""),
                (Some(_), "") => ("", " in client-transport-security"),
                (Some(_), _) => ("", " in peer-transport-security"),
            };
            findings.push(RULE.finding(
                format!("{} and its {whom} do not authenticate each other: it makes its own certificate", program.name),
                Some(format!(
                    "give {prefix}cert-file, {prefix}key-file and {prefix}trusted-ca-file{block} instead of {prefix}auto-tls"
                )),
                labels,
            ));
        }
    }
}

/// Whether a context serves a certificate that etcd made for itself.
pub(super) fn serves_its_own(program: &Program, context: &ServerContext) -> bool {
    let Configuration::Etcd(config) = &program.configuration else { return false };
    let mut sides = [&config.client, &config.peer].into_iter();
    sides.any(|side| *side.auto_tls.value() && side.is_empty() && side.span == context.span)
}

/// Whether etcd makes its own certificate for the connections between members.
pub(super) fn makes_for_peers(program: &Program) -> bool {
    let Configuration::Etcd(config) = &program.configuration else { return false };
    *config.peer.auto_tls.value() && config.peer.is_empty()
}

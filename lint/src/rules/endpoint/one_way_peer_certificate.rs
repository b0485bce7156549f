use crate::deployment::{Configuration, ListenerPurpose};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::stack::Purpose;
use crate::stack::certificate::ANY_USAGE;

rule! {
    /// An etcd member's peer certificate is good for one direction only.
    ///
    /// Members are servers and clients of each other with one certificate, `--peer-cert-file`, unless
    /// `--peer-client-cert-file` (since 3.5) gives another one for the second role.
    ///
    /// ## Why it matters
    ///
    /// With `serverAuth` alone the member cannot dial the others; with `clientAuth` alone they cannot dial it. Either
    /// way it does not take part in the cluster.
    ///
    /// ## How to fix
    ///
    /// Issue it with both usages:
    ///
    /// ```yaml
    /// usages: [server auth, client auth]
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - `rejected connection … tls: failed to verify certificate: x509: certificate specifies an incompatible key usage`
    /// - the other side: `remote error: tls: bad certificate`
    ///
    /// ## Reference
    ///
    /// RFC 5280, section 4.2.1.12; <https://etcd.io/docs/latest/op-guide/security/>
    "one-way-peer-certificate", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let named = ["missing-client-auth-usage", "missing-server-auth-usage", "unsuitable-key-usage"];
    for program in &subject.deployment.programs {
        let Configuration::Etcd(config) = &program.configuration else { continue };
        let alone = config.discovery.is_none() && config.initial_cluster.value().len() < 2;
        if !config.refusals.is_empty()
            || alone
            || config.peer.client_cert_file.is_some()
            || !config.peer.requires_client_certificate()
            || subject.is_predicted(program, &named)
        {
            continue;
        }
        let contexts = program
            .listeners
            .iter()
            .filter(|listener| listener.purpose == ListenerPurpose::Peers)
            .flat_map(|listener| listener.tls.iter().flat_map(|tls| &tls.contexts));
        let Some(credential) = contexts.flat_map(|context| &context.credentials).next() else { continue };
        let presented = subject.presented(program, credential);
        let Some(certificate) = presented.first() else { continue };
        // no extension, or any usage, fits both
        let Some(usages) = &certificate.extended_key_usage else { continue };
        let has = |oid: &str| usages.iter().any(|usage| usage == oid || usage == ANY_USAGE);
        let lacking = [Purpose::Client, Purpose::Server].into_iter().find(|purpose| !has(purpose.oid()));
        let Some(lacking) = lacking else { continue };
        let consequence = match lacking {
            Purpose::Client => "it cannot dial the other members",
            Purpose::Server => "the other members cannot dial it",
        };
        findings.push(RULE.finding(
            format!("the peer certificate of {} lacks {}: {consequence}", program.name, lacking.name()),
            Some(format!("issue {} with serverAuth and clientAuth", credential.certificate.path.value)),
            vec![
                Label {
                    span: credential.certificate.path.span,
                    message: "server and client certificate among members".to_owned(),
                },
                Label { span: certificate.span, message: format!("lacks {}", lacking.name()) },
            ],
        ));
    }
}

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::deployment::{Configuration, ListenerPurpose, Program, Stack};
use crate::dialect::kubernetes::EnvironmentValue;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::source::Located;
use crate::stack::go;
use crate::syntax::url::{Url, without_port};

rule! {
    /// etcd listens on the loopback with TLS, and its certificate bears no name of the loopback.
    ///
    /// Where it listens on every address, nobody need dial the loopback; it is told there if the container's variables
    /// for etcdctl do.
    ///
    /// ## Why it matters
    ///
    /// Whoever dials this URL (`etcdctl` in the container, a probe, a backup job) dials `127.0.0.1` or `localhost` and
    /// compares that with the certificate.
    ///
    /// ## How to fix
    ///
    /// Issue the certificate with both:
    ///
    /// ```yaml
    /// dnsNames: [etcd, localhost]
    /// ipAddresses: [127.0.0.1]
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - etcdctl: `x509: certificate is valid for …, not 127.0.0.1`, `x509: certificate is valid for …, not localhost`
    /// - etcd: `remote error: tls: bad certificate`
    ///
    /// ## Reference
    ///
    /// <https://github.com/etcd-io/etcd/issues/12713>
    "uncovered-loopback-name", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut told = BTreeSet::new();
    for program in &subject.deployment.programs {
        let (Configuration::Etcd(config), Stack::Go(version)) =
            (&program.configuration, program.versions.stack)
        else {
            continue;
        };
        if !config.refusals.is_empty()
            || !config.listen_client_urls.is_given()
            || subject.is_predicted(program, &["name-mismatch"])
        {
            continue;
        }
        let mut urls = config.listen_client_urls.value().iter().filter(|url| url.value.scheme == "https");
        let dialled = urls.clone().find(|url| is_loopback(&url.value.host)).map(|url| {
            let message = "only dialled by names of the loopback".to_owned();
            (url, Label { span: url.span, message })
        });
        let on_every_address = |url: &&Located<Url>| {
            url.value.host.parse::<IpAddr>().is_ok_and(|address| address.is_unspecified())
        };
        let dialled = dialled.or_else(|| {
            let url = urls.find(on_every_address)?;
            Some((url, etcdctl(subject, program, url.value.port)?))
        });
        // replicas of one container are told once
        let Some((url, label)) = dialled.filter(|(_, label)| told.insert(label.span)) else { continue };
        let contexts = program
            .listeners
            .iter()
            .filter(|listener| listener.purpose == ListenerPurpose::Clients)
            .flat_map(|listener| listener.tls.iter().flat_map(|tls| &tls.contexts));
        let Some(credential) = contexts.flat_map(|context| &context.credentials).next() else { continue };
        let presented = subject.presented(program, credential);
        let Some(certificate) = presented.first() else { continue };
        // where nothing but the loopback is listened at, clients dial it by the name that is advertised
        let elsewhere = config
            .listen_client_urls
            .value()
            .iter()
            .any(|other| other.value.host.parse::<IpAddr>().is_ok_and(|address| !address.is_loopback()));
        if !elsewhere {
            continue;
        }
        let names = [url.value.host.as_str(), "localhost", "127.0.0.1", "::1"];
        if names.iter().any(|name| go::host::verify(certificate, name, version).is_ok()) {
            continue;
        }
        findings.push(RULE.finding(
            format!(
                "{} listens at {}, and its certificate bears no name of the loopback: {}",
                program.name,
                url.value,
                certificate.shown_names()
            ),
            Some(format!(
                "issue {} with the DNS name localhost and the IP address 127.0.0.1 besides",
                credential.certificate.path.value
            )),
            vec![
                label,
                Label {
                    span: certificate.span,
                    message: format!("this certificate bears {}", certificate.shown_names()),
                },
            ],
        ));
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What in the environment of etcd's container sends an etcdctl there to the loopback, over TLS: endpoints, or a CA
/// without endpoints.
fn etcdctl(subject: &Subject<'_>, program: &Program, port: Option<u16>) -> Option<Label> {
    let workloads = subject.deployment.manifests.workloads.iter();
    let mut containers = workloads.flat_map(|workload| &workload.pod.containers);
    let container = containers.find(|container| Some(container.name.span) == program.span)?;
    let value = |name: &str| {
        container.env.iter().find(|variable| variable.name.value == name).map(|variable| &variable.value)
    };
    match (value("ETCDCTL_ENDPOINTS"), value("ETCDCTL_CACERT")) {
        (Some(EnvironmentValue::Text(endpoints)), _) => {
            let mut urls = endpoints.value.split(',').filter_map(|url| url.trim().strip_prefix("https://"));
            let dials = urls.any(|url| is_loopback(without_port(url.trim_end_matches('/'))));
            let message = "etcdctl in this container dials the loopback".to_owned();
            dials.then_some(Label { span: endpoints.span, message })
        }
        (None, Some(EnvironmentValue::Text(bundle)))
            if container.env_from.is_empty() && port == Some(2379) =>
        {
            let message = "etcdctl in this container dials https://127.0.0.1:2379".to_owned();
            Some(Label { span: bundle.span, message })
        }
        _ => None,
    }
}

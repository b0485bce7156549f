use crate::deployment::{Configuration, ListenerPurpose, Stack};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::stack::go;

rule! {
    /// etcd listens on the loopback with TLS, and its certificate bears no name of the loopback.
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
        let Some(url) = config.listen_client_urls.value().iter().find(|url| {
            let loopback = url.value.host.parse::<std::net::IpAddr>().is_ok_and(|it| it.is_loopback());
            url.value.scheme == "https" && (loopback || url.value.host == "localhost")
        }) else {
            continue;
        };
        let contexts = program
            .listeners
            .iter()
            .filter(|listener| listener.purpose == ListenerPurpose::Clients)
            .flat_map(|listener| listener.tls.iter().flat_map(|tls| &tls.contexts));
        let Some(credential) = contexts.flat_map(|context| &context.credentials).next() else { continue };
        let presented = subject.presented(program, credential);
        let Some(certificate) = presented.first() else { continue };
        // where nothing but the loopback is listened at, clients dial it by the name that is advertised
        let elsewhere = config.listen_client_urls.value().iter().any(|other| {
            other.value.host != "localhost"
                && other.value.host.parse::<std::net::IpAddr>().is_ok_and(|address| !address.is_loopback())
        });
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
                Label { span: url.span, message: "only dialled by names of the loopback".to_owned() },
                Label {
                    span: certificate.span,
                    message: format!("this certificate bears {}", certificate.shown_names()),
                },
            ],
        ));
    }
}

use crate::deployment::{Configuration, Listener, ListenerPurpose, Program, Setting, Stack};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::source::{Located, Span};
use crate::stack::go;
use crate::syntax::url::Url;

rule! {
    /// etcd advertises a URL whose host its certificate does not bear.
    ///
    /// ## Why it matters
    ///
    /// Clients and members dial what is advertised and compare that host with the subjectAltName of the certificate.
    /// etcd itself never looks: it starts, serves whoever dials it by another name, and fails for everyone who learnt
    /// of it from the member list.
    ///
    /// ## How to fix
    ///
    /// Issue the certificate with the advertised host, as a DNS name or, for an address, as an IP address:
    ///
    /// ```yaml
    /// dnsNames: [etcd, etcd.tls.svc]
    /// ipAddresses: [10.0.0.5]
    /// ```
    ///
    /// Or advertise a name that it bears: `--advertise-client-urls=https://etcd:2379`.
    ///
    /// ## What you see in the logs
    ///
    /// - the client: `x509: certificate is valid for …, not …`
    /// - etcd: `remote error: tls: bad certificate`
    ///
    /// ## Reference
    ///
    /// <https://github.com/etcd-io/etcd/issues/7544>; RFC 9525, section 6
    "uncovered-advertised-name", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for program in &subject.deployment.programs {
        let Configuration::Etcd(config) = &program.configuration else { continue };
        // what is refused is read as far as the refusal; a connection that fails already is told with it
        if !config.refusals.is_empty() || subject.is_predicted(program, &["name-mismatch"]) {
            continue;
        }
        let clients = match &config.advertise_client_urls {
            Setting::Given(urls) if config.advertise_client_urls_supplied.is_none() => urls.value.as_slice(),
            Setting::Given(_) | Setting::Default { .. } => &[],
        };
        let peers = match &config.initial_advertise_peer_urls {
            Setting::Given(urls) => urls.value.as_slice(),
            Setting::Default { .. } => &[],
        };
        let mut told: Vec<(Span, &str)> = Vec::new();
        for (urls, purpose) in [(clients, ListenerPurpose::Clients), (peers, ListenerPurpose::Peers)] {
            let served = |listener: &&Listener| listener.purpose == purpose && listener.tls.is_some();
            let Some(listener) = program.listeners.iter().find(served) else { continue };
            for url in urls.iter().filter(|url| url.value.scheme == "https") {
                let Some(finding) = finding(subject, program, listener, url) else { continue };
                // one certificate lacks one name once
                let place = finding.labels.last().map(|label| (label.span, url.value.host.as_str()));
                if let Some(place) = place.filter(|place| !told.contains(place)) {
                    told.push(place);
                    findings.push(finding);
                }
            }
        }
    }
}

fn finding(
    subject: &Subject<'_>,
    program: &Program,
    listener: &Listener,
    url: &Located<Url>,
) -> Option<Finding> {
    let Stack::Go(version) = program.versions.stack else { return None };
    let context = listener.tls.as_ref()?.contexts.first()?;
    let credential = context.credentials.first()?;
    let presented = subject.presented(program, credential);
    let certificate = presented.first()?;
    let host = &url.value.host;
    go::host::verify(certificate, host, version).err()?;
    // it bears the name where no client looks for it, which is a finding of its own
    let misplaced = certificate.dns_names().any(|name| name == host)
        || certificate.alternative_names.is_none() && certificate.subject.common_names.contains(host);
    if misplaced {
        return None;
    }
    let kind = if host.parse::<std::net::IpAddr>().is_ok() { "IP address" } else { "DNS name" };
    Some(RULE.finding(
        format!(
            "{} advertises {}, and its certificate does not bear {host}: it bears {}",
            program.name,
            url.value,
            certificate.shown_names()
        ),
        Some(format!(
            "issue {} with the {kind} {host}, or advertise a name that it bears",
            credential.certificate.path.value
        )),
        vec![
            Label { span: url.span, message: format!("clients will check {host}") },
            Label {
                span: certificate.span,
                message: format!("this certificate bears {}", certificate.shown_names()),
            },
        ],
    ))
}

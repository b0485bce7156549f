use std::collections::BTreeSet;

use crate::deployment::{Connection, Dialer, DialerPurpose, Lookup, Program, ProgramKind};
use crate::finding::{Finding, Label};
use crate::rules::{Rule, Subject, rule};
use crate::selection::Selected;
use crate::source::Span;

rule! {
    /// A client dials a server by name and does not send that name (SNI), though the server has several certificates.
    ///
    /// nginx sends no SNI to upstreams unless told to; Envoy none without `sni` or `auto_sni`, and is told of where the
    /// server is not seen, too. Where the connection fails for it, the error says so: `name-mismatch`,
    /// `rejected-handshake` or `unknown-server-name`.
    ///
    /// ## Why it matters
    ///
    /// The server picks the context of its default: another certificate, other rules for client certificates. What is verified
    /// then is the wrong certificate, and what is asked for is not what the server's owner meant for this name.
    ///
    /// ## How to fix
    ///
    /// - nginx: `proxy_ssl_server_name on;` (and `proxy_ssl_name NAME;` where the upstream block is named otherwise)
    /// - Envoy: `sni: NAME` in the UpstreamTlsContext
    ///
    /// ## What you see in the logs
    ///
    /// - `upstream SSL certificate does not match "…" while SSL handshaking to upstream`
    /// - `SSL_do_handshake() failed (SSL: … unrecognized name:SSL alert number 112)`
    /// - `SSL_do_handshake() failed (SSL: … alert handshake failure:SSL alert number 40)`
    /// - `SSL alert number 40 … while SSL handshaking to upstream`
    /// - APISIX as the server:
    ///   `failed to find SNI: please check if the client requests via IP or uses an outdated protocol`
    /// - `peer closed connection in SSL handshake … while SSL handshaking to upstream`
    ///
    /// ## Reference
    ///
    /// RFC 6066, section 3; <https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_server_name>
    "unsent-server-name", Warning, check
}

/// Rules of connections that fail because the server chose by a name that it was not told: they speak there.
const CONSEQUENCES: [&str; 3] = ["name-mismatch", "rejected-handshake", "unknown-server-name"];

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut told = BTreeSet::new();
    for (connection, prediction) in subject.deployment.connections.iter().zip(subject.predictions) {
        if prediction.why.first().is_some_and(|why| CONSEQUENCES.contains(&why.rule)) {
            continue;
        }
        if let Some(unsent) = Unsent::of(subject, connection)
            && told.insert(unsent.dialer.span)
        {
            findings.push(RULE.finding(
                format!(
                    "{} does not tell {} that it wants {}",
                    unsent.client.name, unsent.server, unsent.wanted
                ),
                unsent.help(),
                unsent.labels,
            ));
        }
    }
    for connection in &subject.deployment.connections {
        findings.extend(unseen(subject, connection, &mut told));
    }
}

/// Tells of findings that come of an unsent name, with what to write: the name, not the certificate, is amiss.
pub(in crate::rules) fn explain(subject: &Subject<'_>, rule: &Rule, findings: &mut [Finding]) {
    for (connection, prediction) in subject.deployment.connections.iter().zip(subject.predictions) {
        let Some(why) = prediction.why.first().filter(|why| why.rule == rule.id) else { continue };
        let Some(unsent) = Unsent::of(subject, connection) else { continue };
        let place = why.labels.first().map(|label| label.span);
        let told = findings.iter_mut().find(|told| told.labels.first().map(|label| label.span) == place);
        let Some(finding) = told.filter(|told| told.help == why.help) else { continue };
        finding.message = format!(
            "{}; {} does not tell the server which name it wants",
            finding.message, unsent.client.name
        );
        finding.help = unsent.help();
        for label in unsent.labels {
            match finding.labels.iter_mut().skip(1).find(|known| known.span == label.span) {
                Some(known) => *known = label,
                None if place == Some(label.span) => {}
                None => finding.labels.push(label),
            }
        }
    }
}

/// A client that does not send the name by which its server chooses.
struct Unsent<'s> {
    client: &'s Program,
    dialer: &'s Dialer,
    server: &'s str,
    wanted: String,
    labels: Vec<Label>,
}

impl<'s> Unsent<'s> {
    /// Of a connection to a server that would choose otherwise if it were told the name.
    fn of(subject: &Subject<'s>, connection: &Connection) -> Option<Self> {
        let Lookup::Found(server) = connection.server else { return None };
        let (client, dialer) = subject.dialer_of(connection)?;
        let (program, listener) = subject.listener(server)?;
        let contexts = listener.tls.as_ref()?;
        let wanted = wanted(dialer)?;
        let (without, with) = (contexts.select(None), contexts.select(Some(&wanted)));
        let Selected::Context(meant) = with else { return None };
        if without == with || matches!(without, Selected::Undetermined(_)) {
            return None;
        }
        let mut labels =
            vec![Label { span: dialer.span, message: format!("dials {} without SNI", dialer.target.url) }];
        labels.extend(
            contexts
                .contexts
                .get(meant)
                .map(|context| Label { span: context.span, message: format!("{wanted} is served here") }),
        );
        if let Selected::Context(index) = without {
            labels.extend(contexts.contexts.get(index).map(|context| Label {
                span: context.span,
                message: "clients without SNI are served here".to_owned(),
            }));
        }
        Some(Self { client, dialer, server: &program.name, wanted, labels })
    }

    fn help(&self) -> Option<String> {
        let family = if self.dialer.target.url.starts_with("grpcs") {
            "grpc"
        } else if self.dialer.target.url.starts_with("suwsgi") {
            "uwsgi"
        } else {
            "proxy"
        };
        match self.client.kind {
            ProgramKind::Nginx => {
                Some(format!("write {family}_ssl_server_name on; and {family}_ssl_name {};", self.wanted))
            }
            ProgramKind::Envoy => Some(format!("write sni: {} in the UpstreamTlsContext", self.wanted)),
            _ => None,
        }
    }
}

/// The name that a gateway means and does not send; what a person types is theirs, and addresses have no SNI.
fn wanted(dialer: &Dialer) -> Option<String> {
    let tls = dialer.tls.as_ref()?;
    let host = dialer.target.host.value.as_str();
    let left = tls.server_name.is_none()
        && !tls.names_from_request
        && dialer.purpose == DialerPurpose::Upstream
        && host.parse::<std::net::IpAddr>().is_err();
    left.then(|| tls.reference.as_ref().map_or(host, |reference| reference.value.as_str()).to_owned())
}

/// An Envoy that sends no name to a server outside the sources, which may well have more than one.
fn unseen(subject: &Subject<'_>, connection: &Connection, told: &mut BTreeSet<Span>) -> Option<Finding> {
    let (program, dialer) = subject.dialer_of(connection)?;
    // what is refused is read as far as the refusal
    let read = program.refusals.is_empty() && dialer.refusals.is_empty() && dialer.unseen.is_empty();
    if program.kind != ProgramKind::Envoy || !matches!(connection.server, Lookup::Unseen(_)) || !read {
        return None;
    }
    let wanted = wanted(dialer).filter(|wanted| wanted.contains('.'))?;
    let tls = dialer.tls.as_ref().filter(|tls| told.insert(tls.span))?;
    Some(RULE.finding(
        format!("{} does not tell {} which name it wants", program.name, dialer.target.url),
        Some(format!("write sni: {wanted} in the UpstreamTlsContext")),
        vec![
            Label { span: tls.span, message: "neither sni nor auto_sni".to_owned() },
            Label { span: dialer.target.host.span, message: "dialled by this name".to_owned() },
        ],
    ))
}

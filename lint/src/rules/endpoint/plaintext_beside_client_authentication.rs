use std::collections::BTreeSet;

use mtls_identity::sorted;

use super::nginx::configurations;
use crate::deployment::{ClientAuthMode, Configuration, Listener, ListenerPurpose, OUTSIDE, Program};
use crate::dialect::apisix::Facts;
use crate::dialect::apisix::objects::{Plugin, Route};
use crate::dialect::etcd::EtcdConfig;
use crate::dialect::nginx::{ListenAddress, Location, Matcher, NginxConfig, Subsystem, variables};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, policy, rule};
use crate::source::{Located, Span};

rule! {
    /// A gateway asks for client certificates at its TLS port and serves the same routes at a plaintext port.
    ///
    /// In APISIX a client certificate is asked for by server name, not by route. A route without such a condition of
    /// its own answers at `node_listen` as well, where there is no TLS at all. In nginx `ssl_verify_client` says nothing
    /// at a `listen` without `ssl` of the same server, nor where no `listen` of the server has it.
    ///
    /// ## Why it matters
    ///
    /// Whoever reaches the plaintext port needs no certificate.
    ///
    /// A warning, and no error: a network policy, a condition of the configuration or a filter may keep clients from
    /// that port.
    ///
    /// ## How to fix
    ///
    /// Bind the plaintext port to the loopback, or keep it out of the Service and behind a network policy:
    ///
    /// ```yaml
    /// apisix:
    ///   node_listen:
    ///     - ip: 127.0.0.1
    ///       port: 9080
    /// ```
    ///
    /// ```nginx
    /// server { listen 80;  return 301 https://$host$request_uri; }
    /// server { listen 443 ssl;  ssl_verify_client on; }
    /// ```
    ///
    /// etcd: `http` in `listen-client-urls` for the loopback only, `--listen-client-urls=https://0.0.0.0:2379`.
    ///
    /// A filter on the route that insists on a verified client certificate closes both ports.
    ///
    /// ## What you see in the logs
    ///
    /// Nothing: the request is answered.
    ///
    /// ## Reference
    ///
    /// <https://apisix.apache.org/docs/apisix/mtls/>, note on the HTTP port
    "plaintext-beside-client-authentication", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    nginx(subject, findings);
    ingresses(subject, findings);
    for program in &subject.deployment.programs {
        if let Configuration::Etcd(config) = &program.configuration {
            findings.extend(of_etcd(program, config));
        }
        if let Configuration::Apisix(facts) = &program.configuration {
            findings.extend(of_apisix(subject, program, facts));
        }
    }
}

/// APISIX's `node_listen`, where a route answers whose names are asked for client certificates at the TLS port.
fn of_apisix(subject: &Subject<'_>, program: &Program, facts: &Facts) -> Vec<Finding> {
    let clients = || program.listeners.iter().filter(|listener| listener.purpose == ListenerPurpose::Clients);
    let contexts = clients().filter_map(|listener| listener.tls.as_ref()).flat_map(|tls| &tls.contexts);
    let asking = contexts
        .filter(|context| *context.client_auth.mode.value() != ClientAuthMode::Off)
        .find(|context| facts.objects.routes.iter().any(|route| is_open(facts, route, &context.names)));
    let Some(asking) = asking else { return Vec::new() };
    let asked = Label {
        span: asking.client_auth.mode.span(),
        message: "client certificates are asked for here".to_owned(),
    };
    let mut findings = Vec::new();
    for open in clients().filter(|listener| listener.tls.is_none()) {
        let Some(bind) =
            open.binds.iter().find(|bind| !bind.address.is_some_and(|address| address.is_loopback()))
        else {
            continue;
        };
        let Some(port) =
            facts.config.plain.iter().map(|listen| &listen.port).find(|port| port.span() == bind.span)
        else {
            continue;
        };
        let service = subject.deployment.manifests.exposed_at(program.machine, bind.port);
        // a port that nobody wrote is not there for anyone in a cluster unless a Service leads to it
        if !port.is_given() && service.is_none() && program.machine != OUTSIDE {
            continue;
        }
        let plain = |message: &str| Label { span: bind.span, message: message.to_owned() };
        let mut labels = vec![if port.is_given() {
            plain("plaintext, at every address")
        } else {
            plain("no node_listen here, and its default is plaintext at every address")
        }];
        let mut help = format!("write node_listen: [{{ip: 127.0.0.1, port: {}}}]", bind.port);
        if let Some(service) = service {
            labels.insert(
                0,
                Label {
                    span: service.port.span,
                    message: format!(
                        "port {} of Service {} leads there",
                        service.port.value, service.service
                    ),
                },
            );
            help = format!("remove port {} from Service {}, or {help}", service.port.value, service.service);
        }
        labels.push(asked.clone());
        findings.push(RULE.finding(
            format!(
                "{} answers at port {} without TLS what it asks for a client certificate elsewhere",
                program.name, bind.port
            ),
            Some(help),
            labels,
        ));
    }
    findings
}

/// Whether a route answers whoever calls, under a name of these; a name nobody wrote is every name.
fn is_open(facts: &Facts, route: &Route, names: &[Located<String>]) -> bool {
    let objects = &facts.objects;
    let of_id = |wanted: &Option<Located<String>>, id: &Option<Located<String>>| matches!((wanted, id), (Some(wanted), Some(id)) if wanted.value == id.value);
    let service = objects.services.iter().find(|service| of_id(&route.service_id, &service.id));
    let configured = |id| objects.plugins.iter().any(|holder| of_id(id, &holder.id));
    // what is not seen may close it
    if route.service_id.is_some() && service.is_none()
        || route.plugin_config_id.is_some() && !configured(&route.plugin_config_id)
    {
        return false;
    }
    let shared = objects.plugins.iter().filter(|holder| {
        holder.kind == "global_rules"
            || holder.kind == "plugin_configs" && of_id(&route.plugin_config_id, &holder.id)
    });
    let mut plugins = route
        .plugins
        .iter()
        .chain(service.into_iter().flat_map(|service| &service.plugins))
        .chain(shared.flat_map(|holder| &holder.plugins));
    // plaintext is sent elsewhere, or asked who it is
    let closes = |plugin: &Plugin| {
        !plugin.disabled && (plugin.name.value == "redirect" || policy::is_guard_of(facts, plugin))
    };
    let hosts = match service {
        Some(service) if route.hosts.is_empty() => &service.hosts,
        _ => &route.hosts,
    };
    route.enabled
        && route.refusals.is_empty()
        && route.condition.is_none()
        && !plugins.any(closes)
        && (hosts.is_empty()
            || names.is_empty()
            || hosts.iter().any(|host| names.iter().any(|name| meet(&host.value, &name.value))))
}

/// Whether two names, each perhaps with a star for its first label, have a host in common.
fn meet(one: &str, other: &str) -> bool {
    let covers = |pattern: &str, name: &str| {
        pattern.strip_prefix('*').is_some_and(|rest| {
            name.len() >= rest.len()
                && name.get(name.len() - rest.len()..).is_some_and(|end| end.eq_ignore_ascii_case(rest))
        })
    };
    one.eq_ignore_ascii_case(other) || covers(one, other) || covers(other, one)
}

/// An nginx server that insists on client certificates and listens without TLS as well.
fn nginx(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for (program, config) in configurations(subject) {
        let groups = config.groups();
        let with_tls: BTreeSet<usize> = sorted::set(
            groups
                .iter()
                .filter(|group| group.ssl)
                .flat_map(|group| group.members.iter().map(|(index, _)| *index)),
        );
        for group in groups.iter().filter(|group| !group.ssl) {
            let ListenAddress::Inet(address, port) = group.address else { continue };
            if address.is_loopback() {
                continue;
            }
            for (index, listen) in &group.members {
                let Some(server) = config.servers.get(*index) else { continue };
                let mode = &server.tls.verify_client;
                let redirects = server.locations.first().is_some_and(|whole| whole.returns.is_some())
                    || server.locations.iter().any(tells_plaintext);
                let looks = server.mentions.iter().any(|mention| mention.value == "ssl_client_verify");
                // meant for this server, of which no listen speaks TLS
                let forgotten = !with_tls.contains(index)
                    && !server.tls.certificates.is_empty()
                    && is_written_in(config, *index, mode.span());
                if *mode.value() != ClientAuthMode::Required
                    || redirects
                    || looks
                    || !(with_tls.contains(index) || forgotten)
                {
                    continue;
                }
                if forgotten {
                    findings.push(RULE.finding(
                        format!(
                            "{} answers at port {port} without TLS, and asks nobody for a certificate",
                            program.name
                        ),
                        Some(format!("write listen {port} ssl;")),
                        vec![
                            Label {
                                span: listen.address.span,
                                message: "plaintext: ssl is missing".to_owned(),
                            },
                            Label { span: mode.span(), message: "counts for TLS only".to_owned() },
                        ],
                    ));
                    continue;
                }
                findings.push(RULE.finding(
                    format!(
                        "{} answers at port {port} without TLS what it asks for a client certificate elsewhere",
                        program.name
                    ),
                    Some(match server.subsystem {
                        Subsystem::Http => format!(
                            "move this listen into a server of its own: server {{ listen {port}; return 301 https://$host$request_uri; }}"
                        ),
                        Subsystem::Stream | Subsystem::Mail => {
                            format!("write listen {port} ssl; or listen 127.0.0.1:{port};")
                        }
                    }),
                    vec![
                        Label { span: listen.address.span, message: "plaintext".to_owned() },
                        Label { span: mode.span(), message: "counts for TLS only".to_owned() },
                    ],
                ));
            }
        }
    }
}

/// Whether a setting stands in a server's own block: behind its word, and before the next server's.
fn is_written_in(config: &NginxConfig, index: usize, place: Span) -> bool {
    let Some(server) = config.servers.get(index) else { return false };
    let within = |span: Span| span.file == place.file && span.start < place.start;
    within(server.span)
        && !config.servers.iter().any(|other| within(other.span) && other.span.start > server.span.start)
}

/// `if ($scheme = http) { … }` and its relatives: what comes without TLS is treated apart.
fn tells_plaintext(location: &Location) -> bool {
    let Matcher::If(condition) = &location.matcher else { return false };
    let of_connection = ["scheme", "https", "server_port", "ssl_protocol", "ssl_cipher", "ssl_session_id"];
    variables(condition).into_iter().any(|name| of_connection.contains(&name))
}

/// Hosts of ingress-nginx whose clients are verified, and which answer at port 80 as well: no redirect, or no certificate
/// to redirect to.
fn ingresses(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for ingress in &subject.deployment.manifests.nginx_ingresses {
        let settings = &ingress.settings;
        let Some(secret) = settings.client_secret.as_ref().filter(|_| settings.asks_clients()) else {
            continue;
        };
        let without = settings.hosts.iter().find(|host| !settings.has_tls(&host.value));
        let kept = settings.redirects.as_ref().filter(|redirects| !redirects.value);
        let (place, label, help) = match (without, kept) {
            _ if settings.forces_redirect || settings.snippet => continue,
            (Some(host), _) => (
                host.span,
                "no tls of this Ingress has this host, so plaintext is not redirected",
                format!("add {} to the hosts of tls, with the Secret of its certificate", host.value),
            ),
            (None, Some(redirects)) => (
                redirects.span,
                "plaintext is not redirected",
                "leave ssl-redirect out, or write force-ssl-redirect: \"true\"".to_owned(),
            ),
            (None, None) => continue,
        };
        findings.push(RULE.finding(
            format!(
                "ingress-nginx answers at port 80 without TLS what {} asks a client certificate for",
                settings.name.value
            ),
            Some(help),
            vec![
                Label { span: place, message: label.to_owned() },
                Label { span: secret.span, message: "client certificates are asked for here".to_owned() },
            ],
        ));
    }
}

/// etcd's client URLs: the same data by https with a certificate, and by http without.
fn of_etcd(program: &Program, config: &EtcdConfig) -> Option<Finding> {
    let clients = || program.listeners.iter().filter(|listener| listener.purpose == ListenerPurpose::Clients);
    // where all client URLs are http, the settings for TLS are there and hold for nothing
    let meant = || {
        let client = &config.client;
        let bundle = client.trusted_ca_file.as_ref().filter(|_| !client.is_empty())?;
        Some(if client.client_cert_auth.is_given() { client.client_cert_auth.span() } else { bundle.span })
    };
    let given =
        config.listen_client_urls.is_given() && config.refusals.is_empty() && program.unseen.is_empty();
    let asking = clients().find_map(asks).or_else(|| meant().filter(|_| given))?;
    let bind = clients()
        .filter(|listener| listener.tls.is_none())
        .flat_map(|listener| &listener.binds)
        .find(|bind| !bind.address.is_some_and(|address| address.is_loopback()))?;
    Some(RULE.finding(
        format!("{} serves everything at port {} to clients without a certificate", program.name, bind.port),
        Some(format!("write https for port {}, or listen at 127.0.0.1 there", bind.port)),
        vec![
            Label { span: bind.span, message: "plaintext, from everywhere".to_owned() },
            Label { span: asking, message: "client certificates are asked for here".to_owned() },
        ],
    ))
}

/// Where a listener asks for client certificates.
fn asks(listener: &Listener) -> Option<Span> {
    let contexts = &listener.tls.as_ref()?.contexts;
    let mode = contexts
        .iter()
        .map(|context| &context.client_auth.mode)
        .find(|mode| *mode.value() != ClientAuthMode::Off)?;
    Some(mode.span())
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_meet_where_they_have_a_host_in_common() {
        for (one, other, want) in [
            ("a.example.test", "A.example.test", true),
            ("*.example.test", "a.example.test", true),
            ("a.example.test", "*.example.test", true),
            ("*", "a.example.test", true),
            ("a.example.test", "b.example.test", false),
            ("*.example.test", "example.test", false),
        ] {
            assert_eq!(super::meet(one, other), want, "{one} {other}");
        }
    }
}

//! What Envoy refuses beyond parsing: references that lead nowhere, duplicates, addresses that are none.

use std::collections::BTreeMap;

use mtls_identity::sorted;

use crate::deployment::{Missing, Program, Refusal};
use crate::dialect::envoy::check::Problem;
use crate::dialect::envoy::{
    Cluster, ConfigSource, Discovery, EnvoyConfig, EnvoyListener, FilterChain, HttpFilter, NetworkFilter,
    NetworkFilterKind, RouteAction, Routes, TransportSocket,
};
use crate::finding::Label;
use crate::source::{Located, Span};

/// A refused setting, with what to write instead.
pub(super) fn refuse(
    message: String,
    span: Span,
    help: impl Into<Option<String>>,
    log: Option<String>,
) -> Refusal {
    let labels = vec![Label { span, message: String::new() }];
    Refusal { rule: "refused-setting", message, labels, help: help.into(), log }
}

/// A problem of parsing as a refusal.
pub(super) fn from_problem(problem: &Problem) -> Refusal {
    refuse(problem.message.clone(), problem.span, problem.help.clone(), Some(problem.log.clone()))
}

/// A discovery file that does not exist stops the start.
pub(super) fn missing_path(missing: Missing, source: &ConfigSource) -> Refusal {
    let path = match source {
        ConfigSource::Path { path, .. } => path.value.as_str(),
        ConfigSource::Remote(_) => "",
    };
    let mut labels = vec![Label { span: source.span(), message: "named here".to_owned() }];
    labels.extend(missing.labels);
    Refusal {
        rule: missing.rule,
        message: missing.message,
        labels,
        help: None,
        log: Some(format!("paths must refer to an existing path in the system: '{path}' does not exist")),
    }
}

/// Checks what Envoy checks while it adds static clusters and listeners.
pub(super) fn static_mistakes(
    config: &EnvoyConfig,
    listeners: usize,
    clusters: usize,
    program: &mut Program,
) {
    let mut refusals = Vec::new();
    for cluster in config.clusters.iter().take(clusters) {
        cluster_mistakes(cluster, &mut refusals);
    }
    duplicate_clusters(config, clusters, &mut refusals);
    for listener in config.listeners.iter().take(listeners) {
        listener_mistakes(listener, config, &mut refusals);
    }
    duplicate_addresses(config, listeners, &mut refusals);
    program.refusals.extend(refusals);
}

fn cluster_mistakes(cluster: &Cluster, refusals: &mut Vec<Refusal>) {
    match &cluster.discovery {
        Discovery::Static => {
            for endpoint in &cluster.endpoints {
                let host = &endpoint.address.host;
                if !endpoint.address.is_resolved && host.value.parse::<std::net::IpAddr>().is_err() {
                    refusals.push(refuse(
                        format!("{} is a name, and a STATIC cluster takes addresses only", host.value),
                        host.span,
                        "write type: STRICT_DNS in the cluster".to_owned(),
                        Some(format!(
                            "malformed IP address: {}. Consider setting resolver_name or setting cluster type to 'STRICT_DNS' or 'LOGICAL_DNS'",
                            host.value
                        )),
                    ));
                }
            }
        }
        Discovery::Eds { source: None, .. } => refusals.push(refuse(
            "an EDS cluster has no eds_config".to_owned(),
            cluster.span,
            "write eds_cluster_config".to_owned(),
            Some("cannot create an EDS cluster without an EDS config".to_owned()),
        )),
        Discovery::Dns { logical: true } if cluster.endpoints.len() > 1 => refusals.push(refuse(
            "a LOGICAL_DNS cluster has one endpoint only".to_owned(),
            cluster.span,
            "write type: STRICT_DNS".to_owned(),
            Some(
                "LOGICAL_DNS clusters must have a single locality_lb_endpoint and a single lb_endpoint"
                    .to_owned(),
            ),
        )),
        Discovery::Dns { .. } | Discovery::Eds { .. } | Discovery::Other(_) => {}
    }
    if let Some(span) = cluster.eds_config.filter(|_| !matches!(cluster.discovery, Discovery::Eds { .. })) {
        refusals.push(refuse(
            "eds_cluster_config stands in a cluster of another type".to_owned(),
            span,
            "write type: EDS, or leave it out".to_owned(),
            Some("eds_cluster_config set in a non-EDS cluster".to_owned()),
        ));
    }
    const WRONG: &str = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
    let sockets =
        std::iter::once(&cluster.transport).chain(cluster.socket_matches.iter().map(|one| &one.transport));
    for socket in sockets {
        socket_mistakes(socket, WRONG, "UpstreamTlsContext", refusals);
    }
}

/// A transport socket without a configuration, or with that of the other direction, is found by nobody.
fn socket_mistakes<T>(socket: &TransportSocket<T>, wrong: &str, right: &str, refusals: &mut Vec<Refusal>) {
    let TransportSocket::Other { name, type_name } = socket else { return };
    let message = match type_name.as_deref() {
        None => format!("the transport socket {} has no typed_config", name.value),
        Some(found) if found == wrong => {
            format!(
                "the transport socket has a {}, of the other direction",
                found.rsplit('.').next().unwrap_or(found)
            )
        }
        Some(_) => return,
    };
    let help = if name.value == "envoy.transport_sockets.raw_buffer" {
        "leave transport_socket out, or write typed_config with '@type': type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer".to_owned()
    } else {
        format!(
            "write typed_config with '@type': type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.{right}"
        )
    };
    refusals.push(refuse(
        message,
        name.span,
        help,
        Some(format!(
            "Didn't find a registered implementation for '{}' with type URL: '{}'",
            name.value,
            type_name.as_deref().unwrap_or_default()
        )),
    ));
}

fn duplicate_clusters(config: &EnvoyConfig, count: usize, refusals: &mut Vec<Refusal>) {
    let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
    for name in config.clusters.iter().take(count).filter_map(|cluster| cluster.name.as_ref()) {
        if let Some(first) = seen.insert(&name.value, name.span) {
            refusals.push(Refusal {
                rule: "refused-setting",
                message: format!("two clusters are named {}", name.value),
                labels: vec![
                    Label { span: name.span, message: String::new() },
                    Label { span: first, message: "the first stands here".to_owned() },
                ],
                help: Some("give it another name".to_owned()),
                log: Some(format!("cluster manager: duplicate cluster '{}'", name.value)),
            });
        }
    }
}

fn duplicate_addresses(config: &EnvoyConfig, count: usize, refusals: &mut Vec<Refusal>) {
    let mut seen: BTreeMap<(&str, u16, bool, Option<&str>), Span> = BTreeMap::new();
    for listener in config.listeners.iter().take(count) {
        for address in &listener.addresses {
            let Some(port) = address.port.filter(|port| *port != 0) else { continue };
            let key = (address.host.value.as_str(), port, address.udp, address.namespace.as_deref());
            if let Some(first) = seen.insert(key, address.span) {
                let name = listener.name.as_ref().map_or("", |name| name.value.as_str());
                refusals.push(Refusal {
                    rule: "refused-setting",
                    message: format!("two listeners are bound to {}:{port}", address.host.value),
                    labels: vec![
                        Label { span: address.span, message: String::new() },
                        Label { span: first, message: "the first stands here".to_owned() },
                    ],
                    help: None,
                    log: Some(format!(
                        "error adding listener: '{name}' has duplicate address '{}:{port}' as existing listener, to check if the listener has duplicated addresses with other listeners or 'enable_reuse_port' is set to 'false' for the listener",
                        address.host.value
                    )),
                });
            }
        }
    }
}

fn listener_mistakes(listener: &EnvoyListener, config: &EnvoyConfig, refusals: &mut Vec<Refusal>) {
    for address in listener.addresses.iter().filter(|address| !address.is_resolved) {
        if address.host.value.parse::<std::net::IpAddr>().is_err() {
            refusals.push(refuse(
                format!("{} is no IP address, and a listener takes nothing else", address.host.value),
                address.host.span,
                "write 0.0.0.0 or 127.0.0.1".to_owned(),
                Some(format!("malformed IP address: {}", address.host.value)),
            ));
        }
    }
    let name = listener.name.as_ref().map_or("", |name| name.value.as_str());
    let Some(address) = listener.addresses.first() else {
        if !listener.unbound && !listener.has_address {
            refusals.push(refuse(
                "the listener has no address".to_owned(),
                listener.span,
                "write address with socket_address, address and port_value".to_owned(),
                Some(format!("error adding listener named '{name}': address is necessary")),
            ));
        }
        return;
    };
    let shown = format!("{}:{}", address.host.value, address.port.unwrap_or_default());
    if listener.filter_chains.is_empty()
        && listener.default_filter_chain.is_none()
        && !listener.udp
        && listener.custom_matching.is_none()
    {
        refusals.push(refuse(
            "the listener has no filter chain".to_owned(),
            listener.span,
            "write filter_chains".to_owned(),
            Some(format!("error adding listener '{shown}': no filter chains specified")),
        ));
    }
    // a matcher chooses by name, and chains without a match are its rule
    if listener.custom_matching.is_none() {
        duplicate_chains(listener, &shown, refusals);
    }
    refusals.extend(listener.unconfigured_filters.iter().map(unconfigured));
    for chain in listener.chains() {
        const WRONG: &str = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
        socket_mistakes(&chain.transport, WRONG, "DownstreamTlsContext", refusals);
        misplaced_filter(chain, refusals);
        partial_wildcards(chain, &shown, refusals);
        for filter in &chain.filters {
            if !filter.is_configured {
                refusals.push(unconfigured(&filter.name));
            }
            if let NetworkFilterKind::Http(manager) = &filter.kind {
                http_filter_mistakes(&manager.filters, refusals);
            }
            if let NetworkFilterKind::Http(manager) = &filter.kind
                && let Some(routes) = &manager.routes
                && manager.route_discovery.is_none()
            {
                route_mistakes(routes, config, refusals);
            }
        }
    }
}

/// A filter that ends a chain before its end.
fn misplaced_filter(chain: &FilterChain, refusals: &mut Vec<Refusal>) {
    let terminal = |filter: &&NetworkFilter| {
        matches!(filter.kind, NetworkFilterKind::Http(_) | NetworkFilterKind::TcpProxy(_))
    };
    let before_last = chain.filters.len().saturating_sub(1);
    if let Some(filter) = chain.filters.iter().take(before_last).find(terminal) {
        refusals.push(refuse(
            format!("{} ends a filter chain, and more filters follow it", filter.name.value),
            filter.span,
            "put it last".to_owned(),
            Some(format!(
                "Error: terminal filter named {0} of type {0} must be the last filter in a network filter chain.",
                filter.name.value
            )),
        ));
    }
}

/// Wildcards that are no whole first label.
fn partial_wildcards(chain: &FilterChain, listener: &str, refusals: &mut Vec<Refusal>) {
    for name in &chain.matches.server_names {
        // a wildcard is a whole first label: *.example.com
        let partial = name.value.strip_prefix("*.").unwrap_or(&name.value).contains('*');
        if partial {
            refusals.push(refuse(
                format!("{} has a wildcard elsewhere than in front of a dot", name.value),
                name.span,
                if name.value == "*" {
                    "leave server_names out to match every name".to_owned()
                } else {
                    "write *.example.com".to_owned()
                },
                Some(format!(
                    "error adding listener '{listener}': partial wildcards are not supported in \"server_names\""
                )),
            ));
        }
    }
}

/// A filter without a configuration: extensions are found by its type (since 1.22 by nothing else).
fn unconfigured(name: &Located<String>) -> Refusal {
    refuse(
        format!("the filter {} has no typed_config", name.value),
        name.span,
        "write typed_config with the '@type' of the filter".to_owned(),
        Some(format!("Didn't find a registered implementation for '{}' with type URL: ''", name.value)),
    )
}

fn http_filter_mistakes(filters: &[HttpFilter], refusals: &mut Vec<Refusal>) {
    for filter in filters.iter().filter(|filter| !filter.is_configured && !filter.is_optional) {
        refusals.push(unconfigured(&filter.name));
    }
    // these two decide and pass on; of others we do not know whether they answer
    let last = filters.last().filter(|filter| filter.rbac.is_some() || filter.wasm.is_some());
    if let Some(last) = last {
        refusals.push(refuse(
            format!("{} is the last HTTP filter, and does not send requests on", last.name.value),
            last.span,
            "write envoy.filters.http.router after it".to_owned(),
            Some(format!(
                "Error: non-terminal filter named {0} of type {0} is the last filter in a http filter chain.",
                last.name.value
            )),
        ));
    }
}

fn duplicate_chains(listener: &EnvoyListener, shown: &str, refusals: &mut Vec<Refusal>) {
    type Key<'c> = (Vec<&'c str>, Option<&'c str>, Vec<&'c str>);
    let mut seen: BTreeMap<Key<'_>, &FilterChain> = BTreeMap::new();
    for chain in listener.filter_chains.iter().filter(|chain| chain.matches.by_address.is_none()) {
        let mut names: Vec<&str> =
            chain.matches.server_names.iter().map(|name| name.value.as_str()).collect();
        sorted::sort(&mut names);
        let mut protocols: Vec<&str> =
            chain.matches.application_protocols.iter().map(|name| name.value.as_str()).collect();
        sorted::sort(&mut protocols);
        let transport = chain.matches.transport_protocol.as_ref().map(|protocol| protocol.value.as_str());
        let Some(first) = seen.insert((names, transport, protocols), chain) else { continue };
        let name = |chain: &FilterChain| chain.name.as_ref().map_or(String::new(), |name| name.value.clone());
        refusals.push(Refusal {
            rule: "refused-setting",
            message: "two filter chains match the same connections".to_owned(),
            labels: vec![
                Label { span: chain.span, message: String::new() },
                Label { span: first.span, message: "the first stands here".to_owned() },
            ],
            help: Some("write another filter_chain_match".to_owned()),
            log: Some(format!(
                "error adding listener '{shown}': filter chain '{}' has the same matching rules defined as '{}'",
                name(chain),
                name(first)
            )),
        });
    }
}

/// A static route configuration is validated against the clusters that are known at start.
fn route_mistakes(routes: &Routes, config: &EnvoyConfig, refusals: &mut Vec<Refusal>) {
    let shown = routes.name.as_ref().map_or("", |name| name.value.as_str());
    let known = |name: &str| {
        config.clusters.iter().any(|cluster| cluster.name.as_ref().is_some_and(|known| known.value == name))
    };
    let mut domains: BTreeMap<String, Span> = BTreeMap::new();
    for host in &routes.virtual_hosts {
        for domain in &host.domains {
            let lower = domain.value.to_ascii_lowercase();
            if let Some(first) = domains.insert(lower.clone(), domain.span) {
                let log = if lower == "*" {
                    format!("Only a single wildcard domain is permitted in route {shown}")
                } else {
                    format!(
                        "Only unique values for domains are permitted. Duplicate entry of domain {lower} in route {shown}"
                    )
                };
                refusals.push(Refusal {
                    rule: "refused-setting",
                    message: format!("the domain {} stands twice in one route configuration", domain.value),
                    labels: vec![
                        Label { span: domain.span, message: String::new() },
                        Label { span: first, message: "the first stands here".to_owned() },
                    ],
                    help: None,
                    log: Some(log),
                });
            }
        }
        // clusters of CDS are there before the listeners are: only without it is the list complete
        if config.cluster_discovery.is_some() || routes.allows_unknown_clusters {
            continue;
        }
        for route in &host.routes {
            let RouteAction::Clusters { names, .. } = &route.action else { continue };
            for name in names.iter().filter(|name| !known(&name.value)) {
                refusals.push(unknown_cluster(name));
            }
        }
    }
}

fn unknown_cluster(name: &Located<String>) -> Refusal {
    refuse(
        format!("the route leads to the cluster {}, which is not defined", name.value),
        name.span,
        "write the name of a cluster of static_resources.clusters".to_owned(),
        Some(format!("route: unknown cluster '{}'", name.value)),
    )
}

//! Clusters and the routes to them → dialers.

use std::collections::BTreeMap;

use super::refusal::refuse;
use super::secret::{self, Followed};
use super::{Loader, shown};
use crate::deployment::{
    ClientTls, Dialer, DialerPurpose, PathPattern, Program, Protocol, RouteMatch, Setting, Speaks, Target,
    Trust,
};
use crate::dialect::envoy::{
    Cluster, ClusterEndpoint, Discovery, EnvoyConfig, FilterChain, NetworkFilterKind, Route, RouteAction,
    RoutePath, Routes, TransportSocket, UpstreamTls,
};
use crate::source::Located;
use crate::syntax::url::{bracketed, without_port};

/// The Host header that a cluster sees, as far as it shapes SNI.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum UpstreamHost {
    /// The client's.
    Client,
    /// `host_rewrite_literal`.
    Literal(String),
    /// `auto_host_rewrite`: the endpoint's.
    Endpoint,
    /// Taken from elsewhere in the request.
    Unknown,
    /// Bytes: there is no such header.
    Stream,
}

/// Routes by cluster and upstream host.
#[derive(Default)]
struct Table {
    routes: BTreeMap<(String, UpstreamHost), Vec<RouteMatch>>,
    answers: Vec<RouteMatch>,
}

impl Loader<'_, '_, '_> {
    /// Adds a dialer for each endpoint of each cluster; the first `fixed` clusters are static.
    pub(super) fn dialers(&mut self, config: &EnvoyConfig, fixed: usize, program: &mut Program) {
        let mut table = Table::default();
        for (index, listener) in config.listeners.iter().enumerate() {
            for chain in listener.chains() {
                table.add_chain(index, chain);
            }
        }
        for (index, cluster) in config.clusters.iter().enumerate() {
            let name = cluster.name.as_ref().map_or("", |name| name.value.as_str());
            let mut uses: Vec<(UpstreamHost, Vec<RouteMatch>)> = table
                .routes
                .iter()
                .filter(|((to, _), _)| to == name)
                .map(|((_, host), routes)| (host.clone(), routes.clone()))
                .collect();
            if uses.is_empty() {
                // authorization, tracing, discovery: it dials for itself
                uses.push((UpstreamHost::Stream, Vec::new()));
            }
            if cluster.endpoints.is_empty() {
                program.dialers.extend(self.unseen_dialer(cluster, &uses));
            }
            for endpoint in &cluster.endpoints {
                for (host, routes) in &uses {
                    let mut fatal = Vec::new();
                    if let Some(mut dialer) = self.dialer(config, cluster, endpoint, host, routes, &mut fatal)
                    {
                        let refusals =
                            if index < fixed { &mut program.refusals } else { &mut dialer.refusals };
                        for refusal in fatal {
                            // endpoints of one cluster share its settings
                            if !refusals.contains(&refusal) {
                                refusals.push(refusal);
                            }
                        }
                        program.dialers.push(dialer);
                    }
                }
            }
        }
        program.answers = table.answers;
    }

    /// A dialer that stands for endpoints outside the sources.
    fn unseen_dialer(
        &mut self,
        cluster: &Cluster,
        uses: &[(UpstreamHost, Vec<RouteMatch>)],
    ) -> Option<Dialer> {
        let why = match &cluster.discovery {
            Discovery::Eds { source: Some(source), .. } => match self.fetch(source) {
                crate::deployment::Lookup::Unseen(why) => why,
                _ => return None,
            },
            Discovery::Other(kind) => format!("its endpoints are found by {}", kind.value),
            Discovery::Static | Discovery::Dns { .. } | Discovery::Eds { source: None, .. } => return None,
        };
        let name = cluster.name.clone()?;
        let target =
            Target { url: format!("cluster {}", name.value), host: name.clone(), port: 0, connect_to: None };
        Some(Dialer {
            routes: uses.iter().flat_map(|(_, routes)| routes.iter().cloned()).collect(),
            unseen: vec![format!("where cluster {} leads: {why}", name.value)],
            ..Dialer::new(DialerPurpose::Upstream, target, cluster.span)
        })
    }

    fn dialer(
        &mut self,
        config: &EnvoyConfig,
        cluster: &Cluster,
        endpoint: &ClusterEndpoint,
        host: &UpstreamHost,
        routes: &[RouteMatch],
        fatal: &mut Vec<crate::deployment::Refusal>,
    ) -> Option<Dialer> {
        let port = endpoint.address.port?;
        let address = &endpoint.address.host;
        let shown_host = endpoint.hostname.as_ref().unwrap_or(address);
        let target = Target {
            url: String::new(),
            host: shown_host.clone(),
            port,
            connect_to: (shown_host.value != address.value).then(|| (address.value.clone(), port)),
        };
        let mut dialer = Dialer {
            routes: routes.to_vec(),
            speaks: match host {
                UpstreamHost::Stream if !routes.is_empty() => Speaks::Stream,
                _ if cluster.http2 => Speaks::Http2,
                _ => Speaks::Http,
            },
            ..Dialer::new(DialerPurpose::Upstream, target, endpoint.span)
        };
        if cluster.custom_matching.is_some() {
            dialer.unseen.push(format!(
                "the transport socket of cluster {} is chosen by a matcher that is not read",
                shown(cluster.name.as_ref(), cluster.span)
            ));
        }
        match cluster.transport_for(endpoint) {
            TransportSocket::Raw => {}
            TransportSocket::Tls(tls) => {
                dialer.tls = Some(self.client(config, cluster, endpoint, tls, host, &mut dialer, fatal));
            }
            TransportSocket::Quic(_) => dialer.unseen.push("the cluster speaks QUIC".to_owned()),
            TransportSocket::StartTls(_) => {
                dialer.unseen.push("the cluster starts without TLS and turns it on when told".to_owned());
            }
            TransportSocket::Other { name, .. } => {
                dialer.unseen.push(format!("the transport socket {} is not read", name.value));
            }
        }
        let scheme = match (dialer.tls.is_some(), dialer.speaks) {
            (true, Speaks::Stream) => "tls",
            (false, Speaks::Stream) => "tcp",
            (true, _) => "https",
            (false, _) => "http",
        };
        let bracketed = bracketed(&shown_host.value);
        dialer.target.url = format!("{scheme}://{bracketed}:{port}");
        Some(dialer)
    }

    #[allow(clippy::too_many_arguments)]
    fn client(
        &mut self,
        config: &EnvoyConfig,
        cluster: &Cluster,
        endpoint: &ClusterEndpoint,
        tls: &UpstreamTls,
        host: &UpstreamHost,
        dialer: &mut Dialer,
        fatal: &mut Vec<crate::deployment::Refusal>,
    ) -> ClientTls {
        let common = &tls.common;
        let mut followed = Followed::default();
        let credential = self.credentials(config, common, &mut followed).into_iter().next();
        let given = common.certificates.len() + common.certificate_secrets.len();
        if given > 1 {
            followed.fatal.push(refuse(
                format!("{given} certificates are given, and a client presents one"),
                common.span,
                "keep one entry of tls_certificates or tls_certificate_sds_secret_configs".to_owned(),
                Some("Multiple TLS certificates are not supported for client contexts".to_owned()),
            ));
        }
        let validation = self.validation(config, common, &mut followed);
        if let Some(effective) = &validation {
            secret::validation_mistakes(effective, &mut followed);
        }
        followed.fatal.extend(secret::cipher_mistake(common));
        let names_sni = tls.auto_sni_san_validation.as_ref().filter(|flag| flag.value);
        if let Some(flag) = names_sni {
            let log = match &validation {
                None => Some("'auto_sni_san_validation' was configured without a validation context"),
                Some(found) if found.context.trusted_ca.is_none() && found.unseen.is_none() => {
                    Some("'auto_sni_san_validation' was configured without configuring a trusted CA")
                }
                Some(_) => None,
            };
            if let Some(log) = log {
                followed.fatal.push(refuse(
                    "auto_sni_san_validation compares names of a certificate that nothing else verifies"
                        .to_owned(),
                    flag.span,
                    "write validation_context with trusted_ca in common_tls_context".to_owned(),
                    Some(log.to_owned()),
                ));
            }
        }
        let custom = validation.as_ref().and_then(|effective| effective.context.custom_validator.as_ref());
        if let Some(custom) = custom {
            dialer.unseen.push(format!("the validator {} judges the server's certificate", custom.value));
        }
        if common.custom_handshaker.is_some() {
            dialer.unseen.push("a custom handshaker does TLS".to_owned());
        }
        let is_true =
            |flag: &Option<Located<bool>>| flag.as_ref().filter(|flag| flag.value).map(|flag| flag.span);
        let sni = server_name(cluster, endpoint, tls, host);
        if sni.unknown
            || (is_true(&cluster.auto_san_validation).is_some()
                && upstream_name(cluster, endpoint, host).unknown
                && *host != UpstreamHost::Stream)
        {
            dialer.unseen.push("the name it sends comes from a header or path of the request".to_owned());
        }
        let trust = validation.as_ref().map(|effective| self.trust(effective)).unwrap_or_default();
        let mut checks =
            validation.as_ref().map(|effective| self.checks(&effective.context)).unwrap_or_default();
        // max_verify_depth has no effect upstream (facts, section 1, "Depth")
        checks.depth = None;
        let host_name = is_true(&cluster.auto_san_validation).filter(|_| *host != UpstreamHost::Stream);
        let upstream_name = upstream_name(cluster, endpoint, host);
        let reference = if let Some(span) = host_name {
            if upstream_name.from_request && !sni.from_request && sni.name.is_some() {
                dialer.unseen.push(
                    "the name it compares comes from the request, the name it sends does not".to_owned(),
                );
            }
            upstream_name.known().map(|name| Located::new(name, span))
        } else {
            names_sni.and_then(|flag| sni.known().map(|name| Located::new(name, flag.span)))
        };
        if reference.is_some() {
            // the name that is sent takes the place of the configured matchers
            checks.names.clear();
        }
        let verifies = validation.as_ref().is_some_and(|found| {
            let context = &found.context;
            // names without anchors are refused, which is another mistake than not verifying
            let checks_something = context.trusted_ca.is_some()
                || context.has_pins()
                || context.custom_validator.is_some()
                || !context.names.is_empty();
            found.unseen.is_some() || (checks_something && context.accept_untrusted.is_none())
        });
        // auto_san_validation makes BoringSSL verify even where Envoy's own validator has nothing to do: without
        // anchors that always fails (seen with 1.40.0)
        let waves_through = validation.as_ref().is_some_and(|found| found.context.accept_untrusted.is_some());
        let mut trust = trust;
        if let Some(span) = host_name.filter(|_| !verifies && !waves_through) {
            // its store is empty; the system's stands for it, which does not know a private issuer either
            trust.push(Trust::System(span));
        }
        let verifies = verifies || (host_name.is_some() && !waves_through);
        fatal.append(&mut followed.fatal);
        dialer.refusals.append(&mut followed.local);
        dialer.unseen.append(&mut followed.unseen);
        // clients speak TLS 1.2 unless told otherwise (facts, section 6)
        let protocols = secret::protocols(common, Protocol::Tls12, Protocol::Tls12);
        let verify = match &validation {
            Some(found) => Setting::Given(Located::new(verifies, found.context.span)),
            None => Setting::Default { value: verifies, parent: common.span },
        };
        ClientTls {
            credential,
            trust,
            server_name: sni.name.or(sni.from_request.then(String::new)),
            reference,
            checks,
            ciphers: secret::ciphers(common),
            names_from_request: sni.from_request || (host_name.is_some() && upstream_name.from_request),
            ..ClientTls::new(verify, protocols, tls.span)
        }
    }
}

/// A name that a cluster sends or compares.
#[derive(Default)]
struct Sni {
    name: Option<String>,
    /// It is the Host header of the request.
    from_request: bool,
    unknown: bool,
}

impl Sni {
    /// The name; empty where the request will tell it.
    fn known(&self) -> Option<String> {
        self.name.clone().or_else(|| self.from_request.then(String::new))
    }
}

/// The name a cluster sends: `auto_sni`'s for HTTP requests, else `auto_host_sni`'s, else `sni`.
fn server_name(cluster: &Cluster, endpoint: &ClusterEndpoint, tls: &UpstreamTls, host: &UpstreamHost) -> Sni {
    let is_true = |flag: &Option<Located<bool>>| flag.as_ref().is_some_and(|flag| flag.value);
    let is_name = |name: &String| name.parse::<std::net::IpAddr>().is_err();
    if is_true(&cluster.auto_sni) && *host != UpstreamHost::Stream {
        let mut sni = upstream_name(cluster, endpoint, host);
        // an address is no server name (RFC 6066 3)
        sni.name = sni.name.filter(is_name);
        return sni;
    }
    let endpoints =
        is_true(&tls.auto_host_sni).then(|| endpoint_name(cluster, endpoint)).flatten().filter(is_name);
    let name = endpoints.or_else(|| tls.sni.as_ref().map(|name| name.value.clone()));
    Sni { name, ..Sni::default() }
}

/// The host that the cluster sees in the request.
fn upstream_name(cluster: &Cluster, endpoint: &ClusterEndpoint, host: &UpstreamHost) -> Sni {
    let name = match host {
        _ if cluster.auto_sni_header.is_some() => None,
        UpstreamHost::Literal(name) => Some(without_port(name).to_owned()),
        UpstreamHost::Endpoint => endpoint_name(cluster, endpoint),
        UpstreamHost::Client => return Sni { from_request: true, ..Sni::default() },
        UpstreamHost::Unknown | UpstreamHost::Stream => None,
    };
    Sni { unknown: name.is_none(), name, from_request: false }
}

/// An endpoint's `hostname`, else the name by which it was resolved.
fn endpoint_name(cluster: &Cluster, endpoint: &ClusterEndpoint) -> Option<String> {
    let resolved =
        matches!(cluster.discovery, Discovery::Dns { .. }).then(|| endpoint.address.host.value.clone());
    endpoint.hostname.as_ref().map(|name| name.value.clone()).or(resolved)
}

impl Table {
    fn add_chain(&mut self, listener: usize, chain: &FilterChain) {
        for filter in &chain.filters {
            match &filter.kind {
                NetworkFilterKind::TcpProxy(clusters) => {
                    let matched = RouteMatch {
                        listener: Some(listener),
                        hosts: host_patterns(&[], chain),
                        ..RouteMatch::default()
                    };
                    for cluster in clusters {
                        self.add(&cluster.value, UpstreamHost::Stream, matched.clone());
                    }
                }
                NetworkFilterKind::Http(manager) => {
                    if let Some(routes) = &manager.routes {
                        self.add_routes(listener, chain, routes);
                    }
                }
                _ => {}
            }
        }
    }

    fn add(&mut self, cluster: &str, host: UpstreamHost, matched: RouteMatch) {
        self.routes.entry((cluster.to_owned(), host)).or_default().push(matched);
    }

    /// One [`RouteMatch`] for each domain and route: the most specific domain is chosen first, then the first
    /// route that matches; a domain without a matching route answers 404.
    fn add_routes(&mut self, listener: usize, chain: &FilterChain, routes: &Routes) {
        for host in &routes.virtual_hosts {
            for domain in &host.domains {
                let rank = domain_rank(&domain.value);
                let matched = |order: usize, paths: Vec<PathPattern>, methods: Vec<String>| RouteMatch {
                    listener: Some(listener),
                    hosts: host_patterns(std::slice::from_ref(&domain.value), chain),
                    paths,
                    methods,
                    priority: rank * ROUTES_PER_DOMAIN
                        - i64::try_from(order).unwrap_or(ROUTES_PER_DOMAIN / 2),
                };
                let last = host.routes.len() * 2;
                for (index, route) in host.routes.iter().enumerate() {
                    // whether a conditional route matches is not known: it yields to the others
                    let order = if route.conditions.is_some() { host.routes.len() + index } else { index };
                    let Some(paths) = path_patterns(route) else { continue };
                    let matched = matched(order, paths, route.methods.clone());
                    match &route.action {
                        RouteAction::Clusters { names, host, auto_host, dynamic_host } => {
                            let upstream = match host {
                                Some(name) => UpstreamHost::Literal(name.value.clone()),
                                None if *auto_host => UpstreamHost::Endpoint,
                                None if *dynamic_host => UpstreamHost::Unknown,
                                None => UpstreamHost::Client,
                            };
                            for name in names {
                                self.add(&name.value, upstream.clone(), matched.clone());
                            }
                        }
                        RouteAction::Answers if route.conditions.is_none() => self.answers.push(matched),
                        RouteAction::Answers | RouteAction::Dynamic(_) => {}
                    }
                }
                self.answers.push(matched(last, vec![PathPattern::Prefix("/".to_owned())], Vec::new()));
            }
        }
    }
}

/// Room for the routes of a virtual host beneath each rank of domain.
const ROUTES_PER_DOMAIN: i64 = 1 << 24;

/// Exact domains before `*.suffix` (longest first), before `prefix.*` (longest first), before `*`.
fn domain_rank(domain: &str) -> i64 {
    let length = i64::try_from(domain.len()).unwrap_or(0).min(4096);
    if domain == "*" {
        1
    } else if domain.starts_with('*') {
        10_000 + length
    } else if domain.ends_with('*') {
        2 + length
    } else {
        20_000 + length
    }
}

/// Host patterns of a virtual host within a filter chain: whoever sends a server name asks that host.
fn host_patterns(domains: &[String], chain: &FilterChain) -> Vec<String> {
    if domains.iter().all(|domain| domain == "*") {
        return chain.matches.server_names.iter().map(|name| name.value.clone()).collect();
    }
    domains.to_vec()
}

fn path_patterns(route: &Route) -> Option<Vec<PathPattern>> {
    if route.ignores_case {
        let (path, end) = match route.path.as_ref()? {
            RoutePath::Exact(path) => (path, "$"),
            RoutePath::Prefix(path) => (path, ""),
            RoutePath::Separated(path) => (path, "(?:/|$)"),
            // case_sensitive does not touch regular expressions
            RoutePath::Regex(regex) => return Some(vec![PathPattern::Regex(format!("^(?:{regex})$"))]),
        };
        return Some(vec![PathPattern::Regex(format!("(?i)^{}{end}", escaped(path)))]);
    }
    Some(match route.path.as_ref()? {
        RoutePath::Exact(path) => vec![PathPattern::Exact(path.clone())],
        RoutePath::Prefix(path) => vec![PathPattern::Prefix(path.clone())],
        RoutePath::Separated(path) => {
            vec![PathPattern::Exact(path.clone()), PathPattern::Prefix(format!("{path}/"))]
        }
        // RE2 matches the whole path
        RoutePath::Regex(regex) => vec![PathPattern::Regex(format!("^(?:{regex})$"))],
    })
}

/// A text that a regular expression matches literally.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if !c.is_alphanumeric() && c.is_ascii() {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

//! Routes of listeners to clusters: which requests come to a cluster, and with which Host header.

use std::collections::BTreeMap;

use crate::deployment::{PathPattern, RouteMatch};
use crate::dialect::envoy::{FilterChain, NetworkFilterKind, Route, RouteAction, RoutePath, Routes};

/// The Host header that a cluster sees, as far as it shapes SNI.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum UpstreamHost {
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
pub(super) struct Table {
    pub routes: BTreeMap<(String, UpstreamHost), Vec<RouteMatch>>,
    pub answers: Vec<RouteMatch>,
}

impl Table {
    pub fn add_chain(&mut self, listener: usize, chain: &FilterChain) {
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

//! Envoy's static configuration: bootstrap, discovery files (LDS, CDS, RDS, EDS, SDS), in YAML or JSON.
//!
//! Fields follow the v3 API; names may be written in snake_case or camelCase, as proto3's JSON mapping has it.
//! [`check`](check::check) says what Envoy refuses to parse; the readers beside it take what they understand and
//! skip the rest, so that a broken part does not hide a sound one.

pub mod check;
mod cluster;
mod http;
mod listener;
mod proto;
mod schema;
mod tls;

pub use cluster::{Cluster, ClusterEndpoint, Discovery};
pub use http::{
    ClientCertificateForwarding, HttpFilter, HttpManager, Rbac, Route, RouteAction, RoutePath, Routes,
    WasmPlugin,
};
pub use listener::{Address, EnvoyListener, FilterChain, NetworkFilter, NetworkFilterKind, TransportSocket};
pub use schema::SCHEMA_VERSION;
pub use tls::{
    CommonTls, DataSource, DataSourceKind, DownstreamTls, Secret, SecretKind, SecretRef, TlsCertificate,
    UpstreamTls, Validation, ValidationContext,
};

use crate::source::{Located, Span};
use crate::syntax::yaml::Node;
use check::Problem;
use proto::Message;

/// A bootstrap, as it is written; discovery files are added to it as they are found.
#[derive(Debug, Clone)]
pub struct EnvoyConfig {
    /// Listeners, static ones first.
    pub listeners: Vec<EnvoyListener>,
    /// Clusters, static ones first.
    pub clusters: Vec<Cluster>,
    /// `static_resources.secrets`.
    pub secrets: Vec<Secret>,
    /// Where more listeners come from.
    pub listener_discovery: Option<ConfigSource>,
    /// Where more clusters come from.
    pub cluster_discovery: Option<ConfigSource>,
    /// Where the admin interface listens.
    pub admin: Option<Address>,
    /// `node.id` or `node.cluster`, to name the program by.
    pub node: Option<Located<String>>,
    /// Whether `node.id` and `node.cluster` are given: discovery files need both.
    pub has_node: (bool, bool),
    /// Discovery files in mounted folders that are not watched, as `resolve` finds them.
    pub unwatched: Vec<Located<String>>,
    /// What Envoy refuses to parse or to accept.
    pub problems: Vec<Problem>,
    /// The whole bootstrap.
    pub span: Span,
}

/// Where a resource comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigSource {
    /// A file, read again when it is moved into place.
    Path {
        /// The file.
        path: Located<String>,
        /// The folder whose changes are watched instead of the file's own move.
        watched_directory: Option<Located<String>>,
    },
    /// A management server: its answers lie outside the sources.
    Remote(Span),
}

impl EnvoyConfig {
    /// Every discovery source of listeners, clusters, routes, endpoints and secrets.
    pub fn sources(&self) -> Vec<&ConfigSource> {
        let mut found: Vec<&ConfigSource> =
            self.listener_discovery.iter().chain(&self.cluster_discovery).collect();
        let mut contexts: Vec<&CommonTls> = Vec::new();
        for chain in self.listeners.iter().flat_map(|listener| listener.chains()) {
            contexts.extend(chain.transport.tls().map(|tls| &tls.common));
            for filter in &chain.filters {
                if let NetworkFilterKind::Http(manager) = &filter.kind
                    && let Some((_, Some(source))) = &manager.route_discovery
                {
                    found.push(source);
                }
            }
        }
        for cluster in &self.clusters {
            contexts.extend(cluster.transport.tls().map(|tls| &tls.common));
            if let Discovery::Eds { source: Some(source), .. } = &cluster.discovery {
                found.push(source);
            }
        }
        for common in contexts {
            let mut secrets: Vec<&SecretRef> = common.certificate_secrets.iter().collect();
            if let Validation::Secret(secret) | Validation::Combined { secret, .. } = &common.validation {
                secrets.push(secret);
            }
            found.extend(secrets.into_iter().filter_map(|secret| secret.source.as_ref()));
        }
        found
    }
}

impl ConfigSource {
    /// Where it is written.
    pub fn span(&self) -> Span {
        match self {
            Self::Path { path, .. } => path.span,
            Self::Remote(span) => *span,
        }
    }
}

/// The resources of a discovery file.
#[derive(Debug, Clone, Default)]
pub struct Resources {
    /// LDS.
    pub listeners: Vec<EnvoyListener>,
    /// CDS.
    pub clusters: Vec<Cluster>,
    /// SDS.
    pub secrets: Vec<Secret>,
    /// RDS.
    pub routes: Vec<Routes>,
    /// EDS: cluster name and its endpoints.
    pub endpoints: Vec<(Located<String>, Vec<ClusterEndpoint>)>,
    /// What Envoy refuses to parse or to accept.
    pub problems: Vec<Problem>,
}

/// Whether a YAML or JSON document is an Envoy bootstrap.
///
/// `admin` or `node` alone say little; one of the fields that only a bootstrap has must be there.
pub fn recognises(document: Node<'_>) -> bool {
    let root = Message::new(document);
    let resources = root.message("static_resources");
    let says_static = resources.is_some_and(|found| {
        ["listeners", "clusters", "secrets"].iter().any(|name| found.get(name).is_some())
    });
    let says_dynamic = root.message("dynamic_resources").is_some_and(|found| {
        ["lds_config", "cds_config", "ads_config"].iter().any(|name| found.get(name).is_some())
    });
    says_static || says_dynamic
}

/// Whether a document lists resources as `/config_dump` of a running Envoy does, or bare.
pub fn is_dump(document: Node<'_>) -> bool {
    let list = document.get("configs").unwrap_or(document);
    let types = list.items().take(8).filter_map(|item| item.get("@type")?.as_str());
    let mut types = types.filter_map(|url| url.rsplit_once('/'));
    types.any(|(_, name)| name.starts_with("envoy.admin.v3.") || name.starts_with("envoy.config."))
}

/// Whether a document is what a discovery service answers with.
pub fn is_discovery(document: Node<'_>) -> bool {
    let resources = document.get("resources").into_iter().flat_map(Node::items).take(8);
    let mut types = resources.filter_map(|resource| resource.get("@type")?.as_str());
    types.any(|url| url.starts_with("type.googleapis.com/envoy."))
}

/// Reads a bootstrap.
pub fn read(root: Node<'_>) -> EnvoyConfig {
    let message = Message::new(root);
    let resources = message.message("static_resources");
    let dynamic = message.message("dynamic_resources");
    let static_messages = |name| resources.map(|found| found.messages(name)).unwrap_or_default();
    EnvoyConfig {
        listeners: static_messages("listeners").into_iter().map(listener::read).collect(),
        clusters: static_messages("clusters").into_iter().map(cluster::read).collect(),
        secrets: static_messages("secrets").into_iter().map(tls::read_secret).collect(),
        listener_discovery: dynamic.and_then(|found| found.message("lds_config")).and_then(read_source),
        cluster_discovery: dynamic.and_then(|found| found.message("cds_config")).and_then(read_source),
        admin: message
            .message("admin")
            .and_then(|admin| admin.message("address"))
            .and_then(listener::read_address),
        has_node: message
            .message("node")
            .map_or((false, false), |node| (node.string("id").is_some(), node.string("cluster").is_some())),
        node: message.message("node").and_then(|node| node.string("id").or_else(|| node.string("cluster"))),
        unwatched: Vec::new(),
        problems: check::check(root, "envoy.config.bootstrap.v3.Bootstrap"),
        span: root.span(),
    }
}

/// Reads the resources of a discovery file.
pub fn read_resources(root: Node<'_>) -> Resources {
    let mut read = Resources {
        problems: check::check(root, "envoy.service.discovery.v3.DiscoveryResponse"),
        ..Resources::default()
    };
    for resource in Message::new(root).messages("resources") {
        // a resource may be wrapped with its name and version
        let inner = match resource.any_type() {
            Some("envoy.service.discovery.v3.Resource") => resource.message("resource").unwrap_or(resource),
            _ => resource,
        };
        match inner.any_type() {
            Some("envoy.config.listener.v3.Listener") => read.listeners.push(listener::read(inner)),
            Some("envoy.config.cluster.v3.Cluster") => read.clusters.push(cluster::read(inner)),
            Some("envoy.extensions.transport_sockets.tls.v3.Secret") => {
                read.secrets.push(tls::read_secret(inner))
            }
            Some("envoy.config.route.v3.RouteConfiguration") => read.routes.push(http::read_routes(inner)),
            Some("envoy.config.endpoint.v3.ClusterLoadAssignment") => {
                if let Some(name) = inner.string("cluster_name") {
                    read.endpoints.push((name, cluster::read_endpoints(inner)));
                }
            }
            _ => {}
        }
    }
    read
}

/// Reads a `core.v3.ConfigSource`; None where it names nothing.
fn read_source(source: Message<'_>) -> Option<ConfigSource> {
    // `path` was replaced by `path_config_source` in 1.21 and still works
    if let Some(path) = source.string("path") {
        return Some(ConfigSource::Path { path, watched_directory: None });
    }
    if let Some(inner) = source.message("path_config_source") {
        let path = inner.string("path")?;
        let watched_directory = inner.message("watched_directory").and_then(|folder| folder.string("path"));
        return Some(ConfigSource::Path { path, watched_directory });
    }
    ["api_config_source", "ads", "self"]
        .iter()
        .any(|name| source.get(name).is_some())
        .then(|| ConfigSource::Remote(source.span()))
}

#[cfg(test)]
mod tests;

//! Clusters: endpoints, discovery, TLS towards them.

use super::listener::{Address, TransportSocket, read_address, read_transport};
use super::proto::Message;
use super::tls::{self, UpstreamTls};
use super::{ConfigSource, read_source};
use crate::source::{Located, Span};

/// A cluster.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Its name; Envoy refuses one without.
    pub name: Option<Located<String>>,
    /// How endpoints are found.
    pub discovery: Discovery,
    /// Endpoints that are written.
    pub endpoints: Vec<ClusterEndpoint>,
    /// TLS or not, unless a match says otherwise.
    pub transport: TransportSocket<UpstreamTls>,
    /// `transport_socket_matches`, in order.
    pub socket_matches: Vec<SocketMatch>,
    /// `transport_socket_matcher`: which socket serves is not known.
    pub custom_matching: Option<Span>,
    /// `auto_sni`: SNI is the Host header of the request.
    pub auto_sni: Option<Located<bool>>,
    /// `auto_san_validation`: the certificate must bear that name.
    pub auto_san_validation: Option<Located<bool>>,
    /// `override_auto_sni_header`: SNI is that header's value.
    pub auto_sni_header: Option<Located<String>>,
    /// HTTP/2 towards the endpoints.
    pub http2: bool,
    /// `dynamic_forward_proxy`'s `allow_insecure_cluster_options`.
    pub allows_insecure_options: Option<Span>,
    /// `eds_cluster_config`.
    pub eds_config: Option<Span>,
    /// Where it is written.
    pub span: Span,
}

/// How a cluster finds its endpoints.
#[derive(Debug, Clone)]
pub enum Discovery {
    /// `STATIC`: addresses.
    Static,
    /// `STRICT_DNS`, `LOGICAL_DNS`: names, resolved.
    Dns {
        /// `LOGICAL_DNS`: one endpoint only.
        logical: bool,
    },
    /// `EDS`: from a source.
    Eds {
        /// `service_name`, else the cluster's.
        service_name: Option<Located<String>>,
        /// Where endpoints come from.
        source: Option<ConfigSource>,
    },
    /// Original destination, dynamic forward proxy, aggregate, …: not known from the configuration.
    Other(Located<String>),
}

/// An endpoint of a cluster.
#[derive(Debug, Clone)]
pub struct ClusterEndpoint {
    /// Its address.
    pub address: Address,
    /// `hostname`: used for SNI by `auto_host_sni` and for the Host header by `auto_host_rewrite`.
    pub hostname: Option<Located<String>>,
    /// `metadata.filter_metadata["envoy.transport_socket_match"]`, as text pairs.
    pub socket_match: Vec<(String, String)>,
    /// Where it is written.
    pub span: Span,
}

/// A transport socket for endpoints whose metadata matches.
#[derive(Debug, Clone)]
pub struct SocketMatch {
    /// Its name.
    pub name: Option<Located<String>>,
    /// Pairs that the endpoint's metadata must hold; empty: any endpoint.
    pub criteria: Vec<(String, String)>,
    /// The socket.
    pub transport: TransportSocket<UpstreamTls>,
    /// Where it is written.
    pub span: Span,
}

impl Cluster {
    /// The transport socket for an endpoint: the first match, else the cluster's own.
    pub fn transport_for(&self, endpoint: &ClusterEndpoint) -> &TransportSocket<UpstreamTls> {
        self.socket_matches
            .iter()
            .find(|candidate| candidate.criteria.iter().all(|pair| endpoint.socket_match.contains(pair)))
            .map_or(&self.transport, |candidate| &candidate.transport)
    }
}

const DISCOVERY_TYPE: &str = "envoy.config.cluster.v3.Cluster.DiscoveryType";
const HTTP_PROTOCOL_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// Reads a `Cluster`.
pub(super) fn read(message: Message<'_>) -> Cluster {
    let options = message
        .map("typed_extension_protocol_options")
        .into_iter()
        .map(|(_, options)| options)
        .find(|options| options.any_type() == Some(HTTP_PROTOCOL_OPTIONS));
    // the cluster's own field is the older place
    let sni_options = options
        .and_then(|options| options.message("upstream_http_protocol_options"))
        .or_else(|| message.message("upstream_http_protocol_options"));
    let speaks_http2 = options.is_some_and(|options| {
        options
            .message("explicit_http_config")
            .is_some_and(|config| config.get("http2_protocol_options").is_some())
    });
    let custom = message.message("cluster_type");
    let proxy_options = custom.and_then(|custom| custom.any("typed_config"));
    Cluster {
        name: message.string("name"),
        discovery: read_discovery(message, custom),
        endpoints: message.message("load_assignment").map(read_endpoints).unwrap_or_default(),
        transport: read_transport(message, &read_upstream_transport),
        socket_matches: message.messages("transport_socket_matches").into_iter().map(read_match).collect(),
        custom_matching: message.get("transport_socket_matcher").map(|node| node.span()),
        auto_sni: sni_options.and_then(|options| options.boolean("auto_sni")),
        auto_san_validation: sni_options.and_then(|options| options.boolean("auto_san_validation")),
        auto_sni_header: sni_options.and_then(|options| options.string("override_auto_sni_header")),
        http2: speaks_http2 || message.get("http2_protocol_options").is_some(),
        eds_config: message.key_span("eds_cluster_config"),
        allows_insecure_options: proxy_options
            .and_then(|options| options.boolean("allow_insecure_cluster_options"))
            .filter(|flag| flag.value)
            .map(|flag| flag.span),
        span: message.span(),
    }
}

/// Reads the endpoints of a `ClusterLoadAssignment`.
pub(super) fn read_endpoints(assignment: Message<'_>) -> Vec<ClusterEndpoint> {
    let mut endpoints = Vec::new();
    for locality in assignment.messages("endpoints") {
        for entry in locality.messages("lb_endpoints") {
            let named = || {
                let name = entry.string("endpoint_name")?;
                assignment.map("named_endpoints").into_iter().find(|(key, _)| key.value == name.value)
            };
            let endpoint = entry.message("endpoint").or_else(|| named().map(|(_, endpoint)| endpoint));
            let Some(endpoint) = endpoint else { continue };
            let Some(address) = endpoint.message("address").and_then(read_address) else { continue };
            let socket_match = entry
                .message("metadata")
                .and_then(|metadata| metadata.message("filter_metadata"))
                .and_then(|filters| filters.message("envoy.transport_socket_match"))
                .map(read_pairs)
                .unwrap_or_default();
            endpoints.push(ClusterEndpoint {
                address,
                hostname: endpoint.string("hostname"),
                socket_match,
                span: endpoint.span(),
            });
        }
    }
    endpoints
}

fn read_discovery(message: Message<'_>, custom: Option<Message<'_>>) -> Discovery {
    if let Some(custom) = custom {
        let name = custom.string("name").unwrap_or_else(|| Located::new(String::new(), custom.span()));
        return match name.value.as_str() {
            "envoy.cluster.static" => Discovery::Static,
            "envoy.cluster.strict_dns" | "envoy.cluster.dns" => Discovery::Dns { logical: false },
            "envoy.cluster.logical_dns" => Discovery::Dns { logical: true },
            _ => Discovery::Other(name),
        };
    }
    let eds = || {
        let config = message.message("eds_cluster_config");
        Discovery::Eds {
            service_name: config.and_then(|config| config.string("service_name")),
            source: config.and_then(|config| config.message("eds_config")).and_then(read_source),
        }
    };
    match message.enumeration("type", DISCOVERY_TYPE) {
        None => Discovery::Static,
        Some(kind) => match kind.value {
            "STATIC" => Discovery::Static,
            "STRICT_DNS" => Discovery::Dns { logical: false },
            "LOGICAL_DNS" => Discovery::Dns { logical: true },
            "EDS" => eds(),
            other => Discovery::Other(Located::new(other.to_owned(), kind.span)),
        },
    }
}

fn read_upstream_transport(config: Message<'_>) -> Option<TransportSocket<UpstreamTls>> {
    Some(match config.any_type()? {
        "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext" => {
            TransportSocket::Tls(Box::new(tls::read_upstream(config)))
        }
        "envoy.extensions.transport_sockets.quic.v3.QuicUpstreamTransport" => {
            TransportSocket::Quic(Box::new(tls::read_upstream(config.message("upstream_tls_context")?)))
        }
        "envoy.extensions.transport_sockets.starttls.v3.UpstreamStartTlsConfig" => {
            TransportSocket::StartTls(Box::new(tls::read_upstream(config.message("tls_socket_config")?)))
        }
        _ => return None,
    })
}

fn read_match(message: Message<'_>) -> SocketMatch {
    SocketMatch {
        name: message.string("name"),
        criteria: message.message("match").map(read_pairs).unwrap_or_default(),
        transport: read_transport(message, &read_upstream_transport),
        span: message.span(),
    }
}

fn read_pairs(message: Message<'_>) -> Vec<(String, String)> {
    message.pairs()
}

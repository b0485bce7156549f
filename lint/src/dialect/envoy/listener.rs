//! Listeners: addresses, filter chains, transport sockets, network filters.

use super::http::{self, HttpManager, Rbac, WasmPlugin};
use super::proto::Message;
use super::tls::{self, DownstreamTls};
use crate::source::{Located, Span};

/// A listener.
#[derive(Debug, Clone)]
pub struct EnvoyListener {
    /// Its name; Envoy makes one up where none is written.
    pub name: Option<Located<String>>,
    /// `address` and `additional_addresses`.
    pub addresses: Vec<Address>,
    /// `address` is written, though it may be a pipe.
    pub has_address: bool,
    /// `filter_chains`, in order.
    pub filter_chains: Vec<FilterChain>,
    /// `default_filter_chain`.
    pub default_filter_chain: Option<FilterChain>,
    /// Listener filters without a configuration.
    pub unconfigured_filters: Vec<Located<String>>,
    /// The tls_inspector is among the listener filters.
    pub inspects_tls: bool,
    /// Chains are chosen by `filter_chain_matcher` or fetched (`fcds_config`): which one serves is not known.
    pub custom_matching: Option<Span>,
    /// Reached only by other listeners (`internal_listener`, `bind_to_port: false`) or by an API.
    pub unbound: bool,
    /// A UDP listener (QUIC).
    pub udp: bool,
    /// Where it is written.
    pub span: Span,
}

impl EnvoyListener {
    /// Every filter chain, the default one last.
    pub fn chains(&self) -> impl Iterator<Item = &FilterChain> {
        self.filter_chains.iter().chain(&self.default_filter_chain)
    }

    /// Every wasm filter, HTTP or network.
    pub fn plugins(&self) -> impl Iterator<Item = &WasmPlugin> {
        self.chains().flat_map(|chain| &chain.filters).flat_map(|filter| {
            let plugins: Vec<&WasmPlugin> = match &filter.kind {
                NetworkFilterKind::Wasm(plugin) => vec![plugin],
                NetworkFilterKind::Http(manager) => {
                    manager.filters.iter().filter_map(|filter| filter.wasm.as_deref()).collect()
                }
                _ => Vec::new(),
            };
            plugins
        })
    }
}

/// A socket address.
#[derive(Debug, Clone)]
pub struct Address {
    /// Host name or IP address.
    pub host: Located<String>,
    /// The port; None: a named port, which a resolver would know.
    pub port: Option<u16>,
    /// `protocol: UDP`.
    pub udp: bool,
    /// `resolver_name`: the host need not be an IP address.
    pub is_resolved: bool,
    /// `network_namespace_filepath`: it is bound in that network namespace.
    pub namespace: Option<String>,
    /// Where it is written.
    pub span: Span,
}

/// A filter chain.
#[derive(Debug, Clone)]
pub struct FilterChain {
    /// Its name.
    pub name: Option<Located<String>>,
    /// Which connections it serves.
    pub matches: FilterChainMatch,
    /// TLS or not.
    pub transport: TransportSocket<DownstreamTls>,
    /// Network filters, in order.
    pub filters: Vec<NetworkFilter>,
    /// Where it is written.
    pub span: Span,
}

/// `filter_chain_match`.
#[derive(Debug, Clone, Default)]
pub struct FilterChainMatch {
    /// `server_names`: exact, or `*.` and a suffix.
    pub server_names: Vec<Located<String>>,
    /// `transport_protocol`: `tls` or `raw_buffer`; empty: any.
    pub transport_protocol: Option<Located<String>>,
    /// `application_protocols` (ALPN).
    pub application_protocols: Vec<Located<String>>,
    /// Criteria on addresses and ports: which clients arrive here is not known.
    pub by_address: Option<Span>,
}

impl FilterChainMatch {
    /// Whether it matches by what only the TLS inspector sees of a connection.
    pub fn looks_into_tls(&self) -> bool {
        !self.server_names.is_empty()
            || !self.application_protocols.is_empty()
            || self.transport_protocol.as_ref().is_some_and(|protocol| protocol.value == "tls")
    }
}

/// A transport socket.
#[derive(Debug, Clone)]
pub enum TransportSocket<T> {
    /// Plaintext.
    Raw,
    /// TLS.
    Tls(Box<T>),
    /// TLS over QUIC.
    Quic(Box<T>),
    /// Plaintext first, TLS on demand.
    StartTls(Box<T>),
    /// A socket that is not read here.
    Other {
        /// Its name.
        name: Located<String>,
        /// The message type of its configuration, if it has one.
        type_name: Option<String>,
    },
}

impl<T> TransportSocket<T> {
    /// The TLS settings, if it starts with TLS over TCP.
    pub fn tls(&self) -> Option<&T> {
        match self {
            Self::Tls(context) => Some(context),
            _ => None,
        }
    }

    /// The TLS settings, however they come into play.
    pub fn any_tls(&self) -> Option<&T> {
        match self {
            Self::Tls(context) | Self::Quic(context) | Self::StartTls(context) => Some(context),
            Self::Raw | Self::Other { .. } => None,
        }
    }
}

/// A network filter.
#[derive(Debug, Clone)]
pub struct NetworkFilter {
    /// Its name.
    pub name: Located<String>,
    /// What it is.
    pub kind: NetworkFilterKind,
    /// A configuration is written, or where it is fetched from.
    pub is_configured: bool,
    /// Where it is written.
    pub span: Span,
}

/// The kinds of [`NetworkFilter`] that are read.
#[derive(Debug, Clone)]
pub enum NetworkFilterKind {
    /// The HTTP connection manager.
    Http(Box<HttpManager>),
    /// `tcp_proxy`: clusters to which it sends bytes.
    TcpProxy(Vec<Located<String>>),
    /// RBAC on connections.
    Rbac(Rbac),
    /// A wasm filter on connections.
    Wasm(Box<WasmPlugin>),
    /// Something else.
    Other,
}

/// Reads a `Listener`.
pub(super) fn read(message: Message<'_>) -> EnvoyListener {
    let mut addresses: Vec<Address> = message.message("address").and_then(read_address).into_iter().collect();
    addresses.extend(
        message
            .messages("additional_addresses")
            .into_iter()
            .filter_map(|additional| additional.message("address").and_then(read_address)),
    );
    let filters = message.messages("listener_filters");
    EnvoyListener {
        name: message.string("name"),
        udp: message.get("udp_listener_config").is_some()
            || (!addresses.is_empty() && addresses.iter().all(|address| address.udp)),
        addresses,
        has_address: message.get("address").is_some(),
        filter_chains: message.messages("filter_chains").into_iter().map(read_chain).collect(),
        default_filter_chain: message.message("default_filter_chain").map(read_chain),
        unconfigured_filters: filters
            .iter()
            .filter(|filter| {
                filter.any("typed_config").is_none_or(|config| config.any_type().is_none())
                    && filter.get("config_discovery").is_none()
            })
            .filter_map(|filter| filter.string("name"))
            .collect(),
        inspects_tls: filters.iter().any(|filter| is_tls_inspector(*filter)),
        custom_matching: ["filter_chain_matcher", "fcds_config"]
            .iter()
            .find_map(|name| message.get(name))
            .map(|node| node.span()),
        unbound: message.get("internal_listener").is_some()
            || message.get("api_listener").is_some()
            || message.boolean("bind_to_port").is_some_and(|flag| !flag.value),
        span: message.span(),
    }
}

/// Reads a `core.v3.Address`; None for a pipe or an internal address.
pub(super) fn read_address(message: Message<'_>) -> Option<Address> {
    let socket = message.message("socket_address")?;
    let port = socket.number("port_value");
    Some(Address {
        host: socket.string("address")?,
        // port_value set to 0 is proto3's default: the kernel chooses
        port: match port {
            Some(port) => u16::try_from(port.value).ok(),
            None if socket.get("named_port").is_some() => None,
            None => Some(0),
        },
        is_resolved: socket.string("resolver_name").is_some(),
        namespace: socket.string("network_namespace_filepath").map(|path| path.value),
        udp: socket.enumeration("protocol", PROTOCOL).is_some_and(|protocol| protocol.value == "UDP"),
        span: socket.span(),
    })
}

const PROTOCOL: &str = "envoy.config.core.v3.SocketAddress.Protocol";

fn is_tls_inspector(filter: Message<'_>) -> bool {
    let by_type = filter.any("typed_config").and_then(|config| config.any_type().map(str::to_owned));
    match by_type {
        Some(name) => name == "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
        None => {
            filter.string("name").is_some_and(|name| name.value == "envoy.filters.listener.tls_inspector")
        }
    }
}

fn read_chain(message: Message<'_>) -> FilterChain {
    FilterChain {
        name: message.string("name"),
        matches: message.message("filter_chain_match").map(read_match).unwrap_or_default(),
        transport: read_transport(message, &read_downstream_transport),
        filters: message.messages("filters").into_iter().map(read_filter).collect(),
        span: message.span(),
    }
}

fn read_match(message: Message<'_>) -> FilterChainMatch {
    const BY_ADDRESS: [&str; 8] = [
        "destination_port",
        "prefix_ranges",
        "address_suffix",
        "suffix_len",
        "direct_source_prefix_ranges",
        "source_type",
        "source_prefix_ranges",
        "source_ports",
    ];
    FilterChainMatch {
        server_names: message.strings("server_names"),
        transport_protocol: message.string("transport_protocol"),
        application_protocols: message.strings("application_protocols"),
        by_address: BY_ADDRESS.iter().find_map(|name| message.get(name)).map(|node| node.span()),
    }
}

fn read_downstream_transport(config: Message<'_>) -> Option<TransportSocket<DownstreamTls>> {
    Some(match config.any_type()? {
        "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext" => {
            TransportSocket::Tls(Box::new(tls::read_downstream(config)))
        }
        "envoy.extensions.transport_sockets.quic.v3.QuicDownstreamTransport" => {
            TransportSocket::Quic(Box::new(tls::read_downstream(config.message("downstream_tls_context")?)))
        }
        "envoy.extensions.transport_sockets.starttls.v3.StartTlsConfig" => {
            TransportSocket::StartTls(Box::new(tls::read_downstream(config.message("tls_socket_config")?)))
        }
        _ => return None,
    })
}

/// How a typed configuration of one direction is read as a transport socket.
pub(super) type TransportReader<T> = dyn Fn(Message<'_>) -> Option<TransportSocket<T>>;

/// Reads the `transport_socket` of a filter chain, a cluster or a match, looking through wrapping sockets.
pub(super) fn read_transport<T>(parent: Message<'_>, read: &TransportReader<T>) -> TransportSocket<T> {
    let Some(socket) = parent.message("transport_socket") else { return TransportSocket::Raw };
    let name = socket.string("name").unwrap_or_else(|| Located::new(String::new(), socket.span()));
    let mut config = socket.any("typed_config");
    // tap in proxy_protocol in tls: nobody nests deeper than this
    for _ in 0..4 {
        let Some(inner) = config else { break };
        match inner.any_type() {
            Some("envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer") => {
                return TransportSocket::Raw;
            }
            Some(
                "envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport"
                | "envoy.extensions.transport_sockets.tap.v3.Tap"
                | "envoy.extensions.transport_sockets.tcp_stats.v3.Config",
            ) => match inner.message("transport_socket") {
                Some(wrapped) => config = wrapped.any("typed_config"),
                None => break,
            },
            type_name => {
                let other = || TransportSocket::Other { name, type_name: type_name.map(str::to_owned) };
                return read(inner).unwrap_or_else(other);
            }
        }
    }
    TransportSocket::Other { name, type_name: None }
}

fn read_filter(message: Message<'_>) -> NetworkFilter {
    let config = message.any("typed_config");
    let kind = match config.and_then(|config| Some((config, config.any_type()?))) {
        Some((
            config,
            "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
            | "envoy.extensions.filters.network.http_connection_manager.v3.EnvoyMobileHttpConnectionManager",
        )) => NetworkFilterKind::Http(Box::new(http::read_manager(config))),
        Some((config, "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy")) => {
            NetworkFilterKind::TcpProxy(read_tcp_clusters(config))
        }
        Some((config, "envoy.extensions.filters.network.rbac.v3.RBAC")) => {
            NetworkFilterKind::Rbac(http::read_rbac(config))
        }
        Some((config, "envoy.extensions.filters.network.wasm.v3.Wasm")) => {
            NetworkFilterKind::Wasm(Box::new(http::read_wasm(config)))
        }
        _ => NetworkFilterKind::Other,
    };
    let name = message.string("name").unwrap_or_else(|| Located::new(String::new(), message.span()));
    let is_configured =
        config.is_some_and(|config| config.any_type().is_some()) || message.get("config_discovery").is_some();
    NetworkFilter { name, kind, is_configured, span: message.span() }
}

fn read_tcp_clusters(config: Message<'_>) -> Vec<Located<String>> {
    if let Some(cluster) = config.string("cluster") {
        return vec![cluster];
    }
    let weighted = config.message("weighted_clusters").map(|weighted| weighted.messages("clusters"));
    weighted.unwrap_or_default().into_iter().filter_map(|cluster| cluster.string("name")).collect()
}

//! Places where a program listens, and what it asks of its clients.

use std::net::IpAddr;

use super::{Algorithms, Credential, PathChecks, Protocols, Refusal, Setting, Trust};
use crate::source::{Located, Span};

/// A socket that accepts connections.
#[derive(Debug, Clone)]
pub struct Listener {
    /// What it is for.
    pub purpose: ListenerPurpose,
    /// Addresses and ports, as bound.
    pub binds: Vec<Bind>,
    /// None: plaintext.
    pub tls: Option<ListenerTls>,
    /// What it does with a request after the handshake.
    pub gate: Gate,
    /// Configuration refused that concerns this listener only (an APISIX ssl object, an Envoy listener).
    pub refusals: Vec<Refusal>,
    /// What could not be seen of it.
    pub unseen: Vec<String>,
    /// Where it is configured.
    pub span: Span,
}

impl Listener {
    /// A plaintext listener that lets every request through.
    pub fn new(purpose: ListenerPurpose, binds: Vec<Bind>, span: Span) -> Self {
        Self { purpose, binds, tls: None, gate: Gate::Open, refusals: Vec::new(), unseen: Vec::new(), span }
    }
}

/// What a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenerPurpose {
    /// Requests of clients (nginx server, APISIX data plane, Envoy listener, etcd client URL).
    Clients,
    /// etcd members.
    Peers,
    /// APISIX's Admin API.
    Admin,
    /// Metrics and health.
    Metrics,
}

/// One address and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// None: every address.
    pub address: Option<IpAddr>,
    /// The port.
    pub port: u16,
    /// Where it is written.
    pub span: Span,
}

/// TLS at a listener: which context serves a client depends on its SNI.
#[derive(Debug, Clone)]
pub struct ListenerTls {
    /// The contexts in the order of the configuration.
    pub contexts: Vec<ServerContext>,
    /// How the program chooses among them.
    pub selection: Selection,
}

/// How a server chooses a context by SNI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// There is one.
    Single,
    /// nginx: exact, longest `*.` prefix, longest `.*` suffix, regex, else the default server.
    Nginx {
        /// Index of the default server among the contexts.
        default: usize,
    },
    /// APISIX: most specific ssl object; none: the handshake fails.
    Apisix {
        /// `apisix.ssl.fallback_sni`, for clients without SNI.
        fallback: Option<Located<String>>,
        /// For each context: whether its names were written as a list (`snis`), where a lone `*` does not match any name.
        lists: Vec<bool>,
        /// Every ssl object was seen: a name that none of them has is refused. Otherwise another one may have it.
        complete: bool,
    },
    /// Envoy: `filter_chain_match.server_names`, exact, then the longest `*.` suffix, then chains without names;
    /// no match and no default: the connection is reset.
    Envoy {
        /// Index of the default filter chain's context, if it speaks TLS.
        default: Option<usize>,
        /// A filter chain serves connections without TLS on the same port.
        plaintext: bool,
        /// Filter chains that hand TLS on unread, by the names for which they do.
        passages: Vec<Passage>,
    },
}

/// Names whose connections end elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// Patterns of the SNI.
    pub names: Vec<Located<String>>,
    /// Where they go; completes "undetermined because …".
    pub why: String,
}

/// A server's TLS settings for some names.
#[derive(Debug, Clone)]
pub struct ServerContext {
    /// Patterns of the SNI (or server names); empty: any.
    pub names: Vec<Located<String>>,
    /// Certificates and keys; servers may have one per key type.
    pub credentials: Vec<Credential>,
    /// What it asks of clients.
    pub client_auth: ClientAuth,
    /// Protocol versions spoken.
    pub protocols: Setting<Protocols>,
    /// Cipher list as written, if it is.
    pub ciphers: Option<Located<String>>,
    /// Groups and signature algorithms, as written.
    pub algorithms: Algorithms,
    /// nginx's `ssl_reject_handshake`.
    pub rejects_handshake: bool,
    /// Configuration refused that concerns this context only.
    pub refusals: Vec<Refusal>,
    /// Where it is configured.
    pub span: Span,
}

/// What a server asks of its clients.
#[derive(Debug, Clone)]
pub struct ClientAuth {
    /// Whether and how.
    pub mode: Setting<ClientAuthMode>,
    /// Trust bundles, in the order they are loaded.
    pub trust: Vec<Trust>,
    /// Checks on path and names.
    pub checks: PathChecks,
    /// APISIX's `skip_mtls_uri_regex`: verification moves to the request.
    pub skip_paths: Vec<Located<String>>,
}

/// Whether a server asks for a client certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuthMode {
    /// It does not ask.
    Off,
    /// It asks; none is fine, a bad one is not.
    Optional,
    /// nginx's `optional_no_ca`: it asks, and tolerates unknown issuers.
    OptionalNoCa,
    /// It insists.
    Required,
}

/// What happens to a request once the handshake is done.
#[derive(Debug, Clone, Default)]
pub enum Gate {
    /// Nothing beside TLS.
    #[default]
    Open,
    /// nginx's `http`: verification failed or no certificate where one is required: 400. The server is chosen again,
    /// among the listener's contexts, by the Host header: its mode counts, and where it verifies clients and the
    /// client sent another SNI than this Host, the answer is 421.
    NginxHttp,
    /// nginx's `stream` and `mail`: the connection is closed after the handshake where verification failed.
    NginxConnection,
    /// APISIX's data plane: Host against SNI, `skip_mtls_uri_regex`, no route.
    ApisixData,
    /// APISIX's Admin API: `allow_admin`, then the key.
    ApisixAdmin {
        /// Networks let in; None: the default 127.0.0.0/24.
        allow: Setting<Vec<String>>,
        /// SHA-256 of the keys that are configured (never the keys); None when the program makes a random one.
        keys: Option<Vec<[u8; 32]>>,
        /// Why there may be other keys; None: all are known.
        keys_unseen: Option<String>,
        /// The keys are those that the program ships; none is written.
        shipped_keys: bool,
        /// `admin_key_required`.
        key_required: bool,
    },
    /// etcd's client port: the gRPC gateway under /v3.
    Etcd {
        /// Whether the gateway is on.
        gateway: Setting<bool>,
        /// The gateway's own connection to this member: index into the program's dialers.
        gateway_dialer: Option<usize>,
    },
}

//! Places to which a program dials, for which requests, and what it asks of servers.

use super::{Algorithms, Credential, PathChecks, Protocols, Refusal, Request, Setting, Trust};
use crate::source::{Located, Span};

/// A place to which a program dials.
#[derive(Debug, Clone)]
pub struct Dialer {
    /// What for.
    pub purpose: DialerPurpose,
    /// Whom.
    pub target: Target,
    /// None: plaintext.
    pub tls: Option<ClientTls>,
    /// Which requests use it; empty: it dials on its own.
    pub routes: Vec<RouteMatch>,
    /// What it speaks within the connection.
    pub speaks: Speaks,
    /// The request for which it dials, where that is known beforehand (a command line, a probe).
    pub request: Option<Request>,
    /// What it puts before the path of every request (`/` of an etcd URL with a trailing slash); mostly empty.
    pub path_prefix: String,
    /// The Host header of requests that it passes on, where it is not the one it received (nginx sends that of the
    /// upstream).
    pub sends_host: Option<String>,
    /// Configuration refused that concerns this dialer only (an APISIX route, an Envoy cluster).
    pub refusals: Vec<Refusal>,
    /// What could not be seen of it.
    pub unseen: Vec<String>,
    /// Why it is not known where it dials, where a part of the target is made when it runs (`https://$host`).
    pub unseen_target: Option<String>,
    /// Where it is configured.
    pub span: Span,
}

impl Dialer {
    /// A dialer that speaks HTTP without TLS, on its own account.
    pub fn new(purpose: DialerPurpose, target: Target, span: Span) -> Self {
        Self {
            purpose,
            target,
            tls: None,
            routes: Vec::new(),
            speaks: Speaks::Http,
            request: None,
            path_prefix: String::new(),
            sends_host: None,
            refusals: Vec::new(),
            unseen: Vec::new(),
            unseen_target: None,
            span,
        }
    }
}

/// Why a program dials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DialerPurpose {
    /// A gateway's upstream.
    Upstream,
    /// APISIX's configuration store.
    Configuration,
    /// etcd's other members.
    Peer,
    /// etcd's gRPC gateway, dialling its own client port.
    Gateway,
    /// A command line.
    Command,
    /// A probe of the kubelet.
    Probe,
}

/// Whom a dialer dials.
#[derive(Debug, Clone)]
pub struct Target {
    /// As it is shown: `https://etcd:2379`.
    pub url: String,
    /// Host name or address, without brackets.
    pub host: Located<String>,
    /// The port.
    pub port: u16,
    /// Where the connection really goes, if not to `host` (`--resolve`, `--connect-to`, an Envoy endpoint's address).
    pub connect_to: Option<(String, u16)>,
}

/// The protocol within a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Speaks {
    /// HTTP/1.1, or HTTP/2 by ALPN.
    #[default]
    Http,
    /// HTTP/2 from the first byte (gRPC): a TLS port that meets it without TLS answers what it cannot read.
    Http2,
    /// Bytes of any protocol.
    Stream,
}

/// A client's TLS settings.
#[derive(Debug, Clone)]
pub struct ClientTls {
    /// What it presents when asked.
    pub credential: Option<Credential>,
    /// Whether it verifies the server's certificate at all.
    pub verify: Setting<bool>,
    /// Trust bundles, in the order they are loaded.
    pub trust: Vec<Trust>,
    /// The name it sends as SNI; None: it sends none.
    pub server_name: Option<String>,
    /// The reference identifier it compares with the certificate; None: names are not looked at.
    pub reference: Option<Located<String>>,
    /// Checks on path and names.
    pub checks: PathChecks,
    /// Protocol versions offered.
    pub protocols: Setting<Protocols>,
    /// Cipher list as written, if it is.
    pub ciphers: Option<Located<String>>,
    /// Groups and signature algorithms, as written.
    pub algorithms: Algorithms,
    /// Only the end-entity certificate is sent, whatever the file holds (`openssl s_client -cert`).
    pub sends_end_entity_only: bool,
    /// A failed verification is printed and ignored (`openssl s_client` without `-verify_return_error`).
    pub tolerates_failure: bool,
    /// The name is the host of the request that it passes on, without port (APISIX's `pass_host: pass`, nginx's
    /// `proxy_ssl_name $host`). That `server_name` is there then tells that a name is sent, and `reference` that one
    /// is compared; their text is not used.
    pub names_from_request: bool,
    /// What becomes of a certificate and a key that can be read, but not used together.
    pub unfit_credential: UnfitCredential,
    /// The credential's files are opened by an unprivileged user: one that only root may read is refused.
    pub reads_unprivileged: bool,
    /// Where it is configured.
    pub span: Span,
}

impl ClientTls {
    /// A client that presents nothing, sends and compares no name, and trusts nobody.
    pub fn new(verify: Setting<bool>, protocols: Setting<Protocols>, span: Span) -> Self {
        Self {
            credential: None,
            verify,
            trust: Vec::new(),
            server_name: None,
            reference: None,
            checks: PathChecks::default(),
            protocols,
            ciphers: None,
            algorithms: Algorithms::default(),
            sends_end_entity_only: false,
            tolerates_failure: false,
            names_from_request: false,
            unfit_credential: UnfitCredential::Refused,
            reads_unprivileged: false,
            span,
        }
    }
}

/// What a client does with a certificate and a key that can be read, but not used: they do not belong together,
/// or the security level forbids them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnfitCredential {
    /// It does not dial: its configuration is refused.
    #[default]
    Refused,
    /// It dials without a certificate.
    Dropped,
    /// A key of the certificate's own type fails the handshake at the client; of another type, the certificate is left out.
    FailsHandshake,
}

/// Requests that use a dialer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteMatch {
    /// Index of the listener in the same program; None: any of its `Clients` listeners.
    pub listener: Option<usize>,
    /// Host patterns; empty: any. `*.example.test` stands for one or more labels, `www.*` for what follows,
    /// `~expression` for a regular expression searched in any case (nginx).
    pub hosts: Vec<String>,
    /// Path patterns.
    pub paths: Vec<PathPattern>,
    /// Methods; empty: any.
    pub methods: Vec<String>,
    /// Among several matches the greatest wins (the program's own order).
    pub priority: i64,
}

/// A path pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathPattern {
    /// Equal.
    Exact(String),
    /// Starts with.
    Prefix(String),
    /// A regular expression (searched).
    Regex(String),
    /// APISIX radixtree with parameters (`/a/:id`, `/b/*`).
    Radix(String),
}

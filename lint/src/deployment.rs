//! The deployment: programs, the endpoints at which they listen and dial, and the files these load.
//!
//! Everything here is resolved: no path, name or reference is left for a rule or a prediction to follow.
//! What could not be followed says so: [`Lookup::Missing`] (we saw where it had to be) or
//! [`Lookup::Unseen`] (it lies outside the sources). An error never rests on `Unseen`.

use crate::finding::Label;
use crate::source::{FileId, Located, Span, Text};

/// A followed reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup<T> {
    /// It is there.
    Found(T),
    /// We saw where it had to be and it is not: what is missing, with the places that show it.
    Missing(Missing),
    /// It lies outside the sources: the text completes "undetermined because …".
    Unseen(String),
}

/// A reference that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The rule that names this mistake (`unmounted-path`, `missing-secret`, …).
    pub rule: &'static str,
    /// What is missing and where it was looked for.
    pub message: String,
    /// Places that show it (the mount, the Secret, …), apart from the reference itself.
    pub labels: Vec<Label>,
}

impl<T> Lookup<T> {
    /// What was found.
    pub fn found(&self) -> Option<&T> {
        match self {
            Self::Found(value) => Some(value),
            Self::Missing(_) | Self::Unseen(_) => None,
        }
    }

    /// Applies a change to what was found.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Lookup<U> {
        match self {
            Self::Found(value) => Lookup::Found(change(value)),
            Self::Missing(missing) => Lookup::Missing(missing),
            Self::Unseen(why) => Lookup::Unseen(why),
        }
    }
}

/// A setting with its place: given, or a default whose parent is where it could be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting<T> {
    /// Written by the user.
    Given(Located<T>),
    /// Not written: the program's default (of its version), labelled at the block that lacks it.
    Default {
        /// The default's value.
        value: T,
        /// Where it could have been written.
        parent: Span,
    },
}

impl<T> Setting<T> {
    /// The value in force.
    pub fn value(&self) -> &T {
        match self {
            Self::Given(located) => &located.value,
            Self::Default { value, .. } => value,
        }
    }

    /// Where it is, or would be, written.
    pub fn span(&self) -> Span {
        match self {
            Self::Given(located) => located.span,
            Self::Default { parent, .. } => *parent,
        }
    }

    /// Whether the user wrote it.
    pub fn is_given(&self) -> bool {
        matches!(self, Self::Given(_))
    }
}

/// A whole deployment, every reference followed.
#[derive(Debug, Clone, Default)]
pub struct Deployment {
    /// Every program that listens or dials.
    pub programs: Vec<Program>,
    /// Certificates that cert-manager will issue.
    pub planned: Vec<PlannedCertificate>,
    /// Addresses of every name that the machine knows (lower case), where that is seen (`--root`).
    pub hosts: Option<std::collections::BTreeMap<String, Vec<std::net::IpAddr>>>,
    /// A client endpoint meeting a server endpoint, or waiting for callers we do not know.
    pub connections: Vec<Connection>,
    /// What Kubernetes manifests say beyond programs.
    pub manifests: crate::resolve::kubernetes::Facts,
}

/// Index into [`Deployment::programs`].
pub type ProgramId = usize;
/// Index into [`Deployment::planned`].
pub type PlannedId = usize;

/// What a program is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProgramKind {
    /// Apache APISIX (OpenResty, OpenSSL).
    Apisix,
    /// curl with OpenSSL.
    Curl,
    /// Envoy (BoringSSL).
    Envoy,
    /// etcd (Go).
    Etcd,
    /// etcdctl (Go).
    Etcdctl,
    /// nginx (OpenSSL).
    Nginx,
    /// `openssl s_client`.
    Openssl,
    /// The kubelet, as a prober.
    Kubelet,
}

impl ProgramKind {
    /// The word of the JSON contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Apisix => "apisix",
            Self::Curl => "curl",
            Self::Envoy => "envoy",
            Self::Etcd => "etcd",
            Self::Etcdctl => "etcdctl",
            Self::Nginx => "nginx",
            Self::Openssl => "openssl",
            Self::Kubelet => "kubelet",
        }
    }
}

/// A dotted version number; missing parts count as zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// Reads `1.26.3`, `v3.5`, `3.2.0-debian`; None if it does not start with a number.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let mut parts = text.split(|c: char| !c.is_ascii_digit() && c != '.').next()?.split('.');
        let major = parts.next()?.parse().ok()?;
        let mut next = || parts.next().and_then(|part| part.parse().ok()).unwrap_or(0);
        Some(Self(major, next(), next()))
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// The version of a program and of the TLS library inside it, and how we know.
#[derive(Debug, Clone)]
pub struct Versions {
    /// The program's own version.
    pub program: Version,
    /// Where the program's version comes from.
    pub known_from: KnownFrom,
    /// The library that does TLS.
    pub stack: Stack,
}

/// How a version is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownFrom {
    /// `--assume`.
    Assumed,
    /// The tag of a container image.
    Image(Span),
    /// Our stated default.
    Default,
}

/// The library that judges certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stack {
    /// OpenSSL of a version at a security level.
    OpenSsl {
        /// OpenSSL's version.
        version: Version,
        /// 0 to 5; Debian's default is 2, upstream's 1 (2 from OpenSSL 3.2).
        security_level: u8,
    },
    /// Go's crypto/tls of a Go version.
    Go(Version),
    /// BoringSSL as Envoy builds it.
    BoringSsl,
}

/// A running program: one container, one configuration beneath `--root`, or one command.
#[derive(Debug, Clone)]
pub struct Program {
    /// What it is.
    pub kind: ProgramKind,
    /// `Pod tls/etcd`, `etcd m1`, `nginx srv.example.test`.
    pub name: String,
    /// The file that defines it.
    pub file: Option<FileId>,
    /// Where it is defined.
    pub span: Option<Span>,
    /// Program and library versions.
    pub versions: Versions,
    /// Host names that it says others know it by (etcd's advertised URLs), for files without a network around them.
    pub aliases: Vec<String>,
    /// Index of the machine it runs on: its files and its names (see `resolve`).
    pub machine: usize,
    /// Trust bundles that it loads when it starts, whether or not anything verifies with them: one that cannot be
    /// loaded stops it (OpenResty's `lua_ssl_trusted_certificate`).
    pub bundles: Vec<Trust>,
    /// Places where it listens.
    pub listeners: Vec<Listener>,
    /// Places to which it dials.
    pub dialers: Vec<Dialer>,
    /// Requests that it answers itself (redirects, fixed responses, a virtual host without a route): among the
    /// routes of its dialers and these, the greatest priority wins.
    pub answers: Vec<RouteMatch>,
    /// Configuration that this program, in this version, refuses before it opens any file.
    pub refusals: Vec<Refusal>,
    /// What could not be seen of its configuration; completes "undetermined because …".
    pub unseen: Vec<String>,
    /// What its configuration says beyond TLS endpoints, for the rules of its vendor.
    pub configuration: Configuration,
}

/// A program's configuration in its vendor's words, kept for the vendor's rules.
#[derive(Debug, Clone, Default)]
pub enum Configuration {
    /// None was seen.
    #[default]
    Unseen,
    /// APISIX's.
    Apisix(Box<crate::dialect::apisix::Facts>),
    /// etcd's.
    Etcd(Box<crate::dialect::etcd::EtcdConfig>),
    /// nginx's.
    Nginx(Box<crate::dialect::nginx::NginxConfig>),
    /// Envoy's.
    Envoy(Box<crate::dialect::envoy::EnvoyConfig>),
}

/// A setting that a program refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The rule that names the mistake.
    pub rule: &'static str,
    /// What it refuses and why.
    pub message: String,
    /// Where; the first is the primary place.
    pub labels: Vec<Label>,
    /// The line the program prints, as far as it is known for that version.
    pub log: Option<String>,
}

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
    pub address: Option<std::net::IpAddr>,
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
    },
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
    /// nginx's `ssl_reject_handshake`.
    pub rejects_handshake: bool,
    /// Configuration refused that concerns this context only.
    pub refusals: Vec<Refusal>,
    /// Where it is configured.
    pub span: Span,
}

/// A certificate file with its key, as deployed.
#[derive(Debug, Clone)]
pub struct Credential {
    /// End-entity certificate and intermediates.
    pub certificate: FileRef,
    /// The private key; None where the configuration gives none.
    pub key: Option<FileRef>,
    /// A passphrase is configured (its value is never kept).
    pub has_passphrase: bool,
}

/// A file as a program meets it.
#[derive(Debug, Clone)]
pub struct FileRef {
    /// The path (or the name of the inline value) as written.
    pub path: Located<String>,
    /// What is found there.
    pub content: Lookup<Content>,
    /// Only the owner (root) may read it: bits of the mode, where known.
    pub mode: Option<u32>,
}

/// What a file holds.
#[derive(Debug, Clone)]
pub enum Content {
    /// Its bytes, with a map to where the user wrote them.
    Bytes(Text),
    /// Certificates that cert-manager will write there, end-entity first.
    PlannedCertificates(Vec<PlannedId>),
    /// The private key that cert-manager will write there.
    PlannedKey(PlannedId),
    /// A folder stands there.
    Folder,
    /// It will be there, empty (cert-manager's ca.crt of an ACME issuer).
    Empty,
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

/// A source of trust anchors.
#[derive(Debug, Clone)]
pub enum Trust {
    /// A bundle.
    File {
        /// The file.
        file: FileRef,
        /// How the program loads it: the rules for labels differ.
        loader: TrustLoader,
    },
    /// The system's store.
    System(Span),
}

/// How a trust bundle is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrustLoader {
    /// nginx `ssl_client_certificate`, APISIX `admin_ssl_ca_cert`: also read by SSL_load_client_CA_file.
    ClientCaList,
    /// nginx `*_ssl_trusted_certificate`, curl `--cacert`, `lua_ssl_trusted_certificate`: SSL_CTX_load_verify_locations.
    Anchors,
    /// APISIX ssl object `client.ca`: lua, PEM_read_bio_X509_AUX for the first block.
    ApisixClientCa,
    /// Go: every PEM block of the file.
    Go,
    /// Envoy's `trusted_ca`.
    Envoy,
}

/// Checks that both kinds of verifier know.
#[derive(Debug, Clone, Default)]
pub struct PathChecks {
    /// Configured depth (its meaning is the program's), where the program has such a setting.
    pub depth: Option<Setting<u32>>,
    /// Revocation lists.
    pub crls: Vec<FileRef>,
    /// Envoy's `only_verify_leaf_cert_crl`.
    pub only_end_entity_crl: bool,
    /// Names the peer's certificate must bear (Envoy SAN matchers, etcd allowed-cn and allowed-hostname): any of them.
    /// etcd looks at verified paths only: a dialer that does not verify (its gateway) never passes them.
    pub names: Vec<Located<NameCheck>>,
    /// SHA-256 pins of certificates or public keys (Envoy).
    pub pins: Vec<Located<String>>,
    /// Envoy's `allow_expired_certificate`.
    pub allow_expired: Option<Span>,
    /// Envoy's ACCEPT_UNTRUSTED.
    pub accept_untrusted: Option<Span>,
    /// etcd's peer and metrics ports: the names in the client's certificate must belong to the address it calls from.
    pub peer_address: bool,
    /// `openssl s_client -partial_chain`: any certificate of the bundle ends a path, self-signed or not.
    pub partial_path: bool,
}

/// A name that a verifier demands of the peer's certificate, beside host name verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameCheck {
    /// etcd's allowed-cn.
    CommonName(String),
    /// etcd's allowed-hostname (Go rules).
    Hostname(String),
    /// Envoy's `match_typed_subject_alt_names`.
    San {
        /// DNS, URI, EMAIL, IP_ADDRESS, OTHER_NAME.
        kind: String,
        /// How it compares.
        matcher: StringMatcher,
    },
}

/// Envoy's StringMatcher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StringMatcher {
    /// Equal.
    Exact(String),
    /// Starts with.
    Prefix(String),
    /// Ends with.
    Suffix(String),
    /// Contains.
    Contains(String),
    /// RE2, whole string.
    Regex(String),
    /// A matcher we cannot evaluate.
    Other(String),
}

/// TLS versions spoken.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Protocols {
    /// In rising order.
    pub versions: Vec<Protocol>,
}

/// A protocol version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// SSL 2 or 3: never negotiated.
    Ssl3,
    /// TLS 1.0.
    Tls10,
    /// TLS 1.1.
    Tls11,
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
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
    /// Where it is configured.
    pub span: Span,
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

/// A request that a command makes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// GET, POST, …
    pub method: String,
    /// The Host header or :authority.
    pub host: String,
    /// Path and query.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The address from which the server sees it come, when known.
    pub from: Option<std::net::IpAddr>,
}

impl Request {
    /// The host without its port.
    pub fn host_name(&self) -> &str {
        match self.host.rsplit_once(':') {
            Some((name, port))
                if !name.ends_with(':')
                    && (!name.contains(':') || name.ends_with(']'))
                    && port.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                name
            }
            _ => &self.host,
        }
    }
}

/// A client endpoint meeting a server endpoint.
#[derive(Debug, Clone)]
pub struct Connection {
    /// None: callers that we do not know.
    pub client: Option<(ProgramId, usize)>,
    /// Program and index of its listener.
    pub server: Lookup<(ProgramId, usize)>,
    /// As shown: `https://etcd:2379`.
    pub url: String,
    /// The port of the URL.
    pub port: u16,
    /// The request that opens it or goes over it.
    pub request: Option<Request>,
    /// Name and kind of a server that lies outside the sources, for display.
    pub server_label: Option<String>,
    /// How the client's name led to the server (Service, Pod, hosts file), for `why` and labels.
    pub path: Vec<Label>,
}

/// A certificate that cert-manager has not issued yet, as far as its Certificate determines it.
#[derive(Debug, Clone)]
pub struct PlannedCertificate {
    /// `Certificate tls/etcd-server`.
    pub name: String,
    /// The Certificate's metadata.name.
    pub span: Span,
    /// Subject as RFC 4514 text; empty: an empty subject.
    pub subject: Setting<String>,
    /// Common name, if any.
    pub common_name: Option<Located<String>>,
    /// Subject alternative names.
    pub dns_names: Vec<Located<String>>,
    /// Subject alternative names.
    pub email_addresses: Vec<Located<String>>,
    /// Subject alternative names.
    pub ip_addresses: Vec<Located<String>>,
    /// Subject alternative names.
    pub uris: Vec<Located<String>>,
    /// basicConstraints cA.
    pub is_ca: Setting<bool>,
    /// RFC 5280 names of the key usage bits (`digitalSignature`, `keyEncipherment`, `keyCertSign`, …); empty: no extension.
    pub key_usage: Setting<Vec<&'static str>>,
    /// Dotted OIDs of the extended key usage; empty: no extension.
    pub extended_key_usage: Setting<Vec<String>>,
    /// Algorithm and size of the key.
    pub key: PlannedKey,
    /// Lifetime in seconds.
    pub duration: Setting<i64>,
    /// Seconds before the end at which it is renewed.
    pub renew_before: Setting<i64>,
    /// Whether a renewal makes a new key (`privateKey.rotationPolicy: Always`).
    pub rotates_key: Setting<bool>,
    /// Who signs it.
    pub issuer: PlannedIssuer,
}

/// Algorithm of a planned key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlannedKey {
    /// RSA of a size in bits.
    Rsa(u32),
    /// ECDSA on P-256, P-384 or P-521.
    Ecdsa(u32),
    /// Ed25519.
    Ed25519,
}

/// Who signs a planned certificate.
#[derive(Debug, Clone)]
pub enum PlannedIssuer {
    /// Itself.
    SelfSigned,
    /// Another planned certificate.
    Planned(PlannedId),
    /// A CA whose certificates are in the sources (end of a CA issuer's Secret).
    Certificate(FileRef),
    /// A public CA (ACME against a public directory).
    Public,
    /// An issuer outside the sources (vault, venafi, external, private ACME), with a name that tells two of them apart.
    Unknown {
        /// `ClusterIssuer vault`.
        name: String,
        /// Completes "undetermined because …".
        why: String,
    },
    /// Nobody: the certificate will not be issued.
    Nobody(Missing),
}

//! config.yaml: what APISIX starts with.

mod admin;
mod etcd;
mod read;
mod schema;
mod snippet;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use crate::deployment::{Protocols, Refusal, Setting, Version};
use crate::source::{Located, Span};

pub use read::{protocols, read, recognises, recognises_at};

/// config.yaml, merged with the defaults of its version.
#[derive(Debug, Clone)]
pub struct Config {
    /// The whole document.
    pub span: Span,
    /// The version that reads it.
    pub version: Version,
    /// Which parts of APISIX run.
    pub role: Setting<Role>,
    /// Where its objects come from.
    pub provider: Setting<Provider>,
    /// Plaintext ports of the data plane.
    pub plain: Vec<Listen>,
    /// `apisix.ssl`.
    pub ssl: Ssl,
    /// The Admin API; None: it is off.
    pub admin: Option<Admin>,
    /// The control API; None: it is off.
    pub control: Option<Listen>,
    /// Prometheus metrics; None: they have no port of their own.
    pub metrics: Option<Listen>,
    /// Ports of layer 4.
    pub stream: Vec<StreamListen>,
    /// `deployment.etcd`, or 2.x's `etcd`.
    pub etcd: Etcd,
    /// 3.0 to 3.5: the port at which a control plane serves its data planes.
    pub conf_server: Option<ConfServer>,
    /// 3.0 to 3.5: the control plane that a data plane dials.
    pub control_plane: Option<ControlPlane>,
    /// `nginx_config`.
    pub nginx: Nginx,
    /// `wasm.plugins`.
    pub wasm: Vec<WasmPlugin>,
    /// `plugins`, if the list is written.
    pub plugins: Option<Vec<Located<String>>>,
    /// `apisix.router.http`.
    pub router: Setting<Router>,
    /// The keys that encrypt private keys at rest are the published ones.
    pub published_keyring: Setting<bool>,
    /// Keys that this version does not look at.
    pub ignored: Vec<Located<Ignored>>,
    /// What it refuses: APISIX does not start.
    pub refusals: Vec<Refusal>,
    /// What could not be seen, and which part it concerns.
    pub unseen: Vec<(Area, String)>,
}

/// A part of the configuration that something unseen concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// The Admin API.
    Admin,
    /// The connections to etcd.
    Etcd,
    /// The API keys only.
    Keys,
    /// Everything else.
    Rest,
}

/// `deployment.role`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Data plane and Admin API in one.
    Traditional,
    /// The Admin API alone.
    ControlPlane,
    /// Requests alone.
    DataPlane,
}

/// `config_provider`: where objects come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// etcd.
    Etcd,
    /// apisix.yaml beside config.yaml.
    Yaml,
    /// apisix.json beside config.yaml.
    Json,
    /// An xDS server.
    Xds,
    /// 3.0 to 3.5: a control plane.
    ControlPlane,
}

/// An address and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// None: every address.
    pub address: Option<IpAddr>,
    /// The port.
    pub port: Setting<u16>,
}

/// A port of layer 4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamListen {
    /// Where.
    pub listen: Listen,
    /// `tls: true`.
    pub tls: bool,
}

/// `apisix.ssl`.
#[derive(Debug, Clone)]
pub struct Ssl {
    /// `enable`.
    pub enable: Setting<bool>,
    /// Ports.
    pub listen: Vec<Listen>,
    /// `ssl_trusted_certificate`: anchors for etcd and upstreams. None: no anchor at all (the default before 3.12).
    pub trusted: Setting<Option<Trusted>>,
    /// `ssl_protocols`.
    pub protocols: Setting<Protocols>,
    /// `ssl_ciphers`, if it is written.
    pub ciphers: Option<Located<String>>,
    /// `fallback_sni`.
    pub fallback_sni: Option<Located<String>>,
    /// Where the block is, or would be.
    pub span: Span,
}

/// `ssl_trusted_certificate`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trusted {
    /// The word `system`: the operating system's bundle.
    System,
    /// A file.
    File(String),
}

/// The Admin API.
#[derive(Debug, Clone)]
pub struct Admin {
    /// `admin_listen`; None: 2.x without a port of its own, which serves it on the data plane's plaintext ports.
    pub listen: Option<Listen>,
    /// `https_admin`.
    pub https: Setting<bool>,
    /// `admin_api_mtls`.
    pub mtls: Option<AdminTls>,
    /// `admin_key_required`.
    pub key_required: Setting<bool>,
    /// `admin_key`.
    pub keys: Vec<AdminKey>,
    /// `admin_key` is null, which leaves no key at all.
    pub no_keys: Option<Span>,
    /// A key is empty or none is written: since 3.10 APISIX makes a random one.
    pub random_key: Option<Span>,
    /// `allow_admin`.
    pub allow: Setting<Vec<String>>,
    /// Where each network of it is written.
    pub allow_places: Vec<Located<String>>,
    /// Where it is configured.
    pub span: Span,
}

/// `admin_api_mtls`.
#[derive(Debug, Clone)]
pub struct AdminTls {
    /// `admin_ssl_cert`.
    pub certificate: Option<Located<String>>,
    /// `admin_ssl_cert_key`.
    pub key: Option<Located<String>>,
    /// `admin_ssl_ca_cert`: clients must present a certificate.
    pub client_ca: Option<Located<String>>,
    /// The block.
    pub span: Span,
}

/// A key of the Admin API; the key itself is never kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminKey {
    /// Its name.
    pub name: Option<String>,
    /// SHA-256 of it.
    pub sha256: [u8; 32],
    /// It is one of those that APISIX published as defaults.
    pub published: bool,
    /// Only reading is allowed with it.
    pub viewer: bool,
    /// Where it stands, or the list whose default it is.
    pub span: Span,
}

/// `deployment.etcd`.
#[derive(Debug, Clone)]
pub struct Etcd {
    /// URLs.
    pub hosts: Setting<Vec<Located<String>>>,
    /// `tls`, if it is written.
    pub tls: Option<EtcdTls>,
    /// A user name and a password are given.
    pub password: bool,
    /// `use_grpc`: a client in Go dials it.
    pub use_grpc: bool,
    /// Where it is configured.
    pub span: Span,
}

/// `deployment.etcd.tls`.
#[derive(Debug, Clone)]
pub struct EtcdTls {
    /// `cert`.
    pub certificate: Option<Located<String>>,
    /// `key`.
    pub key: Option<Located<String>>,
    /// `verify`.
    pub verify: Setting<bool>,
    /// `sni`.
    pub sni: Option<Located<String>>,
    /// The block.
    pub span: Span,
}

/// `role_control_plane.conf_server`.
#[derive(Debug, Clone)]
pub struct ConfServer {
    /// `listen`.
    pub listen: Listen,
    /// `cert`.
    pub certificate: Option<Located<String>>,
    /// `cert_key`.
    pub key: Option<Located<String>>,
    /// `client_ca_cert`.
    pub client_ca: Option<Located<String>>,
    /// The block.
    pub span: Span,
}

/// `role_data_plane.control_plane` and `certs`.
#[derive(Debug, Clone)]
pub struct ControlPlane {
    /// `host`.
    pub hosts: Vec<Located<String>>,
    /// `certs.cert`.
    pub certificate: Option<Located<String>>,
    /// `certs.cert_key`.
    pub key: Option<Located<String>>,
    /// `certs.trusted_ca_cert`.
    pub trusted: Option<Located<String>>,
    /// The block.
    pub span: Span,
}

/// `nginx_config`.
#[derive(Debug, Clone)]
pub struct Nginx {
    /// `user`.
    pub user: Option<Located<String>>,
    /// `http.proxy_ssl_server_name`.
    pub sends_server_name: Setting<bool>,
    /// The snippets, as nginx text.
    pub snippets: Vec<Snippet>,
    /// Where it is configured.
    pub span: Span,
}

/// Text that goes into the generated nginx.conf.
#[derive(Debug, Clone)]
pub struct Snippet {
    /// Into which block.
    pub place: Place,
    /// Its directives, blocks left out.
    pub directives: Vec<Directive>,
    /// The text could not be read as nginx reads it.
    pub unread: bool,
    /// It has servers of its own, or includes files that may have some.
    pub has_servers: bool,
    /// Where it stands.
    pub span: Span,
}

/// The block of nginx.conf that a snippet goes into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `main_configuration_snippet`.
    Main,
    /// `http_configuration_snippet`.
    Http,
    /// `http_server_configuration_snippet`: the data plane's server.
    Server,
    /// `http_server_location_configuration_snippet`.
    Location,
    /// `http_admin_configuration_snippet`.
    Admin,
    /// `http_end_configuration_snippet`.
    HttpEnd,
    /// `stream_configuration_snippet`.
    Stream,
}

/// One directive of a snippet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// Its name.
    pub name: Located<String>,
    /// Its arguments.
    pub arguments: Vec<Located<String>>,
}

/// An item of `wasm.plugins`.
#[derive(Debug, Clone)]
pub struct WasmPlugin {
    /// The name routes use.
    pub name: Located<String>,
    /// The module's file.
    pub file: Option<Located<String>>,
    /// `priority`; without it APISIX refuses the plugin.
    pub priority: Option<Located<i64>>,
    /// `http_request_phase: rewrite` instead of `access`.
    pub rewrite_phase: bool,
    /// The item.
    pub span: Span,
}

/// `apisix.router.http`: in which order routes are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Router {
    /// By path first; the host is a condition.
    Uri,
    /// By path first, with parameters.
    UriWithParameter,
    /// By host first.
    HostUri,
}

/// A key that this version does not look at, where its author expected it to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignored {
    /// `etcd:` at the top level, since 3.0.
    TopLevelEtcd,
    /// `admin_key` or `allow_admin` under `apisix:`, since 3.0.
    AdminUnderApisix,
    /// A CA under `etcd.tls`: `apisix.ssl.ssl_trusted_certificate` is the only one.
    EtcdCa,
    /// `etcd:` within `apisix:`.
    EtcdUnderApisix,
    /// `etcd.mtls` or another shape of `tls` of old.
    EtcdMtls,
    /// `apisix.ssl.ssl_cert` and `ssl_cert_key`: ssl objects are the only certificates.
    SslCertificate,
}

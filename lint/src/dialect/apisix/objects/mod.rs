//! Routes, services, upstreams and ssl objects.

mod read;
mod route;
mod ssl;
#[cfg(test)]
mod tests;
mod upstream;

use crate::deployment::{FileRef, Protocols, Refusal, Setting};
use crate::source::{Located, Span, Text};

pub use read::{end_flag_missing, recognises};
pub use route::conf;
pub use ssl::is_name;

/// Every object that was seen.
#[derive(Debug, Clone, Default)]
pub struct Objects {
    /// ssl objects, in the order in which they are tried.
    pub ssls: Vec<SslObject>,
    /// Routes.
    pub routes: Vec<Route>,
    /// Services.
    pub services: Vec<Service>,
    /// Upstreams of their own.
    pub upstreams: Vec<Upstream>,
    /// Routes of layer 4.
    pub stream_routes: Vec<Route>,
    /// Plugins of global rules, plugin configurations and consumers.
    pub plugins: Vec<PluginHolder>,
    /// A whole set was seen (apisix.yaml, a dump of that shape): what is not in it does not exist.
    pub complete: bool,
    /// A list of ssl objects under the key of another major version (`ssl` in 2.x, `ssls` since 3.0), which is not
    /// read: the key that is, at the one that is not.
    pub unread_ssls: Option<Located<&'static str>>,
    /// Why a whole set was not loaded.
    pub refusals: Vec<Refusal>,
}

/// An ssl object.
#[derive(Debug, Clone)]
pub struct SslObject {
    /// `id`.
    pub id: Option<Located<String>>,
    /// For clients of APISIX, or for APISIX as a client.
    pub kind: SslKind,
    /// `status` is 1, or not written.
    pub enabled: bool,
    /// `sni` or `snis`.
    pub names: Vec<Located<String>>,
    /// The names were written as a list.
    pub list: bool,
    /// `cert` and `key`, then `certs` and `keys`.
    pub pairs: Vec<Pair>,
    /// `client`.
    pub client: Option<Client>,
    /// `ssl_protocols`.
    pub protocols: Option<Located<Protocols>>,
    /// Why this object is dropped.
    pub refusals: Vec<Refusal>,
    /// The object.
    pub span: Span,
}

/// `type` of an ssl object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslKind {
    /// Shown to clients.
    Server,
    /// Presented to upstreams.
    Client,
}

/// A certificate with its key, inline.
#[derive(Debug, Clone)]
pub struct Pair {
    /// Certificates.
    pub certificate: FileRef,
    /// The key.
    pub key: Option<FileRef>,
}

/// `client` of an ssl object.
#[derive(Debug, Clone)]
pub struct Client {
    /// `ca`.
    pub ca: Option<FileRef>,
    /// `depth`.
    pub depth: Setting<u32>,
    /// `skip_mtls_uri_regex`.
    pub skip_paths: Vec<Located<String>>,
    /// Keys that are silently ignored.
    pub unknown: Vec<Located<String>>,
    /// The block.
    pub span: Span,
}

/// A route.
#[derive(Debug, Clone)]
pub struct Route {
    /// `id`.
    pub id: Option<Located<String>>,
    /// `status` is 1, or not written.
    pub enabled: bool,
    /// `uri` or `uris`.
    pub uris: Vec<Located<String>>,
    /// `host` or `hosts`.
    pub hosts: Vec<Located<String>>,
    /// `methods`.
    pub methods: Vec<String>,
    /// `priority`.
    pub priority: i64,
    /// A condition that nothing here evaluates (`vars`, `filter_func`, `remote_addrs`).
    pub condition: Option<Located<&'static str>>,
    /// `upstream`.
    pub upstream: Option<Upstream>,
    /// `upstream_id`.
    pub upstream_id: Option<Located<String>>,
    /// `service_id`.
    pub service_id: Option<Located<String>>,
    /// `plugin_config_id`.
    pub plugin_config_id: Option<Located<String>>,
    /// `plugins`.
    pub plugins: Vec<Plugin>,
    /// Why this object is dropped.
    pub refusals: Vec<Refusal>,
    /// The object.
    pub span: Span,
}

/// A service.
#[derive(Debug, Clone)]
pub struct Service {
    /// `id`.
    pub id: Option<Located<String>>,
    /// `hosts`.
    pub hosts: Vec<Located<String>>,
    /// `upstream`.
    pub upstream: Option<Upstream>,
    /// `upstream_id`.
    pub upstream_id: Option<Located<String>>,
    /// `plugins`.
    pub plugins: Vec<Plugin>,
    /// Why this object is dropped.
    pub refusals: Vec<Refusal>,
    /// The object.
    pub span: Span,
}

/// An upstream.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// `id`.
    pub id: Option<Located<String>>,
    /// `scheme`.
    pub scheme: Setting<Scheme>,
    /// `nodes`.
    pub nodes: Vec<UpstreamNode>,
    /// `service_name` with `discovery_type`: the nodes are found at run time.
    pub discovered: Option<Span>,
    /// `pass_host`.
    pub pass_host: Setting<PassHost>,
    /// `upstream_host`.
    pub upstream_host: Option<Located<String>>,
    /// `tls`.
    pub tls: Option<UpstreamTls>,
    /// Why this object is dropped.
    pub refusals: Vec<Refusal>,
    /// The object.
    pub span: Span,
}

/// A node of an upstream.
#[derive(Debug, Clone)]
pub struct UpstreamNode {
    /// Host name or address, without brackets.
    pub host: Located<String>,
    /// The port, if it is written.
    pub port: Option<u16>,
    /// APISIX is told addresses that stand behind this name, and not the name (the ingress controller's Pods).
    pub by_address: bool,
}

/// `scheme` of an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// HTTP.
    Http,
    /// HTTP over TLS.
    Https,
    /// gRPC.
    Grpc,
    /// gRPC over TLS.
    Grpcs,
    /// Layer 4.
    Tcp,
    /// Layer 4 over TLS.
    Tls,
    /// Layer 4 over UDP.
    Udp,
    /// Kafka.
    Kafka,
}

impl Scheme {
    /// Whether connections to the nodes are TLS.
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::Grpcs | Self::Tls)
    }

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Grpc => "grpc",
            Self::Grpcs => "grpcs",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Udp => "udp",
            Self::Kafka => "kafka",
        }
    }
}

/// `pass_host`: which host the upstream is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassHost {
    /// The client's.
    Pass,
    /// The node's.
    Node,
    /// `upstream_host`.
    Rewrite,
}

/// `tls` of an upstream.
#[derive(Debug, Clone)]
pub struct UpstreamTls {
    /// `client_cert`.
    pub certificate: Option<FileRef>,
    /// `client_key`.
    pub key: Option<FileRef>,
    /// `client_cert_id`.
    pub certificate_id: Option<Located<String>>,
    /// `verify`: without effect, except for kafka.
    pub verify: Option<Located<bool>>,
    /// Keys that are silently ignored.
    pub unknown: Vec<Located<String>>,
    /// The block.
    pub span: Span,
}

/// The plugins of an object that holds little else.
#[derive(Debug, Clone)]
pub struct PluginHolder {
    /// `global_rules`, `plugin_configs`, `consumers`, `consumer_groups`.
    pub kind: &'static str,
    /// `id` or `username`.
    pub id: Option<Located<String>>,
    /// Its plugins.
    pub plugins: Vec<Plugin>,
    /// The object.
    pub span: Span,
}

/// A plugin in use.
#[derive(Debug, Clone)]
pub struct Plugin {
    /// Its name.
    pub name: Located<String>,
    /// `_meta.disable` or `disable` is true.
    pub disabled: bool,
    /// `proxy-rewrite`'s `host`.
    pub rewrites_host: Option<Located<String>>,
    /// For WebAssembly plugins: the text of `conf`.
    pub conf: Option<Text>,
    /// Name and configuration.
    pub span: Span,
}

//! etcd: its flags, its environment and etcd.conf.yml, as each version of it understands them.
//!
//! Observed with 3.4.23, 3.5.16 and 3.5.30 where nothing else is said; the releases in which a setting came are those
//! of etcd's change log.

mod given;
mod read;
mod recognise;
mod refuse;
mod settings;
#[cfg(test)]
mod tests;

pub use given::Variable;
pub use read::{ADVERTISE_MISSING, BITNAMI, Start, config_file, read};
pub use recognise::{environment, recognises, recognises_environment};
pub use settings::where_it_belongs;

use crate::deployment::{Refusal, Setting, Version};
use crate::source::{Located, Span};
use crate::syntax::url::Url;

/// What an etcd was told, defaults of its version filled in.
#[derive(Debug, Clone)]
pub struct EtcdConfig {
    /// The version whose defaults these are.
    pub version: Version,
    /// The configuration file in force: flags and environment are ignored beside it.
    pub file: Option<Located<String>>,
    /// The member's name.
    pub name: Setting<String>,
    /// Where it keeps its data.
    pub data_dir: Option<Located<String>>,
    /// Where clients are served.
    pub listen_client_urls: Setting<Vec<Located<Url>>>,
    /// Where clients are served by HTTP only (3.5.8).
    pub listen_client_http_urls: Vec<Located<Url>>,
    /// Where members are served.
    pub listen_peer_urls: Setting<Vec<Located<Url>>>,
    /// Where `/metrics` and `/health` are served besides.
    pub listen_metrics_urls: Vec<Located<Url>>,
    /// By which URLs clients are told to reach it.
    pub advertise_client_urls: Setting<Vec<Located<Url>>>,
    /// The start script of the image filled in `advertise_client_urls`, which etcd itself demands.
    pub advertise_client_urls_supplied: Option<Span>,
    /// By which URLs members reach it.
    pub initial_advertise_peer_urls: Setting<Vec<Located<Url>>>,
    /// The members with their peer URLs, itself included.
    pub initial_cluster: Setting<Vec<Member>>,
    /// Members are found through DNS or a discovery service instead of `initial_cluster`.
    pub discovery: Option<Located<String>>,
    /// TLS towards clients.
    pub client: Security,
    /// TLS among members.
    pub peer: Security,
    /// TLS 1.2 cipher suites by Go's names; empty: Go's own.
    pub cipher_suites: Vec<Located<String>>,
    /// `logger`.
    pub logger: Option<Located<String>>,
    /// `tls-min-version`.
    pub tls_min_version: Option<Located<String>>,
    /// `tls-max-version`; empty text: Go's own.
    pub tls_max_version: Option<Located<String>>,
    /// The JSON gateway under /v3.
    pub enable_grpc_gateway: Setting<bool>,
    /// What was written and has no effect.
    pub ignored: Vec<Ignored>,
    /// What this version refuses before it opens a certificate.
    pub refusals: Vec<Refusal>,
    /// Settings whose values were not seen; completes "undetermined because …".
    pub unseen: Vec<String>,
}

impl EtcdConfig {
    /// Settings of TLS as this etcd takes them: `peer-cert-file and peer-key-file` of its flags, `cert-file and key-file
    /// in peer-transport-security` of its file. `dashes` stand before a flag.
    pub fn tls_settings(&self, peer: bool, dashes: &str, names: &[&str]) -> String {
        if self.file.is_some() {
            let block = if peer { "peer-transport-security" } else { "client-transport-security" };
            return format!("{} in {block}", names.join(" and "));
        }
        let prefix = if peer { "peer-" } else { "" };
        let flags: Vec<String> = names.iter().map(|name| format!("{dashes}{prefix}{name}")).collect();
        flags.join(" and ")
    }
}

/// A member of `initial-cluster`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: Located<String>,
    /// One of its peer URLs.
    pub url: Located<Url>,
}

/// TLS on one of etcd's two sides.
#[derive(Debug, Clone)]
pub struct Security {
    /// The certificate, also presented as a client unless `client_cert_file` is given.
    pub cert_file: Option<Located<String>>,
    /// Its key.
    pub key_file: Option<Located<String>>,
    /// What it presents as a client (3.5).
    pub client_cert_file: Option<Located<String>>,
    /// Its key (3.5).
    pub client_key_file: Option<Located<String>>,
    /// Whether it asks for client certificates; `trusted_ca_file` alone has the same effect.
    pub client_cert_auth: Setting<bool>,
    /// The bundle for both roles.
    pub trusted_ca_file: Option<Located<String>>,
    /// A revocation list (flags and environment only).
    pub crl_file: Option<Located<String>>,
    /// Common names of which the peer's certificate must bear one.
    pub allowed_cn: Vec<Located<String>>,
    /// Host names of which the peer's certificate must bear one.
    pub allowed_hostname: Vec<Located<String>>,
    /// It makes a certificate of its own where none is given.
    pub auto_tls: Setting<bool>,
    /// The peer's names are not compared with its address (3.6).
    pub skip_client_san_verification: Setting<bool>,
    /// Where settings of this side are, or could be, written.
    pub span: Span,
}

/// Something written that etcd does not look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// What.
    pub name: Located<String>,
    /// Why.
    pub why: IgnoredBecause,
}

/// Why etcd does not look at a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IgnoredBecause {
    /// A configuration file is in force.
    ConfigurationFile,
    /// This version knows no such variable or key.
    Unknown,
    /// This version knows the setting, but not in the file.
    NotInFile,
}

impl Security {
    /// Whether neither certificate nor key is given.
    pub fn is_empty(&self) -> bool {
        self.cert_file.is_none() && self.key_file.is_none()
    }

    /// Whether it insists on client certificates: either setting is enough.
    pub fn requires_client_certificate(&self) -> bool {
        self.trusted_ca_file.is_some() || *self.client_cert_auth.value()
    }
}

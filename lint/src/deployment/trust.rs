//! Whom a verifier trusts, and what it checks of a path and of names.

use super::{FileRef, Setting};
use crate::source::{Located, Span};

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
        /// DNS, URI, EMAIL, IP_ADDRESS, OTHER_NAME; empty: any of the first four (`match_subject_alt_names`).
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

impl StringMatcher {
    /// As Envoy's configuration says it: `{exact: server.example}`.
    pub fn shown(&self) -> String {
        match self {
            Self::Exact(text) => format!("{{exact: {text}}}"),
            Self::Prefix(text) => format!("{{prefix: {text}}}"),
            Self::Suffix(text) => format!("{{suffix: {text}}}"),
            Self::Contains(text) => format!("{{contains: {text}}}"),
            Self::Regex(text) => format!("{{safe_regex: {{regex: {text}}}}}"),
            Self::Other(what) => format!("{{{what}}}"),
        }
    }
}

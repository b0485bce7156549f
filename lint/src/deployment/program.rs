//! A program: what it is, where it is defined, what its configuration comes to.

use super::{Credential, Dialer, Listener, RouteMatch, Trust, Versions};
use crate::dialect::{apisix, envoy, etcd, nginx};
use crate::finding::Label;
use crate::source::{FileId, Span};

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
    /// Names that DNS gives in reverse for the address from which it dials (etcd), as far as manifests tell.
    pub reverse_names: Vec<String>,
    /// Index of the machine it runs on: its files and its names (see `resolve`).
    pub machine: usize,
    /// Trust bundles that it loads when it starts, whether or not anything verifies with them: one that cannot be
    /// loaded stops it (OpenResty's `lua_ssl_trusted_certificate`).
    pub bundles: Vec<Trust>,
    /// Pairs that it loads when it starts, though it presents them to nobody (etcd's for peers that speak http).
    pub credentials: Vec<Credential>,
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
    /// Why it may listen in more places; completes "undetermined because …".
    pub hidden_listeners: Option<String>,
    /// What its configuration says beyond TLS endpoints, for the rules of its vendor.
    pub configuration: Configuration,
}

impl Program {
    /// A program of which nothing is known yet but what it is.
    pub fn new(kind: ProgramKind, name: String, versions: Versions, machine: usize) -> Self {
        Self {
            kind,
            name,
            file: None,
            span: None,
            versions,
            aliases: Vec::new(),
            reverse_names: Vec::new(),
            machine,
            bundles: Vec::new(),
            credentials: Vec::new(),
            listeners: Vec::new(),
            dialers: Vec::new(),
            answers: Vec::new(),
            refusals: Vec::new(),
            unseen: Vec::new(),
            hidden_listeners: None,
            configuration: Configuration::Unseen,
        }
    }
}

impl Program {
    /// Whether DNS gives in reverse, for the address from which it dials, a name beneath this wildcard.
    pub fn has_reverse_name(&self, wildcard: &str) -> bool {
        let Some(parent) = wildcard.strip_prefix('*') else { return false };
        self.reverse_names.iter().any(|name| name.ends_with(&parent.to_ascii_lowercase()))
    }
}

/// The machine of what runs in no Pod: index into `resolve`'s machines.
pub const OUTSIDE: usize = 0;

/// A program's configuration in its vendor's words, kept for the vendor's rules.
#[derive(Debug, Clone, Default)]
pub enum Configuration {
    /// None was seen.
    #[default]
    Unseen,
    /// APISIX's.
    Apisix(Box<apisix::Facts>),
    /// etcd's.
    Etcd(Box<etcd::EtcdConfig>),
    /// nginx's.
    Nginx(Box<nginx::NginxConfig>),
    /// Envoy's.
    Envoy(Box<envoy::EnvoyConfig>),
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
    /// What to write instead; None: the rule's page says it.
    pub help: Option<String>,
    /// The line the program prints, as far as it is known for that version.
    pub log: Option<String>,
}

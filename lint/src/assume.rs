//! Versions and settings to assume: `--assume`, then an image tag, then a stated default.

use crate::deployment::Version;

/// What `--assume NAME=VALUE,…` says; None: not said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assume {
    /// nginx's version.
    pub nginx: Option<Version>,
    /// OpenSSL's version, also inside nginx and APISIX.
    pub openssl: Option<Version>,
    /// OpenSSL's security level, also inside nginx and APISIX.
    pub openssl_security_level: Option<u8>,
    /// curl's version.
    pub curl: Option<Version>,
    /// etcd's and etcdctl's version.
    pub etcd: Option<Version>,
    /// The Go version that etcd was built with.
    pub go: Option<Version>,
    /// Envoy's version.
    pub envoy: Option<Version>,
    /// APISIX's version.
    pub apisix: Option<Version>,
    /// cert-manager's version.
    pub cert_manager: Option<Version>,
    /// The cluster's DNS domain; None: cluster.local.
    pub cluster_domain: Option<String>,
}

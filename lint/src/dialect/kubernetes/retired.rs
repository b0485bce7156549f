//! API versions that are no longer served.

use super::{group_kind, text};
use crate::source::Located;
use crate::syntax::yaml::Node;

/// An object of an API version that is no longer served.
#[derive(Debug, Clone)]
pub struct Retired {
    /// `Certificate web`.
    pub title: String,
    /// `certmanager.k8s.io/v1alpha1`.
    pub api_version: Located<String>,
    /// What to write instead.
    pub instead: &'static str,
    /// Since when it is gone: `cert-manager 1.6`.
    pub since: &'static str,
}

/// Group, version, what to write instead, since when.
const RETIRED: [(&str, &str, &str, &str); 7] = [
    ("certmanager.k8s.io", "v1alpha1", "cert-manager.io/v1", "cert-manager 0.11"),
    ("cert-manager.io", "v1alpha2", "cert-manager.io/v1", "cert-manager 1.6"),
    ("cert-manager.io", "v1alpha3", "cert-manager.io/v1", "cert-manager 1.6"),
    ("cert-manager.io", "v1beta1", "cert-manager.io/v1", "cert-manager 1.6"),
    ("extensions", "v1beta1", "networking.k8s.io/v1", "Kubernetes 1.22"),
    ("networking.k8s.io", "v1beta1", "networking.k8s.io/v1", "Kubernetes 1.22"),
    ("networking.x-k8s.io", "v1alpha1", "gateway.networking.k8s.io/v1", "Gateway API 0.4"),
];

/// Reads an object's API version; None if it is served.
pub(super) fn retired(object: Node<'_>) -> Option<Retired> {
    let (group, kind, version) = group_kind(object)?;
    let (_, _, instead, since) =
        RETIRED.iter().find(|(known, retired, _, _)| *known == group && *retired == version)?;
    // of these two groups only what has moved to networking.k8s.io
    if matches!(group, "extensions" | "networking.k8s.io") && !matches!(kind, "Ingress" | "IngressClass") {
        return None;
    }
    let name = object.at(&["metadata", "name"]).and_then(Node::as_str).unwrap_or_default();
    Some(Retired {
        title: format!("{kind} {name}"),
        api_version: text(object, "apiVersion")?,
        instead,
        since,
    })
}

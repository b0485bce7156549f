//! cert-manager: Certificates and what issues them.

use super::edit::yaml;
use super::fix;
use super::site::Site;
use crate::finding::Fix;
use crate::source::Span;
use crate::syntax::yaml::{Kind, Node};

/// `client auth` among the usages of a Certificate.
pub fn add_client_auth(site: &Site<'_>) -> Option<Fix> {
    add_usage(site, "client auth")
}

/// `server auth` among the usages of a Certificate.
pub fn add_server_auth(site: &Site<'_>) -> Option<Fix> {
    add_usage(site, "server auth")
}

fn add_usage(site: &Site<'_>, usage: &str) -> Option<Fix> {
    let edit = site.in_yaml(site.span, |path| {
        let spec = resource(path, "Certificate")?.get("spec")?;
        let usages = spec.get("usages").filter(|usages| usages.kind() == Kind::Sequence)?;
        yaml::push(site.bytes(site.span), usages, usage)
    })?;
    fix(format!("add {usage} to usages"), [edit])
}

/// `isCA: true` in the Certificate that fills an issuer's Secret.
pub fn make_authority(site: &Site<'_>) -> Option<Fix> {
    let edit = in_labels(site, |span, path| {
        let spec = resource(path, "Certificate")?.get("spec")?;
        yaml::set(site.bytes(span), spec, "isCA", "true", "true")
    })?;
    fix("write isCA: true", [edit])
}

/// `kind: ClusterIssuer` in a reference to one.
pub fn name_cluster_issuer(site: &Site<'_>) -> Option<Fix> {
    in_labels(site, |_, path| resource(path, "ClusterIssuer").map(|_| ()))?;
    let edit = in_labels(site, |span, path| {
        let reference = resource(path, "Certificate")?.at(&["spec", "issuerRef"])?;
        yaml::set(site.bytes(span), reference, "kind", "ClusterIssuer", "ClusterIssuer")
    })?;
    fix("write kind: ClusterIssuer", [edit])
}

/// What the first label gives that lies in the right place.
fn in_labels<T>(site: &Site<'_>, then: impl Fn(Span, &[Node<'_>]) -> Option<T>) -> Option<T> {
    let mut labels = site.finding.labels.iter().map(|label| label.span);
    labels.find_map(|span| site.in_yaml(span, |path| then(span, path)))
}

/// The resource of a kind around a place.
fn resource<'n>(path: &[Node<'n>], kind: &str) -> Option<Node<'n>> {
    path.iter()
        .rev()
        .find(|node| node.get("kind").and_then(Node::as_str) == Some(kind) && node.get("spec").is_some())
        .copied()
}

//! cert-manager: Certificates and what issues them.

use super::edit::{replace, yaml};
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

/// A usage as cert-manager writes it: words with spaces between them.
pub fn correct_usage(site: &Site<'_>) -> Option<Fix> {
    let written = site.written(site.span)?;
    let mut words = String::new();
    for letter in written.chars() {
        match letter {
            '-' | '_' | ' ' => words.push(' '),
            'A'..='Z' => {
                words.push(' ');
                words.push(letter.to_ascii_lowercase());
            }
            other => words.push(other),
        }
    }
    let words: Vec<&str> = words.split_whitespace().collect();
    let usage = words.join(" ");
    // whether there is such a usage shows when it is judged
    (!usage.is_empty()).then(|| fix(format!("write {usage}"), [replace(site.span, usage.clone())]))?
}

/// `isCA: true` in the Certificate that fills an issuer's Secret.
pub fn make_authority(site: &Site<'_>) -> Option<Fix> {
    let edit = in_labels(site, |span, path| {
        let spec = resource(path, "Certificate")?.get("spec")?;
        yaml::set(site.bytes(span), spec, "isCA", "true", "true")
    })?;
    fix("write isCA: true", [edit])
}

/// The kind of the only issuer that has the name, where the other kind was meant.
pub fn correct_issuer_kind(site: &Site<'_>) -> Option<Fix> {
    let (name, namespace) = in_labels(site, |_, path| {
        let certificate = resource(path, "Certificate")?;
        let name = certificate.at(&["spec", "issuerRef", "name"])?.as_str()?;
        let namespace = certificate.at(&["metadata", "namespace"]).and_then(Node::as_str);
        Some((name.to_owned(), namespace.map(str::to_owned)))
    })?;
    let mut kinds = Vec::new();
    site.each_resource(|issuer| {
        let text = |way: &[&str]| issuer.at(way).and_then(Node::as_str);
        let kind = text(&["kind"]).filter(|_| text(&["metadata", "name"]) == Some(name.as_str()));
        let here = text(&["metadata", "namespace"]).map(str::to_owned) == namespace;
        match kind {
            Some("ClusterIssuer") => kinds.push("ClusterIssuer"),
            Some("Issuer") if here => kinds.push("Issuer"),
            _ => {}
        }
    });
    let [kind] = kinds.as_slice() else { return None };
    let edit = in_labels(site, |span, path| {
        let reference = resource(path, "Certificate")?.at(&["spec", "issuerRef"])?;
        yaml::set(site.bytes(span), reference, "kind", kind, kind)
    })?;
    fix(format!("write kind: {kind}"), [edit])
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

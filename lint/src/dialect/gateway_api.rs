//! The Gateway API as far as it speaks of TLS: Gateway, BackendTLSPolicy, ReferenceGrant (v1, and v1alpha2, v1alpha3 and
//! v1beta1 before it).

use super::kubernetes::{self, Metadata};
use crate::source::{Located, Span};
use crate::syntax::yaml::Node;

/// Everything of the Gateway API's that the manifests hold.
#[derive(Debug, Default)]
pub struct Fragment {
    /// Gateway.
    pub gateways: Vec<Gateway>,
    /// BackendTLSPolicy.
    pub policies: Vec<BackendPolicy>,
    /// ReferenceGrant.
    pub grants: Vec<Grant>,
}

/// A Gateway.
#[derive(Debug)]
pub struct Gateway {
    /// Its name and namespace.
    pub metadata: Metadata,
    /// `spec.listeners`.
    pub listeners: Vec<Listener>,
    /// `spec.tls.frontend`: `default`, then `perPort`.
    pub validations: Vec<Validation>,
    /// `spec.tls.backend.clientCertificateRef` (`spec.backendTLS` before 1.4).
    pub client_certificate: Vec<Reference>,
    /// `spec.allowedListeners`: ListenerSets may add listeners.
    pub allows_listeners: bool,
}

/// One of a Gateway's `listeners`.
#[derive(Debug)]
pub struct Listener {
    /// Its port.
    pub port: Option<u16>,
    /// `HTTPS`, `TLS`, …
    pub protocol: Option<Located<String>>,
    /// `tls`, if it is there.
    pub tls: Option<ListenerTls>,
}

/// A listener's `tls`.
#[derive(Debug)]
pub struct ListenerTls {
    /// `Terminate` unless written.
    pub mode: Option<Located<String>>,
    /// `certificateRefs`.
    pub certificates: Vec<Reference>,
    /// It has `options` of an implementation.
    pub has_options: bool,
    /// `frontendValidation`, where experimental versions before 1.4 had it.
    pub frontend_validation: Option<Span>,
    /// The key `tls`.
    pub span: Span,
}

/// How a Gateway verifies clients.
#[derive(Debug)]
pub struct Validation {
    /// The port of a `perPort` entry.
    pub port: Option<Located<u16>>,
    /// `caCertificateRefs`.
    pub authorities: Vec<Reference>,
    /// `AllowValidOnly` unless written.
    pub mode: Option<Located<String>>,
    /// The key `validation`.
    pub span: Span,
}

/// A BackendTLSPolicy.
#[derive(Debug)]
pub struct BackendPolicy {
    /// Its name and namespace.
    pub metadata: Metadata,
    /// `targetRefs`.
    pub targets: Vec<Reference>,
    /// `validation.caCertificateRefs`.
    pub authorities: Vec<Reference>,
    /// `validation.wellKnownCACertificates`.
    pub well_known: Option<Located<String>>,
    /// `validation.hostname`.
    pub hostname: Option<Located<String>>,
    /// The key `validation`; None: it is not there.
    pub validation: Option<Span>,
    /// How its version calls them.
    pub fields: &'static PolicyFields,
}

/// How a version of BackendTLSPolicy calls its fields.
#[derive(Debug)]
pub struct PolicyFields {
    /// What is verified, and how.
    pub validation: &'static str,
    /// The CAs of its own.
    pub authorities: &'static str,
    /// The public CAs.
    pub well_known: &'static str,
    /// What the API server says of a policy that has neither.
    pub neither: &'static str,
    targets: &'static str,
}

const V1: PolicyFields = PolicyFields {
    validation: "validation",
    authorities: "caCertificateRefs",
    well_known: "wellKnownCACertificates",
    neither: "must specify either CACertificateRefs or WellKnownCACertificates",
    targets: "targetRefs",
};

/// Gateway API v1.0.
const V1ALPHA2: PolicyFields = PolicyFields {
    validation: "tls",
    authorities: "caCertRefs",
    well_known: "wellKnownCACerts",
    neither: "must specify either CACertRefs or WellKnownCACerts",
    targets: "targetRef",
};

/// A reference to an object.
#[derive(Debug)]
pub struct Reference {
    /// Empty: the core group.
    pub group: Option<Located<String>>,
    /// `Secret` where certificates are meant and nothing is written.
    pub kind: Option<Located<String>>,
    /// Its name.
    pub name: Located<String>,
    /// Its namespace, if another.
    pub namespace: Option<Located<String>>,
    /// `sectionName`: a port of a Service.
    pub section: Option<Located<String>>,
}

/// A ReferenceGrant.
#[derive(Debug)]
pub struct Grant {
    /// The namespace that it opens.
    pub namespace: String,
    /// Kind and namespace of those who may refer.
    pub from: Vec<(String, String)>,
    /// Kind and name (None: all) of what they may refer to.
    pub to: Vec<(String, Option<String>)>,
}

impl Fragment {
    /// Takes in one object, if it is of the Gateway API.
    pub fn read(&mut self, object: Node<'_>) {
        let Some(("gateway.networking.k8s.io", kind, version)) = kubernetes::group_kind(object) else {
            return;
        };
        match kind {
            "Gateway" => self.gateways.push(gateway(object)),
            "BackendTLSPolicy" if version == "v1alpha2" => self.policies.push(policy(object, &V1ALPHA2)),
            "BackendTLSPolicy" => self.policies.push(policy(object, &V1)),
            "ReferenceGrant" => self.grants.push(grant(object)),
            _ => {}
        }
    }
}

fn gateway(object: Node<'_>) -> Gateway {
    let listeners = object.at(&["spec", "listeners"]);
    let frontend = object.at(&["spec", "tls", "frontend"]);
    let mut validations: Vec<Validation> = frontend
        .and_then(|frontend| frontend.get("default"))
        .and_then(|node| validation(node, None))
        .into_iter()
        .collect();
    let ports = frontend.and_then(|frontend| frontend.get("perPort"));
    for entry in ports.into_iter().flat_map(Node::items) {
        let port = entry.get("port").and_then(|node| Some(Located::new(port(node)?, node.span())));
        validations.extend(entry.get("tls").and_then(|tls| validation(tls, port)));
    }
    Gateway {
        metadata: Metadata::read(object),
        listeners: listeners.into_iter().flat_map(Node::items).map(listener).collect(),
        validations,
        client_certificate: [&["spec", "tls", "backend"][..], &["spec", "backendTLS"]]
            .into_iter()
            .filter_map(|keys| object.at(keys))
            .flat_map(|node| references(node, "clientCertificateRef"))
            .collect(),
        allows_listeners: object.at(&["spec", "allowedListeners"]).is_some(),
    }
}

fn listener(node: Node<'_>) -> Listener {
    let tls = node.get("tls").zip(node.key_span("tls")).map(|(tls, span)| ListenerTls {
        mode: kubernetes::text(tls, "mode"),
        certificates: references(tls, "certificateRefs"),
        has_options: tls.get("options").is_some(),
        frontend_validation: tls.key_span("frontendValidation"),
        span,
    });
    Listener { port: node.get("port").and_then(port), protocol: kubernetes::text(node, "protocol"), tls }
}

fn validation(node: Node<'_>, port: Option<Located<u16>>) -> Option<Validation> {
    let validation = node.get("validation")?;
    Some(Validation {
        port,
        authorities: references(validation, "caCertificateRefs"),
        mode: kubernetes::text(validation, "mode"),
        span: node.key_span("validation")?,
    })
}

fn policy(object: Node<'_>, fields: &'static PolicyFields) -> BackendPolicy {
    let spec = object.get("spec");
    let validation = spec.and_then(|spec| spec.get(fields.validation));
    let text = |key: &str| {
        validation.and_then(|node| kubernetes::text(node, key)).filter(|text| !text.value.is_empty())
    };
    BackendPolicy {
        metadata: Metadata::read(object),
        targets: spec.map(|spec| references(spec, fields.targets)).unwrap_or_default(),
        authorities: validation.map(|node| references(node, fields.authorities)).unwrap_or_default(),
        well_known: text(fields.well_known),
        hostname: text("hostname"),
        validation: spec.and_then(|spec| spec.key_span(fields.validation)),
        fields,
    }
}

/// A list of references, or one.
fn references(node: Node<'_>, key: &str) -> Vec<Reference> {
    let reference = |node: Node<'_>| {
        Some(Reference {
            group: kubernetes::text(node, "group"),
            kind: kubernetes::text(node, "kind"),
            name: kubernetes::text(node, "name")?,
            namespace: kubernetes::text(node, "namespace"),
            section: kubernetes::text(node, "sectionName"),
        })
    };
    let Some(value) = node.get(key) else { return Vec::new() };
    value.items().chain(Some(value)).filter_map(reference).collect()
}

fn grant(object: Node<'_>) -> Grant {
    let word = |node: Node<'_>, key: &str| node.get(key).and_then(Node::as_str).map(str::to_owned);
    let entries = |key: &str| object.at(&["spec", key]).into_iter().flat_map(Node::items);
    Grant {
        namespace: Metadata::read(object).namespace().to_owned(),
        from: entries("from")
            .filter(|node| word(*node, "group").is_none_or(|group| group == "gateway.networking.k8s.io"))
            .filter_map(|node| Some((word(node, "kind")?, word(node, "namespace")?)))
            .collect(),
        to: entries("to").filter_map(|node| Some((word(node, "kind")?, word(node, "name")))).collect(),
    }
}

fn port(node: Node<'_>) -> Option<u16> {
    u16::try_from(node.as_i64()?).ok()
}

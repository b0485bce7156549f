//! Services and Ingresses.

use super::{Metadata, Pair, flag, list, pairs, text, texts};
use crate::source::{Located, Span};
use crate::syntax::yaml::Node;

/// A Service.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its name and namespace.
    pub metadata: Metadata,
    /// `spec.type`; ClusterIP where it is not written.
    pub kind: Option<Located<String>>,
    /// `spec.selector`; None: endpoints come from elsewhere.
    pub selector: Option<Vec<Pair>>,
    /// Where the selector (or else the spec) is written.
    pub selector_span: Span,
    /// `spec.ports`.
    pub ports: Vec<ServicePort>,
    /// `spec.clusterIP`; `None`: headless.
    pub cluster_ip: Option<Located<String>>,
    /// `spec.publishNotReadyAddresses`: its names lead to Pods before they are ready.
    pub publishes_not_ready: bool,
    /// `spec.externalName`, of type ExternalName.
    pub external_name: Option<Located<String>>,
    /// Names and addresses from outside: `externalIPs`, `loadBalancerIP`.
    pub external_addresses: Vec<Located<String>>,
}

impl Service {
    /// Whether its name stands for the Pods' own addresses.
    pub fn is_headless(&self) -> bool {
        self.cluster_ip.as_ref().is_some_and(|address| address.value.eq_ignore_ascii_case("none"))
    }

    /// Whether its name is another name.
    pub fn is_external_name(&self) -> bool {
        self.kind.as_ref().is_some_and(|kind| kind.value == "ExternalName")
    }
}

/// One of a Service's `ports`.
#[derive(Debug, Clone)]
pub struct ServicePort {
    /// Its name, if any.
    pub name: Option<Located<String>>,
    /// The port of the Service.
    pub port: Located<u16>,
    /// The Pods' port, where written.
    pub target: Option<Located<PortName>>,
    /// The nodes' port, where written.
    pub node_port: Option<Located<u16>>,
    /// TCP unless it says UDP or SCTP.
    pub tcp: bool,
}

impl ServicePort {
    /// The Pods' port: the target, or else the same as the Service's.
    pub fn target(&self) -> PortName {
        match &self.target {
            Some(target) => target.value.clone(),
            None => PortName::Number(self.port.value),
        }
    }
}

/// A port by number or by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortName {
    /// 2379
    Number(u16),
    /// The name of a container's port.
    Name(String),
}

/// An Ingress, for the rules of its controllers.
#[derive(Debug, Clone)]
pub struct Ingress {
    /// Its name, namespace and annotations.
    pub metadata: Metadata,
    /// `spec.ingressClassName`.
    pub class: Option<Located<String>>,
    /// `spec.tls`.
    pub tls: Vec<IngressTls>,
    /// Hosts of its rules.
    pub hosts: Vec<Located<String>>,
}

/// One of an Ingress's `tls`.
#[derive(Debug, Clone)]
pub struct IngressTls {
    /// Its hosts.
    pub hosts: Vec<Located<String>>,
    /// The Secret.
    pub secret: Option<Located<String>>,
}

pub(super) fn read(object: Node<'_>, metadata: Metadata) -> Service {
    let spec = object.get("spec");
    let field = |key: &str| spec.and_then(|spec| text(spec, key)).filter(|text| !text.value.is_empty());
    let selector = spec.and_then(|spec| spec.get("selector"));
    let ports = spec.and_then(|spec| spec.get("ports"));
    let mut external_addresses = spec.map(|spec| texts(spec, "externalIPs")).unwrap_or_default();
    external_addresses.extend(field("loadBalancerIP"));
    Service {
        kind: field("type"),
        selector: selector.map(pairs).filter(|pairs| !pairs.is_empty()),
        selector_span: selector.or(spec).unwrap_or(object).span(),
        ports: list(ports.into_iter().flat_map(Node::items).filter_map(port)),
        cluster_ip: field("clusterIP"),
        publishes_not_ready: spec.and_then(|spec| flag(spec, "publishNotReadyAddresses")).unwrap_or_default(),
        external_name: field("externalName"),
        external_addresses,
        metadata,
    }
}

fn port(node: Node<'_>) -> Option<ServicePort> {
    let number = |key: &str| {
        let port = node.get(key)?;
        Some(Located::new(u16::try_from(port.as_i64()?).ok()?, port.span()))
    };
    let target = node.get("targetPort").and_then(|target| {
        let value = match target.as_i64() {
            Some(0) => return None,
            Some(number) => PortName::Number(u16::try_from(number).ok()?),
            None => PortName::Name(target.as_str()?.to_owned()),
        };
        Some(Located::new(value, target.span()))
    });
    Some(ServicePort {
        name: text(node, "name"),
        port: number("port")?,
        target,
        node_port: number("nodePort"),
        tcp: node.get("protocol").and_then(Node::as_str).is_none_or(|protocol| protocol == "TCP"),
    })
}

pub(super) fn ingress(object: Node<'_>, metadata: Metadata) -> Ingress {
    let spec = object.get("spec");
    let each = |key: &str| spec.and_then(|spec| spec.get(key)).into_iter().flat_map(Node::items);
    Ingress {
        metadata,
        class: spec.and_then(|spec| text(spec, "ingressClassName")),
        tls: each("tls")
            .map(|tls| IngressTls { hosts: texts(tls, "hosts"), secret: text(tls, "secretName") })
            .collect(),
        hosts: list(each("rules").filter_map(|rule| text(rule, "host"))),
    }
}

//! `etcd`, and what stood in its place from 3.0 to 3.5.

use super::super::values::{Value, Values, specific};
use super::{ConfServer, ControlPlane, Etcd, EtcdTls, Ignored, Listen, Role};
use crate::deployment::{Setting, Version};
use crate::source::Located;
use crate::syntax::yaml::{Kind, Node};

/// `deployment.etcd`, or 2.x's `etcd`.
pub fn etcd(values: &Values<'_>, root: Node<'_>, modern: bool, ignored: &mut Vec<Located<Ignored>>) -> Etcd {
    let node = if modern { root.at(&["deployment", "etcd"]) } else { root.get("etcd") };
    let span = node.or_else(|| root.get("deployment")).unwrap_or(root).span();
    let get = |key: &str| node.and_then(|node| node.get(key));
    if modern && let Some(span) = root.key_span("etcd") {
        ignored.push(Located::new(Ignored::TopLevelEtcd, span));
    }
    if let Some(span) = root.get("apisix").filter(|_| modern).and_then(|apisix| apisix.key_span("etcd")) {
        ignored.push(Located::new(Ignored::EtcdUnderApisix, span));
    }
    // what lies within an ignored block is ignored with it
    if let Some(place) = node {
        if let Some(span) = place.key_span("mtls") {
            ignored.push(Located::new(Ignored::EtcdMtls, span));
        }
        for key in ["ca", "ca_file", "ca_cert", "cafile", "trusted_ca", "ssl_trusted_certificate"] {
            for holder in [place.get("tls"), place.get("mtls"), Some(place)].into_iter().flatten() {
                if let Some(span) = holder.key_span(key) {
                    ignored.push(Located::new(Ignored::EtcdCa, span));
                }
            }
        }
    }
    let hosts = match get("host").map(|node| (node, values.value(node))) {
        Some((list, Value::List)) => Setting::Given(Located::new(values.texts(Some(list)), list.span())),
        // 2.x takes one address as a string
        Some((one, Value::Text(text))) if !modern => {
            Setting::Given(Located::new(vec![Located::new(text, one.span())], one.span()))
        }
        _ => Setting::Default {
            value: vec![Located::new("http://127.0.0.1:2379".to_owned(), span)],
            parent: span,
        },
    };
    let tls = get("tls").filter(|node| node.kind() == Kind::Mapping).map(|node| EtcdTls {
        certificate: values.given_text(node.get("cert")),
        key: values.given_text(node.get("key")),
        verify: values.boolean(node.get("verify"), true, node.span()),
        sni: values.text(node.get("sni")),
        span: node.span(),
    });
    let password = values.given_text(get("user")).is_some() && get("password").is_some();
    let use_grpc = *values.boolean(get("use_grpc"), false, span).value();
    Etcd { hosts, tls, password, use_grpc, span }
}

/// The port of a control plane for its data planes.
pub fn conf_server(values: &Values<'_>, root: Node<'_>, version: Version, role: Role) -> Option<ConfServer> {
    if role != Role::ControlPlane || version < Version(3, 0, 0) || version >= Version(3, 6, 0) {
        return None;
    }
    let node = root.at(&["deployment", "role_control_plane", "conf_server"])?;
    let listen = values.text(node.get("listen"));
    let (address, port) = match &listen {
        Some(text) => {
            let (ip, port) = text.value.rsplit_once(':')?;
            (specific(ip), Setting::Given(Located::new(port.parse().ok()?, text.span)))
        }
        None => (None, Setting::Default { value: 9280, parent: node.span() }),
    };
    Some(ConfServer {
        listen: Listen { address, port },
        certificate: values.given_text(node.get("cert")),
        key: values.given_text(node.get("cert_key")),
        client_ca: values.given_text(node.get("client_ca_cert")),
        span: node.span(),
    })
}

/// The control plane of a data plane.
pub fn control_plane(
    values: &Values<'_>,
    root: Node<'_>,
    version: Version,
    role: Role,
) -> Option<ControlPlane> {
    if role != Role::DataPlane || version < Version(3, 0, 0) || version >= Version(3, 6, 0) {
        return None;
    }
    let node = root.at(&["deployment", "role_data_plane", "control_plane"])?;
    let certs = root.at(&["deployment", "certs"]);
    let cert = |key: &str| values.given_text(certs.and_then(|node| node.get(key)));
    Some(ControlPlane {
        hosts: values.texts(node.get("host")),
        certificate: cert("cert"),
        key: cert("cert_key"),
        trusted: cert("trusted_ca_cert"),
        span: node.span(),
    })
}

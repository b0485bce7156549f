//! Upstreams, and what APISIX refuses of them.

use super::ssl::{Refusals, certificate, private_key};
use super::{PassHost, Scheme, Upstream, UpstreamNode, UpstreamTls};
use crate::deployment::Setting;
use crate::dialect::apisix::values::{Value, Values};
use crate::source::Located;
use crate::syntax::yaml::{Kind, Node};

/// Reads an upstream; `within` is what the schema says of the way to it.
pub fn upstream(
    values: &Values<'_>,
    node: Node<'_>,
    id: Option<Located<String>>,
    list: &'static str,
    within: &str,
) -> Upstream {
    let what = match (&id, list) {
        (Some(id), "upstreams") => format!("upstream {}", id.value),
        (Some(id), _) => format!("{} {}", list.trim_end_matches('s').replace('_', " "), id.value),
        (None, "upstreams") => "an upstream".to_owned(),
        (None, _) => format!("a {}", list.trim_end_matches('s').replace('_', " ")),
    };
    let span = node.span();
    let mut refusals = Refusals { list, what: what.clone(), found: Vec::new() };
    let scheme = match values.text(node.get("scheme")) {
        Some(text) => match Scheme::parse(&text.value) {
            Some(scheme) => Setting::Given(Located::new(scheme, text.span)),
            None => {
                refusals.add(
                    format!("the scheme {} is none it knows", text.value),
                    text.span,
                    &format!(
                        "{within}property \"scheme\" validation failed: matches none of the enum values"
                    ),
                );
                Setting::Default { value: Scheme::Http, parent: span }
            }
        },
        None => Setting::Default { value: Scheme::Http, parent: span },
    };
    let pass_host = match values.text(node.get("pass_host")).map(|text| (text.value.clone(), text)) {
        Some((word, text)) if word == "node" => Setting::Given(Located::new(PassHost::Node, text.span)),
        Some((word, text)) if word == "rewrite" => Setting::Given(Located::new(PassHost::Rewrite, text.span)),
        Some((word, text)) if word == "pass" => Setting::Given(Located::new(PassHost::Pass, text.span)),
        Some((word, text)) => {
            refusals.add(
                format!("pass_host is {word}; it is pass, node or rewrite"),
                text.span,
                &format!("{within}property \"pass_host\" validation failed: matches none of the enum values"),
            );
            Setting::Default { value: PassHost::Pass, parent: span }
        }
        None => Setting::Default { value: PassHost::Pass, parent: span },
    };
    let discovered = node.get("service_name").map(Node::span);
    if node.get("nodes").is_none() && discovered.is_none() {
        refusals.add(
            "its upstream has neither nodes nor service_name".to_owned(),
            span,
            &format!("{within}value should match only one schema, but matches none"),
        );
    }
    let tls = node.get("tls").filter(|tls| tls.kind() == Kind::Mapping).map(|tls| {
        read_tls(values, tls, &what, &format!("{within}property \"tls\" validation failed: "), &mut refusals)
    });
    Upstream {
        id: id.filter(|_| list == "upstreams"),
        scheme,
        nodes: nodes(values, node),
        discovered,
        pass_host,
        upstream_host: values.given_text(node.get("upstream_host")),
        tls,
        refusals: refusals.found,
        span,
    }
}

impl Scheme {
    /// The scheme of a word.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "http" => Self::Http,
            "https" => Self::Https,
            "grpc" => Self::Grpc,
            "grpcs" => Self::Grpcs,
            "tcp" => Self::Tcp,
            "tls" => Self::Tls,
            "udp" => Self::Udp,
            "kafka" => Self::Kafka,
            _ => return None,
        })
    }
}

fn nodes(values: &Values<'_>, node: Node<'_>) -> Vec<UpstreamNode> {
    let Some(nodes) = node.get("nodes") else { return Vec::new() };
    let mut out: Vec<(UpstreamNode, bool)> = Vec::new();
    match nodes.kind() {
        Kind::Mapping => {
            for (key, weight) in nodes.entries() {
                let Some(address) = key.as_str() else { continue };
                let (host, port) = split_address(address);
                let host = Located::new(host.to_owned(), key.span());
                out.push((
                    UpstreamNode { host, port, by_address: false },
                    values.value(weight) == Value::Number("0".to_owned()),
                ));
            }
        }
        Kind::Sequence => {
            for item in nodes.items() {
                let Some(host) = values.given_text(item.get("host")) else { continue };
                let host = host.map(|host| host.trim_start_matches('[').trim_end_matches(']').to_owned());
                let port = values.port(item.get("port")).map(|port| port.value);
                let off = values.text(item.get("weight")).is_some_and(|weight| weight.value == "0");
                out.push((UpstreamNode { host, port, by_address: false }, off));
            }
        }
        Kind::Null | Kind::Scalar => {}
    }
    // a node of weight 0 is not picked while there is another
    let all_off = out.iter().all(|(_, off)| *off);
    out.into_iter().filter(|(_, off)| all_off || !off).map(|(node, _)| node).collect()
}

/// Host and port of `host:port`, `[::1]:443` or a host alone.
fn split_address(address: &str) -> (&str, Option<u16>) {
    if let Some(rest) = address.strip_prefix('[')
        && let Some((host, after)) = rest.split_once(']')
    {
        return (host, after.strip_prefix(':').and_then(|port| port.parse().ok()));
    }
    match address.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => (address, None),
        },
        _ => (address, None),
    }
}

fn read_tls(
    values: &Values<'_>,
    node: Node<'_>,
    what: &str,
    within: &str,
    refusals: &mut Refusals,
) -> UpstreamTls {
    let has = |key: &str| node.get(key).is_some_and(|node| !matches!(values.value(node), Value::Nil));
    let span_of = |key: &str| node.key_span(key).unwrap_or(node.span());
    for (one, other) in [("client_cert", "client_key"), ("client_key", "client_cert")] {
        if has(one) && !has(other) {
            let what = if one == "client_cert" { "private key" } else { "certificate" };
            refusals.add_with(
                format!("tls has {one} without {other}"),
                span_of(one),
                &format!(
                    "{within}failed to validate dependent schema for \"{one}\": property \"{other}\" is required"
                ),
                format!("write {other}, the {what} of {one}, beside it").as_str(),
            );
        }
    }
    if has("client_cert_id") && (has("client_cert") || has("client_key")) {
        refusals.add_with(
            "tls has client_cert_id beside client_cert".to_owned(),
            span_of("client_cert_id"),
            &format!(
                "{within}failed to validate dependent schema for \"client_cert_id\": object matches a forbidden schema"
            ),
            "keep client_cert_id, or client_cert with client_key, and delete the other",
        );
    }
    let certificate = node.get("client_cert").and_then(|cert| {
        certificate(
            values,
            cert,
            &format!("{what}, tls.client_cert"),
            &format!("{within}property \"client_cert\""),
            refusals,
        )
    });
    let key = node.get("client_key").and_then(|key| {
        private_key(
            values,
            key,
            &format!("{what}, tls.client_key"),
            &format!("{within}property \"client_key\""),
            refusals,
        )
    });
    let verify = match node.get("verify").map(|node| (node, values.value(node))) {
        Some((node, Value::Boolean(value))) => Some(Located::new(value, node.span())),
        None | Some((_, Value::Nil | Value::Unseen(_))) => None,
        Some((node, value)) => {
            let got = value.lua_type();
            refusals.add(
                format!("tls.verify is a {got} where it must be a boolean"),
                node.span(),
                &format!(
                    "{within}property \"verify\" validation failed: wrong type: expected boolean, got {got}"
                ),
            );
            None
        }
    };
    let known = ["client_cert", "client_key", "client_cert_id", "verify"];
    let unknown = node
        .entries()
        .filter_map(|(key, _)| Some(Located::new(key.as_str()?.to_owned(), key.span())))
        .filter(|key| !known.contains(&key.value.as_str()))
        .collect();
    UpstreamTls {
        certificate,
        key,
        certificate_id: values.given_text(node.get("client_cert_id")),
        verify,
        unknown,
        span: node.span(),
    }
}

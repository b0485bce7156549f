//! Routes, services and plugins.

use super::ssl::Refusals;
use super::upstream::upstream;
use super::{Plugin, Route, Service};
use crate::dialect::apisix::values::{Value, Values};
use crate::source::{Located, Text};
use crate::syntax::yaml::{Kind, Node};

/// Reads a route, of requests or of layer 4.
pub fn route(values: &Values<'_>, node: Node<'_>, id: Option<Located<String>>, list: &'static str) -> Route {
    let span = node.span();
    let what = id.as_ref().map_or("a route".to_owned(), |id| format!("route {}", id.value));
    let mut refusals = Refusals { list, what, found: Vec::new() };
    let either = |one: &str, many: &str| match node.get(many) {
        Some(list) if list.kind() == Kind::Sequence => values.texts(Some(list)),
        _ => values.given_text(node.get(one)).into_iter().collect(),
    };
    let has = |key: &str| node.get(key).is_some_and(|node| !matches!(values.value(node), Value::Nil));
    if list == "routes" {
        if has("uri") == has("uris") {
            refusals.add(
                "it needs uri or uris, and not both".to_owned(),
                span,
                "allOf 1 failed: value should match only one schema, but matches none",
            );
        }
        let served = ["plugins", "upstream", "upstream_id", "service_id", "script", "plugin_config_id"];
        if !served.iter().any(|key| has(key)) {
            refusals.add(
                "it has neither upstream nor service nor plugins".to_owned(),
                span,
                "object matches none of the required",
            );
        }
    }
    let upstream = inner_upstream(values, node, id.as_ref(), list);
    let mut found = refusals.found;
    if let Some(upstream) = &upstream {
        found.extend(upstream.refusals.iter().cloned());
    }
    let condition = [
        ("vars", "vars"),
        ("filter_func", "filter_func"),
        ("remote_addr", "remote_addr"),
        ("remote_addrs", "remote_addrs"),
    ]
    .into_iter()
    .find_map(|(key, name)| {
        let value = node.get(key).filter(|value| value.kind() != Kind::Null)?;
        let empty = value.kind() == Kind::Sequence && value.items().next().is_none();
        (!empty).then(|| Located::new(name, value.span()))
    });
    Route {
        enabled: values.text(node.get("status")).is_none_or(|status| status.value != "0"),
        uris: either("uri", "uris"),
        hosts: either("host", "hosts"),
        methods: values.texts(node.get("methods")).into_iter().map(|method| method.value).collect(),
        priority: node.get("priority").and_then(Node::as_i64).unwrap_or(0),
        condition,
        upstream,
        upstream_id: values.given_text(node.get("upstream_id")),
        service_id: values.given_text(node.get("service_id")),
        plugin_config_id: values.given_text(node.get("plugin_config_id")),
        plugins: plugins(values, node),
        refusals: found,
        id,
        span,
    }
}

/// Reads a service.
pub fn service(values: &Values<'_>, node: Node<'_>, id: Option<Located<String>>) -> Service {
    let upstream = inner_upstream(values, node, id.as_ref(), "services");
    Service {
        hosts: values.texts(node.get("hosts")),
        upstream_id: values.given_text(node.get("upstream_id")),
        plugins: plugins(values, node),
        refusals: upstream.as_ref().map(|upstream| upstream.refusals.clone()).unwrap_or_default(),
        upstream,
        id,
        span: node.span(),
    }
}

fn inner_upstream(
    values: &Values<'_>,
    node: Node<'_>,
    id: Option<&Located<String>>,
    list: &'static str,
) -> Option<super::Upstream> {
    let inner = node.get("upstream").filter(|inner| inner.kind() == Kind::Mapping)?;
    Some(upstream(values, inner, id.cloned(), list, "property \"upstream\" validation failed: "))
}

/// Reads the plugins of an object.
pub fn plugins(values: &Values<'_>, node: Node<'_>) -> Vec<Plugin> {
    let Some(plugins) = node.get("plugins").filter(|plugins| plugins.kind() == Kind::Mapping) else {
        return Vec::new();
    };
    let mut out = Vec::new();
    for (key, value) in plugins.entries() {
        let Some(name) = key.as_str() else { continue };
        let disabled =
            value.at(&["_meta", "disable"]).or_else(|| value.get("disable")).and_then(Node::as_bool);
        out.push(Plugin {
            name: Located::new(name.to_owned(), key.span()),
            disabled: disabled == Some(true),
            rewrites_host: (name == "proxy-rewrite").then(|| values.given_text(value.get("host"))).flatten(),
            conf: value.get("conf").and_then(conf),
            span: value.span(),
        });
    }
    out
}

/// The text that a WebAssembly plugin is configured with: a string as it is, an object as JSON.
pub fn conf(node: Node<'_>) -> Option<Text> {
    match node.kind() {
        Kind::Scalar => node.text(),
        Kind::Null => None,
        Kind::Sequence | Kind::Mapping => {
            let mut out = String::new();
            json(node, 0, &mut out);
            Some(Text::opaque(node.span(), out))
        }
    }
}

fn json(node: Node<'_>, depth: usize, out: &mut String) {
    if depth > 64 {
        out.push_str("null");
        return;
    }
    match node.kind() {
        // standalone YAML makes tables of empty lists and of null
        Kind::Null => out.push_str("{}"),
        Kind::Scalar => {
            let text = node.as_str().unwrap_or_default();
            if node.is_plain() && (node.as_bool().is_some() || node.as_i64().is_some()) {
                match node.as_bool() {
                    Some(value) => out.push_str(if value { "true" } else { "false" }),
                    None => out.push_str(text),
                }
            } else {
                out.push_str(&serde_json::Value::from(text).to_string());
            }
        }
        Kind::Sequence => {
            out.push('[');
            for (index, item) in node.items().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                json(item, depth + 1, out);
            }
            out.push(']');
        }
        Kind::Mapping => {
            out.push('{');
            for (index, (key, value)) in node.entries().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&serde_json::Value::from(key.as_str().unwrap_or_default()).to_string());
                out.push(':');
                json(value, depth + 1, out);
            }
            out.push('}');
        }
    }
}

//! Documents → [`Objects`]: whole sets, answers of the Admin API, bare bodies.

use super::{Objects, PluginHolder, route, ssl, upstream};
use crate::deployment::Version;
use crate::dialect::apisix::values::Values;
use crate::source::Located;
use crate::syntax::yaml::{Kind, Node};

/// The lists of apisix.yaml, named as in the Admin API's paths.
const LISTS: [&str; 12] = [
    "routes",
    "services",
    "upstreams",
    "ssls",
    "consumers",
    "consumer_groups",
    "global_rules",
    "plugin_configs",
    "plugin_metadata",
    "stream_routes",
    "protos",
    "secrets",
];

/// How a document holds objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// apisix.yaml, or a dump of its shape.
    Set,
    /// `{"key": "/apisix/routes/1", "value": …}`.
    Entry,
    /// `{"total": 1, "list": […]}`.
    List,
    /// `{"node": …}`, as 2.x answers.
    Node,
    /// An object by itself.
    Bare(&'static str),
}

/// Whether a document holds objects of APISIX.
pub fn recognises(root: Node<'_>) -> bool {
    shape(root).is_some()
}

/// Whether a standalone file lacks its last line, `#END`, without which nothing of it is loaded
/// (config_yaml.lua looks for it in the last ten bytes).
pub fn end_flag_missing(text: &[u8]) -> bool {
    let tail = text.get(text.len().saturating_sub(10)..).unwrap_or_default();
    !tail.windows(4).any(|window| window == b"#END")
}

impl Objects {
    /// Adds what a document holds; nothing if it holds no objects.
    pub fn add(&mut self, values: &Values<'_>, root: Node<'_>) {
        match shape(root) {
            Some(Shape::Set) => {
                self.complete = true;
                self.add_set(values, root, None);
            }
            Some(Shape::Entry) => self.add_entry(values, root),
            Some(Shape::List) => {
                for item in root.get("list").into_iter().flat_map(Node::items) {
                    self.add_entry(values, item);
                }
            }
            Some(Shape::Node) => {
                if let Some(node) = root.get("node") {
                    self.add_node(values, node);
                }
            }
            Some(Shape::Bare(kind)) => self.add_object(values, kind, root, None),
            None => {}
        }
    }

    /// Adds the lists of a standalone file that a version reads; None: of a set whose reader is unknown.
    pub fn add_set(&mut self, values: &Values<'_>, root: Node<'_>, version: Option<Version>) {
        let of_two = version.is_some_and(|version| version < Version(3, 0, 0));
        let (read, unread) = if of_two { ("ssl", "ssls") } else { ("ssls", "ssl") };
        let has_ssls = |key: &str| root.get(key).is_some_and(|list| is_list_of("ssls", list));
        let read = if version.is_none() && !has_ssls(read) { unread } else { read };
        if version.is_some() && has_ssls(unread) {
            self.unread_ssls = root.key_span(unread).map(|span| Located::new(read, span));
        }
        for kind in LISTS {
            let key = if kind == "ssls" { read } else { kind };
            for item in root.get(key).into_iter().flat_map(Node::items) {
                self.add_object(values, kind, item, None);
            }
        }
    }

    fn add_node(&mut self, values: &Values<'_>, node: Node<'_>) {
        match node.get("nodes") {
            Some(nodes) => nodes.items().for_each(|item| self.add_entry(values, item)),
            None => self.add_entry(values, node),
        }
    }

    fn add_entry(&mut self, values: &Values<'_>, entry: Node<'_>) {
        let Some(key) = entry.get("key").and_then(|key| values.text(Some(key))) else { return };
        let Some((kind, id)) = kind_and_id(&key.value) else { return };
        if let Some(value) = entry.get("value").filter(|value| value.kind() == Kind::Mapping) {
            self.add_object(values, kind, value, Some(Located::new(id.to_owned(), key.span)));
        }
    }

    fn add_object(
        &mut self,
        values: &Values<'_>,
        kind: &'static str,
        node: Node<'_>,
        id: Option<Located<String>>,
    ) {
        let id = values.given_text(node.get("id")).or(id);
        match kind {
            "routes" => place(&mut self.routes, route::route(values, node, id, "routes"), |route| &route.id),
            "stream_routes" => {
                place(&mut self.stream_routes, route::route(values, node, id, "stream_routes"), |route| {
                    &route.id
                });
            }
            "services" => place(&mut self.services, route::service(values, node, id), |service| &service.id),
            "upstreams" => {
                let upstream = upstream::upstream(values, node, id, "upstreams", "");
                place(&mut self.upstreams, upstream, |upstream| &upstream.id);
            }
            "ssls" => place(&mut self.ssls, ssl::ssl(values, node, id), |ssl| &ssl.id),
            "consumers" | "consumer_groups" | "global_rules" | "plugin_configs" => {
                let id = id.or_else(|| values.given_text(node.get("username")));
                let plugins = route::plugins(values, node);
                self.plugins.push(PluginHolder { kind, id, plugins, span: node.span() });
            }
            _ => {}
        }
    }
}

/// Adds an object; one of the same id is replaced.
fn place<T>(list: &mut Vec<T>, object: T, id: impl Fn(&T) -> &Option<Located<String>>) {
    let known = id(&object).as_ref().and_then(|new| {
        list.iter().position(|old| id(old).as_ref().is_some_and(|old| old.value == new.value))
    });
    match known.and_then(|at| list.get_mut(at)) {
        Some(old) => *old = object,
        None => list.push(object),
    }
}

/// `routes` and `1` of `/apisix/routes/1`.
fn kind_and_id(key: &str) -> Option<(&'static str, &str)> {
    let (parents, id) = key.rsplit_once('/')?;
    let kind = parents.rsplit('/').next()?;
    // 2.x keeps ssl objects under `ssl`
    let kind = if kind == "ssl" { "ssls" } else { kind };
    LISTS.iter().find(|list| **list == kind).map(|list| (*list, id))
}

fn shape(root: Node<'_>) -> Option<Shape> {
    if root.kind() != Kind::Mapping || root.get("apiVersion").is_some() {
        return None;
    }
    let is_entry = |node: Node<'_>| {
        node.get("key").and_then(Node::as_str).and_then(kind_and_id).is_some() && node.get("value").is_some()
    };
    if is_entry(root) {
        return Some(Shape::Entry);
    }
    if let Some(list) = root.get("list").filter(|list| list.kind() == Kind::Sequence)
        && list.items().next().is_some_and(is_entry)
    {
        return Some(Shape::List);
    }
    if let Some(node) = root.get("node")
        && node.get("key").and_then(Node::as_str).is_some()
        && (node.get("nodes").is_some() || is_entry(node))
    {
        return Some(Shape::Node);
    }
    let lists = LISTS.iter().map(|list| (*list, *list)).chain([("ssl", "ssls")]);
    let mut lists = lists.filter_map(|(key, kind)| Some((root.get(key)?, kind)));
    if lists.any(|(list, kind)| is_list_of(kind, list)) {
        return Some(Shape::Set);
    }
    bare(root).map(Shape::Bare)
}

/// Whether a node is a list of objects of a kind, by what one of them has.
fn is_list_of(kind: &str, node: Node<'_>) -> bool {
    let telling: &[&str] = match kind {
        "routes" => &["uri", "uris"],
        "services" => &["upstream", "upstream_id", "plugins"],
        "upstreams" => &["nodes", "service_name", "discovery_type"],
        "ssls" => &["sni", "snis", "cert"],
        "consumers" => &["username"],
        "stream_routes" => &["upstream", "upstream_id", "server_port"],
        "global_rules" | "plugin_configs" | "consumer_groups" => &["plugins"],
        _ => return false,
    };
    node.kind() == Kind::Sequence
        && node
            .items()
            .any(|item| telling.iter().any(|key| item.get(key).is_some()) && item.get("match").is_none())
}

/// What an object by itself is, by its shape.
fn bare(root: Node<'_>) -> Option<&'static str> {
    let has = |key: &str| root.get(key).is_some();
    let any = |keys: &[&str]| keys.iter().any(|key| has(key));
    let upstream = root.get("upstream").is_some_and(|node| node.kind() == Kind::Mapping);
    let served = upstream || any(&["upstream_id", "service_id", "plugins", "plugin_config_id", "script"]);
    if any(&["uri", "uris"]) && served {
        return Some("routes");
    }
    if any(&["sni", "snis"]) && any(&["cert", "certs"]) && any(&["key", "keys"]) {
        return Some("ssls");
    }
    if has("cert") && has("key") && root.get("type").and_then(Node::as_str) == Some("client") {
        return Some("ssls");
    }
    let nodes = root.get("nodes").is_some_and(|node| node.kind() != Kind::Scalar);
    if nodes && any(&["type", "scheme", "pass_host", "upstream_host", "tls", "hash_on"]) {
        return Some("upstreams");
    }
    if has("username") && has("plugins") {
        return Some("consumers");
    }
    if upstream && root.at(&["upstream", "nodes"]).is_some() {
        return Some(if any(&["server_port", "server_addr", "remote_addr"]) {
            "stream_routes"
        } else {
            "services"
        });
    }
    None
}

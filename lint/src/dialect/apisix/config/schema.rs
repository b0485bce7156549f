//! What APISIX refuses of config.yaml before it generates anything from it.
//!
//! Two passes, as in apisix/cli/file.lua and schema.lua: the file is merged into the defaults, whose types it
//! must keep, then the JSON schema is applied.

use super::super::values::{Value, Values};
use super::{Provider, Role};
use crate::deployment::{Refusal, Version};
use crate::finding::Label;
use crate::source::{Located, Span};
use crate::syntax::yaml::{Kind, Node};

/// What is refused of a document.
pub fn refusals(values: &Values<'_>, root: Node<'_>, version: Version, role: Role) -> Vec<Refusal> {
    let mut out = Vec::new();
    for (path, expected) in DEFAULTS {
        merged(values, root, path, expected, version, &mut out);
    }
    deployment(values, root, version, role, &mut out);
    proxied_etcd(values, root, version, role, &mut out);
    admin(values, root, &mut out);
    etcd(values, root, version, role, &mut out);
    ssl(values, root, &mut out);
    wasm(root, &mut out);
    out
}

/// Values that the defaults have, and their Lua types (apisix/cli/config.lua; config-default.yaml before 3.9).
const DEFAULTS: [(&[&str], &str); 33] = [
    (&["apisix"], "table"),
    (&["apisix", "node_listen"], "table"),
    (&["apisix", "enable_admin"], "boolean"),
    (&["apisix", "enable_ipv6"], "boolean"),
    (&["apisix", "enable_http2"], "boolean"),
    (&["apisix", "enable_control"], "boolean"),
    (&["apisix", "proxy_mode"], "string"),
    (&["apisix", "router"], "table"),
    (&["apisix", "ssl"], "table"),
    (&["apisix", "ssl", "enable"], "boolean"),
    (&["apisix", "ssl", "listen"], "table"),
    (&["apisix", "ssl", "ssl_protocols"], "string"),
    (&["apisix", "ssl", "ssl_ciphers"], "string"),
    (&["apisix", "ssl", "ssl_session_tickets"], "boolean"),
    (&["apisix", "ssl", "ssl_trusted_certificate"], "string"),
    (&["apisix", "data_encryption"], "table"),
    (&["nginx_config"], "table"),
    (&["plugins"], "table"),
    (&["deployment"], "table"),
    (&["deployment", "role"], "string"),
    (&["deployment", "role_traditional"], "table"),
    (&["deployment", "admin"], "table"),
    (&["deployment", "admin", "admin_key_required"], "boolean"),
    (&["deployment", "admin", "admin_key"], "table"),
    (&["deployment", "admin", "allow_admin"], "table"),
    (&["deployment", "admin", "admin_listen"], "table"),
    (&["deployment", "etcd"], "table"),
    (&["deployment", "etcd", "host"], "table"),
    (&["deployment", "etcd", "prefix"], "string"),
    (&["deployment", "etcd", "timeout"], "number"),
    (&["deployment", "etcd", "startup_retry"], "number"),
    (&["deployment", "etcd", "tls"], "table"),
    (&["deployment", "etcd", "tls", "verify"], "boolean"),
];

fn merged(
    values: &Values<'_>,
    root: Node<'_>,
    path: &[&str],
    expected: &str,
    version: Version,
    out: &mut Vec<Refusal>,
) {
    if path.first() == Some(&"deployment") && version < Version(3, 0, 0) {
        return;
    }
    // it has no default before 3.12, so the schema judges it
    if path.last() == Some(&"ssl_trusted_certificate") && version < Version(3, 12, 0) {
        return;
    }
    let Some(node) = root.at(path) else { return };
    let value = values.value(node);
    let got = value.lua_type();
    let numbers_pass = path.last() == Some(&"node_listen");
    if got == "nil"
        || got == expected
        || matches!(value, Value::Unseen(_))
        || (numbers_pass && got == "number")
    {
        return;
    }
    let shown = path.join("->");
    // a table in a scalar's place is merged into it, which Lua refuses in words of its own
    let log = (got != "table")
        .then(|| format!("{READ}failed to merge, path[{shown}] expect: {expected}, but got: {got}"));
    out.push(refusal(
        format!("{} is a {got} where APISIX expects a {expected}", path.join(".")),
        node.span(),
        log,
    ));
}

const READ: &str = "failed to read local yaml config of apisix: ";

fn deployment(values: &Values<'_>, root: Node<'_>, version: Version, role: Role, out: &mut Vec<Refusal>) {
    let Some(deployment) = root.get("deployment") else { return };
    if let Some(node) = deployment.get("role")
        && let Value::Text(text) = values.value(node)
        && Role::parse(&text).is_none()
    {
        out.push(refusal(
            format!("deployment.role is {text}; it is one of traditional, control_plane, data_plane"),
            node.span(),
            Some(format!(
                "{READ}failed to validate config: property \"deployment\" validation failed: property \"role\" validation failed: matches none of the enum values"
            )),
        ));
        return;
    }
    let block = role.block();
    let provider = deployment.at(&[block, "config_provider"]);
    match provider.map(|node| (node, values.value(node))) {
        Some((node, Value::Text(text))) if unknown_provider(&text, version) => out.push(refusal(
            format!("{block}.config_provider is {text}, which APISIX does not know"),
            node.span(),
            Some(format!(
                "{READ}invalid deployment {} configuration: property \"{block}\" validation failed: property \"config_provider\" validation failed: matches none of the enum values",
                role.name()
            )),
        )),
        None if role == Role::DataPlane => out.push(refusal(
            "a data plane needs role_data_plane.config_provider".to_owned(),
            deployment.span(),
            Some(format!(
                "{READ}invalid deployment data_plane configuration: property \"role_data_plane\" is required"
            )),
        )),
        _ => {}
    }
    let server = deployment.at(&["role_control_plane", "conf_server"]);
    let server = server.filter(|_| role == Role::ControlPlane && proxies_etcd(version));
    if let Some(server) = server
        && server.get("cert").is_some()
        && server.get("cert_key").is_none()
    {
        out.push(refusal("conf_server has cert without cert_key".to_owned(), server.span(), None));
    }
}

/// 3.6 removed the control plane as a provider.
fn unknown_provider(word: &str, version: Version) -> bool {
    match Provider::parse(word) {
        None => true,
        Some(Provider::ControlPlane) => version >= Version(3, 6, 0),
        Some(_) => false,
    }
}

/// 3.0 to 3.5 reach etcd through nginx's own proxy, for which cli/snippet.lua writes a block.
fn proxies_etcd(version: Version) -> bool {
    version >= Version(3, 0, 0) && version < Version(3, 6, 0)
}

/// What cli/snippet.lua refuses of etcd's addresses.
fn proxied_etcd(values: &Values<'_>, root: Node<'_>, version: Version, role: Role, out: &mut Vec<Refusal>) {
    let provider = values.text(root.at(&["deployment", role.block(), "config_provider"]));
    let from_etcd = provider.is_none_or(|provider| provider.value == "etcd");
    if !proxies_etcd(version) || role == Role::DataPlane || !from_etcd {
        return;
    }
    let Some(etcd) = root.at(&["deployment", "etcd"]) else { return };
    let hosts = values.texts(etcd.get("host"));
    let is_https = |host: &Located<String>| host.value.starts_with("https://");
    let Some(first) = hosts.first() else { return };
    if let Some(other) = hosts.iter().find(|host| is_https(host) != is_https(first)) {
        out.push(refusal(
            "some of etcd's addresses are https and others http".to_owned(),
            other.span,
            Some("all nodes in the etcd cluster should enable/disable TLS together".to_owned()),
        ));
    }
}

fn admin(values: &Values<'_>, root: Node<'_>, out: &mut Vec<Refusal>) {
    if let Some(node) = root.at(&["deployment", "admin", "https_admin"])
        && !matches!(values.value(node), Value::Boolean(_) | Value::Nil | Value::Unseen(_))
    {
        let got = values.value(node).lua_type();
        out.push(refusal(
            format!("deployment.admin.https_admin is a {got} where APISIX expects a boolean"),
            node.span(),
            Some(format!(
                "{READ}invalid deployment traditional configuration: property \"admin\" validation failed: property \"https_admin\" validation failed: wrong type: expected boolean, got {got}"
            )),
        ));
    }
}

fn etcd(values: &Values<'_>, root: Node<'_>, version: Version, role: Role, out: &mut Vec<Refusal>) {
    let modern = version >= Version(3, 0, 0);
    let Some(etcd) = (if modern { root.at(&["deployment", "etcd"]) } else { root.get("etcd") }) else {
        return;
    };
    let within = if modern {
        format!(
            "{READ}invalid deployment {} configuration: property \"etcd\" validation failed: ",
            role.name()
        )
    } else {
        "failed to validate config: property \"etcd\" validation failed: ".to_owned()
    };
    if let Some(hosts) = etcd.get("host").filter(|node| node.kind() == Kind::Sequence) {
        let mut count = 0;
        for (index, item) in hosts.items().enumerate() {
            count += 1;
            let Value::Text(text) = values.value(item) else { continue };
            if !text.starts_with("http://") && !text.starts_with("https://") {
                out.push(refusal(
                    format!("etcd's address {text} does not start with http:// or https:// in lower case"),
                    item.span(),
                    Some(format!(
                        "{within}property \"host\" validation failed: failed to validate item {}: failed to match pattern \"^https?://\" with \"{text}\"",
                        index + 1
                    )),
                ));
            }
        }
        if count == 0 {
            out.push(refusal(
                "etcd's list of addresses is empty".to_owned(),
                hosts.span(),
                Some(format!(
                    "{within}property \"host\" validation failed: expect array to have at least 1 items"
                )),
            ));
        }
    }
    for key in ["cert", "key", "sni"] {
        if let Some(node) = etcd.at(&["tls", key])
            && !matches!(values.value(node), Value::Text(_) | Value::Nil | Value::Unseen(_))
        {
            let got = values.value(node).lua_type();
            out.push(refusal(
                format!("etcd.tls.{key} is a {got} where APISIX expects a string"),
                node.span(),
                Some(format!(
                    "{within}property \"tls\" validation failed: property \"{key}\" validation failed: wrong type: expected string, got {got}"
                )),
            ));
        }
    }
}

fn ssl(values: &Values<'_>, root: Node<'_>, out: &mut Vec<Refusal>) {
    let Some(listen) = root.at(&["apisix", "ssl", "listen"]) else { return };
    for item in listen.items() {
        let Some(port) = item.get("port") else { continue };
        let fits = match values.value(port) {
            Value::Number(text) => text.parse::<u16>().is_ok_and(|port| port > 0),
            Value::Nil | Value::Unseen(_) => true,
            _ => false,
        };
        if !fits {
            out.push(refusal(
                "the port of apisix.ssl.listen is no port number".to_owned(),
                port.span(),
                None,
            ));
        }
    }
}

fn wasm(root: Node<'_>, out: &mut Vec<Refusal>) {
    let Some(plugins) = root.at(&["wasm", "plugins"]) else { return };
    for (index, item) in plugins.items().enumerate() {
        for key in ["name", "file", "priority"] {
            if item.get(key).is_none() {
                out.push(refusal(
                    format!("a plugin of wasm.plugins lacks {key}, which it must have"),
                    item.span(),
                    Some(format!(
                        "{READ}failed to validate config: property \"wasm\" validation failed: property \"plugins\" validation failed: failed to validate item {}: property \"{key}\" is required",
                        index + 1
                    )),
                ));
            }
        }
    }
}

/// A refusal with one place.
pub fn refusal(message: String, span: Span, log: Option<String>) -> Refusal {
    Refusal {
        rule: "refused-setting",
        message,
        labels: vec![Label { span, message: String::new() }],
        help: None,
        log,
    }
}

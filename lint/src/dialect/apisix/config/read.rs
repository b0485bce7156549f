//! config.yaml → [`Config`].

use mtls_identity::sorted;

use super::super::values::{Environment, Value, Values, specific};
use super::admin::{admin, control, metrics};
use super::etcd::{conf_server, control_plane, etcd};
use super::{
    Area, Config, Ignored, Listen, Nginx, Place, Provider, Role, Router, Ssl, StreamListen, Trusted,
    WasmPlugin, schema, snippet,
};
use crate::deployment::{Protocol, Protocols, Refusal, Setting, Version};
use crate::source::Located;
use crate::syntax::yaml::{Kind, Node};

/// Keys that encrypt data at rest, as APISIX ships them.
const PUBLISHED_KEYRING: [&str; 2] = ["qeddd145sfvddff3", "edd1c9f0985e76a2"];

/// What stands at the top level of config.yaml, in any version.
const TOP_LEVEL: [&str; 16] = [
    "apisix",
    "deployment",
    "nginx_config",
    "etcd",
    "plugins",
    "stream_plugins",
    "plugin_attr",
    "wasm",
    "discovery",
    "ext-plugin",
    "xrpc",
    "graphql",
    "conf_center",
    "secret",
    "tracing",
    "vault",
];

/// Whether a document is APISIX's config.yaml.
pub fn recognises(root: Node<'_>) -> bool {
    // the values of a Helm chart have `apisix` and `etcd` too, among keys that APISIX does not know
    let known = root.entries().all(|(key, _)| key.as_str().is_some_and(|key| TOP_LEVEL.contains(&key)));
    if !known {
        return false;
    }
    let has = |path: &[&str]| root.at(path).is_some();
    let deployment =
        ["role", "etcd", "admin", "role_traditional", "role_control_plane", "role_data_plane", "certs"]
            .iter()
            .any(|key| has(&["deployment", key]));
    let apisix = [
        "node_listen",
        "ssl",
        "admin_key",
        "enable_admin",
        "config_center",
        "allow_admin",
        "https_admin",
        "stream_proxy",
        "proxy_mode",
    ]
    .iter()
    .any(|key| has(&["apisix", key]));
    // etcd's own file has no block of this name
    let hosts = root.at(&["etcd", "host"]).into_iter().flat_map(Node::items);
    let etcd = hosts.filter_map(Node::as_str).any(|host| host.starts_with("http"));
    deployment || apisix || etcd || (has(&["nginx_config"]) && (has(&["plugins"]) || has(&["wasm"])))
}

/// Whether a file that stands where every image and package has config.yaml holds something of it.
pub fn recognises_at(path: &str, root: Node<'_>) -> bool {
    let name = path.rsplit_once("apisix/conf/config").map(|(_, rest)| rest);
    let there =
        name.is_some_and(|rest| rest == ".yaml" || (rest.starts_with('-') && rest.ends_with(".yaml")));
    // the defaults are there for people to read
    let read = there && name != Some("-default.yaml");
    read && root.entries().any(|(key, _)| key.as_str().is_some_and(|key| TOP_LEVEL.contains(&key)))
}

/// Reads config.yaml as a version does, with the environment that the process has.
pub fn read(root: Node<'_>, version: Version, environment: &Environment<'_>) -> Config {
    let values = &Values::new(environment);
    let span = root.span();
    let modern = version >= Version(3, 0, 0);
    let mut ignored = Vec::new();
    let mut refusals = Vec::new();

    let role = role(values, root);
    let provider = provider(values, root, modern, *role.value());
    let nginx = nginx(values, root);
    let http = speaks_http(values, root, version);
    let mut ssl = ssl(values, root, version, &mut refusals, &mut ignored);
    let mut admin = admin(values, root, version, *role.value(), &mut refusals, &mut ignored);
    if !http {
        ssl.listen.clear();
        if let Some(admin) = &mut admin {
            admin.listen = None;
        }
    }
    let etcd = etcd(values, root, modern, &mut ignored);

    refusals.extend(schema::refusals(values, root, version, *role.value()));
    refusals.extend(snippet::duplicates(&nginx, &ssl, admin.as_ref()));
    if let Some(verify) = nginx.for_handshakes("ssl_verify_client")
        && verify
            .argument()
            .is_some_and(|argument| argument.value != "off" && argument.value != "optional_no_ca")
        && nginx.for_handshakes("ssl_client_certificate").is_none()
        && nginx.for_handshakes("ssl_trusted_certificate").is_none()
    {
        refusals.push(schema::refusal(
            "the snippet turns ssl_verify_client on without ssl_client_certificate".to_owned(),
            verify.name.span,
            Some("nginx: [emerg] no ssl_client_certificate for ssl_verify_client".to_owned()),
        ));
    }

    Config {
        span,
        version,
        provider,
        plain: if http { plain(values, root) } else { Vec::new() },
        control: control(values, root).filter(|_| http),
        metrics: metrics(values, root),
        stream: stream(values, root, version),
        conf_server: conf_server(values, root, version, *role.value()),
        control_plane: control_plane(values, root, version, *role.value()),
        wasm: wasm(values, root),
        plugins: root
            .get("plugins")
            .filter(|node| node.kind() == Kind::Sequence)
            .map(|node| values.texts(Some(node))),
        router: router(values, root, version),
        published_keyring: published_keyring(values, root),
        unseen: unseen(values, root).into_iter().chain(unread(&nginx)).collect(),
        role,
        nginx,
        ssl,
        admin,
        etcd,
        ignored,
        refusals,
    }
}

impl Role {
    /// The role of a word.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "traditional" | "standalone" => Some(Self::Traditional),
            "control_plane" => Some(Self::ControlPlane),
            "data_plane" => Some(Self::DataPlane),
            _ => None,
        }
    }

    /// The word of a role.
    pub fn name(self) -> &'static str {
        match self {
            Self::Traditional => "traditional",
            Self::ControlPlane => "control_plane",
            Self::DataPlane => "data_plane",
        }
    }

    /// The block under `deployment` that belongs to it.
    pub fn block(self) -> &'static str {
        match self {
            Self::Traditional => "role_traditional",
            Self::ControlPlane => "role_control_plane",
            Self::DataPlane => "role_data_plane",
        }
    }
}

impl Provider {
    /// The provider of a word.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "etcd" => Some(Self::Etcd),
            "yaml" => Some(Self::Yaml),
            "json" => Some(Self::Json),
            "xds" => Some(Self::Xds),
            "control_plane" => Some(Self::ControlPlane),
            _ => None,
        }
    }
}

fn role(values: &Values<'_>, root: Node<'_>) -> Setting<Role> {
    let node = root.at(&["deployment", "role"]);
    match values.text(node).and_then(|text| Some(Located::new(Role::parse(&text.value)?, text.span))) {
        Some(role) => Setting::Given(role),
        None => Setting::Default {
            value: Role::Traditional,
            parent: root.get("deployment").map_or(root.span(), Node::span),
        },
    }
}

fn provider(values: &Values<'_>, root: Node<'_>, modern: bool, role: Role) -> Setting<Provider> {
    let node = if modern {
        root.at(&["deployment", role.block(), "config_provider"])
    } else {
        root.at(&["apisix", "config_center"])
    };
    match values.text(node).and_then(|text| Some(Located::new(Provider::parse(&text.value)?, text.span))) {
        Some(provider) => Setting::Given(provider),
        None => Setting::Default { value: Provider::Etcd, parent: root.span() },
    }
}

fn plain(values: &Values<'_>, root: Node<'_>) -> Vec<Listen> {
    let parent = root.get("apisix").map_or(root.span(), Node::span);
    let default = Listen { address: None, port: Setting::Default { value: 9080, parent } };
    let Some(node) = root.at(&["apisix", "node_listen"]) else { return vec![default] };
    match values.value(node) {
        Value::Number(_) | Value::Text(_) => values
            .port(Some(node))
            .map(|port| Listen { address: None, port: Setting::Given(port) })
            .into_iter()
            .collect(),
        Value::List => node.items().filter_map(|item| listen(values, item, 9080)).collect(),
        _ => vec![default],
    }
}

/// An item of a list of ports: a number, or an address with a port.
pub fn listen(values: &Values<'_>, item: Node<'_>, default: u16) -> Option<Listen> {
    if item.kind() != Kind::Mapping {
        return values.port(Some(item)).map(|port| Listen { address: None, port: Setting::Given(port) });
    }
    let port = match values.port(item.get("port")) {
        Some(port) => Setting::Given(port),
        None => Setting::Default { value: default, parent: item.span() },
    };
    Some(Listen { address: values.address(item.get("ip")), port })
}

fn ssl(
    values: &Values<'_>,
    root: Node<'_>,
    version: Version,
    refusals: &mut Vec<Refusal>,
    ignored: &mut Vec<Located<Ignored>>,
) -> Ssl {
    let node = root.at(&["apisix", "ssl"]);
    let span = node.or_else(|| root.get("apisix")).unwrap_or(root).span();
    let get = |key: &str| node.and_then(|node| node.get(key));
    let default = Listen { address: None, port: Setting::Default { value: 9443, parent: span } };
    let listen = match get("listen").or_else(|| get("listen_port")) {
        Some(list) if list.kind() == Kind::Sequence => {
            list.items().filter_map(|item| listen(values, item, 9443)).collect()
        }
        Some(port) => values
            .port(Some(port))
            .map_or(vec![default], |port| vec![Listen { address: None, port: Setting::Given(port) }]),
        None => vec![default],
    };
    for key in ["ssl_cert", "ssl_cert_key"] {
        if let Some(span) = node.and_then(|node| node.key_span(key)) {
            ignored.push(Located::new(Ignored::SslCertificate, span));
        }
    }
    let protocols = match values.text(get("ssl_protocols")) {
        Some(text) => {
            let words = text.value.split_whitespace();
            match protocols(words) {
                Ok(protocols) => Setting::Given(Located::new(protocols, text.span)),
                Err(word) => {
                    refusals.push(schema::refusal(
                        format!("{word} is no protocol that nginx knows"),
                        text.span,
                        Some(format!(
                            "nginx: [emerg] invalid value \"{word}\" in /usr/local/apisix/conf/nginx.conf"
                        )),
                    ));
                    Setting::Given(Located::new(Protocols::default(), text.span))
                }
            }
        }
        None => Setting::Default { value: Protocols::modern(), parent: span },
    };
    // `system` became the default with 3.12; before, nothing was trusted unless it was set
    let trusted = match get("ssl_trusted_certificate").map(|node| (node, values.value(node))) {
        Some((node, Value::Nil)) => Setting::Given(Located::new(None, node.span())),
        Some((node, Value::Text(text))) if text == "system" => {
            Setting::Given(Located::new(Some(Trusted::System), node.span()))
        }
        Some((node, Value::Text(text) | Value::Number(text))) => {
            Setting::Given(Located::new(Some(Trusted::File(text)), node.span()))
        }
        _ => Setting::Default {
            value: (version >= Version(3, 12, 0)).then_some(Trusted::System),
            parent: span,
        },
    };
    Ssl {
        enable: values.boolean(get("enable"), true, span),
        listen,
        trusted,
        protocols,
        ciphers: values.given_text(get("ssl_ciphers")),
        fallback_sni: values.given_text(get("fallback_sni")),
        span,
    }
}

/// The protocols of nginx's words, or the first word that it does not know.
pub fn protocols<'w>(words: impl Iterator<Item = &'w str>) -> Result<Protocols, String> {
    let mut versions =
        words.map(|word| protocol(word).ok_or_else(|| word.to_owned())).collect::<Result<Vec<_>, _>>()?;
    sorted::sort(&mut versions);
    versions.dedup();
    Ok(Protocols { versions })
}

/// The protocol of nginx's word.
pub fn protocol(word: &str) -> Option<Protocol> {
    Some(match word {
        "SSLv2" | "SSLv3" => Protocol::Ssl3,
        "TLSv1" => Protocol::Tls10,
        "TLSv1.1" => Protocol::Tls11,
        "TLSv1.2" => Protocol::Tls12,
        "TLSv1.3" => Protocol::Tls13,
        _ => return None,
    })
}

/// Whether nginx.conf has an `http` block at all (cli/ops.lua): `proxy_mode` says so since 3.3, before that
/// `stream_proxy.only`, which is on unless the Admin API needs HTTP.
fn speaks_http(values: &Values<'_>, root: Node<'_>, version: Version) -> bool {
    let Some(apisix) = root.get("apisix") else { return true };
    if version >= Version(3, 3, 0) {
        return values.text(apisix.get("proxy_mode")).is_none_or(|mode| mode.value.contains("http"));
    }
    let is_false =
        |node: Option<Node<'_>>| node.is_some_and(|node| values.value(node) == Value::Boolean(false));
    let stream = apisix.get("stream_proxy").filter(|node| node.kind() == Kind::Mapping);
    stream.is_none_or(|stream| is_false(stream.get("only"))) || !is_false(apisix.get("enable_admin"))
}

fn stream(values: &Values<'_>, root: Node<'_>, version: Version) -> Vec<StreamListen> {
    // 3.3 brought proxy_mode, whose default leaves layer 4 off
    let mode = values.text(root.at(&["apisix", "proxy_mode"]));
    let off = match &mode {
        Some(mode) => !mode.value.contains("stream"),
        None => version >= Version(3, 3, 0),
    };
    let Some(list) = root.at(&["apisix", "stream_proxy", "tcp"]).filter(|_| !off) else { return Vec::new() };
    let mut out = Vec::new();
    for item in list.items() {
        let (address, tls) = match item.kind() {
            Kind::Mapping => (item.get("addr"), *values.boolean(item.get("tls"), false, item.span()).value()),
            _ => (Some(item), false),
        };
        let Some(text) = values.text(address) else { continue };
        let (ip, port) = match text.value.rsplit_once(':') {
            Some((ip, port)) => (specific(ip), port),
            None => (None, text.value.as_str()),
        };
        if let Ok(port) = port.parse() {
            let port = Setting::Given(Located::new(port, text.span));
            out.push(StreamListen { listen: Listen { address: ip, port }, tls });
        }
    }
    out
}

fn nginx(values: &Values<'_>, root: Node<'_>) -> Nginx {
    let node = root.get("nginx_config");
    let span = node.unwrap_or(root).span();
    let http = node.and_then(|node| node.get("http"));
    let mut snippets = Vec::new();
    for (key, place) in Place::ALL {
        if let Some(text) = node.and_then(|node| node.get(key)).and_then(Node::text) {
            snippets.push(snippet::read(place, &text));
        }
    }
    Nginx {
        user: values.given_text(node.and_then(|node| node.get("user"))),
        sends_server_name: values.boolean(
            http.and_then(|node| node.get("proxy_ssl_server_name")),
            true,
            span,
        ),
        snippets,
        span,
    }
}

/// Snippets that cannot be read as nginx reads them: what they do to the rest of nginx.conf is unknown.
fn unread(nginx: &Nginx) -> impl Iterator<Item = (Area, String)> {
    let snippets = nginx.snippets.iter().filter(|snippet| snippet.unread);
    snippets.map(|snippet| (Area::Rest, format!("{} is no complete nginx text", snippet.place.key())))
}

fn wasm(values: &Values<'_>, root: Node<'_>) -> Vec<WasmPlugin> {
    let Some(plugins) = root.at(&["wasm", "plugins"]) else { return Vec::new() };
    let mut out = Vec::new();
    for item in plugins.items() {
        let Some(name) = values.given_text(item.get("name")) else { continue };
        let priority = item.get("priority");
        out.push(WasmPlugin {
            name,
            file: values.given_text(item.get("file")),
            priority: priority.and_then(|node| Some(Located::new(node.as_i64()?, node.span()))),
            rewrite_phase: values
                .text(item.get("http_request_phase"))
                .is_some_and(|phase| phase.value == "rewrite"),
            span: item.span(),
        });
    }
    out
}

fn router(values: &Values<'_>, root: Node<'_>, version: Version) -> Setting<Router> {
    let word = values.text(root.at(&["apisix", "router", "http"]));
    let router = |word: &str| match word {
        "radixtree_uri" => Some(Router::Uri),
        "radixtree_uri_with_parameter" => Some(Router::UriWithParameter),
        "radixtree_host_uri" => Some(Router::HostUri),
        _ => None,
    };
    match word.and_then(|word| Some(Located::new(router(&word.value)?, word.span))) {
        Some(router) => Setting::Given(router),
        None => Setting::Default {
            // 3.3.0 changed the default
            value: if version >= Version(3, 3, 0) { Router::HostUri } else { Router::Uri },
            parent: root.get("apisix").unwrap_or(root).span(),
        },
    }
}

fn published_keyring(values: &Values<'_>, root: Node<'_>) -> Setting<bool> {
    let block = root.at(&["apisix", "data_encryption", "keyring"]);
    let old = root.at(&["apisix", "ssl", "key_encrypt_salt"]);
    let Some(node) = block.or(old) else {
        return Setting::Default { value: true, parent: root.get("apisix").unwrap_or(root).span() };
    };
    // the first one encrypts, the others only read what older ones encrypted
    let first = match node.kind() {
        Kind::Sequence => node.items().next(),
        _ => Some(node),
    };
    let key = values.text(first);
    let published = key.is_some_and(|key| PUBLISHED_KEYRING.contains(&key.value.as_str()));
    Setting::Given(Located::new(published, node.span()))
}

/// Keys of `nginx_config` that change no connection, only how many there may be and what is logged of them.
const TUNING: [&str; 8] = [
    "error_log",
    "error_log_level",
    "worker_processes",
    "worker_rlimit_nofile",
    "worker_shutdown_timeout",
    "max_pending_timers",
    "max_running_timers",
    "event",
];

/// Strings whose variables were not seen, by the part of the configuration that they belong to.
fn unseen(values: &Values<'_>, root: Node<'_>) -> Vec<(Area, String)> {
    let mut out = Vec::new();
    for (key, value) in root.entries() {
        match key.as_str() {
            Some("deployment") => {
                for (key, value) in value.entries() {
                    match key.as_str() {
                        Some("etcd") => walk(values, value, Area::Etcd, 0, &mut out),
                        Some("admin") => {
                            for (key, value) in value.entries() {
                                let area =
                                    if key.as_str() == Some("admin_key") { Area::Keys } else { Area::Admin };
                                walk(values, value, area, 0, &mut out);
                            }
                        }
                        _ => walk(values, value, Area::Rest, 0, &mut out),
                    }
                }
            }
            Some("etcd") => walk(values, value, Area::Etcd, 0, &mut out),
            Some("nginx_config") => {
                for (key, value) in value.entries() {
                    if !key.as_str().is_some_and(|key| TUNING.contains(&key)) {
                        walk(values, value, Area::Rest, 0, &mut out);
                    }
                }
            }
            // what discovery and plugins are told concerns no connection here
            Some("discovery" | "plugin_attr" | "ext-plugin") => {}
            _ => walk(values, value, Area::Rest, 0, &mut out),
        }
    }
    out
}

fn walk(values: &Values<'_>, node: Node<'_>, area: Area, depth: usize, out: &mut Vec<(Area, String)>) {
    if depth > 32 {
        return;
    }
    match node.kind() {
        Kind::Sequence => node.items().for_each(|item| walk(values, item, area, depth + 1, out)),
        Kind::Mapping => node.entries().for_each(|(_, value)| walk(values, value, area, depth + 1, out)),
        Kind::Scalar | Kind::Null => {
            if let Value::Unseen(why) = values.value(node) {
                out.push((area, why));
            }
        }
    }
}

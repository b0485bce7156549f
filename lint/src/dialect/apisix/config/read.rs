//! config.yaml → [`Config`].

use sha2::{Digest, Sha256};

use super::super::values::{Environment, Value, Values, specific};
use super::{
    Admin, AdminKey, AdminTls, Area, ConfServer, Config, ControlPlane, Etcd, EtcdTls, Ignored, Listen, Nginx,
    Place, Provider, Role, Router, Ssl, StreamListen, Trusted, WasmPlugin, schema, snippet,
};
use crate::deployment::{Protocol, Protocols, Refusal, Setting, Version};
use crate::source::{Located, Span};
use crate::syntax::yaml::{Kind, Node};

/// Keys of the Admin API that APISIX shipped as defaults before 3.10: administrator and viewer.
const PUBLISHED_KEYS: [&str; 2] = ["edd1c9f034335f136f87ad84b625c8f1", "4054f7cf07e344346cd3f287985e76a2"];
/// Keys that encrypt data at rest, as APISIX ships them.
const PUBLISHED_KEYRING: [&str; 2] = ["qeddd145sfvddff3", "edd1c9f0985e76a2"];

/// Whether a document is APISIX's config.yaml.
pub fn recognises(root: Node<'_>) -> bool {
    if root.get("apiVersion").is_some() || root.get("kind").is_some() {
        return false;
    }
    let has = |path: &[&str]| root.at(path).is_some();
    let deployment =
        ["role", "etcd", "admin", "role_traditional", "role_control_plane", "role_data_plane", "certs"]
            .iter()
            .any(|key| has(&["deployment", key]));
    let apisix =
        ["node_listen", "ssl", "admin_key", "enable_admin", "config_center", "allow_admin", "https_admin"]
            .iter()
            .any(|key| has(&["apisix", key]));
    deployment || apisix || (has(&["nginx_config"]) && (has(&["plugins"]) || has(&["wasm"])))
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
    let ssl = ssl(values, root, version, &mut refusals, &mut ignored);
    let admin = admin(values, root, version, *role.value(), &mut refusals, &mut ignored);
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
        plain: plain(values, root),
        control: control(values, root),
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
        unseen: unseen(values, root),
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
fn listen(values: &Values<'_>, item: Node<'_>, default: u16) -> Option<Listen> {
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
        None => Setting::Default {
            value: Protocols { versions: vec![Protocol::Tls12, Protocol::Tls13] },
            parent: span,
        },
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
    versions.sort_unstable();
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

fn admin(
    values: &Values<'_>,
    root: Node<'_>,
    version: Version,
    role: Role,
    refusals: &mut Vec<Refusal>,
    ignored: &mut Vec<Located<Ignored>>,
) -> Option<Admin> {
    let modern = version >= Version(3, 0, 0);
    let apisix = root.get("apisix");
    let enabled = match (modern, role) {
        // file.lua decides by role, whatever is written
        (true, Role::DataPlane) => return None,
        (true, Role::ControlPlane) => true,
        _ => *values.boolean(apisix.and_then(|node| node.get("enable_admin")), true, root.span()).value(),
    };
    if !enabled {
        return None;
    }
    let own = if modern { root.at(&["deployment", "admin"]) } else { apisix };
    let span = own.or_else(|| root.get("deployment")).unwrap_or(root).span();
    let get = |key: &str| own.and_then(|node| node.get(key));
    // 3.x copies `apisix` into what the template sees, then `deployment.admin` over it: keys without a default
    // act in either place
    let either = |key: &str| {
        let here = get(key).filter(|node| !matches!(values.value(*node), Value::Nil));
        here.or_else(|| apisix.and_then(|node| node.get(key)))
    };
    if modern {
        for key in ["admin_key", "allow_admin"] {
            if let Some(span) = apisix.and_then(|node| node.key_span(key)) {
                ignored.push(Located::new(Ignored::AdminUnderApisix, span));
            }
        }
    }
    let mtls = either("admin_api_mtls").filter(|node| node.kind() == Kind::Mapping).map(|node| AdminTls {
        certificate: values.given_text(node.get("admin_ssl_cert")),
        key: values.given_text(node.get("admin_ssl_cert_key")),
        client_ca: values.given_text(node.get("admin_ssl_ca_cert")),
        span: node.span(),
    });
    let https = values.boolean(either("https_admin"), false, span);
    let pair =
        |mtls: Option<&AdminTls>| mtls.is_some_and(|mtls| mtls.certificate.is_some() && mtls.key.is_some());
    let own_pair = get("admin_api_mtls").is_some_and(|node| {
        values.given_text(node.get("admin_ssl_cert")).is_some()
            && values.given_text(node.get("admin_ssl_cert_key")).is_some()
    });
    let own_https = *values.boolean(get("https_admin"), false, span).value();
    // the check looks at `deployment.admin` alone; what lies under `apisix` meets the template unchecked
    if (own_https && !own_pair) || (*https.value() && !pair(mtls.as_ref())) {
        refusals.push(schema::refusal(
            "https_admin is on, and admin_api_mtls beside it lacks admin_ssl_cert or admin_ssl_cert_key"
                .to_owned(),
            https.span(),
            Some("missing ssl cert for https admin".to_owned()),
        ));
    }
    let allow = match get("allow_admin") {
        Some(node) if node.kind() == Kind::Sequence => Setting::Given(Located::new(
            values.texts(Some(node)).into_iter().map(|text| text.value).collect(),
            node.span(),
        )),
        // null removes the default, and with it the restriction
        Some(node) if matches!(values.value(node), Value::Nil) => {
            Setting::Given(Located::new(vec!["all".to_owned()], node.span()))
        }
        _ => Setting::Default { value: vec!["127.0.0.0/24".to_owned()], parent: span },
    };
    let key_required = values.boolean(get("admin_key_required"), true, span);
    let (keys, random_key) = admin_keys(values, get("admin_key"), version, span);
    let only_local = allow.value().len() == 1 && allow.value().iter().all(|net| net == "127.0.0.0/24");
    if keys.is_empty()
        && random_key.is_some()
        && version < Version(3, 10, 0)
        && *key_required.value()
        && !only_local
    {
        refusals.push(schema::refusal(
            "admin_key has no key, which this version refuses".to_owned(),
            random_key.unwrap_or(span),
            Some("ERROR: missing valid Admin API token.".to_owned()),
        ));
    }
    Some(Admin {
        listen: admin_listen(values, own, modern, span),
        https,
        mtls,
        key_required,
        keys,
        random_key,
        allow,
        span,
    })
}

fn admin_listen(values: &Values<'_>, own: Option<Node<'_>>, modern: bool, span: Span) -> Option<Listen> {
    let block = own.and_then(|node| node.get("admin_listen"));
    let old = own.and_then(|node| node.get("port_admin")).and_then(|node| values.port(Some(node)));
    match (block, old) {
        (Some(block), _) => listen(values, block, 9180),
        (None, Some(port)) if !modern => Some(Listen { address: None, port: Setting::Given(port) }),
        _ if modern => Some(Listen { address: None, port: Setting::Default { value: 9180, parent: span } }),
        _ => None,
    }
}

fn admin_keys(
    values: &Values<'_>,
    list: Option<Node<'_>>,
    version: Version,
    span: Span,
) -> (Vec<AdminKey>, Option<Span>) {
    let Some(list) = list.filter(|node| node.kind() == Kind::Sequence) else {
        // before 3.10 the defaults are two keys that everybody knows
        if version < Version(3, 10, 0) {
            let [administrator, viewer] = PUBLISHED_KEYS.map(|key| Sha256::digest(key).into());
            let key = |name: &str, sha256, viewer| AdminKey {
                name: Some(name.to_owned()),
                sha256,
                published: true,
                viewer,
                span,
            };
            return (vec![key("admin", administrator, false), key("viewer", viewer, true)], None);
        }
        return (Vec::new(), Some(span));
    };
    let mut keys = Vec::new();
    let mut random = None;
    let mut items = 0;
    for item in list.items() {
        items += 1;
        let key = item.get("key");
        match values.text(key).filter(|text| !text.value.is_empty()) {
            Some(text) => keys.push(AdminKey {
                name: values.text(item.get("name")).map(|name| name.value),
                published: PUBLISHED_KEYS.contains(&text.value.as_str()),
                sha256: Sha256::digest(text.value.as_bytes()).into(),
                viewer: values.text(item.get("role")).is_some_and(|role| role.value == "viewer"),
                span: text.span,
            }),
            None if key.is_some_and(|node| matches!(values.value(node), Value::Unseen(_))) => {}
            None => random = Some(key.map_or(item.span(), Node::span)),
        }
    }
    if items == 0 {
        random = Some(list.span());
    }
    (keys, random)
}

fn control(values: &Values<'_>, root: Node<'_>) -> Option<Listen> {
    let apisix = root.get("apisix");
    let parent = apisix.unwrap_or(root).span();
    let enabled = values.boolean(apisix.and_then(|node| node.get("enable_control")), true, parent);
    let block = apisix.and_then(|node| node.get("control"));
    enabled.value().then(|| local(values, block, 9090, parent))
}

fn metrics(values: &Values<'_>, root: Node<'_>) -> Option<Listen> {
    let listed = match root.get("plugins").filter(|node| node.kind() == Kind::Sequence) {
        Some(plugins) => plugins.items().any(|item| item.as_str() == Some("prometheus")),
        None => true,
    };
    let block = root.at(&["plugin_attr", "prometheus"]);
    let parent = block.unwrap_or(root).span();
    let exported = values.boolean(block.and_then(|node| node.get("enable_export_server")), true, parent);
    (listed && *exported.value())
        .then(|| local(values, block.and_then(|node| node.get("export_addr")), 9091, parent))
}

/// An address that is the loopback's unless written.
fn local(values: &Values<'_>, block: Option<Node<'_>>, port: u16, parent: Span) -> Listen {
    let ip = values.text(block.and_then(|node| node.get("ip")));
    Listen {
        address: match ip {
            Some(text) => specific(&text.value),
            None => Some(std::net::Ipv4Addr::LOCALHOST.into()),
        },
        port: match values.port(block.and_then(|node| node.get("port"))) {
            Some(port) => Setting::Given(port),
            None => Setting::Default { value: port, parent: block.map_or(parent, Node::span) },
        },
    }
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

fn etcd(values: &Values<'_>, root: Node<'_>, modern: bool, ignored: &mut Vec<Located<Ignored>>) -> Etcd {
    let node = if modern { root.at(&["deployment", "etcd"]) } else { root.get("etcd") };
    let span = node.or_else(|| root.get("deployment")).unwrap_or(root).span();
    let get = |key: &str| node.and_then(|node| node.get(key));
    if modern && let Some(span) = root.key_span("etcd") {
        ignored.push(Located::new(Ignored::TopLevelEtcd, span));
    }
    for place in [node, root.get("etcd")].into_iter().flatten() {
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
        sni: values.given_text(node.get("sni")),
        span: node.span(),
    });
    let password = values.given_text(get("user")).is_some() && get("password").is_some();
    Etcd { hosts, tls, password, span }
}

fn conf_server(values: &Values<'_>, root: Node<'_>, version: Version, role: Role) -> Option<ConfServer> {
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

fn control_plane(values: &Values<'_>, root: Node<'_>, version: Version, role: Role) -> Option<ControlPlane> {
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
    let keys = match node.kind() {
        Kind::Sequence => values.texts(Some(node)),
        _ => values.text(Some(node)).into_iter().collect(),
    };
    let published = keys.iter().any(|key| PUBLISHED_KEYRING.contains(&key.value.as_str()));
    Setting::Given(Located::new(published, node.span()))
}

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

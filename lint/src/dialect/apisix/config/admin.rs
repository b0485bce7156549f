//! The Admin API, the control API and the port of metrics.

use sha2::{Digest, Sha256};

use super::super::values::{Value, Values, specific};
use super::read::listen;
use super::{Admin, AdminKey, AdminTls, Ignored, Listen, Role, schema};
use crate::deployment::{Refusal, Setting, Version};
use crate::source::{Located, Span};
use crate::syntax::yaml::{Kind, Node};

/// Keys of the Admin API that APISIX shipped as defaults before 3.10: administrator and viewer.
const PUBLISHED_KEYS: [&str; 2] = ["edd1c9f034335f136f87ad84b625c8f1", "4054f7cf07e344346cd3f287985e76a2"];

/// The Admin API; None: it is off.
pub fn admin(
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
    let allow_places = values.texts(get("allow_admin"));
    let key_required = values.boolean(get("admin_key_required"), true, span);
    let no_keys = get("admin_key").filter(|node| matches!(values.value(*node), Value::Nil)).map(Node::span);
    let (keys, random_key) = match no_keys {
        Some(_) => (Vec::new(), None),
        None => admin_keys(values, get("admin_key"), version, span),
    };
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
    // null removes the default list: cli/ops.lua looks for a list with keys unless only the loopback is let in
    if let Some(null) = no_keys
        && modern
        && *key_required.value()
        && !only_local
    {
        refusals.push(schema::refusal(
            "admin_key is null, so there is no key, and allow_admin lets in more than the loopback"
                .to_owned(),
            null,
            Some("ERROR: missing valid Admin API token.".to_owned()),
        ));
    }
    Some(Admin {
        listen: admin_listen(values, own, modern, span),
        https,
        mtls,
        key_required,
        keys,
        no_keys,
        random_key,
        allow,
        allow_places,
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

/// The control API.
pub fn control(values: &Values<'_>, root: Node<'_>) -> Option<Listen> {
    let apisix = root.get("apisix");
    let parent = apisix.unwrap_or(root).span();
    let enabled = values.boolean(apisix.and_then(|node| node.get("enable_control")), true, parent);
    let block = apisix.and_then(|node| node.get("control"));
    enabled.value().then(|| local(values, block, 9090, parent))
}

/// The port of metrics.
pub fn metrics(values: &Values<'_>, root: Node<'_>) -> Option<Listen> {
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

//! The HTTP connection manager: routes, filters, what is said upstream of the client's certificate.

use super::proto::Message;
use super::tls::{read_data_source, read_matcher};
use super::{ConfigSource, DataSource, read_source};
use crate::deployment::StringMatcher;
use crate::source::{Located, Span, Text};

/// `HttpConnectionManager`.
#[derive(Debug, Clone)]
pub struct HttpManager {
    /// `route_config`.
    pub routes: Option<Routes>,
    /// `rds`: name of the route configuration and where it comes from.
    pub route_discovery: Option<(Option<Located<String>>, Option<ConfigSource>)>,
    /// `scoped_routes`: chosen by headers, not read.
    pub scoped_routes: Option<Span>,
    /// `http_filters`, in order.
    pub filters: Vec<HttpFilter>,
    /// `forward_client_cert_details`; None: SANITIZE.
    pub forwarding: Option<Located<ClientCertificateForwarding>>,
    /// `set_current_client_cert_details`: fields that are switched on.
    pub forwarded_details: Vec<Located<String>>,
    /// `use_remote_address`: this Envoy stands at the edge.
    pub use_remote_address: Option<Located<bool>>,
    /// `strip_any_host_port` or `strip_matching_host_port`.
    pub strips_port: bool,
    /// Where it is written.
    pub span: Span,
}

/// What becomes of an `x-forwarded-client-cert` header that a client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificateForwarding {
    /// It is removed (the default).
    Sanitize,
    /// It is kept when the client came with mutual TLS.
    ForwardOnly,
    /// It is kept, and this connection's certificate appended, with mutual TLS.
    AppendForward,
    /// It is replaced by this connection's certificate.
    SanitizeSet,
    /// It is kept, always.
    AlwaysForwardOnly,
}

impl ClientCertificateForwarding {
    /// The word of the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sanitize => "SANITIZE",
            Self::ForwardOnly => "FORWARD_ONLY",
            Self::AppendForward => "APPEND_FORWARD",
            Self::SanitizeSet => "SANITIZE_SET",
            Self::AlwaysForwardOnly => "ALWAYS_FORWARD_ONLY",
        }
    }
}

/// An HTTP filter.
#[derive(Debug, Clone)]
pub struct HttpFilter {
    /// Its name, by which routes configure it.
    pub name: Located<String>,
    /// Its configuration's message type; None where it is fetched or missing.
    pub type_name: Option<String>,
    /// A configuration is written, or where it is fetched from.
    pub is_configured: bool,
    /// `is_optional`: Envoy goes on without it if it does not know it.
    pub is_optional: bool,
    /// `disabled`: off unless a route turns it on.
    pub disabled: Option<Span>,
    /// RBAC.
    pub rbac: Option<Rbac>,
    /// Wasm.
    pub wasm: Option<Box<WasmPlugin>>,
    /// Where it is written.
    pub span: Span,
}

/// An RBAC filter.
#[derive(Debug, Clone)]
pub struct Rbac {
    /// `rules`: present, so enforced.
    pub enforced: bool,
    /// `ALLOW`, `DENY` or `LOG`.
    pub action: Option<Located<String>>,
    /// `authenticated.principal_name` of its policies; an `authenticated` without a name is None: any
    /// authenticated peer.
    pub principals: Vec<Located<Option<StringMatcher>>>,
    /// Where it is written.
    pub span: Span,
}

/// `extensions.wasm.v3.PluginConfig`.
#[derive(Debug, Clone)]
pub struct WasmPlugin {
    /// `name`.
    pub name: Option<Located<String>>,
    /// `root_id`.
    pub root_id: Option<Located<String>>,
    /// `vm_config.runtime`.
    pub runtime: Option<Located<String>>,
    /// `vm_config.code.local`.
    pub code: Option<DataSource>,
    /// `vm_config.code.remote`: fetched.
    pub remote_code: Option<Span>,
    /// `configuration`: its message type, and the text of a StringValue or BytesValue.
    pub configuration: Option<(String, Option<Text>, Span)>,
    /// `failure_policy` or the older `fail_open`; None: FAIL_CLOSED.
    pub failure_policy: Option<Located<String>>,
    /// Where it is written.
    pub span: Span,
}

/// A `RouteConfiguration`.
#[derive(Debug, Clone)]
pub struct Routes {
    /// Its name.
    pub name: Option<Located<String>>,
    /// `virtual_hosts`.
    pub virtual_hosts: Vec<VirtualHost>,
    /// `vhds`: more virtual hosts come from elsewhere.
    pub more_hosts: Option<Span>,
    /// `ignore_port_in_host_matching`.
    pub ignores_port: bool,
    /// `validate_clusters: false`: clusters may be added later.
    pub allows_unknown_clusters: bool,
    /// `typed_per_filter_config` entries that switch a filter off: its name.
    pub disabled_filters: Vec<Located<String>>,
    /// Where it is written.
    pub span: Span,
}

/// A virtual host.
#[derive(Debug, Clone)]
pub struct VirtualHost {
    /// Its name.
    pub name: Option<Located<String>>,
    /// `domains`: exact, `*.suffix`, `prefix.*` or `*`.
    pub domains: Vec<Located<String>>,
    /// `routes`, the first match wins.
    pub routes: Vec<Route>,
    /// `require_tls`: EXTERNAL_ONLY or ALL.
    pub requires_tls: Option<Located<String>>,
    /// Filters that are switched off here.
    pub disabled_filters: Vec<Located<String>>,
    /// Where it is written.
    pub span: Span,
}

/// A route.
#[derive(Debug, Clone)]
pub struct Route {
    /// Its name.
    pub name: Option<Located<String>>,
    /// The path it matches; None where it matches by something that is not read (CONNECT, a template).
    pub path: Option<RoutePath>,
    /// `case_sensitive: false`.
    pub ignores_case: bool,
    /// Headers, query, cookies, metadata, runtime: whether it matches also depends on them.
    pub conditions: Option<Span>,
    /// Names of the headers that it matches on.
    pub headers: Vec<Located<String>>,
    /// Exact values demanded of `:method`.
    pub methods: Vec<String>,
    /// What it does.
    pub action: RouteAction,
    /// Filters that are switched off here.
    pub disabled_filters: Vec<Located<String>>,
    /// Where it is written.
    pub span: Span,
}

/// The path of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoutePath {
    /// Equal.
    Exact(String),
    /// Starts with.
    Prefix(String),
    /// Equal, or starts with this and a slash.
    Separated(String),
    /// RE2 over the whole path.
    Regex(String),
}

/// What a route does.
#[derive(Debug, Clone)]
pub enum RouteAction {
    /// Sends the request to clusters.
    Clusters {
        /// Their names.
        names: Vec<Located<String>>,
        /// `host_rewrite_literal`: the Host header that the cluster sees.
        host: Option<Located<String>>,
        /// `auto_host_rewrite`: the endpoint's hostname.
        auto_host: bool,
        /// The Host header comes from another header, a path or a query.
        dynamic_host: bool,
    },
    /// Sends the request to a cluster that the request names.
    Dynamic(Span),
    /// Answers itself: a direct response, a redirect.
    Answers,
}

const FORWARDING: &str = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.ForwardClientCertDetails";

/// Reads an `HttpConnectionManager`.
pub(super) fn read_manager(message: Message<'_>) -> HttpManager {
    let is_true = |name| message.boolean(name).is_some_and(|flag| flag.value);
    let forwarding = message.enumeration("forward_client_cert_details", FORWARDING).map(|written| {
        written.map(|name| match name {
            "FORWARD_ONLY" => ClientCertificateForwarding::ForwardOnly,
            "APPEND_FORWARD" => ClientCertificateForwarding::AppendForward,
            "SANITIZE_SET" => ClientCertificateForwarding::SanitizeSet,
            "ALWAYS_FORWARD_ONLY" => ClientCertificateForwarding::AlwaysForwardOnly,
            _ => ClientCertificateForwarding::Sanitize,
        })
    });
    let details = message.message("set_current_client_cert_details");
    let detail = |name: &&str| {
        let flag = details?.boolean(name)?;
        flag.value.then(|| Located::new((*name).to_owned(), flag.span))
    };
    HttpManager {
        routes: message.message("route_config").map(read_routes),
        route_discovery: message
            .message("rds")
            .map(|rds| (rds.string("route_config_name"), rds.message("config_source").and_then(read_source))),
        scoped_routes: message.get("scoped_routes").map(|node| node.span()),
        filters: message.messages("http_filters").into_iter().map(read_filter).collect(),
        forwarding,
        forwarded_details: ["subject", "cert", "chain", "dns", "uri", "issuer"]
            .iter()
            .filter_map(detail)
            .collect(),
        use_remote_address: message.boolean("use_remote_address"),
        strips_port: is_true("strip_any_host_port") || is_true("strip_matching_host_port"),
        span: message.span(),
    }
}

/// Reads a `RouteConfiguration`.
pub(super) fn read_routes(message: Message<'_>) -> Routes {
    Routes {
        name: message.string("name"),
        virtual_hosts: message.messages("virtual_hosts").into_iter().map(read_virtual_host).collect(),
        more_hosts: message.get("vhds").map(|node| node.span()),
        ignores_port: message.boolean("ignore_port_in_host_matching").is_some_and(|flag| flag.value),
        allows_unknown_clusters: message.boolean("validate_clusters").is_some_and(|flag| !flag.value),
        disabled_filters: read_disabled(message),
        span: message.span(),
    }
}

fn read_virtual_host(message: Message<'_>) -> VirtualHost {
    const REQUIREMENT: &str = "envoy.config.route.v3.VirtualHost.TlsRequirementType";
    VirtualHost {
        name: message.string("name"),
        domains: message.strings("domains"),
        routes: message.messages("routes").into_iter().map(read_route).collect(),
        requires_tls: message
            .enumeration("require_tls", REQUIREMENT)
            .filter(|value| value.value != "NONE")
            .map(|value| value.map(str::to_owned)),
        disabled_filters: read_disabled(message),
        span: message.span(),
    }
}

fn read_route(message: Message<'_>) -> Route {
    const CONDITIONS: [&str; 8] = [
        "runtime_fraction",
        "headers",
        "query_parameters",
        "cookies",
        "grpc",
        "tls_context",
        "dynamic_metadata",
        "filter_state",
    ];
    let matches = message.message("match");
    let text =
        |name| matches.and_then(|found| found.get(name)).and_then(|node| node.as_str()).map(str::to_owned);
    let regex = || matches?.message("safe_regex")?.string("regex").map(|regex| regex.value);
    let path = text("prefix")
        .map(RoutePath::Prefix)
        .or_else(|| text("path").map(RoutePath::Exact))
        .or_else(|| text("path_separated_prefix").map(RoutePath::Separated))
        .or_else(|| regex().map(RoutePath::Regex));
    let headers = matches.map(|found| found.messages("headers")).unwrap_or_default();
    let methods: Vec<String> = headers.iter().filter_map(|header| exact_method(*header)).collect();
    let other = matches.and_then(|found| {
        CONDITIONS.iter().find_map(|name| match *name {
            // a condition on the method alone is understood
            "headers" if methods.len() == headers.len() => None,
            name => found.get(name),
        })
    });
    Route {
        name: message.string("name"),
        path,
        ignores_case: matches
            .and_then(|found| found.boolean("case_sensitive"))
            .is_some_and(|sensitive| !sensitive.value),
        conditions: other.map(|node| node.span()),
        headers: headers.iter().filter_map(|header| header.string("name")).collect(),
        methods,
        action: read_action(message),
        disabled_filters: read_disabled(message),
        span: message.span(),
    }
}

fn exact_method(header: Message<'_>) -> Option<String> {
    if header.string("name")?.value != ":method"
        || header.boolean("invert_match").is_some_and(|flag| flag.value)
    {
        return None;
    }
    let exact = header.string("exact_match").or_else(|| header.message("string_match")?.string("exact"));
    exact.map(|method| method.value)
}

fn read_action(message: Message<'_>) -> RouteAction {
    let Some(action) = message.message("route") else { return RouteAction::Answers };
    let weighted = action.message("weighted_clusters").map(|weighted| weighted.messages("clusters"));
    let names: Vec<Located<String>> = match action.string("cluster") {
        Some(name) => vec![name],
        None => {
            weighted.unwrap_or_default().into_iter().filter_map(|cluster| cluster.string("name")).collect()
        }
    };
    if names.is_empty() {
        return RouteAction::Dynamic(action.span());
    }
    RouteAction::Clusters {
        names,
        host: action.string("host_rewrite_literal"),
        auto_host: action.boolean("auto_host_rewrite").is_some_and(|flag| flag.value),
        dynamic_host: ["host_rewrite_header", "host_rewrite_path_regex", "host_rewrite"]
            .iter()
            .any(|name| action.get(name).is_some()),
    }
}

/// Names of the filters that a `typed_per_filter_config` switches off.
fn read_disabled(message: Message<'_>) -> Vec<Located<String>> {
    message
        .map("typed_per_filter_config")
        .into_iter()
        .filter(|(_, config)| {
            config.any_type() == Some("envoy.config.route.v3.FilterConfig")
                && config.boolean("disabled").is_some_and(|flag| flag.value)
        })
        .map(|(name, _)| name)
        .collect()
}

fn read_filter(message: Message<'_>) -> HttpFilter {
    let config = message.any("typed_config");
    let type_name = config.and_then(|config| config.any_type()).map(str::to_owned);
    HttpFilter {
        name: message.string("name").unwrap_or_else(|| Located::new(String::new(), message.span())),
        disabled: message.boolean("disabled").filter(|flag| flag.value).map(|flag| flag.span),
        rbac: config
            .filter(|_| type_name.as_deref() == Some("envoy.extensions.filters.http.rbac.v3.RBAC"))
            .map(read_rbac),
        wasm: config
            .filter(|_| type_name.as_deref() == Some("envoy.extensions.filters.http.wasm.v3.Wasm"))
            .map(|config| Box::new(read_wasm(config))),
        type_name,
        is_optional: message.boolean("is_optional").is_some_and(|flag| flag.value),
        is_configured: config.is_some_and(|config| config.any_type().is_some())
            || message.get("config_discovery").is_some(),
        span: message.span(),
    }
}

/// Reads an RBAC filter, HTTP or network.
pub(super) fn read_rbac(message: Message<'_>) -> Rbac {
    const ACTION: &str = "envoy.config.rbac.v3.RBAC.Action";
    let rules = message.message("rules");
    let mut principals = Vec::new();
    for (_, policy) in rules.map(|rules| rules.map("policies")).unwrap_or_default() {
        for principal in policy.messages("principals") {
            collect_principals(principal, &mut principals, 16);
        }
    }
    Rbac {
        enforced: rules.is_some() || message.get("matcher").is_some(),
        action: rules
            .and_then(|rules| rules.enumeration("action", ACTION))
            .map(|action| action.map(str::to_owned)),
        principals,
        span: message.span(),
    }
}

fn collect_principals(message: Message<'_>, out: &mut Vec<Located<Option<StringMatcher>>>, depth: u8) {
    let Some(depth) = depth.checked_sub(1) else { return };
    if let Some(authenticated) = message.message("authenticated") {
        let name = authenticated.message("principal_name").map(read_matcher);
        out.push(Located::new(name, authenticated.span()));
    }
    let sets = ["and_ids", "or_ids"].into_iter().filter_map(|name| message.message(name));
    for principal in sets.flat_map(|set| set.messages("ids")).chain(message.message("not_id")) {
        collect_principals(principal, out, depth);
    }
}

/// Reads a wasm filter, HTTP or network.
pub(super) fn read_wasm(message: Message<'_>) -> WasmPlugin {
    const POLICY: &str = "envoy.extensions.wasm.v3.FailurePolicy";
    let plugin = message.message("config").unwrap_or(message);
    let vm = plugin.message("vm_config");
    let code = vm.and_then(|vm| vm.message("code"));
    let older = || {
        let open = plugin.boolean("fail_open").filter(|flag| flag.value)?;
        Some(open.map(|_| "FAIL_OPEN".to_owned()))
    };
    WasmPlugin {
        name: plugin.string("name"),
        root_id: plugin.string("root_id"),
        runtime: vm.and_then(|vm| vm.string("runtime")),
        code: code.and_then(|code| code.message("local")).and_then(read_data_source),
        remote_code: code.and_then(|code| code.get("remote")).map(|node| node.span()),
        configuration: plugin.any("configuration").map(read_plugin_configuration),
        failure_policy: plugin
            .enumeration("failure_policy", POLICY)
            .filter(|policy| policy.value != "UNSPECIFIED")
            .map(|policy| policy.map(str::to_owned))
            .or_else(older),
        span: plugin.span(),
    }
}

fn read_plugin_configuration(any: Message<'_>) -> (String, Option<Text>, Span) {
    let type_name = any.any_type().unwrap_or_default().to_owned();
    let value = any.get("value");
    let text = match type_name.as_str() {
        "google.protobuf.StringValue" => value.and_then(|value| value.text()),
        "google.protobuf.BytesValue" => value.and_then(|value| {
            let bytes = super::tls::decode_base64(value.as_str()?)?;
            Some(Text::opaque(value.span(), bytes))
        }),
        _ => None,
    };
    (type_name, text, value.map_or(any.span(), |value| value.span()))
}

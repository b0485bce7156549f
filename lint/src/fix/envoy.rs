//! Envoy: bootstrap and discovery files, as YAML or JSON.

use super::edit::{replace, yaml};
use super::fix;
use super::site::Site;
use crate::finding::Fix;
use crate::source::Span;
use crate::syntax::yaml::{Kind, Node};

/// `require_client_certificate: true` in the DownstreamTlsContext.
pub fn require_client_certificate(site: &Site<'_>) -> Option<Fix> {
    let edit = site.in_yaml(site.span, |path| {
        let context = enclosing(path, "common_tls_context")?;
        let key = spelled(context, "require_client_certificate", "requireClientCertificate");
        // whoever wrote false may mean it
        if context.get(key).is_some() {
            return None;
        }
        yaml::set(site.bytes(site.span), context, key, "true", "true")
    })?;
    fix("write require_client_certificate: true", [edit])
}

/// `allow_expired_certificate: false`.
pub fn reject_expired(site: &Site<'_>) -> Option<Fix> {
    site.swap("true", "false", "write allow_expired_certificate: false")
}

/// `trust_chain_verification: VERIFY_TRUST_CHAIN`, where there are anchors to verify with.
pub fn verify_trust_chain(site: &Site<'_>) -> Option<Fix> {
    site.in_yaml(site.span, |path| {
        let context = enclosing(path, "trust_chain_verification")?;
        context.get("trusted_ca").map(|_| ())
    })?;
    site.swap("ACCEPT_UNTRUSTED", "VERIFY_TRUST_CHAIN", "write trust_chain_verification: VERIFY_TRUST_CHAIN")
}

/// `failure_policy: FAIL_RELOAD`, also in place of the older `fail_open: true`.
pub fn reload_on_failure(site: &Site<'_>) -> Option<Fix> {
    const TITLE: &str = "write failure_policy: FAIL_RELOAD";
    if let Some(fix) = site.swap("FAIL_OPEN", "FAIL_RELOAD", TITLE) {
        return Some(fix);
    }
    let key = site.in_yaml(site.span, |path| {
        let plugin = enclosing(path, "fail_open")?;
        plugin.get("failure_policy").is_none().then(|| plugin.key_span("fail_open"))?
    })?;
    let quoted = yaml::is_in_double_quotes(site.bytes(key), key);
    let policy = if quoted { "\"FAIL_RELOAD\"" } else { "FAIL_RELOAD" };
    (site.written(key) == Some("fail_open") && site.written(site.span) == Some("true"))
        .then(|| fix(TITLE, [replace(key, "failure_policy"), replace(site.span, policy)]))?
}

/// `forward_client_cert_details: SANITIZE_SET`.
pub fn sanitize_header(site: &Site<'_>) -> Option<Fix> {
    const TITLE: &str = "write forward_client_cert_details: SANITIZE_SET";
    ["ALWAYS_FORWARD_ONLY", "APPEND_FORWARD", "FORWARD_ONLY"]
        .iter()
        .find_map(|mode| site.swap(mode, "SANITIZE_SET", TITLE))
}

/// A filter that is off is on again, where no route decides about it.
pub fn enable_filter(site: &Site<'_>) -> Option<Fix> {
    let text = String::from_utf8_lossy(site.bytes(site.span));
    if text.contains("typed_per_filter_config") || text.contains("typedPerFilterConfig") {
        return None;
    }
    site.in_yaml(site.span, |path| {
        let filter = enclosing(path, "disabled")?;
        (filter.get("disabled")?.span() == site.span).then_some(())
    })?;
    site.swap("true", "false", "write disabled: false")
}

/// The pattern with what its help says: a dot before a suffix, a slash behind a prefix, dots of a regular expression
/// as dots.
pub fn tighten_pattern(site: &Site<'_>) -> Option<Fix> {
    let (kind, text) = site.finding.help.as_deref()?.strip_prefix("write ")?.split_once(": ")?;
    let text = text.trim_matches('\'');
    let edit = site.in_yaml(site.span, |path| {
        let item = path.iter().rev().find(|node| node.kind() == Kind::Mapping)?;
        let matcher = item.get("matcher").unwrap_or(*item);
        let value = match kind {
            "regex" => matcher.at(&["safe_regex", "regex"]).or_else(|| matcher.at(&["safeRegex", "regex"])),
            kind => matcher.get(kind),
        }?;
        let span = value.span();
        let quoted = yaml::quoted(site.bytes(span), span) != span;
        let verbatim = site.written(span) == value.as_str() && !text.contains(['\'', '"', '\\', '\n']);
        let text = if quoted || kind != "regex" { text.to_owned() } else { format!("'{text}'") };
        verbatim.then(|| replace(span, text))
    })?;
    fix(format!("write {kind}: {text}"), [edit])
}

/// The name that is sent is compared as well.
pub fn compare_name(site: &Site<'_>) -> Option<Fix> {
    let bytes = site.bytes(site.span);
    let is_name = |host: &str| host.parse::<std::net::IpAddr>().is_err();
    site.in_yaml(site.span, |path| {
        let validation = enclosing(path, "trusted_ca")?;
        let context = enclosing(path, "common_tls_context")?;
        if let Some(host) = context.get("sni").and_then(Node::as_str).filter(|name| is_name(name)) {
            let block = format!("\n- {{san_type: DNS, matcher: {{exact: {host}}}}}");
            let flow = if bytes.get(validation.span().start as usize) == Some(&b'{')
                && validation
                    .entries()
                    .next()
                    .is_some_and(|(key, _)| yaml::quoted(bytes, key.span()) != key.span())
            {
                format!("[{{\"san_type\": \"DNS\", \"matcher\": {{\"exact\": \"{host}\"}}}}]")
            } else {
                format!("[{{san_type: DNS, matcher: {{exact: {host}}}}}]")
            };
            let edit = yaml::add(bytes, validation, "match_typed_subject_alt_names", &block, &flow)?;
            return fix(format!("compare the certificate with {host}"), [edit]);
        }
        // the name is that of the request: so is what is compared
        if !is_name(site.written(site.label(1)?)?) {
            return None;
        }
        let cluster = enclosing(path, "typed_extension_protocol_options")?;
        let options = cluster.get("typed_extension_protocol_options")?;
        let by_request = options.entries().find_map(|(_, options)| {
            let options = options.get("upstream_http_protocol_options")?;
            (options.get("auto_sni")?.as_bool() == Some(true)).then_some(options)
        })?;
        let edit = yaml::set(bytes, by_request, "auto_san_validation", "true", "true")?;
        fix("write auto_san_validation: true", [edit])
    })
}

/// The TLS inspector among the listener filters.
pub fn inspect_tls(site: &Site<'_>) -> Option<Fix> {
    const NAME: &str = "envoy.filters.listener.tls_inspector";
    const TYPE: &str = "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector";
    let bytes = site.bytes(site.span);
    let edit = site.in_yaml(site.span, |path| {
        let listener = enclosing(path, "filter_chains")?;
        let json = listener
            .entries()
            .next()
            .is_some_and(|(key, _)| bytes.get(key.span().end as usize) == Some(&b'"'));
        let item = if json {
            format!("{{\"name\": \"{NAME}\", \"typed_config\": {{\"@type\": \"{TYPE}\"}}}}")
        } else {
            format!("{{name: {NAME}, typed_config: {{'@type': {TYPE}}}}}")
        };
        match listener.get("listener_filters") {
            Some(filters) => yaml::push(bytes, filters, &item),
            None => {
                let block = format!("\n- name: {NAME}\n  typed_config:\n    '@type': {TYPE}");
                yaml::add(bytes, listener, "listener_filters", &block, &format!("[{item}]"))
            }
        }
    })?;
    fix("add the TLS inspector", [edit])
}

/// `sni` in the UpstreamTlsContext.
pub fn send_server_name(site: &Site<'_>, name: &str) -> Option<Fix> {
    let cluster = site.span;
    let edit = site.in_yaml(cluster, |path| {
        let cluster = path.iter().rev().find(|node| node.get("transport_socket").is_some())?;
        let context = cluster.at(&["transport_socket", "typed_config"])?;
        context.get("sni").is_none().then(|| yaml::add(site.bytes(site.span), context, "sni", name, name))?
    })?;
    fix(format!("write sni: {name}"), [edit])
}

/// The folder of a discovery file, watched.
pub fn watch_folder(site: &Site<'_>) -> Option<Fix> {
    let (folder, _) = site.written(site.span)?.rsplit_once('/')?;
    let plain = folder.chars().all(|letter| letter.is_ascii_alphanumeric() || "/._-".contains(letter));
    let edit = site.in_yaml(site.span, |path| {
        let source =
            path.iter().rev().find(|node| node.get("path").is_some_and(|path| path.span() == site.span))?;
        let bytes = site.bytes(site.span);
        let json = source.key_span("path").is_some_and(|key| yaml::is_in_double_quotes(bytes, key));
        let text = if json { format!("{{\"path\": \"{folder}\"}}") } else { format!("{{path: {folder}}}") };
        (plain && !folder.is_empty()).then(|| yaml::add(bytes, *source, "watched_directory", &text, &text))?
    })?;
    fix(format!("watch {folder}"), [edit])
}

/// A cluster's name that is one slip away from the only one like it.
pub fn correct_cluster(site: &Site<'_>) -> Option<Fix> {
    if !site.finding.message.contains("leads to the cluster") {
        return None;
    }
    let written = site.written(site.span)?;
    let name = site.in_yaml(site.span, |path| {
        let resources = path.iter().find(|node| node.get("clusters").is_some())?;
        let names = resources.get("clusters")?.items().filter_map(|cluster| cluster.get("name")?.as_str());
        super::nearest(written, names).map(str::to_owned)
    })?;
    fix(format!("write {name}"), [replace(site.span, name)])
}

/// The innermost mapping around a place that has a key.
fn enclosing<'n>(path: &[Node<'n>], key: &str) -> Option<Node<'n>> {
    path.iter().rev().find(|node| node.get(key).is_some()).copied()
}

/// A field as it is written: JSON has protobuf's names in camel case as well.
fn spelled<'k>(mapping: Node<'_>, snake: &'k str, camel: &'k str) -> &'k str {
    if mapping.get(camel).is_some() { camel } else { snake }
}

impl Site<'_> {
    /// A word in the place of another one, where that is what the primary label stands on.
    pub fn swap(&self, from: &str, to: &str, title: &str) -> Option<Fix> {
        self.swap_at(self.span, from, to, title)
    }

    /// The same at another place.
    pub fn swap_at(&self, span: Span, from: &str, to: &str, title: &str) -> Option<Fix> {
        (self.written(span)? == from).then(|| fix(title, [replace(span, to)]))?
    }
}

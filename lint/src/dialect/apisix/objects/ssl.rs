//! ssl objects, and what APISIX refuses of them.

use super::{Client, Pair, SslKind, SslObject};
use crate::deployment::{Content, FileRef, Lookup, Refusal, Setting};
use crate::dialect::apisix::config;
use crate::dialect::apisix::values::{Value, Values};
use crate::finding::Label;
use crate::source::{Located, Span, Text};
use crate::syntax::yaml::{Kind, Node};

/// Shortest certificate and key that the schema takes, in bytes.
pub const SHORTEST_CERTIFICATE: usize = 128;
pub const SHORTEST_KEY: usize = 64;

const KEYS: [&str; 23] = [
    "id",
    "type",
    "cert",
    "key",
    "sni",
    "snis",
    "certs",
    "keys",
    "client",
    "exptime",
    "labels",
    "status",
    "ssl_protocols",
    "ssl_ciphers",
    "validity_end",
    "validity_start",
    "create_time",
    "update_time",
    "name",
    "desc",
    "ocsp_stapling",
    "gm",
    "plugins",
];

/// Reads an ssl object.
pub fn ssl(values: &Values<'_>, node: Node<'_>, id: Option<Located<String>>) -> SslObject {
    let what = id.as_ref().map_or("ssl object".to_owned(), |id| format!("ssl object {}", id.value));
    let mut refusals = Refusals { list: "ssls", what: what.clone(), found: Vec::new() };
    let kind = match values.text(node.get("type")) {
        Some(text) if text.value == "client" => SslKind::Client,
        Some(text) if text.value != "server" => {
            refusals.add(
                format!("its type {} is neither server nor client", text.value),
                text.span,
                "property \"type\" validation failed: matches none of the enum values",
            );
            SslKind::Server
        }
        _ => SslKind::Server,
    };
    let (names, list) = names(values, node, &mut refusals);
    let pairs = pairs(values, node, &what, &mut refusals);
    let has = |key: &str| node.get(key).is_some_and(|node| !matches!(values.value(node), Value::Nil));
    let named = if kind == SslKind::Client { 1 } else { usize::from(has("sni")) + usize::from(has("snis")) };
    if !has("cert") || !has("key") || named != 1 {
        let (message, help) = if !has("cert") || !has("key") {
            ("it needs both cert and key", "write cert and key, both as PEM text")
        } else {
            ("it needs sni or snis, and not both", "write snis with every name, and no sni")
        };
        let error =
            if kind == SslKind::Client { "else clause did not match" } else { "then clause did not match" };
        refusals.add_with(message.to_owned(), node.span(), error, help);
    }
    let protocols = node.get("ssl_protocols").filter(|node| node.kind() == Kind::Sequence).map(|node| {
        let words = values.texts(Some(node));
        for (index, word) in words.iter().enumerate() {
            if !["TLSv1.1", "TLSv1.2", "TLSv1.3"].contains(&word.value.as_str()) {
                refusals.add_with(
                    format!("{} is no protocol it knows; TLSv1.1, TLSv1.2 and TLSv1.3 are", word.value),
                    word.span,
                    &format!(
                        "property \"ssl_protocols\" validation failed: failed to validate item {}: matches none of the enum values",
                        index + 1
                    ),
                    "write TLSv1.2 or TLSv1.3",
                );
            }
        }
        let protocols = config::protocols(words.iter().map(|word| word.value.as_str())).unwrap_or_default();
        Located::new(protocols, node.span())
    });
    let client = node.get("client").filter(|node| node.kind() == Kind::Mapping);
    let client = client.map(|client| read_client(values, client, &what, &mut refusals));
    for (key, _) in node.entries() {
        if let Some(name) = key.as_str()
            && !KEYS.contains(&name)
        {
            refusals.add_with(
                format!("{name} is no key of an ssl object"),
                key.span(),
                &format!("additional properties forbidden, found {name}"),
                "correct its name, or delete it",
            );
        }
    }
    SslObject {
        id,
        kind,
        enabled: values.text(node.get("status")).is_none_or(|status| status.value != "0"),
        names,
        list,
        pairs,
        client,
        protocols,
        refusals: refusals.found,
        span: node.span(),
    }
}

/// Why one object is dropped, in the words of APISIX's log.
pub struct Refusals {
    /// The list it belongs to.
    pub list: &'static str,
    /// How it is called in messages.
    pub what: String,
    /// What was found.
    pub found: Vec<Refusal>,
}

impl Refusals {
    /// Adds one; `error` is what the schema says.
    pub fn add(&mut self, message: String, span: Span, error: &str) {
        self.add_with(message, span, error, None);
    }

    /// Adds one with what to write instead.
    pub fn add_with<'h>(
        &mut self,
        message: String,
        span: Span,
        error: &str,
        help: impl Into<Option<&'h str>>,
    ) {
        self.found.push(Refusal {
            rule: "refused-object",
            message: format!("APISIX drops {}: {message}", self.what),
            labels: vec![Label { span, message: String::new() }],
            help: help.into().map(str::to_owned),
            log: (!error.is_empty())
                .then(|| format!("failed to check item data of [{}] err:{error}", self.list)),
        });
    }
}

fn names(values: &Values<'_>, node: Node<'_>, refusals: &mut Refusals) -> (Vec<Located<String>>, bool) {
    const PATTERN: &str = r"^\*$|^\*?[0-9a-zA-Z-._\[\]:]+$";
    let mut check = |name: &Located<String>, at: &str| {
        if !is_name(&name.value) {
            refusals.add(
                format!("{} is no name it takes; a star may only stand for the first label", name.value),
                name.span,
                &format!("{at}failed to match pattern \"{PATTERN}\" with \"{}\"", name.value),
            );
        }
    };
    if let Some(list) = node.get("snis").filter(|list| list.kind() == Kind::Sequence) {
        let names = values.texts(Some(list));
        for (index, name) in names.iter().enumerate() {
            check(
                name,
                &format!("property \"snis\" validation failed: failed to validate item {}: ", index + 1),
            );
        }
        if names.is_empty() {
            refusals.add_with(
                "snis is empty".to_owned(),
                list.span(),
                "property \"snis\" validation failed: expect array to have at least 1 items",
                "write at least one name in snis",
            );
        }
        return (names, true);
    }
    let name = values.text(node.get("sni"));
    if let Some(name) = &name {
        check(name, "property \"sni\" validation failed: ");
    }
    (name.into_iter().collect(), false)
}

/// Whether an ssl object may have this name: `^\*$|^\*?[0-9a-zA-Z-._\[\]:]+$`
pub fn is_name(name: &str) -> bool {
    let rest = name.strip_prefix('*').unwrap_or(name);
    name == "*"
        || (!rest.is_empty()
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte)))
}

fn pairs(values: &Values<'_>, node: Node<'_>, what: &str, refusals: &mut Refusals) -> Vec<Pair> {
    let mut out = Vec::new();
    if let Some(cert) = node.get("cert") {
        let certificate = certificate(values, cert, &format!("{what}, cert"), "property \"cert\"", refusals);
        let key = node
            .get("key")
            .and_then(|key| private_key(values, key, &format!("{what}, key"), "property \"key\"", refusals));
        if let Some(certificate) = certificate {
            out.push(Pair { certificate, key });
        }
    } else if let Some(key) = node.get("key") {
        private_key(values, key, &format!("{what}, key"), "property \"key\"", refusals);
    }
    let items = |key: &str| node.get(key).map(|list| list.items().collect::<Vec<_>>()).unwrap_or_default();
    let (certs, keys) = (items("certs"), items("keys"));
    if certs.len() != keys.len() {
        let span = node.key_span("certs").or_else(|| node.key_span("keys")).unwrap_or(node.span());
        refusals.add_with(
            format!("certs has {} items and keys has {}", certs.len(), keys.len()),
            span,
            "mismatched number of certs and keys",
            "write one key in keys for each certificate in certs, in the same order",
        );
    }
    for (index, (cert, key)) in certs.into_iter().zip(keys).enumerate() {
        let at = |list: &str| {
            format!("property \"{list}\" validation failed: failed to validate item {}", index + 1)
        };
        let certificate =
            certificate(values, cert, &format!("{what}, certs[{}]", index + 1), &at("certs"), refusals);
        let key = private_key(values, key, &format!("{what}, keys[{}]", index + 1), &at("keys"), refusals);
        if let Some(certificate) = certificate {
            out.push(Pair { certificate, key });
        }
    }
    out
}

/// A certificate written inline.
pub fn certificate(
    values: &Values<'_>,
    node: Node<'_>,
    name: &str,
    at: &str,
    refusals: &mut Refusals,
) -> Option<FileRef> {
    let file = inline(values, node, name)?;
    too_short(&file, SHORTEST_CERTIFICATE, at, "a certificate, PEM and not a path", refusals);
    Some(file)
}

/// A private key written inline. One that does not start with `---` is taken for a text that APISIX encrypted.
pub fn private_key(
    values: &Values<'_>,
    node: Node<'_>,
    name: &str,
    at: &str,
    refusals: &mut Refusals,
) -> Option<FileRef> {
    let mut file = inline(values, node, name)?;
    if too_short(&file, SHORTEST_KEY, at, "a private key, PEM and not a path", refusals) {
        return Some(file);
    }
    let Lookup::Found(Content::Bytes(text)) = &file.content else { return Some(file) };
    if text.bytes().starts_with(b"---") {
        return Some(file);
    }
    if is_ciphertext(text.bytes()) {
        file.content = Lookup::Unseen(format!("{name} is encrypted with APISIX's keyring"));
        return Some(file);
    }
    refusals.add_with(
        "its key does not start with -----BEGIN, so that it is taken for an encrypted text".to_owned(),
        node.span(),
        "failed to decrypt previous encrypted key",
        "begin the text with its -----BEGIN line",
    );
    Some(file)
}

/// Whether a text can be AES blocks in base64.
fn is_ciphertext(text: &[u8]) -> bool {
    use base64::Engine as _;
    let decoded = base64::engine::general_purpose::STANDARD.decode(text.trim_ascii());
    decoded.is_ok_and(|bytes| !bytes.is_empty() && bytes.len() % 16 == 0)
}

fn too_short(file: &FileRef, least: usize, at: &str, what: &str, refusals: &mut Refusals) -> bool {
    let Lookup::Found(Content::Bytes(text)) = &file.content else { return false };
    // the schema counts characters
    let length = text.as_str().map_or(text.bytes().len(), |text| text.chars().count());
    if length >= least {
        return false;
    }
    // within a list the error of the item follows directly
    let separator = if at.ends_with(|c: char| c.is_ascii_digit()) { ": " } else { " validation failed: " };
    refusals.add_with(
        format!("what should be {what}, has {length} characters"),
        file.path.span,
        &format!("{at}{separator}string too short, expected at least {least}, got {length}"),
        "write the PEM text itself, from its -----BEGIN line on",
    );
    true
}

/// Inline text as a file.
pub fn inline(values: &Values<'_>, node: Node<'_>, name: &str) -> Option<FileRef> {
    let span = node.span();
    let content = match values.value(node) {
        Value::Nil | Value::List | Value::Table => return None,
        Value::Unseen(why) => Lookup::Unseen(why),
        Value::Boolean(value) => Lookup::Found(Content::Bytes(Text::opaque(span, value.to_string()))),
        Value::Text(text) | Value::Number(text) => {
            let lower = text.get(..10).unwrap_or(&text).to_ascii_lowercase();
            if lower.starts_with("$secret://") || lower.starts_with("$env://") {
                Lookup::Unseen(format!("{name} is kept elsewhere: {text}"))
            } else {
                match node.text() {
                    Some(written) if written.bytes() == text.as_bytes() => {
                        Lookup::Found(Content::Bytes(written))
                    }
                    _ => Lookup::Found(Content::Bytes(Text::opaque(span, text))),
                }
            }
        }
    };
    Some(FileRef { path: Located::new(name.to_owned(), span), content, mode: None })
}

fn read_client(values: &Values<'_>, node: Node<'_>, what: &str, refusals: &mut Refusals) -> Client {
    const WITHIN: &str = "property \"client\" validation failed: ";
    let ca = node.get("ca").and_then(|ca| {
        certificate(values, ca, &format!("{what}, client.ca"), &format!("{WITHIN}property \"ca\""), refusals)
    });
    if ca.is_none() {
        refusals.add_with(
            "client has no ca".to_owned(),
            node.span(),
            &format!("{WITHIN}property \"ca\" is required"),
            "write client.ca, the certificates of the clients' CA as PEM text",
        );
    }
    let default = Setting::Default { value: 1, parent: node.span() };
    let depth = match node.get("depth").map(|node| (node, values.value(node))) {
        Some((depth, Value::Number(text))) => match text.parse::<i64>() {
            Ok(number) if number >= 0 => {
                Setting::Given(Located::new(u32::try_from(number).unwrap_or(u32::MAX), depth.span()))
            }
            _ => {
                refusals.add(format!("client.depth is {text}; it counts from 0"), depth.span(), "");
                default
            }
        },
        None | Some((_, Value::Nil | Value::Unseen(_))) => default,
        Some((depth, value)) => {
            let got = value.lua_type();
            refusals.add(
                format!("client.depth is a {got} where it must be a number"),
                depth.span(),
                &format!(
                    "{WITHIN}property \"depth\" validation failed: wrong type: expected integer, got {got}"
                ),
            );
            default
        }
    };
    let skip = node.get("skip_mtls_uri_regex");
    let skip_paths = values.texts(skip);
    if let Some(list) = skip
        && list.kind() == Kind::Sequence
        && skip_paths.is_empty()
    {
        refusals.add(
            "client.skip_mtls_uri_regex is empty".to_owned(),
            list.span(),
            &format!(
                "{WITHIN}property \"skip_mtls_uri_regex\" validation failed: expect array to have at least 1 items"
            ),
        );
    }
    let known = ["ca", "depth", "skip_mtls_uri_regex"];
    let unknown = node
        .entries()
        .filter_map(|(key, _)| Some(Located::new(key.as_str()?.to_owned(), key.span())))
        .filter(|key| !known.contains(&key.value.as_str()))
        .collect();
    Client { ca, depth, skip_paths, unknown, span: node.span() }
}

//! What Envoy refuses to parse: unknown fields, values of the wrong type, what its constraints demand.
//!
//! Envoy turns YAML into JSON and JSON into messages with proto3's rules, some of them relaxed: one object stands
//! for a list, numbers and booleans may be quoted, names of enum values are found in any case. Then
//! protoc-gen-validate's constraints are checked. Observed with `envoy --mode validate`, 1.40.0.

use mtls_identity::sorted;

use super::proto::{camel_case, flattened};
use super::schema::{self, Field, FieldKind, Label};
use crate::source::Span;
use crate::suggestion::distance;
use crate::syntax::yaml::{Kind, Node};

/// One thing that Envoy refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What.
    pub kind: ProblemKind,
    /// Both halves.
    pub message: String,
    /// The fix as text to write.
    pub help: Option<String>,
    /// Where.
    pub span: Span,
    /// What Envoy prints after "error initializing configuration 'FILE': ", without the JSON that may follow.
    pub log: String,
}

/// Why Envoy refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProblemKind {
    /// A value that its field's type does not admit. It stops the parser at once.
    Malformed,
    /// A field or enum value that the API does not have: a later release may.
    Unknown,
    /// A constraint, checked after everything was parsed.
    Constraint,
}

/// Checks a document against a message type, in the order in which Envoy does.
pub fn check(root: Node<'_>, message: &str) -> Vec<Problem> {
    let mut walk =
        Walk { root: message.to_owned(), problems: Vec::new(), path: Vec::new(), chain: Vec::new() };
    walk.message(root, message);
    // what cannot be parsed is reported before what is unknown, constraints come last
    sorted::sort_by_key(&mut walk.problems, |problem| problem.kind);
    walk.problems
}

const COMMON_TLS: &str = "envoy.extensions.transport_sockets.tls.v3.CommonTlsContext";
/// protobuf's own limit of nesting.
const DEPTH: usize = 100;
/// Enough to tell what is wrong; a file of another kind would yield thousands.
const MOST: usize = 64;

struct Walk {
    /// The outermost message's type.
    root: String,
    problems: Vec<Problem>,
    /// `static_resources`, `listeners[0]`, …
    path: Vec<String>,
    /// The same as protoc-gen-validate names it: `BootstrapValidationError.StaticResources`.
    chain: Vec<String>,
}

impl Walk {
    fn message(&mut self, node: Node<'_>, name: &str) {
        if self.path.len() > DEPTH || self.problems.len() >= MOST {
            return;
        }
        match node.kind() {
            // one object may be a list's element written as null: an empty message
            Kind::Mapping | Kind::Null => {}
            _ => return self.malformed(node, &format!("message {name}"), "an object"),
        }
        let Some(of) = schema::message(name) else { return };
        self.merge_key(node, name);
        let mut seen: Vec<(u8, &'static str, Span)> = Vec::new();
        for (key, value) in node.entries() {
            let Some(written) = key.as_str() else { continue };
            if written == "@type" {
                continue;
            }
            let Some(field) =
                of.fields.iter().find(|field| field.name == written || camel_case(field.name) == written)
            else {
                self.unknown_field(key, written, name, &of);
                continue;
            };
            if value.kind() == Kind::Null {
                continue;
            }
            if let Some(number) = field.oneof {
                if let Some((_, other, _)) = seen.iter().find(|(group, ..)| *group == number) {
                    self.both_set(key, field.name, other);
                    continue;
                }
                seen.push((number, field.name, key.span()));
            }
            self.field(value, field, name);
        }
        let is_set = |field: &Field| {
            node.get(field.name)
                .or_else(|| node.get(&camel_case(field.name)))
                .is_some_and(|value| !is_default(value, field))
        };
        for field in
            of.fields.iter().filter(|field| field.required && field.oneof.is_none() && !is_set(field))
        {
            self.missing(node, field, name);
        }
        if name == "envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher"
            && node.get("san_type").is_none()
            && node.get("sanType").is_none()
        {
            self.chain.push("SubjectAltNameMatcherValidationError.SanType".to_owned());
            let log = self.constraint("value must not be in list [SAN_TYPE_UNSPECIFIED]");
            self.chain.pop();
            self.push(
                ProblemKind::Constraint,
                node.span(),
                "the matcher does not say which kind of name it matches".to_owned(),
                Some("write san_type: DNS, URI, EMAIL or IP_ADDRESS".to_owned()),
                log,
            );
        }
        for (number, oneof) in &of.required_oneofs {
            if !seen.iter().any(|(group, ..)| group == number) {
                let members: Vec<&str> = of
                    .fields
                    .iter()
                    .filter(|field| field.oneof == Some(*number))
                    .map(|field| field.name)
                    .collect();
                self.missing_oneof(node, oneof, &members, name);
            }
        }
    }

    fn field(&mut self, value: Node<'_>, field: &Field, of: &str) {
        match field.label {
            Label::Singular => self.value(value, field, of, field.name.to_owned()),
            Label::Repeated => {
                for (index, item) in flattened(value).into_iter().enumerate() {
                    self.value(item, field, of, format!("{}[{index}]", field.name));
                }
            }
            Label::Map if value.kind() == Kind::Mapping => {
                for (key, entry) in value.entries() {
                    let name = key.as_str().unwrap_or_default();
                    self.value(entry, field, of, format!("{}[\"{name}\"]", field.name));
                }
            }
            Label::Map => {
                self.path.push(field.name.to_owned());
                self.malformed(value, "map", "an object");
                self.path.pop();
            }
        }
    }

    fn value(&mut self, value: Node<'_>, field: &Field, of: &str, path: String) {
        self.chain.push(format!("{}ValidationError.{}", short(of), pascal_case(&path)));
        self.path.push(path);
        match field.kind {
            FieldKind::Message(name) => self.message(value, name),
            FieldKind::Any => self.any(value),
            FieldKind::Free => {}
            FieldKind::Enum(name) => self.enumeration(value, name),
            scalar => self.scalar(value, scalar),
        }
        if let Some((rule, message)) = limit(field.name, value) {
            let log = self.constraint(rule);
            self.push(ProblemKind::Constraint, value.span(), message, None, log);
        }
        self.path.pop();
        self.chain.pop();
    }

    fn any(&mut self, value: Node<'_>) {
        if value.kind() != Kind::Mapping {
            return self.malformed(value, "message google.protobuf.Any", "an object");
        }
        let Some(url) = value.get("@type") else {
            if value.entries().next().is_some() {
                self.push(
                    ProblemKind::Malformed,
                    value.span(),
                    "a typed configuration has no @type, so Envoy cannot tell what it is".to_owned(),
                    Some("write '@type': type.googleapis.com/… as its first field".to_owned()),
                    format!(
                        "{}: message google.protobuf.Any: in legacy mode, missing @type in Any is only allowed for an empty object",
                        self.place()
                    ),
                );
            }
            return;
        };
        let text = url.as_str().unwrap_or_default();
        let Some((_, name)) = text.rsplit_once('/') else {
            return self.push(
                ProblemKind::Malformed,
                url.span(),
                format!("@type is {text}, without the host and slash that a type URL has"),
                Some(format!("write type.googleapis.com/{text}")),
                format!("@type must contain at least one / and a nonempty host; got: {text}"),
            );
        };
        // well-known types stand in a field `value`, in a JSON form of their own
        if name.starts_with("google.protobuf.") {
            return;
        }
        // withdrawn APIs are known by their names; of others the table may lack some
        if name.starts_with("envoy.api.v2.") || name.starts_with("envoy.config.filter.") {
            return self.push(
                ProblemKind::Malformed,
                url.span(),
                format!("@type names {name}, of the v2 API, which Envoy withdrew in 1.18"),
                None,
                format!("could not find @type '{text}'"),
            );
        }
        if let Some(known) = schema::misspelt_message(name) {
            return self.push(
                ProblemKind::Malformed,
                url.span(),
                format!("@type names {name}, which does not exist"),
                Some(format!("write type.googleapis.com/{known}")),
                format!("Unable to parse JSON as proto (INVALID_ARGUMENT: could not find @type '{text}')"),
            );
        }
        self.path.push("<any>".to_owned());
        // the message within is validated on its own, when something takes it
        let chain = std::mem::take(&mut self.chain);
        self.message(value, name);
        self.chain = chain;
        self.path.pop();
    }

    fn enumeration(&mut self, value: Node<'_>, of: &str) {
        if value.kind() != Kind::Scalar {
            return self.malformed(value, "enum", "a name");
        }
        let written = value.as_str().unwrap_or_default();
        if schema::enum_value(of, written).is_some() {
            return;
        }
        let names = schema::enum_names(of);
        let known = names.join(", ");
        if value.as_i64().is_some() {
            let log = self.constraint("value must be one of the defined enum values");
            self.push(
                ProblemKind::Constraint,
                value.span(),
                format!("{written} is no value of this field; it has {known}"),
                None,
                log,
            );
        } else {
            let help = nearest(written, &names).map(|name| format!("write {name}"));
            self.push(
                ProblemKind::Unknown,
                value.span(),
                format!("{written} is no value of this field; it has {known}"),
                help,
                format!(
                    "Protobuf message (type {} reason INVALID_ARGUMENT: unknown enum value: '{written}') has unknown fields",
                    self.root
                ),
            );
        }
    }

    fn scalar(&mut self, value: Node<'_>, kind: FieldKind) {
        if value.kind() != Kind::Scalar {
            let expected = if kind == FieldKind::String { "a string" } else { "a value" };
            return self.malformed(value, type_name(kind), expected);
        }
        let text = value.as_str().unwrap_or_default();
        match kind {
            // YAML's plain true, yes, 12 are no strings
            FieldKind::String | FieldKind::Bytes if value.as_bool().is_some() || is_plain_integer(value) => {
                self.unquoted(value, text);
            }
            FieldKind::Bool if value.as_bool().is_none() && !matches!(text, "true" | "false") => {
                self.malformed(value, "bool", "true or false");
            }
            FieldKind::Duration => {
                let seconds = text.strip_suffix('s').filter(|_| !is_plain_integer(value));
                if !seconds.is_some_and(|seconds| seconds.parse::<f64>().is_ok_and(f64::is_finite)) {
                    self.duration(value, text);
                }
            }
            FieldKind::Uint32 => self.integer(value, text, 0, i128::from(u32::MAX)),
            FieldKind::Int32 => self.integer(value, text, i128::from(i32::MIN), i128::from(i32::MAX)),
            FieldKind::Uint64 => self.integer(value, text, 0, i128::from(u64::MAX)),
            FieldKind::Int64 => self.integer(value, text, i128::from(i64::MIN), i128::from(i64::MAX)),
            _ => {}
        }
    }

    fn integer(&mut self, value: Node<'_>, text: &str, least: i128, most: i128) {
        let number = match value.as_i64() {
            Some(number) => Some(f64_of(i128::from(number))),
            None => text.trim().parse::<f64>().ok().filter(|number| number.is_finite()),
        };
        match number {
            None => self.malformed(value, "integer", "a number"),
            Some(number) if number < f64_of(least) || number > f64_of(most) => self.push(
                ProblemKind::Malformed,
                value.span(),
                format!("{text} is out of range; the field holds {least} to {most}"),
                None,
                format!("{}: JSON number out of range for int", self.place()),
            ),
            Some(_) => {}
        }
    }

    fn duration(&mut self, value: Node<'_>, text: &str) {
        let seconds = text.trim_end_matches(char::is_alphabetic);
        let amount: Option<f64> = seconds.parse().ok();
        let help = amount.map(|amount| match text.get(seconds.len()..) {
            Some("ms") => format!("write {}s", amount / 1000.0),
            Some("m") => format!("write {}s", amount * 60.0),
            Some("h") => format!("write {}s", amount * 3600.0),
            _ => format!("write {seconds}s"),
        });
        let log = if is_plain_integer(value) {
            format!("{}: message google.protobuf.Duration: unexpected character; expected '\"'", self.place())
        } else {
            format!("{}: message google.protobuf.Duration: duration must end with a single 's'", self.place())
        };
        self.push(
            ProblemKind::Malformed,
            value.span(),
            format!("{text} is no duration; Envoy takes seconds with an s, as in 0.25s"),
            help,
            log,
        );
    }

    fn unquoted(&mut self, value: Node<'_>, text: &str) {
        let kind = if value.as_bool().is_some() { "a boolean" } else { "a number" };
        self.push(
            ProblemKind::Malformed,
            value.span(),
            format!("{text} without quotes is {kind}, and the field takes a string"),
            Some(format!("write \"{text}\"")),
            format!("{}: string: unexpected character; expected '\"'", self.place()),
        );
    }

    fn malformed(&mut self, value: Node<'_>, what: &str, expected: &str) {
        let found = match value.kind() {
            Kind::Null => "nothing",
            Kind::Scalar => "a value",
            Kind::Sequence => "a list",
            Kind::Mapping => "an object",
        };
        let field = self.path.last().map_or("the document", String::as_str).to_owned();
        let message = match value.as_str() {
            Some(text) if value.kind() == Kind::Scalar && text.len() < 40 && !self.is_secret() => {
                format!("{field} is {text}, where Envoy expects {expected}")
            }
            _ => format!("{field} is {found}, where Envoy expects {expected}"),
        };
        let log = match (self.path.is_empty(), value.as_str()) {
            (true, Some(text)) => format!("Unable to convert YAML as JSON: {text}"),
            (true, None) => format!("{}: unexpected character", self.place()),
            (false, _) => format!("{}: {what}: unexpected character", self.place()),
        };
        self.push(ProblemKind::Malformed, value.span(), message, None, log);
    }

    /// Values at these places are not printed.
    fn is_secret(&self) -> bool {
        self.path.iter().any(|part| {
            part.starts_with("private_key") || part.starts_with("password") || part.starts_with("inline")
        })
    }

    fn unknown_field(&mut self, key: Node<'_>, written: &str, of: &str, message: &schema::MessageType) {
        let names: Vec<&str> = message.fields.iter().map(|field| field.name).collect();
        let withdrawn = message.withdrawn.contains(&written);
        let help = match (of, written) {
            (_, "tls_context") if withdrawn => Some(
                "write transport_socket with name envoy.transport_sockets.tls and the same settings in a typed_config"
                    .to_owned(),
            ),
            ("envoy.config.cluster.v3.Cluster", "hosts") => {
                Some("write load_assignment with endpoints and lb_endpoints".to_owned())
            }
            (_, "filter_chain_match") => Some("move filter_chain_match to the filter chain".to_owned()),
            (_, "transport_socket") => Some(format!(
                "move transport_socket to the {}",
                if self.path.iter().any(|part| part.starts_with("clusters")) { "cluster" } else { "filter chain" }
            )),
            (_, "validation_context" | "tls_certificates" | "alpn_protocols" | "tls_params") => {
                Some(format!("move {written} into common_tls_context"))
            }
            (COMMON_TLS, "require_client_certificate" | "sni" | "auto_sni_san_validation") => {
                Some(format!("move {written} out of common_tls_context, to stand beside it"))
            }
            (_, "config") if withdrawn => Some("write typed_config with an @type".to_owned()),
            _ => nearest(written, &names).map(|name| format!("write {name}")),
        };
        let what = if withdrawn {
            format!("{written} was a field of the v2 API; {} of v3 has it no more", short(of))
        } else {
            format!("{} has no field {written}", short(of))
        };
        let place = if self.path.is_empty() {
            String::new()
        } else {
            format!(" @ {}: message {of}", self.path.join("."))
        };
        let log = format!(
            "Protobuf message (type {root} reason INVALID_ARGUMENT: invalid JSON in {root}{place}: no such field: '{written}') has unknown fields",
            root = self.root,
        );
        self.push(ProblemKind::Unknown, key.span(), what, help, log);
    }

    /// yaml-cpp leaves `<<` where it stands, and no message has such a field. What the reader here has put in its
    /// place was written elsewhere.
    fn merge_key(&mut self, node: Node<'_>, of: &str) {
        let own = node.span();
        let is_elsewhere = |key: Span| key.file == own.file && (key.end <= own.start || key.start >= own.end);
        if !node.entries().any(|(key, _)| is_elsewhere(key.span())) {
            return;
        }
        let place = self.path.join(".");
        let log = format!(
            "Protobuf message (type {root} reason INVALID_ARGUMENT: invalid JSON in {root} @ {place}: message {of}: no such field: '<<') has unknown fields",
            root = self.root,
        );
        self.push(
            ProblemKind::Unknown,
            own,
            "<< puts one mapping into another, and Envoy takes it for a field, which it does not know"
                .to_owned(),
            Some("write the fields themselves in its place".to_owned()),
            log,
        );
    }

    fn both_set(&mut self, key: Node<'_>, name: &str, other: &str) {
        let log = format!(
            "{}: '{name}' has already been set (either directly or as part of a oneof)",
            self.place()
        );
        self.push(
            ProblemKind::Malformed,
            key.span(),
            format!("{name} stands beside {other}, and only one of them may be set"),
            Some(format!("keep either {name} or {other}")),
            log,
        );
    }

    fn missing(&mut self, node: Node<'_>, field: &Field, of: &str) {
        let rule = match (field.label, field.kind) {
            (Label::Repeated, _) => "value must contain at least 1 item(s)",
            (_, FieldKind::String) => "value length must be at least 1 characters",
            _ => "value is required",
        };
        self.chain.push(format!("{}ValidationError.{}", short(of), pascal_case(field.name)));
        let log = self.constraint(rule);
        self.chain.pop();
        self.push(
            ProblemKind::Constraint,
            node.span(),
            format!("{} has no {}, which Envoy demands", short(of), field.name),
            Some(format!("write {}", field.name)),
            log,
        );
    }

    fn missing_oneof(&mut self, node: Node<'_>, oneof: &str, members: &[&str], of: &str) {
        self.chain.push(format!("{}ValidationError.{}", short(of), pascal_case(oneof)));
        let log = self.constraint("value is required");
        self.chain.pop();
        self.push(
            ProblemKind::Constraint,
            node.span(),
            format!("{} has none of {}, of which Envoy demands one", short(of), members.join(", ")),
            None,
            log,
        );
    }

    fn constraint(&self, rule: &str) -> String {
        let mut log = String::from("Proto constraint validation failed (");
        for part in self.chain.iter().take(self.chain.len().saturating_sub(1)) {
            log.push_str(part);
            log.push_str(": embedded message failed validation | caused by ");
        }
        if let Some(last) = self.chain.last() {
            log.push_str(last);
            log.push_str(": ");
        }
        log.push_str(rule);
        log.push(')');
        log
    }

    fn place(&self) -> String {
        let place = if self.path.is_empty() { String::new() } else { format!(" @ {}", self.path.join(".")) };
        format!("Unable to parse JSON as proto (INVALID_ARGUMENT: invalid JSON in {}{place}", self.root)
    }

    fn push(&mut self, kind: ProblemKind, span: Span, message: String, help: Option<String>, log: String) {
        if self.problems.len() < MOST {
            self.problems.push(Problem { kind, message, help, span, log });
        }
    }
}

/// Limits on values that matter to TLS; protoc-gen-validate's words and ours.
fn limit(field: &str, value: Node<'_>) -> Option<(&'static str, String)> {
    let text = value.as_str()?;
    match field {
        "port_value" if value.as_i64().is_some_and(|port| port > 65_535) => {
            Some(("value must be less than or equal to 65535", format!("{text} is no port")))
        }
        "verify_certificate_hash" if text.len() < 64 => Some((
            "value length must be at least 64 characters",
            "verify_certificate_hash is no SHA-256 in hexadecimal, which has 64 digits".to_owned(),
        )),
        "verify_certificate_spki" if text.len() < 44 => Some((
            "value length must be at least 44 characters",
            "verify_certificate_spki is no SHA-256 in base64, which has 44 characters".to_owned(),
        )),
        "sni" if text.len() > 255 => Some((
            "value length must be at most 255 bytes",
            "the server name has more than 255 bytes".to_owned(),
        )),
        _ => None,
    }
}

/// Whether a value is what proto3 does not tell from absence.
fn is_default(value: Node<'_>, field: &Field) -> bool {
    match (field.label, value.kind()) {
        (_, Kind::Null) => true,
        (Label::Repeated, _) => flattened(value).is_empty(),
        (_, Kind::Scalar) => field.kind == FieldKind::String && value.as_str() == Some(""),
        _ => false,
    }
}

/// Whether Envoy makes a number of a plain scalar: decimal, 0x or a leading zero, of 32 bits (a longer one stays a
/// string); yaml-cpp knows neither underscores nor 0o.
fn is_plain_integer(value: Node<'_>) -> bool {
    let Some(text) = value.as_str().filter(|_| value.is_plain()) else { return false };
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_number = match digits.strip_prefix("0x") {
        Some(hex) => !hex.is_empty() && hex.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()),
    };
    is_number && value.as_i64().is_some_and(|number| i32::try_from(number).is_ok())
}

fn f64_of(number: i128) -> f64 {
    // the comparison is Envoy's own: JSON numbers are doubles
    number as f64
}

fn type_name(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::String => "string",
        FieldKind::Bytes => "bytes",
        FieldKind::Bool => "bool",
        FieldKind::Duration => "message google.protobuf.Duration",
        _ => "number",
    }
}

/// `envoy.config.cluster.v3.Cluster.EdsClusterConfig` → `EdsClusterConfig`.
fn short(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, last)| last)
}

/// `lb_endpoints[0]` → `LbEndpoints[0]`.
fn pascal_case(name: &str) -> String {
    let camel = camel_case(name);
    let mut chars = camel.chars();
    chars.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + chars.as_str())
}

/// The known name that a typing error would have come from.
fn nearest<'n>(written: &str, names: &[&'n str]) -> Option<&'n str> {
    let written: Vec<u8> =
        written.bytes().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase()).collect();
    if written.len() > 64 {
        return None;
    }
    let mut best: Option<(usize, &str)> = None;
    for name in names {
        let known: Vec<u8> =
            name.bytes().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase()).collect();
        let distance = distance(&written, &known);
        if distance <= 1 + known.len() / 5 && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, name));
        }
    }
    best.map(|(_, name)| name)
}

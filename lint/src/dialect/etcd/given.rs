//! What was written, before defaults: flags, environment and file become one set of settings, by etcd's precedence.

use std::collections::BTreeMap;

use super::settings::{
    self, CLIENT_ALLOWED_CN, CLIENT_SKIP_SAN, EXPERIMENTAL_SKIP_SAN, Form, SettingName, in_release,
};
use super::{Ignored, IgnoredBecause};
use crate::deployment::{Lookup, Refusal, Version};
use crate::finding::Label;
use crate::source::{Located, Span};
use crate::syntax::yaml::{Kind, Node};

/// Settings by their flags' names.
#[derive(Debug, Default)]
pub struct Given {
    values: BTreeMap<&'static str, Value>,
    from_flags: BTreeMap<&'static str, Span>,
    /// Written to no effect.
    pub ignored: Vec<Ignored>,
    /// Refused while reading.
    pub refusals: Vec<Refusal>,
    /// Variables whose values were not seen.
    pub unseen: Vec<String>,
    /// How many refusals there were when words came that are filled in elsewhere: what comes after them is not certain.
    pub open: Option<usize>,
    /// Where the file has its client and peer security blocks.
    pub security_spans: (Option<Span>, Option<Span>),
}

/// A setting's value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    /// As one text.
    Text(Located<String>),
    /// As a list of the file.
    List(Vec<Located<String>>),
}

/// One environment variable, as the world of the program has it.
#[derive(Debug, Clone, Copy)]
pub struct Variable<'v> {
    /// Its name.
    pub name: &'v Located<String>,
    /// Its value.
    pub value: &'v Lookup<Located<String>>,
}

impl Given {
    /// A setting's text; empty text counts as not given.
    pub fn text(&self, name: &str) -> Option<Located<String>> {
        match self.values.get(name)? {
            Value::Text(text) if !text.value.is_empty() => Some(text.clone()),
            Value::Text(_) | Value::List(_) => None,
        }
    }

    /// A setting's items; one text is split at its commas.
    pub fn list(&self, name: &str) -> Vec<Located<String>> {
        match self.values.get(name) {
            None => Vec::new(),
            Some(Value::Text(text)) => split(text),
            Some(Value::List(items)) => items.clone(),
        }
    }

    /// A boolean setting; what is no boolean was refused when it was read.
    pub fn flag(&self, name: &str) -> Option<Located<bool>> {
        let Value::Text(text) = self.values.get(name)? else { return None };
        Some(Located::new(parse_bool(&text.value)?, text.span))
    }

    /// Reads flags as Go's `flag` package does: `-x` is `--x`, a boolean takes no separate value, and what is no flag
    /// ends them, which etcd refuses.
    pub fn read_flags(&mut self, arguments: &[Located<String>], version: Version) {
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let word = argument.value.as_str();
            if !word.starts_with('-')
                && (is_filled_in(word) || word.starts_with("$@") || word.starts_with("$*"))
            {
                self.open.get_or_insert(self.refusals.len());
                let what = if matches!(word, "$@" | "$*") { "what the script is given" } else { word };
                self.unseen.push(format!("{what} may be more flags, and is filled in elsewhere"));
                continue;
            }
            let Some(body) = word.strip_prefix('-').filter(|body| !body.is_empty()) else {
                return self.not_a_flag(argument);
            };
            let body = body.strip_prefix('-').unwrap_or(body);
            if body.is_empty() {
                // `--` ends the flags
                if let Some(next) = rest.next() {
                    self.not_a_flag(next);
                }
                return;
            }
            let (name, attached) = match body.split_once('=') {
                Some((name, _)) => (name, Some(sub(argument, word.len() - body.len() + name.len() + 1))),
                None => (body, None),
            };
            let Some(setting) = settings::of_flag(name).filter(|known| !known.name.contains('.')) else {
                if name.starts_with("experimental-") {
                    // several dozen came and went; whether the next word is its value shows in its first character
                    if attached.is_none()
                        && rest.as_slice().first().is_some_and(|next| !next.value.starts_with('-'))
                    {
                        rest.next();
                    }
                    continue;
                }
                return self.no_such_flag(argument, name, version);
            };
            if !setting.known_to(version) {
                return self.later_flag(argument, name, setting, version);
            }
            let value = match (attached, setting.form) {
                (Some(value), _) => value,
                (None, Form::Bool) => Located::new("true".to_owned(), argument.span),
                (None, _) => match rest.next() {
                    Some(next) => next.clone(),
                    None => {
                        let message = format!("the flag --{name} is the last word and has no value");
                        return self.refuse(
                            message,
                            argument.span,
                            &format!("write --{name}=VALUE"),
                            Some(format!("flag needs an argument: -{name}")),
                        );
                    }
                },
            };
            if self.is_open(setting, &value) {
                self.from_flags.insert(setting.name, argument.span);
                continue;
            }
            if setting.form == Form::Bool && parse_bool(&value.value).is_none() {
                let message = format!("--{name} is true or false, not {:?}", value.value);
                let log = format!("invalid boolean value {:?} for -{name}: parse error", value.value);
                return self.refuse(
                    message,
                    value.span,
                    &format!("write --{name}=true or --{name}=false"),
                    Some(log),
                );
            }
            self.from_flags.insert(setting.name, argument.span);
            self.values.insert(setting.name, Value::Text(value));
        }
    }

    fn no_such_flag(&mut self, argument: &Located<String>, name: &str, version: Version) {
        let (message, advice) = if name == "ca-file" || name == "peer-ca-file" {
            let new = name.replace("ca-file", "trusted-ca-file");
            (format!("etcd {version} has no flag --{name} any more"), format!("write --{new} instead"))
        } else {
            let advice = format!("leave --{name} out, or correct its name");
            (format!("etcd {version} has no flag --{name}"), advice)
        };
        let log = format!("flag provided but not defined: -{name}");
        self.refuse(message, argument.span, &advice, Some(log));
    }

    fn later_flag(
        &mut self,
        argument: &Located<String>,
        name: &str,
        setting: &SettingName,
        version: Version,
    ) {
        let since = setting.since.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
        let message = format!("etcd {version} has no flag --{name}; it came with {since}");
        let log = format!("flag provided but not defined: -{name}");
        let advice = format!("leave --{name} out, or run a release that has it");
        self.refuse(message, argument.span, &advice, Some(log));
    }

    /// Fills from the environment what no flag gave. Empty values count as unset; a flag for the same setting is refused.
    pub fn read_environment<'v>(&mut self, variables: impl Iterator<Item = Variable<'v>>, version: Version) {
        for variable in variables {
            let name = variable.name.value.as_str();
            if !name.starts_with("ETCD_") {
                continue;
            }
            let Some(setting) = settings::of_variable(name).filter(|setting| setting.known_to(version))
            else {
                // etcd prints "unrecognized environment variable" and goes on
                self.ignored.push(Ignored { name: variable.name.clone(), why: IgnoredBecause::Unknown });
                continue;
            };
            if let Some(flag) = self.from_flags.get(setting.name) {
                // pkg/flags, verifyEnv: even with an equal or an empty value
                let mut refused = refusal(
                    format!("{name} and --{} give the same setting, and etcd refuses that", setting.name),
                    variable.name.span,
                    &format!("leave {name} out, or the flag"),
                    Some(CONFLICT.to_owned()),
                );
                refused.labels.push(Label { span: *flag, message: "the flag".to_owned() });
                self.refusals.push(refused);
                continue;
            }
            if self.values.contains_key(setting.name) {
                continue;
            }
            match variable.value {
                Lookup::Found(value) if value.value.is_empty() || self.is_open(setting, value) => {}
                Lookup::Found(value) if setting.form == Form::Bool && parse_bool(&value.value).is_none() => {
                    let log = format!("invalid value {:?} for {name}: parse error", value.value);
                    self.refuse(
                        format!("{name} is true or false, not {:?}", value.value),
                        value.span,
                        "write true or false",
                        Some(log),
                    );
                }
                Lookup::Found(value) => {
                    self.values.insert(setting.name, Value::Text(value.clone()));
                }
                Lookup::Missing(missing) => {
                    self.unseen.push(format!("{name} has no value: {}", missing.message));
                }
                Lookup::Unseen(why) => self.unseen.push(format!("the value of {name} was not seen: {why}")),
            }
        }
    }

    /// Notes that flags and environment are ignored because a file is in force.
    pub fn ignore_beside_file<'v>(
        &mut self,
        arguments: &[Located<String>],
        variables: impl Iterator<Item = Variable<'v>>,
    ) {
        let mut beside = Self::default();
        // the words only matter as far as they name settings: any version will do
        beside.read_flags(arguments, Version(u32::MAX, 0, 0));
        for (name, value) in &beside.values {
            if *name != "config-file" {
                let span = match value {
                    Value::Text(text) => text.span,
                    Value::List(_) => continue,
                };
                let name = Located::new(format!("--{name}"), span);
                self.ignored.push(Ignored { name, why: IgnoredBecause::ConfigurationFile });
            }
        }
        for variable in variables {
            if settings::of_variable(&variable.name.value).is_some_and(|known| known.name != "config-file") {
                let name = variable.name.clone();
                self.ignored.push(Ignored { name, why: IgnoredBecause::ConfigurationFile });
            }
        }
    }

    /// Reads etcd.conf.yml. Keys that etcd does not know are ignored, types that JSON would not take are refused.
    pub fn read_file(&mut self, root: Node<'_>, version: Version) {
        match root.kind() {
            Kind::Null => return,
            Kind::Mapping => {}
            Kind::Scalar | Kind::Sequence => {
                return self.refuse(
                    "etcd's configuration file is a mapping of settings, and this is none".to_owned(),
                    root.span(),
                    "write settings as NAME: VALUE, one a line",
                    None,
                );
            }
        }
        for (key, value) in root.entries() {
            let name = key.as_str().unwrap_or_default();
            let peer = name.eq_ignore_ascii_case("peer-transport-security");
            if peer || name.eq_ignore_ascii_case("client-transport-security") {
                let span = Some(value.span());
                if peer {
                    self.security_spans.1 = span
                } else {
                    self.security_spans.0 = span
                }
                self.read_security(name, peer, value, version);
                continue;
            }
            match settings::of_key(name).filter(|setting| setting.known_to(version)) {
                Some(setting) => self.read_key(setting, name, value, None),
                None => {
                    let why = if settings::of_flag(name).is_some() {
                        IgnoredBecause::NotInFile
                    } else {
                        IgnoredBecause::Unknown
                    };
                    self.ignored.push(Ignored { name: Located::new(name.to_owned(), key.span()), why });
                }
            }
        }
    }

    fn read_security(&mut self, block: &str, peer: bool, node: Node<'_>, version: Version) {
        match node.kind() {
            Kind::Null => return,
            Kind::Mapping => {}
            kind @ (Kind::Scalar | Kind::Sequence) => {
                let what = if kind == Kind::Sequence { "a list" } else { "a single value" };
                return self.refuse(
                    format!("{block} is a mapping of settings, and this is {what}"),
                    node.span(),
                    "write cert-file, key-file and trusted-ca-file as keys within it",
                    None,
                );
            }
        }
        for (key, value) in node.entries() {
            let name = key.as_str().unwrap_or_default();
            let ignored = |why| Ignored { name: Located::new(name.to_owned(), key.span()), why };
            let Some(setting) = settings::of_security_key(peer, name) else {
                let why = match name {
                    "client-crl-file" | "crl-file" | "peer-crl-file" => IgnoredBecause::NotInFile,
                    _ => IgnoredBecause::Unknown,
                };
                self.ignored.push(ignored(why));
                continue;
            };
            let allowed = setting.form == Form::List;
            if (allowed && !in_release(ALLOWED_IN_FILE, version)) || !setting.known_to(version) {
                self.ignored.push(ignored(IgnoredBecause::NotInFile));
                continue;
            }
            // 3.5.14 alone takes one string where later releases take a list
            let setting = &SettingName {
                form: if allowed && !in_release(ALLOWED_LISTS, version) { Form::Text } else { setting.form },
                ..*setting
            };
            self.read_key(setting, name, value, Some(&format!("securityConfig.configJSON.{block}.{name}")));
        }
    }

    fn read_key(&mut self, setting: &SettingName, key: &str, node: Node<'_>, field: Option<&str>) {
        let text = || Located::new(node.as_str().unwrap_or_default().to_owned(), node.span());
        let found = match node.kind() {
            Kind::Null => return,
            Kind::Mapping => "object",
            Kind::Sequence if setting.form == Form::List => {
                let items = node
                    .items()
                    .filter_map(|item| Some(Located::new(item.as_str()?.to_owned(), item.span())))
                    .collect();
                self.values.insert(setting.name, Value::List(items));
                return;
            }
            Kind::Sequence => "array",
            Kind::Scalar => match setting.form {
                Form::Text | Form::Urls => {
                    self.values.insert(setting.name, Value::Text(text()));
                    return;
                }
                Form::Bool => {
                    if let Some(value) = node.as_bool() {
                        let value = Located::new(value.to_string(), node.span());
                        self.values.insert(setting.name, Value::Text(value));
                        return;
                    }
                    kind_of(node)
                }
                Form::Number if kind_of(node) == "number" => return,
                Form::Number | Form::List => kind_of(node),
            },
        };
        let wanted = match setting.form {
            Form::Text | Form::Urls => "string",
            Form::Bool => "bool",
            Form::Number => "number",
            Form::List => "[]string",
        };
        let in_words = |json: &str| match json {
            "object" => "a mapping",
            "array" | "[]string" => "a list",
            "bool" => "true or false",
            "number" => "a number",
            _ => "text",
        };
        let message = format!(
            "{key} is {} in etcd's configuration file, and this is {}",
            in_words(wanted),
            in_words(found)
        );
        let log = field.map(|field| {
            format!(
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {found} into Go struct field {field} of type {wanted}"
            )
        });
        let advice = match setting.form {
            Form::Text | Form::Urls => {
                format!("write one text, {key}: VALUE, with commas where there are several")
            }
            Form::Bool => format!("write {key}: true or {key}: false, without quotes"),
            Form::Number => format!("write {key} as a number, without quotes or unit"),
            Form::List => format!("write {key}: [{}]", node.as_str().unwrap_or("VALUE")),
        };
        self.refuse(message, node.span(), &advice, log);
    }

    /// Whether a shell or the kubelet still has to fill in a value on which TLS depends; it is noted then.
    ///
    /// URLs are kept: what is open of them is passed over one by one.
    fn is_open(&mut self, setting: &SettingName, value: &Located<String>) -> bool {
        let matters = match setting.form {
            Form::Bool | Form::List => true,
            Form::Text => setting.name.ends_with("-file") || setting.name.starts_with("tls-"),
            Form::Urls | Form::Number => false,
        };
        let open = matters && is_filled_in(&value.value);
        if open {
            self.unseen.push(format!("{} is {}, which is filled in elsewhere", setting.name, value.value));
        }
        open
    }

    fn not_a_flag(&mut self, argument: &Located<String>) {
        let (message, advice) = match argument.value.as_str() {
            word @ ("true" | "false") => (
                format!("{word} stands by itself, and a switch of etcd takes no separate value"),
                format!("write the switch and {word} as one word, --client-cert-auth={word} for instance"),
            ),
            word => (
                format!("{word} is no flag, and etcd takes nothing else"),
                format!("leave {word} out, or write it as the value of a flag"),
            ),
        };
        let log = format!("'{}' is not a valid flag", argument.value);
        self.refuse(message, argument.span, &advice, Some(log));
    }

    fn refuse(&mut self, message: String, span: Span, advice: &str, log: Option<String>) {
        self.refusals.push(refusal(message, span, advice, log));
    }
}

/// What etcd prints of a variable beside a flag (3.4 names the variable within the sentence).
const CONFLICT: &str =
    "is shadowed by corresponding command-line flag (either unset environment variable or disable flag)";

/// From here on the file's security blocks may hold `allowed-cn` and `allowed-hostname`.
const ALLOWED_IN_FILE: &[Version] = &[Version(3, 5, 14)];
/// From here on they are lists, in flags with commas between the items (pull request 18160).
pub const ALLOWED_LISTS: &[Version] = &[Version(3, 5, 15)];

/// A setting that etcd refuses.
///
/// `advice` says what to write.
pub fn refusal(message: String, span: Span, advice: &str, log: Option<String>) -> Refusal {
    let labels = vec![Label { span, message: String::new() }];
    Refusal { rule: "refused-setting", message, labels, help: Some(advice.to_owned()), log }
}

/// Whether a variable stands in a value: `${NAME}`, `$(NAME)`, `$NAME`.
pub fn is_filled_in(text: &str) -> bool {
    text.split('$').skip(1).any(|rest| {
        rest.starts_with(|next: char| matches!(next, '{' | '(' | '_') || next.is_ascii_alphabetic())
    })
}

/// What Go's JSON calls a scalar.
fn kind_of(node: Node<'_>) -> &'static str {
    let text = node.as_str().unwrap_or_default();
    if !node.is_plain() {
        "string"
    } else if node.as_bool().is_some() {
        "bool"
    } else if node.as_i64().is_some() || text.parse::<f64>().is_ok() {
        "number"
    } else {
        "string"
    }
}

/// Go's `strconv.ParseBool`.
fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// Items between commas, each with its place.
pub fn split(text: &Located<String>) -> Vec<Located<String>> {
    if text.value.is_empty() {
        return Vec::new();
    }
    let mut start = 0;
    text.value
        .split(',')
        .map(|item| {
            let located = part(text, start, item.len());
            start += item.len() + 1;
            located
        })
        .collect()
}

/// The end of a located text from a byte on.
fn sub(text: &Located<String>, start: usize) -> Located<String> {
    part(text, start, text.value.len().saturating_sub(start))
}

/// A part of a located text; where escapes make offsets uncertain, it stands for the whole.
pub fn part(text: &Located<String>, start: usize, length: usize) -> Located<String> {
    let value = text.value.get(start..start + length).unwrap_or_default().to_owned();
    let written = text.span.end.saturating_sub(text.span.start) as usize;
    let lead = match written.checked_sub(text.value.len()) {
        Some(0) => 0,
        // one quote on each side
        Some(2) => 1,
        _ => return Located::new(value, text.span),
    };
    let offset = |bytes: usize| text.span.start.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
    let span = Span { file: text.span.file, start: offset(lead + start), end: offset(lead + start + length) };
    Located::new(value, span)
}

impl Given {
    /// The allowed names of one side: common names, then host names.
    ///
    /// Before 3.5.15 the text is one name, commas included.
    pub fn allowed(&self, peer: bool, version: Version) -> (Vec<Located<String>>, Vec<Located<String>>) {
        let names = |name: &str| {
            if in_release(ALLOWED_LISTS, version) {
                self.list(name).into_iter().filter(|item| !item.value.is_empty()).collect()
            } else {
                self.text(name).into_iter().collect()
            }
        };
        if peer {
            (names("peer-cert-allowed-cn"), names("peer-cert-allowed-hostname"))
        } else {
            (names(CLIENT_ALLOWED_CN), names("client-cert-allowed-hostname"))
        }
    }

    /// Whether one side does not compare the peer's names with its address.
    pub fn skips_san(&self, peer: bool) -> Option<Located<bool>> {
        if peer {
            self.flag("peer-skip-client-san-verification").or_else(|| self.flag(EXPERIMENTAL_SKIP_SAN))
        } else {
            self.flag(CLIENT_SKIP_SAN)
        }
    }
}

//! Scalars as APISIX reads them: environment variables filled in, types as Lua has them.

use std::net::IpAddr;

use crate::deployment::{Lookup, Setting};
use crate::source::{Located, Span};
use crate::syntax::yaml::{Kind, Node};

/// What `${{NAME}}` stands for; None: the sources set no such variable.
pub type Environment<'e> = dyn Fn(&str) -> Option<Lookup<String>> + 'e;

/// Reads nodes with the environment filled in.
#[derive(Clone, Copy)]
pub struct Values<'e> {
    environment: &'e Environment<'e>,
}

/// A node's value in Lua's terms.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Absent, or null: Lua has one word for both, and null removes a default.
    Nil,
    /// `true` or `false`.
    Boolean(bool),
    /// A number, as it is written.
    Number(String),
    /// A string.
    Text(String),
    /// A sequence.
    List,
    /// A mapping.
    Table,
    /// A string with a variable whose value was not seen; completes "undetermined because …".
    Unseen(String),
}

impl Value {
    /// Lua's name of its type.
    pub fn lua_type(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Boolean(_) => "boolean",
            Self::Number(_) => "number",
            Self::Text(_) | Self::Unseen(_) => "string",
            Self::List | Self::Table => "table",
        }
    }
}

/// The environment without any variable.
pub const NO_ENVIRONMENT: &Environment<'static> = &|_| None;

impl<'e> Values<'e> {
    /// A reader with an environment.
    pub fn new(environment: &'e Environment<'e>) -> Self {
        Self { environment }
    }

    /// The value of a node.
    pub fn value(&self, node: Node<'_>) -> Value {
        match node.kind() {
            Kind::Null => Value::Nil,
            Kind::Sequence => Value::List,
            Kind::Mapping => Value::Table,
            Kind::Scalar => {
                let text = node.as_str().unwrap_or_default();
                match self.fill(text) {
                    Filled::Unchanged if !node.is_plain() => Value::Text(text.to_owned()),
                    Filled::Unchanged => match node.as_bool() {
                        Some(value) => Value::Boolean(value),
                        None if is_number(text) => Value::Number(text.to_owned()),
                        None => Value::Text(text.to_owned()),
                    },
                    // a filled-in value gets its type anew
                    Filled::Changed(text) => match text.as_str() {
                        "true" => Value::Boolean(true),
                        "false" => Value::Boolean(false),
                        number if is_number(number) => Value::Number(text),
                        _ => Value::Text(text),
                    },
                    Filled::Unseen(why) => Value::Unseen(why),
                }
            }
        }
    }

    /// A string (or a number in a string's place) with its location.
    pub fn text(&self, node: Option<Node<'_>>) -> Option<Located<String>> {
        let node = node?;
        match self.value(node) {
            Value::Text(text) | Value::Number(text) => Some(Located::new(text, node.span())),
            Value::Boolean(value) => Some(Located::new(value.to_string(), node.span())),
            Value::Nil | Value::List | Value::Table | Value::Unseen(_) => None,
        }
    }

    /// A string that is not empty.
    pub fn given_text(&self, node: Option<Node<'_>>) -> Option<Located<String>> {
        self.text(node).filter(|text| !text.value.is_empty())
    }

    /// A boolean, or its default at a parent.
    pub fn boolean(&self, node: Option<Node<'_>>, default: bool, parent: Span) -> Setting<bool> {
        match node.map(|node| (self.value(node), node.span())) {
            Some((Value::Boolean(value), span)) => Setting::Given(Located::new(value, span)),
            _ => Setting::Default { value: default, parent },
        }
    }

    /// A port.
    pub fn port(&self, node: Option<Node<'_>>) -> Option<Located<u16>> {
        let text = self.text(node)?;
        Some(Located::new(text.value.parse().ok()?, text.span))
    }

    /// An address; None also for "every address".
    pub fn address(&self, node: Option<Node<'_>>) -> Option<IpAddr> {
        specific(&self.text(node)?.value)
    }

    /// Strings of a sequence.
    pub fn texts(&self, node: Option<Node<'_>>) -> Vec<Located<String>> {
        node.map(|node| node.items().filter_map(|item| self.text(Some(item))).collect()).unwrap_or_default()
    }

    /// Fills in `${{NAME}}` and `${{NAME:=default}}`.
    fn fill(&self, text: &str) -> Filled {
        let mut out = String::new();
        let mut rest = text;
        let mut used = false;
        while let Some((before, inner, after)) = next_variable(rest) {
            out.push_str(before);
            let (name, default) = match inner.split_once(":=") {
                Some((name, default)) => (name, Some(default.trim())),
                None => (inner, None),
            };
            match ((self.environment)(name), default) {
                (Some(Lookup::Found(value)), _) => out.push_str(&value),
                (Some(Lookup::Unseen(why)), _) => return Filled::Unseen(why),
                (Some(Lookup::Missing(missing)), _) => return Filled::Unseen(missing.message),
                (None, Some(default)) => out.push_str(default),
                (None, None) => {
                    return Filled::Unseen(format!(
                        "the environment variable {name} is not set where the sources show it"
                    ));
                }
            }
            used = true;
            rest = after;
        }
        if !used {
            return Filled::Unchanged;
        }
        out.push_str(rest);
        Filled::Changed(out)
    }
}

enum Filled {
    Unchanged,
    Changed(String),
    Unseen(String),
}

/// The text before the first `${{…}}`, what stands within its braces, and the text after it.
fn next_variable(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(at) = text.get(from..)?.find("${{") {
        let start = from + at;
        let body = text.get(start + 3..)?;
        let end = body.find("}}")?;
        let inner = body.get(..end)?.trim();
        let is_name = inner.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        if is_name > 0 {
            return Some((text.get(..start)?, inner, body.get(end + 2..)?));
        }
        from = start + 3;
    }
    None
}

/// The address, unless it stands for every address.
pub fn specific(text: &str) -> Option<IpAddr> {
    let text = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    text.parse().ok().filter(|address: &IpAddr| !address.is_unspecified())
}

fn is_number(text: &str) -> bool {
    !text.is_empty()
        && text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'))
        && text.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &str) -> Result<String, String> {
        let environment = |name: &str| match name {
            "PORT" => Some(Lookup::Found("9443".to_owned())),
            "SECRET" => Some(Lookup::Unseen("Secret tls/keys is not among the sources".to_owned())),
            _ => None,
        };
        match Values::new(&environment).fill(text) {
            Filled::Unchanged => Ok(text.to_owned()),
            Filled::Changed(text) => Ok(text),
            Filled::Unseen(why) => Err(why),
        }
    }

    #[test]
    fn variables_are_filled_in_with_their_defaults() {
        for (text, want) in [
            ("${{PORT}}", "9443"),
            ("${{ PORT }}", "9443"),
            ("https://etcd:${{PORT}}/x", "https://etcd:9443/x"),
            ("${{HOST:=etcd}}:${{PORT:=1}}", "etcd:9443"),
            ("${{HOST:= etcd }}", "etcd"),
            ("$PORT ${PORT} ${{ }}", "$PORT ${PORT} ${{ }}"),
            ("${{PORT", "${{PORT"),
        ] {
            assert_eq!(fill(text).as_deref(), Ok(want), "{text}");
        }
    }

    #[test]
    fn a_variable_that_was_not_seen_is_no_empty_string() {
        assert!(fill("${{SECRET}}").unwrap_err().contains("Secret tls/keys"));
        assert!(fill("${{OTHER}}").unwrap_err().contains("OTHER"));
    }
}

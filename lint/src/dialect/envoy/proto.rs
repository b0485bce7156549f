//! proto3's JSON mapping as Envoy reads it: field names in two spellings, `Any`, numbers and booleans in quotes.

use crate::dialect::envoy::schema;
use crate::source::{Located, Span};
use crate::syntax::yaml::{Kind, Node};

/// A message, with its type where an `Any` names it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'d> {
    node: Node<'d>,
    type_url: Option<Node<'d>>,
}

impl<'d> Message<'d> {
    /// A node read as a message.
    pub(super) fn new(node: Node<'d>) -> Self {
        Self { node, type_url: node.get("@type") }
    }

    /// Where it is written.
    pub(super) fn span(self) -> Span {
        self.node.span()
    }

    /// A field that is set: null means absent.
    pub(super) fn get(self, name: &str) -> Option<Node<'d>> {
        field(self.node, name)
    }

    /// Where a field's name is written.
    pub(super) fn key_span(self, name: &str) -> Option<Span> {
        self.node.key_span(name).or_else(|| self.node.key_span(&camel_case(name)))
    }

    /// A field that is a message.
    pub(super) fn message(self, name: &str) -> Option<Message<'d>> {
        self.get(name).filter(|node| node.kind() == Kind::Mapping).map(Message::new)
    }

    /// A field that is an `Any`: its message, looked through `TypedStruct`.
    pub(super) fn any(self, name: &str) -> Option<Message<'d>> {
        let message = self.message(name)?;
        match message.any_type() {
            Some("udpa.type.v1.TypedStruct" | "xds.type.v3.TypedStruct") => {
                let node = message.get("value").unwrap_or(message.node);
                Some(Self { node, type_url: message.get("type_url") })
            }
            _ => Some(message),
        }
    }

    /// A repeated field of messages. One message without a list is accepted too, and null within a list is an empty
    /// one, as in Envoy's parser.
    pub(super) fn messages(self, name: &str) -> Vec<Message<'d>> {
        let is_message = |node: &Node<'_>| matches!(node.kind(), Kind::Mapping | Kind::Null);
        self.nodes(name).into_iter().filter(is_message).map(Message::new).collect()
    }

    /// The entries of a map field.
    pub(super) fn map(self, name: &str) -> Vec<(Located<String>, Message<'d>)> {
        let entries = self.get(name).into_iter().flat_map(Node::entries);
        entries.filter_map(|(key, value)| Some((located(key)?, Message::new(value)))).collect()
    }

    /// Keys and scalar values, as text (of a Struct).
    pub(super) fn pairs(self) -> Vec<(String, String)> {
        let pair =
            |(key, value): (Node<'d>, Node<'d>)| Some((key.as_str()?.to_owned(), value.as_str()?.to_owned()));
        self.node.entries().filter_map(pair).collect()
    }

    /// A repeated field of strings.
    pub(super) fn strings(self, name: &str) -> Vec<Located<String>> {
        self.nodes(name).into_iter().filter_map(located).collect()
    }

    /// A string; empty is absent, as in proto3.
    pub(super) fn string(self, name: &str) -> Option<Located<String>> {
        self.get(name).and_then(located).filter(|text| !text.value.is_empty())
    }

    /// A boolean that is written, true or false.
    pub(super) fn boolean(self, name: &str) -> Option<Located<bool>> {
        let node = self.get(name)?;
        let value = node.as_bool().or_else(|| match node.as_str()? {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        })?;
        Some(Located::new(value, node.span()))
    }

    /// An unsigned number.
    pub(super) fn number(self, name: &str) -> Option<Located<u32>> {
        let node = self.get(name)?;
        let value = match node.as_i64() {
            Some(value) => u32::try_from(value).ok()?,
            None => node.as_str()?.trim().parse().ok()?,
        };
        Some(Located::new(value, node.span()))
    }

    /// An enum's value by its name in the API, however it is written.
    pub(super) fn enumeration(self, name: &str, of: &str) -> Option<Located<&'static str>> {
        let node = self.get(name)?;
        Some(Located::new(schema::enum_value(of, node.as_str()?)?, node.span()))
    }

    /// The message type that the `@type` names.
    pub(super) fn any_type(self) -> Option<&'d str> {
        self.type_url?.as_str()?.rsplit_once('/').map(|(_, name)| name)
    }

    fn nodes(self, name: &str) -> Vec<Node<'d>> {
        self.get(name).map(flattened).unwrap_or_default()
    }
}

/// The items of a repeated field: lists within lists are joined, and what is no list stands for a list of one.
pub(super) fn flattened(node: Node<'_>) -> Vec<Node<'_>> {
    let mut items = Vec::new();
    flatten(node, &mut items, NESTED_LISTS);
    items
}

/// Lists within lists that anybody would write by mistake, and more.
const NESTED_LISTS: u8 = 16;

fn flatten<'d>(node: Node<'d>, items: &mut Vec<Node<'d>>, depth: u8) {
    match depth.checked_sub(1) {
        Some(depth) if node.kind() == Kind::Sequence => {
            for item in node.items() {
                flatten(item, items, depth);
            }
        }
        _ => items.push(node),
    }
}

/// A field in either spelling; null is absent.
pub(super) fn field<'d>(node: Node<'d>, name: &str) -> Option<Node<'d>> {
    let found =
        node.get(name).or_else(|| if name.contains('_') { node.get(&camel_case(name)) } else { None });
    found.filter(|node| node.kind() != Kind::Null)
}

/// The JSON name of a field.
pub(super) fn camel_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut upper = false;
    for c in name.chars() {
        if c == '_' {
            upper = true;
        } else if upper {
            out.push(c.to_ascii_uppercase());
            upper = false;
        } else {
            out.push(c);
        }
    }
    out
}

fn located(node: Node<'_>) -> Option<Located<String>> {
    Some(Located::new(node.as_str()?.to_owned(), node.span()))
}

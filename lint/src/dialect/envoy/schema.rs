//! Envoy's v3 API: every message and field that a bootstrap may hold, with its type.
//!
//! The table was taken from the descriptors that the release binary of Envoy 1.40.0 carries. Fields are never
//! removed from v3, so what this table lacks is unknown to every release up to 1.40; a later one may know it.
//!
//! A line is a message (`M name field:type …`) or an enum (`E name VALUE=number …`). Types: `s` string, `y`
//! bytes, `b` bool, `i` `I` `u` `U` integers, `d` float, `D` Duration, `T` Timestamp, `A` Any, `S` Struct, `V` Value,
//! `L` ListValue, `m…` message, `e…` enum; before it `*` repeated or `%` map; after it `!` required, `/n` member of
//! oneof `n`. At the end `|n=name` is a required oneof and `-a,b` are names of fields that were withdrawn.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::deployment::Version;

/// The release that the table of fields was taken from: what a later one knows is not known here.
pub const SCHEMA_VERSION: Version = Version(1, 40, 0);

const TABLE: &str = include_str!("schema-1.40.txt");

/// A field of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    /// Its name in snake_case.
    pub(super) name: &'static str,
    /// One, many, or a map.
    pub(super) label: Label,
    /// The type of a value.
    pub(super) kind: FieldKind,
    /// It must be set.
    pub(super) required: bool,
    /// The oneof that it belongs to.
    pub(super) oneof: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    Singular,
    Repeated,
    Map,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldKind {
    String,
    Bytes,
    Bool,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Float,
    Duration,
    Timestamp,
    Any,
    /// Struct, Value, ListValue: anything goes.
    Free,
    Message(&'static str),
    Enum(&'static str),
}

/// A message's fields and oneofs.
#[derive(Debug, Clone, Default)]
pub(super) struct MessageType {
    pub(super) fields: Vec<Field>,
    /// Oneofs of which one member must be set.
    pub(super) required_oneofs: Vec<(u8, &'static str)>,
    /// Fields of earlier API versions.
    pub(super) withdrawn: Vec<&'static str>,
}

/// The message type of a full name; None where the table lacks it.
pub(super) fn message(name: &str) -> Option<MessageType> {
    index().messages.get(name).map(|line| parse_message(line))
}

/// An enum's value in the API's spelling, from its name in any case or its number; None where it has no such value.
pub(super) fn enum_value(of: &str, written: &str) -> Option<&'static str> {
    let mut values = index().enums.get(of)?.split(' ').filter_map(|value| value.split_once('='));
    values
        .find(|(name, number)| name.eq_ignore_ascii_case(written) || *number == written)
        .map(|(name, _)| name)
}

/// The names of an enum's values.
pub(super) fn enum_names(of: &str) -> Vec<&'static str> {
    let line = index().enums.get(of).copied().unwrap_or_default();
    line.split(' ').filter_map(|value| value.split_once('=')).map(|(name, _)| name).collect()
}

/// Messages of the same release that the table lacks, though their names resemble some that it has: no bootstrap that
/// was read needs them. Found by comparing all names in the release binary of 1.40.0 with the table.
const UNLISTED: [&str; 2] = ["envoy.config.core.v3.RuntimeUInt64", "envoy.config.metrics.v3.StatsdSink"];

/// The message that a name was meant to be, if it is unknown and differs from a known one by a letter or two, or by
/// case. Other unknown names may belong to extensions that the table lacks.
pub(super) fn misspelt_message(name: &str) -> Option<&'static str> {
    let messages = &index().messages;
    if messages.contains_key(name) || UNLISTED.contains(&name) {
        return None;
    }
    // of several, the first by name: the answer is the same on every run
    messages
        .keys()
        .copied()
        .filter(|known| known.eq_ignore_ascii_case(name) || differ_little(known, name))
        .min()
}

/// Whether two texts are equal but for at most two letters in one place.
fn differ_little(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    if left.len().abs_diff(right.len()) > 2 {
        return false;
    }
    let front = left.iter().zip(right).take_while(|(a, b)| a == b).count();
    let rest = left.len().min(right.len()) - front;
    let back = left.iter().rev().zip(right.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    left.len().max(right.len()) - front - back <= 2
}

struct Index {
    messages: HashMap<&'static str, &'static str>,
    enums: HashMap<&'static str, &'static str>,
}

fn index() -> &'static Index {
    static INDEX: OnceLock<Index> = OnceLock::new();
    INDEX.get_or_init(|| {
        let mut index = Index { messages: HashMap::with_capacity(512), enums: HashMap::with_capacity(128) };
        for line in TABLE.lines() {
            let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
            let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            match kind {
                "M" => index.messages.insert(name, rest),
                _ => index.enums.insert(name, rest),
            };
        }
        index
    })
}

fn parse_message(line: &'static str) -> MessageType {
    let mut read = MessageType::default();
    for part in line.split(' ').filter(|part| !part.is_empty()) {
        if let Some(withdrawn) = part.strip_prefix('-') {
            read.withdrawn.extend(withdrawn.split(','));
        } else if let Some((number, name)) = part.trim_start_matches('|').split_once('=') {
            read.required_oneofs.extend(number.parse().ok().map(|number| (number, name)));
        } else {
            read.fields.extend(parse_field(part));
        }
    }
    read
}

fn parse_field(text: &'static str) -> Option<Field> {
    let (name, rest) = text.split_once(':')?;
    let (rest, oneof) = match rest.split_once('/') {
        Some((rest, number)) => (rest, number.parse().ok()),
        None => (rest, None),
    };
    let (rest, required) = match rest.strip_suffix('!') {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    let (label, rest) = if let Some(rest) = rest.strip_prefix('*') {
        (Label::Repeated, rest)
    } else if let Some(rest) = rest.strip_prefix('%') {
        (Label::Map, rest)
    } else {
        (Label::Singular, rest)
    };
    let kind = match rest {
        "s" => FieldKind::String,
        "y" => FieldKind::Bytes,
        "b" => FieldKind::Bool,
        "i" => FieldKind::Int32,
        "I" => FieldKind::Int64,
        "u" => FieldKind::Uint32,
        "U" => FieldKind::Uint64,
        "d" => FieldKind::Float,
        "D" => FieldKind::Duration,
        "T" => FieldKind::Timestamp,
        "A" => FieldKind::Any,
        "S" | "V" | "L" => FieldKind::Free,
        _ => match rest.split_at_checked(1)? {
            ("m", name) => FieldKind::Message(name),
            ("e", name) => FieldKind::Enum(name),
            _ => return None,
        },
    };
    Some(Field { name, label, kind, required, oneof })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_understood() {
        for (name, line) in &index().messages {
            let parts = line.split(' ').filter(|part| part.contains(':')).count();
            assert_eq!(parse_message(line).fields.len(), parts, "{name}");
        }
    }

    #[test]
    fn every_type_that_a_field_names_is_in_the_table() {
        for (name, line) in &index().messages {
            for field in parse_message(line).fields {
                match field.kind {
                    FieldKind::Message(of) => assert!(index().messages.contains_key(of), "{name}: {of}"),
                    FieldKind::Enum(of) => assert!(index().enums.contains_key(of), "{name}: {of}"),
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn a_misspelt_type_is_told_from_one_that_the_table_lacks() {
        const KNOWN: &str = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
        for (name, meant) in [
            (KNOWN, None),
            ("envoy.extensions.transport_sockets.tls.v3.UpstreamTLSContext", Some(KNOWN)),
            ("envoy.extensions.transport_sockets.tls.v3.UpstremTlsContext", Some(KNOWN)),
            ("envoy.extensions.transport_sockets.tls.v2.UpstreamTlsContext", Some(KNOWN)),
            ("envoy.extensions.filters.http.golang.v3alpha.Config", None),
            ("google.protobuf.StringValue", None),
            ("envoy.config.metrics.v3.StatsdSink", None),
            ("envoy.config.core.v3.RuntimeUInt64", None),
        ] {
            assert_eq!(misspelt_message(name), meant, "{name}");
        }
    }

    #[test]
    fn enum_values_are_found_by_name_in_any_case_and_by_number() {
        const TYPE: &str = "envoy.config.cluster.v3.Cluster.DiscoveryType";
        assert_eq!(enum_value(TYPE, "strict_dns"), Some("STRICT_DNS"));
        assert_eq!(enum_value(TYPE, "1"), Some("STRICT_DNS"));
        assert_eq!(enum_value(TYPE, "STRICT"), None);
    }
}

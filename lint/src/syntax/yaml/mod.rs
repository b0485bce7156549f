//! YAML (and JSON, read as YAML) → documents of located nodes.
//!
//! Every node knows where the user wrote it, through embedding. Duplicate keys, anchors, merge keys and
//! tags behave as kubectl has them; plain scalars keep their text, and the reader asks for a type.
//!
//! A stream is cut at its `---` and `...` lines (and after each top-level JSON value), and each piece is
//! read on its own: a document that does not parse costs that document, not its neighbours.

mod json;
mod problem;
mod read;
mod scalar;
mod stream;

use crate::source::{Span, Text};

/// What a text held: its documents, and what could not be read.
#[derive(Debug, Default)]
pub struct Parsed {
    /// Every document that could be read; empty ones (only comments) are left out, as kubectl does.
    pub documents: Vec<Document>,
    /// Errors and warnings, in the order of the text.
    pub problems: Vec<Problem>,
}

/// Text that YAML does not allow, or that kubectl would refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub span: Span,
    /// What is wrong and what to do.
    pub message: String,
    /// Another place that belongs to it: the first of two equal keys.
    pub related: Option<Span>,
    /// Whether the document it stands in could not be read because of it.
    pub document_lost: bool,
}

/// One document: nodes in an arena.
///
/// Positions are offsets in `text`; they become spans of the user's file when asked for.
#[derive(Debug)]
pub struct Document {
    nodes: Vec<Data>,
    /// Node indices: a sequence's items, a mapping's keys and values in turn.
    children: Vec<u32>,
    /// Scalars whose value is not a slice of the text (escapes, folding, block scalars).
    values: Vec<Box<str>>,
    text: Text,
}

/// A node, kept small: a stream of ten thousand manifests is mostly these.
#[derive(Debug, Clone, Copy)]
struct Data {
    start: u32,
    end: u32,
    /// A range of `children`, or a slice of the text, or (`first`) an index of `values`.
    first: u32,
    last: u32,
    shape: Shape,
    style: Style,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Null,
    /// The value is a slice of the text.
    Slice,
    /// The value is in `values`.
    Owned,
    Sequence,
    Mapping,
}

/// How a scalar is written; `typed` scalars may be numbers or booleans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Style {
    writing: Writing,
    typed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    Plain,
    Single,
    Double,
    /// Literal or folded.
    Block,
    /// `!!binary`: base64 of the value.
    Binary,
}

/// A handle to a node of a document.
#[derive(Debug, Clone, Copy)]
pub struct Node<'d> {
    document: &'d Document,
    index: u32,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `~`, `null`, nothing.
    Null,
    /// Any other scalar.
    Scalar,
    /// A sequence.
    Sequence,
    /// A mapping.
    Mapping,
}

/// Parses every document of a text.
pub fn parse(text: &Text) -> Parsed {
    let mut parsed = Parsed::default();
    parse_each(text, &mut parsed.problems, |document| parsed.documents.push(document));
    parsed
}

/// Parses the documents of a text one after the other, so that each tree can be dropped before the next
/// is built.
pub fn parse_each(text: &Text, problems: &mut Vec<Problem>, take: impl FnMut(Document)) {
    stream::documents(text, problems, take);
}

impl Document {
    /// The root node.
    pub fn root(&self) -> Node<'_> {
        Node { document: self, index: 0 }
    }

    /// The text that the document's positions count in (the whole stream, not only this document).
    pub fn text(&self) -> &Text {
        &self.text
    }

    /// How many nodes it has.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether it has no node at all (never, once read).
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    fn value(&self, data: Data) -> Option<&str> {
        match data.shape {
            Shape::Slice => {
                let bytes = self.text.bytes().get(data.first as usize..data.last as usize)?;
                std::str::from_utf8(bytes).ok()
            }
            Shape::Owned => self.values.get(data.first as usize).map(AsRef::as_ref),
            Shape::Null | Shape::Sequence | Shape::Mapping => None,
        }
    }
}

/// What an index outside the arena would be; indices are made by the reader only.
const NOTHING: Data = Data {
    start: 0,
    end: 0,
    first: 0,
    last: 0,
    shape: Shape::Null,
    style: Style { writing: Writing::Plain, typed: true },
};

impl<'d> Node<'d> {
    /// Where it is written: a quoted scalar without its quotes, a block scalar from the first to the last
    /// character of its content, a collection from first to last byte.
    pub fn span(self) -> Span {
        let data = self.data();
        self.document.text.span(data.start as usize..data.end as usize)
    }

    /// What it is.
    pub fn kind(self) -> Kind {
        match self.data().shape {
            Shape::Null => Kind::Null,
            Shape::Slice | Shape::Owned => Kind::Scalar,
            Shape::Sequence => Kind::Sequence,
            Shape::Mapping => Kind::Mapping,
        }
    }

    /// The value of a mapping's key; None also when this is no mapping.
    pub fn get(self, key: &str) -> Option<Node<'d>> {
        self.entry(key).map(|(_, value)| value)
    }

    /// Follows several keys.
    pub fn at(self, keys: &[&str]) -> Option<Node<'d>> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    /// Where a mapping's key itself is written.
    pub fn key_span(self, key: &str) -> Option<Span> {
        self.entry(key).map(|(key, _)| key.span())
    }

    /// The key and value nodes of a mapping's key.
    pub fn entry(self, key: &str) -> Option<(Node<'d>, Node<'d>)> {
        // of two equal keys the last one counts, as in kubectl
        self.entries().rev().find(|(name, _)| name.key() == key)
    }

    /// A mapping's keys and values, in order, merge keys applied.
    pub fn entries(self) -> impl DoubleEndedIterator<Item = (Node<'d>, Node<'d>)> {
        let document = self.document;
        self.children(Shape::Mapping).chunks_exact(2).filter_map(move |pair| match pair {
            [key, value] => Some((Node { document, index: *key }, Node { document, index: *value })),
            _ => None,
        })
    }

    /// A sequence's items.
    pub fn items(self) -> impl DoubleEndedIterator<Item = Node<'d>> + ExactSizeIterator {
        let document = self.document;
        self.children(Shape::Sequence).iter().map(move |index| Node { document, index: *index })
    }

    /// The text of any scalar, quotes and folding resolved.
    pub fn as_str(self) -> Option<&'d str> {
        self.document.value(self.data())
    }

    /// Whether the scalar is plain (neither quoted nor a block), so that its type is open.
    pub fn is_plain(self) -> bool {
        let data = self.data();
        matches!(data.shape, Shape::Slice | Shape::Owned | Shape::Null) && data.style.typed
    }

    /// Whether it is a folded block scalar (`>`), whose line breaks become spaces, over several lines.
    pub fn is_folded(self) -> bool {
        let data = self.data();
        if data.style.writing != Writing::Block {
            return false;
        }
        let bytes = self.document.text.bytes();
        let Some(before) = bytes.get(..data.start as usize) else { return false };
        let mut lines = before.split(|byte| *byte == b'\n').rev();
        let header =
            lines.find(|line| line.iter().any(|byte| !byte.is_ascii_whitespace())).unwrap_or_default();
        let header = String::from_utf8_lossy(header);
        let header = header.split(" #").next().unwrap_or_default().trim_end();
        let header = header.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'));
        let written = bytes.get(data.start as usize..data.end as usize).unwrap_or_default();
        header.ends_with('>') && written.contains(&b'\n')
    }

    /// A boolean as kubectl reads it: plain `true`, `yes`, `on`, …; None for anything else.
    pub fn as_bool(self) -> Option<bool> {
        if !self.is_plain() {
            return None;
        }
        match self.as_str()? {
            "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y" => Some(true),
            "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "n" | "N" => {
                Some(false)
            }
            _ => None,
        }
    }

    /// An integer (plain scalars only; decimal, 0x, 0o, underscores as YAML 1.1 has them).
    pub fn as_i64(self) -> Option<i64> {
        if self.is_plain() { scalar::integer(self.as_str()?) } else { None }
    }

    /// A scalar's content as text to parse further, mapped to where it was written.
    pub fn text(self) -> Option<Text> {
        let data = self.data();
        match data.shape {
            Shape::Slice => Some(self.document.text.part(data.first as usize..data.last as usize)),
            Shape::Owned => {
                let value = self.document.value(data)?;
                Some(scalar::text(&self.document.text, data, value))
            }
            Shape::Null | Shape::Sequence | Shape::Mapping => None,
        }
    }

    /// The document the node belongs to.
    pub fn document(self) -> &'d Document {
        self.document
    }

    /// A key's name: its text, and the words of YAML for null.
    fn key(self) -> &'d str {
        let data = self.data();
        match data.shape {
            Shape::Null => "null",
            _ => self.document.value(data).unwrap_or_default(),
        }
    }

    fn data(self) -> Data {
        self.document.nodes.get(self.index as usize).copied().unwrap_or(NOTHING)
    }

    fn children(self, shape: Shape) -> &'d [u32] {
        let data = self.data();
        if data.shape != shape {
            return &[];
        }
        self.document.children.get(data.first as usize..data.last as usize).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;

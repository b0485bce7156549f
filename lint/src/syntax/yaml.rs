//! YAML (and JSON, read as YAML) → documents of located nodes.
//!
//! Every node knows where the user wrote it, through embedding. Duplicate keys, anchors, merge keys and
//! tags behave as kubectl has them; plain scalars keep their text, and the reader asks for a type.

use crate::source::{Span, Text};

/// What a text held: its documents, and what could not be read.
#[derive(Debug, Default)]
pub struct Parsed {
    /// Documents up to the first error of each stream.
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
}

/// One document: nodes in an arena.
#[derive(Debug)]
pub struct Document {
    nodes: Vec<Data>,
    text: Text,
}

#[derive(Debug)]
struct Data {
    _span: Span,
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
    let _ = text;
    Parsed::default()
}

impl Document {
    /// The root node.
    pub fn root(&self) -> Node<'_> {
        let _ = (&self.nodes, &self.text);
        Node { document: self, index: 0 }
    }
}

impl<'d> Node<'d> {
    /// Where it is written (a scalar without its quotes' surroundings, a collection from first to last byte).
    pub fn span(self) -> Span {
        let _ = self.index;
        self.document.text.full_span()
    }

    /// What it is.
    pub fn kind(self) -> Kind {
        Kind::Null
    }

    /// The value of a mapping's key; None also when this is no mapping.
    pub fn get(self, _key: &str) -> Option<Node<'d>> {
        None
    }

    /// Follows several keys.
    pub fn at(self, keys: &[&str]) -> Option<Node<'d>> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    /// Where a mapping's key itself is written.
    pub fn key_span(self, _key: &str) -> Option<Span> {
        None
    }

    /// A mapping's keys and values, in order, merge keys applied.
    pub fn entries(self) -> impl Iterator<Item = (Node<'d>, Node<'d>)> {
        std::iter::empty()
    }

    /// A sequence's items.
    pub fn items(self) -> impl Iterator<Item = Node<'d>> {
        std::iter::empty()
    }

    /// The text of any scalar, quotes and folding resolved.
    pub fn as_str(self) -> Option<&'d str> {
        None
    }

    /// Whether the scalar is plain (neither quoted nor a block), so that its type is open.
    pub fn is_plain(self) -> bool {
        false
    }

    /// A boolean as kubectl reads it: plain `true`, `yes`, `on`, …; None for anything else.
    pub fn as_bool(self) -> Option<bool> {
        None
    }

    /// An integer (plain scalars only; decimal, 0x, 0o, underscores as YAML 1.1 has them).
    pub fn as_i64(self) -> Option<i64> {
        None
    }

    /// A scalar's content as text to parse further, mapped to where it was written.
    pub fn text(self) -> Option<Text> {
        None
    }
}

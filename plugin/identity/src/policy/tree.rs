//! A policy's text as a tree, and how keys are taken out of it.
//!
//! One type is deserialized, whatever the policy holds: each further one would be another copy of the YAML reader in
//! the filter's module. What a key must hold is asked here instead, and every refusal has its route.
//!
//! APISIX hands an object on as JSON with its keys in any order and with `{}` where an empty list or null stood
//! (in its standalone mode): so `{}` and null are read as "nothing" wherever something may be left out, except where
//! leaving it out would widen what is allowed.

use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::error::{PolicyError, Step, written};

/// A value as the YAML reader understands it.
#[derive(Debug)]
pub(super) enum Node {
    /// Null.
    Nothing,
    /// Text, quoted or plain.
    Text(String),
    /// What YAML takes for a number or a truth value, if it is a whole number; what was written tells the position.
    Scalar(Option<u64>),
    /// A list.
    List(Vec<Node>),
    /// A mapping in the order of the text; no key is there twice.
    Mapping(Vec<(String, Node)>),
}

/// A mapping whose keys are known, while they are taken out of it.
pub(super) struct Mapping<'t> {
    text: &'t str,
    route: Vec<Step>,
    entries: Vec<(String, Node)>,
}

/// Reads a policy's text.
pub(super) fn parse(text: &str) -> Result<Node, PolicyError> {
    // every value takes a byte at least; what is more stands for aliases of aliases
    let left = Cell::new(text.len().saturating_add(64));
    Seed { left: &left }
        .deserialize(serde_yaml::Deserializer::from_str(text))
        .map_err(|error| PolicyError::from_yaml(&error))
}

// === impl Mapping ===

impl<'t> Mapping<'t> {
    /// Takes a value for a mapping with no other keys than these.
    pub fn new(text: &'t str, route: Vec<Step>, node: Node, known: &[&str]) -> Result<Self, PolicyError> {
        let entries = match node {
            Node::Nothing => Vec::new(),
            Node::Mapping(entries) => entries,
            _ => {
                let message = format!("a mapping is expected here, with {}", one_of(known));
                return Err(PolicyError::at(text, &route, message));
            }
        };
        if let Some((unknown, _)) = entries.iter().find(|(key, _)| !known.contains(&key.as_str())) {
            let message = format!("unknown key `{}`, expected {}", shown(unknown), one_of(known));
            let error = PolicyError::at_key(text, &route, unknown, message);
            return Err(error.likely(unknown, known.iter().copied()));
        }
        Ok(Mapping { text, route, entries })
    }

    /// One text, if there is any.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, PolicyError> {
        let Some(node) = self.take(name) else { return Ok(None) };
        self.read_text(node, self.beneath(name))
    }

    /// One text that has to be there.
    pub fn required_text(&mut self, name: &str) -> Result<String, PolicyError> {
        self.text(name)?.ok_or_else(|| self.missing(name))
    }

    /// One whole number, if there is any.
    pub fn number(&mut self, name: &str) -> Result<Option<u64>, PolicyError> {
        match self.take(name) {
            None => Ok(None),
            Some(Node::Scalar(Some(number))) => Ok(Some(number)),
            Some(node) if node.is_nothing() => Ok(None),
            Some(_) => self.refuse(self.beneath(name), "a whole number is expected here"),
        }
    }

    /// Zero or more texts: a list, a single one, or nothing.
    pub fn texts(&mut self, name: &str) -> Result<Vec<String>, PolicyError> {
        let Some(node) = self.take(name) else { return Ok(Vec::new()) };
        let route = self.beneath(name);
        let Node::List(nodes) = node else {
            if let Node::Mapping(entries) = &node
                && !entries.is_empty()
            {
                return self.refuse(route, A_LIST);
            }
            return Ok(self.read_text(node, route)?.into_iter().collect());
        };
        let mut texts = Vec::with_capacity(nodes.len());
        for (index, node) in nodes.into_iter().enumerate() {
            let route = with(&route, Step::Index(index));
            match self.read_text(node, route.clone())? {
                Some(text) => texts.push(text),
                None => return self.refuse(route, "a value is expected here"),
            }
        }
        Ok(texts)
    }

    /// The same for a key that narrows what its mapping is about: without the key it is about everything, with the key and
    /// nothing in it nobody knows what was meant.
    pub fn narrowing_texts(&mut self, name: &str) -> Result<Vec<String>, PolicyError> {
        let written = self.entries.iter().any(|(key, _)| key == name);
        let texts = self.texts(name)?;
        if written && texts.is_empty() {
            let message =
                "nothing is written here: write a value, or leave the key out, which stands for any";
            return self.refuse(self.beneath(name), message);
        }
        Ok(texts)
    }

    /// The same for a key that has to be there, if with an empty list.
    pub fn required_texts(&mut self, name: &str) -> Result<Vec<String>, PolicyError> {
        if !self.entries.iter().any(|(key, _)| key == name) {
            return Err(self.missing(name));
        }
        self.texts(name)
    }

    /// A mapping with known keys, if there is any.
    pub fn mapping(&mut self, name: &str, known: &[&str]) -> Result<Option<Mapping<'t>>, PolicyError> {
        match self.take(name) {
            None => Ok(None),
            Some(node) if node.is_nothing() => Ok(None),
            Some(node) => Mapping::new(self.text, self.beneath(name), node, known).map(Some),
        }
    }

    /// A mapping that has to be there.
    pub fn required_mapping(&mut self, name: &str, known: &[&str]) -> Result<Mapping<'t>, PolicyError> {
        match self.take(name) {
            None => Err(self.missing(name)),
            Some(node) => Mapping::new(self.text, self.beneath(name), node, known),
        }
    }

    /// A list of mappings with known keys.
    pub fn mappings(&mut self, name: &str, known: &[&str]) -> Result<Vec<Mapping<'t>>, PolicyError> {
        let route = self.beneath(name);
        let nodes = match self.take(name) {
            None => return Ok(Vec::new()),
            Some(Node::List(nodes)) => nodes,
            Some(node) if node.is_nothing() => return Ok(Vec::new()),
            Some(_) => return self.refuse(route, A_LIST),
        };
        let mut mappings = Vec::with_capacity(nodes.len());
        for (index, node) in nodes.into_iter().enumerate() {
            mappings.push(Mapping::new(self.text, with(&route, Step::Index(index)), node, known)?);
        }
        Ok(mappings)
    }

    /// Mappings with known keys by names that the policy chooses, in the order of the text.
    pub fn named_mappings(
        &mut self,
        name: &str,
        known: &[&str],
    ) -> Result<Vec<(String, Mapping<'t>)>, PolicyError> {
        let mut mappings = Vec::new();
        for (key, node) in self.named(name)? {
            let route = with(&self.beneath(name), Step::Key(key.clone()));
            mappings.push((key, Mapping::new(self.text, route, node, known)?));
        }
        Ok(mappings)
    }

    /// Texts by names that the policy chooses, in the order of the text.
    pub fn named_texts(&mut self, name: &str) -> Result<Vec<(String, String)>, PolicyError> {
        let mut texts = Vec::new();
        for (key, node) in self.named(name)? {
            let route = with(&self.beneath(name), Step::Key(key.clone()));
            match self.read_text(node, route.clone())? {
                Some(text) => texts.push((key, text)),
                None => return self.refuse(route, "a value is expected here"),
            }
        }
        Ok(texts)
    }

    fn named(&mut self, name: &str) -> Result<Vec<(String, Node)>, PolicyError> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Node::Mapping(entries)) => Ok(entries),
            Some(node) if node.is_nothing() => Ok(Vec::new()),
            Some(_) => self.refuse(self.beneath(name), "a mapping from names is expected here"),
        }
    }

    /// A text as it was written, also where YAML takes it for a number.
    fn read_text(&self, node: Node, route: Vec<Step>) -> Result<Option<String>, PolicyError> {
        match node {
            Node::Text(text) => Ok(Some(text)),
            Node::Scalar(_) => match written(self.text, &route) {
                Some(text) => Ok(Some(text)),
                None => self.refuse(route, "put this value in quotes"),
            },
            node if node.is_nothing() => Ok(None),
            Node::Nothing | Node::List(_) | Node::Mapping(_) => {
                self.refuse(route, "a single value is expected here")
            }
        }
    }

    fn take(&mut self, name: &str) -> Option<Node> {
        let at = self.entries.iter().position(|(key, _)| key == name)?;
        Some(self.entries.swap_remove(at).1)
    }

    fn beneath(&self, name: &str) -> Vec<Step> {
        with(&self.route, Step::Key(name.to_owned()))
    }

    fn missing(&self, name: &str) -> PolicyError {
        PolicyError::at(self.text, &self.route, format!("missing key `{name}`"))
    }

    fn refuse<T>(&self, route: Vec<Step>, message: &str) -> Result<T, PolicyError> {
        Err(PolicyError::at(self.text, &route, message))
    }
}

const A_LIST: &str = "a list is expected here: begin each entry with a dash";

fn with(route: &[Step], step: Step) -> Vec<Step> {
    let mut route = route.to_vec();
    route.push(step);
    route
}

fn one_of(known: &[&str]) -> String {
    let quoted: Vec<String> = known.iter().map(|key| format!("`{key}`")).collect();
    match quoted.as_slice() {
        [only] => only.clone(),
        [one, other] => format!("{one} or {other}"),
        _ => format!("one of {}", quoted.join(", ")),
    }
}

fn shown(key: &str) -> String {
    key.chars().take(64).flat_map(char::escape_debug).collect()
}

// === impl Node ===

impl Node {
    /// Null, or what APISIX makes of it and of an empty list.
    fn is_nothing(&self) -> bool {
        match self {
            Node::Nothing => true,
            Node::List(nodes) => nodes.is_empty(),
            Node::Mapping(entries) => entries.is_empty(),
            Node::Text(_) | Node::Scalar(_) => false,
        }
    }
}

/// Builds a tree of at most so many values.
#[derive(Clone, Copy)]
struct Seed<'c> {
    left: &'c Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        match self.left.get().checked_sub(1) {
            Some(left) => self.left.set(left),
            None => return Err(D::Error::custom("the policy repeats itself too often")),
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value without a tag")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Nothing)
    }

    /// An empty document.
    fn visit_none<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Nothing)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Scalar(None))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(Some(value)))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Scalar(None))
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<Node, E> {
        Ok(Node::Scalar(None))
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<Node, E> {
        Ok(Node::Scalar(None))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Scalar(None))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element_seed(self)? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut seen = HashSet::new();
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            if !seen.insert(key.clone()) {
                return Err(A::Error::custom(format!("duplicate key `{}`", shown(&key))));
            }
            entries.push((key, map.next_value_seed(self)?));
        }
        Ok(Node::Mapping(entries))
    }
}

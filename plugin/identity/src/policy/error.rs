//! What is wrong with a policy, where, and what to write instead.

use std::fmt;

use serde::Deserialize as _;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Why a policy is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyError {
    /// What is wrong, and in which key (`rules[2].path: …`).
    pub message: String,
    /// Where, if it is known.
    pub at: Option<Position>,
    /// What to write instead, if there is a likely candidate.
    pub help: Option<String>,
}

/// A place in a policy's text; line and column count from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// Byte offset, from 0.
    pub offset: usize,
}

/// One step from a policy's root to a value: the route of `rules[2].path` is `rules`, 2, `path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Into a mapping, by key.
    Key(String),
    /// Into a list, counted from 0.
    Index(usize),
}

/// Where the value at the end of a route begins in a policy's text; `None` if there is none.
pub fn position(text: &str, route: &[Step]) -> Option<Position> {
    find(text, Probe { route, wanted: Wanted::Value })
}

/// The single value at the end of a route as it was written.
pub(super) fn written(text: &str, route: &[Step]) -> Option<String> {
    let probe = Probe { route, wanted: Wanted::Text };
    probe.deserialize(serde_yaml::Deserializer::from_str(text)).ok().flatten()
}

fn find(text: &str, probe: Probe<'_>) -> Option<Position> {
    match probe.deserialize(serde_yaml::Deserializer::from_str(text)) {
        Ok(_) => None,
        Err(error) if error.to_string().contains(FOUND) => error.location().map(Position::from),
        Err(_) => None,
    }
}

// === impl PolicyError ===

impl PolicyError {
    pub(super) fn at(text: &str, route: &[Step], message: impl Into<String>) -> Self {
        let mut path = String::new();
        for step in route {
            match step {
                Step::Key(key) if path.is_empty() => path.push_str(key),
                Step::Key(key) => {
                    path.push('.');
                    path.push_str(key);
                }
                Step::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        let message = message.into();
        let message = if path.is_empty() { message } else { format!("{path}: {message}") };
        PolicyError { message, at: position(text, route), help: None }
    }

    /// An error about a key of the mapping at the end of a route.
    pub(super) fn at_key(text: &str, route: &[Step], key: &str, message: String) -> Self {
        let mut error = PolicyError::at(text, route, message);
        error.at = find(text, Probe { route, wanted: Wanted::Key(key) }).or(error.at);
        error
    }

    /// An error about one entry of a list.
    pub(super) fn at_entry(text: &str, route: &[Step], index: usize, message: impl Into<String>) -> Self {
        let mut error = PolicyError::at(text, route, message);
        let entry: Vec<Step> = route.iter().cloned().chain([Step::Index(index)]).collect();
        error.at = position(text, &entry).or(error.at);
        error
    }

    pub(super) fn likely<'a>(mut self, found: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        self.help = closest(found, known).map(|near| format!("did you mean {near}?"));
        self
    }

    /// Takes over what the YAML reader says.
    pub(super) fn from_yaml(error: &serde_yaml::Error) -> Self {
        let location = error.location();
        let mut message = error.to_string();
        if let (Some(_), Some(end)) = (&location, message.rfind(" at line ")) {
            message.truncate(end);
        }
        PolicyError { message, at: location.map(Position::from), help: None }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = self.at {
            write!(f, "line {} column {}: ", at.line, at.column)?;
        }
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for PolicyError {}

impl From<serde_yaml::Location> for Position {
    fn from(location: serde_yaml::Location) -> Self {
        Position { line: location.line(), column: location.column(), offset: location.index() }
    }
}

/// The known word nearest to one that was written, if it is near.
fn closest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let found: String = found.chars().take(64).collect::<String>().to_ascii_lowercase().replace('_', "-");
    known
        .into_iter()
        .filter(|word| word.len() <= 64)
        .map(|word| (distance(&found, &word.to_ascii_lowercase()), word))
        .filter(|(distance, word)| *distance <= 1 + word.len() / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Levenshtein distance in bytes.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, a) in from.bytes().enumerate() {
        let mut next = vec![line + 1];
        for (b, (above_left, above)) in std::iter::zip(to.bytes(), std::iter::zip(&row, row.iter().skip(1))) {
            let left = next.last().copied().unwrap_or(0);
            next.push((above_left + usize::from(a != b)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

/// Walks a document along a route and fails at its end: the parser then says where that was.
#[derive(Clone, Copy)]
struct Probe<'r> {
    route: &'r [Step],
    wanted: Wanted<'r>,
}

/// What is looked for at the end of a route.
#[derive(Clone, Copy)]
enum Wanted<'r> {
    /// Where the value begins.
    Value,
    /// Where this key of it stands.
    Key(&'r str),
    /// The value itself, as text.
    Text,
}

const FOUND: &str = "end of the route";

impl<'de> DeserializeSeed<'de> for Probe<'_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<String>, D::Error> {
        match (self.route, self.wanted) {
            ([], Wanted::Text) => String::deserialize(deserializer).map(Some),
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Probe<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // a single value stands for a list of one
        f.write_str(if matches!(self.route, [] | [Step::Index(0)]) { FOUND } else { "a mapping or a list" })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<String>, A::Error> {
        let (wanted, rest, ends) = match (self.route.split_first(), self.wanted) {
            (Some((Step::Key(wanted), rest)), _) => (wanted.as_str(), rest, false),
            (None, Wanted::Key(wanted)) => (wanted, self.route, true),
            _ => return Err(A::Error::custom(FOUND)),
        };
        while let Some(found) = map.next_key_seed(KeyProbe { wanted, ends })? {
            if found {
                let value = map.next_value_seed(Probe { route: rest, ..self })?;
                // what follows has to be read, or the parser calls the mapping too long
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                return Ok(value);
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Option<String>, A::Error> {
        let Some((Step::Index(wanted), rest)) = self.route.split_first() else {
            return Err(A::Error::custom(FOUND));
        };
        for _ in 0..*wanted {
            if list.next_element::<IgnoredAny>()?.is_none() {
                return Ok(None);
            }
        }
        let value = list.next_element_seed(Probe { route: rest, ..self })?;
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(value.flatten())
    }
}

/// Compares a key, and fails at it if the route ends there.
struct KeyProbe<'r> {
    wanted: &'r str,
    ends: bool,
}

impl<'de> DeserializeSeed<'de> for KeyProbe<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyProbe<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<bool, E> {
        if self.ends && key == self.wanted { Err(E::custom(FOUND)) } else { Ok(key == self.wanted) }
    }
}

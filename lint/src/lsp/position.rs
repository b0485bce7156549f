//! Positions as an editor counts them: lines from 0, and in the line the units of the encoding agreed upon.

use serde_json::{Value, json};

/// In what a character's offset in its line is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// Bytes.
    Utf8,
    /// UTF-16 code units: what is meant where nothing is agreed.
    #[default]
    Utf16,
    /// Characters.
    Utf32,
}

impl Encoding {
    /// The best of those that the client offers, in the order in which it prefers them.
    pub fn agreed(offered: &Value) -> Self {
        let names = offered.as_array().map_or(&[][..], Vec::as_slice);
        let known = names.iter().filter_map(Value::as_str).find_map(|name| match name {
            "utf-8" => Some(Self::Utf8),
            "utf-16" => Some(Self::Utf16),
            "utf-32" => Some(Self::Utf32),
            _ => None,
        });
        known.unwrap_or_default()
    }

    /// The protocol's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Utf16 => "utf-16",
            Self::Utf32 => "utf-32",
        }
    }

    fn width(self, character: char) -> usize {
        match self {
            Self::Utf8 => character.len_utf8(),
            Self::Utf16 => character.len_utf16(),
            Self::Utf32 => 1,
        }
    }
}

/// The lines of a text.
#[derive(Debug)]
pub struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
    encoding: Encoding,
}

impl<'t> Lines<'t> {
    /// Finds the lines: they end at `\n`, `\r\n` and a lone `\r`.
    pub fn new(text: &'t str, encoding: Encoding) -> Self {
        let bytes = text.as_bytes();
        let ends = bytes
            .iter()
            .enumerate()
            .filter(|(at, byte)| **byte == b'\n' || **byte == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
        let starts = std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect();
        Self { text, starts, encoding }
    }

    /// The position of an offset.
    pub fn position(&self, offset: usize) -> Value {
        let line = self.starts.partition_point(|start| *start <= offset).saturating_sub(1);
        let start = self.starts.get(line).copied().unwrap_or(0);
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = self.text.get(start..offset).unwrap_or_default();
        let units: usize = before.chars().map(|character| self.encoding.width(character)).sum();
        json!({ "line": line, "character": units })
    }

    /// The offset of a position: past the end of its line, the end of the line; past the last line, the end of the text.
    pub fn offset(&self, position: &Value) -> Option<usize> {
        let number = |name: &str| usize::try_from(position.get(name)?.as_u64()?).ok();
        let (line, wanted) = (number("line")?, number("character")?);
        let Some(start) = self.starts.get(line).copied() else { return Some(self.text.len()) };
        let end = self.starts.get(line + 1).copied().unwrap_or(self.text.len());
        let content = self.text.get(start..end)?.trim_end_matches(['\r', '\n']);
        let mut units = 0;
        for (at, character) in content.char_indices() {
            // within a character counts as before it
            units += self.encoding.width(character);
            if units > wanted {
                return Some(start + at);
            }
        }
        Some(start + content.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_in_the_units_agreed() {
        let text = "a: é𝄞b\r\nc\rd\n";
        let at = text.find('b').unwrap();
        for (encoding, units) in [(Encoding::Utf8, 9), (Encoding::Utf16, 6), (Encoding::Utf32, 5)] {
            let lines = Lines::new(text, encoding);
            let position = lines.position(at);
            assert_eq!(position, json!({ "line": 0, "character": units }));
            assert_eq!(lines.offset(&position), Some(at));
        }
        let lines = Lines::new(text, Encoding::Utf16);
        assert_eq!(lines.position(text.find('d').unwrap()), json!({ "line": 2, "character": 0 }));
        // within the surrogate pair, past the line, past the text
        let offset =
            |line: u64, character: u64| lines.offset(&json!({ "line": line, "character": character }));
        assert_eq!(offset(0, 5), text.find('𝄞'));
        assert_eq!(offset(0, 99), text.find('\r'));
        assert_eq!(offset(99, 0), Some(text.len()));
        assert_eq!(lines.offset(&json!({ "line": -1, "character": 0 })), None);
    }

    #[test]
    fn the_first_encoding_that_both_know_is_agreed() {
        assert_eq!(Encoding::agreed(&json!(["utf-8", "utf-16"])), Encoding::Utf8);
        assert_eq!(Encoding::agreed(&json!(["utf-7"])), Encoding::Utf16);
        assert_eq!(Encoding::agreed(&Value::Null), Encoding::Utf16);
    }
}

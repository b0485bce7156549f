//! JSON → arena, without the YAML parser, which would hold every token of a JSON text at once.

use super::read::{Reader, small};
use super::scalar::escape;
use super::{Data, Problem, Shape, Style, Writing};

/// What may come next.
enum Expected {
    Value,
    /// A value or `]`.
    FirstItem,
    /// A key or `}`.
    FirstKey,
    Key,
    Colon,
    CommaOrEnd,
}

impl Reader<'_> {
    /// Reads one JSON value at the start of the range; returns the byte behind it. None: this is no JSON (a flow
    /// collection of YAML, or a mistake that the YAML parser will name).
    pub(super) fn json(&mut self) -> Option<Result<usize, Problem>> {
        let source = self.source;
        let end = self.range.end;
        let bytes = source.as_bytes().get(..end)?;
        let mut at = self.range.start;
        let mut expected = Expected::Value;
        loop {
            at += bytes
                .get(at..)?
                .iter()
                .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
                .count();
            let byte = *bytes.get(at)?;
            let done = match (expected, byte) {
                (Expected::FirstItem, b']') | (Expected::FirstKey, b'}') => {
                    at += 1;
                    self.close(at - 1..at)
                }
                (Expected::CommaOrEnd, b'}' | b']') => {
                    if self.in_mapping() != (byte == b'}') {
                        return None;
                    }
                    at += 1;
                    self.close(at - 1..at)
                }
                (Expected::CommaOrEnd, b',') => {
                    at += 1;
                    expected = if self.in_mapping() { Expected::Key } else { Expected::Value };
                    continue;
                }
                (Expected::Colon, b':') => {
                    at += 1;
                    expected = Expected::Value;
                    continue;
                }
                (Expected::FirstKey | Expected::Key, b'"') => {
                    let (next, result) = self.string(at)?;
                    at = next;
                    expected = Expected::Colon;
                    if let Err(problem) = result {
                        return Some(Err(problem));
                    }
                    continue;
                }
                (Expected::Value | Expected::FirstItem, b'{' | b'[') => {
                    let mapping = byte == b'{';
                    if let Err(problem) = self.open(mapping, 0, false, at) {
                        return Some(Err(problem));
                    }
                    at += 1;
                    expected = if mapping { Expected::FirstKey } else { Expected::FirstItem };
                    continue;
                }
                (Expected::Value | Expected::FirstItem, b'"') => {
                    let (next, result) = self.string(at)?;
                    at = next;
                    result
                }
                (Expected::Value | Expected::FirstItem, _) => {
                    let (next, result) = self.word(at)?;
                    at = next;
                    result
                }
                _ => return None,
            };
            if let Err(problem) = done {
                return Some(Err(problem));
            }
            if self.frames.is_empty() {
                return Some(Ok(at));
            }
            expected = Expected::CommaOrEnd;
        }
    }

    fn in_mapping(&self) -> bool {
        self.frames.last().is_some_and(|frame| frame.mapping)
    }

    /// A string whose opening quote stands at `at`.
    fn string(&mut self, at: usize) -> Option<(usize, Result<(), Problem>)> {
        let bytes = self.source.as_bytes().get(..self.range.end)?;
        let start = at + 1;
        let mut end = start;
        let mut decoded: Option<String> = None;
        let mut copied = start;
        loop {
            match bytes.get(end)? {
                b'"' => break,
                b'\\' => {
                    let (character, length) = escape(bytes.get(end..)?)?;
                    let decoded = decoded.get_or_insert_default();
                    decoded.push_str(self.source.get(copied..end)?);
                    decoded.push(character);
                    end += length;
                    copied = end;
                }
                0..=0x1f => return None,
                _ => end += 1,
            }
        }
        let (shape, first, last) = match decoded {
            None => (Shape::Slice, small(start), small(end)),
            Some(mut decoded) => {
                decoded.push_str(self.source.get(copied..end)?);
                self.values.push(decoded.into());
                (Shape::Owned, small(self.values.len() - 1), 0)
            }
        };
        let style = Style { writing: Writing::Double, typed: false };
        let result = self.leaf(Data { start: small(start), end: small(end), first, last, shape, style });
        Some((end + 1, result))
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self, at: usize) -> Option<(usize, Result<(), Problem>)> {
        let rest = self.source.get(at..self.range.end)?;
        let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')));
        let word = rest.get(..length.unwrap_or(rest.len()))?;
        let number =
            word.starts_with(|c: char| c.is_ascii_digit() || c == '-') && word.parse::<f64>().is_ok();
        if !number && !matches!(word, "true" | "false" | "null") {
            return None;
        }
        let end = at + word.len();
        let shape = if word == "null" { Shape::Null } else { Shape::Slice };
        let style = Style { writing: Writing::Plain, typed: true };
        let (first, last) = (small(at), small(end));
        let result = self.leaf(Data { start: first, end: last, first, last, shape, style });
        Some((end, result))
    }

    fn leaf(&mut self, data: Data) -> Result<(), Problem> {
        let node = self.push(data);
        self.add(node, 1, 1, data.end)
    }
}

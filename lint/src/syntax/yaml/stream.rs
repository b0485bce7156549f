//! A text → its documents, cut at `---` and `...` lines and after each JSON value.

use std::ops::Range;

use super::read::{Reader, small};
use super::{Document, Problem, problem};
use crate::source::Text;

/// Reads every document of a text, in order.
pub(super) fn documents(text: &Text, problems: &mut Vec<Problem>, mut take: impl FnMut(Document)) {
    let bytes = text.bytes();
    let source = match text.as_str() {
        Ok(source) => source,
        Err(at) => {
            problems.push(problem::not_utf8(text, at));
            return;
        }
    };
    let chunks = Chunks { source, next: usize::from(source.starts_with('\u{feff}')) * 3 };
    for chunk in chunks {
        if let Some(at) = bytes.get(chunk.clone()).and_then(control_character) {
            problems.push(problem::control_character(text, chunk.start + at));
            continue;
        }
        let offsets = Offsets::new(source, &chunk);
        let mut characters = 0;
        let mut rest = chunk;
        // several JSON values may follow one another without `---`
        while !rest.is_empty() {
            if let Some(next) = json_value(text, source, &rest, problems, &mut take) {
                rest = next..rest.end;
                characters = offsets.character(next);
                continue;
            }
            let mut reader = Reader::new(text, source, rest.clone(), &offsets, characters);
            let next = match reader.run() {
                Ok((next, skipped)) => {
                    characters = skipped;
                    problems.append(&mut reader.problems);
                    if let Some(document) = reader.finish() {
                        take(document);
                    }
                    next
                }
                Err(problem) => {
                    problems.append(&mut reader.problems);
                    problems.push(problem);
                    rest.end
                }
            };
            rest = next.max(rest.start + 1).min(rest.end)..rest.end;
        }
    }
}

/// Reads a JSON value at the start of a range and returns where the rest begins; None: there is none.
fn json_value(
    text: &Text,
    source: &str,
    range: &Range<usize>,
    problems: &mut Vec<Problem>,
    take: &mut impl FnMut(Document),
) -> Option<usize> {
    let blank = |at: usize| {
        let rest = source.get(at..range.end).unwrap_or_default();
        at + rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len()
    };
    let start = blank(range.start);
    if !matches!(source.as_bytes().get(start), Some(b'{' | b'[')) {
        return None;
    }
    let offsets = Offsets { chunk: "", base: 0, marks: Vec::new() };
    let mut reader = Reader::new(text, source, start..range.end, &offsets, 0);
    let end = reader.json()?;
    let next = match end {
        Ok(end) => blank(end),
        Err(problem) => {
            problems.append(&mut reader.problems);
            problems.push(problem);
            return Some(range.end);
        }
    };
    // `{…}` with anything but another value behind it is a matter for the YAML parser
    if next < range.end && !matches!(source.as_bytes().get(next), Some(b'{' | b'[')) {
        return None;
    }
    problems.append(&mut reader.problems);
    if let Some(document) = reader.finish() {
        take(document);
    }
    Some(next)
}

fn control_character(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| matches!(byte, 0..=8 | 11 | 12 | 14..=31 | 127))
}

/// Pieces of a stream, each with at most one document (but for JSON values in a row).
struct Chunks<'t> {
    source: &'t str,
    next: usize,
}

impl Iterator for Chunks<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let start = self.next;
        let mut at = start;
        let mut content = false;
        let mut directive = false;
        let bytes = self.source.as_bytes();
        while at < bytes.len() {
            let rest = bytes.get(at..).unwrap_or_default();
            let length = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1);
            let line = rest.get(..length).unwrap_or_default();
            let marker = line.get(3).is_none_or(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
            if line.starts_with(b"---") && marker {
                // directives belong to the document that follows them
                if content || (at > start && !directive) {
                    break;
                }
                content = true;
            } else if line.starts_with(b"...") && marker {
                at += length;
                break;
            } else if !content && line.starts_with(b"%") {
                directive = true;
            } else if !content {
                let first = line.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
                content = first.is_some_and(|byte| *byte != b'#');
            }
            at += length;
        }
        self.next = at;
        (start < bytes.len()).then_some(start..at)
    }
}

/// Characters → bytes, for one chunk.
pub(super) struct Offsets<'t> {
    chunk: &'t str,
    base: usize,
    /// The byte of every 64th character; empty when every character is a byte.
    marks: Vec<u32>,
}

impl<'t> Offsets<'t> {
    const STEP: usize = 64;

    fn new(source: &'t str, range: &Range<usize>) -> Self {
        let chunk = source.get(range.clone()).unwrap_or_default();
        let marks = if chunk.is_ascii() {
            Vec::new()
        } else {
            chunk.char_indices().step_by(Self::STEP).map(|(byte, _)| small(byte)).collect()
        };
        Self { chunk, base: range.start, marks }
    }

    /// How many characters of the chunk stand before a byte of the source.
    fn character(&self, byte: usize) -> usize {
        let within = byte.saturating_sub(self.base);
        if self.marks.is_empty() {
            return within;
        }
        let mark = self.marks.partition_point(|mark| *mark as usize <= within).saturating_sub(1);
        let from = self.marks.get(mark).map_or(0, |mark| *mark as usize);
        let rest = self.chunk.get(from..within).unwrap_or_default();
        mark * Self::STEP + rest.chars().count()
    }

    pub(super) fn byte(&self, character: usize) -> usize {
        let within = if self.marks.is_empty() {
            character.min(self.chunk.len())
        } else {
            match self.marks.get(character / Self::STEP) {
                None => self.chunk.len(),
                Some(mark) => {
                    let from = *mark as usize;
                    let rest = self.chunk.get(from..).unwrap_or_default();
                    let step = character % Self::STEP;
                    rest.char_indices().nth(step).map_or(self.chunk.len(), |(byte, _)| from + byte)
                }
            }
        };
        self.base + within
    }
}

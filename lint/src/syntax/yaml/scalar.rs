//! Scalars: where their content is written, piece by piece.

use std::ops::Range;

use base64::Engine;

use super::read::small;
use super::{Data, Writing};
use crate::source::{Piece, Text};

/// The value of a scalar as text, mapped to the places its characters came from.
pub(super) fn text(outer: &Text, data: Data, value: &str) -> Text {
    let range = data.start as usize..data.end as usize;
    let source = outer.bytes();
    let pieces = match data.style.writing {
        Writing::Block => block_pieces(source, range.clone(), value),
        Writing::Plain | Writing::Single | Writing::Double => {
            flow_pieces(source, range.clone(), value, data.style.writing)
        }
        Writing::Binary => None,
    };
    match pieces {
        Some(pieces) => outer.derived(value.as_bytes(), &pieces),
        None => Text::opaque(outer.span(range), value.as_bytes()),
    }
}

/// An integer as YAML 1.1 and Go have it: sign, underscores, 0x, 0o, 0b, and a leading zero for octal.
pub(super) fn integer(text: &str) -> Option<i64> {
    let digits = text.replace('_', "");
    let (negative, rest) = match digits.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, digits.strip_prefix('+').unwrap_or(&digits)),
    };
    let radix = |prefix: [char; 2]| rest.strip_prefix('0').and_then(|rest| rest.strip_prefix(prefix));
    let (digits, base) = if let Some(digits) = radix(['x', 'X']) {
        (digits, 16)
    } else if let Some(digits) = radix(['o', 'O']) {
        (digits, 8)
    } else if let Some(digits) = radix(['b', 'B']) {
        (digits, 2)
    } else if rest.len() > 1 && rest.starts_with('0') {
        (rest, 8)
    } else {
        (rest, 10)
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let value = i128::from_str_radix(digits, base).ok()?;
    i64::try_from(if negative { -value } else { value }).ok()
}

/// The content of a `!!binary`; None if it is no base64 of UTF-8 text.
pub(super) fn binary(value: &str) -> Option<String> {
    let bare: String = value.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(bare).ok()?).ok()
}

/// The first byte after `&anchor` and `!tag`.
pub(super) fn skip_properties(source: &str, start: usize, limit: usize) -> usize {
    let bytes = source.as_bytes().get(..limit).unwrap_or_default();
    let mut at = start;
    loop {
        match bytes.get(at) {
            Some(b'&' | b'!') => {
                while bytes.get(at).is_some_and(|byte| !byte.is_ascii_whitespace()) {
                    at += 1;
                }
            }
            Some(b' ' | b'\t' | b'\r' | b'\n') => at += 1,
            Some(b'#') => {
                while bytes.get(at).is_some_and(|byte| *byte != b'\n') {
                    at += 1;
                }
            }
            _ => return at,
        }
    }
}

/// The range between the quotes of a quoted scalar that starts at `start`.
pub(super) fn inside_quotes(source: &str, start: usize, limit: usize) -> Range<usize> {
    let bytes = source.as_bytes().get(..limit).unwrap_or_default();
    let mut at = start + 1;
    match bytes.get(start) {
        Some(b'"') => {
            while let Some(byte) = bytes.get(at) {
                match byte {
                    b'"' => return start + 1..at,
                    b'\\' => at += 2,
                    _ => at += 1,
                }
            }
        }
        Some(b'\'') => {
            while let Some(byte) = bytes.get(at) {
                match byte {
                    b'\'' if bytes.get(at + 1) == Some(&b'\'') => at += 2,
                    b'\'' => return start + 1..at,
                    _ => at += 1,
                }
            }
        }
        _ => return start..start,
    }
    start + 1..limit.max(start + 1)
}

/// The range of a block scalar's content, from its first character to its last one that is no white space.
///
/// The parser's own range starts at the content (at the header if there is none, or if the scalar has an
/// anchor or tag) and ends in the indentation of what follows.
pub(super) fn block_place(source: &str, range: Range<usize>, value: &str, header: bool) -> Range<usize> {
    let text = source.get(range.clone()).unwrap_or_default();
    if value.trim_matches(['\n', ' ', '\t']).is_empty() {
        let length = text.find(['\n', '\r', ' ']).unwrap_or(text.len());
        return range.start..range.start + length.min(1);
    }
    let mut start = range.start;
    if header {
        let mut lines = 1 + value.len() - value.trim_start_matches('\n').len();
        let mut rest = text;
        while lines > 0 {
            let Some(end) = rest.find('\n') else { break };
            rest = rest.get(end + 1..).unwrap_or_default();
            lines -= 1;
        }
        let leading = |text: &str| text.len() - text.trim_start_matches(' ').len();
        let indent = leading(rest).saturating_sub(leading(value.trim_start_matches('\n')));
        start = range.start + (text.len() - rest.len()) + indent;
    }
    let end = start + source.get(start..range.end).map_or(0, |text| text.trim_end().len());
    start..end.max(start)
}

/// Pieces of a literal or folded scalar whose content starts at `range.start`; None if it does not add up.
///
/// Every content line is verbatim; what separates two of them (a break, blank lines, indentation) stands
/// for the space or the line feeds in the value.
fn block_pieces(bytes: &[u8], range: Range<usize>, value: &str) -> Option<Vec<Piece>> {
    let content = value.as_bytes();
    let line_start = bytes
        .get(..range.start)?
        .iter()
        .rposition(|byte| matches!(byte, b'\n' | b'\r'))
        .map_or(0, |at| at + 1);
    let indent = range.start - line_start;
    let mut pieces = Vec::new();
    let mut at = range.start;
    let mut inner = content.iter().take_while(|byte| **byte == b'\n').count();
    if inner > 0 {
        pieces.push(Piece { inner: 0, outer: small(at), outer_len: 0, verbatim: false });
    }
    loop {
        let rest = bytes.get(at..)?;
        let length = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len());
        let line = rest.get(..length)?;
        if !content.get(inner..)?.starts_with(line) {
            return None;
        }
        extend(&mut pieces, inner, at, length);
        at += length;
        inner += length;
        if inner >= content.len() {
            return Some(pieces);
        }
        let gap_start = at;
        let rest = content.get(inner..)?;
        let gap = if rest.first() == Some(&b' ') {
            1
        } else {
            rest.iter().take_while(|byte| **byte == b'\n').count()
        };
        if gap == 0 {
            return None;
        }
        if at == bytes.len() {
            // the parser ends a last line that has no line feed
            let outer = small(at);
            pieces.push(Piece { inner: small(inner), outer, outer_len: 0, verbatim: false });
            return Some(pieces);
        }
        // the break, then blank lines, then the next line's indentation
        let mut gap_end = line_break(bytes, at)?;
        at = gap_end;
        loop {
            let spaces = bytes.get(at..)?.iter().take(indent).take_while(|byte| **byte == b' ').count();
            match line_break(bytes, at + spaces) {
                Some(next) => {
                    gap_end = next;
                    at = next;
                }
                None => {
                    at += spaces;
                    break;
                }
            }
        }
        if gap == 1 && gap_end - gap_start == 1 {
            // one byte for one byte: the line runs on through its break
            extend(&mut pieces, inner, gap_start, 1);
        } else {
            pieces.push(Piece {
                inner: small(inner),
                outer: small(gap_start),
                outer_len: small(gap_end - gap_start),
                verbatim: false,
            });
        }
        inner += gap;
        if inner >= content.len() {
            return Some(pieces);
        }
    }
}

/// Adds a verbatim run, to the last piece where it goes on in both texts.
fn extend(pieces: &mut Vec<Piece>, inner: usize, outer: usize, length: usize) {
    match pieces.last_mut() {
        Some(last) if last.verbatim && (last.outer + last.outer_len) as usize == outer => {
            last.outer_len += small(length);
        }
        _ if length > 0 => pieces.push(Piece {
            inner: small(inner),
            outer: small(outer),
            outer_len: small(length),
            verbatim: true,
        }),
        _ => {}
    }
}

/// The first byte after the line break at `at`.
fn line_break(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at)? {
        b'\r' if bytes.get(at + 1) == Some(&b'\n') => Some(at + 2),
        b'\r' | b'\n' => Some(at + 1),
        _ => None,
    }
}

/// Pieces of a plain or quoted scalar (without its quotes); None if it does not add up.
fn flow_pieces(bytes: &[u8], range: Range<usize>, value: &str, writing: Writing) -> Option<Vec<Piece>> {
    let bytes = bytes.get(..range.end)?;
    let mut pieces = Pieces { value: value.as_bytes(), inner: 0, done: Vec::new() };
    let mut at = range.start;
    while at < range.end {
        match bytes.get(at)? {
            b' ' | b'\t' | b'\r' | b'\n' => {
                let end = at
                    + bytes
                        .get(at..)?
                        .iter()
                        .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
                        .count();
                let breaks = count_breaks(bytes.get(at..end)?);
                match breaks {
                    0 => pieces.verbatim(at, bytes.get(at..end)?)?,
                    1 => pieces.stand_for(at..end, " ")?,
                    more => pieces.stand_for(at..end, &"\n".repeat(more - 1))?,
                }
                at = end;
            }
            b'\'' if writing == Writing::Single => {
                pieces.stand_for(at..at + 2, "'")?;
                at += 2;
            }
            b'\\' if writing == Writing::Double => {
                if matches!(bytes.get(at + 1)?, b'\r' | b'\n') {
                    let gap = bytes.get(at + 1..)?;
                    let end = at
                        + 1
                        + gap.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
                    let breaks = count_breaks(bytes.get(at + 1..end)?);
                    pieces.stand_for(at..end, &"\n".repeat(breaks.saturating_sub(1)))?;
                    at = end;
                } else {
                    let (character, length) = escape(bytes.get(at..)?)?;
                    pieces.stand_for(at..at + length, character.encode_utf8(&mut [0; 4]))?;
                    at += length;
                }
            }
            _ => {
                let stop = |byte: &u8| match byte {
                    b' ' | b'\t' | b'\r' | b'\n' => true,
                    b'\'' => writing == Writing::Single,
                    b'\\' => writing == Writing::Double,
                    _ => false,
                };
                let rest = bytes.get(at..)?;
                let length = rest.iter().position(stop).unwrap_or(rest.len());
                pieces.verbatim(at, rest.get(..length)?)?;
                at += length;
            }
        }
    }
    (pieces.inner == value.len()).then_some(pieces.done)
}

/// Pieces put together in step with the value they must yield.
struct Pieces<'v> {
    value: &'v [u8],
    inner: usize,
    done: Vec<Piece>,
}

impl Pieces<'_> {
    fn verbatim(&mut self, outer: usize, run: &[u8]) -> Option<()> {
        self.value.get(self.inner..)?.starts_with(run).then_some(())?;
        extend(&mut self.done, self.inner, outer, run.len());
        self.inner += run.len();
        Some(())
    }

    fn stand_for(&mut self, outer: Range<usize>, run: &str) -> Option<()> {
        self.value.get(self.inner..)?.starts_with(run.as_bytes()).then_some(())?;
        if !run.is_empty() {
            self.done.push(Piece {
                inner: small(self.inner),
                outer: small(outer.start),
                outer_len: small(outer.len()),
                verbatim: false,
            });
        }
        self.inner += run.len();
        Some(())
    }
}

fn count_breaks(gap: &[u8]) -> usize {
    let feeds = gap.iter().filter(|byte| **byte == b'\n').count();
    let lone = gap
        .iter()
        .enumerate()
        .filter(|(at, byte)| **byte == b'\r' && gap.get(at + 1) != Some(&b'\n'))
        .count();
    feeds + lone
}

/// The character of a double-quoted escape, and the length of the escape.
pub(super) fn escape(bytes: &[u8]) -> Option<(char, usize)> {
    let letter = char::from(*bytes.get(1)?);
    let simple = match letter {
        '0' => '\0',
        'a' => '\x07',
        'b' => '\x08',
        't' | '\t' => '\t',
        'n' => '\n',
        'v' => '\x0b',
        'f' => '\x0c',
        'r' => '\r',
        'e' => '\x1b',
        ' ' | '"' | '/' | '\\' => letter,
        'N' => '\u{85}',
        '_' => '\u{a0}',
        'L' => '\u{2028}',
        'P' => '\u{2029}',
        'x' | 'u' | 'U' => {
            let digits = match letter {
                'x' => 2,
                'u' => 4,
                _ => 8,
            };
            let digits_text = std::str::from_utf8(bytes.get(2..2 + digits)?).ok()?;
            let code = u32::from_str_radix(digits_text, 16).ok()?;
            if letter == 'u' && (0xd800..0xe000).contains(&code) {
                return Some(surrogates(code, bytes));
            }
            return Some((char::from_u32(code)?, 2 + digits));
        }
        _ => return None,
    };
    Some((simple, 2))
}

/// Two escapes of JSON that make one character; one by itself is a replacement character, as in Go.
fn surrogates(high: u32, bytes: &[u8]) -> (char, usize) {
    let low = bytes.get(6..12).filter(|low| low.starts_with(b"\\u"));
    let low = low.and_then(|low| std::str::from_utf8(low.get(2..)?).ok());
    let low =
        low.and_then(|low| u32::from_str_radix(low, 16).ok()).filter(|low| (0xdc00..0xe000).contains(low));
    match (high, low) {
        (0xd800..0xdc00, Some(low)) => {
            let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
            (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
        }
        _ => (char::REPLACEMENT_CHARACTER, 6),
    }
}

//! What is wrong with a text, and what to do, in the words of someone who has to mend it.

use std::ops::Range;

use super::Problem;
use crate::source::Text;

/// An error of the parser at a byte of the source.
pub(super) fn scan(text: &Text, source: &str, chunk: &Range<usize>, at: usize, info: &str) -> Problem {
    let bytes = source.as_bytes();
    let at = at.min(chunk.end);
    let line_start = bytes
        .get(..at)
        .unwrap_or_default()
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(chunk.start, |feed| (feed + 1).max(chunk.start));
    let rest = source.get(line_start..chunk.end).unwrap_or_default();
    let line = rest.lines().next().unwrap_or_default();
    let indentation = line.len() - line.trim_start().len();
    let tab = line.get(..indentation).and_then(|blank| blank.find('\t')).map(|tab| line_start + tab);
    let (range, message) = if let Some(tab) = tab {
        (tab..tab + 1, "a tab indents this line, which YAML does not allow: indent with spaces".to_owned())
    } else if info.contains("recursion limit") {
        (at..at + 1, "brackets nested this deep are not read".to_owned())
    } else if info.contains("tab") {
        let rest = source.get(at..chunk.end).unwrap_or_default();
        // the scanner stops before it, perhaps lines before
        let tab = rest.find('\t').map(|tab| at + tab..at + tab + 1);
        let range = tab.unwrap_or_else(|| word(source, at, chunk.end));
        (range, "YAML does not allow a tab here: write spaces".to_owned())
    } else if info.contains("quoted scalar, found unexpected")
        || info.contains("invalid indentation in quoted scalar")
    {
        let quote = if bytes.get(at) == Some(&b'\'') { '\'' } else { '"' };
        (at..at + 1, format!("the text that starts with this {quote} has no closing {quote}: add it"))
    } else if info.contains("unknown escape") || info.contains("hexadecimal") || info.contains("Unicode") {
        (
            at..at + 1,
            "this double-quoted text has an escape that YAML does not know: write \\\\ for a backslash, \
             or use single quotes"
                .to_owned(),
        )
    } else if info.contains("unknown anchor") {
        let name = word(source, at, chunk.end);
        let shown = source.get(name.clone()).unwrap_or_default().to_owned();
        (
            name,
            format!("{shown} names an anchor that this document does not define before it: write &… first"),
        )
    } else if info.contains("mapping values are not allowed") {
        (
            word(source, at, chunk.end),
            "a second `: ` stands on this line, or the line is indented more than the one before: \
             quote the value, or mend the indentation"
                .to_owned(),
        )
    } else if info.contains("did not find expected key")
        || info.contains("'-' indicator")
        || info.contains("simple key expect")
        || info.contains("could not find expected ':'")
        || info.contains("expected <document start>")
    {
        (
            word(source, at, chunk.end),
            "this does not fit what stands above it: align it with the keys (or the dashes) it belongs to, \
             and give each key a `:`"
                .to_owned(),
        )
    } else if info.contains("',' or '}'") || info.contains("',' or ']'") || info.contains("expected ','") {
        (word(source, at, chunk.end), "a comma or the closing bracket is missing before this".to_owned())
    } else if info.contains("illegal placement of ':'") {
        (
            word(source, at, chunk.end),
            "a bracket that opens before this `:` is not closed: close it".to_owned(),
        )
    } else if info.contains("unexpected character") {
        let range = at..at + source.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        let shown = source.get(range.clone()).unwrap_or_default().to_owned();
        (range, format!("a value cannot start with {shown}: quote it"))
    } else if info.contains("invalid trailing content") {
        (
            word(source, at, chunk.end),
            "text follows a closing quote: quote the whole value, or double the quotes in it".to_owned(),
        )
    } else if info.contains("block scalar") {
        (
            word(source, at, chunk.end),
            format!("this block of text is not indented as its first line is ({info})"),
        )
    } else {
        (word(source, at, chunk.end), format!("this is not YAML: {info}"))
    };
    lost(text, clip(range, chunk), message)
}

pub(super) fn not_utf8(text: &Text, at: usize) -> Problem {
    let bytes = text.bytes();
    let message = if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        "this is UTF-16 text: save it as UTF-8"
    } else {
        "this byte is not UTF-8 text: save the file as UTF-8, or take it out if it is binary"
    };
    lost(text, at..at + 1, message.to_owned())
}

pub(super) fn control_character(text: &Text, at: usize) -> Problem {
    let byte = text.bytes().get(at).copied().unwrap_or_default();
    let message = format!(
        "the control character 0x{byte:02x} is not allowed in YAML: take it out, or take the file out if it is binary"
    );
    lost(text, at..at + 1, message)
}

pub(super) fn too_deep(text: &Text, at: usize, limit: u32) -> Problem {
    lost(text, at..at + 1, format!("nested deeper than {limit} levels, which is not read"))
}

pub(super) fn too_many_aliases(text: &Text, place: Range<usize>) -> Problem {
    let message = "the aliases of this document multiply to more than 200000 values, which is not read";
    lost(text, place, message.to_owned())
}

pub(super) fn anchor_in_itself(text: &Text, place: Range<usize>) -> Problem {
    lost(text, place, "this alias stands inside the value that it names".to_owned())
}

pub(super) fn collection_as_key(text: &Text, source: &str, place: Range<usize>) -> Problem {
    let message =
        if source.get(place.clone()).is_some_and(|key| key.starts_with("{{") || key.starts_with('{')) {
            "a mapping cannot be a key: quote the value if it is text with braces"
        } else {
            "a mapping or sequence cannot be a key: quote it if it is text"
        };
    lost(text, place, message.to_owned())
}

pub(super) fn bad_merge(text: &Text, place: Range<usize>) -> Problem {
    lost(text, place, "`<<` takes a mapping, an alias of one, or a sequence of these".to_owned())
}

pub(super) fn binary(text: &Text, place: Range<usize>) -> Problem {
    lost(text, place, "`!!binary` is followed by base64 of text; this is not".to_owned())
}

pub(super) fn duplicate_key(text: &Text, name: &str, first: Range<usize>, again: Range<usize>) -> Problem {
    let between = text.bytes().get(first.start..again.start).unwrap_or_default();
    let lines = between.iter().filter(|byte| **byte == b'\n').count();
    let place = match lines {
        0 => "before on this line".to_owned(),
        1 => "on the line above".to_owned(),
        lines => format!("{lines} lines above"),
    };
    Problem {
        span: text.span(again),
        message: format!(
            "the key {name} is written here and {place}; kubectl refuses both or takes the last: delete one"
        ),
        related: Some(text.span(first)),
        document_lost: false,
    }
}

fn lost(text: &Text, range: Range<usize>, message: String) -> Problem {
    let end = text.bytes().len();
    let start = range.start.min(end);
    let span = text.span(start..range.end.clamp(start, end));
    Problem { span, message, related: None, document_lost: true }
}

/// The word at a byte, or the nearest place before it when nothing is left.
fn word(source: &str, at: usize, end: usize) -> Range<usize> {
    let rest = source.get(at..end).unwrap_or_default();
    let length = rest.find(|c: char| c.is_whitespace()).unwrap_or(rest.len());
    if length > 0 {
        return at..at + length;
    }
    let next = rest.chars().next().map_or(0, char::len_utf8);
    at..at + next
}

fn clip(range: Range<usize>, chunk: &Range<usize>) -> Range<usize> {
    let start = range.start.min(chunk.end);
    start..range.end.clamp(start, chunk.end)
}

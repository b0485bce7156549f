//! Edits of nginx configurations.

use super::{insert, lines, replace};
use crate::finding::Edit;
use crate::source::Span;
use crate::syntax::nginx::Directive;

/// Writes a directive beside another one: its sibling of that name gets the value, or it is inserted after `beside`.
pub fn set(
    bytes: &[u8],
    siblings: &[Directive],
    beside: &Directive,
    name: &str,
    value: &str,
) -> Option<Edit> {
    match siblings.iter().rfind(|sibling| sibling.name.value == name) {
        Some(given) => {
            let [argument] = given.arguments.as_slice() else { return None };
            Some(replace(quoted(bytes, argument.span), value))
        }
        None => add(bytes, beside, &format!("{name} {value};")),
    }
}

/// Inserts directives after another one: on lines of their own if it has one, else beside it.
pub fn add(bytes: &[u8], after: &Directive, text: &str) -> Option<Edit> {
    let (start, end) = (after.span.start as usize, after.span.end as usize);
    // the directive must be written as it is read, up to its `;`
    if bytes.get(end.checked_sub(1)?) != Some(&b';') {
        return None;
    }
    let lead = lines::lead(bytes, start)?;
    if lead.trim().is_empty() && lines::is_last(bytes, end) {
        let separator = lines::line_end(bytes, end);
        let line = format!("{separator}{lead}");
        insert(after.span, lines::end(bytes, end), format!("{line}{}", text.replace('\n', &line)))
    } else {
        insert(after.span, end, format!(" {}", text.replace('\n', " ")))
    }
}

/// Removes a directive, with its line if it has one of its own.
pub fn remove(bytes: &[u8], directive: &Directive) -> Option<Edit> {
    let (start, end) = (directive.span.start as usize, directive.span.end as usize);
    if bytes.get(end.checked_sub(1)?) != Some(&b';') {
        return None;
    }
    let blank = |range: &[u8]| range.iter().all(|byte| matches!(byte, b' ' | b'\t'));
    let line = lines::start(bytes, start)..lines::end(bytes, end);
    let alone = blank(bytes.get(line.start..start)?) && blank(bytes.get(end..line.end)?);
    let range = if alone {
        let rest = bytes.get(line.end..)?;
        let ends = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |newline| newline + 1);
        line.start..line.end + ends
    } else {
        // one of the blanks around it goes as well
        let spaced = end < line.end && bytes.get(end) == Some(&b' ');
        start..end + usize::from(spaced)
    };
    let span = Span {
        file: directive.span.file,
        start: u32::try_from(range.start).ok()?,
        end: u32::try_from(range.end).ok()?,
    };
    Some(replace(span, ""))
}

/// An argument's span with the quotes around it.
fn quoted(bytes: &[u8], span: Span) -> Span {
    let before = (span.start as usize).checked_sub(1).and_then(|at| bytes.get(at));
    match (before, bytes.get(span.end as usize)) {
        (Some(open @ (b'"' | b'\'')), Some(close)) if open == close => {
            Span { start: span.start - 1, end: span.end + 1, ..span }
        }
        _ => span,
    }
}

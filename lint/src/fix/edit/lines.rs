//! Lines of the file as the user wrote them.

use crate::source::Span;
use crate::syntax::nginx::Directive;

/// Where the line of an offset begins.
pub fn start(bytes: &[u8], at: usize) -> usize {
    let before = bytes.get(..at.min(bytes.len())).unwrap_or_default();
    before.iter().rposition(|byte| *byte == b'\n').map_or(0, |line| line + 1)
}

/// Where the line of an offset ends, before its line end.
pub fn end(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at.min(bytes.len())..).unwrap_or_default();
    let end = at.min(bytes.len()) + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let returns = end > at && bytes.get(end.wrapping_sub(1)) == Some(&b'\r');
    end - usize::from(returns)
}

/// What stands between the beginning of a line and an offset in it.
pub fn lead(bytes: &[u8], at: usize) -> Option<&str> {
    std::str::from_utf8(bytes.get(start(bytes, at)..at)?).ok()
}

/// How lines end around an offset: as the one before it does.
pub fn line_end(bytes: &[u8], at: usize) -> &'static str {
    let first = start(bytes, at);
    // in the first line, as it ends itself
    let newline = match first.checked_sub(1) {
        Some(newline) => Some(newline),
        None => bytes.iter().position(|byte| *byte == b'\n'),
    };
    let before = newline.and_then(|newline| newline.checked_sub(1)).and_then(|at| bytes.get(at));
    if before == Some(&b'\r') { "\r\n" } else { "\n" }
}

/// Whether nothing but blanks and a comment follows an offset in its line.
pub fn is_last(bytes: &[u8], at: usize) -> bool {
    let rest = bytes.get(at..end(bytes, at)).unwrap_or_default();
    let first = rest.iter().find(|byte| !matches!(byte, b' ' | b'\t'));
    first.is_none_or(|byte| *byte == b'#')
}

/// The directives around a span, outermost first.
pub fn around(directives: &[Directive], span: Span) -> Vec<&Directive> {
    let mut path = Vec::new();
    let mut level = directives;
    while let Some(inner) = level.iter().find(|directive| {
        let own = directive.span;
        own.file == span.file && own.start <= span.start && span.end <= own.end
    }) {
        path.push(inner);
        level = inner.block.as_deref().unwrap_or_default();
    }
    path
}

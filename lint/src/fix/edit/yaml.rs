//! Edits of YAML, and of JSON, which is read as YAML.

use super::{insert, lines, replace};
use crate::finding::Edit;
use crate::source::Span;
use crate::syntax::yaml::{Kind, Node};

/// Gives a mapping's key a value: the scalar that stands there is replaced, or an entry is inserted. The value is
/// written as in YAML's block style, several lines indented from the key's column; `flow` is the same in one line.
pub fn set(bytes: &[u8], mapping: Node<'_>, key: &str, block: &str, flow: &str) -> Option<Edit> {
    match mapping.entry(key) {
        Some((_, value)) => change(bytes, value, flow),
        None => add(bytes, mapping, key, block, flow),
    }
}

/// Replaces a scalar, its quotes included, by a plain one.
pub fn change(bytes: &[u8], value: Node<'_>, text: &str) -> Option<Edit> {
    let span = value.span();
    match value.kind() {
        Kind::Scalar => {
            let whole = quoted(bytes, span);
            let one_line = bytes.get(whole.start as usize..whole.end as usize)?;
            // a block scalar, or one that runs over lines
            if one_line.contains(&b'\n') {
                return None;
            }
            let json = whole != span && is_json_string(bytes, whole) && is_word(text);
            Some(replace(whole, if json { format!("\"{text}\"") } else { text.to_owned() }))
        }
        // nothing is written: its place is the colon
        Kind::Null if written(bytes, span) == Some(":") => {
            insert(span, span.end as usize, format!(" {text}"))
        }
        Kind::Null | Kind::Mapping | Kind::Sequence => None,
    }
}

/// Inserts an entry into a mapping that lacks the key.
pub fn add(bytes: &[u8], mapping: Node<'_>, key: &str, block: &str, flow: &str) -> Option<Edit> {
    if mapping.kind() != Kind::Mapping {
        return None;
    }
    let span = mapping.span();
    if bytes.get(span.start as usize) == Some(&b'{') {
        let json =
            mapping.entries().next().is_some_and(|(first, _)| is_in_double_quotes(bytes, first.span()));
        let entry = match (json, is_word(flow)) {
            (true, true) => format!("\"{key}\": \"{flow}\""),
            (true, false) => format!("\"{key}\": {flow}"),
            (false, _) => format!("{key}: {flow}"),
        };
        return add_in_flow(bytes, span, &entry);
    }
    let (first, _) = mapping.entries().next()?;
    let first = unquoted_start(bytes, first.span());
    let indent = indentation(bytes, first)?;
    let line = format!("{}{indent}", lines::line_end(bytes, first));
    let entry =
        format!("{key}:{}{}", if block.starts_with('\n') { "" } else { " " }, block.replace('\n', &line));
    // after the entries of one line with which the mapping begins; a longer first entry is preceded
    let mut after = None;
    for (_, value) in mapping.entries() {
        let Some(end) = end_in_line(bytes, value) else { break };
        after = Some(end);
    }
    match after {
        Some(end) if lines::is_last(bytes, end) => {
            insert(span, lines::end(bytes, end), format!("{line}{entry}"))
        }
        Some(_) => None,
        None => insert(span, first, format!("{entry}{line}")),
    }
}

/// Appends an item to a sequence.
pub fn push(bytes: &[u8], sequence: Node<'_>, item: &str) -> Option<Edit> {
    if sequence.kind() != Kind::Sequence {
        return None;
    }
    let span = sequence.span();
    let last = sequence.items().next_back();
    if bytes.get(span.start as usize) == Some(&b'[') {
        let json = last.is_some_and(|last| is_in_double_quotes(bytes, last.span())) && is_word(item);
        return add_in_flow(bytes, span, &if json { format!("\"{item}\"") } else { item.to_owned() });
    }
    let last = last?;
    let start = unquoted_start(bytes, last.span());
    let lead = lines::lead(bytes, start)?;
    // the item stands on a line of its own: `  - item`
    let dash = lead.trim_start();
    if dash.trim_end() != "-" {
        return None;
    }
    let end = last_byte(bytes, last)?;
    let line = format!("{}{lead}", lines::line_end(bytes, start));
    lines::is_last(bytes, end).then(|| {
        insert(
            span,
            lines::end(bytes, end),
            format!(
                "{line}{}",
                item.replace('\n', &format!("{}{}", lines::line_end(bytes, start), lead.replace('-', " ")))
            ),
        )
    })?
}

/// Removes an entry that has a line of its own.
pub fn remove_line(bytes: &[u8], key: Node<'_>, value: Node<'_>) -> Option<Edit> {
    let start = unquoted_start(bytes, key.span());
    let end = last_byte(bytes, value)?;
    if !lines::lead(bytes, start)?.trim().is_empty() || !lines::is_last(bytes, end) {
        return None;
    }
    let rest = bytes.get(lines::end(bytes, end)..)?;
    let ends = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |newline| newline + 1);
    let span = Span {
        file: key.span().file,
        start: u32::try_from(lines::start(bytes, start)).ok()?,
        end: u32::try_from(lines::end(bytes, end) + ends).ok()?,
    };
    Some(replace(span, ""))
}

/// The scalar of a key as an edit sees it: its quotes included.
pub fn quoted(bytes: &[u8], span: Span) -> Span {
    let before = (span.start as usize).checked_sub(1).and_then(|at| bytes.get(at));
    match (before, bytes.get(span.end as usize)) {
        (Some(open @ (b'"' | b'\'')), Some(close)) if open == close => {
            // within a string that is itself embedded, the quote is escaped
            Span { start: span.start - 1, end: span.end + 1, ..span }
        }
        _ => span,
    }
}

/// Inserts before the closing bracket of a flow collection, after its last entry.
fn add_in_flow(bytes: &[u8], span: Span, entry: &str) -> Option<Edit> {
    let open = span.start as usize;
    let close = (span.end as usize).checked_sub(1)?;
    let inside = bytes.get(open + 1..close)?;
    let blanks = inside.iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
    let last = close - blanks;
    if last == open + 1 {
        return insert(span, last, entry);
    }
    // within a string, quotes would have to be escaped as its own are
    if entry.contains('"') && inside.windows(2).any(|pair| pair == b"\\\"") {
        return None;
    }
    let comma = if bytes.get(last.checked_sub(1)?) == Some(&b',') { "" } else { "," };
    // several lines: the new entry has its own, as the last one has
    let line = lines::start(bytes, last);
    let lead: String = String::from_utf8_lossy(bytes.get(line..last)?)
        .chars()
        .take_while(|character| matches!(character, ' ' | '\t'))
        .collect();
    if line > open && bytes.get(last..close)?.contains(&b'\n') {
        insert(span, last, format!("{comma}{}{lead}{entry}", lines::line_end(bytes, last)))
    } else {
        insert(span, last, format!("{comma} {entry}"))
    }
}

/// The blanks that bring a line to the column of an offset whose line holds nothing but dashes before it.
fn indentation(bytes: &[u8], at: usize) -> Option<String> {
    let lead = lines::lead(bytes, at)?;
    let plain = lead.chars().all(|character| matches!(character, ' ' | '\t' | '-'));
    plain.then(|| lead.replace('-', " "))
}

/// Where a value ends that is written in the line of its key.
fn end_in_line(bytes: &[u8], value: Node<'_>) -> Option<usize> {
    match value.kind() {
        Kind::Scalar => last_byte(bytes, value),
        Kind::Null => Some(value.span().end as usize),
        Kind::Mapping | Kind::Sequence => {
            let flow = matches!(bytes.get(value.span().start as usize), Some(b'{' | b'['));
            if flow { last_byte(bytes, value) } else { None }
        }
    }
}

/// The offset after a node that is written in one line; None for others.
fn last_byte(bytes: &[u8], node: Node<'_>) -> Option<usize> {
    let span = node.span();
    let whole = if node.kind() == Kind::Scalar { quoted(bytes, span) } else { span };
    let range = whole.start as usize..whole.end as usize;
    let one_line = !bytes.get(range.clone())?.contains(&b'\n');
    // a block scalar of one line stands beneath its key
    let lead = lines::lead(bytes, range.start)?;
    let beneath = node.kind() == Kind::Scalar && lead.trim().is_empty() && !lead.is_empty();
    (one_line && !beneath).then_some(range.end)
}

fn unquoted_start(bytes: &[u8], span: Span) -> usize {
    quoted(bytes, span).start as usize
}

/// Whether a scalar is written as in JSON.
pub fn is_in_double_quotes(bytes: &[u8], span: Span) -> bool {
    quoted(bytes, span) != span && bytes.get(span.end as usize) == Some(&b'"')
}

/// Whether a quoted scalar is one of JSON rather than of YAML: its key or its neighbours are in double quotes as well.
fn is_json_string(bytes: &[u8], whole: Span) -> bool {
    bytes.get(whole.start as usize) == Some(&b'"')
}

/// Text that is a string in YAML without quotes, and would need them in JSON.
fn is_word(text: &str) -> bool {
    !matches!(text, "true" | "false" | "null")
        && !text.starts_with(['{', '[', '"'])
        && text.parse::<f64>().is_err()
}

fn written(bytes: &[u8], span: Span) -> Option<&str> {
    std::str::from_utf8(bytes.get(span.start as usize..span.end as usize)?).ok()
}

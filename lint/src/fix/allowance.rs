//! Comments that allow what does not occur.

use super::edit::{lines, replace};
use super::fix;
use super::site::Site;
use crate::finding::Fix;
use crate::source::Span;

/// A comment that allows nothing else goes, with its line if it has one of its own. One that was put beside what it
/// should allow is the user's to move.
pub fn remove_comment(site: &Site<'_>) -> Option<Fix> {
    if site.finding.labels.len() > 1 {
        return None;
    }
    let bytes = site.bytes(site.span);
    let start = lines::start(bytes, site.span.start as usize);
    let end = lines::end(bytes, site.span.end as usize);
    let line = std::str::from_utf8(bytes.get(start..end)?).ok()?;
    let only = format!("mtls-lint: allow({})", site.written(site.span)?);
    let before = line.get(..line.find(&only)?)?;
    let before = before.trim_end().strip_suffix('#')?.trim_end();
    let (from, to) = if before.is_empty() {
        let rest = bytes.get(end..)?;
        let newline = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |newline| newline + 1);
        (start, end + newline)
    } else {
        (start + before.len(), end)
    };
    let span = Span { start: u32::try_from(from).ok()?, end: u32::try_from(to).ok()?, ..site.span };
    fix("remove the comment", [replace(span, "")])
}

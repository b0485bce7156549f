//! Policies of the filter, in a file of their own or within a gateway's configuration.

use super::edit::{insert, lines, replace};
use super::fix;
use super::site::Site;
use crate::finding::Fix;
use crate::source::Span;
use crate::syntax::yaml::{Kind, Node};

/// A key as the policy's reader suggests it.
pub fn correct_key(site: &Site<'_>) -> Option<Fix> {
    let meant = site.finding.help.as_deref()?.strip_prefix("did you mean ")?.strip_suffix('?')?;
    let wrong = site.finding.message.split("unknown key `").nth(1)?.split('`').next()?;
    let at = site.written(site.span)?.find(wrong)?;
    let start = site.span.start.checked_add(u32::try_from(at).ok()?)?;
    let span = Span { start, end: start.checked_add(u32::try_from(wrong.len()).ok()?)?, ..site.span };
    fix(format!("write {meant}"), [replace(span, meant)])
}

/// A rule before the one that decides all its requests.
pub fn put_first(site: &Site<'_>) -> Option<Fix> {
    let bytes = site.bytes(site.span);
    let (later, earlier) = (item(site, site.span)?, item(site, site.label(1)?)?);
    // whole lines are moved: both rules begin with a dash of their own
    let dash = |span: Span| lines::lead(bytes, span.start as usize).filter(|lead| lead.trim() == "-");
    if later.start <= earlier.end || dash(later)? != dash(earlier)? {
        return None;
    }
    let first = lines::start(bytes, later.start as usize);
    let end = lines::end(bytes, later.end as usize);
    if !lines::is_last(bytes, later.end as usize) {
        return None;
    }
    let newline = lines::line_end(bytes, later.start as usize);
    let text = std::str::from_utf8(bytes.get(first..end)?).ok()?;
    // the line end before the moved lines goes with them
    let moved = Span {
        start: u32::try_from(first.checked_sub(newline.len())?).ok()?,
        end: u32::try_from(end).ok()?,
        ..later
    };
    let place = lines::start(bytes, earlier.start as usize);
    let edits = [insert(later, place, format!("{text}{newline}"))?, replace(moved, "")];
    fix("put the narrower rule first", edits)
}

/// The rule of a policy around a place.
fn item(site: &Site<'_>, span: Span) -> Option<Span> {
    site.in_yaml(span, |path| {
        let index = path.iter().rposition(|node: &Node<'_>| node.kind() == Kind::Sequence)?;
        path.get(index + 1).map(|item| item.span())
    })
}

//! Whether edits did what they were meant to, and nothing else.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use mtls_identity::sorted;

use crate::finding::{Edit, Finding, Fix};
use crate::handshake::Outcome;
use crate::report::Report;
use crate::source::{FileId, Span};

/// Whether the findings that were chosen are gone after their edits, and nothing else is worse than before.
pub fn holds(before: &Report, after: &Report, chosen: &[(usize, Fix)]) -> bool {
    if after.incomplete.len() > before.incomplete.len() || completing(after) < completing(before) {
        return false;
    }
    let moved = Moved::new(chosen.iter().flat_map(|(_, fix)| &fix.edits));
    let remedied: BTreeSet<usize> = sorted::set(chosen.iter().map(|(index, _)| *index));
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut places, mut messages) = (HashSet::new(), HashSet::new());
    for (index, finding) in before.findings.iter().enumerate() {
        if remedied.contains(&index) {
            continue;
        }
        *left.entry(finding.rule).or_default() += 1;
        messages.insert((finding.rule, finding.message.as_str()));
        for start in primary(finding).into_iter().flat_map(|span| moved.starts(span)) {
            places.insert((finding.rule, primary(finding).map(|span| span.file), start));
        }
    }
    let uncovered = uncovered(before, after, &remedied);
    after.findings.iter().all(|finding| {
        if uncovered.contains(finding.rule) {
            return true;
        }
        let span = primary(finding);
        let known = messages.contains(&(finding.rule, finding.message.as_str()))
            || span.is_some_and(|span| places.contains(&(finding.rule, Some(span.file), span.start)));
        // one that was chosen is not excused by another of its rule
        let one_less = left.get_mut(finding.rule).is_some_and(|left| match left.checked_sub(1) {
            Some(fewer) => {
                *left = fewer;
                true
            }
            None => false,
        });
        known && one_less
    })
}

fn primary(finding: &Finding) -> Option<Span> {
    finding.labels.first().map(|label| label.span)
}

fn completing(report: &Report) -> usize {
    let completes = |outcome: &Outcome| *outcome == Outcome::Completes;
    report.connections.iter().filter(|connection| completes(&connection.prediction.outcome)).count()
}

/// Rules that come to light because a connection that failed for a remedied reason now gets further: they were there
/// before, behind it.
fn uncovered<'r>(before: &Report, after: &'r Report, remedied: &BTreeSet<usize>) -> BTreeSet<&'r str> {
    let rules: BTreeSet<&str> = sorted::set(
        remedied.iter().filter_map(|index| before.findings.get(*index)).map(|finding| finding.rule),
    );
    if before.connections.len() != after.connections.len() {
        return BTreeSet::new();
    }
    let pairs = before.connections.iter().zip(&after.connections);
    let further = pairs.filter_map(|(before, after)| {
        let (was, is) = (before.prediction.why.first()?, after.prediction.why.first()?);
        (before.prediction.outcome != Outcome::Completes
            && rules.contains(was.rule)
            && !rules.contains(is.rule))
        .then_some(is.rule)
    });
    further.collect()
}

/// Where offsets are after edits.
struct Moved<'e> {
    edits: BTreeMap<FileId, Vec<&'e Edit>>,
}

impl<'e> Moved<'e> {
    fn new(edits: impl Iterator<Item = &'e Edit>) -> Self {
        let mut moved = Self { edits: BTreeMap::new() };
        for edit in edits {
            moved.edits.entry(edit.span.file).or_default().push(edit);
        }
        moved
    }

    /// Where a span may start now: what is inserted right before it may have become its beginning, or not.
    fn starts(&self, span: Span) -> [u32; 2] {
        let edits = self.edits.get(&span.file).map_or(&[][..], Vec::as_slice);
        let start = |counts: &dyn Fn(&Edit) -> bool| {
            edits.iter().filter(|edit| counts(edit)).fold(i64::from(span.start), |at, edit| {
                let length = i64::try_from(edit.text.len()).unwrap_or(i64::MAX);
                at.saturating_add(length) - i64::from(edit.span.end.saturating_sub(edit.span.start))
            })
        };
        let after = start(&|edit| edit.span.end <= span.start);
        let before = start(&|edit| {
            edit.span.end < span.start || edit.span.start < span.start && edit.span.end == span.start
        });
        [after, before].map(|start| u32::try_from(start).unwrap_or(u32::MAX))
    }
}

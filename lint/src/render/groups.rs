//! Many findings, made readable: by rule, the worst and the first causes first, of each rule a few.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use mtls_identity::sorted;

use crate::finding::{Finding, Severity};
use crate::handshake::Outcome;
use crate::report::{Files, Report};
use crate::source::FileId;

/// More findings than these are grouped.
pub(super) const MANY: usize = 20;
/// How many of a rule are shown whole.
const SHOWN: usize = 3;
/// How many files and lines are named of the rest.
const NAMED: usize = 8;

/// The findings of one rule, in the order of the files.
pub(super) struct Group<'r> {
    rule: &'static str,
    severity: Severity,
    findings: Vec<&'r Finding>,
    /// How many connections fail first of all by this.
    fails: usize,
}

/// The findings by rule.
pub(super) fn groups(report: &Report) -> Vec<Group<'_>> {
    let mut causes: BTreeMap<&str, usize> = BTreeMap::new();
    for connection in &report.connections {
        let prediction = &connection.prediction;
        if matches!(prediction.outcome, Outcome::Completes | Outcome::Undetermined) {
            continue;
        }
        if let Some(why) = prediction.why.first() {
            *causes.entry(why.rule).or_default() += 1;
        }
    }
    let mut groups: BTreeMap<&str, Group<'_>> = BTreeMap::new();
    for finding in &report.findings {
        let group = groups.entry(finding.rule).or_insert_with(|| Group {
            rule: finding.rule,
            severity: finding.severity,
            findings: Vec::new(),
            fails: causes.get(finding.rule).copied().unwrap_or(0),
        });
        group.findings.push(finding);
    }
    let mut groups: Vec<Group<'_>> = groups.into_values().collect();
    sorted::sort_by_key(&mut groups, |group| {
        (std::cmp::Reverse((group.severity, group.fails, group.findings.len())), group.rule)
    });
    groups
}

/// How many findings of which rule.
pub(super) fn table(report: &Report) -> String {
    let groups = groups(report);
    let width = groups.iter().map(|group| group.findings.len().to_string().len()).max().unwrap_or(0);
    let mut out = String::new();
    for group in &groups {
        let fails = match group.fails {
            0 => String::new(),
            1 => ", the first cause of 1 failing connection".to_owned(),
            number => format!(", the first cause of {number} failing connections"),
        };
        let (count, severity) = (group.findings.len(), group.severity.name());
        let _ = writeln!(out, "{count:width$} {} ({severity}{fails})", group.rule);
    }
    out.push('\n');
    out
}

impl<'r> Group<'r> {
    /// What it is about, and how much of it there is.
    pub(super) fn title(&self) -> String {
        let files = self.by_file().len();
        match (self.findings.len(), files) {
            (1, _) => format!("{}: 1 finding", self.rule),
            (count, 1) => format!("{}: {count} findings in 1 file", self.rule),
            (count, files) => format!("{}: {count} findings in {files} files", self.rule),
        }
    }

    /// Those that are shown whole.
    pub(super) fn shown(&self) -> impl Iterator<Item = &'r Finding> + '_ {
        self.findings.iter().take(self.whole()).copied()
    }

    /// Where the others are; None if there are none.
    pub(super) fn rest(&self, files: &Files) -> Option<String> {
        let rest = self.findings.get(self.whole()..).filter(|rest| !rest.is_empty())?;
        let mut lines: BTreeMap<FileId, Vec<usize>> = BTreeMap::new();
        for label in rest.iter().filter_map(|finding| finding.labels.first()) {
            lines.entry(label.span.file).or_default().push(files.places(label.span).0.line);
        }
        let mut out = format!("… and {} more of {} (--full prints them)", rest.len(), self.rule);
        for (file, lines) in lines.iter().take(NAMED) {
            let mut distinct = lines.clone();
            distinct.dedup();
            let named: Vec<String> = distinct.iter().take(NAMED).map(ToString::to_string).collect();
            let more = if distinct.len() > NAMED { ", …" } else { "" };
            let word = if distinct.len() == 1 { "line" } else { "lines" };
            let (path, count) = (crate::visible::on_one_line(files.path(*file)), lines.len());
            let _ = write!(out, "\n  {count} in {path}, {word} {}{more}", named.join(", "));
        }
        if lines.len() > NAMED {
            let _ = write!(out, "\n  and in {} more files", lines.len() - NAMED);
        }
        Some(out)
    }

    /// How many are shown whole: a single one is not left out.
    fn whole(&self) -> usize {
        if self.findings.len() <= SHOWN + 1 { self.findings.len() } else { SHOWN }
    }

    fn by_file(&self) -> BTreeMap<FileId, usize> {
        let mut files = BTreeMap::new();
        for label in self.findings.iter().filter_map(|finding| finding.labels.first()) {
            *files.entry(label.span.file).or_default() += 1;
        }
        files
    }
}

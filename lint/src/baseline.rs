//! The baseline: findings that an old estate starts with. They are not reported; what is new is.
//!
//! ```yaml
//! version: 1
//! findings:
//!   - {file: "conf/a.yaml", rule: "unverified-server", fingerprint: "0f3c…", count: 2, message: "…"}
//! ```
//!
//! One finding a line, sorted: a review shows what came and what went. The message is for people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use mtls_identity::sorted;

use crate::config::Folder;
use crate::finding::{Finding, Incomplete, Suppressed, Suppressor};
use crate::fingerprint::fingerprint;
use crate::report::{Files, Report};
use crate::source::{FileId, Sources, Span};
use crate::syntax::yaml::{self, Kind, Node};

/// Findings that are known, and how many of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baseline {
    findings: BTreeMap<Known, Count>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Known {
    file: String,
    rule: String,
    fingerprint: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Count {
    number: usize,
    message: String,
}

impl Baseline {
    /// Reads the file of an id.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place.
    pub fn parse(sources: &Sources, file: FileId) -> Result<Self, Vec<Incomplete>> {
        let wrong = |span: Option<Span>, message: &str| Incomplete {
            file: sources.path(file).to_owned(),
            span,
            message: message.to_owned(),
        };
        let text = sources.text(file).ok_or_else(|| vec![wrong(None, "the baseline was not read")])?;
        let parsed = yaml::parse(&text);
        if !parsed.problems.is_empty() {
            let problems = parsed.problems.iter();
            return Err(problems.map(|problem| wrong(Some(problem.span), &problem.message)).collect());
        }
        let document = parsed.documents.first();
        let Some(root) = document.map(yaml::Document::root).filter(|root| root.get("version").is_some())
        else {
            return Err(vec![wrong(None, "this is no baseline; --write-baseline writes one")]);
        };
        if root.get("version").and_then(Node::as_i64) != Some(1) {
            let message = "this baseline is of another version; --write-baseline writes it anew";
            return Err(vec![wrong(root.get("version").map(Node::span), message)]);
        }
        let mut baseline = Self::default();
        let mut mistakes = Vec::new();
        for entry in root.get("findings").into_iter().flat_map(Node::items) {
            let field = |key: &str| entry.get(key).and_then(Node::as_str).map(str::to_owned);
            let count = match entry.get("count") {
                Some(count) => count.as_i64().and_then(|count| usize::try_from(count).ok()),
                None => Some(1),
            };
            match (field("file"), field("rule"), field("fingerprint"), count) {
                (Some(file), Some(rule), Some(fingerprint), Some(number)) => {
                    let message = field("message").unwrap_or_default();
                    let known = baseline.findings.entry(Known { file, rule, fingerprint }).or_default();
                    known.number = known.number.saturating_add(number);
                    known.message = message;
                }
                _ => {
                    let message = "an entry has file, rule and fingerprint; --write-baseline writes them";
                    mistakes.push(wrong(Some(entry.span()), message));
                }
            }
        }
        if let Some(findings) = root.get("findings")
            && !matches!(findings.kind(), Kind::Sequence | Kind::Null)
        {
            mistakes.push(wrong(Some(findings.span()), "findings is a sequence; --write-baseline writes it"));
        }
        if mistakes.is_empty() { Ok(baseline) } else { Err(mistakes) }
    }

    /// Everything that a report would otherwise say, the findings of an earlier baseline included. Files count from the
    /// baseline's folder.
    pub fn of(report: &Report, folder: &Folder) -> Self {
        let mut baseline = Self::default();
        let earlier = report.suppressed.iter().filter(|entry| entry.by == Suppressor::Baseline);
        for finding in report.findings.iter().chain(earlier.map(|entry| &entry.finding)) {
            let known = baseline.findings.entry(known(&report.files, folder, finding)).or_default();
            known.number += 1;
            if known.message.is_empty() {
                known.message.clone_from(&finding.message);
            }
        }
        baseline
    }

    /// Takes what is known out of a report's findings, and says how many of the known ones are gone: they are of files
    /// among the sources, and no finding is like them any more.
    pub fn suppress(&self, report: &mut Report, folder: &Folder) -> usize {
        let mut left = self.findings.clone();
        let mut reported = Vec::new();
        for finding in std::mem::take(&mut report.findings) {
            match left.get_mut(&known(&report.files, folder, &finding)).filter(|count| count.number > 0) {
                Some(count) => {
                    count.number -= 1;
                    let reason = "it is in the baseline".to_owned();
                    report.suppressed.push(Suppressed { finding, by: Suppressor::Baseline, reason });
                }
                None => reported.push(finding),
            }
        }
        report.findings = reported;
        report.sort_suppressed();
        let seen: BTreeSet<String> = sorted::set(report.files.paths().map(|path| folder.name(path)));
        let gone = left.iter().filter(|(known, _)| seen.contains(&known.file));
        gone.map(|(_, count)| count.number).sum()
    }

    /// How many findings it knows.
    pub fn len(&self) -> usize {
        self.findings.values().map(|count| count.number).sum()
    }

    /// Whether it knows none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The file's text.
    pub fn text(&self) -> String {
        let mut out = String::from(
            "# Findings that mtls-lint does not report, because they were there when this was written.\n\
             # mtls-lint check --write-baseline FILE writes it anew.\nversion: 1\nfindings:",
        );
        if self.findings.is_empty() {
            out.push_str(" []");
        }
        out.push('\n');
        for (known, count) in &self.findings {
            let number = if count.number == 1 { String::new() } else { format!("count: {}, ", count.number) };
            let _ = writeln!(
                out,
                "  - {{file: {}, rule: {}, fingerprint: {}, {number}message: {}}}",
                quoted(&known.file),
                quoted(&known.rule),
                quoted(&known.fingerprint),
                quoted(&count.message),
            );
        }
        out
    }
}

fn known(files: &Files, folder: &Folder, finding: &Finding) -> Known {
    let file =
        finding.labels.first().map_or_else(String::new, |label| folder.name(files.path(label.span.file)));
    let fingerprint = fingerprint(files, finding, &file);
    Known { file, rule: finding.rule.to_owned(), fingerprint }
}

/// A double-quoted scalar: JSON's strings are YAML's, where what YAML may take for a line break is escaped.
fn quoted(text: &str) -> String {
    let mut out = String::new();
    for letter in serde_json::Value::from(text).to_string().chars() {
        match letter {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Baseline, Vec<Incomplete>> {
        let mut sources = Sources::default();
        let file = sources.add("baseline.yaml", text);
        Baseline::parse(&sources, file)
    }

    #[test]
    fn a_baseline_reads_what_it_writes() {
        let mut baseline = Baseline::default();
        for (file, number, message) in
            [("a \"b\".yaml", 1, "x: {y} # \\ z\n"), ("ü\u{85}\u{2028}.yaml", 3, "\u{feff}\u{7f}")]
        {
            let known = Known { file: file.into(), rule: "weak-key".into(), fingerprint: "00ff".into() };
            baseline.findings.insert(known, Count { number, message: message.into() });
        }
        assert_eq!(parse(&baseline.text()), Ok(baseline));
        assert_eq!(parse(&Baseline::default().text()), Ok(Baseline::default()));
    }

    #[test]
    fn what_is_no_baseline_says_so() {
        for (text, part) in [
            ("", "no baseline"),
            ("a: 1", "no baseline"),
            ("version: 2", "another version"),
            ("version: 1\nfindings: {}", "is a sequence"),
            ("version: 1\nfindings: [{file: a, rule: b}]", "fingerprint"),
            ("version: 1\nfindings: [{file: a, rule: b, fingerprint: c, count: -1}]", "fingerprint"),
            ("version: [", ""),
        ] {
            let mistakes = parse(text).unwrap_err();
            assert!(mistakes[0].message.contains(part), "{text}: {mistakes:?}");
        }
    }
}

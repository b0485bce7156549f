//! Allowances: findings that somebody answers for, by a comment beside them or by mtls-lint.yaml.
//!
//! A comment at the end of a line allows findings on that line. A comment on a line of its own allows them in what
//! follows: the entry of a mapping or sequence with all that is indented beneath it, the nginx block up to its closing
//! brace, the PEM block up to its END; above the first key of a YAML document, the whole document. A finding is covered
//! where one of its labels is: what is missing is labelled at the block that lacks it, and allowed where it is used.

mod comment;
mod names;

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{Config, Glob};
use crate::deployment::Deployment;
use crate::finding::{Finding, Suppressed, Suppressor};
use crate::source::{FileId, Located, Sources, Span};
use crate::time::UnixSeconds;
use mtls_identity::sorted;
use names::Resources;

/// Every allowance of the sources and of the configuration.
#[derive(Debug, Clone, Default)]
pub struct Allowances {
    list: Vec<Allowance>,
    /// Those that concern a rule within a file, as ranges.
    ranges: BTreeMap<(String, FileId), Ranges>,
    /// Those of the configuration that concern a rule.
    configured: BTreeMap<String, Vec<usize>>,
    resources: Resources,
}

/// What is allowed, where, and why.
#[derive(Debug, Clone)]
pub struct Allowance {
    /// The ids of rules, each where it is written.
    pub rules: Vec<Located<String>>,
    /// Why, in the words of who allowed it.
    pub reason: String,
    /// The first moment at which it no longer counts.
    pub expires: Option<Located<UnixSeconds>>,
    /// What it covers.
    pub covers: Covers,
    /// Where it is written.
    pub span: Span,
    /// What is wrong with it, and what to write: it allows nothing.
    pub mistake: Option<String>,
}

/// What an allowance covers.
#[derive(Debug, Clone)]
pub enum Covers {
    /// A comment: these bytes.
    Range(Span),
    /// An entry of mtls-lint.yaml.
    Entry {
        /// The files that its patterns mean; None: all.
        files: Option<BTreeSet<FileId>>,
        /// Resources and programs; empty: all.
        names: Vec<Glob>,
    },
}

/// Ranges of one file, sorted by their beginning.
#[derive(Debug, Clone, Default)]
struct Ranges {
    /// First byte, one past the last, index of the allowance.
    list: Vec<(u32, u32, usize)>,
    /// The furthest end of all ranges up to here.
    reach: Vec<u32>,
}

impl Allowances {
    /// Nobody answers for anything.
    pub const NONE: Self = Self {
        list: Vec::new(),
        ranges: BTreeMap::new(),
        configured: BTreeMap::new(),
        resources: Resources::NONE,
    };

    /// Reads the comments of every source, and takes in the entries of the configuration.
    pub fn new(sources: &Sources, config: &Config) -> Self {
        let mut list = Vec::new();
        for (id, _) in sources.iter() {
            if let Some(text) = sources.text(id) {
                comment::read(&text, &mut list);
            }
        }
        list.extend(config.ignores.iter().map(|ignore| {
            let meant = |path: &str| {
                let name = config.folder.name(path);
                ignore.files.iter().any(|glob| glob.matches_path(&name))
            };
            let files =
                || sorted::set(sources.iter().filter(|(_, file)| meant(&file.path)).map(|(id, _)| id));
            Allowance {
                rules: ignore.rules.clone(),
                reason: ignore.reason.clone(),
                expires: ignore.expires.clone(),
                covers: Covers::Entry {
                    files: (!ignore.files.is_empty()).then(files),
                    names: ignore.names.clone(),
                },
                span: ignore.span,
                mistake: None,
            }
        }));
        let named = config.ignores.iter().any(|ignore| !ignore.names.is_empty());
        let resources = if named { Resources::read(sources) } else { Resources::default() };
        let mut allowances = Self { resources, ..Self::default() };
        for (index, allowance) in list.iter().enumerate() {
            for rule in &allowance.rules {
                match &allowance.covers {
                    Covers::Range(span) => allowances
                        .ranges
                        .entry((rule.value.clone(), span.file))
                        .or_default()
                        .list
                        .push((span.start, span.end, index)),
                    Covers::Entry { .. } => {
                        allowances.configured.entry(rule.value.clone()).or_default().push(index);
                    }
                }
            }
        }
        allowances.ranges.values_mut().for_each(Ranges::sort);
        allowances.list = list;
        allowances
    }

    /// All of them: comments in the order of the sources, then the entries of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &Allowance> {
        self.list.iter()
    }

    /// The allowances that cover a finding, as positions in [`Self::iter`].
    pub fn covering<'s>(
        &'s self,
        finding: &'s Finding,
        deployment: &'s Deployment,
        at: UnixSeconds,
    ) -> impl Iterator<Item = usize> + 's {
        let place = finding.labels.first().map(|label| label.span);
        let comments = finding.labels.iter().flat_map(|label| {
            let ranges = self.ranges.get(&(finding.rule.to_owned(), label.span.file));
            ranges.into_iter().flat_map(move |ranges| ranges.containing(label.span.start))
        });
        let entries = self.configured.get(finding.rule).into_iter().flatten().copied();
        let entries =
            entries.filter(move |index| match self.list.get(*index).map(|allowance| &allowance.covers) {
                Some(Covers::Entry { files, names }) => {
                    let within = files
                        .as_ref()
                        .is_none_or(|files| place.is_some_and(|span| files.contains(&span.file)));
                    within
                        && (names.is_empty()
                            || self
                                .resources
                                .names(finding, deployment)
                                .any(|name| names.iter().any(|glob| glob.matches(name))))
                }
                _ => false,
            });
        comments
            .chain(entries)
            .filter(move |index| self.list.get(*index).is_some_and(|allowance| allowance.counts(at)))
    }

    /// Takes out what is allowed.
    pub fn suppress(
        &self,
        findings: &mut Vec<Finding>,
        deployment: &Deployment,
        at: UnixSeconds,
    ) -> Vec<Suppressed> {
        let mut suppressed = Vec::new();
        if self.list.is_empty() {
            return suppressed;
        }
        let mut reported = Vec::new();
        for finding in findings.drain(..) {
            let first = self.covering(&finding, deployment, at).min().and_then(|index| self.list.get(index));
            match first {
                Some(allowance) => suppressed.push(Suppressed {
                    finding,
                    by: match allowance.covers {
                        Covers::Range(_) => Suppressor::Comment,
                        Covers::Entry { .. } => Suppressor::Configuration,
                    },
                    reason: allowance.reason.clone(),
                }),
                None => reported.push(finding),
            }
        }
        *findings = reported;
        suppressed
    }
}

impl Allowance {
    /// Whether it allows anything at this moment.
    pub fn counts(&self, at: UnixSeconds) -> bool {
        self.mistake.is_none() && !self.has_expired(at)
    }

    /// Whether its last day is over.
    pub fn has_expired(&self, at: UnixSeconds) -> bool {
        self.expires.as_ref().is_some_and(|expires| expires.value <= at)
    }

    /// Whether it is an entry of the configuration that means files which are not among the sources.
    pub fn is_about_other_files(&self) -> bool {
        matches!(&self.covers, Covers::Entry { files: Some(files), .. } if files.is_empty())
    }
}

impl Ranges {
    fn sort(&mut self) {
        sorted::sort(&mut self.list);
        let mut reach = 0;
        for (_, end, _) in &self.list {
            reach = reach.max(*end);
            self.reach.push(reach);
        }
    }

    fn containing(&self, at: u32) -> impl Iterator<Item = usize> {
        let upto = self.list.partition_point(|(start, _, _)| *start <= at);
        let before = self.list.iter().zip(&self.reach).take(upto).rev();
        before
            .take_while(move |(_, reach)| **reach > at)
            .filter(move |((_, end, _), _)| *end > at)
            .map(|((_, _, index), _)| *index)
    }
}

//! What the linter says: findings with labels, sorted into a report.

use crate::source::Span;

/// How bad it is; one per rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Hygiene.
    Advice,
    /// Depends on a date, a version or something unseen.
    Warning,
    /// Provably fails, or provably lets in a peer that nobody authenticated.
    Error,
}

impl Severity {
    /// The word printed for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Advice => "advice",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One mistake, where it stands, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule's id.
    pub rule: &'static str,
    /// The rule's severity, unless the configuration says otherwise.
    pub severity: Severity,
    /// Both halves of the disagreement in one sentence.
    pub message: String,
    /// The fix as text to write.
    pub help: Option<String>,
    /// The first label is the primary one; the others are related places in any file.
    pub labels: Vec<Label>,
    /// The one certain edit that remedies it, where there is one; help alone otherwise.
    pub fix: Option<Fix>,
}

/// A remedy that needs no knowledge beyond the sources: applied whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What it does, as an order: "add `client auth` to usages".
    pub title: String,
    /// Edits that do not overlap, in any files, in any order.
    pub edits: Vec<Edit>,
}

/// One replacement of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced; empty: text is inserted there.
    pub span: Span,
    /// What stands there afterwards.
    pub text: String,
}

/// A place and what it has to do with the mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What stands there; may be empty for the primary label.
    pub message: String,
}

/// A finding that somebody answered for: it is neither printed nor counted, and kept for who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppressed {
    /// What was found.
    pub finding: Finding,
    /// By what it is suppressed.
    pub by: Suppressor,
    /// Why, in the words of who allowed it.
    pub reason: String,
}

/// What keeps a finding from being reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suppressor {
    /// A comment beside it.
    Comment,
    /// An ignore of mtls-lint.yaml.
    Configuration,
    /// The baseline.
    Baseline,
}

impl Suppressor {
    /// The word printed for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Comment => "comment",
            Self::Configuration => "configuration",
            Self::Baseline => "baseline",
        }
    }
}

/// What was left out of the check for a good reason, and how it gets into it: no exit status hangs on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What it is about: of one kind, people are told the first.
    pub kind: NoteKind,
    /// The path as given.
    pub file: String,
    /// Where in it, when known.
    pub span: Option<Span>,
    /// What is left out, and what to give instead.
    pub message: String,
}

/// What a [`Note`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoteKind {
    /// A configuration includes files outside the given paths.
    Include,
    /// A symbolic link leads out of the given paths.
    Link,
    /// Pieces of a configuration are read without the file that includes them.
    Surroundings,
    /// A kustomization changes its objects.
    Patch,
    /// Resources that a program loads, without the configuration of that program.
    Discovery,
}

/// Input that could not be read or understood: exit status 2, the rest is still checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incomplete {
    /// The path as given.
    pub file: String,
    /// Where in it, when known.
    pub span: Option<Span>,
    /// What is wrong and what to do.
    pub message: String,
}

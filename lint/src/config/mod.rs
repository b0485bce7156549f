//! mtls-lint.yaml: levels of rules, ignores with their reasons, versions to assume, which files are read.
//!
//! ```yaml
//! rules:
//!   unauthenticated-clients: error
//!   literal-password: off
//! ignore:
//!   - rule: unverified-server
//!     file: legacy/**
//!     reason: the store moves behind the gateway in March (OPS-1234)
//!     expires: 2027-03-31
//! assume: {nginx: 1.26.3}
//! paths: {exclude: [vendor]}
//! expires-within: 45d
//! deny: warning
//! ```
//!
//! Nothing in it is taken lightly: a key that nobody knows is an error with its place.

mod folder;
mod glob;
mod read;
mod schema;

pub use folder::Folder;
pub use glob::Glob;
pub use schema::{schema, schema_text};

use crate::finding::{Finding, Incomplete, Severity};
use crate::source::{FileId, Located, Sources, Span};
use crate::time::UnixSeconds;

/// The name of the file.
pub const FILE_NAME: &str = "mtls-lint.yaml";

/// What a project says once and for all.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// How bad a finding of a rule is taken to be.
    pub levels: Vec<(&'static str, Level)>,
    /// Findings that somebody answers for.
    pub ignores: Vec<Ignore>,
    /// `NAME=VALUE` items, as `--assume` takes them.
    pub assume: Vec<String>,
    /// Which of the files found in folders are read.
    pub paths: Paths,
    /// How early, in seconds, an expiry is a warning.
    pub expires_within: Option<i64>,
    /// From which severity on findings fail the run.
    pub deny: Option<Deny>,
    /// The folder of the file: patterns of files count from it.
    pub folder: Folder,
}

/// A rule's severity by configuration, or none at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Findings are of this severity.
    As(Severity),
    /// The rule does not speak.
    Off,
}

/// From which severity on findings fail the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deny {
    /// This and above.
    From(Severity),
    /// Whatever is found, the run is fine.
    Never,
}

/// One entry of `ignore`.
#[derive(Debug, Clone)]
pub struct Ignore {
    /// The rules, each where it is written.
    pub rules: Vec<Located<String>>,
    /// In which files; empty: in all.
    pub files: Vec<Glob>,
    /// On which resources or programs; empty: on all.
    pub names: Vec<Glob>,
    /// Why, for the one who asks in a year.
    pub reason: String,
    /// The first moment at which it no longer counts, and where the date is written.
    pub expires: Option<Located<UnixSeconds>>,
    /// Where the entry is written.
    pub span: Span,
}

/// Which of the files found in folders are read; a file named on the command line always is.
#[derive(Debug, Clone, Default)]
pub struct Paths {
    /// Empty: all.
    pub include: Vec<Glob>,
    /// Stronger than `include`.
    pub exclude: Vec<Glob>,
}

impl Config {
    /// Reads the file of an id.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place.
    pub fn parse(sources: &Sources, file: FileId) -> Result<Self, Vec<Incomplete>> {
        read::config(sources, file)
    }

    /// The mtls-lint.yaml among some files: the one that stands highest.
    pub fn find(sources: &Sources) -> Option<FileId> {
        let named = sources.iter().filter(|(_, file)| file.path.rsplit('/').next() == Some(FILE_NAME));
        named.min_by_key(|(_, file)| file.path.matches('/').count()).map(|(id, _)| id)
    }

    /// Whether a file that was found in a folder is read; `path` is as it would be printed.
    pub fn reads(&self, path: &str) -> bool {
        let name = self.folder.name(path);
        let among = |globs: &[Glob]| globs.iter().any(|glob| glob.matches_path(&name));
        (self.paths.include.is_empty() || among(&self.paths.include)) && !among(&self.paths.exclude)
    }

    /// Gives findings their severities; those of a rule that is off are dropped.
    pub fn set_levels(&self, findings: &mut Vec<Finding>) {
        if self.levels.is_empty() {
            return;
        }
        findings.retain_mut(|finding| match self.level(finding.rule) {
            Some(Level::As(severity)) => {
                finding.severity = severity;
                true
            }
            Some(Level::Off) => false,
            None => true,
        });
    }

    fn level(&self, rule: &str) -> Option<Level> {
        self.levels.iter().find(|(id, _)| *id == rule).map(|(_, level)| *level)
    }
}

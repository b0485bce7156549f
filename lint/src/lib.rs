//! Reads a whole deployment's configuration and certificates, predicts every TLS connection in it and
//! names each mistake on the line where it stands.
//!
//! ```text
//! Sources → syntax → dialect → resolve::link → Deployment → handshake::predict + rules::run → Report → render
//! ```
//!
//! [`lint`] is the pipeline. Everything in this library is pure: files, clock, arguments and the terminal
//! belong to `main.rs` (feature `cli`) or to the page.

#![forbid(unsafe_code)]

pub mod allowance;
pub mod assume;
pub mod baseline;
pub mod certificates;
pub mod config;
pub mod decide;
pub mod deployment;
mod dialect;
pub mod explain;
pub mod finding;
mod fingerprint;
pub mod fix;
pub mod handshake;
pub mod inspect;
pub mod lsp;
pub mod recognise;
pub mod render;
pub mod report;
mod resolve;
pub mod rules;
mod selection;
pub mod source;
pub mod stack;
mod suggestion;
pub mod syntax;
pub mod time;
pub mod visible;

pub use report::Report;

use allowance::Allowances;
use assume::Assume;
use config::Config;
use source::Sources;
use time::UnixSeconds;

/// What the user asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// The moment to judge at.
    pub at: UnixSeconds,
    /// Versions and settings to assume.
    pub assume: Assume,
    /// How early, in seconds, an expiry is a warning.
    pub expires_within: i64,
    /// A command line whose connections are asked for, word by word; None: all connections.
    pub command: Option<Vec<String>>,
}

/// Predicts every connection of the sources and checks every rule; comments in the sources allow findings.
pub fn lint(sources: &Sources, options: &Options) -> Report {
    lint_with(sources, options, &Config::default())
}

/// The same with a configuration's ignores and levels. Its versions, durations and paths are the caller's to apply: an
/// explicit wish of the user is stronger.
pub fn lint_with(sources: &Sources, options: &Options, config: &Config) -> Report {
    let allowances = Allowances::new(sources, config);
    let linked = resolve::link(sources, &options.assume, options.command.as_deref());
    let predictions = handshake::predict_all(&linked.deployment, options.at);
    let mut subject =
        rules::Subject::new(&linked.deployment, &predictions, options.at, options.expires_within);
    subject.allowances = &allowances;
    subject.complete = linked.incomplete.is_empty() && options.command.is_none();
    let findings = rules::run(&subject);
    let mut report = Report::new(sources, linked, predictions, findings);
    report.suppressed = allowances.suppress(&mut report.findings, &report.deployment, options.at);
    config.set_levels(&mut report.findings);
    report
}

//! Reads a whole deployment's configuration and certificates, predicts every TLS connection in it and
//! names each mistake on the line where it stands.
//!
//! ```text
//! Sources → syntax → dialect → resolve::link → Deployment → handshake::predict + rules::run → Report → render
//! ```
//!
//! [`lint`] is the pipeline. Everything in this library is pure: files, clock, arguments and the terminal
//! belong to `main.rs` (feature `cli`) or to the page.

pub mod assume;
pub mod decide;
pub mod deployment;
pub mod dialect;
pub mod explain;
pub mod finding;
pub mod fix;
pub mod handshake;
pub mod inspect;
pub mod render;
pub mod report;
pub mod resolve;
pub mod rules;
pub mod selection;
pub mod source;
pub mod stack;
pub mod syntax;
pub mod time;

pub use report::Report;

use assume::Assume;
use handshake::UnixSeconds;
use source::Sources;

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

/// Predicts every connection of the sources and checks every rule.
pub fn lint(sources: &Sources, options: &Options) -> Report {
    let linked = resolve::link(sources, &options.assume, options.command.as_deref());
    let predictions = handshake::predict_all(&linked.deployment, options.at);
    let findings = rules::run(&rules::Subject::new(
        &linked.deployment,
        &predictions,
        options.at,
        options.expires_within,
    ));
    Report::new(sources, linked, predictions, findings)
}

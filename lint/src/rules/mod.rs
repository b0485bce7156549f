//! The catalogue: each rule is data and one function, one file per rule.
//!
//! A rule sees the deployment, the predictions and a time; it parses nothing and follows no reference.
//! The doc comment inside `rule!` is the rule's page: rustdoc, `mtls-lint explain` and the page print it.

mod connection;

use std::collections::BTreeSet;

use crate::deployment::Deployment;
use crate::finding::{Finding, Severity};
use crate::handshake::{Prediction, UnixSeconds};

/// What a rule looks at.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Everything that was found, references followed.
    pub deployment: &'a Deployment,
    /// One for each of the deployment's connections, in its order.
    pub predictions: &'a [Prediction],
    /// The moment to judge at.
    pub at: UnixSeconds,
    /// How early, in seconds, an expiry is a warning.
    pub expires_within: i64,
}

/// A mistake that the linter knows.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The mistake's name: file name, fixture folder, snapshot name.
    pub id: &'static str,
    /// One per rule.
    pub severity: Severity,
    /// The doc comment, line by line, each with its leading space.
    pub docs: &'static str,
    /// Adds what it finds.
    pub check: fn(&Subject<'_>, &mut Vec<Finding>),
}

/// Declares a rule: its page as a doc comment, its id, severity and function.
macro_rules! rule {
    ($(#[doc = $page:literal])+ $id:literal, $severity:ident, $check:path) => {
        $(#[doc = $page])+
        pub const RULE: $crate::rules::Rule = $crate::rules::Rule {
            id: $id,
            severity: $crate::finding::Severity::$severity,
            docs: concat!($($page, "\n"),+),
            check: $check,
        };
    };
}
pub(crate) use rule;

/// Every rule, by id.
pub const RULES: &[Rule] = &[connection::unknown_issuer::RULE];

/// The rule of an id.
pub fn find(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}

/// Runs every rule.
pub fn run(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in RULES {
        (rule.check)(subject, &mut findings);
    }
    findings
}

impl Subject<'_> {
    /// Reports the connections whose prediction names this rule first: one finding for one place, however many
    /// connections break on it.
    pub fn predicted(&self, rule: &Rule, findings: &mut Vec<Finding>) {
        let mut places = BTreeSet::new();
        for prediction in self.predictions {
            let Some(why) = prediction.why.first().filter(|why| why.rule == rule.id) else { continue };
            if places.insert(why.labels.first().map(|label| label.span)) {
                findings.push(Finding {
                    rule: rule.id,
                    severity: rule.severity,
                    message: why.message.clone(),
                    help: why.help.clone(),
                    labels: why.labels.clone(),
                });
            }
        }
    }
}

impl Rule {
    /// The rule's page as Markdown.
    pub fn page(&self) -> String {
        self.docs.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
    }
}

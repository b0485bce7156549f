//! Reports as text: for people, for programs, for continuous integration.

pub mod diagram;
pub mod github;
#[cfg(feature = "cli")]
mod groups;
pub mod json;
pub mod junit;
pub mod sarif;
#[cfg(feature = "cli")]
pub mod terminal;

/// The address of a rule's page.
pub fn rule_url(rule: &str) -> String {
    format!("https://github.com/mtls-guard/mtls-guard/blob/main/README.md#{rule}")
}

//! A followed reference: found, missing, or outside of what was seen.

use crate::finding::Label;

/// A followed reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup<T> {
    /// It is there.
    Found(T),
    /// We saw where it had to be and it is not: what is missing, with the places that show it.
    Missing(Missing),
    /// It lies outside the sources: the text completes "undetermined because …".
    Unseen(String),
}

impl<T> Lookup<T> {
    /// What was found.
    pub fn found(&self) -> Option<&T> {
        match self {
            Self::Found(value) => Some(value),
            Self::Missing(_) | Self::Unseen(_) => None,
        }
    }

    /// Applies a change to what was found.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Lookup<U> {
        match self {
            Self::Found(value) => Lookup::Found(change(value)),
            Self::Missing(missing) => Lookup::Missing(missing),
            Self::Unseen(why) => Lookup::Unseen(why),
        }
    }
}

/// A reference that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The rule that names this mistake (`unmounted-path`, `missing-secret`, …).
    pub rule: &'static str,
    /// What is missing and where it was looked for.
    pub message: String,
    /// Places that show it (the mount, the Secret, …), apart from the reference itself.
    pub labels: Vec<Label>,
}

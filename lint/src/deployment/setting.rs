//! A setting with its place.

use crate::source::{Located, Span};

/// A setting with its place: given, or a default whose parent is where it could be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting<T> {
    /// Written by the user.
    Given(Located<T>),
    /// Not written: the program's default (of its version), labelled at the block that lacks it.
    Default {
        /// The default's value.
        value: T,
        /// Where it could have been written.
        parent: Span,
    },
}

impl<T> Setting<T> {
    /// The value in force.
    pub fn value(&self) -> &T {
        match self {
            Self::Given(located) => &located.value,
            Self::Default { value, .. } => value,
        }
    }

    /// Where it is, or would be, written.
    pub fn span(&self) -> Span {
        match self {
            Self::Given(located) => located.span,
            Self::Default { parent, .. } => *parent,
        }
    }

    /// Whether the user wrote it.
    pub fn is_given(&self) -> bool {
        matches!(self, Self::Given(_))
    }
}

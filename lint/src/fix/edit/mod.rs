//! Edits that keep everything around them: comments, indentation, line ends, the way its neighbours are written.

pub mod lines;
pub mod nginx;
pub mod yaml;

use crate::finding::Edit;
use crate::source::Span;

/// Replaces what stands at a span.
pub fn replace(span: Span, text: impl Into<String>) -> Edit {
    Edit { span, text: text.into() }
}

/// Inserts text at an offset.
pub fn insert(span: Span, at: usize, text: impl Into<String>) -> Option<Edit> {
    let at = u32::try_from(at).ok()?;
    Some(Edit { span: Span { file: span.file, start: at, end: at }, text: text.into() })
}

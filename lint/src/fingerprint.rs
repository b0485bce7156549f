//! What stays the same of a finding when its line moves.

use sha2::{Digest, Sha256};

use crate::finding::Finding;
use crate::report::Files;
use crate::source::Span;

/// Rule, file and text of the primary label's line, hashed. The text is that which is shown: secrets are masked in it, so
/// that nothing can be learnt of them by guessing. Findings on equal lines share it; they are told apart by their order.
pub fn fingerprint(files: &Files, finding: &Finding, file: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(finding.rule.as_bytes());
    if let Some(label) = finding.labels.first() {
        hash.update([0]);
        hash.update(file.as_bytes());
        hash.update([0]);
        hash.update(line(files, label.span));
    }
    hash.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

/// The line as it is shown, its blanks made alike.
fn line(files: &Files, span: Span) -> String {
    let shown = files.shown(span.file);
    let at = shown.at(span.start as usize).min(shown.text.len());
    let start = shown.text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
    let line = shown.text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

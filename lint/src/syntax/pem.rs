//! PEM without a verdict: every block that a person would see, indented ones, broken ones and those of unknown labels
//! included. What a program reads of it is for `stack`.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::source::as_text;

/// A block between BEGIN and END.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// `CERTIFICATE`.
    pub label: String,
    /// From BEGIN to the end of the END line (or of the text).
    pub range: Range<usize>,
    /// What it holds, or what is wrong with it.
    pub content: Result<Vec<u8>, Damage>,
    /// `Proc-Type: 4,ENCRYPTED` stands in it.
    pub encrypted: bool,
    /// BEGIN does not start its line.
    pub indented: bool,
}

/// Why a block holds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// There is no END line with its label.
    NoEnd,
    /// Its body is not base64.
    Base64,
}

const BEGIN: &str = "-----BEGIN ";

/// The blocks of a text, in order.
pub fn blocks(bytes: &[u8]) -> Vec<Block> {
    let text = as_text(bytes);
    let mut blocks = Vec::new();
    let mut at = 0;
    let mut line_start = 0;
    while let Some(found) = text.get(at..).and_then(|rest| find(rest, BEGIN)) {
        let start = at + found;
        at = start + BEGIN.len();
        // only what was not looked at before: a line may hold many BEGINs
        let since = text.get(line_start..start).unwrap_or_default();
        line_start += since.rfind('\n').map_or(0, |line| line + 1);
        let lead = text.get(line_start..start).unwrap_or_default().trim_start_matches('\u{feff}');
        // no later BEGIN has its dashes either
        let Some((label, _)) = text.get(at..).and_then(|rest| rest.split_once("-----")) else { break };
        if label.contains('\n') {
            continue;
        }
        at += label.len() + "-----".len();
        let end = format!("-----END {label}-----");
        let rest = text.get(at..).unwrap_or_default();
        let until = find(rest, BEGIN).unwrap_or(rest.len());
        let body = rest.get(..until).unwrap_or_default();
        let (body, length, closed) = match find(body, &end) {
            Some(stop) => (body.get(..stop).unwrap_or_default(), stop + end.len(), true),
            None => (body, until, false),
        };
        let encrypted = body.contains(':') && body.contains("ENCRYPTED");
        let mut base64 = Vec::with_capacity(body.len());
        for line in body.lines().filter(|line| !line.contains(':')) {
            for part in line.as_bytes().split(u8::is_ascii_whitespace) {
                base64.extend_from_slice(part);
            }
        }
        let content =
            if closed { STANDARD.decode(base64).map_err(|_| Damage::Base64) } else { Err(Damage::NoEnd) };
        let range = start..at + length;
        at = range.end;
        blocks.push(Block { label: label.to_owned(), range, content, encrypted, indented: !lead.is_empty() });
    }
    blocks
}

/// Where a text that begins with a dash stands in another; what is between, base64, has no dash at all.
fn find(text: &str, dashes: &str) -> Option<usize> {
    let at_dash = memchr::memchr_iter(b'-', text.as_bytes());
    at_dash.into_iter().find(|at| text.get(*at..).is_some_and(|rest| rest.starts_with(dashes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_in_latin_1_hides_no_block() {
        let found = blocks(b"# Certific\xe1mara\n-----BEGIN A-----\nAAAA\n-----END A-----\n");
        let ranges: Vec<_> = found.iter().map(|block| (block.range.start, block.range.end)).collect();
        assert_eq!(ranges, [(16, 54)]);
    }

    #[test]
    fn broken_blocks_are_seen_too() {
        let text = "x\n-----BEGIN A-----\nAAAA\n-----END A-----\n  -----BEGIN B-----\n!!\n-----END B-----\n-----BEGIN C-----\nAAAA\n";
        let found: Vec<_> = blocks(text.as_bytes())
            .into_iter()
            .map(|block| (block.label, block.content.map(|der| der.len()), block.indented))
            .collect();
        assert_eq!(
            found,
            [
                ("A".to_owned(), Ok(3), false),
                ("B".to_owned(), Err(Damage::Base64), true),
                ("C".to_owned(), Err(Damage::NoEnd), false),
            ]
        );
    }
}

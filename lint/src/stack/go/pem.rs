//! PEM as Go's encoding/pem decodes it: what is no block is passed over, whatever it is.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// `CERTIFICATE`.
    pub label: String,
    /// From BEGIN to the END line.
    pub range: Range<usize>,
    /// It has headers, so it is encrypted or foreign.
    pub has_headers: bool,
    /// What it holds.
    pub der: Vec<u8>,
}

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"\n-----END ";
const DASHES: &[u8] = b"-----";

/// Every block that Go finds, in order (pem.Decode until it returns nil).
pub fn blocks(bytes: &[u8]) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut at = 0;
    let mut seen = Seen::default();
    while let Some((block, next)) = decode(bytes, at, &mut seen) {
        blocks.push(block);
        if next <= at {
            break;
        }
        at = next;
    }
    blocks
}

/// What was found ahead of where a block is looked for, so that a text of nothing but BEGIN lines is not read again for
/// each of them.
#[derive(Default)]
struct Seen {
    /// A run of header lines.
    headers: Range<usize>,
    /// From where on the next END was looked for, and where it is.
    end: Range<usize>,
}

fn decode(bytes: &[u8], from: usize, seen: &mut Seen) -> Option<(Block, usize)> {
    let mut at = from;
    let mut first = true;
    loop {
        let rest = bytes.get(at..)?;
        let begin = if first && rest.starts_with(BEGIN) {
            at
        } else {
            // only at the start of a line
            at + find(rest, b"\n-----BEGIN ")? + 1
        };
        first = false;
        at = begin + BEGIN.len();
        let (line, mut body) = line(bytes, at);
        at = body;
        let Some(label) = line.strip_suffix(DASHES) else { continue };
        let mut headers = 0;
        let lines = body;
        if seen.headers.contains(&body) {
            headers = 1;
            body = seen.headers.end;
        }
        loop {
            let rest = bytes.get(body..).filter(|rest| !rest.is_empty())?;
            let (header, next) = self::line(bytes, body);
            if !header.contains(&b':') || rest.is_empty() {
                break;
            }
            headers += 1;
            body = next;
        }
        seen.headers = lines..body;
        let content = bytes.get(body..)?;
        let (end, trailer) = if headers == 0 && content.starts_with(END.get(1..).unwrap_or_default()) {
            (0, END.len() - 1)
        } else {
            if !(seen.end.start..=seen.end.end).contains(&body) || seen.end.is_empty() {
                // without an END ahead, no later block has one either
                seen.end = body..body + find(content, END)?;
            }
            let end = seen.end.end - body;
            (end, end + END.len())
        };
        let Some(tail) = content.get(trailer..) else { continue };
        let Some(tail) = tail.strip_prefix(label).and_then(|tail| tail.strip_prefix(DASHES)) else {
            continue;
        };
        let after = bytes.len() - tail.len();
        let (rest_of_line, next) = self::line(bytes, after);
        if !rest_of_line.is_empty() {
            continue;
        }
        let content = content.get(..end)?;
        // no base64 has a dash, but another BEGIN line has
        if content.contains(&b'-') {
            continue;
        }
        let mut text = Vec::with_capacity(content.len());
        for part in content.split(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
            text.extend_from_slice(part);
        }
        let Ok(der) = STANDARD.decode(&text) else { continue };
        let label = String::from_utf8_lossy(label).into_owned();
        return Some((Block { label, range: begin..after, has_headers: headers > 0, der }, next));
    }
}

/// The line at an offset without trailing space, and where the next one starts (getLine).
fn line(bytes: &[u8], at: usize) -> (&[u8], usize) {
    let rest = bytes.get(at..).unwrap_or_default();
    let (line, next) = match memchr::memchr(b'\n', rest) {
        Some(end) => (rest.get(..end).unwrap_or_default(), at + end + 1),
        None => (rest, bytes.len()),
    };
    let kept = line.iter().rposition(|byte| !matches!(byte, b' ' | b'\t' | b'\r')).map_or(0, |at| at + 1);
    (line.get(..kept).unwrap_or_default(), next)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = wanted.first()?;
    let mut at = 0;
    loop {
        let rest = bytes.get(at..)?;
        at += memchr::memchr(*first, rest)?;
        if bytes.get(at..)?.starts_with(wanted) {
            return Some(at);
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_block_is_passed_over() {
        let good = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (text, count) in [
            (good.to_owned(), 1),
            (good.replace('\n', "\r\n"), 1),
            (format!("text\n{good}text\n{good}"), 2),
            (format!("\u{feff}{good}"), 0),
            (good.replace("-----BEGIN", "  -----BEGIN"), 0),
            (format!("{}{good}", good.replace("AAAA", "!!!!")), 1),
            (format!("{}{good}", good.trim_end()), 0),
            (String::new(), 0),
        ] {
            assert_eq!(blocks(text.as_bytes()).len(), count, "{text:?}");
        }
    }
}

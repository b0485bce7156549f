//! Frames of the base protocol: headers, an empty line, a body of `Content-Length` bytes.

use std::io::{self, BufRead, Read, Write};

use serde_json::Value;

/// A longer header line is read past.
const LONGEST_HEADER: usize = 4 << 10;
/// A larger body is read past: no file that is judged is larger.
const LARGEST_BODY: u64 = 80 << 20;

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// The body of a message.
    Body(Vec<u8>),
    /// Something else, which was read past: what is wrong with it.
    Damaged(String),
}

/// Reads the next frame; None at the end of the input.
pub fn read(input: &mut impl BufRead) -> io::Result<Option<Frame>> {
    let mut length = None;
    let mut headers = 0usize;
    loop {
        let Some(line) = header(input)? else { return Ok(None) };
        if line.is_empty() {
            // blank lines between frames mean nothing
            if headers == 0 {
                continue;
            }
            break;
        }
        headers = headers.saturating_add(1);
        let Some((name, value)) = line.split_once(':') else { continue };
        if name.trim().eq_ignore_ascii_case("content-length") {
            length = value.trim().parse::<u64>().ok();
        }
    }
    let Some(length) = length else {
        return Ok(Some(Frame::Damaged("a header without a Content-Length".to_owned())));
    };
    let mut body = input.take(length);
    if length > LARGEST_BODY {
        io::copy(&mut body, &mut io::sink())?;
        return Ok(Some(Frame::Damaged(format!("a message of {length} bytes is too large"))));
    }
    let mut bytes = Vec::new();
    body.read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < length {
        return Ok(None);
    }
    Ok(Some(Frame::Body(bytes)))
}

/// A header line without its end, cut where it is too long; None at the end of the input.
fn header(input: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(None);
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let part = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
        let room = LONGEST_HEADER.saturating_sub(line.len());
        line.extend_from_slice(part.get(..part.len().min(room)).unwrap_or_default());
        let used = part.len() + usize::from(end.is_some());
        input.consume(used);
        if end.is_some() {
            let text = String::from_utf8_lossy(&line);
            return Ok(Some(text.trim_end_matches('\r').to_owned()));
        }
    }
}

/// Writes a message.
pub fn write(out: &mut impl Write, message: &Value) -> io::Result<()> {
    let body = message.to_string();
    write!(out, "Content-Length: {}\r\n\r\n{body}", body.len())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(input: &str) -> Vec<Frame> {
        let mut input = input.as_bytes();
        std::iter::from_fn(|| read(&mut input).unwrap()).collect()
    }

    #[test]
    fn damage_costs_its_frame_only() {
        let body = |text: &str| Frame::Body(text.as_bytes().to_vec());
        assert_eq!(frames("Content-Length: 2\r\n\r\n{}"), [body("{}")]);
        assert_eq!(frames("\r\ncontent-length:2\nContent-Type: x\n\n{}"), [body("{}")]);
        let damaged = Frame::Damaged("a header without a Content-Length".to_owned());
        assert_eq!(frames("Content-Length: x\r\n\r\nContent-Length: 2\r\n\r\n[]"), [damaged, body("[]")]);
        let long = format!("X: {}\r\nContent-Length: 2\r\n\r\n[]", "y".repeat(100_000));
        assert_eq!(frames(&long), [body("[]")]);
        // cut off
        assert_eq!(frames("Content-Length: 3\r\n\r\n{}"), []);
        assert_eq!(frames("Content-Len"), []);
        assert_eq!(
            frames("Content-Length: 99999999999\r\n\r\n{}"),
            [Frame::Damaged("a message of 99999999999 bytes is too large".to_owned())]
        );
    }
}

//! PEM as OpenSSL reads it, line by line (crypto/pem/pem_lib.c, get_name and get_header_and_data).

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// `CERTIFICATE`.
    pub label: String,
    /// From BEGIN to the end of the END line, without what trails it.
    pub range: Range<usize>,
    /// Its content is encrypted (`Proc-Type: 4,ENCRYPTED`).
    pub encrypted: bool,
    /// The lines above an encrypted content, without their ends.
    pub header: String,
    /// What it holds.
    pub der: Vec<u8>,
}

/// Why reading stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// OpenSSL's words: `bad base64 decode`, `bad end line`.
    pub words: &'static str,
    /// The block it happened in.
    pub range: Range<usize>,
}

/// Reads block after block.
#[derive(Debug, Clone)]
pub struct Pem<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Pem<'a> {
    /// From the first byte. OpenSSL passes over a byte order mark, BoringSSL does not (observed).
    pub fn new(bytes: &'a [u8], skips_byte_order_mark: bool) -> Self {
        let marked = bytes.starts_with(&[0xef, 0xbb, 0xbf]);
        Self { bytes, at: if marked && skips_byte_order_mark { 3 } else { 0 } }
    }

    /// The next block; None at the end.
    ///
    /// # Errors
    /// A block that begins but is none.
    pub fn block(&mut self) -> Result<Option<Block>, Broken> {
        let (start, label) = loop {
            let start = self.at;
            let Some(line) = self.line() else { return Ok(None) };
            let inner = line.strip_prefix(b"-----BEGIN ").and_then(|rest| rest.strip_suffix(b"-----"));
            if let Some(label) = inner {
                break (start, String::from_utf8_lossy(label).into_owned());
            }
        };
        let broken = |end: usize, words| Broken { words, range: start..end };
        let mut encrypted = false;
        let mut lines = String::new();
        let mut header = Header::Maybe;
        let mut body: Vec<u8> = Vec::new();
        let end = loop {
            let at = self.at;
            let Some(line) = self.line() else {
                return Err(broken(self.at, "bad end line"));
            };
            if header == Header::Maybe && line.contains(&b':') {
                header = Header::Inside;
            }
            if line.is_empty() {
                if header == Header::Over {
                    return Err(broken(self.at, "bad end line"));
                }
                header = Header::Over;
                if body.windows(9).any(|part| part == b"ENCRYPTED") {
                    encrypted = true;
                    lines = String::from_utf8_lossy(&body).into_owned();
                }
                body.clear();
                continue;
            }
            if let Some(rest) = line.strip_prefix(b"-----END ") {
                if rest.strip_suffix(b"-----") != Some(label.as_bytes()) {
                    return Err(broken(self.at, "bad end line"));
                }
                break at + line.len();
            }
            body.extend_from_slice(line);
        };
        if body.iter().any(u8::is_ascii_whitespace) {
            body.retain(|byte| !byte.is_ascii_whitespace());
        }
        let der = STANDARD.decode(&body).map_err(|_| broken(self.at, "bad base64 decode"))?;
        Ok(Some(Block { label, range: start..end, encrypted, header: lines, der }))
    }

    /// The next line without what trails: everything up to a space counts (sanitize_line).
    fn line(&mut self) -> Option<&'a [u8]> {
        let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
        let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        self.at += length;
        let line = rest.get(..length).unwrap_or_default();
        let kept = line.iter().rposition(|byte| *byte > b' ').map_or(0, |at| at + 1);
        line.get(..kept)
    }
}

#[derive(PartialEq)]
enum Header {
    Maybe,
    Inside,
    Over,
}

/// Labels that PEM_read_bio_X509 reads.
pub fn is_certificate(label: &str) -> bool {
    matches!(label, "CERTIFICATE" | "X509 CERTIFICATE")
}

/// Labels that PEM_read_bio_X509_AUX reads besides.
pub fn is_trusted_certificate(label: &str) -> bool {
    is_certificate(label) || label == "TRUSTED CERTIFICATE"
}

/// Labels that PEM_read_bio_PrivateKey reads.
pub fn is_private_key(label: &str) -> bool {
    matches!(
        label,
        "PRIVATE KEY" | "ENCRYPTED PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY" | "DSA PRIVATE KEY"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Result<Vec<String>, &'static str> {
        let mut pem = Pem::new(text.as_bytes(), true);
        let mut labels = Vec::new();
        loop {
            match pem.block() {
                Ok(Some(block)) => labels.push(block.label),
                Ok(None) => return Ok(labels),
                Err(broken) => return Err(broken.words),
            }
        }
    }

    #[test]
    fn lines_are_forgiven_what_trails_but_not_what_leads() {
        let good = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (text, read) in [
            (good.to_owned(), Ok(1)),
            (good.replace('\n', "\r\n"), Ok(1)),
            (good.replace('\n', "  \n"), Ok(1)),
            (good.trim_end().to_owned(), Ok(1)),
            (format!("\u{feff}{good}"), Ok(1)),
            (format!("# a comment\n{good}between\n{good}after"), Ok(2)),
            (good.replace("-----BEGIN", "  -----BEGIN"), Ok(0)),
            (good.replace("AAAA", "A!AA"), Err("bad base64 decode")),
            (good.replace("-----\n-----END", "-----\n----END"), Ok(1)),
            (format!("{}{good}", good.trim_end()), Err("bad end line")),
            ("no pem at all".to_owned(), Ok(0)),
        ] {
            assert_eq!(labels(&text).map(|labels| labels.len()), read, "{text:?}");
        }
    }
}

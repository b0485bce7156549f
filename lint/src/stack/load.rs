//! What a program makes of a file: certificates, a key, lists, or a refusal in its own words.

use std::sync::Arc;

use super::Mistake;
use super::certificate::Certificate;
use crate::source::{Span, Text};

/// Why a program does not load a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The mistake's name.
    pub mistake: Mistake,
    /// What is wrong with it, completing "the file …".
    pub message: String,
    /// The library's own words.
    pub words: String,
    /// Where in the file.
    pub span: Span,
}

impl Problem {
    /// A problem with a whole file.
    pub fn whole(
        mistake: Mistake,
        text: &Text,
        message: impl Into<String>,
        words: impl Into<String>,
    ) -> Self {
        Self { mistake, message: message.into(), words: words.into(), span: text.full_span() }
    }

    /// A problem with a part of a file.
    pub fn part(
        mistake: Mistake,
        text: &Text,
        range: std::ops::Range<usize>,
        message: impl Into<String>,
        words: impl Into<String>,
    ) -> Self {
        Self { mistake, message: message.into(), words: words.into(), span: text.span(range) }
    }
}

/// In place of a library's words: there was nothing to read.
pub const EMPTY: &str = "nothing to read";

/// Certificates as a file gives them.
pub type Certificates = Vec<Arc<Certificate>>;

/// What a file that holds no readable block looks like, for messages.
pub fn looks_like(bytes: &[u8]) -> &'static str {
    let text = String::from_utf8_lossy(bytes.get(..bytes.len().min(65_536)).unwrap_or_default());
    if bytes.is_empty() {
        "is empty"
    } else if bytes.starts_with(&[0xfe, 0xed, 0xfe, 0xed]) {
        "is a Java key store (JKS), not PEM"
    } else if bytes.first() == Some(&0x30) && !bytes.is_ascii() {
        "is DER, not PEM"
    } else if text.starts_with('\u{feff}') {
        "starts with a UTF-8 byte order mark"
    } else if text
        .lines()
        .any(|line| line.starts_with([' ', '\t']) && line.trim_start().starts_with("-----BEGIN"))
    {
        "has its BEGIN line indented"
    } else if text.contains("PRIVATE KEY-----") && !text.contains("CERTIFICATE-----") {
        "holds a private key and no certificate"
    } else if text.contains("CERTIFICATE-----") && !text.contains("PRIVATE KEY-----") {
        "holds certificates and no private key"
    } else if text.contains("PUBLIC KEY-----") {
        "holds a public key"
    } else if text.contains("-----BEGIN") {
        "has no block that this program reads"
    } else {
        "has no line starting with -----BEGIN"
    }
}

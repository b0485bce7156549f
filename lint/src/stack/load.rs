//! What a program makes of a file: certificates, a key, lists, or a refusal in its own words.

use std::cell::RefCell;
use std::sync::Arc;

use super::Mistake;
use super::certificate::{Certificate, NoCertificate, Origin};
use super::encrypted_key::{Budget, Opened, open};
use super::openssl::pem::Block;
use super::private_key::PrivateKey;
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

/// A private key as a program loads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadedKey {
    /// It is read.
    Open(PrivateKey),
    /// It is encrypted, and what is configured may open it or not; completes "undetermined because …".
    Locked(String),
}

/// The passphrases that a program tries.
#[derive(Debug, Clone, Copy)]
pub enum Passphrases<'p> {
    /// None is configured.
    None,
    /// These, and what may be spent on trying them.
    Given(&'p [&'p [u8]], &'p Budget),
    /// Some, which are not seen; completes "undetermined because …".
    Unseen(&'p str),
}

impl Passphrases<'_> {
    /// What becomes of an encrypted key; `without` and `wrong` are the library's words.
    ///
    /// # Errors
    /// Why the program refuses it.
    pub fn open(
        self,
        text: &Text,
        block: &Block,
        without: impl Into<String>,
        wrong: impl Into<String>,
    ) -> Result<LoadedKey, Problem> {
        let range = block.range.clone();
        let refused =
            |message: &str, words| Problem::part(Mistake::EncryptedKey, text, range, message, words);
        match self {
            Self::None => Err(refused("is encrypted and no passphrase is configured", without.into())),
            Self::Unseen(why) => Ok(LoadedKey::Locked(why.to_owned())),
            Self::Given(passphrases, budget) => match open(block, passphrases, budget) {
                Opened::Key(key) => Ok(LoadedKey::Open(key)),
                Opened::Wrong => {
                    let ended = passphrases.iter().filter_map(|passphrase| passphrase.strip_suffix(b"\n"));
                    let trimmed: Vec<&[u8]> = ended.collect();
                    let message = match open(block, &trimmed, budget) {
                        Opened::Key(_) => {
                            "is encrypted, and its passphrase is configured with a line break behind it"
                        }
                        _ => "is encrypted with another passphrase than the one that is configured",
                    };
                    Err(refused(message, wrong.into()))
                }
                Opened::Unknown => Ok(LoadedKey::Locked(
                    "whether the configured passphrase opens the private key is not tried here".to_owned(),
                )),
            },
        }
    }
}

/// In place of a library's words: there was nothing to read.
pub const EMPTY: &str = "nothing to read";

/// Certificates as a file gives them.
pub type Certificates = Vec<Arc<Certificate>>;

/// Certificates by their place: what several programs load from one file is read once, and shared.
#[derive(Debug, Default)]
pub struct ReadOnce {
    /// In the order of their places.
    read: RefCell<Vec<Arc<Certificate>>>,
}

impl ReadOnce {
    /// Answers as [`Certificate::read`] does.
    ///
    /// # Errors
    /// As there.
    pub fn certificate(&self, der: &[u8], span: Span) -> Result<Arc<Certificate>, NoCertificate> {
        let same =
            |known: &&Arc<Certificate>| matches!(&known.origin, Origin::Real(read) if read.der() == der);
        let place = self.read.borrow().partition_point(|known| known.span < span);
        let known = self.read.borrow().get(place).filter(|known| known.span == span).cloned();
        if let Some(known) = known.as_ref().filter(same) {
            return Ok(Arc::clone(known));
        }
        let certificate = Arc::new(Certificate::read(der, span)?);
        // of several in one place (base64 of a Secret), the first is kept
        if known.is_none() {
            self.read.borrow_mut().insert(place, Arc::clone(&certificate));
        }
        Ok(certificate)
    }
}

/// A certificate for who does not read the trust settings behind it.
pub fn without_trust_settings(mut certificate: Arc<Certificate>) -> Arc<Certificate> {
    if certificate.trust_settings.is_some() {
        Arc::make_mut(&mut certificate).trust_settings = None;
    }
    certificate
}

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

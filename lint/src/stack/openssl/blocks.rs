//! What OpenSSL and BoringSSL alike find in PEM: certificates, a key, or a block that is neither.

use std::ops::Range;
use std::sync::Arc;

use super::pem::{Block, Broken, Pem, is_certificate, is_private_key, is_trusted_certificate};
use crate::source::Text;
use crate::stack::load::{Certificates, Problem, ReadOnce, without_trust_settings};
use crate::stack::private_key::PrivateKey;
use crate::stack::{Certificate, Mistake};

/// PEM_read_bio_X509_AUX, then PEM_read_bio_X509 to the end; empty where there is no certificate.
///
/// # Errors
/// A block that is broken, or holds something else.
pub(crate) fn chain(text: &Text, mut pem: Pem<'_>, once: &ReadOnce) -> Result<Certificates, Problem> {
    let mut certificates: Certificates = Vec::new();
    while let Some(block) = pem.block().map_err(|broken| damaged(text, broken))? {
        let wanted = if certificates.is_empty() {
            is_trusted_certificate(&block.label)
        } else {
            is_certificate(&block.label)
        };
        if wanted {
            certificates.push(certificate(text, &block, once)?);
        }
    }
    Ok(certificates)
}

/// The first private key of a text, as PEM_read_bio_PrivateKey meets it.
pub(crate) enum FirstKey {
    /// It can be read.
    Read(PrivateKey),
    /// It is encrypted.
    Encrypted(Block),
    /// The block holds no key.
    NoKey(Range<usize>),
    /// No block is labelled as a key.
    Nothing,
}

/// Looks for a private key.
///
/// # Errors
/// A block before it is broken.
pub(crate) fn first_key(text: &Text, mut pem: Pem<'_>) -> Result<FirstKey, Problem> {
    while let Some(block) = pem.block().map_err(|broken| damaged(text, broken))? {
        if !is_private_key(&block.label) {
            continue;
        }
        if block.label == "ENCRYPTED PRIVATE KEY" || block.encrypted {
            return Ok(FirstKey::Encrypted(block));
        }
        return Ok(match PrivateKey::read(&block.label, &block.der) {
            Some(key) => FirstKey::Read(key),
            None => FirstKey::NoKey(block.range),
        });
    }
    Ok(FirstKey::Nothing)
}

/// A block as a certificate.
///
/// # Errors
/// It is none.
pub(crate) fn certificate(text: &Text, block: &Block, once: &ReadOnce) -> Result<Arc<Certificate>, Problem> {
    let span = text.span(block.range.clone());
    let read = once.certificate(&block.der, span).map_err(|_| no_der(text, block))?;
    Ok(if block.label == "TRUSTED CERTIFICATE" { read } else { without_trust_settings(read) })
}

/// A block that holds something else than its label says.
pub(crate) fn no_der(text: &Text, block: &Block) -> Problem {
    Problem::part(
        Mistake::UnreadableFile,
        text,
        block.range.clone(),
        format!("has a block labelled {} that holds something else", block.label),
        "error:0688010A:asn1 encoding routines::nested asn1 error",
    )
}

/// A block that begins but is none.
pub(crate) fn damaged(text: &Text, broken: Broken) -> Problem {
    let (message, words) = match broken.words {
        "bad end line" => (
            "has a block whose END line is missing or shares its line with another",
            "error:04800066:PEM routines::bad end line",
        ),
        _ => ("has a block with invalid base64", "error:04800064:PEM routines::bad base64 decode"),
    };
    Problem::part(Mistake::UnreadableFile, text, broken.range, message, words)
}

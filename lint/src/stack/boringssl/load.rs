//! Files as Envoy loads them (source/common/tls/context_impl.cc, tls_certificate_config_impl.cc).

use crate::source::Text;
use crate::stack::crl::RevocationList;
use crate::stack::load::{Certificates, EMPTY, LoadedKey, Passphrases, Problem, ReadOnce, looks_like};
use crate::stack::openssl::blocks::{self, FirstKey, certificate, damaged};
use crate::stack::openssl::pem::{Pem, is_trusted_certificate};
use crate::stack::{Certificate, KeyType, KeyUsage, Mistake};

/// A certificate file with what follows it.
///
/// # Errors
/// Why Envoy refuses it.
pub fn chain(text: &Text, once: &ReadOnce) -> Result<Certificates, Problem> {
    let certificates = blocks::chain(text, Pem::new(text.bytes(), false), once)?;
    match certificates.first() {
        None => Err(Problem::whole(
            Mistake::UnreadableFile,
            text,
            looks_like(text.bytes()),
            if text.bytes().is_empty() { EMPTY } else { "Failed to load certificate chain from" },
        )),
        Some(first) => match misordered(&certificates).or_else(|| unfit(first)) {
            Some((mistake, message, words)) => {
                Err(Problem { mistake, message, words: words.to_owned(), span: first.span })
            }
            None => Ok(certificates),
        },
    }
}

/// A CA that comes before what it issued, and whose key usage Envoy refuses for it.
fn misordered(certificates: &Certificates) -> Option<(Mistake, String, &'static str)> {
    let (first, rest) = certificates.split_first()?;
    let issued = rest.iter().find(|other| {
        !other.is_self_issued() && other.issuer.canonical == first.subject.canonical && first.is_ca()
    })?;
    unfit(first).filter(|(mistake, ..)| *mistake == Mistake::UnsuitableKeyUsage).map(|(_, _, words)| {
        let message = format!(
            "begins with the CA {}, and {}, which it issued, comes after it; Envoy takes the first for its own",
            first.shown, issued.shown
        );
        (Mistake::MisorderedChain, message, words)
    })
}

/// Own certificates that Envoy refuses.
fn unfit(certificate: &Certificate) -> Option<(Mistake, String, &'static str)> {
    let words = "Failed to load certificate chain from";
    if matches!(certificate.key.kind, KeyType::Ec(_)) && !certificate.may(KeyUsage::DIGITAL_SIGNATURE) {
        let bits = KeyUsage::names(certificate.key_usage.unwrap_or(0));
        return Some((
            Mistake::UnsuitableKeyUsage,
            format!("holds an EC certificate with the key usage {bits}, but Envoy needs digitalSignature"),
            words,
        ));
    }
    if let KeyType::Rsa(bits) = certificate.key.kind
        && bits < 2048
    {
        return Some((
            Mistake::WeakKey,
            format!("holds an RSA key of {bits} bits, and Envoy needs 2048"),
            words,
        ));
    }
    if certificate.names().is_empty() && certificate.subject.common_names.is_empty() {
        return Some((
            Mistake::MalformedCertificate,
            "holds a certificate with neither a subjectAltName nor a common name".to_owned(),
            "Invalid TLS context has neither subject CN nor SAN names",
        ));
    }
    if certificate.duplicate_extension.is_some() {
        return Some((
            Mistake::MalformedCertificate,
            "holds a certificate with the same extension twice".to_owned(),
            words,
        ));
    }
    None
}

/// `trusted_ca`.
///
/// # Errors
/// Why Envoy refuses it.
pub fn anchors(text: &Text, once: &ReadOnce) -> Result<Certificates, Problem> {
    let words = "Failed to load trusted CA certificates from";
    let mut pem = Pem::new(text.bytes(), false);
    let mut certificates: Certificates = Vec::new();
    while let Some(block) = pem.block().map_err(|broken| damaged(text, broken))? {
        if is_trusted_certificate(&block.label) {
            certificates.push(certificate(text, &block, once)?);
        }
    }
    if certificates.is_empty() {
        let words = if text.bytes().is_empty() { EMPTY } else { words };
        return Err(Problem::whole(Mistake::EmptyTrustBundle, text, looks_like(text.bytes()), words));
    }
    Ok(certificates)
}

/// `private_key`.
///
/// # Errors
/// Why Envoy refuses it.
pub fn private_key(text: &Text, passphrases: Passphrases<'_>) -> Result<LoadedKey, Problem> {
    let words = "Failed to load private key from";
    match blocks::first_key(text, Pem::new(text.bytes(), false))? {
        FirstKey::Read(key) => Ok(LoadedKey::Open(key)),
        FirstKey::Encrypted(block) => passphrases.open(
            text,
            &block,
            format!("{words} Cause: error:BAD_PASSWORD_READ"),
            format!("{words} Cause: error:1e000065:Cipher functions:OPENSSL_internal:BAD_DECRYPT"),
        ),
        FirstKey::NoKey(range) => Err(Problem::part(
            Mistake::UnreadableFile,
            text,
            range,
            "holds a private key block that is none",
            words,
        )),
        FirstKey::Nothing => {
            Err(Problem::whole(Mistake::UnreadableFile, text, looks_like(text.bytes()), words))
        }
    }
}

/// `crl`: an empty file means no check (observed).
///
/// # Errors
/// Why Envoy refuses it.
pub fn revocation_lists(text: &Text) -> Result<Vec<RevocationList>, Problem> {
    let mut pem = Pem::new(text.bytes(), false);
    let mut lists = Vec::new();
    while let Some(block) = pem.block().map_err(|broken| damaged(text, broken))? {
        if block.label == "X509 CRL" {
            let span = text.span(block.range.clone());
            match RevocationList::read(&block.der, span) {
                Some(list) => lists.push(list),
                None => {
                    return Err(Problem {
                        mistake: Mistake::UnusableRevocationList,
                        message: "holds a list that is none".to_owned(),
                        words: "Failed to load CRL from".to_owned(),
                        span,
                    });
                }
            }
        }
    }
    Ok(lists)
}

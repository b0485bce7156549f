//! Files as OpenSSL's callers load them: nginx, curl, `s_client`, OpenResty.

use std::collections::HashSet;

use super::blocks::{self, FirstKey, certificate, damaged, no_der};
use super::pem::{Pem, is_certificate, is_trusted_certificate};
use crate::source::Text;
use crate::stack::Mistake;
use crate::stack::crl::RevocationList;
use crate::stack::load::{Certificates, LoadedKey, Passphrases, Problem, ReadOnce, looks_like};

/// PEM_R_NO_START_LINE in OpenSSL 3's words.
pub const NO_START_LINE: &str = "error:0480006C:PEM routines::no start line:Expecting: TRUSTED CERTIFICATE";
/// Without a certificate or a list in the file.
pub const NOTHING_FOUND: &str = "error:05800088:x509 certificate routines::no certificate or crl found";

/// A certificate file with what follows it: PEM_read_bio_X509_AUX, then PEM_read_bio_X509
/// (nginx's ngx_ssl_load_certificate, SSL_CTX_use_certificate_chain_file, lua's parse_pem_cert).
///
/// # Errors
/// Why OpenSSL refuses it.
pub fn chain(text: &Text, once: &ReadOnce) -> Result<Certificates, Problem> {
    let certificates = blocks::chain(text, Pem::new(text.bytes(), true), once)?;
    if certificates.is_empty() {
        return Err(Problem::whole(Mistake::UnreadableFile, text, looks_like(text.bytes()), NO_START_LINE));
    }
    Ok(certificates)
}

/// X509_load_cert_crl_file: every certificate, list and key is read, keys are passed over.
///
/// # Errors
/// Why OpenSSL refuses it.
pub fn anchors(text: &Text, once: &ReadOnce) -> Result<Certificates, Problem> {
    let mut pem = Pem::new(text.bytes(), true);
    let mut certificates: Certificates = Vec::new();
    let mut known = HashSet::new();
    let mut lists = 0;
    while let Some(block) = pem.block().map_err(|broken| damaged(text, broken))? {
        if is_trusted_certificate(&block.label) {
            let read = certificate(text, &block, once)?;
            // X509_STORE_add_cert ignores what it has
            if known.insert(read.digest) {
                certificates.push(read);
            }
        } else if block.label == "X509 CRL" {
            lists += 1;
        }
    }
    if certificates.is_empty() && lists == 0 {
        return Err(Problem::whole(Mistake::EmptyTrustBundle, text, looks_like(text.bytes()), NOTHING_FOUND));
    }
    Ok(certificates)
}

/// SSL_load_client_CA_file, which nginx calls for `ssl_client_certificate` besides: it does not know the label
/// TRUSTED CERTIFICATE. nginx 1.27 and later read the list themselves (observed in 1.30).
///
/// # Errors
/// Why OpenSSL refuses it.
pub fn client_ca_list(text: &Text) -> Result<(), Problem> {
    let mut pem = Pem::new(text.bytes(), true);
    while let Ok(Some(block)) = pem.block() {
        if is_certificate(&block.label) {
            return Ok(());
        }
    }
    Err(Problem::whole(
        Mistake::EmptyTrustBundle,
        text,
        "has no block labelled CERTIFICATE (TRUSTED CERTIFICATE is not read here)",
        "error:0480006C:PEM routines::no start line:Expecting: CERTIFICATE",
    ))
}

/// APISIX's `client.ca`: lua-resty-core's parse_pem_cert: TRUSTED CERTIFICATE first, CERTIFICATE after it.
///
/// # Errors
/// Why it is refused.
pub fn apisix_client_ca(text: &Text, once: &ReadOnce) -> Result<Certificates, Problem> {
    chain(text, once).map_err(|problem| Problem { mistake: Mistake::EmptyTrustBundle, ..problem })
}

/// PEM_read_bio_PrivateKey: the first key of the file.
///
/// # Errors
/// Why OpenSSL refuses it.
pub fn private_key(text: &Text, passphrases: Passphrases<'_>) -> Result<LoadedKey, Problem> {
    match blocks::first_key(text, Pem::new(text.bytes(), true))? {
        FirstKey::Read(key) => Ok(LoadedKey::Open(key)),
        FirstKey::Encrypted(block) => passphrases.open(
            text,
            &block,
            "error:0480006D:PEM routines::problems getting password",
            "error:1C800064:Provider routines::bad decrypt",
        ),
        FirstKey::NoKey(range) => Err(Problem::part(
            Mistake::UnreadableFile,
            text,
            range,
            "holds a private key block that is none",
            "error:1E08010C:DECODER routines::unsupported",
        )),
        FirstKey::Nothing => Err(Problem::whole(
            Mistake::UnreadableFile,
            text,
            looks_like(text.bytes()),
            "error:1E08010C:DECODER routines::unsupported:No supported data to decode. Input type: PEM",
        )),
    }
}

/// X509_load_crl_file.
///
/// # Errors
/// Why OpenSSL refuses it.
pub fn revocation_lists(text: &Text) -> Result<Vec<RevocationList>, Problem> {
    let mut pem = Pem::new(text.bytes(), true);
    let mut lists = Vec::new();
    let mut others = 0;
    while let Some(block) = pem.block().map_err(|broken| damaged(text, broken))? {
        if block.label == "X509 CRL" {
            let span = text.span(block.range.clone());
            lists.push(RevocationList::read(&block.der, span).ok_or_else(|| no_der(text, &block))?);
        } else if is_trusted_certificate(&block.label) {
            others += 1;
        }
    }
    if lists.is_empty() && others == 0 {
        return Err(Problem::whole(
            Mistake::UnusableRevocationList,
            text,
            looks_like(text.bytes()),
            NOTHING_FOUND,
        ));
    }
    Ok(lists)
}

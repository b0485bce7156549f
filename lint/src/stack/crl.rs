//! Revocation lists (RFC 5280 section 5), as far as the stacks look at them.

use std::sync::Arc;

use mtls_identity::signature::{self, Verdict};

use super::certificate::{Certificate, KeyUsage};
use super::der::{self, Reader};
use super::distinguished_name::Name;
use super::openssl::error_text;
use super::{Fault, Mistake};
use crate::source::Span;
use crate::time::UnixSeconds;

/// A certificate revocation list.
#[derive(Debug, Clone)]
pub struct RevocationList {
    /// Where it stands.
    pub span: Span,
    /// Who made it.
    pub issuer: Name,
    /// thisUpdate.
    pub this_update: UnixSeconds,
    /// nextUpdate.
    pub next_update: Option<UnixSeconds>,
    /// Serial numbers of what is revoked, as content octets.
    pub revoked: Vec<Vec<u8>>,
    /// authorityKeyIdentifier's keyIdentifier.
    pub authority_key_id: Option<Vec<u8>>,
    tbs: Vec<u8>,
    algorithm: Vec<u8>,
    signature: Vec<u8>,
}

impl RevocationList {
    /// Reads DER; None if it is no CRL.
    pub fn read(bytes: &[u8], span: Span) -> Option<Self> {
        let mut parts =
            Reader::new(der::first(bytes).filter(|element| element.tag == der::SEQUENCE)?.content);
        let tbs = parts.expect(der::SEQUENCE)?;
        let algorithm = parts.expect(der::SEQUENCE)?;
        let signature = parts.expect(der::BIT_STRING)?;
        let mut fields = Reader::new(tbs.content);
        fields.expect(der::INTEGER);
        fields.expect(der::SEQUENCE)?;
        let issuer = Name::read(fields.expect(der::SEQUENCE)?.whole)?;
        let this_update = der::time(fields.element()?)?;
        let next_update = match fields.peek() {
            Some(der::UTC_TIME | der::GENERALIZED_TIME) => Some(der::time(fields.element()?)?),
            _ => None,
        };
        let mut revoked = Vec::new();
        if let Some(entries) = fields.expect(der::SEQUENCE) {
            let mut entries = Reader::new(entries.content);
            while !entries.is_empty() {
                let mut entry = Reader::new(entries.expect(der::SEQUENCE)?.content);
                revoked.push(entry.expect(der::INTEGER)?.content.to_vec());
            }
        }
        let mut list = Self {
            span,
            issuer,
            this_update,
            next_update,
            revoked,
            authority_key_id: None,
            tbs: tbs.whole.to_vec(),
            algorithm: algorithm.whole.to_vec(),
            signature: signature.content.get(1..)?.to_vec(),
        };
        if let Some(extensions) = fields.expect(0xa0) {
            let mut extensions = Reader::new(der::first(extensions.content)?.content);
            while !extensions.is_empty() {
                let mut extension = Reader::new(extensions.expect(der::SEQUENCE)?.content);
                let oid = der::dotted(extension.expect(der::OBJECT_IDENTIFIER)?.content)?;
                extension.expect(der::BOOLEAN);
                let value = extension.expect(der::OCTET_STRING)?.content;
                if oid == "2.5.29.35" {
                    let mut id = Reader::new(der::first(value)?.content);
                    list.authority_key_id = id.expect(0x80).map(|id| id.content.to_vec());
                }
            }
        }
        Some(list)
    }

    /// Whether it lists this certificate.
    pub fn lists(&self, certificate: &Certificate) -> bool {
        self.revoked.iter().any(|serial| trim(serial) == trim(&certificate.serial))
    }
}

fn trim(mut serial: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = serial {
        if rest.is_empty() {
            break;
        }
        serial = rest;
    }
    serial
}

/// OpenSSL's and BoringSSL's check_revocation: every certificate of the path (or the end-entity certificate alone)
/// needs a current list of its issuer. Faults in the order of the library.
pub fn check(
    path: &[Arc<Certificate>],
    lists: &[RevocationList],
    end_entity_only: bool,
    at: UnixSeconds,
) -> Vec<Fault> {
    let last = if end_entity_only { 1 } else { path.len() };
    let mut faults = Vec::new();
    for (depth, certificate) in path.iter().enumerate().take(last) {
        let issuer = path.get(depth + 1).unwrap_or(certificate);
        faults.extend(revocation(certificate, issuer, lists, at).into_iter().map(|(number, message)| {
            Fault {
                mistake: if number == 23 {
                    Mistake::RevokedCertificate
                } else {
                    Mistake::UnusableRevocationList
                },
                number: Some(number),
                text: error_text(number).to_owned(),
                depth,
                message,
                certificate: Some(Arc::clone(certificate)),
            }
        }));
    }
    faults
}

/// What is wrong with one certificate and its list: the libraries' numbers with both halves.
fn revocation(
    certificate: &Certificate,
    issuer: &Certificate,
    lists: &[RevocationList],
    at: UnixSeconds,
) -> Vec<(u32, String)> {
    let Some(list) = best(certificate, issuer, lists, at) else {
        let message = format!(
            "no revocation list of {} is given, but {} is checked against one",
            certificate.issuer.text, certificate.shown
        );
        return vec![(3, message)];
    };
    let mut faults = Vec::new();
    if !issuer.may(KeyUsage::CRL_SIGN) && issuer.key_usage.is_some() {
        let message = format!(
            "the key usage of {} does not include cRLSign, but its revocation list is used",
            issuer.shown
        );
        faults.push((35, message));
    }
    if list.this_update > at {
        let day = crate::time::format_day(list.this_update);
        faults.push((11, format!("the revocation list of {} is valid from {day} on", list.issuer.text)));
    } else if let Some(next) = list.next_update.filter(|next| *next < at) {
        let day = crate::time::format_day(next);
        faults.push((12, format!("the revocation list of {} was to be renewed by {day}", list.issuer.text)));
    }
    let verdict = signature::verify(&issuer.key.spki, &list.algorithm, &list.tbs, &list.signature);
    if !issuer.is_planned() && matches!(verdict, Verdict::Invalid(_) | Verdict::Malformed(_)) {
        faults.push((8, format!("the revocation list of {} was not signed by its key", issuer.shown)));
    }
    if list.lists(certificate) {
        let message = format!("{} is on the revocation list of {}", certificate.shown, list.issuer.text);
        faults.push((23, message));
    }
    faults
}

/// crypto/x509/x509_vfy.c get_crl_score: the best list of this issuer, a current one before others.
fn best<'l>(
    certificate: &Certificate,
    issuer: &Certificate,
    lists: &'l [RevocationList],
    at: UnixSeconds,
) -> Option<&'l RevocationList> {
    let of_issuer = lists.iter().filter(|list| list.issuer.canonical == certificate.issuer.canonical);
    let fits_key = |list: &&RevocationList| match (&list.authority_key_id, &issuer.subject_key_id) {
        (Some(wanted), Some(has)) => wanted == has,
        _ => true,
    };
    let current =
        |list: &RevocationList| list.this_update <= at && list.next_update.is_none_or(|next| next >= at);
    let candidates: Vec<&RevocationList> = of_issuer.filter(fits_key).collect();
    candidates.iter().find(|list| current(list)).or(candidates.first()).copied()
}

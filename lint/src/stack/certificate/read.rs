//! A certificate read from DER.

use mtls_identity::signature;
use sha2::{Digest as _, Sha256};

use super::{Certificate, Encoded, Origin, PublicKey, TrustSettings};
use crate::source::Span;
use crate::stack::der::{self, Element, Reader};
use crate::stack::distinguished_name::Name;

/// Why bytes are no certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoCertificate(pub String);

impl Certificate {
    /// Reads DER; bytes after the certificate are the trust settings of a TRUSTED CERTIFICATE, or ignored.
    ///
    /// # Errors
    /// What is wrong, where not even OpenSSL could read it.
    pub fn read(bytes: &[u8], span: Span) -> Result<Self, NoCertificate> {
        Self::try_read(bytes, span).ok_or_else(|| NoCertificate("its DER is not a certificate".to_owned()))
    }

    fn try_read(bytes: &[u8], span: Span) -> Option<Self> {
        let mut outer = Reader::new(bytes);
        let whole = outer.expect(der::SEQUENCE)?;
        let trust_settings = outer.element().and_then(read_trust_settings);
        let mut parts = Reader::new(whole.content);
        let tbs = parts.expect(der::SEQUENCE)?;
        let algorithm = parts.expect(der::SEQUENCE)?;
        let signature = parts.expect(der::BIT_STRING)?;

        let start = whole.whole.len() - whole.content.len();
        let signed = start + tbs.whole.len();
        let identified = signed + algorithm.whole.len();
        let end = identified + signature.whole.len();
        signature.content.first()?;

        let mut fields = Reader::new(tbs.content);
        let version = match fields.peek()? {
            0xa0 => {
                let version = der::first(fields.element()?.content)?;
                u8::try_from(der::small(version.content)?).ok()?.checked_add(1)?
            }
            _ => 1,
        };
        let serial = fields.expect(der::INTEGER)?.content;
        fields.expect(der::SEQUENCE)?;
        let issuer = Name::read(fields.expect(der::SEQUENCE)?.whole)?;
        let mut validity = Reader::new(fields.expect(der::SEQUENCE)?.content);
        let (not_before, not_after) = (der::time(validity.element()?)?, der::time(validity.element()?)?);
        let subject = Name::read(fields.expect(der::SEQUENCE)?.whole)?;
        let key = PublicKey::read(fields.expect(der::SEQUENCE)?.whole)?;

        let known_algorithm = signature::algorithm(algorithm.whole);
        if known_algorithm.is_none() {
            der::first(algorithm.content).and_then(|oid| der::dotted(oid.content))?;
        }

        let mut certificate = Self {
            span,
            shown: String::new(),
            subject,
            issuer,
            version,
            serial: serial.to_vec(),
            not_before,
            not_after,
            key,
            algorithm: known_algorithm,
            basic_constraints: None,
            key_usage: None,
            extended_key_usage: None,
            alternative_names: None,
            critical_names: false,
            malformed_names: None,
            subject_key_id: None,
            authority_key_id: None,
            name_constraints: None,
            netscape_type: None,
            unknown_critical: Vec::new(),
            duplicate_extension: None,
            malformed_extensions: Vec::new(),
            negative_serial: serial.first().is_some_and(|byte| byte & 0x80 != 0),
            trust_settings,
            origin: Origin::Real(Encoded {
                der: whole.whole.to_vec(),
                tbs: start..signed,
                algorithm: signed..identified,
                // the first octet of its content is the number of unused bits
                signature: end.checked_sub(signature.content.len())?.checked_add(1)?..end,
            }),
            digest: Sha256::digest(whole.whole).into(),
        };
        while let Some(field) = fields.element() {
            if field.tag == 0xa3 {
                certificate.read_extensions(der::first(field.content)?.content)?;
            }
        }
        certificate.shown = certificate.shown_as();
        Some(certificate)
    }
}

fn read_trust_settings(element: Element<'_>) -> Option<TrustSettings> {
    if element.tag != der::SEQUENCE {
        return None;
    }
    let mut settings = TrustSettings::default();
    let mut parts = Reader::new(element.content);
    while let Some(part) = parts.element() {
        let into = match part.tag {
            der::SEQUENCE => &mut settings.trust,
            0xa0 => &mut settings.reject,
            _ => continue,
        };
        let mut purposes = Reader::new(part.content);
        while let Some(purpose) = purposes.element() {
            into.extend(der::dotted(purpose.content));
        }
    }
    Some(settings)
}

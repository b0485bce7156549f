//! A certificate's extensions, as they are read.

use super::{AuthorityKeyId, BasicConstraints, Certificate, GeneralName, NameConstraints};
use crate::stack::der::{self, Element, Reader};

const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 17];
const SUBJECT_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 14];
const AUTHORITY_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 35];
const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 30];
const NETSCAPE_CERTIFICATE_TYPE: &[u8] = &[0x60, 0x86, 0x48, 1, 0x86, 0xf8, 0x42, 1, 1];

/// What is read here, and what OpenSSL supports beside (crypto/x509/v3_purp.c, supported_nids): issuerAltName,
/// certificatePolicies, policyMappings, policyConstraints, inhibitAnyPolicy, CRLDistributionPoints.
const KNOWN: [&[u8]; 14] = [
    BASIC_CONSTRAINTS,
    KEY_USAGE,
    EXTENDED_KEY_USAGE,
    SUBJECT_ALTERNATIVE_NAME,
    SUBJECT_KEY_IDENTIFIER,
    AUTHORITY_KEY_IDENTIFIER,
    NAME_CONSTRAINTS,
    NETSCAPE_CERTIFICATE_TYPE,
    &[0x55, 0x1d, 18],
    &[0x55, 0x1d, 32],
    &[0x55, 0x1d, 33],
    &[0x55, 0x1d, 36],
    &[0x55, 0x1d, 54],
    &[0x55, 0x1d, 31],
];

impl Certificate {
    pub(super) fn read_extensions(&mut self, content: &[u8]) -> Option<()> {
        let mut seen: Vec<&[u8]> = Vec::new();
        let mut extensions = Reader::new(content);
        while !extensions.is_empty() {
            let mut parts = Reader::new(extensions.expect(der::SEQUENCE)?.content);
            let oid = parts.expect(der::OBJECT_IDENTIFIER)?.content;
            let critical = parts
                .expect(der::BOOLEAN)
                .is_some_and(|flag| flag.content.first().is_some_and(|byte| *byte != 0));
            let value = parts.expect(der::OCTET_STRING)?.content;
            if seen.contains(&oid) {
                self.duplicate_extension.get_or_insert(der::dotted(oid)?);
                continue;
            }
            // where nobody knows it, what is no object identifier at all must still be met
            let known = KNOWN.contains(&oid);
            let unknown = if known { None } else { Some(der::dotted(oid)?) };
            if critical && let Some(unknown) = unknown {
                self.unknown_critical.push(unknown);
            } else if known && self.read_extension(oid, critical, value).is_none() {
                self.malformed_extensions.push(der::dotted(oid)?);
            }
            seen.push(oid);
        }
        Some(())
    }

    fn read_extension(&mut self, oid: &[u8], critical: bool, value: &[u8]) -> Option<()> {
        match oid {
            BASIC_CONSTRAINTS => {
                let mut parts = Reader::new(der::first(value)?.content);
                let ca = parts.expect(der::BOOLEAN).is_some_and(|flag| flag.content != [0]);
                let path_length = match parts.expect(der::INTEGER) {
                    Some(length) => Some(der::small(length.content)?),
                    None => None,
                };
                self.basic_constraints = Some(BasicConstraints { ca, path_length });
            }
            KEY_USAGE => {
                let bits = der::first(value).filter(|element| element.tag == der::BIT_STRING)?.content;
                self.key_usage = Some(bits.get(1).map_or(0, |byte| u16::from(*byte)));
            }
            EXTENDED_KEY_USAGE => {
                let mut parts = Reader::new(der::first(value)?.content);
                let mut usages = Vec::new();
                while !parts.is_empty() {
                    usages.push(der::dotted(parts.expect(der::OBJECT_IDENTIFIER)?.content)?);
                }
                self.extended_key_usage = Some(usages);
            }
            SUBJECT_ALTERNATIVE_NAME => {
                let mut names = Vec::new();
                let mut parts = Reader::new(der::first(value)?.content);
                while !parts.is_empty() {
                    let part = parts.element()?;
                    self.note_malformed_name(part);
                    names.push(GeneralName::read(part));
                }
                self.alternative_names = Some(names);
                self.critical_names = critical;
            }
            SUBJECT_KEY_IDENTIFIER => self.subject_key_id = Some(der::first(value)?.content.to_vec()),
            AUTHORITY_KEY_IDENTIFIER => {
                self.authority_key_id = Some(read_authority_key_id(der::first(value)?.content)?)
            }
            NAME_CONSTRAINTS => {
                let mut constraints = NameConstraints { critical, ..NameConstraints::default() };
                let mut parts = Reader::new(der::first(value)?.content);
                while let Some(part) = parts.element() {
                    let mut subtrees = Reader::new(part.content);
                    let into =
                        if part.tag == 0xa0 { &mut constraints.permitted } else { &mut constraints.excluded };
                    while !subtrees.is_empty() {
                        let subtree = subtrees.expect(der::SEQUENCE)?;
                        into.push(GeneralName::read(der::first(subtree.content)?));
                    }
                }
                self.name_constraints = Some(constraints);
            }
            NETSCAPE_CERTIFICATE_TYPE => {
                self.netscape_type = der::first(value)?.content.get(1).copied();
            }
            _ => {}
        }
        Some(())
    }

    /// What Go's parseSANExtension refuses: names that are not IA5, addresses of another length, URIs that do
    /// not parse.
    fn note_malformed_name(&mut self, part: Element<'_>) {
        let wrong = match part.tag & 0x1f {
            1 if !part.content.is_ascii() => Some("x509: SAN rfc822Name is malformed"),
            2 if !part.content.is_ascii() => Some("x509: SAN dNSName is malformed"),
            6 if !part.content.is_ascii() => Some("x509: SAN uniformResourceIdentifier is malformed"),
            7 if part.content.len() != 4 && part.content.len() != 16 => {
                Some("x509: cannot parse IP address of length")
            }
            _ => None,
        };
        if let Some(wrong) = wrong {
            self.malformed_names.get_or_insert_with(|| wrong.to_owned());
        }
    }
}

fn read_authority_key_id(content: &[u8]) -> Option<AuthorityKeyId> {
    let mut id = AuthorityKeyId::default();
    let mut parts = Reader::new(content);
    while !parts.is_empty() {
        let part = parts.element()?;
        match part.tag {
            0x80 => id.key_id = Some(part.content.to_vec()),
            0xa1 => {
                let mut names = Reader::new(part.content);
                while let Some(name) = names.element() {
                    if let (None, GeneralName::Directory(name)) = (&id.issuer, GeneralName::read(name)) {
                        id.issuer = Some(name);
                    }
                }
            }
            0x82 => id.serial = Some(part.content.to_vec()),
            _ => {}
        }
    }
    Some(id)
}

//! Certificates and revocation lists, every field of which can be made wrong.

use sha2::Digest;

use super::der::{bits, boolean, midnight, moment, named_bits, oid, seconds, sequence, tlv, unsigned};
use super::key::{Hash, Key};

/// A calendar day, at whose beginning a validity starts or ends.
pub type Day = (u16, u8, u8);

/// An RDNSequence of one attribute each: type, string tag (0x0c UTF8String, 0x13 PrintableString), value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Name(pub Vec<(&'static str, u8, String)>);

impl Name {
    /// Organisation and common name.
    pub fn of(common_name: &str) -> Self {
        Self(vec![("2.5.4.10", 0x0c, "Oracle".into()), ("2.5.4.3", 0x0c, common_name.into())])
    }

    /// The same with every letter's case turned, and as PrintableString: another encoding of an equal name (RFC 5280,
    /// 7.1).
    pub fn written_otherwise(&self) -> Self {
        let turned = |c: char| if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
        Self(
            self.0
                .iter()
                .map(|(kind, _, value)| (*kind, 0x13, value.chars().map(turned).collect()))
                .collect(),
        )
    }

    /// DER.
    pub fn der(&self) -> Vec<u8> {
        let attribute =
            |(kind, tag, value): &(&str, u8, String)| tlv(0x31, sequence(&[oid(kind), tlv(*tag, value)]));
        sequence(&self.0.iter().map(attribute).collect::<Vec<_>>())
    }
}

/// A subjectAltName entry, or the base of a name constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum General {
    /// dNSName.
    Dns(String),
    /// rfc822Name.
    Email(String),
    /// uniformResourceIdentifier.
    Uri(String),
    /// iPAddress: the bytes, with the mask behind them in a constraint.
    Ip(Vec<u8>),
    /// directoryName.
    Directory(Name),
}

impl General {
    fn der(&self) -> Vec<u8> {
        match self {
            Self::Email(text) => tlv(0x81, text),
            Self::Dns(text) => tlv(0x82, text),
            Self::Directory(name) => tlv(0xa4, name.der()),
            Self::Uri(text) => tlv(0x86, text),
            Self::Ip(bytes) => tlv(0x87, bytes),
        }
    }
}

/// An extension as it will stand in the certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// Its type.
    pub oid: &'static str,
    /// Whether who does not understand it must refuse.
    pub critical: bool,
    /// DER within the OCTET STRING.
    pub value: Vec<u8>,
}

/// Key usage bits by RFC 5280, 4.2.1.3.
pub mod usage {
    /// digitalSignature.
    pub const DIGITAL_SIGNATURE: u8 = 0;
    /// keyEncipherment.
    pub const KEY_ENCIPHERMENT: u8 = 2;
    /// keyAgreement.
    pub const KEY_AGREEMENT: u8 = 4;
    /// keyCertSign.
    pub const KEY_CERT_SIGN: u8 = 5;
    /// cRLSign.
    pub const CRL_SIGN: u8 = 6;
}

/// Extended key usages by their OID.
pub mod purpose {
    /// id-kp-serverAuth.
    pub const SERVER: &str = "1.3.6.1.5.5.7.3.1";
    /// id-kp-clientAuth.
    pub const CLIENT: &str = "1.3.6.1.5.5.7.3.2";
    /// id-kp-codeSigning.
    pub const CODE: &str = "1.3.6.1.5.5.7.3.3";
    /// anyExtendedKeyUsage.
    pub const ANY: &str = "2.5.29.37.0";
}

impl Extension {
    /// basicConstraints.
    pub fn basic_constraints(authority: bool, path_length: Option<u8>) -> Self {
        let mut parts = Vec::new();
        if authority {
            parts.push(boolean(true));
        }
        parts.extend(path_length.map(|length| unsigned(&[length])));
        Self { oid: "2.5.29.19", critical: true, value: sequence(&parts) }
    }

    /// keyUsage.
    pub fn key_usage(numbers: &[u8]) -> Self {
        Self { oid: "2.5.29.15", critical: true, value: named_bits(numbers) }
    }

    /// extKeyUsage.
    pub fn purposes(purposes: &[&str]) -> Self {
        let value = sequence(&purposes.iter().map(|purpose| oid(purpose)).collect::<Vec<_>>());
        Self { oid: "2.5.29.37", critical: false, value }
    }

    /// subjectAltName.
    pub fn names(names: &[General]) -> Self {
        let value = sequence(&names.iter().map(General::der).collect::<Vec<_>>());
        Self { oid: "2.5.29.17", critical: false, value }
    }

    /// subjectKeyIdentifier.
    pub fn subject_key(identifier: &[u8]) -> Self {
        Self { oid: "2.5.29.14", critical: false, value: tlv(0x04, identifier) }
    }

    /// authorityKeyIdentifier by key alone.
    pub fn authority_key(identifier: &[u8]) -> Self {
        Self { oid: "2.5.29.35", critical: false, value: sequence(&[tlv(0x80, identifier)]) }
    }

    /// nameConstraints.
    pub fn constraints(permitted: &[General], excluded: &[General]) -> Self {
        let subtrees = |tag, bases: &[General]| {
            let trees: Vec<_> = bases.iter().map(|base| sequence(&[base.der()])).collect();
            if trees.is_empty() { Vec::new() } else { tlv(tag, trees.concat()) }
        };
        let value = sequence(&[subtrees(0xa0, permitted), subtrees(0xa1, excluded)]);
        Self { oid: "2.5.29.30", critical: true, value }
    }

    /// One that nobody knows.
    pub fn unknown(critical: bool) -> Self {
        Self { oid: "1.3.6.1.4.1.55555.1.1", critical, value: tlv(0x05, []) }
    }

    fn der(&self) -> Vec<u8> {
        let mut parts = vec![oid(self.oid)];
        if self.critical {
            parts.push(boolean(true));
        }
        parts.push(tlv(0x04, &self.value));
        sequence(&parts)
    }
}

/// A certificate to be.
#[derive(Debug, Clone)]
pub struct Draft {
    /// X.509 version 1 has no extensions.
    pub version_1: bool,
    /// Contents of the serial number's INTEGER, as they stand.
    pub serial: Vec<u8>,
    /// Who is named as issuer.
    pub issuer: Name,
    /// Whom it is about.
    pub subject: Name,
    /// First and last moment.
    pub validity: (Day, Day),
    /// Both are so many seconds later than that.
    pub later: i64,
    /// In this order.
    pub extensions: Vec<Extension>,
    /// The signature's digest; by the issuer's key where not said.
    pub hash: Option<Hash>,
    /// Whether the signature is spoilt afterwards.
    pub corrupt: bool,
}

impl Draft {
    /// Signs it: DER.
    pub fn sign(&self, public: &[u8], issuer: &Key) -> Vec<u8> {
        let hash = self.hash.unwrap_or_else(|| issuer.own_hash());
        let algorithm = issuer.signature_algorithm(hash);
        let mut parts = Vec::new();
        if !self.version_1 {
            parts.push(tlv(0xa0, tlv(0x02, [2])));
        }
        parts.push(tlv(0x02, &self.serial));
        parts.push(algorithm.clone());
        parts.push(self.issuer.der());
        parts.push(sequence(&[self.moment(self.validity.0), self.moment(self.validity.1)]));
        parts.push(self.subject.der());
        parts.push(public.to_vec());
        if !self.version_1 && !self.extensions.is_empty() {
            let extensions: Vec<_> = self.extensions.iter().map(Extension::der).collect();
            parts.push(tlv(0xa3, sequence(&extensions)));
        }
        let certificate = sequence(&parts);
        let mut signature = issuer.sign(hash, &certificate);
        if let (true, Some(last)) = (self.corrupt, signature.last_mut()) {
            *last ^= 1;
        }
        sequence(&[certificate, algorithm, bits(&signature)])
    }

    fn moment(&self, day: Day) -> Vec<u8> {
        moment(seconds(day) + self.later)
    }
}

/// SHA-1 of the key's bits: the usual key identifier (RFC 5280, 4.2.1.2, method 1).
pub fn key_identifier(key: &Key) -> Vec<u8> {
    sha1::Sha1::digest(key.public_bits()).to_vec()
}

/// A revocation list of this issuer.
pub fn revocation_list(issuer: &Name, key: &Key, updates: (Day, Day), revoked: &[Vec<u8>]) -> Vec<u8> {
    let hash = key.own_hash();
    let algorithm = key.signature_algorithm(hash);
    let mut parts =
        vec![tlv(0x02, [1]), algorithm.clone(), issuer.der(), midnight(updates.0), midnight(updates.1)];
    if !revoked.is_empty() {
        let entry = |serial: &Vec<u8>| sequence(&[tlv(0x02, serial), midnight((2021, 1, 1))]);
        parts.push(sequence(&revoked.iter().map(entry).collect::<Vec<_>>()));
    }
    let extensions = [
        Extension::authority_key(&key_identifier(key)).der(),
        Extension { oid: "2.5.29.20", critical: false, value: unsigned(&[1]) }.der(),
    ];
    parts.push(tlv(0xa0, sequence(&extensions)));
    let list = sequence(&parts);
    let signature = key.sign(hash, &list);
    sequence(&[list, algorithm, bits(&signature)])
}

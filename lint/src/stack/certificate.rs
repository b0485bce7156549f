//! A certificate as the stacks see it: every field they judge by, read with the patience of the most patient one.
//!
//! A certificate is read from DER, or made from a [`PlannedCertificate`] whose issuer is known although no
//! signature exists yet. Path building is written once against this view.

use std::net::IpAddr;
use std::sync::Arc;

use mtls_identity::signature::{self, SignatureAlgorithm};
use sha2::{Digest as _, Sha256};

use super::der::{self, Element, Reader};
use super::distinguished_name::Name;
use crate::deployment::{PlannedCertificate, PlannedId, PlannedKey};
use crate::handshake::UnixSeconds;
use crate::source::Span;

/// A certificate, or one that will be issued.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// Where it stands, or where its Certificate resource does.
    pub span: Span,
    /// `CN=srv`, or `Certificate tls/etcd-server`: for messages.
    pub shown: String,
    /// Subject.
    pub subject: Name,
    /// Issuer.
    pub issuer: Name,
    /// 1, 2 or 3.
    pub version: u8,
    /// Content octets of the serial number.
    pub serial: Vec<u8>,
    /// First second of validity.
    pub not_before: UnixSeconds,
    /// Last second of validity.
    pub not_after: UnixSeconds,
    /// The public key.
    pub key: PublicKey,
    /// Signature algorithm, as far as it is known.
    pub algorithm: Option<SignatureAlgorithm>,
    /// Dotted OID of the signature algorithm.
    pub algorithm_oid: String,
    /// basicConstraints.
    pub basic_constraints: Option<BasicConstraints>,
    /// keyUsage, as [`KeyUsage`] bits.
    pub key_usage: Option<u16>,
    /// extKeyUsage, dotted.
    pub extended_key_usage: Option<Vec<String>>,
    /// subjectAltName.
    pub alternative_names: Option<Vec<GeneralName>>,
    /// subjectAltName is marked critical.
    pub critical_names: bool,
    /// Something of subjectAltName that Go refuses to parse.
    pub malformed_names: Option<String>,
    /// subjectKeyIdentifier.
    pub subject_key_id: Option<Vec<u8>>,
    /// authorityKeyIdentifier.
    pub authority_key_id: Option<AuthorityKeyId>,
    /// nameConstraints.
    pub name_constraints: Option<NameConstraints>,
    /// Netscape's certificate type, a forebear of extKeyUsage that OpenSSL still reads.
    pub netscape_type: Option<u8>,
    /// Critical extensions that nobody here knows, dotted.
    pub unknown_critical: Vec<String>,
    /// The same extension twice, dotted.
    pub duplicate_extension: Option<String>,
    /// Extensions whose value cannot be read, dotted.
    pub malformed_extensions: Vec<String>,
    /// Serial number below zero.
    pub negative_serial: bool,
    /// Trust settings of a TRUSTED CERTIFICATE block.
    pub trust_settings: Option<TrustSettings>,
    /// A real one or a planned one.
    pub origin: Origin,
    /// SHA-256 of the DER; of the identity for a planned one.
    pub digest: [u8; 32],
}

/// Where a certificate comes from.
#[derive(Debug, Clone)]
pub enum Origin {
    /// DER.
    Real {
        /// The certificate.
        der: Arc<Vec<u8>>,
        /// What is signed.
        tbs: Vec<u8>,
        /// The outer AlgorithmIdentifier.
        algorithm: Vec<u8>,
        /// The signature's bits.
        signature: Vec<u8>,
    },
    /// Not issued yet.
    Planned {
        /// Which.
        id: PlannedId,
        /// Who will sign it.
        signer: Signer,
    },
}

/// Who signs a planned certificate.
#[derive(Debug, Clone)]
pub enum Signer {
    /// Another planned certificate, or itself.
    Planned(PlannedId),
    /// A certificate in the sources: SHA-256 of its public key.
    Key([u8; 32]),
    /// A public CA.
    Public,
    /// Not known; completes "undetermined because …".
    Unknown(String),
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// Its kind.
    pub kind: KeyType,
    /// SubjectPublicKeyInfo as DER; empty for a planned certificate.
    pub spki: Vec<u8>,
    /// SHA-256 of it, or of the planned certificate's identity.
    pub digest: [u8; 32],
}

/// Kind and size of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyType {
    /// RSA with a modulus of so many bits.
    Rsa(u32),
    /// An elliptic curve of NIST: 256, 384 or 521; 0 for another.
    Ec(u32),
    /// Ed25519.
    Ed25519,
    /// Something else (Ed448, DSA, …).
    Other,
}

impl KeyType {
    /// Same algorithm, whatever size.
    pub fn same_kind(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }
}

impl std::fmt::Display for KeyType {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rsa(bits) => write!(out, "RSA-{bits}"),
            Self::Ec(0) => out.write_str("EC on an unnamed curve"),
            Self::Ec(bits) => write!(out, "EC P-{bits}"),
            Self::Ed25519 => out.write_str("Ed25519"),
            Self::Other => out.write_str("a key of an unknown kind"),
        }
    }
}

/// basicConstraints (RFC 5280 section 4.2.1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BasicConstraints {
    /// cA.
    pub ca: bool,
    /// pathLenConstraint.
    pub path_length: Option<u32>,
}

/// Bits of keyUsage (RFC 5280 section 4.2.1.3), as OpenSSL numbers them.
#[derive(Debug, Clone, Copy)]
pub struct KeyUsage;

impl KeyUsage {
    /// digitalSignature.
    pub const DIGITAL_SIGNATURE: u16 = 0x80;
    /// nonRepudiation.
    pub const NON_REPUDIATION: u16 = 0x40;
    /// keyEncipherment.
    pub const KEY_ENCIPHERMENT: u16 = 0x20;
    /// dataEncipherment.
    pub const DATA_ENCIPHERMENT: u16 = 0x10;
    /// keyAgreement.
    pub const KEY_AGREEMENT: u16 = 0x08;
    /// keyCertSign.
    pub const KEY_CERT_SIGN: u16 = 0x04;
    /// cRLSign.
    pub const CRL_SIGN: u16 = 0x02;

    /// Names of the bits, for messages.
    pub fn names(bits: u16) -> String {
        let known = [
            (Self::DIGITAL_SIGNATURE, "digitalSignature"),
            (Self::NON_REPUDIATION, "nonRepudiation"),
            (Self::KEY_ENCIPHERMENT, "keyEncipherment"),
            (Self::DATA_ENCIPHERMENT, "dataEncipherment"),
            (Self::KEY_AGREEMENT, "keyAgreement"),
            (Self::KEY_CERT_SIGN, "keyCertSign"),
            (Self::CRL_SIGN, "cRLSign"),
        ];
        let names: Vec<&str> =
            known.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| *name).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    }
}

/// A name of a GeneralName's kinds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GeneralName {
    /// dNSName, as it stands (a NUL stays).
    Dns(String),
    /// rfc822Name.
    Email(String),
    /// uniformResourceIdentifier.
    Uri(String),
    /// iPAddress: 4 or 16 octets (8 or 32 in a constraint).
    Ip(Vec<u8>),
    /// directoryName.
    Directory(Name),
    /// Another kind, by its tag number.
    Other(u8),
}

impl GeneralName {
    /// For messages.
    pub fn shown(&self) -> String {
        match self {
            Self::Dns(text) => format!("DNS:{}", text.escape_debug()),
            Self::Email(text) => format!("email:{}", text.escape_debug()),
            Self::Uri(text) => format!("URI:{}", text.escape_debug()),
            Self::Ip(octets) => match address(octets) {
                Some(address) => format!("IP:{address}"),
                None => "IP:?".to_owned(),
            },
            Self::Directory(name) => format!("DirName:{}", name.text),
            Self::Other(tag) => format!("name of kind {tag}"),
        }
    }
}

/// An address of 4 or 16 octets.
pub fn address(octets: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(octets) {
        return Some(IpAddr::from(octets));
    }
    <[u8; 16]>::try_from(octets).ok().map(IpAddr::from)
}

/// The octets of an address as iPAddress holds them.
pub fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// authorityKeyIdentifier (RFC 5280 section 4.2.1.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuthorityKeyId {
    /// keyIdentifier.
    pub key_id: Option<Vec<u8>>,
    /// The first directoryName of authorityCertIssuer.
    pub issuer: Option<Name>,
    /// authorityCertSerialNumber.
    pub serial: Option<Vec<u8>>,
}

/// nameConstraints (RFC 5280 section 4.2.1.10).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NameConstraints {
    /// permittedSubtrees.
    pub permitted: Vec<GeneralName>,
    /// excludedSubtrees.
    pub excluded: Vec<GeneralName>,
    /// Marked critical.
    pub critical: bool,
}

/// Trust settings that follow a certificate in a TRUSTED CERTIFICATE block (OpenSSL's X509_CERT_AUX).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrustSettings {
    /// Purposes it is trusted for, dotted; empty: not said.
    pub trust: Vec<String>,
    /// Purposes it is rejected for.
    pub reject: Vec<String>,
}

/// What a certificate is to be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A server's certificate, judged by a client.
    Server,
    /// A client's certificate, judged by a server.
    Client,
}

impl Purpose {
    /// id-kp-serverAuth or id-kp-clientAuth.
    pub fn oid(self) -> &'static str {
        match self {
            Self::Server => SERVER_AUTH,
            Self::Client => CLIENT_AUTH,
        }
    }

    /// The name of RFC 5280.
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "serverAuth",
            Self::Client => "clientAuth",
        }
    }
}

/// id-kp-serverAuth.
pub const SERVER_AUTH: &str = "1.3.6.1.5.5.7.3.1";
/// id-kp-clientAuth.
pub const CLIENT_AUTH: &str = "1.3.6.1.5.5.7.3.2";
/// anyExtendedKeyUsage.
pub const ANY_USAGE: &str = "2.5.29.37.0";

/// An extended key usage by the name of RFC 5280.
pub fn usage_name(oid: &str) -> &str {
    match oid {
        SERVER_AUTH => "serverAuth",
        CLIENT_AUTH => "clientAuth",
        ANY_USAGE => "anyExtendedKeyUsage",
        "1.3.6.1.5.5.7.3.3" => "codeSigning",
        "1.3.6.1.5.5.7.3.4" => "emailProtection",
        "1.3.6.1.5.5.7.3.8" => "timeStamping",
        "1.3.6.1.5.5.7.3.9" => "OCSPSigning",
        _ => oid,
    }
}

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
            algorithm: signature::algorithm(algorithm.whole),
            algorithm_oid: der::first(algorithm.content).and_then(|oid| der::dotted(oid.content))?,
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
            origin: Origin::Real {
                der: Arc::new(whole.whole.to_vec()),
                tbs: tbs.whole.to_vec(),
                algorithm: algorithm.whole.to_vec(),
                signature: signature.content.get(1..)?.to_vec(),
            },
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

    /// A certificate that will be issued: valid at any time, signed by whoever signs it.
    pub fn planned(
        id: PlannedId,
        planned: &PlannedCertificate,
        issuer: Option<&Certificate>,
        signer: Signer,
    ) -> Self {
        let subject = Name::planned(planned.subject.value());
        let key_digest: [u8; 32] = Sha256::digest(format!("planned key {id}")).into();
        let mut names: Vec<GeneralName> = Vec::new();
        names.extend(planned.dns_names.iter().map(|name| GeneralName::Dns(name.value.clone())));
        names.extend(planned.email_addresses.iter().map(|name| GeneralName::Email(name.value.clone())));
        let addresses = planned.ip_addresses.iter().filter_map(|name| name.value.parse().ok());
        names.extend(addresses.map(|address| GeneralName::Ip(octets(address))));
        names.extend(planned.uris.iter().map(|name| GeneralName::Uri(name.value.clone())));
        let bits = planned.key_usage.value().iter().fold(0, |bits, name| bits | usage_bit(name));
        let self_signed = matches!(&signer, Signer::Planned(by) if *by == id);
        let usages = planned.extended_key_usage.value();
        Self {
            span: planned.span,
            shown: planned.name.clone(),
            issuer: if self_signed {
                subject.clone()
            } else {
                issuer.map(|issuer| issuer.subject.clone()).unwrap_or_default()
            },
            subject,
            version: 3,
            serial: vec![1],
            not_before: UnixSeconds::MIN,
            not_after: UnixSeconds::MAX,
            key: PublicKey {
                kind: match planned.key {
                    PlannedKey::Rsa(bits) => KeyType::Rsa(bits),
                    PlannedKey::Ecdsa(bits) => KeyType::Ec(bits),
                    PlannedKey::Ed25519 => KeyType::Ed25519,
                },
                spki: Vec::new(),
                digest: key_digest,
            },
            algorithm: None,
            algorithm_oid: String::new(),
            basic_constraints: Some(BasicConstraints { ca: *planned.is_ca.value(), path_length: None }),
            key_usage: (!planned.key_usage.value().is_empty()).then_some(bits),
            extended_key_usage: (!usages.is_empty()).then(|| usages.clone()),
            alternative_names: (!names.is_empty()).then_some(names),
            critical_names: planned.subject.value().is_empty(),
            malformed_names: None,
            subject_key_id: Some(key_digest.to_vec()),
            authority_key_id: issuer
                .and_then(|issuer| issuer.subject_key_id.clone())
                .map(|key_id| AuthorityKeyId { key_id: Some(key_id), ..AuthorityKeyId::default() }),
            name_constraints: None,
            netscape_type: None,
            unknown_critical: Vec::new(),
            duplicate_extension: None,
            malformed_extensions: Vec::new(),
            negative_serial: false,
            trust_settings: None,
            origin: Origin::Planned { id, signer },
            digest: Sha256::digest(format!("planned certificate {id}")).into(),
        }
    }

    /// Subject and issuer are the same name (canonical form).
    pub fn is_self_issued(&self) -> bool {
        self.subject.canonical == self.issuer.canonical
    }

    /// Not issued yet.
    pub fn is_planned(&self) -> bool {
        matches!(self.origin, Origin::Planned { .. })
    }

    /// cA of basicConstraints is set.
    pub fn is_ca(&self) -> bool {
        self.basic_constraints.is_some_and(|constraints| constraints.ca)
    }

    /// The key may do one of these (no keyUsage: anything).
    pub fn may(&self, usages: u16) -> bool {
        self.key_usage.is_none_or(|bits| bits & usages != 0)
    }

    /// Names of one kind.
    pub fn names(&self) -> &[GeneralName] {
        self.alternative_names.as_deref().unwrap_or_default()
    }

    /// DNS names of subjectAltName.
    pub fn dns_names(&self) -> impl Iterator<Item = &str> {
        self.names().iter().filter_map(|name| match name {
            GeneralName::Dns(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// Addresses of subjectAltName.
    pub fn addresses(&self) -> impl Iterator<Item = &[u8]> {
        self.names().iter().filter_map(|name| match name {
            GeneralName::Ip(octets) => Some(octets.as_slice()),
            _ => None,
        })
    }

    /// subjectAltName as text.
    pub fn shown_names(&self) -> String {
        match &self.alternative_names {
            None if self.subject.common_names.is_empty() => "no name at all".to_owned(),
            None => {
                format!("no subjectAltName, only the common name {}", self.subject.common_names.join(", "))
            }
            Some(names) => names.iter().map(GeneralName::shown).collect::<Vec<_>>().join(", "),
        }
    }

    fn shown_as(&self) -> String {
        if !self.subject.text.is_empty() {
            return self.subject.text.clone();
        }
        match self.names().first() {
            Some(name) => name.shown(),
            None => "a certificate without any name".to_owned(),
        }
    }

    fn read_extensions(&mut self, content: &[u8]) -> Option<()> {
        let mut seen: Vec<String> = Vec::new();
        let mut extensions = Reader::new(content);
        while !extensions.is_empty() {
            let mut parts = Reader::new(extensions.expect(der::SEQUENCE)?.content);
            let oid = der::dotted(parts.expect(der::OBJECT_IDENTIFIER)?.content)?;
            let critical = parts
                .expect(der::BOOLEAN)
                .is_some_and(|flag| flag.content.first().is_some_and(|byte| *byte != 0));
            let value = parts.expect(der::OCTET_STRING)?.content;
            if seen.contains(&oid) {
                self.duplicate_extension.get_or_insert(oid);
                continue;
            }
            if self.read_extension(&oid, critical, value).is_none() {
                self.malformed_extensions.push(oid.clone());
            }
            seen.push(oid);
        }
        Some(())
    }

    fn read_extension(&mut self, oid: &str, critical: bool, value: &[u8]) -> Option<()> {
        match oid {
            "2.5.29.19" => {
                let mut parts = Reader::new(der::first(value)?.content);
                let ca = parts.expect(der::BOOLEAN).is_some_and(|flag| flag.content != [0]);
                let path_length = match parts.expect(der::INTEGER) {
                    Some(length) => Some(der::small(length.content)?),
                    None => None,
                };
                self.basic_constraints = Some(BasicConstraints { ca, path_length });
            }
            "2.5.29.15" => {
                let bits = der::first(value).filter(|element| element.tag == der::BIT_STRING)?.content;
                self.key_usage = Some(bits.get(1).map_or(0, |byte| u16::from(*byte)));
            }
            "2.5.29.37" => {
                let mut parts = Reader::new(der::first(value)?.content);
                let mut usages = Vec::new();
                while !parts.is_empty() {
                    usages.push(der::dotted(parts.expect(der::OBJECT_IDENTIFIER)?.content)?);
                }
                self.extended_key_usage = Some(usages);
            }
            "2.5.29.17" => {
                let mut names = Vec::new();
                let mut parts = Reader::new(der::first(value)?.content);
                while !parts.is_empty() {
                    let part = parts.element()?;
                    self.note_malformed_name(part);
                    names.push(general_name(part));
                }
                self.alternative_names = Some(names);
                self.critical_names = critical;
            }
            "2.5.29.14" => self.subject_key_id = Some(der::first(value)?.content.to_vec()),
            "2.5.29.35" => self.authority_key_id = Some(read_authority_key_id(der::first(value)?.content)?),
            "2.5.29.30" => {
                let mut constraints = NameConstraints { critical, ..NameConstraints::default() };
                let mut parts = Reader::new(der::first(value)?.content);
                while let Some(part) = parts.element() {
                    let mut subtrees = Reader::new(part.content);
                    let into =
                        if part.tag == 0xa0 { &mut constraints.permitted } else { &mut constraints.excluded };
                    while !subtrees.is_empty() {
                        let subtree = subtrees.expect(der::SEQUENCE)?;
                        into.push(general_name(der::first(subtree.content)?));
                    }
                }
                self.name_constraints = Some(constraints);
            }
            "2.16.840.1.113730.1.1" => {
                self.netscape_type = der::first(value)?.content.get(1).copied();
            }
            // issuerAltName, certificatePolicies, policyMappings, policyConstraints, inhibitAnyPolicy,
            // CRLDistributionPoints, and what OpenSSL supports beside (crypto/x509/v3_purp.c, supported_nids)
            "2.5.29.18" | "2.5.29.32" | "2.5.29.33" | "2.5.29.36" | "2.5.29.54" | "2.5.29.31" => {}
            _ if critical => self.unknown_critical.push(oid.to_owned()),
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

impl PublicKey {
    /// Reads SubjectPublicKeyInfo; None if it is none.
    pub fn read(spki: &[u8]) -> Option<Self> {
        let mut parts = Reader::new(der::first(spki)?.content);
        let mut algorithm = Reader::new(parts.expect(der::SEQUENCE)?.content);
        let oid = der::dotted(algorithm.expect(der::OBJECT_IDENTIFIER)?.content)?;
        let bits = parts.expect(der::BIT_STRING)?.content.get(1..)?;
        let kind = match oid.as_str() {
            "1.2.840.113549.1.1.1" | "1.2.840.113549.1.1.10" => {
                let modulus = Reader::new(der::first(bits)?.content).expect(der::INTEGER)?.content;
                KeyType::Rsa(bit_length(modulus))
            }
            "1.2.840.10045.2.1" => {
                let curve =
                    algorithm.expect(der::OBJECT_IDENTIFIER).and_then(|curve| der::dotted(curve.content));
                KeyType::Ec(match curve.as_deref() {
                    Some("1.2.840.10045.3.1.7") => 256,
                    Some("1.3.132.0.34") => 384,
                    Some("1.3.132.0.35") => 521,
                    _ => 0,
                })
            }
            "1.3.101.112" => KeyType::Ed25519,
            _ => KeyType::Other,
        };
        Some(Self { kind, spki: spki.to_vec(), digest: Sha256::digest(spki).into() })
    }
}

/// Bits of a big-endian number.
pub fn bit_length(number: &[u8]) -> u32 {
    let trimmed = number.iter().skip_while(|byte| **byte == 0);
    let mut length = 0;
    for (index, byte) in trimmed.enumerate() {
        length = if index == 0 { 8 - byte.leading_zeros() } else { length + 8 };
    }
    length
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
                    if let (None, GeneralName::Directory(name)) = (&id.issuer, general_name(name)) {
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

fn general_name(element: Element<'_>) -> GeneralName {
    // bytes beyond ASCII stay distinguishable: Latin-1, as nothing compares equal to them anyway
    let text = || element.content.iter().map(|byte| char::from(*byte)).collect::<String>();
    match element.tag & 0x1f {
        1 => GeneralName::Email(text()),
        2 => GeneralName::Dns(text()),
        4 => match Name::read(element.content) {
            Some(name) => GeneralName::Directory(name),
            None => GeneralName::Other(4),
        },
        6 => GeneralName::Uri(text()),
        7 => GeneralName::Ip(element.content.to_vec()),
        other => GeneralName::Other(other),
    }
}

fn usage_bit(name: &str) -> u16 {
    match name {
        "digitalSignature" => KeyUsage::DIGITAL_SIGNATURE,
        "nonRepudiation" | "contentCommitment" => KeyUsage::NON_REPUDIATION,
        "keyEncipherment" => KeyUsage::KEY_ENCIPHERMENT,
        "dataEncipherment" => KeyUsage::DATA_ENCIPHERMENT,
        "keyAgreement" => KeyUsage::KEY_AGREEMENT,
        "keyCertSign" => KeyUsage::KEY_CERT_SIGN,
        "cRLSign" => KeyUsage::CRL_SIGN,
        _ => 0,
    }
}

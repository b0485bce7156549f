//! A certificate, read once and owned: everything that a decision or a linter asks about it.
//!
//! Parsing is strict where leniency could change an answer: an extension that is present but unreadable, or
//! present twice, refuses the certificate. A name that cannot be read is kept as [`SubjectName::Unreadable`]: it
//! identifies nobody, and does not hide the others.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustls_pki_types::UnixTime;
use sha2::{Digest as _, Sha256};
use x509_parser::asn1_rs::{Any, Sequence};
use x509_parser::certificate::X509CertificateParser;
use x509_parser::error::X509Error;
use x509_parser::extensions::{self, GeneralName};
use x509_parser::nom::Parser as _;
use x509_parser::prelude::FromDer;
use x509_parser::x509::{SubjectPublicKeyInfo, X509Name};

use crate::signature::{self, KeyKind, Verdict};
use crate::sorted;
use crate::usage::KeyPurpose;

/// The longest certificate that is read, in bytes of DER; gateways pass on up to about 36 KB.
pub const LONGEST: usize = 256 * 1024;

/// A parsed X.509 certificate (RFC 5280).
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The DER it was read from.
    pub der: Vec<u8>,
    /// X.509 version as people count it: 1, 2 or 3.
    pub version: u32,
    /// The serial number's bytes without leading zeros; a negative one keeps its sign bit.
    pub serial: Vec<u8>,
    /// Who it was issued to.
    pub subject: Name,
    /// Who signed it, by its own claim.
    pub issuer: Name,
    /// When it is valid.
    pub validity: Validity,
    /// basicConstraints, if present.
    pub basic_constraints: Option<BasicConstraints>,
    /// keyUsage, if present.
    pub key_usage: Option<KeyUsage>,
    /// extendedKeyUsage, if present, in its order.
    pub extended_key_usage: Option<Vec<KeyPurpose>>,
    /// subjectAltName entries in their order; empty without the extension.
    pub names: Vec<SubjectName>,
    /// The public key's kind and strength.
    pub key: Key,
    /// The DER SubjectPublicKeyInfo.
    pub subject_public_key_info: Vec<u8>,
    /// keyIdentifier of authorityKeyIdentifier.
    pub authority_key_identifier: Option<Vec<u8>>,
    /// subjectKeyIdentifier.
    pub subject_key_identifier: Option<Vec<u8>>,
    /// nameConstraints is present.
    pub name_constrained: bool,
    /// Critical extensions whose meaning is not known here, as dotted OIDs.
    pub unknown_critical_extensions: Vec<String>,
    /// SHA-256 of the DER certificate.
    pub sha256: [u8; 32],
    /// SHA-256 of the DER SubjectPublicKeyInfo.
    pub public_key_sha256: [u8; 32],
    /// The DER AlgorithmIdentifier of the signature.
    pub signature_algorithm: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
    signed: std::ops::Range<usize>,
}

/// A distinguished name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// Its DER; names are compared by these bytes when a path is built.
    pub der: Vec<u8>,
    /// Its relative distinguished names, first the most significant, as encoded.
    pub parts: Vec<Vec<Attribute>>,
}

/// One attribute of a distinguished name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attribute {
    /// Short name as RFC 4514 writes it (`CN`, `O`), else the dotted OID.
    pub kind: String,
    /// The value; bytes that are not text appear as `#` and hexadecimal digits.
    pub value: String,
}

/// notBefore and notAfter in seconds since 1970; both ends belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// First second of validity.
    pub not_before: i64,
    /// Last second of validity.
    pub not_after: i64,
}

/// The basicConstraints extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BasicConstraints {
    /// It may sign certificates.
    pub ca: bool,
    /// How many intermediates may follow it.
    pub path_length: Option<u32>,
    /// Whether the extension is critical.
    pub critical: bool,
}

/// The keyUsage extension's bits (RFC 5280 section 4.2.1.3; bit 0 is digitalSignature).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUsage(pub u16);

/// The kind and strength of a public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// RSA with a modulus of so many bits.
    Rsa {
        /// Bits of the modulus.
        bits: usize,
    },
    /// A named elliptic curve.
    Ec {
        /// `P-256`, `P-384`, `P-521`, or the dotted OID.
        curve: String,
        /// Bits of the curve's field; 0 where the curve is not known here.
        bits: usize,
    },
    /// Ed25519.
    Ed25519,
    /// Any other algorithm, as dotted OID.
    Other(String),
}

/// One subjectAltName entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectName {
    /// dNSName as written.
    Dns(String),
    /// rfc822Name as written.
    Email(String),
    /// iPAddress.
    Ip(IpAddr),
    /// uniformResourceIdentifier as written.
    Uri(String),
    /// A form that identifies nobody here (otherName, directoryName, …), by its name.
    Other(&'static str),
    /// An entry of a form we use whose content is not what RFC 5280 allows; which form.
    Unreadable(&'static str),
}

/// Why bytes are no certificate that we would use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateError(String);

// === impl Certificate ===

impl Certificate {
    /// Reads a DER certificate; nothing may follow it.
    pub fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > LONGEST {
            return refuse(format!("it has {} bytes, more than {LONGEST}", der.len()));
        }
        // extensions are read one by one: those that nobody asks about are not
        let mut parser = X509CertificateParser::new().with_deep_parse_extensions(false);
        let parsed = match parser.parse(der) {
            Ok(([], parsed)) => parsed,
            Ok((rest, _)) => return refuse(format!("{} bytes follow it", rest.len())),
            Err(error) => return refuse(format!("it is not X.509: {error}")),
        };
        let tbs = &parsed.tbs_certificate;
        let (signed, signature_algorithm) = outer_parts(der)?;
        let mut this = Certificate {
            der: der.to_vec(),
            version: tbs.version.0.saturating_add(1),
            serial: strip_zeros(tbs.raw_serial()).to_vec(),
            subject: Name::read(&tbs.subject),
            issuer: Name::read(&tbs.issuer),
            validity: Validity {
                not_before: tbs.validity.not_before.timestamp(),
                not_after: tbs.validity.not_after.timestamp(),
            },
            basic_constraints: None,
            key_usage: None,
            extended_key_usage: None,
            names: Vec::new(),
            key: Key::read(&tbs.subject_pki),
            subject_public_key_info: tbs.subject_pki.raw.to_vec(),
            authority_key_identifier: None,
            subject_key_identifier: None,
            name_constrained: false,
            unknown_critical_extensions: Vec::new(),
            sha256: Sha256::digest(der).into(),
            public_key_sha256: Sha256::digest(tbs.subject_pki.raw).into(),
            signature_algorithm,
            signature: parsed.signature_value.data.to_vec(),
            signed,
        };
        let mut seen = Vec::new();
        for extension in tbs.extensions() {
            let oid = extension.oid.to_id_string();
            if seen.contains(&oid) {
                return refuse(format!("the extension {oid} is present twice"));
            }
            this.read_extension(&oid, extension)?;
            seen.push(oid);
            if seen.len() > 256 {
                return refuse("it has more than 256 extensions".to_owned());
            }
        }
        Ok(this)
    }

    /// Reads the first certificate of a PEM text.
    pub fn parse_pem(text: &str) -> Result<Self, CertificateError> {
        match certificates_in(text)?.into_iter().next() {
            Some(certificate) => Ok(certificate),
            None => refuse("there is no PEM block of type CERTIFICATE".to_owned()),
        }
    }

    /// The bytes that its issuer signed: the DER TBSCertificate.
    pub fn signed(&self) -> &[u8] {
        self.der.get(self.signed.clone()).unwrap_or_default()
    }

    /// Whether the issuer's key signed this certificate; names and constraints are not looked at.
    pub fn signed_by(&self, issuer: &Certificate) -> Verdict {
        signature::verify(
            &issuer.subject_public_key_info,
            &self.signature_algorithm,
            self.signed(),
            &self.signature,
        )
    }

    /// Whether basicConstraints says that it may sign certificates.
    pub fn is_ca(&self) -> bool {
        self.basic_constraints.is_some_and(|constraints| constraints.ca)
    }

    /// Subject and issuer are the same name.
    pub fn is_self_issued(&self) -> bool {
        self.subject.der == self.issuer.der
    }

    fn read_extension(
        &mut self,
        oid: &str,
        extension: &extensions::X509Extension<'_>,
    ) -> Result<(), CertificateError> {
        let value = extension.value;
        match oid {
            "2.5.29.19" => {
                let constraints: extensions::BasicConstraints = readable(oid, value)?;
                self.basic_constraints = Some(BasicConstraints {
                    ca: constraints.ca,
                    path_length: constraints.path_len_constraint,
                    critical: extension.critical,
                });
            }
            "2.5.29.15" => {
                self.key_usage = Some(KeyUsage(readable::<extensions::KeyUsage>(oid, value)?.flags));
            }
            "2.5.29.37" => self.extended_key_usage = Some(KeyPurpose::read_all(value)?),
            "2.5.29.17" => {
                let names: extensions::SubjectAlternativeName<'_> = readable(oid, value)?;
                self.names = names.general_names.iter().map(SubjectName::read).collect();
            }
            "2.5.29.14" => {
                let identifier: extensions::KeyIdentifier<'_> = readable(oid, value)?;
                self.subject_key_identifier = Some(identifier.0.to_vec());
            }
            "2.5.29.30" => {
                readable::<extensions::NameConstraints<'_>>(oid, value)?;
                self.name_constrained = true;
            }
            // it helps to find an issuer, and decides nothing
            "2.5.29.35" => match readable::<extensions::AuthorityKeyIdentifier<'_>>(oid, value) {
                Ok(identifier) => {
                    self.authority_key_identifier =
                        identifier.key_identifier.as_ref().map(|id| id.0.to_vec());
                }
                Err(error) if extension.critical => return Err(error),
                Err(_) => {}
            },
            _ if extension.critical && !UNDERSTOOD.contains(&oid) => {
                self.unknown_critical_extensions.push(oid.to_owned());
            }
            _ => {}
        }
        Ok(())
    }
}

/// Critical extensions that a certificate may have beside those that are read: they restrict policies and say where
/// revocation is published, and whoever validated the path has judged them.
const UNDERSTOOD: [&str; 10] = [
    "2.5.29.18",
    "2.5.29.31",
    "2.5.29.32",
    "2.5.29.33",
    "2.5.29.36",
    "2.5.29.54",
    "1.3.6.1.5.5.7.1.1",
    "1.3.6.1.5.5.7.1.11",
    "1.3.6.1.4.1.11129.2.4.2",
    "2.16.840.1.113730.1.1",
];

fn readable<'a, T: FromDer<'a, X509Error>>(oid: &str, value: &'a [u8]) -> Result<T, CertificateError> {
    match T::from_der(value) {
        Ok(([], extension)) => Ok(extension),
        _ => refuse(format!("the extension {oid} cannot be read")),
    }
}

/// Reads every certificate of a PEM text in its order; other blocks are passed over.
pub fn certificates_in(text: &str) -> Result<Vec<Certificate>, CertificateError> {
    let blocks =
        pem::parse_many(text).map_err(|error| CertificateError(format!("it is not PEM: {error}")))?;
    blocks
        .iter()
        .filter(|block| ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"].contains(&block.tag()))
        .map(|block| Certificate::parse(block.contents()))
        .collect()
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("subject", &self.subject.to_string())
            .field("names", &self.names)
            .field("serial", &self.serial_text())
            .finish_non_exhaustive()
    }
}

impl Certificate {
    /// The serial number as OpenSSL prints it: upper-case hexadecimal digits, at least two.
    pub fn serial_text(&self) -> String {
        if self.serial.is_empty() { "00".to_owned() } else { hexadecimal(&self.serial).to_ascii_uppercase() }
    }
}

// === impl Name ===

impl Name {
    fn read(name: &X509Name<'_>) -> Self {
        let parts = name
            .iter_rdn()
            .map(|part| {
                let mut attributes: Vec<Attribute> = part.iter().map(Attribute::read).collect();
                sorted::sort(&mut attributes);
                attributes
            })
            .collect();
        Name { der: name.as_raw().to_vec(), parts }
    }

    /// The common names in it, in their order.
    pub fn common_names(&self) -> impl Iterator<Item = &str> {
        self.parts
            .iter()
            .flatten()
            .filter(|attribute| attribute.kind == "CN")
            .map(|attribute| attribute.value.as_str())
    }
}

impl fmt::Display for Name {
    /// RFC 4514: the most specific part first, `CN=orders,O=Example`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.parts.iter().rev().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            for (index, attribute) in part.iter().enumerate() {
                if index > 0 {
                    f.write_str("+")?;
                }
                write!(f, "{}=", attribute.kind)?;
                let last = attribute.value.chars().count().saturating_sub(1);
                for (index, letter) in attribute.value.chars().enumerate() {
                    match letter {
                        ',' | '+' | '"' | '\\' | '<' | '>' | ';' => write!(f, "\\{letter}")?,
                        ' ' if index == 0 || index == last => f.write_str("\\ ")?,
                        '#' if index == 0 && !attribute.is_hexadecimal() => f.write_str("\\#")?,
                        letter if letter.is_control() => {
                            let mut bytes = [0; 4];
                            for byte in letter.encode_utf8(&mut bytes).bytes() {
                                write!(f, "\\{byte:02X}")?;
                            }
                        }
                        letter => write!(f, "{letter}")?,
                    }
                }
            }
        }
        Ok(())
    }
}

// === impl Attribute ===

impl Attribute {
    fn read(attribute: &x509_parser::x509::AttributeTypeAndValue<'_>) -> Self {
        let oid = attribute.attr_type().to_id_string();
        let kind =
            SHORT_NAMES.iter().find(|(known, _)| *known == oid).map_or(oid, |(_, short)| (*short).to_owned());
        let value = match attribute.as_str() {
            Ok(text) => text.to_owned(),
            Err(_) => format!("#{}", hexadecimal(attribute.as_slice())),
        };
        Attribute { kind, value }
    }

    fn is_hexadecimal(&self) -> bool {
        self.value.strip_prefix('#').is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
    }
}

/// RFC 4514 section 3, and what OpenSSL adds.
const SHORT_NAMES: [(&str, &str); 14] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "title"),
    ("2.5.4.42", "GN"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
];

// === impl Validity ===

impl Validity {
    /// How long it is valid, in seconds.
    pub fn lifetime(&self) -> i64 {
        self.not_after.saturating_sub(self.not_before)
    }

    /// When both are valid; nothing contains it if they never are.
    pub fn overlap(self, other: Validity) -> Validity {
        Validity {
            not_before: self.not_before.max(other.not_before),
            not_after: self.not_after.min(other.not_after),
        }
    }

    /// Whether it is valid at a time, give or take `skew` seconds.
    pub fn contains(&self, at: UnixTime, skew: u64) -> bool {
        !self.is_over(at, skew) && !self.is_ahead(at, skew)
    }

    /// The time lies after notAfter by more than `skew` seconds.
    pub fn is_over(&self, at: UnixTime, skew: u64) -> bool {
        seconds(at.as_secs()) > self.not_after.saturating_add(seconds(skew))
    }

    /// The time lies before notBefore by more than `skew` seconds.
    pub fn is_ahead(&self, at: UnixTime, skew: u64) -> bool {
        seconds(at.as_secs()).saturating_add(seconds(skew)) < self.not_before
    }
}

fn seconds(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

// === impl KeyUsage ===

impl KeyUsage {
    /// digitalSignature: TLS client authentication signs with the key.
    pub fn digital_signature(self) -> bool {
        self.0 & 1 != 0
    }

    /// keyEncipherment: RSA key exchange of TLS 1.2.
    pub fn key_encipherment(self) -> bool {
        self.0 & 1 << 2 != 0
    }

    /// keyAgreement.
    pub fn key_agreement(self) -> bool {
        self.0 & 1 << 4 != 0
    }

    /// keyCertSign: may sign certificates.
    pub fn certificate_signing(self) -> bool {
        self.0 & 1 << 5 != 0
    }

    /// The set bits in the words of RFC 5280.
    pub fn words(self) -> Vec<&'static str> {
        const WORDS: [&str; 9] = [
            "digitalSignature",
            "nonRepudiation",
            "keyEncipherment",
            "dataEncipherment",
            "keyAgreement",
            "keyCertSign",
            "cRLSign",
            "encipherOnly",
            "decipherOnly",
        ];
        WORDS.iter().enumerate().filter(|(bit, _)| self.0 >> bit & 1 != 0).map(|(_, word)| *word).collect()
    }
}

// === impl Key ===

impl Key {
    fn read(info: &SubjectPublicKeyInfo<'_>) -> Self {
        match info.algorithm.algorithm.to_id_string().as_str() {
            "1.2.840.113549.1.1.1" | "1.2.840.113549.1.1.10" => {
                let modulus = x509_parser::public_key::RSAPublicKey::from_der(&info.subject_public_key.data)
                    .map(|(_, key)| key.modulus)
                    .unwrap_or_default();
                let modulus = strip_zeros(modulus);
                let unused = modulus.first().map_or(0, |first| first.leading_zeros());
                Key::Rsa { bits: (modulus.len() * 8).saturating_sub(usize::try_from(unused).unwrap_or(0)) }
            }
            "1.2.840.10045.2.1" => {
                let curve = info.algorithm.parameters().and_then(|parameters| parameters.as_oid().ok());
                match curve.map(|curve| curve.to_id_string()).as_deref() {
                    Some("1.2.840.10045.3.1.7") => Key::Ec { curve: "P-256".to_owned(), bits: 256 },
                    Some("1.3.132.0.34") => Key::Ec { curve: "P-384".to_owned(), bits: 384 },
                    Some("1.3.132.0.35") => Key::Ec { curve: "P-521".to_owned(), bits: 521 },
                    Some(other) => Key::Ec { curve: other.to_owned(), bits: 0 },
                    None => Key::Ec { curve: "explicit parameters".to_owned(), bits: 0 },
                }
            }
            "1.3.101.112" => Key::Ed25519,
            other => Key::Other(other.to_owned()),
        }
    }

    /// The kind that signatures are checked with; `None` for those we cannot.
    pub fn kind(&self) -> Option<KeyKind> {
        match self {
            Key::Rsa { .. } => Some(KeyKind::Rsa),
            Key::Ec { .. } => Some(KeyKind::Ecdsa),
            Key::Ed25519 => Some(KeyKind::Ed25519),
            Key::Other(_) => None,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Rsa { bits } => write!(f, "RSA with {bits} bits"),
            Key::Ec { curve, .. } => write!(f, "ECDSA on {curve}"),
            Key::Ed25519 => f.write_str("Ed25519"),
            Key::Other(oid) => write!(f, "a key of algorithm {oid}"),
        }
    }
}

// === impl SubjectName ===

impl SubjectName {
    fn read(name: &GeneralName<'_>) -> Self {
        match name {
            GeneralName::DNSName(text) => SubjectName::Dns((*text).to_owned()),
            GeneralName::RFC822Name(text) => SubjectName::Email((*text).to_owned()),
            GeneralName::URI(text) => SubjectName::Uri((*text).to_owned()),
            GeneralName::IPAddress(bytes) => {
                if let Ok(bytes) = <[u8; 4]>::try_from(*bytes) {
                    SubjectName::Ip(Ipv4Addr::from(bytes).into())
                } else if let Ok(bytes) = <[u8; 16]>::try_from(*bytes) {
                    SubjectName::Ip(Ipv6Addr::from(bytes).into())
                } else {
                    SubjectName::Unreadable("iPAddress")
                }
            }
            GeneralName::OtherName(..) => SubjectName::Other("otherName"),
            GeneralName::X400Address(_) => SubjectName::Other("x400Address"),
            GeneralName::DirectoryName(_) => SubjectName::Other("directoryName"),
            GeneralName::EDIPartyName(_) => SubjectName::Other("ediPartyName"),
            GeneralName::RegisteredID(_) => SubjectName::Other("registeredID"),
            GeneralName::Invalid(tag, _) => SubjectName::Unreadable(match tag.0 {
                1 => "rfc822Name",
                2 => "dNSName",
                6 => "uniformResourceIdentifier",
                _ => "generalName",
            }),
        }
    }
}

// === impl CertificateError ===

impl CertificateError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        CertificateError(message.into())
    }
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the certificate cannot be read: {}", self.0)
    }
}

impl std::error::Error for CertificateError {}

fn refuse<T>(message: String) -> Result<T, CertificateError> {
    Err(CertificateError(message))
}

/// Where the TBSCertificate stands, and the DER of the outer signatureAlgorithm.
fn outer_parts(der: &[u8]) -> Result<(std::ops::Range<usize>, Vec<u8>), CertificateError> {
    let unreadable = |_| CertificateError("its outer structure cannot be read".to_owned());
    let (_, outer) = Sequence::from_der(der).map_err(unreadable)?;
    let content: &[u8] = &outer.content;
    let (after_tbs, _) = Any::from_der(content).map_err(unreadable)?;
    let (after_algorithm, _) = Any::from_der(after_tbs).map_err(unreadable)?;
    let header = der.len().saturating_sub(content.len());
    let tbs = header..header.saturating_add(content.len().saturating_sub(after_tbs.len()));
    let length = after_tbs.len().saturating_sub(after_algorithm.len());
    Ok((tbs, after_tbs.get(..length).unwrap_or_default().to_vec()))
}

fn strip_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

/// Lower-case hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| DIGITS.get(usize::from(value & 15)).copied().map_or('0', char::from);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// Reads base64 of DER, as it stands between the colons of an RFC 9440 header; nothing else may be in it.
pub fn parse_base64(text: &str) -> Result<Certificate, CertificateError> {
    let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    if text.is_empty() || text.len() > LONGEST.saturating_mul(2) || !text.bytes().all(alphabet) {
        return refuse("it is not base64".to_owned());
    }
    // the PEM reader brings a decoder; a second one is not linked for this
    Certificate::parse_pem(&format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"))
}

//! Does this private key belong to that certificate? Only the public half is ever kept.

use p256::elliptic_curve::sec1::ToSec1Point;

use super::certificate::{Certificate, KeyType, PublicKey, bit_length, key};
use super::der::{self, Reader};
use crate::deployment::PlannedId;

/// The public half of a private key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum PrivateKey {
    /// RSA: modulus and exponent without leading zeros.
    Rsa(Vec<u8>, Vec<u8>),
    /// A curve of NIST by its bits, and the uncompressed point.
    Ec(u32, Vec<u8>),
    /// Ed25519.
    Ed25519(Vec<u8>),
    /// A key of a kind that is not known here.
    Other,
    /// The key that cert-manager will write.
    Planned(PlannedId),
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "PrivateKey({:?})", self.kind())
    }
}

impl PrivateKey {
    /// Reads PKCS#8, PKCS#1 or SEC1 by the block's label; None if it is no such key.
    pub fn read(label: &str, bytes: &[u8]) -> Option<Self> {
        match label {
            "RSA PRIVATE KEY" => rsa(bytes),
            "EC PRIVATE KEY" => ec(bytes, None),
            "PRIVATE KEY" => pkcs8(bytes),
            _ => None,
        }
    }

    /// Reads whatever of the three it is (Go's parsePrivateKey, which looks at no label).
    pub fn read_any(bytes: &[u8]) -> Option<Self> {
        rsa(bytes).or_else(|| pkcs8(bytes)).or_else(|| ec(bytes, None))
    }

    /// The public half in a certificate; None for a kind that is not known here.
    pub fn of(certificate: &Certificate) -> Option<Self> {
        public_of(&certificate.key)
    }

    /// Kind and size; None for a planned key.
    pub fn kind(&self) -> Option<KeyType> {
        match self {
            Self::Rsa(modulus, _) => Some(KeyType::Rsa(bit_length(modulus))),
            Self::Ec(curve, _) => Some(KeyType::Ec(*curve)),
            Self::Ed25519(_) => Some(KeyType::Ed25519),
            Self::Other => Some(KeyType::Other),
            Self::Planned(_) => None,
        }
    }

    /// Whether the certificate holds this key's public half; None where that cannot be told.
    pub fn belongs_to(&self, certificate: &Certificate) -> Option<bool> {
        use super::certificate::Origin;
        match (self, &certificate.origin) {
            (Self::Planned(key), Origin::Planned { id, .. }) => Some(key == id),
            (Self::Planned(_), Origin::Real(_)) | (_, Origin::Planned { .. }) => None,
            (Self::Other, _) => (certificate.key.kind != KeyType::Other).then_some(false),
            (key, _) => Some(public_of(&certificate.key).as_ref() == Some(key)),
        }
    }

    /// Of the same algorithm as the certificate's key.
    pub fn same_kind(&self, certificate: &Certificate) -> bool {
        self.kind().is_none_or(|kind| kind.same_kind(certificate.key.kind))
    }
}

/// A public key in the form it is compared in.
fn public_of(key: &PublicKey) -> Option<PrivateKey> {
    let mut parts = Reader::new(der::first(&key.spki)?.content);
    parts.expect(der::SEQUENCE)?;
    let bits = parts.expect(der::BIT_STRING)?.content.get(1..)?;
    match key.kind {
        KeyType::Rsa(_) => {
            let mut numbers = Reader::new(der::first(bits)?.content);
            let modulus = numbers.expect(der::INTEGER)?.content;
            let exponent = numbers.expect(der::INTEGER)?.content;
            Some(PrivateKey::Rsa(trimmed(modulus), trimmed(exponent)))
        }
        KeyType::Ec(curve) => Some(PrivateKey::Ec(curve, bits.to_vec())),
        KeyType::Ed25519 => Some(PrivateKey::Ed25519(bits.to_vec())),
        KeyType::Other => None,
    }
}

/// RFC 8017 A.1.2.
fn rsa(bytes: &[u8]) -> Option<PrivateKey> {
    let mut parts = Reader::new(der::first(bytes).filter(|element| element.tag == der::SEQUENCE)?.content);
    parts.expect(der::INTEGER)?;
    let modulus = parts.expect(der::INTEGER)?.content;
    let exponent = parts.expect(der::INTEGER)?.content;
    parts.expect(der::INTEGER)?;
    Some(PrivateKey::Rsa(trimmed(modulus), trimmed(exponent)))
}

/// RFC 5208 and RFC 5958.
fn pkcs8(bytes: &[u8]) -> Option<PrivateKey> {
    let mut parts = Reader::new(der::first(bytes).filter(|element| element.tag == der::SEQUENCE)?.content);
    parts.expect(der::INTEGER)?;
    let mut algorithm = Reader::new(parts.expect(der::SEQUENCE)?.content);
    let oid = algorithm.expect(der::OBJECT_IDENTIFIER)?.content;
    let inner = parts.expect(der::OCTET_STRING)?.content;
    match oid {
        key::RSA_ENCRYPTION | key::RSASSA_PSS => rsa(inner),
        key::EC_PUBLIC_KEY => ec(inner, Some(key::curve(algorithm.expect(der::OBJECT_IDENTIFIER)?.content))),
        key::ED25519 => {
            let seed: [u8; 32] = der::first(inner)?.content.try_into().ok()?;
            let key = ed25519_dalek::SigningKey::from_bytes(&seed);
            Some(PrivateKey::Ed25519(key.verifying_key().to_bytes().to_vec()))
        }
        _ => Some(PrivateKey::Other),
    }
}

/// RFC 5915: the public key is optional and then computed.
fn ec(bytes: &[u8], outer: Option<u32>) -> Option<PrivateKey> {
    let mut parts = Reader::new(der::first(bytes).filter(|element| element.tag == der::SEQUENCE)?.content);
    parts.expect(der::INTEGER)?;
    let scalar = parts.expect(der::OCTET_STRING)?.content;
    let (mut named, mut point) = (outer, None);
    while let Some(part) = parts.element() {
        match part.tag {
            0xa0 => named = named.or_else(|| Some(key::curve(der::first(part.content)?.content))),
            0xa1 => {
                point = der::first(part.content).and_then(|bits| bits.content.get(1..)).map(<[u8]>::to_vec)
            }
            _ => {}
        }
    }
    let named = named?;
    let point = point.or_else(|| match named {
        256 => p256::SecretKey::from_slice(scalar)
            .ok()
            .map(|key| key.public_key().to_sec1_point(false).as_bytes().to_vec()),
        384 => p384::SecretKey::from_slice(scalar)
            .ok()
            .map(|key| key.public_key().to_sec1_point(false).as_bytes().to_vec()),
        521 => p521::SecretKey::from_slice(scalar)
            .ok()
            .map(|key| key.public_key().to_sec1_point(false).as_bytes().to_vec()),
        _ => None,
    });
    Some(point.map_or(PrivateKey::Other, |point| PrivateKey::Ec(named, point)))
}

fn trimmed(number: &[u8]) -> Vec<u8> {
    number.iter().copied().skip_while(|byte| *byte == 0).collect()
}

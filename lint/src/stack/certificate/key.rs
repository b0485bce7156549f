//! Public keys.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::stack::der::{self, Reader};

pub(in crate::stack) const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
pub(in crate::stack) const RSASSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
pub(in crate::stack) const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const P_256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const P_384: &[u8] = &[0x2b, 0x81, 4, 0, 34];
const P_521: &[u8] = &[0x2b, 0x81, 4, 0, 35];
pub(in crate::stack) const ED25519: &[u8] = &[0x2b, 0x65, 112];

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

impl fmt::Display for KeyType {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa(bits) => write!(out, "RSA-{bits}"),
            Self::Ec(0) => out.write_str("EC on an unnamed curve"),
            Self::Ec(bits) => write!(out, "EC P-{bits}"),
            Self::Ed25519 => out.write_str("Ed25519"),
            Self::Other => out.write_str("a key of an unknown kind"),
        }
    }
}

impl PublicKey {
    /// Reads SubjectPublicKeyInfo; None if it is none.
    pub fn read(spki: &[u8]) -> Option<Self> {
        let mut parts = Reader::new(der::first(spki)?.content);
        let mut algorithm = Reader::new(parts.expect(der::SEQUENCE)?.content);
        let oid = algorithm.expect(der::OBJECT_IDENTIFIER)?.content;
        let bits = parts.expect(der::BIT_STRING)?.content.get(1..)?;
        let kind = match oid {
            RSA_ENCRYPTION | RSASSA_PSS => {
                let modulus = Reader::new(der::first(bits)?.content).expect(der::INTEGER)?.content;
                KeyType::Rsa(bit_length(modulus))
            }
            EC_PUBLIC_KEY => {
                KeyType::Ec(algorithm.expect(der::OBJECT_IDENTIFIER).map_or(0, |named| curve(named.content)))
            }
            ED25519 => KeyType::Ed25519,
            other => der::dotted(other).map(|_| KeyType::Other)?,
        };
        Some(Self { kind, spki: spki.to_vec(), digest: Sha256::digest(spki).into() })
    }
}

/// Bits of the curve of NIST with this object identifier; 0 for another curve.
pub(in crate::stack) fn curve(oid: &[u8]) -> u32 {
    match oid {
        P_256 => 256,
        P_384 => 384,
        P_521 => 521,
        _ => 0,
    }
}

/// Bits of a big-endian number.
pub fn bit_length(number: &[u8]) -> u32 {
    let Some(first) = number.iter().position(|byte| *byte != 0) else { return 0 };
    let behind = number.len() - first - 1;
    let bits = number.get(first).map_or(0, |byte| 8 - byte.leading_zeros());
    u32::try_from(behind).unwrap_or(u32::MAX).saturating_mul(8).saturating_add(bits)
}

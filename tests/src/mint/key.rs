//! Keys that a label repeats, in every form a file can hold.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ed25519_dalek::Signer as _;
use p256::ecdsa::signature::hazmat::PrehashSigner;
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{Pkcs1v15Sign, PrivateKey};
use sha2::Digest;

use super::der::{bits, oid, sequence, tlv, unsigned};
use crate::seeded::Seeded;

/// Kind and size of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyKind {
    /// ECDSA on this curve: 256, 384 or 521.
    Ec(u16),
    /// Ed25519.
    Ed25519,
    /// RSA of this many bits.
    Rsa(u16),
}

/// The digest of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// MD5, with RSA only.
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// A private key.
#[derive(Clone)]
pub enum Key {
    /// On P-256.
    P256(p256::ecdsa::SigningKey),
    /// On P-384.
    P384(p384::ecdsa::SigningKey),
    /// On P-521.
    P521(p521::ecdsa::SigningKey),
    /// Ed25519.
    Ed25519(ed25519_dalek::SigningKey),
    /// RSA.
    Rsa(Arc<PrivateKey>),
}

impl Key {
    /// The key of this label: the same label and kind give the same key. RSA keys come from a pool of four a size,
    /// since finding primes takes longer than everything else a test does.
    pub fn new(kind: KeyKind, label: &str) -> Self {
        let mut source = Seeded::new(&format!("key {kind:?} {label}"));
        match kind {
            // a scalar that is zero or too large comes up once in 2^32; the next one then serves
            KeyKind::Ec(256) => {
                Self::P256(first(|| p256::ecdsa::SigningKey::from_slice(&source.bytes(32)).ok()))
            }
            KeyKind::Ec(384) => {
                Self::P384(first(|| p384::ecdsa::SigningKey::from_slice(&source.bytes(48)).ok()))
            }
            KeyKind::Ec(_) => Self::P521(first(|| {
                let mut scalar = source.bytes(66);
                scalar[0] &= 1;
                p521::ecdsa::SigningKey::from_slice(&scalar).ok()
            })),
            KeyKind::Ed25519 => {
                let mut secret = [0; 32];
                secret.copy_from_slice(&source.bytes(32));
                Self::Ed25519(ed25519_dalek::SigningKey::from_bytes(&secret))
            }
            KeyKind::Rsa(size) => Self::Rsa(pooled(size, source.below(4))),
        }
    }

    /// SubjectPublicKeyInfo.
    pub fn public(&self) -> Vec<u8> {
        sequence(&[self.algorithm(), bits(&self.public_bits())])
    }

    /// The contents of the subjectPublicKey BIT STRING: what a key identifier is made of.
    pub fn public_bits(&self) -> Vec<u8> {
        match self {
            Self::P256(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Self::P384(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Self::P521(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Self::Ed25519(key) => key.verifying_key().as_bytes().to_vec(),
            Self::Rsa(key) => sequence(&[unsigned(&key.n_bytes()), unsigned(&key.e_bytes())]),
        }
    }

    fn algorithm(&self) -> Vec<u8> {
        const EC: &str = "1.2.840.10045.2.1";
        match self {
            Self::P256(_) => sequence(&[oid(EC), oid("1.2.840.10045.3.1.7")]),
            Self::P384(_) => sequence(&[oid(EC), oid("1.3.132.0.34")]),
            Self::P521(_) => sequence(&[oid(EC), oid("1.3.132.0.35")]),
            Self::Ed25519(_) => sequence(&[oid("1.3.101.112")]),
            Self::Rsa(_) => sequence(&[oid("1.2.840.113549.1.1.1"), tlv(0x05, [])]),
        }
    }

    /// PKCS#8 PrivateKeyInfo.
    pub fn pkcs8(&self) -> Vec<u8> {
        let inner = match self {
            Self::Ed25519(key) => tlv(0x04, key.to_bytes()),
            _ => self.traditional(),
        };
        sequence(&[tlv(0x02, [0]), self.algorithm(), tlv(0x04, inner)])
    }

    /// SEC1 or PKCS#1, as `openssl ecparam` and `openssl genrsa -traditional` write it; Ed25519 has no such form and
    /// stays PKCS#8.
    pub fn traditional(&self) -> Vec<u8> {
        let sec1 = |scalar: &[u8], curve: &str| {
            sequence(&[
                tlv(0x02, [1]),
                tlv(0x04, scalar),
                tlv(0xa0, oid(curve)),
                tlv(0xa1, bits(&self.public_bits())),
            ])
        };
        match self {
            Self::P256(key) => sec1(&key.to_bytes(), "1.2.840.10045.3.1.7"),
            Self::P384(key) => sec1(&key.to_bytes(), "1.3.132.0.34"),
            Self::P521(key) => sec1(&key.to_bytes(), "1.3.132.0.35"),
            Self::Ed25519(_) => self.pkcs8(),
            Self::Rsa(key) => {
                // RFC 8017, A.1.2
                let coefficient = key.crt_coefficient();
                let primes = key.primes().iter().map(AsRef::as_ref);
                let rest = [key.dp(), key.dq(), coefficient.as_ref()].into_iter().flatten();
                let secret = [key.d()].into_iter().chain(primes).chain(rest);
                let mut parts = vec![tlv(0x02, [0]), unsigned(&key.n_bytes()), unsigned(&key.e_bytes())];
                parts.extend(secret.map(|number| unsigned(&number.to_be_bytes())));
                sequence(&parts)
            }
        }
    }

    /// The label of the traditional form.
    pub fn traditional_label(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "PRIVATE KEY",
            Self::Rsa(_) => "RSA PRIVATE KEY",
            _ => "EC PRIVATE KEY",
        }
    }

    /// AlgorithmIdentifier of its signatures with this digest.
    pub fn signature_algorithm(&self, hash: Hash) -> Vec<u8> {
        let rsa = |last: u8| sequence(&[oid(&format!("1.2.840.113549.1.1.{last}")), tlv(0x05, [])]);
        match (self, hash) {
            (Self::Ed25519(_), _) => sequence(&[oid("1.3.101.112")]),
            (Self::Rsa(_), Hash::Md5) => rsa(4),
            (Self::Rsa(_), Hash::Sha1) => rsa(5),
            (Self::Rsa(_), Hash::Sha256) => rsa(11),
            (Self::Rsa(_), Hash::Sha384) => rsa(12),
            (Self::Rsa(_), Hash::Sha512) => rsa(13),
            (_, Hash::Md5 | Hash::Sha1) => sequence(&[oid("1.2.840.10045.4.1")]),
            (_, Hash::Sha256) => sequence(&[oid("1.2.840.10045.4.3.2")]),
            (_, Hash::Sha384) => sequence(&[oid("1.2.840.10045.4.3.3")]),
            (_, Hash::Sha512) => sequence(&[oid("1.2.840.10045.4.3.4")]),
        }
    }

    /// Signs, deterministically. There is no ECDSA with MD5; SHA-1 then serves.
    pub fn sign(&self, hash: Hash, message: &[u8]) -> Vec<u8> {
        let digest = match (self, hash) {
            (Self::Rsa(_), Hash::Md5) => md5::Md5::digest(message).to_vec(),
            (_, Hash::Md5 | Hash::Sha1) => sha1::Sha1::digest(message).to_vec(),
            (_, Hash::Sha256) => sha2::Sha256::digest(message).to_vec(),
            (_, Hash::Sha384) => sha2::Sha384::digest(message).to_vec(),
            (_, Hash::Sha512) => sha2::Sha512::digest(message).to_vec(),
        };
        match self {
            Self::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign_prehash(&digest).expect("a digest signs");
                signature.to_der().as_bytes().to_vec()
            }
            Self::P384(key) => {
                let signature: p384::ecdsa::Signature =
                    key.sign_prehash(&padded(digest, 24)).expect("a digest signs");
                signature.to_der().as_bytes().to_vec()
            }
            Self::P521(key) => {
                let signature: p521::ecdsa::Signature =
                    key.sign_prehash(&padded(digest, 33)).expect("a digest signs");
                signature.to_der().as_bytes().to_vec()
            }
            Self::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            Self::Rsa(key) => {
                let scheme = match hash {
                    Hash::Md5 => Pkcs1v15Sign::new::<md5::Md5>(),
                    Hash::Sha1 => Pkcs1v15Sign::new::<sha1::Sha1>(),
                    Hash::Sha256 => Pkcs1v15Sign::new::<sha2::Sha256>(),
                    Hash::Sha384 => Pkcs1v15Sign::new::<sha2::Sha384>(),
                    Hash::Sha512 => Pkcs1v15Sign::new::<sha2::Sha512>(),
                };
                key.sign(scheme, &digest).expect("a digest signs")
            }
        }
    }

    /// The digest its issuer would choose: as wide as the key.
    pub fn own_hash(&self) -> Hash {
        match self {
            Self::P384(_) => Hash::Sha384,
            Self::P521(_) => Hash::Sha512,
            _ => Hash::Sha256,
        }
    }
}

/// A digest as the integer it stands for (FIPS 186-5, 6.4.1, 2): leading zeroes change nothing, but the library asks
/// for half the field's length.
fn padded(digest: Vec<u8>, length: usize) -> Vec<u8> {
    let mut out = vec![0; length.saturating_sub(digest.len())];
    out.extend(digest);
    out
}

fn first<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    loop {
        if let Some(found) = attempt() {
            return found;
        }
    }
}

fn pooled(size: u16, number: usize) -> Arc<PrivateKey> {
    static POOL: Mutex<BTreeMap<(u16, usize), Arc<PrivateKey>>> = Mutex::new(BTreeMap::new());
    let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    let make = || {
        let mut source = Seeded::new(&format!("rsa {size} {number}"));
        let key = PrivateKey::new(&mut source, size.into()).expect("primes are found");
        assert_eq!(key.size() * 8, usize::from(size));
        Arc::new(key)
    };
    pool.entry((size, number)).or_insert_with(make).clone()
}

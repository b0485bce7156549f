//! Was this signed by that key? Pure Rust judges, so that the answer is the same natively and in wasm; natively what is
//! surely signed may be confirmed faster (feature `native-signatures`).
//!
//! [`verify`] takes the pieces as they stand in a certificate: the signer's SubjectPublicKeyInfo, the
//! AlgorithmIdentifier, the signed bytes and the signature. It judges the mathematics alone: whether SHA-1 or
//! a 1024-bit key is still good enough is for whoever asks, and [`SignatureAlgorithm`] tells them what was used.
//!
//! Without the feature `every-algorithm`, signatures over MD5, SHA-1 and SHA-224 and those on P-521 are unsupported:
//! policies believe none of them ([`is_believed`]), and the filter is smaller for it.
//!
//! Work is bounded for any input: an RSA modulus has at most 16384 bits and an exponent at most 33.

#[cfg(feature = "native-signatures")]
mod native;

use std::fmt;

#[cfg(feature = "every-algorithm")]
use md5::Md5;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use rsa::pkcs1v15::Pkcs1v15Sign;
use rsa::pss::Pss;
use rsa::traits::SignatureScheme;
use rsa::{BoxedUint, PublicKey};
#[cfg(feature = "every-algorithm")]
use sha1::Sha1;
#[cfg(feature = "every-algorithm")]
use sha2::Sha224;
use sha2::digest::FixedOutputReset;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use x509_parser::oid_registry::Oid;
use x509_parser::prelude::FromDer;
use x509_parser::signature_algorithm::RsaSsaPssParams;
use x509_parser::x509::{AlgorithmIdentifier, SubjectPublicKeyInfo};

use crate::certificate::Key;

/// What a signature check answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// That key made this signature over these bytes.
    Valid(SignatureAlgorithm),
    /// It did not, or the signature is not even one that such a key could make.
    Invalid(SignatureAlgorithm),
    /// The algorithm, curve or parameter is none that is known here; what it is.
    Unsupported(String),
    /// The key or the algorithm identifier cannot be read; what is wrong with it.
    Malformed(String),
}

/// What a signature was made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignatureAlgorithm {
    /// The kind of key that signs so.
    pub key: KeyKind,
    /// What the message is digested with before signing.
    pub digest: Digest,
    /// How the digest is padded; `None` where the algorithm knows no padding.
    pub padding: Option<Padding>,
}

/// The kind of a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// RSA, whatever padding.
    Rsa,
    /// ECDSA on a named curve.
    Ecdsa,
    /// Ed25519 (RFC 8410).
    Ed25519,
}

/// A digest that a signature is made over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Digest {
    /// MD5, 128 bits, broken.
    Md5,
    /// SHA-1, 160 bits, broken.
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// The algorithm digests by itself (Ed25519).
    Intrinsic,
}

/// How an RSA signature is padded (RFC 8017 section 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Padding {
    /// RSASSA-PKCS1-v1_5.
    Pkcs1v15,
    /// RSASSA-PSS.
    Pss,
}

/// Smallest and largest RSA modulus in bits that is computed with.
pub const RSA_MODULUS_BITS: std::ops::RangeInclusive<usize> = 512..=16384;

/// Says whether the key signed the message.
///
/// `subject_public_key_info` and `algorithm_identifier` are DER; `message` is what was signed (for a certificate
/// the bytes of its TBSCertificate); `signature` the content of the BIT STRING. A key of another kind than the
/// algorithm needs is [`Verdict::Invalid`]: it cannot have signed this.
pub fn verify(
    subject_public_key_info: &[u8],
    algorithm_identifier: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Verdict {
    let scheme = match Scheme::read(algorithm_identifier) {
        Ok(scheme) => scheme,
        Err(refused) => return refused.into(),
    };
    let answer = match SubjectPublicKeyInfo::from_der(subject_public_key_info) {
        Ok(([], _)) if !scheme.algorithm().digest.is_computed() => {
            Err(Refused::Unsupported(format!("the digest {}", scheme.algorithm().digest)))
        }
        Ok(([], key)) => scheme.verify(&key, message, signature),
        Ok(_) => Err(Refused::Malformed("bytes follow the public key".to_owned())),
        Err(error) => Err(Refused::Malformed(format!("the public key cannot be read: {error}"))),
    };
    match answer {
        Ok(true) => Verdict::Valid(scheme.algorithm()),
        Ok(false) => Verdict::Invalid(scheme.algorithm()),
        Err(refused) => refused.into(),
    }
}

/// The signature algorithm that a DER AlgorithmIdentifier names; `None` for one that is not known here.
pub fn algorithm(algorithm_identifier: &[u8]) -> Option<SignatureAlgorithm> {
    Scheme::read(algorithm_identifier).ok().map(|scheme| scheme.algorithm())
}

/// Whether a policy believes a valid signature of this algorithm by such a key.
pub fn is_believed(algorithm: SignatureAlgorithm, key: &Key) -> bool {
    algorithm.digest.is_believed() && is_believed_of(key)
}

/// Whether a policy believes any signature by such a key: none on P-521, where one check holds a gateway up for many
/// milliseconds.
pub fn is_believed_of(key: &Key) -> bool {
    !matches!(key, Key::Ec { curve, .. } if curve == "P-521")
}

/// A signature algorithm with its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    RsaPkcs1v15(Digest),
    RsaPss { digest: Digest, salt: usize },
    Ecdsa(Digest),
    Ed25519,
}

enum Refused {
    Unsupported(String),
    Malformed(String),
}

// === impl Scheme ===

impl Scheme {
    fn read(algorithm_identifier: &[u8]) -> Result<Self, Refused> {
        let identifier = match AlgorithmIdentifier::from_der(algorithm_identifier) {
            Ok(([], identifier)) => identifier,
            Ok(_) => return Err(Refused::Malformed("bytes follow the algorithm identifier".to_owned())),
            Err(error) => {
                return Err(Refused::Malformed(format!("the algorithm identifier cannot be read: {error}")));
            }
        };
        let oid = identifier.algorithm.to_id_string();
        Ok(match oid.as_str() {
            "1.2.840.113549.1.1.4" => Scheme::RsaPkcs1v15(Digest::Md5),
            "1.2.840.113549.1.1.5" | "1.3.14.3.2.29" => Scheme::RsaPkcs1v15(Digest::Sha1),
            "1.2.840.113549.1.1.14" => Scheme::RsaPkcs1v15(Digest::Sha224),
            "1.2.840.113549.1.1.11" => Scheme::RsaPkcs1v15(Digest::Sha256),
            "1.2.840.113549.1.1.12" => Scheme::RsaPkcs1v15(Digest::Sha384),
            "1.2.840.113549.1.1.13" => Scheme::RsaPkcs1v15(Digest::Sha512),
            "1.2.840.113549.1.1.10" => Scheme::read_pss(&identifier)?,
            "1.2.840.10045.4.1" => Scheme::Ecdsa(Digest::Sha1),
            "1.2.840.10045.4.3.1" => Scheme::Ecdsa(Digest::Sha224),
            "1.2.840.10045.4.3.2" => Scheme::Ecdsa(Digest::Sha256),
            "1.2.840.10045.4.3.3" => Scheme::Ecdsa(Digest::Sha384),
            "1.2.840.10045.4.3.4" => Scheme::Ecdsa(Digest::Sha512),
            "1.3.101.112" => Scheme::Ed25519,
            _ => return Err(Refused::Unsupported(format!("the signature algorithm {oid}"))),
        })
    }

    /// RFC 4055 section 3.1; what is absent there means SHA-1, MGF1 with SHA-1, 20 bytes of salt, trailer 1.
    fn read_pss(identifier: &AlgorithmIdentifier<'_>) -> Result<Self, Refused> {
        let parameters = identifier
            .parameters()
            .ok_or_else(|| Refused::Malformed("RSASSA-PSS without parameters".to_owned()))?;
        let parameters = RsaSsaPssParams::try_from(parameters).map_err(|error| {
            Refused::Malformed(format!("the RSASSA-PSS parameters cannot be read: {error}"))
        })?;
        let digest = digest_named(parameters.hash_algorithm_oid())?;
        let mask = parameters.mask_gen_algorithm().map_err(|error| {
            Refused::Malformed(format!("the mask generation function cannot be read: {error}"))
        })?;
        if mask.mgf.to_id_string() != "1.2.840.113549.1.1.8" {
            return Err(Refused::Unsupported(format!("the mask generation function {}", mask.mgf)));
        }
        if digest_named(&mask.hash)? != digest {
            return Err(Refused::Unsupported("RSASSA-PSS with two different digests".to_owned()));
        }
        if parameters.trailer_field() != 1 {
            return Err(Refused::Unsupported(format!("the trailer field {}", parameters.trailer_field())));
        }
        let salt = usize::try_from(parameters.salt_length()).unwrap_or(usize::MAX);
        if salt > RSA_MODULUS_BITS.end() / 8 {
            return Err(Refused::Malformed(format!("a salt of {salt} bytes is longer than any key")));
        }
        Ok(Scheme::RsaPss { digest, salt })
    }

    fn algorithm(self) -> SignatureAlgorithm {
        match self {
            Scheme::RsaPkcs1v15(digest) => {
                SignatureAlgorithm { key: KeyKind::Rsa, digest, padding: Some(Padding::Pkcs1v15) }
            }
            Scheme::RsaPss { digest, .. } => {
                SignatureAlgorithm { key: KeyKind::Rsa, digest, padding: Some(Padding::Pss) }
            }
            Scheme::Ecdsa(digest) => SignatureAlgorithm { key: KeyKind::Ecdsa, digest, padding: None },
            Scheme::Ed25519 => {
                SignatureAlgorithm { key: KeyKind::Ed25519, digest: Digest::Intrinsic, padding: None }
            }
        }
    }

    fn verify(
        self,
        key: &SubjectPublicKeyInfo<'_>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<bool, Refused> {
        let oid = key.algorithm.algorithm.to_id_string();
        let kind = match oid.as_str() {
            "1.2.840.113549.1.1.1" => KeyKind::Rsa,
            // a key for PSS alone (RFC 4055 section 1.2) signs with nothing else
            "1.2.840.113549.1.1.10" => match self {
                Scheme::RsaPss { .. } => KeyKind::Rsa,
                _ => return Ok(false),
            },
            "1.2.840.10045.2.1" => KeyKind::Ecdsa,
            "1.3.101.112" => KeyKind::Ed25519,
            _ => return Err(Refused::Unsupported(format!("the key algorithm {oid}"))),
        };
        if kind != self.algorithm().key {
            return Ok(false);
        }
        #[cfg(feature = "native-signatures")]
        if native::confirms(self, curve(key).as_deref(), &key.subject_public_key.data, message, signature) {
            return Ok(true);
        }
        self.verify_purely(key, message, signature)
    }

    /// With a key of the right kind.
    fn verify_purely(
        self,
        key: &SubjectPublicKeyInfo<'_>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<bool, Refused> {
        let bits: &[u8] = &key.subject_public_key.data;
        match self {
            Scheme::RsaPkcs1v15(digest) => {
                Ok(pkcs1v15(digest, &rsa_key(bits)?, &digest.of(message), signature))
            }
            Scheme::RsaPss { digest, salt } => {
                Ok(pss(digest, salt, &rsa_key(bits)?, &digest.of(message), signature))
            }
            Scheme::Ecdsa(digest) => ecdsa(key, &digest.of(message), signature),
            Scheme::Ed25519 => ed25519(bits, message, signature),
        }
    }
}

fn digest_named(oid: &Oid<'_>) -> Result<Digest, Refused> {
    Ok(match oid.to_id_string().as_str() {
        "1.2.840.113549.2.5" => Digest::Md5,
        "1.3.14.3.2.26" => Digest::Sha1,
        "2.16.840.1.101.3.4.2.4" => Digest::Sha224,
        "2.16.840.1.101.3.4.2.1" => Digest::Sha256,
        "2.16.840.1.101.3.4.2.2" => Digest::Sha384,
        "2.16.840.1.101.3.4.2.3" => Digest::Sha512,
        other => return Err(Refused::Unsupported(format!("the digest {other}"))),
    })
}

fn rsa_key(bits: &[u8]) -> Result<PublicKey, Refused> {
    let malformed = |what: &str| Refused::Malformed(format!("the RSA key {what}"));
    let key = match x509_parser::public_key::RSAPublicKey::from_der(bits) {
        Ok(([], key)) => key,
        Ok(_) => return Err(malformed("is followed by other bytes")),
        Err(error) => return Err(Refused::Malformed(format!("the RSA key cannot be read: {error}"))),
    };
    let number = |bytes: &[u8], limit: usize| {
        if bytes.first().is_some_and(|first| first & 0x80 != 0) {
            return Err(malformed("has a negative number"));
        }
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let bytes = bytes.get(zeros..).unwrap_or_default();
        if bytes.len() * 8 > limit {
            return Err(Refused::Unsupported(format!("an RSA number of {} bits", bytes.len() * 8)));
        }
        let precision = u32::try_from(bytes.len() * 8).unwrap_or(u32::MAX);
        BoxedUint::from_be_slice(bytes, precision).map_err(|_| malformed("has an unreadable number"))
    };
    let modulus = number(key.modulus, *RSA_MODULUS_BITS.end())?;
    let exponent = number(key.exponent, 64)?;
    PublicKey::new_with_size_limits(modulus, exponent, RSA_MODULUS_BITS)
        .map_err(|error| Refused::Unsupported(format!("this RSA key: {error}")))
}

fn pkcs1v15(digest: Digest, key: &PublicKey, hashed: &[u8], signature: &[u8]) -> bool {
    let scheme = match digest {
        #[cfg(feature = "every-algorithm")]
        Digest::Md5 => Pkcs1v15Sign::new::<Md5>(),
        #[cfg(feature = "every-algorithm")]
        Digest::Sha1 => Pkcs1v15Sign::new::<Sha1>(),
        #[cfg(not(feature = "every-algorithm"))]
        Digest::Md5 | Digest::Sha1 | Digest::Sha224 => return false,
        #[cfg(feature = "every-algorithm")]
        Digest::Sha224 => Pkcs1v15Sign::new::<Sha224>(),
        Digest::Sha256 => Pkcs1v15Sign::new::<Sha256>(),
        Digest::Sha384 => Pkcs1v15Sign::new::<Sha384>(),
        Digest::Sha512 => Pkcs1v15Sign::new::<Sha512>(),
        Digest::Intrinsic => return false,
    };
    key.verify(scheme, hashed, signature).is_ok()
}

fn pss(digest: Digest, salt: usize, key: &PublicKey, hashed: &[u8], signature: &[u8]) -> bool {
    fn with<D: sha2::Digest + FixedOutputReset>(
        salt: usize,
        key: &PublicKey,
        hashed: &[u8],
        signature: &[u8],
    ) -> bool
    where
        Pss<D>: SignatureScheme,
    {
        key.verify(Pss::<D>::new_with_salt(salt), hashed, signature).is_ok()
    }
    match digest {
        #[cfg(feature = "every-algorithm")]
        Digest::Md5 => with::<Md5>(salt, key, hashed, signature),
        #[cfg(feature = "every-algorithm")]
        Digest::Sha1 => with::<Sha1>(salt, key, hashed, signature),
        #[cfg(not(feature = "every-algorithm"))]
        Digest::Md5 | Digest::Sha1 | Digest::Sha224 => false,
        #[cfg(feature = "every-algorithm")]
        Digest::Sha224 => with::<Sha224>(salt, key, hashed, signature),
        Digest::Sha256 => with::<Sha256>(salt, key, hashed, signature),
        Digest::Sha384 => with::<Sha384>(salt, key, hashed, signature),
        Digest::Sha512 => with::<Sha512>(salt, key, hashed, signature),
        Digest::Intrinsic => false,
    }
}

fn ecdsa(key: &SubjectPublicKeyInfo<'_>, hashed: &[u8], signature: &[u8]) -> Result<bool, Refused> {
    let point: &[u8] = &key.subject_public_key.data;
    let curve =
        curve(key).ok_or_else(|| Refused::Unsupported("an elliptic curve without a name".to_owned()))?;
    let off_curve = |_| Refused::Malformed("the public key is no point of its curve".to_owned());
    // FIPS 186-5 section 6.4: a digest longer than the group order is cut, a shorter one taken as it is
    Ok(match curve.as_str() {
        "1.2.840.10045.3.1.7" => {
            let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(point).map_err(off_curve)?;
            p256::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.verify_prehash(hashed, &signature).is_ok())
        }
        "1.3.132.0.34" => {
            let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(point).map_err(off_curve)?;
            p384::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.verify_prehash(hashed, &signature).is_ok())
        }
        #[cfg(feature = "every-algorithm")]
        "1.3.132.0.35" => {
            let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(point).map_err(off_curve)?;
            p521::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.verify_prehash(hashed, &signature).is_ok())
        }
        other => return Err(Refused::Unsupported(format!("the elliptic curve {other}"))),
    })
}

/// The OID of a key's elliptic curve.
fn curve(key: &SubjectPublicKeyInfo<'_>) -> Option<String> {
    Some(key.algorithm.parameters()?.as_oid().ok()?.to_id_string())
}

fn ed25519(bits: &[u8], message: &[u8], signature: &[u8]) -> Result<bool, Refused> {
    use ed25519_dalek::Verifier;
    let bytes: &[u8; 32] = bits
        .try_into()
        .map_err(|_| Refused::Malformed(format!("an Ed25519 key has 32 bytes, this one {}", bits.len())))?;
    let key = ed25519_dalek::VerifyingKey::from_bytes(bytes)
        .map_err(|_| Refused::Malformed("the public key is no point of its curve".to_owned()))?;
    Ok(ed25519_dalek::Signature::from_slice(signature)
        .is_ok_and(|signature| key.verify(message, &signature).is_ok()))
}

// === impl Digest ===

impl Digest {
    /// Whether a policy believes what was signed over it: for MD5 and SHA-1 others can be made to match, and nobody
    /// signs over SHA-224.
    fn is_believed(self) -> bool {
        !matches!(self, Digest::Md5 | Digest::Sha1 | Digest::Sha224)
    }

    /// Whether this build can compute it.
    fn is_computed(self) -> bool {
        cfg!(feature = "every-algorithm") || self.is_believed()
    }

    fn of(self, message: &[u8]) -> Vec<u8> {
        match self {
            #[cfg(feature = "every-algorithm")]
            Digest::Md5 => Md5::digest(message).to_vec(),
            #[cfg(feature = "every-algorithm")]
            Digest::Sha1 => Sha1::digest(message).to_vec(),
            #[cfg(not(feature = "every-algorithm"))]
            Digest::Md5 | Digest::Sha1 | Digest::Sha224 => Vec::new(),
            #[cfg(feature = "every-algorithm")]
            Digest::Sha224 => Sha224::digest(message).to_vec(),
            Digest::Sha256 => Sha256::digest(message).to_vec(),
            Digest::Sha384 => Sha384::digest(message).to_vec(),
            Digest::Sha512 => Sha512::digest(message).to_vec(),
            Digest::Intrinsic => message.to_vec(),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Digest::Md5 => "MD5",
            Digest::Sha1 => "SHA-1",
            Digest::Sha224 => "SHA-224",
            Digest::Sha256 => "SHA-256",
            Digest::Sha384 => "SHA-384",
            Digest::Sha512 => "SHA-512",
            Digest::Intrinsic => "none",
        })
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyKind::Rsa => "RSA",
            KeyKind::Ecdsa => "ECDSA",
            KeyKind::Ed25519 => "Ed25519",
        })
    }
}

impl fmt::Display for SignatureAlgorithm {
    /// As certificate viewers write it: `SHA-256 with RSA`, `SHA-256 with RSASSA-PSS`, `SHA-384 with ECDSA`, `Ed25519`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.key, self.padding) {
            (KeyKind::Ed25519, _) => f.write_str("Ed25519"),
            (KeyKind::Rsa, Some(Padding::Pss)) => write!(f, "{} with RSASSA-PSS", self.digest),
            (key, _) => write!(f, "{} with {key}", self.digest),
        }
    }
}

// === impl Verdict ===

impl From<Refused> for Verdict {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Unsupported(what) => Verdict::Unsupported(what),
            Refused::Malformed(what) => Verdict::Malformed(what),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use x509_parser::asn1_rs::{Any, Sequence};
    use x509_parser::certificate::X509Certificate;

    /// Self-signed certificates that OpenSSL made, each after a line that names it (fixtures/signatures/make).
    const OPENSSL: &str = include_str!("../../../fixtures/signatures/openssl.pem");

    struct Sample {
        name: String,
        key: Vec<u8>,
        algorithm: Vec<u8>,
        message: Vec<u8>,
        signature: Vec<u8>,
    }

    fn samples() -> Vec<Sample> {
        let names: Vec<&str> = OPENSSL.lines().filter_map(|line| line.strip_prefix("# ")).collect();
        let certificates = pem::parse_many(OPENSSL).unwrap();
        assert_eq!(names.len(), certificates.len());
        std::iter::zip(names, certificates)
            .map(|(name, certificate)| {
                let der = certificate.contents();
                let (_, parsed) = X509Certificate::from_der(der).unwrap();
                let (_, outer) = Sequence::from_der(der).unwrap();
                let (rest, _) = Any::from_der(&outer.content).unwrap();
                let (after, _) = Any::from_der(rest).unwrap();
                Sample {
                    name: name.to_owned(),
                    key: parsed.subject_pki.raw.to_vec(),
                    algorithm: rest[..rest.len() - after.len()].to_vec(),
                    message: parsed.tbs_certificate.as_ref().to_vec(),
                    signature: parsed.signature_value.data.to_vec(),
                }
            })
            .collect()
    }

    fn check(sample: &Sample) -> Verdict {
        verify(&sample.key, &sample.algorithm, &sample.message, &sample.signature)
    }

    #[test]
    fn what_openssl_signed_is_valid_and_says_what_signed_it() {
        let mut checked = 0;
        for sample in samples() {
            let verdict = check(&sample);
            let words: Vec<&str> = sample.name.split(' ').collect();
            if ["secp256k1", "ed448"].contains(&words[0]) || sample.name.ends_with("two digests") {
                assert!(matches!(verdict, Verdict::Unsupported(_)), "{}: {verdict:?}", sample.name);
                continue;
            }
            let Verdict::Valid(algorithm) = verdict else { panic!("{}: {verdict:?}", sample.name) };
            let expected = match *words.last().unwrap() {
                "md5" => "MD5",
                "sha1" => "SHA-1",
                "sha224" => "SHA-224",
                "sha256" => "SHA-256",
                "sha384" => "SHA-384",
                "sha512" => "SHA-512",
                _ => "Ed25519",
            };
            let expected = match sample.name.as_str() {
                name if name.contains(" pss ") => format!("{expected} with RSASSA-PSS"),
                name if name.contains(" pkcs1v15 ") => format!("{expected} with RSA"),
                name if name.contains(" ecdsa ") => format!("{expected} with ECDSA"),
                _ => expected.to_owned(),
            };
            assert_eq!(algorithm.to_string(), expected, "{}", sample.name);
            checked += 1;
        }
        assert!(checked >= 35, "{checked} samples checked");
    }

    #[test]
    fn a_changed_message_signature_or_key_is_invalid() {
        let samples = samples();
        for sample in &samples {
            let Verdict::Valid(algorithm) = check(sample) else { continue };
            let mut message = sample.message.clone();
            *message.last_mut().unwrap() ^= 1;
            assert_eq!(
                verify(&sample.key, &sample.algorithm, &message, &sample.signature),
                Verdict::Invalid(algorithm),
                "{}: message",
                sample.name
            );
            let mut signature = sample.signature.clone();
            *signature.last_mut().unwrap() ^= 1;
            assert_eq!(
                verify(&sample.key, &sample.algorithm, &sample.message, &signature),
                Verdict::Invalid(algorithm),
                "{}: signature",
                sample.name
            );
            for signature in [&[][..], &sample.signature[1..], &[0; 64]] {
                assert_eq!(
                    verify(&sample.key, &sample.algorithm, &sample.message, signature),
                    Verdict::Invalid(algorithm),
                    "{}: {} bytes of signature",
                    sample.name,
                    signature.len()
                );
            }
            for other in samples.iter().filter(|other| other.key != sample.key) {
                let verdict = verify(&other.key, &sample.algorithm, &sample.message, &sample.signature);
                assert!(
                    matches!(&verdict, Verdict::Invalid(_) | Verdict::Unsupported(_)),
                    "{} with the key of {}: {verdict:?}",
                    sample.name,
                    other.name
                );
            }
        }
    }

    /// Every bit of keys and signatures turned over, one at a time: what the native verifier confirms, the pure Rust does.
    #[cfg(feature = "native-signatures")]
    #[test]
    fn the_native_verifier_confirms_nothing_that_pure_rust_does_not() {
        let agrees = |sample: &Sample, key: &[u8], message: &[u8], signature: &[u8]| {
            let (Ok(scheme), Ok(([], key))) =
                (Scheme::read(&sample.algorithm), SubjectPublicKeyInfo::from_der(key))
            else {
                return false;
            };
            let bits = &key.subject_public_key.data;
            let confirms = native::confirms(scheme, curve(&key).as_deref(), bits, message, signature);
            let pure = confirms && matches!(scheme.verify_purely(&key, message, signature), Ok(true));
            assert_eq!(confirms, pure, "{}", sample.name);
            confirms
        };
        let mut confirmed = 0;
        for sample in samples() {
            if !agrees(&sample, &sample.key, &sample.message, &sample.signature) {
                continue;
            }
            confirmed += 1;
            for bit in 0..sample.signature.len() * 8 {
                let mut signature = sample.signature.clone();
                signature[bit / 8] ^= 1 << (bit % 8);
                agrees(&sample, &sample.key, &sample.message, &signature);
            }
            for bit in 0..sample.key.len() * 8 {
                let mut key = sample.key.clone();
                key[bit / 8] ^= 1 << (bit % 8);
                agrees(&sample, &key, &sample.message, &sample.signature);
            }
            for bit in (0..sample.message.len() * 8).step_by(29) {
                let mut message = sample.message.clone();
                message[bit / 8] ^= 1 << (bit % 8);
                agrees(&sample, &sample.key, &message, &sample.signature);
            }
        }
        assert!(confirmed >= 7, "{confirmed} samples confirmed");
    }

    #[test]
    fn cut_keys_and_algorithms_are_malformed_and_nothing_panics() {
        for sample in samples() {
            for length in 0..sample.key.len().min(600) {
                let verdict =
                    verify(&sample.key[..length], &sample.algorithm, &sample.message, &sample.signature);
                assert!(
                    matches!(verdict, Verdict::Malformed(_) | Verdict::Unsupported(_)),
                    "{} key cut at {length}: {verdict:?}",
                    sample.name
                );
            }
            for length in 0..sample.algorithm.len() {
                let cut = &sample.algorithm[..length];
                assert_eq!(algorithm(cut), None);
                let verdict = verify(&sample.key, cut, &sample.message, &sample.signature);
                assert!(matches!(verdict, Verdict::Malformed(_)), "{}: {verdict:?}", sample.name);
            }
        }
    }

    #[test]
    fn an_rsa_key_with_a_huge_exponent_or_modulus_costs_nothing() {
        let key = |modulus: usize, exponent: usize| {
            let integer = |length: usize| {
                let mut bytes = vec![0x7f; length];
                bytes[length - 1] |= 1;
                [&[0x02, 0x82, (length >> 8) as u8, length as u8][..], &bytes].concat()
            };
            let wrap = |tag: u8, content: &[u8]| {
                [&[tag, 0x82, (content.len() >> 8) as u8, content.len() as u8][..], content].concat()
            };
            let numbers = wrap(0x30, &[integer(modulus), integer(exponent)].concat());
            let rsa = [0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 1, 5, 0];
            wrap(0x30, &[&rsa[..], &wrap(0x03, &[&[0][..], &numbers].concat())].concat())
        };
        let sha256_with_rsa = [0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 11, 5, 0];
        for (modulus, exponent) in [(256, 256), (4096, 300), (256, 9), (32, 300)] {
            let verdict = verify(&key(modulus, exponent), &sha256_with_rsa, b"", &[1; 256]);
            assert!(matches!(verdict, Verdict::Unsupported(_)), "{modulus} {exponent}: {verdict:?}");
        }
    }
}

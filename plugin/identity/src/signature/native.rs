//! A faster verifier for the usual algorithms, where there is no wasm. It only ever confirms: what it does not, the pure
//! Rust judges, so that every refusal is the same everywhere. The tests hold its confirmations against the pure Rust's.

use ring::signature::{self as known, UnparsedPublicKey, VerificationAlgorithm};

use super::{Digest, Scheme};

/// Whether the key surely signed the message. `curve` is the OID of an elliptic curve, `bits` the key itself.
pub(super) fn confirms(
    scheme: Scheme,
    curve: Option<&str>,
    bits: &[u8],
    message: &[u8],
    signature: &[u8],
) -> bool {
    let algorithm: &'static dyn VerificationAlgorithm = match (scheme, curve) {
        (Scheme::RsaPkcs1v15(Digest::Sha256), _) => &known::RSA_PKCS1_2048_8192_SHA256,
        (Scheme::RsaPkcs1v15(Digest::Sha384), _) => &known::RSA_PKCS1_2048_8192_SHA384,
        (Scheme::RsaPkcs1v15(Digest::Sha512), _) => &known::RSA_PKCS1_2048_8192_SHA512,
        (Scheme::Ecdsa(Digest::Sha256), Some("1.2.840.10045.3.1.7")) => &known::ECDSA_P256_SHA256_ASN1,
        (Scheme::Ecdsa(Digest::Sha384), Some("1.2.840.10045.3.1.7")) => &known::ECDSA_P256_SHA384_ASN1,
        (Scheme::Ecdsa(Digest::Sha256), Some("1.3.132.0.34")) => &known::ECDSA_P384_SHA256_ASN1,
        (Scheme::Ecdsa(Digest::Sha384), Some("1.3.132.0.34")) => &known::ECDSA_P384_SHA384_ASN1,
        _ => return false,
    };
    UnparsedPublicKey::new(algorithm, bits).verify(message, signature).is_ok()
}

//! Security levels: ssl/ssl_cert.c (ssl_security_default_callback) and crypto/x509/x509_vfy.c (minbits_table).

use mtls_identity::signature::Digest;

use super::super::certificate::{Certificate, KeyType};
use crate::deployment::Version;

/// Security bits that a level asks for.
pub fn bits(level: u8) -> u32 {
    match level {
        0 => 0,
        1 => 80,
        2 => 112,
        3 => 128,
        4 => 192,
        _ => 256,
    }
}

/// Security bits of a key (NIST SP 800-57, as EVP_PKEY_get_security_bits computes them).
pub fn key_bits(key: KeyType) -> u32 {
    match key {
        KeyType::Rsa(size) => match size {
            15360.. => 256,
            7680.. => 192,
            4096.. => 152,
            3072.. => 128,
            2048.. => 112,
            1024.. => 80,
            512.. => 56,
            _ => 0,
        },
        KeyType::Ec(256) | KeyType::Ed25519 => 128,
        KeyType::Ec(384) => 192,
        KeyType::Ec(521) => 256,
        KeyType::Ec(_) | KeyType::Other => 112,
    }
}

/// The level lets this key pass.
pub fn key_allowed(key: KeyType, level: u8) -> bool {
    key_bits(key) >= bits(level)
}

/// The level lets the certificate's own signature pass. SHA-1 counts 63 bits and MD5 39 (since 3.0).
pub fn signature_allowed(certificate: &Certificate, level: u8) -> bool {
    let Some(algorithm) = certificate.algorithm else { return true };
    let strength = match algorithm.digest {
        Digest::Md5 => 39,
        Digest::Sha1 => 63,
        Digest::Sha224 => 112,
        Digest::Sha256 | Digest::Intrinsic => 128,
        Digest::Sha384 => 192,
        Digest::Sha512 => 256,
    };
    strength >= bits(level)
}

/// The digest of a certificate's signature, for messages.
pub fn digest_name(certificate: &Certificate) -> &'static str {
    match certificate.algorithm.map(|algorithm| algorithm.digest) {
        Some(Digest::Md5) => "MD5",
        Some(Digest::Sha1) => "SHA-1",
        Some(Digest::Sha224) => "SHA-224",
        Some(Digest::Sha256) => "SHA-256",
        Some(Digest::Sha384) => "SHA-384",
        Some(Digest::Sha512) => "SHA-512",
        Some(Digest::Intrinsic) | None => "an algorithm without a separate digest",
    }
}

/// The level in force: the last `@SECLEVEL=n` of a cipher list, else the library's default.
pub fn of_ciphers(ciphers: Option<&str>, default: u8) -> u8 {
    let Some(list) = ciphers else { return default };
    let last = list.rsplit("@SECLEVEL=").next().filter(|_| list.contains("@SECLEVEL="));
    last.and_then(|rest| rest.bytes().next()).filter(u8::is_ascii_digit).map_or(default, |digit| digit - b'0')
}

/// OpenSSL 3.5 and 3.6 load an own certificate with a weak signature, 3.0 does not; keys that are too short, also
/// those of sent issuers, stop all of them (observed; the release in between is not known).
pub fn looks_at_own_signatures(version: Version) -> bool {
    version < Version(3, 5, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_stands_in_the_cipher_list() {
        assert_eq!(of_ciphers(Some("DEFAULT@SECLEVEL=0"), 2), 0);
        assert_eq!(of_ciphers(Some("HIGH:!aNULL:@SECLEVEL=1"), 2), 1);
        assert_eq!(of_ciphers(Some("HIGH"), 2), 2);
        assert_eq!(of_ciphers(None, 1), 1);
    }

    #[test]
    fn a_key_of_1024_bits_passes_at_level_1() {
        assert!(key_allowed(KeyType::Rsa(1024), 1));
        assert!(!key_allowed(KeyType::Rsa(1024), 2));
        assert!(key_allowed(KeyType::Rsa(2048), 2));
    }
}

//! Does a passphrase open a private key? Without the feature `encrypted-keys` (in the browser) that stays unknown.

use std::cell::Cell;

#[cfg(feature = "encrypted-keys")]
use super::der;
use super::openssl::pem::Block;
use super::private_key::PrivateKey;

/// What comes of an encrypted key and passphrases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// One of them fits.
    Key(PrivateKey),
    /// None of them does.
    Wrong,
    /// That cannot be told here.
    Unknown,
}

/// Rounds of a key derivation that a run may spend: OpenSSL writes 2048 for a key, and somebody may write a billion.
#[derive(Debug)]
pub struct Budget(Cell<u32>);

impl Default for Budget {
    fn default() -> Self {
        Self(Cell::new(5_000_000))
    }
}

impl Budget {
    /// Whether so many rounds are left; they are spent then.
    pub fn spend(&self, rounds: u32) -> bool {
        let left = self.0.get().checked_sub(rounds);
        self.0.set(left.unwrap_or(self.0.get()));
        left.is_some()
    }
}

/// Tries one passphrase after the other.
pub fn open(block: &Block, passphrases: &[&[u8]], budget: &Budget) -> Opened {
    for passphrase in passphrases {
        match opened(block, passphrase, budget) {
            Opened::Wrong => {}
            decided => return decided,
        }
    }
    Opened::Wrong
}

#[cfg(not(feature = "encrypted-keys"))]
fn opened(_: &Block, _: &[u8], _: &Budget) -> Opened {
    Opened::Unknown
}

#[cfg(feature = "encrypted-keys")]
fn opened(block: &Block, passphrase: &[u8], budget: &Budget) -> Opened {
    let (label, decrypted) = match block.label.as_str() {
        "ENCRYPTED PRIVATE KEY" => ("PRIVATE KEY", decryption::pkcs8(&block.der, passphrase, budget)),
        label => (label, decryption::traditional(block, passphrase)),
    };
    match decrypted {
        // what a wrong passphrase leaves ends well for once in 256 times, and is no DER then; a key of a kind that is not
        // read here is DER
        Ok(der) => PrivateKey::read(label, &der).map_or_else(
            || match der::first(&der) {
                Some(whole) if whole.tag == der::SEQUENCE && whole.whole.len() == der.len() => {
                    Opened::Unknown
                }
                _ => Opened::Wrong,
            },
            Opened::Key,
        ),
        Err(failure) => failure,
    }
}

#[cfg(feature = "encrypted-keys")]
mod decryption {
    use cbc::cipher::block_padding::Pkcs7;
    use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt, KeyInit, KeyIvInit};
    use md5::{Digest, Md5};
    use pkcs8::EncryptedPrivateKeyInfoRef;
    use pkcs8::pkcs5::Error;
    use pkcs8::pkcs5::pbes2::Kdf;

    use super::{Block, Budget, Opened};

    /// RFC 5958, section 3.
    ///
    /// # Errors
    /// Wrong, or not known here (scrypt, which BoringSSL does not know either; the schemes of PKCS#5 1.5).
    pub fn pkcs8(der: &[u8], passphrase: &[u8], budget: &Budget) -> Result<Vec<u8>, Opened> {
        let info = EncryptedPrivateKeyInfoRef::try_from(der).map_err(|_| Opened::Unknown)?;
        let scheme = info.encryption_algorithm.pbes2().ok_or(Opened::Unknown)?;
        match &scheme.kdf {
            Kdf::Pbkdf2(pbkdf2) if budget.spend(pbkdf2.iteration_count) => {}
            _ => return Err(Opened::Unknown),
        }
        scheme.decrypt(passphrase, info.encrypted_data.as_ref()).map_err(|error| match error {
            Error::DecryptFailed => Opened::Wrong,
            _ => Opened::Unknown,
        })
    }

    /// `DEK-Info: AES-256-CBC,…` (RFC 1421, section 4.6.1.3; PEM_do_header).
    ///
    /// # Errors
    /// Wrong, or a cipher that is not known here.
    pub fn traditional(block: &Block, passphrase: &[u8]) -> Result<Vec<u8>, Opened> {
        let info = block.header.split("DEK-Info:").nth(1).ok_or(Opened::Unknown)?;
        let (cipher, vector) = info.trim().split_once(',').ok_or(Opened::Unknown)?;
        let vector = bytes(vector).ok_or(Opened::Unknown)?;
        match cipher {
            "AES-128-CBC" => decrypt::<aes::Aes128>(&block.der, passphrase, &vector, 16),
            "AES-192-CBC" => decrypt::<aes::Aes192>(&block.der, passphrase, &vector, 24),
            "AES-256-CBC" => decrypt::<aes::Aes256>(&block.der, passphrase, &vector, 32),
            "DES-EDE3-CBC" => decrypt::<des::TdesEde3>(&block.der, passphrase, &vector, 24),
            _ => Err(Opened::Unknown),
        }
    }

    fn decrypt<C: BlockCipherDecrypt + KeyInit>(
        encrypted: &[u8],
        passphrase: &[u8],
        vector: &[u8],
        length: usize,
    ) -> Result<Vec<u8>, Opened> {
        let key = derived(passphrase, vector.get(..8).ok_or(Opened::Unknown)?, length);
        let cipher = cbc::Decryptor::<C>::new_from_slices(&key, vector).map_err(|_| Opened::Unknown)?;
        cipher.decrypt_padded_vec::<Pkcs7>(encrypted).map_err(|_| Opened::Wrong)
    }

    /// EVP_BytesToKey with MD5 and one round.
    fn derived(passphrase: &[u8], salt: &[u8], length: usize) -> Vec<u8> {
        let (mut key, mut last) = (Vec::new(), Vec::new());
        while key.len() < length {
            let mut digest = Md5::new();
            digest.update(&last);
            digest.update(passphrase);
            digest.update(salt);
            last = digest.finalize().to_vec();
            key.extend_from_slice(&last);
        }
        key.truncate(length);
        key
    }

    fn bytes(hexadecimal: &str) -> Option<Vec<u8>> {
        let digits = hexadecimal.trim().as_bytes().chunks_exact(2);
        digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
    }
}

#[cfg(all(test, feature = "encrypted-keys"))]
mod tests {
    use super::*;
    use crate::stack::openssl::pem::Pem;

    /// By OpenSSL, with a label that is not read here.
    const OTHER_KIND: &str = "-----BEGIN DSA PRIVATE KEY-----\n\
        Proc-Type: 4,ENCRYPTED\n\
        DEK-Info: AES-128-CBC,C9C7F4EBD450ED94A3FBADDE528BCAB6\n\
        \n\
        aoi5DHwmfydo6z4E9B/PccojeBjs4F5w02+Z1aBjrsYRFQHkDzRfEYTgLYhymQvw\n\
        6SKPo1d+MbTFfJk+jFLwwg==\n\
        -----END DSA PRIVATE KEY-----\n";

    #[test]
    fn a_key_of_another_kind_is_not_called_a_wrong_passphrase() {
        let block = Pem::new(OTHER_KIND.as_bytes(), false).block().unwrap().unwrap();
        let budget = Budget::default();
        assert_eq!(open(&block, &[b"right"], &budget), Opened::Unknown);
        assert_eq!(open(&block, &[b"wrong"], &budget), Opened::Wrong);
    }
}

//! Random choices that a number repeats.

use rsa::rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest, Sha256};

/// A source of bytes that depends on its label alone: SHA-256 over a counter. Repeatable, so never for secrets.
#[derive(Debug, Clone)]
pub struct Seeded {
    label: Vec<u8>,
    counter: u64,
    left: Vec<u8>,
}

impl Seeded {
    /// The source of this label.
    pub fn new(label: &str) -> Self {
        Self { label: label.as_bytes().to_vec(), counter: 0, left: Vec::new() }
    }

    /// The next `count` bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.left.len() < count {
            let mut hash = Sha256::new();
            hash.update(&self.label);
            hash.update(self.counter.to_be_bytes());
            self.counter += 1;
            self.left.extend_from_slice(&hash.finalize());
        }
        let rest = self.left.split_off(count);
        std::mem::replace(&mut self.left, rest)
    }

    /// A number below `bound`, which is not zero.
    pub fn below(&mut self, bound: usize) -> usize {
        let bytes = self.bytes(8);
        let number = bytes.iter().fold(0u64, |number, byte| (number << 8) | u64::from(*byte));
        (number % bound as u64) as usize
    }

    /// One of the choices.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// True this often in a hundred.
    pub fn percent(&mut self, often: usize) -> bool {
        self.below(100) < often
    }
}

impl TryRng for Seeded {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(self.bytes(4).iter().fold(0, |number, byte| (number << 8) | u32::from(*byte)))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(self.bytes(8).iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        let bytes = self.bytes(out.len());
        out.copy_from_slice(&bytes);
        Ok(())
    }
}

// asked for by key generation; the keys of tests are public anyway
impl TryCryptoRng for Seeded {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_label_gives_the_same_bytes_however_they_are_asked_for() {
        let (mut whole, mut parts) = (Seeded::new("a"), Seeded::new("a"));
        let together = whole.bytes(100);
        let apart: Vec<u8> = [1, 31, 32, 36].iter().flat_map(|count| parts.bytes(*count)).collect();
        assert_eq!(together, apart);
        assert_ne!(Seeded::new("b").bytes(100), together);
    }
}

//! TLS versions and algorithms.

use crate::source::Located;

/// TLS versions spoken.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Protocols {
    /// In rising order.
    pub versions: Vec<Protocol>,
}

impl Protocols {
    /// TLS 1.2 and 1.3.
    pub fn modern() -> Self {
        Self { versions: vec![Protocol::Tls12, Protocol::Tls13] }
    }
}

/// A protocol version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// SSL 2 or 3: never negotiated.
    Ssl3,
    /// TLS 1.0.
    Tls10,
    /// TLS 1.1.
    Tls11,
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// What a side settles beside versions and cipher suites, as written; what is empty is the library's own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Algorithms {
    /// Groups for the exchange of keys.
    pub groups: Vec<Located<String>>,
    /// Cipher suites of TLS 1.3 (OpenSSL).
    pub suites: Option<Located<String>>,
    /// Signature algorithms.
    pub signatures: Vec<Located<String>>,
    /// A policy that takes the place of all lists (FIPS_202205).
    pub policy: Option<Located<String>>,
}

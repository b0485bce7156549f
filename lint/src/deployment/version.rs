//! Versions of programs and of the TLS libraries inside them.

use std::fmt;

use crate::source::Span;

/// A dotted version number; missing parts count as zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// Reads `1.26.3`, `v3.5`, `3.2.0-debian`; None if it does not start with a number.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let mut parts = text.split(|c: char| !c.is_ascii_digit() && c != '.').next()?.split('.');
        let major = parts.next()?.parse().ok()?;
        let mut next = || parts.next().and_then(|part| part.parse().ok()).unwrap_or(0);
        Some(Self(major, next(), next()))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// The version of a program and of the TLS library inside it, and how we know.
#[derive(Debug, Clone)]
pub struct Versions {
    /// The program's own version.
    pub program: Version,
    /// Where the program's version comes from.
    pub known_from: KnownFrom,
    /// The library that does TLS.
    pub stack: Stack,
}

/// How a version is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownFrom {
    /// `--assume`.
    Assumed,
    /// The tag of a container image.
    Image(Span),
    /// Our stated default.
    Default,
}

/// The library that judges certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stack {
    /// OpenSSL of a version at a security level.
    OpenSsl {
        /// OpenSSL's version.
        version: Version,
        /// 0 to 5; Debian's default is 2, upstream's 1 (2 from OpenSSL 3.2).
        security_level: u8,
    },
    /// Go's crypto/tls of a Go version.
    Go(Version),
    /// BoringSSL as Envoy builds it.
    BoringSsl,
}

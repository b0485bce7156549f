//! Our own certification authority for tests: every key from a label, every date fixed, every mistake on purpose.
//!
//! Certificates are written as DER by hand, because half of what a test wants is what a careful library refuses to make:
//! version 1, doubled extensions, negative serial numbers, SHA-1 and MD5, identifiers that point elsewhere. What a
//! library does make is compared with rcgen, byte for byte.

pub mod certificate;
pub mod der;
pub mod key;

/// A PEM block with lines of 64 characters.
pub fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine;
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    for line in body.as_bytes().chunks(64) {
        out.extend(line.iter().map(|byte| char::from(*byte)));
        out.push('\n');
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

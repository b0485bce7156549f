//! What an allowed request carries upstream about who made it.

use std::fmt::Write;

use super::decide::Allowed;
use crate::certificate::{Certificate, hexadecimal};

/// What a header carries upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ForwardValue {
    /// The policy's name for the identity.
    Identity,
    /// What in the certificate made it this identity, typed: `spiffe:spiffe://example.org/web`,
    /// `dns:web.example.org`, `certificate-sha256:9f86…`.
    Name,
    /// The rule that allowed the request.
    Rule,
    /// The certificate's serial number in upper-case hexadecimal digits.
    Serial,
    /// SHA-256 of the certificate in lower-case hexadecimal digits.
    CertificateSha256,
    /// The subject as RFC 4514 writes it.
    Subject,
    /// The issuer as RFC 4514 writes it.
    Issuer,
    /// The certificate as RFC 9440 Client-Cert writes it: base64 of the DER between colons.
    ClientCert,
}

impl ForwardValue {
    /// The words a policy writes.
    pub(super) const WORDS: [(&str, ForwardValue); 8] = [
        ("identity", ForwardValue::Identity),
        ("name", ForwardValue::Name),
        ("rule", ForwardValue::Rule),
        ("serial", ForwardValue::Serial),
        ("certificate-sha256", ForwardValue::CertificateSha256),
        ("subject", ForwardValue::Subject),
        ("issuer", ForwardValue::Issuer),
        ("client-cert", ForwardValue::ClientCert),
    ];

    /// The header's value, escaped: nothing in it can end the value or add another.
    ///
    /// What is made of the certificate needs it; without one such a value is empty.
    pub fn value(self, allowed: &Allowed<'_>, certificate: Option<&Certificate>) -> String {
        let of = |value: fn(&Certificate) -> String| certificate.map(value).unwrap_or_default();
        match self {
            ForwardValue::Identity => escape(allowed.identity),
            ForwardValue::Name => escape(&allowed.evidence.to_string()),
            ForwardValue::Rule => escape(allowed.rule),
            ForwardValue::Serial => of(Certificate::serial_text),
            ForwardValue::CertificateSha256 => of(|certificate| hexadecimal(&certificate.sha256)),
            ForwardValue::Subject => of(|certificate| escape(&certificate.subject.to_string())),
            ForwardValue::Issuer => of(|certificate| escape(&certificate.issuer.to_string())),
            ForwardValue::ClientCert => of(|certificate| format!(":{}:", base64(&certificate.der))),
        }
    }
}

/// Percent-encodes every byte that is not visible ASCII, and `%`, `"`, `,` and `;`, which end values in some header.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && !b"%\",;".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

fn base64(bytes: &[u8]) -> String {
    use pem::{EncodeConfig, LineEnding, Pem, encode_config};
    // the body of a PEM block is the base64 we want; no second implementation is linked for it
    let block = encode_config(&Pem::new("X", bytes), EncodeConfig::new().set_line_ending(LineEnding::LF));
    block.lines().filter(|line| !line.starts_with('-')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_value_can_end_it() {
        assert_eq!(escape("uri:https://a/b;URI=x"), "uri:https://a/b%3BURI=x");
        assert_eq!(escape("CN=a,O=\"b\"\r\nx: y%"), "CN=a%2CO=%22b%22%0D%0Ax:%20y%25");
        assert_eq!(escape("münchen"), "m%C3%BCnchen");
    }

    #[test]
    fn base64_is_padded_and_unbroken() {
        assert_eq!(base64(b"a"), "YQ==");
        assert_eq!(base64(&[0xfb; 60]).len(), 80);
    }
}

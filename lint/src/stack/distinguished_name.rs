//! Distinguished names as the stacks compare them: byte by byte (Go), or in canonical form (OpenSSL, BoringSSL).

use super::der::{self, Reader};

/// A distinguished name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Name {
    /// The DER as it stands in the certificate: what Go compares.
    pub raw: Vec<u8>,
    /// Case folded, spaces collapsed, one string type: what OpenSSL and BoringSSL compare.
    pub canonical: Vec<u8>,
    /// `CN=root,O=Example` for messages.
    pub text: String,
    /// Common names in the order of the certificate.
    pub common_names: Vec<String>,
    /// emailAddress attributes.
    pub emails: Vec<String>,
    /// Attribute values are strings that their type cannot hold; what is wrong (Go refuses such a certificate).
    pub malformed: Option<String>,
}

const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const EMAIL_ADDRESS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1];

impl Name {
    /// Reads a Name from its whole DER element; None if it is none.
    pub fn read(whole: &[u8]) -> Option<Self> {
        let sequence = der::first(whole).filter(|element| element.tag == der::SEQUENCE)?;
        let mut name = Self { raw: whole.to_vec(), ..Self::default() };
        let mut parts: Vec<String> = Vec::new();
        let mut sets = Reader::new(sequence.content);
        while !sets.is_empty() {
            let set = sets.expect(der::SET)?;
            let mut attributes = Reader::new(set.content);
            let mut canonical = Vec::new();
            while !attributes.is_empty() {
                let mut attribute = Reader::new(attributes.expect(der::SEQUENCE)?.content);
                let kind = attribute.expect(der::OBJECT_IDENTIFIER)?;
                let value = attribute.element()?;
                name.attribute(kind.content, value, &mut canonical, &mut parts);
            }
            name.canonical.extend(der::write(der::SET, &canonical));
        }
        name.text = parts.join(",");
        Some(name)
    }

    /// No attribute at all.
    pub fn is_empty(&self) -> bool {
        self.canonical.is_empty()
    }

    /// The name of a certificate that does not exist yet, from RFC 4514 text, encoded as Go's encoding/asn1 does.
    pub fn planned(text: &str) -> Self {
        let mut sets = Vec::new();
        for part in split_unescaped(text, ',') {
            let Some((kind, value)) = part.split_once('=') else { continue };
            let Some(kind) = attribute_oid(kind.trim()) else { continue };
            let value = unescape(value.trim());
            let printable = value.bytes().all(is_printable);
            let mut attribute = der::write(der::OBJECT_IDENTIFIER, kind);
            attribute.extend(der::write(if printable { 0x13 } else { 0x0c }, value.as_bytes()));
            sets.push(der::write(der::SET, &der::write(der::SEQUENCE, &attribute)));
        }
        // RFC 4514 writes the last relative distinguished name first
        sets.reverse();
        Self::read(&der::write(der::SEQUENCE, &sets.concat())).unwrap_or_default()
    }

    fn attribute(
        &mut self,
        kind: &[u8],
        value: der::Element<'_>,
        canonical: &mut Vec<u8>,
        parts: &mut Vec<String>,
    ) {
        let text = decode(value.tag, value.content);
        if let Err(wrong) = &text {
            self.malformed.get_or_insert_with(|| wrong.clone());
        }
        let shown = match &text {
            Ok(text) => text.clone(),
            Err(_) => String::from_utf8_lossy(value.content).into_owned(),
        };
        parts.push(match attribute_label(kind) {
            Some(label) => format!("{label}={shown}"),
            None => format!("{}={shown}", der::dotted(kind).as_deref().unwrap_or("?")),
        });
        if kind == COMMON_NAME {
            self.common_names.push(shown);
        } else if kind == EMAIL_ADDRESS {
            self.emails.push(shown);
        }
        // crypto/x509/x_name.c, asn1_string_canon: only character strings are folded
        let mut inner = der::write(der::OBJECT_IDENTIFIER, kind);
        match text {
            Ok(text) if is_character_string(value.tag) => {
                inner.extend(der::write(0x0c, fold(&text).as_bytes()));
            }
            _ => inner.extend_from_slice(value.whole),
        }
        canonical.extend(der::write(der::SEQUENCE, &inner));
    }
}

fn is_character_string(tag: u8) -> bool {
    // UTF8, Printable, T61, IA5, Visible, Universal, BMP
    matches!(tag, 0x0c | 0x13 | 0x14 | 0x16 | 0x1a | 0x1c | 0x1e)
}

/// Lower case, no outer spaces, inner runs of space as one.
fn fold(text: &str) -> String {
    let space = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}');
    let parts: Vec<&str> = text.split(space).filter(|part| !part.is_empty()).collect();
    parts.join(" ").to_ascii_lowercase()
}

fn is_printable(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte)
}

/// A directory string as text, or what is wrong with it.
fn decode(tag: u8, content: &[u8]) -> Result<String, String> {
    match tag {
        0x0c => {
            std::str::from_utf8(content).map(str::to_owned).map_err(|_| "invalid UTF-8 string".to_owned())
        }
        // Go also lets * and & pass (encoding/asn1, isPrintable)
        0x13 if content.iter().any(|byte| !is_printable(*byte) && *byte != b'*' && *byte != b'&') => {
            Err("invalid PrintableString".to_owned())
        }
        0x16 if content.iter().any(|byte| *byte >= 0x80) => Err("invalid IA5String".to_owned()),
        0x13 | 0x16 | 0x1a | 0x12 => Ok(String::from_utf8_lossy(content).into_owned()),
        0x14 => Ok(content.iter().map(|byte| char::from(*byte)).collect()),
        0x1e => {
            let (units, rest) = content.as_chunks::<2>();
            let text: Option<String> = char::decode_utf16(units.iter().map(|unit| u16::from_be_bytes(*unit)))
                .map(Result::ok)
                .collect();
            text.filter(|_| rest.is_empty()).ok_or_else(|| "invalid BMPString".to_owned())
        }
        0x1c => {
            let (units, rest) = content.as_chunks::<4>();
            let text: Option<String> =
                units.iter().map(|unit| char::from_u32(u32::from_be_bytes(*unit))).collect();
            text.filter(|_| rest.is_empty()).ok_or_else(|| "invalid UniversalString".to_owned())
        }
        _ => Err("unsupported string type".to_owned()),
    }
}

/// RFC 4514 section 3, and what RFC 5280 adds.
const ATTRIBUTES: [(&str, &[u8]); 11] = [
    ("CN", COMMON_NAME),
    ("SERIALNUMBER", &[0x55, 4, 5]),
    ("C", &[0x55, 4, 6]),
    ("L", &[0x55, 4, 7]),
    ("ST", &[0x55, 4, 8]),
    ("STREET", &[0x55, 4, 9]),
    ("O", &[0x55, 4, 10]),
    ("OU", &[0x55, 4, 11]),
    ("POSTALCODE", &[0x55, 4, 17]),
    ("DC", &[9, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25]),
    ("EMAILADDRESS", EMAIL_ADDRESS),
];

fn attribute_label(oid: &[u8]) -> Option<&'static str> {
    ATTRIBUTES.iter().find(|(_, known)| *known == oid).map(|(label, _)| *label)
}

fn attribute_oid(label: &str) -> Option<&'static [u8]> {
    ATTRIBUTES.iter().find(|(known, _)| known.eq_ignore_ascii_case(label)).map(|(_, oid)| *oid)
}

fn split_unescaped(text: &str, separator: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for c in text.chars() {
        if c == separator && !escaped {
            parts.push(String::new());
            continue;
        }
        escaped = c == '\\' && !escaped;
        if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    parts
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut escaped = false;
    for c in text.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            escaped = false;
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(tag: u8, value: &str) -> Name {
        let mut attribute = der::write(der::OBJECT_IDENTIFIER, &[0x55, 4, 3]);
        attribute.extend(der::write(tag, value.as_bytes()));
        let set = der::write(der::SET, &der::write(der::SEQUENCE, &attribute));
        Name::read(&der::write(der::SEQUENCE, &set)).unwrap()
    }

    #[test]
    fn case_spaces_and_string_type_differ_in_bytes_alone() {
        let one = name(0x0c, "The Root");
        for other in [name(0x13, "The Root"), name(0x0c, "THE ROOT"), name(0x0c, "  The   Root ")] {
            assert_eq!(one.canonical, other.canonical);
            assert_ne!(one.raw, other.raw);
        }
        assert_ne!(one.canonical, name(0x0c, "TheRoot").canonical);
    }

    #[test]
    fn a_planned_name_is_what_go_would_encode() {
        assert_eq!(Name::planned("CN=The Root").raw, name(0x13, "The Root").raw);
        assert_eq!(Name::planned("CN=a\\,b,O=x").text, "O=x,CN=a,b");
        assert!(Name::planned("").is_empty());
    }

    #[test]
    fn a_printable_string_with_other_characters_is_malformed() {
        assert!(name(0x13, "a_b").malformed.is_some());
        assert!(name(0x0c, "a_b").malformed.is_none());
    }
}

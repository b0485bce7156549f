//! A small reader of DER elements that forgives what the stacks forgive.
//!
//! It never recurses and never allocates: every certificate is hostile. What it cannot read is `None`; whether
//! that matters is for the stack to say.

use std::fmt::Write as _;

/// One element: tag, content and the bytes of both with their length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element<'a> {
    /// The identifier octet (high tag numbers are not read).
    pub tag: u8,
    /// The content octets.
    pub content: &'a [u8],
    /// Identifier, length and content.
    pub whole: &'a [u8],
}

/// SEQUENCE and SEQUENCE OF.
pub const SEQUENCE: u8 = 0x30;
/// SET OF.
pub const SET: u8 = 0x31;
/// BOOLEAN.
pub const BOOLEAN: u8 = 0x01;
/// INTEGER.
pub const INTEGER: u8 = 0x02;
/// BIT STRING.
pub const BIT_STRING: u8 = 0x03;
/// OCTET STRING.
pub const OCTET_STRING: u8 = 0x04;
/// OBJECT IDENTIFIER.
pub const OBJECT_IDENTIFIER: u8 = 0x06;
/// UTCTime.
pub const UTC_TIME: u8 = 0x17;
/// GeneralizedTime.
pub const GENERALIZED_TIME: u8 = 0x18;

/// Reads elements one after another.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Nothing is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The tag of the next element.
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next element; None at the end or where the bytes are none.
    pub fn element(&mut self) -> Option<Element<'a>> {
        let (&tag, after_tag) = self.rest.split_first()?;
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (&first, mut rest) = after_tag.split_first()?;
        let length = if first < 0x80 {
            usize::from(first)
        } else {
            let count = usize::from(first & 0x7f);
            if count == 0 || count > 4 {
                return None;
            }
            let (bytes, after) = rest.split_at_checked(count)?;
            rest = after;
            bytes.iter().fold(0_usize, |length, byte| (length << 8) | usize::from(*byte))
        };
        let (content, after) = rest.split_at_checked(length)?;
        let whole = self.rest.get(..self.rest.len() - after.len())?;
        self.rest = after;
        Some(Element { tag, content, whole })
    }

    /// The next element if it has this tag.
    pub fn expect(&mut self, tag: u8) -> Option<Element<'a>> {
        if self.peek() != Some(tag) {
            return None;
        }
        self.element()
    }
}

/// The one element that these bytes are; bytes after it are ignored.
pub fn first(bytes: &[u8]) -> Option<Element<'_>> {
    Reader::new(bytes).element()
}

/// An object identifier in dotted decimal; None if it is none.
pub fn dotted(content: &[u8]) -> Option<String> {
    // three digits and a dot for an octet are enough, but for what nobody registers
    let mut text = String::with_capacity(content.len().saturating_mul(4).min(64));
    let mut value: u64 = 0;
    let mut started = false;
    for byte in content {
        value = value.checked_mul(128)?.checked_add(u64::from(byte & 0x7f))?;
        started = byte & 0x80 != 0;
        if started {
            continue;
        }
        // writing to a String cannot fail
        let _ = if !text.is_empty() {
            write!(text, ".{value}")
        } else if value < 80 {
            write!(text, "{}.{}", value / 40, value % 40)
        } else {
            write!(text, "2.{}", value - 80)
        };
        value = 0;
    }
    if text.is_empty() || started { None } else { Some(text) }
}

/// A small non-negative INTEGER.
pub fn small(content: &[u8]) -> Option<u32> {
    if content.is_empty() || content.len() > 5 || content.first().is_some_and(|byte| byte & 0x80 != 0) {
        return None;
    }
    let value = content.iter().fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
    u32::try_from(value).ok()
}

/// UTCTime or GeneralizedTime in seconds since 1970, in the forms of RFC 5280 section 4.1.2.5.
pub fn time(element: Element<'_>) -> Option<i64> {
    let text = std::str::from_utf8(element.content).ok()?;
    let digits = |range: std::ops::Range<usize>| -> Option<i64> {
        let part = text.get(range)?;
        if part.bytes().all(|byte| byte.is_ascii_digit()) { part.parse().ok() } else { None }
    };
    let (year, at) = match element.tag {
        UTC_TIME => {
            let year = digits(0..2)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, 2)
        }
        GENERALIZED_TIME => (digits(0..4)?, 4),
        _ => return None,
    };
    let (month, day) = (digits(at..at + 2)?, digits(at + 2..at + 4)?);
    let (hour, minute, second) = (digits(at + 4..at + 6)?, digits(at + 6..at + 8)?, digits(at + 8..at + 10)?);
    if text.get(at + 10..) != Some("Z") || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // days from civil, proleptic Gregorian calendar
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Writes one element.
pub fn write(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = content.len();
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let bytes = (length as u32).to_be_bytes();
        let skip = bytes.iter().take_while(|byte| **byte == 0).count();
        out.push(0x80 | (4 - skip) as u8);
        out.extend(bytes.iter().skip(skip));
    }
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_one_and_more_octets_are_read_and_written() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 70_000] {
            let whole = write(OCTET_STRING, &vec![7; length]);
            assert_eq!(first(&whole).map(|element| element.content.len()), Some(length));
        }
        assert_eq!(first(&[0x30, 0x05, 1]), None);
        assert_eq!(first(&[0x30, 0x80, 0, 0]), None, "indefinite length is not DER");
    }

    #[test]
    fn times_are_read_in_both_forms() {
        let utc = Element { tag: UTC_TIME, content: b"261123000000Z", whole: b"" };
        let generalized = Element { tag: GENERALIZED_TIME, content: b"20500101000000Z", whole: b"" };
        assert_eq!(time(utc), Some(1_795_392_000));
        assert_eq!(time(generalized), Some(2_524_608_000));
    }

    #[test]
    fn object_identifiers_are_written_dotted() {
        assert_eq!(dotted(&[0x55, 0x1d, 0x25, 0x00]).as_deref(), Some("2.5.29.37.0"));
        assert_eq!(
            dotted(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b]).as_deref(),
            Some("1.2.840.113549.1.1.11")
        );
        assert_eq!(dotted(&[0x55, 0x9d]), None);
    }
}

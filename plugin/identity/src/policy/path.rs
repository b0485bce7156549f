//! The path a rule is matched against: normalised, or refused where servers would read it differently.
//!
//! A gateway forwards the path as it came; if the filter and the server behind it disagreed about what it names,
//! a request could be allowed for one thing and get another. So a path that has two readings has none here.

use std::borrow::Cow;
use std::fmt;

/// Why a path cannot be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ambiguity {
    /// It does not begin with a slash.
    NotAbsolute,
    /// It has a `.` or `..` segment, perhaps encoded or followed by path parameters.
    DotSegment,
    /// It has a backslash, perhaps encoded.
    Backslash,
    /// It has an encoded slash.
    EncodedSlash,
    /// It has an empty segment: two slashes in a row.
    EmptySegment,
    /// A percent sign is not followed by two hexadecimal digits, or encodes another percent escape.
    BrokenEscape,
    /// It has a control character, a space, a `#` or a byte outside ASCII, or encodes a control character.
    ForbiddenByte,
}

/// The path without its query, unreserved characters decoded (RFC 3986 section 6.2.2), or why it has no single
/// meaning. Allocates only when something had to be decoded.
#[inline]
pub fn normalise(path_and_query: &str) -> Result<Cow<'_, str>, Ambiguity> {
    let path = path_and_query.split_once('?').map_or(path_and_query, |(path, _)| path);
    if !path.starts_with('/') {
        // the asterisk form of OPTIONS names no resource; no pattern matches it
        return if path == "*" { Ok(Cow::Borrowed(path)) } else { Err(Ambiguity::NotAbsolute) };
    }
    let mut escaped = false;
    for byte in path.bytes() {
        match byte {
            b'\\' => return Err(Ambiguity::Backslash),
            b'#' | 0..=b' ' | 0x7f.. => return Err(Ambiguity::ForbiddenByte),
            b'%' => escaped = true,
            _ => {}
        }
    }
    let path = if escaped { Cow::Owned(decode(path)?) } else { Cow::Borrowed(path) };
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        if segment.is_empty() && segments.peek().is_some() {
            return Err(Ambiguity::EmptySegment);
        }
        // servlet containers cut parameters off before they resolve dots: /a/..;x/b
        let name = segment.split_once(';').map_or(segment, |(name, _)| name);
        if matches!(name, "." | "..") || (name.is_empty() && segment.len() > 1) {
            return Err(Ambiguity::DotSegment);
        }
    }
    Ok(path)
}

/// Decodes escapes of unreserved characters and writes the others in upper case.
fn decode(path: &str) -> Result<String, Ambiguity> {
    let mut decoded = String::with_capacity(path.len());
    let mut pieces = path.split('%');
    decoded.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let digits = piece.get(..2).ok_or(Ambiguity::BrokenEscape)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Ambiguity::BrokenEscape);
        }
        let byte = u8::from_str_radix(digits, 16).map_err(|_| Ambiguity::BrokenEscape)?;
        let rest = piece.get(2..).unwrap_or_default();
        match byte {
            b'/' => return Err(Ambiguity::EncodedSlash),
            b'\\' => return Err(Ambiguity::Backslash),
            0..=0x1f | 0x7f => return Err(Ambiguity::ForbiddenByte),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                decoded.push(char::from(byte))
            }
            _ => {
                decoded.push('%');
                decoded.push_str(&digits.to_ascii_uppercase());
            }
        }
        decoded.push_str(rest);
    }
    // a server that decodes twice would see another escape, whose digits may have been encoded themselves
    let doubled =
        |rest: &str| matches!(rest.as_bytes(), [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
    if decoded.split("%25").skip(1).any(doubled) { Err(Ambiguity::BrokenEscape) } else { Ok(decoded) }
}

impl fmt::Display for Ambiguity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ambiguity::NotAbsolute => "the path does not begin with a slash",
            Ambiguity::DotSegment => "the path has a dot segment",
            Ambiguity::Backslash => "the path has a backslash",
            Ambiguity::EncodedSlash => "the path has an encoded slash",
            Ambiguity::EmptySegment => "the path has an empty segment",
            Ambiguity::BrokenEscape => "the path has a broken or doubled percent escape",
            Ambiguity::ForbiddenByte => "the path has a byte that no path may have",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_reading_or_none() {
        let table = [
            ("/", Ok("/")),
            ("/orders", Ok("/orders")),
            ("/orders/", Ok("/orders/")),
            ("/orders/7?next=/../x", Ok("/orders/7")),
            ("/%6frders/%7Ea", Ok("/orders/~a")),
            ("/caf%c3%a9", Ok("/caf%C3%A9")),
            ("/50%25", Ok("/50%25")),
            ("/50%25/x", Ok("/50%25/x")),
            ("/a;v=1/b", Ok("/a;v=1/b")),
            ("/.well-known/x", Ok("/.well-known/x")),
            ("/...", Ok("/...")),
            ("*", Ok("*")),
            ("", Err(Ambiguity::NotAbsolute)),
            ("orders", Err(Ambiguity::NotAbsolute)),
            ("http://host/orders", Err(Ambiguity::NotAbsolute)),
            ("/a/../b", Err(Ambiguity::DotSegment)),
            ("/a/..", Err(Ambiguity::DotSegment)),
            ("/./b", Err(Ambiguity::DotSegment)),
            ("/a/%2e%2E/b", Err(Ambiguity::DotSegment)),
            ("/a/.%2e/b", Err(Ambiguity::DotSegment)),
            ("/a/..;x/b", Err(Ambiguity::DotSegment)),
            ("/a/%2e%2e;x/b", Err(Ambiguity::DotSegment)),
            ("/a/;x/b", Err(Ambiguity::DotSegment)),
            ("/a\\b", Err(Ambiguity::Backslash)),
            ("/a%5cb", Err(Ambiguity::Backslash)),
            ("/a%2fb", Err(Ambiguity::EncodedSlash)),
            ("/a%2Fb", Err(Ambiguity::EncodedSlash)),
            ("//a", Err(Ambiguity::EmptySegment)),
            ("/a//b", Err(Ambiguity::EmptySegment)),
            ("/a//", Err(Ambiguity::EmptySegment)),
            ("/a%", Err(Ambiguity::BrokenEscape)),
            ("/a%2", Err(Ambiguity::BrokenEscape)),
            ("/a%zz", Err(Ambiguity::BrokenEscape)),
            ("/a%+1", Err(Ambiguity::BrokenEscape)),
            ("/a%252fb", Err(Ambiguity::BrokenEscape)),
            ("/a%25%32fb", Err(Ambiguity::BrokenEscape)),
            ("/a%252%66b", Err(Ambiguity::BrokenEscape)),
            ("/a%25%32%46b", Err(Ambiguity::BrokenEscape)),
            ("/a%25%C3%A9", Ok("/a%25%C3%A9")),
            ("/a%00b", Err(Ambiguity::ForbiddenByte)),
            ("/a%0ab", Err(Ambiguity::ForbiddenByte)),
            ("/a\tb", Err(Ambiguity::ForbiddenByte)),
            ("/a#b", Err(Ambiguity::ForbiddenByte)),
            ("/café", Err(Ambiguity::ForbiddenByte)),
        ];
        for (path, expected) in table {
            assert_eq!(normalise(path).as_deref(), expected.as_ref().map(|path| *path), "{path:?}");
        }
    }

    #[test]
    fn normalising_twice_changes_nothing() {
        for path in ["/a%7eb", "/x%20y", "/50%25", "/%41;a=%42/"] {
            let once = normalise(path).unwrap().into_owned();
            assert_eq!(normalise(&once).unwrap(), once, "{path}");
        }
    }
}

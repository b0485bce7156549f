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
    /// It has a semicolon, perhaps encoded: some servers cut off what follows it, others take it for a part of the name.
    PathParameter,
    /// A percent sign is not followed by two hexadecimal digits, or encodes another percent escape.
    BrokenEscape,
    /// It has a control character, a space, a `#` or a byte outside ASCII, or encodes a control character.
    ForbiddenByte,
    /// Its escapes are no UTF-8.
    NotText,
}

/// What becomes of paths with parameters (RFC 3986 section 3.3): `/a;v=1/b`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PathParameters {
    /// They are ambiguous.
    #[default]
    Deny,
    /// They are a part of the name, for the policy and for the servers behind it.
    Allow,
}

/// The path without its query, or why it has no single meaning. Every character that may stand in a path without an
/// escape (RFC 3986 section 3.3) stands so, the others in an escape; only the semicolon stays as it came. Allocates
/// only when something had to be changed.
#[inline]
pub fn normalise(path_and_query: &str, parameters: PathParameters) -> Result<Cow<'_, str>, Ambiguity> {
    let path = path_and_query.split_once('?').map_or(path_and_query, |(path, _)| path);
    if !path.starts_with('/') {
        // the asterisk form of OPTIONS names no resource; no pattern matches it
        return if path == "*" { Ok(Cow::Borrowed(path)) } else { Err(Ambiguity::NotAbsolute) };
    }
    let (mut changes, mut semicolon) = (false, false);
    for byte in path.bytes() {
        match byte {
            b'\\' => return Err(Ambiguity::Backslash),
            b'#' | 0..=b' ' | 0x7f.. => return Err(Ambiguity::ForbiddenByte),
            b'%' | b'"' | b'<' | b'>' | b'[' | b']' | b'^' | b'`' | b'{'..=b'}' => changes = true,
            b';' => semicolon = true,
            _ => {}
        }
    }
    let path = if changes { Cow::Owned(decode(path)?) } else { Cow::Borrowed(path) };
    semicolon |= changes && path.contains(ESCAPED_SEMICOLON);
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        if segment.is_empty() && segments.peek().is_some() {
            return Err(Ambiguity::EmptySegment);
        }
        // servlet containers cut parameters off before they resolve dots: /a/..;x/b
        let mut name = segment;
        if semicolon {
            name = name.split_once(';').map_or(name, |(name, _)| name);
            name = name.split_once(ESCAPED_SEMICOLON).map_or(name, |(name, _)| name);
        }
        if matches!(name, "." | "..") || (name.is_empty() && segment.len() > 1) {
            return Err(Ambiguity::DotSegment);
        }
    }
    if semicolon && parameters == PathParameters::Deny {
        return Err(Ambiguity::PathParameter);
    }
    Ok(path)
}

const ESCAPED_SEMICOLON: &str = "%3B";

/// Decodes escapes of characters that need none, and escapes the others.
fn decode(path: &str) -> Result<String, Ambiguity> {
    let mut decoded = String::with_capacity(path.len());
    let mut octets = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let (byte, escaped) = match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                rest = after;
                (digit(*high)? << 4 | digit(*low)?, true)
            }
            (b'%', _) => return Err(Ambiguity::BrokenEscape),
            _ => {
                rest = after;
                (*first, false)
            }
        };
        octets.push(byte);
        match byte {
            b'/' if escaped => return Err(Ambiguity::EncodedSlash),
            b'\\' => return Err(Ambiguity::Backslash),
            0..=0x1f | 0x7f => return Err(Ambiguity::ForbiddenByte),
            b';' if escaped => decoded.push_str(ESCAPED_SEMICOLON),
            b'/' | b';' => decoded.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&byte) => {
                decoded.push(char::from(byte));
            }
            _ => {
                decoded.push('%');
                decoded.push_str(&crate::certificate::hexadecimal(&[byte]).to_ascii_uppercase());
            }
        }
    }
    if std::str::from_utf8(&octets).is_err() {
        return Err(Ambiguity::NotText);
    }
    // a server that decodes twice would see another escape, whose digits may have been encoded themselves
    let doubled =
        |rest: &str| matches!(rest.as_bytes(), [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
    if decoded.split("%25").skip(1).any(doubled) { Err(Ambiguity::BrokenEscape) } else { Ok(decoded) }
}

/// The value of a hexadecimal digit.
fn digit(byte: u8) -> Result<u8, Ambiguity> {
    let value = char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    value.ok_or(Ambiguity::BrokenEscape)
}

impl fmt::Display for Ambiguity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ambiguity::NotAbsolute => "the path does not begin with a slash",
            Ambiguity::DotSegment => "the path has a dot segment",
            Ambiguity::Backslash => "the path has a backslash",
            Ambiguity::EncodedSlash => "the path has an encoded slash",
            Ambiguity::EmptySegment => "the path has an empty segment",
            Ambiguity::PathParameter => {
                "the path has a semicolon, which servers read differently (see path-parameters)"
            }
            Ambiguity::BrokenEscape => "the path has a broken or doubled percent escape",
            Ambiguity::ForbiddenByte => "the path has a byte that no path may have",
            Ambiguity::NotText => "the path's escapes are no UTF-8",
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
            ("/a;v=1/b", Err(Ambiguity::PathParameter)),
            ("/a%3bv=1/b", Err(Ambiguity::PathParameter)),
            ("/admin/secret;x/keys", Err(Ambiguity::PathParameter)),
            ("/a?b;c", Ok("/a")),
            ("/a/..%3B/b", Err(Ambiguity::DotSegment)),
            ("/a/.%3bx;y/b", Err(Ambiguity::DotSegment)),
            ("/a/%3b/b", Err(Ambiguity::DotSegment)),
            ("/jobs/all%3Apurge", Ok("/jobs/all:purge")),
            ("/%21%24%26%27%28%29%2a%2b%2C%3d%40", Ok("/!$&'()*+,=@")),
            ("/a[0]|{b}", Ok("/a%5B0%5D%7C%7Bb%7D")),
            ("/a%5b0%5d", Ok("/a%5B0%5D")),
            ("/a%3fb", Ok("/a%3Fb")),
            ("/a%ff", Err(Ambiguity::NotText)),
            ("/a%c0%afb", Err(Ambiguity::NotText)),
            ("/a%e9/b", Err(Ambiguity::NotText)),
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
            let found = normalise(path, PathParameters::Deny);
            assert_eq!(found.as_deref(), expected.as_ref().map(|path| *path), "{path:?}");
        }
    }

    #[test]
    fn normalising_twice_changes_nothing() {
        let normal = |path: &str| normalise(path, PathParameters::Allow).unwrap().into_owned();
        for path in ["/a%7eb", "/x%20y", "/50%25", "/%41;a=%42/", "/a%3bb", "/{a}|\"b\"", "/%2a%3a%5b["] {
            let once = normal(path);
            assert_eq!(normal(&once), once, "{path}");
        }
    }

    #[test]
    fn parameters_are_a_part_of_the_name_where_the_policy_says_so() {
        let normal = |path: &'static str| normalise(path, PathParameters::Allow);
        assert_eq!(normal("/a;v=%31/b").unwrap(), "/a;v=1/b");
        assert_eq!(normal("/a%3bv/b").unwrap(), "/a%3Bv/b");
        for path in ["/a/..;x/b", "/a/..%3bx/b", "/a/;x/b", "/a/.;"] {
            assert_eq!(normal(path), Err(Ambiguity::DotSegment), "{path}");
        }
    }
}

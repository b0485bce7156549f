//! The patterns a policy is written in. No regular expressions: each is as plain as the name it stands for.

use std::net::IpAddr;
use std::str::FromStr;

use crate::certificate::{Attribute, Name};
use crate::identity::{self, Identity, SpiffeId};
use crate::sorted;

/// A SPIFFE ID in which `*` stands for one path segment and a final `**` for all that follow, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpiffePattern {
    trust_domain: String,
    path: Vec<Segment>,
    rest: bool,
}

/// A host name, or `*.` and a host name for exactly one more label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    /// The name without the wildcard.
    name: String,
    wildcard: bool,
}

/// A mailbox, or `*@domain` for every mailbox of exactly that domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailPattern {
    local: Option<String>,
    domain: String,
}

/// An IP address, or a network in CIDR notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

/// A URI that is not a SPIFFE ID, compared byte by byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainUri(pub String);

/// A path: exact (`/orders`), by segments (`/orders/{id}` or `/orders/*`), and a final `/**` for the path before
/// it and everything beneath.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    segments: Vec<Segment>,
    rest: bool,
    /// Set when no segment is a wildcard: the whole path, compared at once.
    literal: String,
    plain: bool,
}

/// A distinguished name in RFC 4514 form, compared part by part with the values exactly as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DistinguishedName(Vec<Vec<Attribute>>);

/// A SHA-256 in hexadecimal digits, with or without colons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

/// A serial number in hexadecimal digits, with or without colons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serial(pub Vec<u8>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Exactly(String),
    Any,
}

// === impl SpiffePattern ===

impl SpiffePattern {
    /// Whether a SPIFFE ID fits.
    pub fn matches(&self, id: &SpiffeId) -> bool {
        let fits = |path: &[String]| {
            std::iter::zip(&self.path, path).all(|(pattern, segment)| pattern.matches(segment))
        };
        let length =
            if self.rest { id.path.len() > self.path.len() } else { id.path.len() == self.path.len() };
        self.trust_domain == id.trust_domain && length && fits(&id.path)
    }
}

impl FromStr for SpiffePattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("spiffe://").ok_or_else(|| {
            format!("{} is no SPIFFE ID: write spiffe://trust-domain/path", identity::shown(text))
        })?;
        let (trust_domain, path) = match rest.split_once('/') {
            Some((trust_domain, path)) => (trust_domain, path.split('/').collect()),
            None => (rest, Vec::new()),
        };
        if !identity::is_trust_domain(trust_domain) {
            return Err(format!(
                "{} is no trust domain: it is written in lower case, without wildcard, port or user",
                identity::shown(trust_domain)
            ));
        }
        let (path, rest) = match path.as_slice() {
            [path @ .., "**"] => (path, true),
            path => (path, false),
        };
        let path = path.iter().map(|segment| match *segment {
            "*" => Ok(Segment::Any),
            segment if identity::is_spiffe_segment(segment) => Ok(Segment::Exactly(segment.to_owned())),
            "" => Err("a SPIFFE ID has no empty path segment and no final slash".to_owned()),
            "**" => Err("** stands for the rest of the path and must come last".to_owned()),
            segment => Err(format!(
                "{} is no path segment of a SPIFFE ID: * stands for a whole one",
                identity::shown(segment)
            )),
        });
        Ok(SpiffePattern {
            trust_domain: trust_domain.to_owned(),
            path: path.collect::<Result<_, String>>()?,
            rest,
        })
    }
}

// === impl HostPattern ===

impl HostPattern {
    /// Whether a host name in lower case fits.
    pub fn matches(&self, name: &str) -> bool {
        if !self.wildcard {
            return self.name == name;
        }
        name.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == self.name)
    }
}

impl FromStr for HostPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, wildcard) = match text.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (text, false),
        };
        let name = identity::dns_name(name).map_err(|_| {
            format!("{} is no host name: write host.example.org or *.example.org", identity::shown(text))
        })?;
        Ok(HostPattern { name, wildcard })
    }
}

// === impl EmailPattern ===

impl EmailPattern {
    fn matches(&self, local: &str, domain: &str) -> bool {
        self.domain == domain && self.local.as_deref().is_none_or(|wanted| wanted == local)
    }
}

impl FromStr for EmailPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || {
            format!("{} is no e-mail address: write name@example.org or *@example.org", identity::shown(text))
        };
        if let Some(domain) = text.strip_prefix("*@") {
            let domain = identity::dns_name(domain).map_err(|_| refuse())?;
            return Ok(EmailPattern { local: None, domain });
        }
        let (local, domain) = identity::mailbox(text).map_err(|_| refuse())?;
        Ok(EmailPattern { local: Some(local), domain })
    }
}

// === impl Network ===

impl Network {
    /// Whether an address lies in it. An IPv4 address written as IPv6 (`::ffff:10.0.0.7`) is that IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let shift = 32u32.saturating_sub(self.prefix);
                let cut = |address: u32| address.checked_shr(shift).unwrap_or(0);
                cut(network.to_bits()) == cut(address.to_bits())
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let shift = 128u32.saturating_sub(self.prefix);
                let cut = |address: u128| address.checked_shr(shift).unwrap_or(0);
                cut(network.to_bits()) == cut(address.to_bits())
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse =
            || format!("{} is no IP address or network: write 10.0.0.7 or 10.0.0.0/8", identity::shown(text));
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| refuse())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix: u32 = prefix.map_or(Ok(longest), |prefix| prefix.parse().map_err(|_| refuse()))?;
        if prefix > longest {
            return Err(refuse());
        }
        let network = Network { address, prefix };
        let zeroed = match address {
            IpAddr::V4(address) => address.to_bits().checked_shl(prefix).unwrap_or(0) == 0,
            IpAddr::V6(address) => address.to_bits().checked_shl(prefix).unwrap_or(0) == 0,
        };
        if !zeroed {
            return Err(format!("{} has bits set outside its prefix", identity::shown(text)));
        }
        Ok(network)
    }
}

// === impl PlainUri ===

impl FromStr for PlainUri {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.to_ascii_lowercase().starts_with("spiffe:") {
            return Err(format!("{} is a SPIFFE ID: write it under spiffe", identity::shown(text)));
        }
        if text.contains('*') {
            return Err(format!(
                "{}: a URI is compared as a whole, without wildcards",
                identity::shown(text)
            ));
        }
        identity::plain_uri(text).map(PlainUri).map_err(|error| error.to_string())
    }
}

// === impl PathPattern ===

impl PathPattern {
    /// Whether a normalised path fits.
    #[inline]
    pub fn matches(&self, path: &str) -> bool {
        if self.plain {
            if !self.rest {
                return path == self.literal;
            }
            return path
                .strip_prefix(self.literal.as_str())
                .is_some_and(|rest| path.starts_with('/') && (rest.is_empty() || rest.starts_with('/')));
        }
        let Some(path) = path.strip_prefix('/') else { return false };
        let mut segments = path.split('/');
        for pattern in &self.segments {
            if !segments.next().is_some_and(|segment| pattern.matches(segment)) {
                return false;
            }
        }
        self.rest || segments.next().is_none()
    }

    /// Whether every path that fits `other` fits this one too; `false` where that is not certain.
    pub fn covers(&self, other: &PathPattern) -> bool {
        let length = if self.rest {
            other.segments.len() >= self.segments.len()
        } else {
            !other.rest && other.segments.len() == self.segments.len()
        };
        length
            && std::iter::zip(&self.segments, &other.segments).all(|(mine, theirs)| match (mine, theirs) {
                (Segment::Any, Segment::Any) => true,
                (Segment::Any, Segment::Exactly(segment)) => !segment.is_empty(),
                (mine, theirs) => mine == theirs,
            })
    }
}

impl FromStr for PathPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(path) = text.strip_prefix('/') else {
            return Err(format!("{} is no path: write it from the first slash on", identity::shown(text)));
        };
        let segments: Vec<&str> = path.split('/').collect();
        let (segments, rest) = match segments.as_slice() {
            [segments @ .., "**"] => (segments.to_vec(), true),
            _ => (segments, false),
        };
        let mut pattern = PathPattern { segments: Vec::new(), rest, literal: String::new(), plain: true };
        for segment in &segments {
            let named = segment.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
            if *segment == "*"
                || named.is_some_and(|name| !name.is_empty() && !name.contains(['{', '}', '*']))
            {
                pattern.segments.push(Segment::Any);
                pattern.plain = false;
                continue;
            }
            if *segment == "**" {
                return Err("** stands for the rest of the path and must come last".to_owned());
            }
            if segment.contains(['*', '{', '}', '?']) {
                return Err(format!(
                    "{} is no path segment: * or {{name}} stands for a whole one, a query is not matched",
                    identity::shown(segment)
                ));
            }
            // an asterisk of the path's own is written as an escape
            let whole = format!("/{}", segment.replace("%2A", "*"));
            match super::path::normalise(&whole, super::PathParameters::Allow) {
                Ok(normal) if normal == whole => {}
                Ok(normal) => {
                    let normal = normal.replace('*', "%2A");
                    return Err(format!(
                        "paths are matched in normal form: write {} for {}",
                        normal.trim_start_matches('/'),
                        identity::shown(segment)
                    ));
                }
                Err(why) => return Err(format!("{} could never match: {why}", identity::shown(text))),
            }
            pattern.segments.push(Segment::Exactly(whole.trim_start_matches('/').to_owned()));
            pattern.literal.push_str(&whole);
        }
        if segments.iter().rev().skip(1).any(|segment| segment.is_empty())
            || (rest && segments.last() == Some(&""))
        {
            return Err(format!(
                "{} could never match: the path has an empty segment",
                identity::shown(text)
            ));
        }
        Ok(pattern)
    }
}

impl Segment {
    fn matches(&self, segment: &str) -> bool {
        match self {
            Segment::Exactly(wanted) => wanted == segment,
            Segment::Any => !segment.is_empty(),
        }
    }
}

// === impl DistinguishedName ===

impl DistinguishedName {
    /// Whether it is this name.
    pub fn matches(&self, name: &Name) -> bool {
        self.0.len() == name.parts.len() && self.0.iter().rev().eq(name.parts.iter())
    }
}

impl FromStr for DistinguishedName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || {
            format!(
                "{} is no distinguished name: write it as RFC 4514 does, CN=Example CA,O=Example",
                identity::shown(text)
            )
        };
        let mut parts = Vec::new();
        for part in split_unescaped(text, ',') {
            let mut attributes = Vec::new();
            for attribute in split_unescaped(part, '+') {
                let (kind, value) = attribute.split_once('=').ok_or_else(refuse)?;
                let kind = kind.trim();
                if kind.is_empty() {
                    return Err(refuse());
                }
                attributes
                    .push(Attribute { kind: kind.to_owned(), value: unescape(value).ok_or_else(refuse)? });
            }
            sorted::sort(&mut attributes);
            parts.push(attributes);
        }
        Ok(DistinguishedName(parts))
    }
}

fn split_unescaped(text: &str, separator: char) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut escaped = false;
    for (index, letter) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if letter == '\\' {
            escaped = true;
        } else if letter == separator {
            pieces.push(text.get(start..index).unwrap_or_default());
            start = index + letter.len_utf8();
        }
    }
    pieces.push(text.get(start..).unwrap_or_default());
    pieces
}

/// The value with RFC 4514 escapes taken back, unescaped spaces around it dropped.
fn unescape(value: &str) -> Option<String> {
    let value = value.trim_start();
    let mut bytes = Vec::new();
    let mut keep = 0;
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        if letter == '\\' {
            let next = letters.next()?;
            if next.is_ascii_hexdigit() {
                let pair: String = [next, letters.next()?].iter().collect();
                bytes.push(u8::from_str_radix(&pair, 16).ok()?);
            } else {
                bytes.extend(next.encode_utf8(&mut [0; 4]).bytes());
            }
            keep = bytes.len();
        } else {
            bytes.extend(letter.encode_utf8(&mut [0; 4]).bytes());
            if letter != ' ' {
                keep = bytes.len();
            }
        }
    }
    bytes.truncate(keep);
    String::from_utf8(bytes).ok()
}

// === impl Fingerprint ===

impl FromStr for Fingerprint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bytes = hexadecimal(text).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Fingerprint).ok_or_else(|| {
            format!("{} is no SHA-256: write its 64 hexadecimal digits", identity::shown(text))
        })
    }
}

// === impl Serial ===

impl FromStr for Serial {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix("0x").unwrap_or(text);
        let even =
            if text.len() % 2 == 1 && !text.contains(':') { format!("0{text}") } else { text.to_owned() };
        let bytes = hexadecimal(&even).ok_or_else(|| {
            format!("{} is no serial number: write hexadecimal digits", identity::shown(text))
        })?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        Ok(Serial(bytes.get(zeros..).unwrap_or_default().to_vec()))
    }
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits: String = if text.contains(':') {
        if !text.split(':').all(|pair| pair.len() == 2) {
            return None;
        }
        text.replace(':', "")
    } else {
        text.to_owned()
    };
    if digits.is_empty()
        || !digits.len().is_multiple_of(2)
        || !digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        return None;
    }
    digits
        .as_bytes()
        .chunks_exact(2)
        .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect()
}

/// Whether one of the patterns of a kind fits an identity; see [`super::IdentityPattern`].
pub(super) fn names(
    identity: &Identity,
    spiffe: &[SpiffePattern],
    uri: &[PlainUri],
    dns: &[HostPattern],
    email: &[EmailPattern],
    ip: &[Network],
) -> bool {
    match identity {
        Identity::Spiffe(id) => spiffe.iter().any(|pattern| pattern.matches(id)),
        Identity::Uri(text) => uri.iter().any(|wanted| wanted.0 == *text),
        Identity::Dns(name) => dns.iter().any(|pattern| pattern.matches(name)),
        Identity::Email { local, domain } => email.iter().any(|pattern| pattern.matches(local, domain)),
        Identity::Ip(address) => ip.iter().any(|network| network.contains(*address)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spiffe_patterns() {
        let table = [
            ("spiffe://example.org/ns/shop/sa/web", "spiffe://example.org/ns/shop/sa/web", true),
            ("spiffe://example.org/ns/shop/sa/web", "spiffe://example.org/ns/shop/sa/webs", false),
            ("spiffe://example.org/ns/*/sa/web", "spiffe://example.org/ns/shop/sa/web", true),
            ("spiffe://example.org/ns/*/sa/web", "spiffe://example.org/ns/a/b/sa/web", false),
            ("spiffe://example.org/ns/shop/**", "spiffe://example.org/ns/shop/sa/web", true),
            ("spiffe://example.org/ns/shop/**", "spiffe://example.org/ns/shop", false),
            ("spiffe://example.org/ns/shop/**", "spiffe://example.org/ns/shopping/sa/web", false),
            ("spiffe://example.org/**", "spiffe://example.org/x", true),
            ("spiffe://example.org/**", "spiffe://example.org", false),
            ("spiffe://example.org/**", "spiffe://example.org.evil.test/x", false),
            ("spiffe://example.org", "spiffe://example.org", true),
            ("spiffe://example.org/A", "spiffe://example.org/a", false),
        ];
        for (pattern, id, expected) in table {
            let pattern: SpiffePattern = pattern.parse().unwrap();
            assert_eq!(pattern.matches(&SpiffeId::parse(id).unwrap()), expected, "{pattern:?} {id}");
        }
        for bad in [
            "https://example.org",
            "spiffe://*/x",
            "spiffe://Example.org/x",
            "spiffe://example.org/",
            "spiffe://example.org/**/x",
            "spiffe://example.org/a*",
            "spiffe://",
            "spiffe://example.org/a//b",
        ] {
            assert!(bad.parse::<SpiffePattern>().is_err(), "{bad}");
        }
    }

    #[test]
    fn path_patterns() {
        let table = [
            ("/orders", "/orders", true),
            ("/orders", "/orders/", false),
            ("/orders", "/ordersx", false),
            ("/orders/", "/orders/", true),
            ("/orders/**", "/orders", true),
            ("/orders/**", "/orders/", true),
            ("/orders/**", "/orders/7/items", true),
            ("/orders/**", "/ordersx", false),
            ("/**", "/", true),
            ("/**", "/anything", true),
            ("/**", "*", false),
            ("/orders/{id}", "/orders/7", true),
            ("/orders/{id}", "/orders/", false),
            ("/orders/{id}", "/orders/7/items", false),
            ("/orders/*/items/**", "/orders/7/items", true),
            ("/orders/*/items/**", "/orders/7/items/1", true),
            ("/orders/*/items/**", "/orders/7/itemsx", false),
            ("/", "/", true),
            ("/", "/x", false),
            ("/jobs/all:purge", "/jobs/all:purge", true),
            ("/a%2Ab/**", "/a*b", true),
            ("/a%5Bb", "/a%5Bb", true),
            ("/a;b", "/a;b", true),
        ];
        for (pattern, path, expected) in table {
            assert_eq!(pattern.parse::<PathPattern>().unwrap().matches(path), expected, "{pattern} {path}");
        }
        for bad in [
            "orders", "/a/**/b", "/a*", "/a//b", "/a/../b", "/%61", "/a/{}", "/a?b", "/a//**", "/{a*}",
            "/a%3Ab", "/a[b",
        ] {
            assert!(bad.parse::<PathPattern>().is_err(), "{bad}");
        }
    }

    #[test]
    fn host_email_and_network_patterns() {
        let host = |text: &str| text.parse::<HostPattern>();
        assert!(host("*.Example.org").unwrap().matches("a.example.org"));
        assert!(!host("*.example.org").unwrap().matches("a.b.example.org"));
        assert!(!host("*.example.org").unwrap().matches("example.org"));
        assert!(host("*").is_err() && host("a*.example.org").is_err() && host("").is_err());
        let email = |pattern: &str, local: &str, domain: &str| {
            pattern.parse::<EmailPattern>().unwrap().matches(local, domain)
        };
        assert!(email("*@Example.org", "alice", "example.org"));
        assert!(!email("*@example.org", "alice", "sub.example.org"));
        assert!(!email("Alice@example.org", "alice", "example.org"));
        assert!("example.org".parse::<EmailPattern>().is_err());
        let ip = |network: &str, address: &str| {
            network.parse::<Network>().unwrap().contains(address.parse().unwrap())
        };
        assert!(ip("10.0.0.0/8", "10.255.0.1") && !ip("10.0.0.0/8", "11.0.0.1"));
        assert!(ip("0.0.0.0/0", "1.2.3.4") && !ip("0.0.0.0/0", "::1"));
        assert!(ip("10.0.0.7", "::ffff:10.0.0.7") && ip("2001:db8::/32", "2001:db8:1::"));
        assert!("10.0.0.1/8".parse::<Network>().is_err() && "10.0.0.0/33".parse::<Network>().is_err());
    }

    #[test]
    fn what_a_pattern_covers() {
        let covers =
            |wide: &str, narrow: &str| wide.parse::<PathPattern>().unwrap().covers(&narrow.parse().unwrap());
        assert!(covers("/**", "/a/{b}") && covers("/a/*", "/a/b") && covers("/a/**", "/a"));
        assert!(!covers("/a/*", "/a/**") && !covers("/a/b", "/a/*") && !covers("/a", "/a/**"));
        assert!(!covers("/a/*", "/a/"));
    }
}

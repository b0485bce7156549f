//! Who a certificate is: the typed values of its subjectAltName. A common name is never one.

use std::fmt;
use std::net::IpAddr;

use crate::certificate::{Certificate, SubjectName};

/// An identity that a certificate carries, parsed strictly from one subjectAltName entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identity {
    /// A host name in lower case, without wildcard or final dot.
    Dns(String),
    /// A mailbox: the local part as written, the domain in lower case.
    Email {
        /// Before the `@`; upper and lower case differ.
        local: String,
        /// After it.
        domain: String,
    },
    /// An IP address.
    Ip(IpAddr),
    /// A SPIFFE ID.
    Spiffe(SpiffeId),
    /// Any other URI, compared byte by byte.
    Uri(String),
}

/// A SPIFFE ID: `spiffe://trust-domain/path`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpiffeId {
    /// The trust domain, in lower case as the standard demands.
    pub trust_domain: String,
    /// The path's segments; empty for the trust domain itself.
    pub path: Vec<String>,
}

/// Why a name identifies nobody, or an identity is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameError(String);

/// What a certificate's names add up to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identities {
    /// Every identity, in the order of the certificate, duplicates left out.
    pub all: Vec<Identity>,
    /// Names that identify nobody, and why.
    pub passed_over: Vec<NameError>,
}

/// A SPIFFE ID stands beside another URI name: an X.509-SVID has exactly one (X.509-SVID section 2), so that no
/// order of names decides who this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AmbiguousSpiffeId {
    /// How many URI names there are.
    pub uris: usize,
}

/// The most names of one certificate that are weighed.
pub const MOST_NAMES: usize = 4096;

/// Collects the identities that a certificate carries.
pub fn identities(certificate: &Certificate) -> Result<Identities, AmbiguousSpiffeId> {
    // one that cannot be read is one too
    let is_uri = |name: &&SubjectName| {
        matches!(name, SubjectName::Uri(_) | SubjectName::Unreadable("uniformResourceIdentifier"))
    };
    let uris = certificate.names.iter().filter(is_uri).count();
    let spiffe =
        certificate.names.iter().any(|name| matches!(name, SubjectName::Uri(uri) if has_spiffe_scheme(uri)));
    if spiffe && uris > 1 {
        return Err(AmbiguousSpiffeId { uris });
    }
    let mut found = Identities::default();
    for name in certificate.names.iter().take(MOST_NAMES) {
        match Identity::from_name(name) {
            Ok(identity) => found.all.push(identity),
            Err(why) => found.passed_over.push(why),
        }
    }
    let mut seen = std::collections::HashSet::new();
    found.all.retain(|identity| seen.insert(identity.clone()));
    Ok(found)
}

// === impl Identity ===

impl Identity {
    /// The identity that a subjectAltName entry states, if it is well formed.
    pub fn from_name(name: &SubjectName) -> Result<Self, NameError> {
        match name {
            SubjectName::Dns(name) => dns_name(name).map(Identity::Dns),
            SubjectName::Email(address) => {
                let (local, domain) = mailbox(address)?;
                Ok(Identity::Email { local, domain })
            }
            SubjectName::Ip(address) => Ok(Identity::Ip(*address)),
            SubjectName::Uri(uri) if has_spiffe_scheme(uri) => SpiffeId::parse(uri).map(Identity::Spiffe),
            SubjectName::Uri(uri) => plain_uri(uri).map(Identity::Uri),
            SubjectName::Other(form) => Err(NameError(format!("{form} names are not used"))),
            SubjectName::Unreadable(form) => Err(NameError(format!("a {form} cannot be read"))),
        }
    }

    /// The word for its kind: `dns`, `email`, `ip`, `spiffe`, `uri`.
    pub fn kind(&self) -> &'static str {
        match self {
            Identity::Dns(_) => "dns",
            Identity::Email { .. } => "email",
            Identity::Ip(_) => "ip",
            Identity::Spiffe(_) => "spiffe",
            Identity::Uri(_) => "uri",
        }
    }
}

impl fmt::Display for Identity {
    /// The value without its kind.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Identity::Dns(name) | Identity::Uri(name) => f.write_str(name),
            Identity::Email { local, domain } => write!(f, "{local}@{domain}"),
            Identity::Ip(address) => write!(f, "{address}"),
            Identity::Spiffe(id) => write!(f, "{id}"),
        }
    }
}

// === impl SpiffeId ===

impl SpiffeId {
    /// Reads a SPIFFE ID as the standard writes it, nothing more lenient (SPIFFE-ID section 2).
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let refuse = |what: &str| Err(NameError(format!("{} is no SPIFFE ID: {what}", shown(text))));
        if text.len() > 2048 {
            return refuse("it is longer than 2048 bytes");
        }
        let Some(rest) = text.strip_prefix("spiffe://") else {
            return refuse("it does not begin with spiffe://");
        };
        let (trust_domain, path) = match rest.split_once('/') {
            Some((trust_domain, path)) => (trust_domain, Some(path)),
            None => (rest, None),
        };
        if !is_trust_domain(trust_domain) {
            return refuse("a trust domain is up to 255 of a-z, 0-9, '.', '-' and '_'");
        }
        let path: Vec<String> = match path {
            None => Vec::new(),
            Some(path) => path.split('/').map(str::to_owned).collect(),
        };
        if !path.iter().all(|segment| is_spiffe_segment(segment)) {
            return refuse(
                "a path segment is one or more of letters, digits, '.', '-' and '_', not '.' or '..'",
            );
        }
        Ok(SpiffeId { trust_domain: trust_domain.to_owned(), path })
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spiffe://{}", self.trust_domain)?;
        self.path.iter().try_for_each(|segment| write!(f, "/{segment}"))
    }
}

pub(crate) fn is_trust_domain(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_'))
}

pub(crate) fn is_spiffe_segment(text: &str) -> bool {
    !matches!(text, "" | "." | "..")
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

/// The scheme compares without case (RFC 3986 section 3.1), so that no spelling slips past the SPIFFE rules.
fn has_spiffe_scheme(uri: &str) -> bool {
    uri.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("spiffe:"))
}

/// A host name without wildcard, in lower case (RFC 1123; underscores are let pass as DNS does).
pub(crate) fn dns_name(text: &str) -> Result<String, NameError> {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if text.len() > 253 || !text.split('.').all(label) {
        return Err(NameError(format!("{} is no host name", shown(text))));
    }
    Ok(text.to_ascii_lowercase())
}

/// local@domain, both non-empty, the local part an RFC 5321 dot-string.
pub(crate) fn mailbox(text: &str) -> Result<(String, String), NameError> {
    let refuse = || NameError(format!("{} is no e-mail address", shown(text)));
    let (local, domain) = text.split_once('@').ok_or_else(refuse)?;
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte);
    let dots = local.starts_with('.') || local.ends_with('.') || local.contains("..");
    if local.is_empty() || local.len() > 64 || dots || !local.bytes().all(letter) {
        return Err(refuse());
    }
    Ok((local.to_owned(), dns_name(domain).map_err(|_| refuse())?))
}

/// An absolute URI of visible ASCII characters (RFC 3986).
pub(crate) fn plain_uri(text: &str) -> Result<String, NameError> {
    let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
    let well_formed = scheme.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
        && text.len() <= 8192
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte));
    if well_formed { Ok(text.to_owned()) } else { Err(NameError(format!("{} is no URI", shown(text)))) }
}

// === impl NameError ===

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NameError {}

/// Hostile text for a message: cut, and without control characters.
pub(crate) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(80).flat_map(char::escape_debug).collect();
    if text.chars().count() > 80 {
        shown.push('…');
    }
    format!("'{shown}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_identities_or_nothing() {
        let dns = |text: &str| SubjectName::Dns(text.to_owned());
        let uri = |text: &str| SubjectName::Uri(text.to_owned());
        let email = |text: &str| SubjectName::Email(text.to_owned());
        let table = [
            (dns("Orders.Example.ORG"), Some("dns orders.example.org")),
            (dns("*.example.org"), None),
            (dns("orders.example.org."), None),
            (dns("orders.example.org\0.evil.test"), None),
            (dns(""), None),
            (dns("-a.example.org"), None),
            (dns("münchen.example"), None),
            (email("Alice@Example.org"), Some("email Alice@example.org")),
            (email("alice"), None),
            (email("a@b@c"), None),
            (email("alice@example.org\0"), None),
            (email("@example.org"), None),
            (uri("spiffe://example.org/ns/shop/sa/web"), Some("spiffe spiffe://example.org/ns/shop/sa/web")),
            (uri("spiffe://example.org"), Some("spiffe spiffe://example.org")),
            (uri("spiffe://example.org/"), None),
            (uri("spiffe://Example.org/a"), None),
            (uri("SPIFFE://example.org/a"), None),
            (uri("spiffe://example.org/a/../b"), None),
            (uri("spiffe://example.org//a"), None),
            (uri("spiffe://example.org/a%2fb"), None),
            (uri("spiffe://example.org:8443/a"), None),
            (uri("spiffe://user@example.org/a"), None),
            (uri("spiffe://evil/x;URI=spiffe://good/y"), None),
            (uri("spiffe://example.org/a?b"), None),
            (uri("urn:example:client-7"), Some("uri urn:example:client-7")),
            (uri("client-7"), None),
            (uri("https://example.org/ a"), None),
            (SubjectName::Ip([10, 0, 0, 7].into()), Some("ip 10.0.0.7")),
            (SubjectName::Other("otherName"), None),
            (SubjectName::Unreadable("dNSName"), None),
        ];
        for (name, expected) in table {
            let identity = Identity::from_name(&name).ok();
            let identity = identity.map(|identity| format!("{} {identity}", identity.kind()));
            assert_eq!(identity.as_deref(), expected, "{name:?}");
        }
    }
}

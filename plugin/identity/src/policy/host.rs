//! The host that a request is for.

use std::borrow::Cow;

/// A request's host, without port, in lower case.
#[derive(Debug)]
pub(super) struct Host<'a>(Cow<'a, str>);

/// Whether two authorities name one host, ports, case and a final dot apart.
pub fn same_host(one: &str, other: &str) -> bool {
    Host::new(one).0 == Host::new(other).0
}

impl<'a> Host<'a> {
    #[inline]
    pub(super) fn new(authority: &'a str) -> Self {
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        };
        let host = host.strip_suffix('.').unwrap_or(host);
        if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Host(host.to_ascii_lowercase().into())
        } else {
            Host(host.into())
        }
    }

    /// Without port and final dot, in lower case.
    #[inline]
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Nothing, the labels of a name or an IPv4 address, or an IPv6 address in brackets: what else a server makes of it
    /// (a user before an at sign, a second host after a comma) no pattern tells.
    pub(super) fn is_plain(&self) -> bool {
        let host = self.0.as_ref();
        let label = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) => {
                address.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'))
            }
            None => {
                host.is_empty() || host.split('.').all(|part| !part.is_empty() && part.bytes().all(label))
            }
        }
    }
}

//! URLs: scheme, host, port, path, with nothing decoded.

/// A URL's parts as they are written, scheme in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Url {
    /// `https`; empty where none is written.
    pub scheme: String,
    /// `user:password` was written before the host (its text is not kept).
    pub has_user: bool,
    /// Host name or address, without brackets.
    pub host: String,
    /// The host was written in brackets.
    pub bracketed: bool,
    /// The port, where one is written.
    pub port: Option<u16>,
    /// From the first slash on, query included, fragment not.
    pub path: String,
}

/// Why a text is no URL; completes "… is no URL: ".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoUrl {
    /// Nothing stands where the host should.
    Host,
    /// What follows the last colon is no port number.
    Port,
    /// A bracket is not closed, or something follows it.
    Brackets,
    /// A blank or control character stands in it.
    Character,
}

impl std::fmt::Display for NoUrl {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Host => "it has no host",
            Self::Port => "its port is no number from 0 to 65535",
            Self::Brackets => "its brackets do not enclose an address",
            Self::Character => "a blank or control character stands in it",
        })
    }
}

impl Url {
    /// Reads `[scheme://][user@]host[:port][/path]`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, NoUrl> {
        if text.chars().any(|character| character.is_whitespace() || character.is_control()) {
            return Err(NoUrl::Character);
        }
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) if is_scheme(scheme) => (scheme.to_ascii_lowercase(), rest),
            _ => (String::new(), text),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (has_user, authority) = match authority.rsplit_once('@') {
            Some((_, host)) => (true, host),
            None => (false, authority),
        };
        let (host, bracketed, port) = match authority.strip_prefix('[') {
            Some(inner) => {
                let (host, after) = inner.split_once(']').ok_or(NoUrl::Brackets)?;
                let port = match after.strip_prefix(':') {
                    Some(port) => Some(port),
                    None if after.is_empty() => None,
                    None => return Err(NoUrl::Brackets),
                };
                (host, true, port)
            }
            // more than one colon without brackets: an IPv6 address that nobody can part from its port
            None if authority.matches(':').count() > 1 => return Err(NoUrl::Port),
            None => match authority.split_once(':') {
                Some((host, port)) => (host, false, Some(port)),
                None => (authority, false, None),
            },
        };
        let port = match port {
            None | Some("") => None,
            Some(digits) => Some(digits.parse().map_err(|_| NoUrl::Port)?),
        };
        if host.is_empty() && port.is_none() {
            return Err(NoUrl::Host);
        }
        Ok(Self { scheme, has_user, host: host.to_owned(), bracketed, port, path: path.to_owned() })
    }

    /// Host and, where written, port, as in a Host header.
    pub fn authority(&self) -> String {
        let host = bracketed(&self.host);
        match self.port {
            Some(port) => format!("{host}:{port}"),
            None => host,
        }
    }

    /// The host as an address, if it is one.
    pub fn address(&self) -> Option<std::net::IpAddr> {
        self.host.split('%').next()?.parse().ok()
    }
}

impl std::fmt::Display for Url {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.scheme.is_empty() {
            write!(out, "{}://", self.scheme)?;
        }
        write!(out, "{}{}", self.authority(), self.path)
    }
}

/// A host as it stands before a port: an IPv6 address within brackets.
pub fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// What stands before the port of `host:port`; an IPv6 address without brackets has none.
pub fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port))
            if !host.ends_with(':')
                && (!host.contains(':') || host.ends_with(']'))
                && port.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            host
        }
        _ => authority,
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|character| character.is_ascii_alphanumeric() || "+-.".contains(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_left_off() {
        for (authority, host) in
            [("a.example:8443", "a.example"), ("[::1]:8443", "[::1]"), ("fe80::1:2", "fe80::1:2"), ("a", "a")]
        {
            assert_eq!(without_port(authority), host);
        }
    }

    #[test]
    fn the_parts_of_a_url_are_what_stands_there() {
        for (text, scheme, host, port, path) in [
            ("https://etcd:2379", "https", "etcd", Some(2379), ""),
            ("HTTPS://SRV.Example.test/", "https", "SRV.Example.test", None, "/"),
            ("https://[::1]:2379/health?x=1#top", "https", "::1", Some(2379), "/health?x=1"),
            ("http://user:secret@host?q", "http", "host", None, "?q"),
            ("127.0.0.1:2379", "", "127.0.0.1", Some(2379), ""),
            ("unix://sock:0", "unix", "sock", Some(0), ""),
            ("https://:2379", "https", "", Some(2379), ""),
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!(
                (url.scheme.as_str(), url.host.as_str(), url.port, url.path.as_str()),
                (scheme, host, port, path),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_url_says_why() {
        for (text, why) in [
            ("https://", NoUrl::Host),
            ("https://host:port", NoUrl::Port),
            ("https://host:70000", NoUrl::Port),
            ("https://[::1", NoUrl::Brackets),
            ("https://[::1]x", NoUrl::Brackets),
            ("https://::1:2379", NoUrl::Port),
            ("https://a b", NoUrl::Character),
        ] {
            assert_eq!(Url::parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn a_password_is_not_kept() {
        let url = Url::parse("https://me:secret@host/").unwrap();
        assert!(url.has_user);
        assert_eq!(url.to_string(), "https://host/");
    }
}

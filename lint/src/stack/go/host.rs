//! Certificate.VerifyHostname (src/crypto/x509/verify.go).

use std::net::IpAddr;

use super::super::certificate::{Certificate, address};
use crate::deployment::Version;

/// Go 1.24 no longer matches a single-label host with the pattern `*`; 1.19 does. (Observed; documented with the
/// change "reject bare wildcards", Go 1.23.)
const REJECTS_BARE_WILDCARD: Version = Version(1, 23, 0);

/// Whether the certificate bears the host name.
///
/// # Errors
/// Go's words for it (`x509: certificate is valid for …, not …`).
pub fn verify(certificate: &Certificate, host: &str, go: Version) -> Result<(), String> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    if let Ok(wanted) = bare.parse::<IpAddr>() {
        if certificate.addresses().any(|octets| address(octets).is_some_and(|has| same(has, wanted))) {
            return Ok(());
        }
        return Err(mismatch(certificate, bare, Some(wanted)));
    }
    let candidate = host.to_ascii_lowercase();
    let valid = valid_hostname(&candidate, false, go);
    for pattern in certificate.dns_names() {
        let matches = if valid && valid_hostname(pattern, true, go) {
            match_hostnames(pattern, &candidate)
        } else {
            match_exactly(pattern, &candidate)
        };
        if matches {
            return Ok(());
        }
    }
    Err(mismatch(certificate, host, None))
}

/// net.IP.Equal: an IPv4 address and its IPv6 form are one.
fn same(a: IpAddr, b: IpAddr) -> bool {
    a.to_canonical() == b.to_canonical()
}

/// HostnameError.Error.
fn mismatch(certificate: &Certificate, host: &str, wanted: Option<IpAddr>) -> String {
    let legacy = certificate.alternative_names.is_none()
        && certificate
            .subject
            .common_names
            .last()
            .is_some_and(|name| match_hostnames(name, &host.to_ascii_lowercase()));
    if legacy {
        return "x509: certificate relies on legacy Common Name field, use SANs instead".to_owned();
    }
    let valid: Vec<String> = match wanted {
        Some(_) => {
            let addresses: Vec<String> =
                certificate.addresses().filter_map(address).map(|address| address.to_string()).collect();
            if addresses.is_empty() {
                return format!(
                    "x509: cannot validate certificate for {host} because it doesn't contain any IP SANs"
                );
            }
            addresses
        }
        None => certificate.dns_names().map(str::to_owned).collect(),
    };
    if valid.is_empty() {
        return format!("x509: certificate is not valid for any names, but wanted to match {host}");
    }
    format!("x509: certificate is valid for {}, not {host}", valid.join(", "))
}

fn valid_hostname(host: &str, pattern: bool, go: Version) -> bool {
    let host = if pattern { host } else { host.strip_suffix('.').unwrap_or(host) };
    if host.is_empty() || (host == "*" && go >= REJECTS_BARE_WILDCARD) {
        return false;
    }
    host.split('.').enumerate().all(|(index, part)| {
        !part.is_empty()
            && ((pattern && index == 0 && part == "*")
                || part.bytes().enumerate().all(|(at, byte)| {
                    byte.is_ascii_alphanumeric() || byte == b'_' || (byte == b'-' && at != 0)
                }))
    })
}

fn match_exactly(a: &str, b: &str) -> bool {
    let empty = |text: &str| text.is_empty() || text == ".";
    !empty(a) && !empty(b) && a.eq_ignore_ascii_case(b)
}

/// matchHostnames: label by label, `*` for the first one alone.
pub fn match_hostnames(pattern: &str, host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    if pattern.is_empty() || host.is_empty() {
        return false;
    }
    let (pattern, host): (Vec<&str>, Vec<&str>) = (pattern.split('.').collect(), host.split('.').collect());
    pattern.len() == host.len()
        && pattern.iter().zip(&host).enumerate().all(|(index, (pattern, host))| {
            (index == 0 && *pattern == "*") || pattern.eq_ignore_ascii_case(host)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_label_by_label() {
        for (pattern, host, matches) in [
            ("*.test", "srv.test", true),
            ("*.example.test", "a.b.example.test", false),
            ("s*.example.test", "srv.example.test", false),
            ("srv.example.test", "srv.example.test.", true),
            ("srv.example.test.", "srv.example.test", false),
            ("*", "localhost", true),
        ] {
            assert_eq!(match_hostnames(pattern, host), matches, "{pattern} for {host}");
        }
        assert!(valid_hostname("*", true, Version(1, 19, 0)));
        assert!(!valid_hostname("*", true, Version(1, 24, 0)));
    }
}

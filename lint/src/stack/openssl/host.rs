//! Does the certificate bear this host name? X509_check_host for nginx and the cosocket, curl's own for curl.

use std::net::IpAddr;

use super::super::certificate::{Certificate, GeneralName, address};

/// X509_check_host (crypto/x509/v3_utl.c, flags 0): nginx's `proxy_ssl_name`, the cosocket, `-verify_hostname`.
/// Addresses in subjectAltName are never looked at; common names count where there is no DNS name.
pub fn check_host(certificate: &Certificate, host: &str) -> bool {
    let mut dns = certificate.dns_names().peekable();
    if dns.peek().is_some() {
        return dns.any(|pattern| equal_wildcard(pattern, host));
    }
    certificate.subject.common_names.iter().any(|pattern| equal_wildcard(pattern, host))
}

/// X509_check_ip: `-verify_ip`.
pub fn check_ip(certificate: &Certificate, wanted: IpAddr) -> bool {
    certificate.addresses().any(|octets| address(octets) == Some(wanted))
}

/// curl's own check (lib/vtls/openssl.c verifyhost, lib/vtls/hostcheck.c): DNS names for names, addresses for
/// addresses; the last common name where there is neither.
pub fn curl(certificate: &Certificate, host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let wanted: Option<IpAddr> = bare.parse().ok();
    let mut has_identity = false;
    for name in certificate.names() {
        match (name, wanted) {
            (GeneralName::Dns(pattern), None) if curl_hostcheck(pattern, host) => return true,
            (GeneralName::Ip(octets), Some(wanted)) if address(octets) == Some(wanted) => return true,
            (GeneralName::Dns(_) | GeneralName::Ip(_), _) => has_identity = true,
            _ => {}
        }
    }
    if has_identity {
        return false;
    }
    certificate.subject.common_names.last().is_some_and(|pattern| curl_hostcheck(pattern, host))
}

fn curl_hostcheck(pattern: &str, host: &str) -> bool {
    if pattern.contains('\0') {
        return false;
    }
    let pattern = pattern.strip_suffix('.').unwrap_or(pattern);
    let host = host.strip_suffix('.').unwrap_or(host);
    if pattern.is_empty() || host.is_empty() {
        return false;
    }
    let Some(parent) = pattern.strip_prefix('*').filter(|parent| parent.starts_with('.')) else {
        return pattern.eq_ignore_ascii_case(host);
    };
    if host.parse::<IpAddr>().is_ok() {
        return false;
    }
    // at least two dots in the pattern
    if !parent.get(1..).is_some_and(|rest| rest.contains('.')) {
        return pattern.eq_ignore_ascii_case(host);
    }
    host.find('.').is_some_and(|dot| host.get(dot..).is_some_and(|rest| rest.eq_ignore_ascii_case(parent)))
}

fn equal_wildcard(pattern: &str, subject: &str) -> bool {
    let dotted = subject.len() > 1 && subject.starts_with('.');
    let star = if dotted { None } else { valid_star(pattern.as_bytes()) };
    match star {
        None => equal_nocase(pattern.as_bytes(), subject.as_bytes()),
        Some(at) => {
            let (prefix, rest) = pattern.as_bytes().split_at(at);
            wildcard_match(prefix, rest.get(1..).unwrap_or_default(), subject.as_bytes())
        }
    }
}

fn equal_nocase(pattern: &[u8], subject: &[u8]) -> bool {
    // a subject that starts with a dot matches any name below it
    let pattern = if subject.first() == Some(&b'.') && pattern.len() > subject.len() {
        pattern.get(pattern.len() - subject.len()..).unwrap_or(pattern)
    } else {
        pattern
    };
    !pattern.contains(&0) && pattern.eq_ignore_ascii_case(subject)
}

/// The one legal wildcard: at the start or end of the first label, with at least two dots after it.
fn valid_star(pattern: &[u8]) -> Option<usize> {
    let mut star = None;
    let mut dots = 0;
    let (mut start, mut idna, mut hyphen) = (true, false, false);
    for (index, byte) in pattern.iter().enumerate() {
        match byte {
            b'*' => {
                let at_end = pattern.get(index + 1).is_none_or(|next| *next == b'.');
                if star.is_some() || idna || dots > 0 || (!start && !at_end) {
                    return None;
                }
                star = Some(index);
                start = false;
            }
            byte if byte.is_ascii_alphanumeric() => {
                if start
                    && pattern.get(index..index + 4).is_some_and(|label| label.eq_ignore_ascii_case(b"xn--"))
                {
                    idna = true;
                }
                (hyphen, start) = (false, false);
            }
            b'.' => {
                if hyphen || start {
                    return None;
                }
                (start, idna) = (true, false);
                dots += 1;
            }
            b'-' => {
                if start {
                    return None;
                }
                hyphen = true;
            }
            _ => return None,
        }
    }
    if start || hyphen || dots < 2 { None } else { star }
}

fn wildcard_match(prefix: &[u8], suffix: &[u8], subject: &[u8]) -> bool {
    if subject.len() < prefix.len() + suffix.len() {
        return false;
    }
    let (head, rest) = subject.split_at(prefix.len());
    let (middle, tail) = rest.split_at(rest.len() - suffix.len());
    if !head.eq_ignore_ascii_case(prefix) || !tail.eq_ignore_ascii_case(suffix) {
        return false;
    }
    let whole_label = prefix.is_empty() && suffix.first() == Some(&b'.');
    if whole_label && middle.is_empty() {
        return false;
    }
    if !whole_label
        && subject
            .get(prefix.len()..prefix.len() + 4)
            .is_some_and(|label| label.eq_ignore_ascii_case(b"xn--"))
    {
        return false;
    }
    middle == b"*" || middle.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x509_check_host_knows_partial_wildcards_and_no_underscore() {
        for (pattern, host, matches) in [
            ("srv.example.test", "SRV.example.test", true),
            ("*.example.test", "srv.example.test", true),
            ("*.example.test", "a.srv.example.test", false),
            ("*.example.test", "example.test", false),
            ("*.test", "srv.test", false),
            ("*", "localhost", false),
            ("s*.example.test", "srv.example.test", true),
            ("*v.example.test", "srv.example.test", true),
            ("s*v.example.test", "srv.example.test", false),
            ("srv.*.test", "srv.example.test", false),
            ("*.example.test", "srv_a.example.test", false),
            ("srv.example.test.", "srv.example.test", false),
            ("srv.example.test", "srv.example.test.", false),
        ] {
            assert_eq!(equal_wildcard(pattern, host), matches, "{pattern} for {host}");
        }
    }

    #[test]
    fn curl_strips_dots_and_wants_whole_labels() {
        for (pattern, host, matches) in [
            ("*.example.test", "srv_a.example.test", true),
            ("s*.example.test", "srv.example.test", false),
            ("*.test", "srv.test", false),
            ("srv.example.test.", "srv.example.test", true),
            ("srv.example.test", "srv.example.test.", true),
            ("srv.example.test\0.evil", "srv.example.test", false),
            ("*.0.0.1", "127.0.0.1", false),
        ] {
            assert_eq!(curl_hostcheck(pattern, host), matches, "{pattern} for {host}");
        }
    }
}

//! Envoy's subject alternative name matchers (source/common/tls/utility.cc, cert_validator/san_matcher.cc).

use super::super::certificate::{Certificate, GeneralName, address};
use crate::deployment::StringMatcher;

/// Whether one name of the certificate passes a matcher of this kind (DNS, URI, EMAIL, IP_ADDRESS; empty: any of
/// these); None where the matcher cannot be evaluated here, or the certificate has another name (OTHER_NAME), whose value
/// is not read.
pub fn matches(certificate: &Certificate, kind: &str, matcher: &StringMatcher) -> Option<bool> {
    let mut unknown = false;
    for name in certificate.names() {
        if kind == "OTHER_NAME" && matches!(name, GeneralName::Other(0)) {
            unknown = true;
            continue;
        }
        let text = match (name, kind) {
            (GeneralName::Dns(text), "DNS" | "")
            | (GeneralName::Uri(text), "URI" | "")
            | (GeneralName::Email(text), "EMAIL" | "") => text.clone(),
            (GeneralName::Ip(octets), "IP_ADDRESS" | "") => match address(octets) {
                Some(address) => address.to_string(),
                None => continue,
            },
            _ => continue,
        };
        let one = match matcher {
            StringMatcher::Exact(wanted) if matches!(name, GeneralName::Dns(_)) => {
                Some(dns_name_match(wanted, &text))
            }
            matcher => string_match(&text, matcher),
        };
        match one {
            Some(true) => return Some(true),
            Some(false) => {}
            None => unknown = true,
        }
    }
    if unknown { None } else { Some(false) }
}

fn string_match(text: &str, matcher: &StringMatcher) -> Option<bool> {
    Some(match matcher {
        StringMatcher::Exact(wanted) => text == wanted,
        StringMatcher::Prefix(wanted) => text.starts_with(wanted.as_str()),
        StringMatcher::Suffix(wanted) => text.ends_with(wanted.as_str()),
        StringMatcher::Contains(wanted) => text.contains(wanted.as_str()),
        StringMatcher::Regex(pattern) => {
            return regex_lite::Regex::new(&format!("^(?:{pattern})$"))
                .ok()
                .map(|regex| regex.is_match(text));
        }
        StringMatcher::Other(_) => return None,
    })
}

/// Utility::dnsNameMatch: case folded; one `*` within the first label of the certificate's name.
pub fn dns_name_match(wanted: &str, pattern: &str) -> bool {
    let (wanted, pattern) = (wanted.to_ascii_lowercase(), pattern.to_ascii_lowercase());
    if wanted == pattern {
        return true;
    }
    let (Some((label, parent)), Some((pattern_label, pattern_parent))) =
        (wanted.split_once('.'), pattern.split_once('.'))
    else {
        return false;
    };
    if pattern_parent.contains('*') || pattern_label.starts_with("xn--") || parent != pattern_parent {
        return false;
    }
    match pattern_label.split_once('*') {
        Some((prefix, suffix)) if !suffix.contains('*') => {
            pattern_label == "*"
                || (pattern_label.len() <= label.len() + 1
                    && label.starts_with(prefix)
                    && label.ends_with(suffix))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::source::{FileId, Text};
    use crate::stack::load::ReadOnce;
    use crate::stack::openssl;

    #[test]
    fn a_matcher_without_a_kind_looks_at_every_kind_of_name() {
        let text =
            Text::whole(FileId(0), Arc::new(include_bytes!("../../../../fixtures/pki/server.pem").to_vec()));
        let chain = openssl::load::chain(&text, &ReadOnce::default()).unwrap();
        let first = chain.first().unwrap();
        let exact = |name: &str| StringMatcher::Exact(name.to_owned());
        assert_eq!(matches(first, "", &exact("server.example.test")), Some(true));
        assert_eq!(matches(first, "DNS", &exact("server.example.test")), Some(true));
        assert_eq!(matches(first, "URI", &exact("server.example.test")), Some(false));
        assert_eq!(matches(first, "", &exact("other.example.test")), Some(false));
    }

    #[test]
    fn an_exact_dns_matcher_understands_the_wildcards_of_certificates() {
        for (wanted, pattern, matches) in [
            ("srv.example.test", "SRV.example.test", true),
            ("srv.example.test", "*.example.test", true),
            ("a.srv.example.test", "*.example.test", false),
            ("srv.test", "*.test", true),
            ("localhost", "*", false),
            ("srv.example.test", "s*.example.test", true),
            ("srv.example.test", "srv.*.test", false),
            ("srv_a.example.test", "*.example.test", true),
            ("srv.example.test.", "srv.example.test", false),
        ] {
            assert_eq!(dns_name_match(wanted, pattern), matches, "{pattern} for {wanted}");
        }
    }
}

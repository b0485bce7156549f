//! nameConstraints as Go's checkNameConstraints applies them (src/crypto/x509/verify.go).

use super::super::certificate::{Certificate, GeneralName, NameConstraints};

/// Comparisons before Go gives up (maxConstraintComparisons).
const COMPARISONS: usize = 250_000;

/// The first name of the certificate that the constraints forbid, in Go's words.
pub fn constraint_violation(certificate: &Certificate, constraints: &NameConstraints) -> Option<String> {
    let mut compared = 0_usize;
    for name in certificate.names() {
        let kind = match name {
            GeneralName::Dns(_) => "DNS name",
            GeneralName::Email(_) => "email address",
            GeneralName::Uri(_) => "URI",
            GeneralName::Ip(_) => "IP address",
            // other kinds are skipped (forEachSAN)
            GeneralName::Directory(_) | GeneralName::Other(_) => continue,
        };
        let same_kind = |base: &&GeneralName| std::mem::discriminant(*base) == std::mem::discriminant(name);
        for base in constraints.excluded.iter().filter(same_kind) {
            compared += 1;
            match within(name, base) {
                Err(wrong) => return Some(wrong),
                Ok(true) => {
                    return Some(format!(
                        "{kind} {} is excluded by constraint {}",
                        quoted(name),
                        quoted(base)
                    ));
                }
                Ok(false) => {}
            }
        }
        let permitted: Vec<&GeneralName> = constraints.permitted.iter().filter(same_kind).collect();
        let mut inside = permitted.is_empty();
        for base in permitted {
            compared += 1;
            match within(name, base) {
                Err(wrong) => return Some(wrong),
                Ok(answer) => inside |= answer,
            }
        }
        if !inside {
            return Some(format!("{kind} {} is not permitted by any constraint", quoted(name)));
        }
        if compared > COMPARISONS {
            return Some("too many constraints".to_owned());
        }
    }
    None
}

fn quoted(name: &GeneralName) -> String {
    let shown = name.shown();
    format!("\"{}\"", shown.split_once(':').map_or(shown.as_str(), |(_, text)| text))
}

fn within(name: &GeneralName, base: &GeneralName) -> Result<bool, String> {
    match (name, base) {
        (GeneralName::Dns(name), GeneralName::Dns(base)) => {
            if labels(name).is_none() {
                return Err(format!("x509: cannot parse dnsName {name:?}"));
            }
            Ok(domain_within(name, base))
        }
        (GeneralName::Email(name), GeneralName::Email(base)) => {
            let Some((local, host)) = name.rsplit_once('@') else {
                return Err(format!("x509: cannot parse rfc822Name {name:?}"));
            };
            match base.rsplit_once('@') {
                Some((base_local, base_host)) => {
                    Ok(local == base_local && host.eq_ignore_ascii_case(base_host))
                }
                None => Ok(host_within(host, base)),
            }
        }
        (GeneralName::Uri(name), GeneralName::Uri(base)) => {
            let rest = name.split_once("://").map(|(_, rest)| rest);
            let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
            let host = host.map(|host| host.rsplit_once('@').map_or(host, |(_, host)| host));
            let Some(host) = host.filter(|host| !host.is_empty()) else {
                return Err(format!("URI with empty host ({name:?}) cannot be matched against constraints"));
            };
            let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
            if host.parse::<std::net::IpAddr>().is_ok() || host.starts_with('[') {
                return Err(format!("URI with IP ({name:?}) cannot be matched against constraints"));
            }
            Ok(host_within(host, base))
        }
        (GeneralName::Ip(name), GeneralName::Ip(base)) => {
            if base.len() != name.len() * 2 {
                return Ok(false);
            }
            let (network, mask) = base.split_at(name.len());
            Ok(name.iter().zip(network).zip(mask).all(|((a, b), mask)| a & mask == b & mask))
        }
        _ => Ok(false),
    }
}

/// matchDomainConstraint of a host in an email or URI constraint: exact unless the base starts with a dot.
fn host_within(host: &str, base: &str) -> bool {
    domain_within(host, base)
}

/// matchDomainConstraint: whole labels from the right; a leading dot asks for at least one label more.
fn domain_within(name: &str, base: &str) -> bool {
    if base.is_empty() {
        return true;
    }
    let (more, base) = match base.strip_prefix('.') {
        Some(rest) => (true, rest),
        None => (false, base),
    };
    let (Some(name), Some(base)) = (labels(name), labels(base)) else { return false };
    if name.len() < base.len() || (more && name.len() == base.len()) {
        return false;
    }
    name.iter().rev().zip(base.iter().rev()).all(|(name, base)| name.eq_ignore_ascii_case(base))
}

/// domainToReverseLabels: None where the name is no domain.
fn labels(name: &str) -> Option<Vec<&str>> {
    let labels: Vec<&str> = name.split('.').collect();
    let fine = |label: &&str| !label.is_empty() && label.bytes().all(|byte| (33..=126).contains(&byte));
    if name.is_empty() {
        return Some(Vec::new());
    }
    labels.iter().all(fine).then_some(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_lies_within_whole_labels() {
        for (name, base, inside) in [
            ("srv.example.test", "example.test", true),
            ("example.test", "example.test", true),
            ("example.test", ".example.test", false),
            ("badexample.test", "example.test", false),
        ] {
            assert_eq!(domain_within(name, base), inside, "{name} in {base}");
        }
    }
}

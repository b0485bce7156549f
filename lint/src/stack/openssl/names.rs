//! nameConstraints as crypto/x509/v3_ncons.c applies them; BoringSSL's crypto/x509/v3_ncons.cc does the same.

use std::sync::Arc;

use super::super::certificate::{Certificate, GeneralName, NameConstraints};
use super::super::distinguished_name::Name;
use super::super::{Fault, Mistake, say};
use super::error_text;

/// Names times constraints that are compared before the library gives up (NAME_CHECK_MAX).
const COMPARISONS: usize = 1 << 20;

/// check_name_constraints: every certificate against every issuer above it, the anchor included.
pub fn name_constraints(path: &[Arc<Certificate>]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (depth, certificate) in path.iter().enumerate().rev() {
        if depth != 0 && certificate.is_self_issued() {
            continue;
        }
        for (_, issuer) in path.iter().enumerate().skip(depth + 1).rev() {
            let Some(constraints) = &issuer.name_constraints else { continue };
            if let Some((number, name)) = violation(certificate, constraints, depth == 0) {
                faults.push(Fault {
                    mistake: Mistake::NameConstraintViolated,
                    number: Some(number),
                    text: error_text(number).to_owned(),
                    depth,
                    message: format!(
                        "{} bears {name}, which the name constraints of {} forbid",
                        say::which(depth, certificate),
                        issuer.shown
                    ),
                    certificate: Some(Arc::clone(certificate)),
                });
            }
        }
    }
    faults
}

/// NAME_CONSTRAINTS_check, and for an end-entity certificate without DNS names NAME_CONSTRAINTS_check_CN.
fn violation(
    certificate: &Certificate,
    constraints: &NameConstraints,
    end_entity: bool,
) -> Option<(u32, String)> {
    let mut names: Vec<GeneralName> = Vec::new();
    if !certificate.subject.is_empty() {
        names.push(GeneralName::Directory(certificate.subject.clone()));
        names.extend(certificate.subject.emails.iter().cloned().map(GeneralName::Email));
    }
    names.extend(certificate.names().iter().cloned());
    if names.len().saturating_mul(constraints.permitted.len() + constraints.excluded.len()) > COMPARISONS {
        return Some((1, "too many names".to_owned()));
    }
    if end_entity && certificate.dns_names().next().is_none() {
        let common = certificate.subject.common_names.iter().filter(|name| looks_like_dns(name));
        names.extend(common.cloned().map(GeneralName::Dns));
    }
    names.iter().find_map(|name| matched(name, constraints).map(|number| (number, name.shown())))
}

/// cn2dnsid: letters, digits, hyphens and underscores in at least two labels.
fn looks_like_dns(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    name.contains('.') && name.split('.').all(label)
}

/// nc_match: 47 where no permitted subtree of the name's kind matches, 48 where an excluded one does.
fn matched(name: &GeneralName, constraints: &NameConstraints) -> Option<u32> {
    let same_kind = |base: &&GeneralName| std::mem::discriminant(*base) == std::mem::discriminant(name);
    let mut permitted = constraints.permitted.iter().filter(same_kind).peekable();
    if permitted.peek().is_some() {
        let mut any = false;
        for base in permitted {
            match within(name, base) {
                Ok(inside) => any |= inside,
                Err(number) => return Some(number),
            }
        }
        if !any {
            return Some(47);
        }
    }
    for base in constraints.excluded.iter().filter(same_kind) {
        match within(name, base) {
            Ok(true) => return Some(48),
            Ok(false) => {}
            Err(number) => return Some(number),
        }
    }
    None
}

/// Whether a name lies in a subtree.
///
/// # Errors
/// OpenSSL's number for a name or a constraint that it cannot compare.
fn within(name: &GeneralName, base: &GeneralName) -> Result<bool, u32> {
    match (name, base) {
        (GeneralName::Directory(name), GeneralName::Directory(base)) => Ok(directory_within(name, base)),
        (GeneralName::Dns(name), GeneralName::Dns(base)) => Ok(dns_within(name, base)),
        (GeneralName::Email(name), GeneralName::Email(base)) => email_within(name, base),
        (GeneralName::Uri(name), GeneralName::Uri(base)) => uri_within(name, base),
        (GeneralName::Ip(name), GeneralName::Ip(base)) => {
            if base.len() != name.len() * 2 {
                return Ok(false);
            }
            let (network, mask) = base.split_at(name.len());
            Ok(name.iter().zip(network).zip(mask).all(|((a, b), mask)| a & mask == b & mask))
        }
        _ => Err(51),
    }
}

fn directory_within(name: &Name, base: &Name) -> bool {
    name.canonical.starts_with(&base.canonical)
}

fn dns_within(name: &str, base: &str) -> bool {
    if base.is_empty() {
        return true;
    }
    let (name, base) = (name.to_ascii_lowercase(), base.to_ascii_lowercase());
    match name.strip_suffix(&base) {
        Some("") => true,
        Some(rest) => base.starts_with('.') || rest.ends_with('.'),
        None => false,
    }
}

fn email_within(name: &str, base: &str) -> Result<bool, u32> {
    let (local, host) = name.rsplit_once('@').ok_or(53_u32)?;
    if let Some((base_local, base_host)) = base.rsplit_once('@') {
        if !base_local.is_empty() && base_local != local {
            return Ok(false);
        }
        return Ok(host.eq_ignore_ascii_case(base_host));
    }
    if base.starts_with('.') {
        return Ok(host.to_ascii_lowercase().ends_with(&base.to_ascii_lowercase()) && host.len() > base.len());
    }
    Ok(host.eq_ignore_ascii_case(base))
}

fn uri_within(name: &str, base: &str) -> Result<bool, u32> {
    let (_, rest) = name.split_once("://").ok_or(53_u32)?;
    let host = rest.split(['/', ':']).next().unwrap_or_default();
    if host.is_empty() {
        return Err(53);
    }
    if base.starts_with('.') {
        return Ok(host.to_ascii_lowercase().ends_with(&base.to_ascii_lowercase()) && host.len() > base.len());
    }
    Ok(host.eq_ignore_ascii_case(base))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dns_name_lies_in_a_subtree_of_whole_labels() {
        for (name, base, inside) in [
            ("srv.example.test", "example.test", true),
            ("example.test", "example.test", true),
            ("badexample.test", "example.test", false),
            ("srv.example.test", ".example.test", true),
            ("SRV.Example.test", "example.TEST", true),
            ("anything", "", true),
        ] {
            assert_eq!(dns_within(name, base), inside, "{name} in {base}");
        }
    }

    #[test]
    fn a_uri_is_compared_by_its_host() {
        assert_eq!(uri_within("spiffe://example.test/a", "example.test"), Ok(true));
        assert_eq!(uri_within("spiffe://sub.example.test/a", ".example.test"), Ok(true));
        assert_eq!(uri_within("spiffe://other/a", "example.test"), Ok(false));
        assert_eq!(uri_within("mailto:a@b", "b"), Err(53));
    }
}

//! Which of a context's certificates Envoy shows (source/common/tls/default_tls_certificate_selector.cc; observed with
//! 1.40.0).

use crate::stack::certificate::GeneralName;
use crate::stack::{Certificate, KeyType};

/// The index of the certificate that is shown to a client that sends this server name; None where it cannot be told.
/// `takes` says whether the client takes an EC certificate with such a key.
///
/// Certificates that bear the name come first, then those with a wildcard for it; of each, one with an EC key that the
/// client takes before another. Where none bears the name the first certificate serves, and where no name is sent all
/// of them bear it.
pub fn choose(
    certificates: &[&Certificate],
    server_name: Option<&str>,
    takes: impl Fn(KeyType) -> bool,
) -> Option<usize> {
    let pools = match server_name.filter(|name| !name.is_empty()) {
        None => vec![(0..certificates.len()).collect()],
        Some(name) => {
            let wildcard = name.split_once('.').map(|(_, parent)| format!("*.{parent}"));
            std::iter::once(name.to_owned())
                .chain(wildcard)
                .map(|pattern| bearers(certificates, &pattern))
                .collect::<Vec<Vec<usize>>>()
        }
    };
    let key = |index: &usize| certificates.get(*index).map_or(KeyType::Other, |one| one.key.kind);
    let is_ec = |index: &usize| matches!(key(index), KeyType::Ec(_));
    for pool in pools {
        if let Some(index) = pool.iter().find(|index| is_ec(index) && takes(key(index))) {
            return Some(*index);
        }
        let mut others = pool.iter().filter(|index| !is_ec(index));
        if let Some(index) = others.next() {
            // by name they lie in a map of key types, whose order is its own
            let sole = server_name.is_none() || others.next().is_none();
            return sole.then_some(*index);
        }
    }
    (!certificates.is_empty()).then_some(0)
}

/// The first certificate of each type of key that bears this pattern.
fn bearers(certificates: &[&Certificate], pattern: &str) -> Vec<usize> {
    let mut found: Vec<(KeyType, usize)> = Vec::new();
    for (index, certificate) in certificates.iter().enumerate().filter(|(_, one)| bears(one, pattern)) {
        let kind = certificate.key.kind;
        if !found.iter().any(|(known, _)| known.same_kind(kind)) {
            found.push((kind, index));
        }
    }
    found.into_iter().map(|(_, index)| index).collect()
}

/// DNS names, else the common name; in the case in which they are written.
fn bears(certificate: &Certificate, pattern: &str) -> bool {
    if certificate.names().is_empty() {
        return certificate.subject.common_names.first().is_some_and(|name| name == pattern);
    }
    certificate.names().iter().any(|name| matches!(name, GeneralName::Dns(text) if text == pattern))
}

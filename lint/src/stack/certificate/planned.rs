//! A certificate that cert-manager will issue, as the stacks will see it.

use sha2::{Digest as _, Sha256};

use super::name::octets;
use super::{
    AuthorityKeyId, BasicConstraints, Certificate, GeneralName, KeyType, KeyUsage, NameConstraints, Origin,
    PublicKey, Signer,
};
use crate::deployment::{PlannedCertificate, PlannedConstraints, PlannedId, PlannedKey};
use crate::stack::distinguished_name::Name;
use crate::time::UnixSeconds;

impl Certificate {
    /// A certificate that will be issued: valid at any time, signed by whoever signs it.
    pub fn planned(
        id: PlannedId,
        planned: &PlannedCertificate,
        issuer: Option<&Certificate>,
        signer: Signer,
    ) -> Self {
        let subject = Name::planned(planned.subject.value());
        let key_digest: [u8; 32] = Sha256::digest(format!("planned key {id}")).into();
        let mut names: Vec<GeneralName> = Vec::new();
        names.extend(planned.dns_names.iter().map(|name| GeneralName::Dns(name.value.clone())));
        names.extend(planned.email_addresses.iter().map(|name| GeneralName::Email(name.value.clone())));
        let addresses = planned.ip_addresses.iter().filter_map(|name| name.value.parse().ok());
        names.extend(addresses.map(|address| GeneralName::Ip(octets(address))));
        names.extend(planned.uris.iter().map(|name| GeneralName::Uri(name.value.clone())));
        let bits = planned.key_usage.value().iter().fold(0, |bits, name| bits | KeyUsage::bit(name));
        let self_signed = matches!(&signer, Signer::Planned(by) if *by == id);
        let usages = planned.extended_key_usage.value();
        Self {
            span: planned.span,
            shown: planned.name.clone(),
            issuer: if self_signed {
                subject.clone()
            } else {
                issuer.map(|issuer| issuer.subject.clone()).unwrap_or_default()
            },
            subject,
            version: 3,
            serial: vec![1],
            not_before: UnixSeconds::MIN,
            not_after: UnixSeconds::MAX,
            key: PublicKey {
                kind: match planned.key {
                    PlannedKey::Rsa(bits) => KeyType::Rsa(bits),
                    PlannedKey::Ecdsa(bits) => KeyType::Ec(bits),
                    PlannedKey::Ed25519 => KeyType::Ed25519,
                },
                spki: Vec::new(),
                digest: key_digest,
            },
            algorithm: None,
            basic_constraints: Some(BasicConstraints { ca: *planned.is_ca.value(), path_length: None }),
            key_usage: (!planned.key_usage.value().is_empty()).then_some(bits),
            extended_key_usage: (!usages.is_empty()).then(|| usages.clone()),
            alternative_names: (!names.is_empty()).then_some(names),
            critical_names: planned.subject.value().is_empty(),
            malformed_names: None,
            subject_key_id: Some(key_digest.to_vec()),
            authority_key_id: issuer
                .and_then(|issuer| issuer.subject_key_id.clone())
                .map(|key_id| AuthorityKeyId { key_id: Some(key_id), ..AuthorityKeyId::default() }),
            name_constraints: planned.name_constraints.as_ref().map(constraints),
            netscape_type: None,
            unknown_critical: Vec::new(),
            duplicate_extension: None,
            malformed_extensions: Vec::new(),
            negative_serial: false,
            trust_settings: None,
            origin: Origin::Planned { id, signer },
            digest: Sha256::digest(format!("planned certificate {id}")).into(),
        }
    }
}

fn constraints(planned: &PlannedConstraints) -> NameConstraints {
    // of a range that is none cert-manager makes no certificate
    let read = |subtrees: &[(&'static str, String)]| subtrees.iter().filter_map(subtree).collect();
    NameConstraints {
        permitted: read(&planned.permitted),
        excluded: read(&planned.excluded),
        critical: planned.critical,
    }
}

/// One subtree; of addresses the network and its mask (RFC 5280 section 4.2.1.10).
fn subtree((list, text): &(&'static str, String)) -> Option<GeneralName> {
    Some(match *list {
        "dnsDomains" => GeneralName::Dns(text.clone()),
        "emailAddresses" => GeneralName::Email(text.clone()),
        "uriDomains" => GeneralName::Uri(text.clone()),
        _ => {
            let (address, length) = text.split_once('/')?;
            let (address, length) = (octets(address.parse().ok()?), length.parse::<usize>().ok()?);
            let mask = |index: usize| {
                let ones = length.saturating_sub(index * 8).min(8) as u32;
                u8::MAX.checked_shl(8 - ones).unwrap_or_default()
            };
            let masks: Vec<u8> = (0..address.len()).map(mask).collect();
            let network = address.iter().zip(&masks).map(|(octet, mask)| octet & mask);
            GeneralName::Ip(network.chain(masks.iter().copied()).collect())
        }
    })
}

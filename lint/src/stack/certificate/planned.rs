//! A certificate that cert-manager will issue, as the stacks will see it.

use sha2::{Digest as _, Sha256};

use super::name::octets;
use super::{
    AuthorityKeyId, BasicConstraints, Certificate, GeneralName, KeyType, KeyUsage, Origin, PublicKey, Signer,
};
use crate::deployment::{PlannedCertificate, PlannedId, PlannedKey};
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
            name_constraints: None,
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

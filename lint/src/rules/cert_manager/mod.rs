//! Mistakes of Certificates and issuers: what cert-manager refuses, and what it issues that nobody should want.

pub mod authority_with_end_entity_usages;
pub mod certificate_without_names;
pub mod certificate_without_secret_name;
pub mod common_name_too_long;
pub mod conflicting_renewal;
pub mod conflicting_subject;
pub mod defaulted_usages;
pub mod duplicate_secret_name;
pub mod duration_too_short;
pub mod gated_name_constraints;
pub mod invalid_alternative_name;
pub mod invalid_certificate_duration;
pub mod invalid_key_parameters;
pub mod long_lived_certificate;
pub mod name_constraints_without_ca;
pub mod renew_before_exceeds_duration;
pub mod self_signed_end_entity;
pub mod signature_algorithm_of_another_key;
pub mod unknown_certificate_usage;

use super::Subject;
use crate::deployment::PlannedCertificate;
use crate::dialect::cert_manager::{Certificate, IssuerSource};

/// Certificates that are no authority, nor meant to be one: no issuer signs with their Secret.
pub(in crate::rules) fn end_entities<'a>(
    subject: &Subject<'a>,
) -> impl Iterator<Item = (&'a Certificate, &'a PlannedCertificate)> {
    let manifests = &subject.deployment.manifests;
    let signs = |certificate: &Certificate| {
        manifests.issuers.iter().any(|issuer| {
            matches!((&issuer.source, &certificate.secret_name), (IssuerSource::Ca { secret: Some(used) }, Some(own))
                if used.value == own.value)
        })
    };
    let all = manifests.certificates.iter().zip(&subject.deployment.planned);
    all.filter(move |(certificate, _)| !certificate.is_ca.value() && !signs(certificate))
}

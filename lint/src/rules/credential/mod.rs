//! Mistakes of certificates and keys.

pub mod address_as_dns_name;
pub mod certificate_outlives_issuer;
pub mod certificate_without_key;
pub mod common_name_only;
pub mod encrypted_key;
pub mod end_entity_is_ca;
pub mod expired_certificate;
pub mod expiring_certificate;
pub mod malformed_certificate;
pub mod mismatched_key;
pub mod misordered_chain;
pub mod missing_client_auth_usage;
pub mod missing_credential;
pub mod missing_server_auth_usage;
pub mod missing_server_certificate;
pub mod name_constraint_violated;
pub mod nameless_authority;
pub mod not_yet_valid_certificate;
pub mod obsolete_algorithm;
pub mod public_client_certificate;
pub mod root_in_chain;
pub mod uncritical_alternative_names;
pub mod unjudged;
pub mod unknown_critical_extension;
pub mod unportable_wildcard;
pub mod unrelated_certificate;
pub mod unsuitable_key_usage;
pub mod usage_excluded_by_issuer;
pub mod weak_key;
pub mod weak_signature;

use super::Subject;
use crate::finding::Finding;

/// Tells how a certificate that no Certificate makes gets another extended key usage; the pages tell of cert-manager.
fn help_for_pem(subject: &Subject<'_>, findings: &mut [Finding], usage: &str) {
    for finding in findings {
        let planned = subject.deployment.planned.iter().any(|planned| {
            let places = [planned.span, planned.extended_key_usage.span()];
            finding.labels.iter().any(|label| places.contains(&label.span))
        });
        if !planned {
            finding.help.get_or_insert_with(|| {
                format!(
                    "issue the certificate anew with {usage} besides; with openssl: extendedKeyUsage = serverAuth, \
                     clientAuth"
                )
            });
        }
    }
}

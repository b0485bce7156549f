//! check_trust: what the bundle and its trust settings say of a path.

use super::Check;
use crate::stack::certificate::{ANY_USAGE, Certificate, Purpose, TrustSettings};
use crate::stack::openssl::issuer::self_signed;

/// What a certificate's trust settings come to.
#[derive(PartialEq)]
pub(super) enum TrustAnswer {
    Trusted,
    Rejected,
    Neutral,
}

impl Check<'_> {
    /// check_trust over what the bundle added.
    pub(super) fn trust_of_added(&self) -> TrustAnswer {
        for certificate in self.path.iter().skip(self.untrusted) {
            match explicit_trust(certificate, self.question.purpose) {
                TrustAnswer::Neutral if certificate.trust_settings.is_none() && self_signed(certificate) => {
                    return TrustAnswer::Trusted;
                }
                TrustAnswer::Neutral
                    if certificate
                        .trust_settings
                        .as_ref()
                        .is_some_and(|settings| settings == &TrustSettings::default())
                        && self_signed(certificate) =>
                {
                    return TrustAnswer::Trusted;
                }
                TrustAnswer::Neutral => {}
                decided => return decided,
            }
        }
        if self.untrusted < self.path.len() && self.settings.partial_paths {
            return TrustAnswer::Trusted;
        }
        TrustAnswer::Neutral
    }
}

/// x509_trust.c obj_trust, from the settings of a TRUSTED CERTIFICATE.
pub(super) fn explicit_trust(certificate: &Certificate, purpose: Purpose) -> TrustAnswer {
    let Some(settings) = &certificate.trust_settings else { return TrustAnswer::Neutral };
    let meant = |list: &[String]| list.iter().any(|oid| oid == purpose.oid() || oid == ANY_USAGE);
    if meant(&settings.reject) {
        TrustAnswer::Rejected
    } else if meant(&settings.trust) {
        TrustAnswer::Trusted
    } else if settings.trust.is_empty() {
        TrustAnswer::Neutral
    } else {
        TrustAnswer::Rejected
    }
}

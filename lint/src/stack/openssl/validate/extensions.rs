//! check_extensions: who may issue, and what each certificate may be used for.

use std::sync::Arc;

use super::Check;
use super::trust::{TrustAnswer, explicit_trust};
use crate::stack::certificate::{ANY_USAGE, Certificate, KeyUsage, Purpose};
use crate::stack::openssl::issuer::self_signed;
use crate::stack::{Mistake, say};

impl Check<'_> {
    /// check_extensions.
    pub(super) fn extensions(&mut self) {
        let purpose = self.question.purpose;
        let mut below: u32 = 0;
        for depth in 0..self.path.len() {
            let Some(certificate) = self.path.get(depth).map(Arc::clone) else { return };
            let last = depth + 1 == self.path.len();
            if let Some(oid) = certificate.unknown_critical.first() {
                let message = format!(
                    "{} has the critical extension {oid}, which OpenSSL does not know",
                    say::which(depth, &certificate)
                );
                self.fault(Mistake::UnknownCriticalExtension, 34, depth, message);
            }
            if depth > 0 {
                let ca = may_issue(&certificate);
                if ca == Ca::No || (!last && ca != Ca::Yes) {
                    let message = not_ca(depth, &certificate);
                    self.fault(Mistake::IssuerNotCa, 79, depth, message);
                }
            }
            if depth >= self.untrusted {
                match explicit_trust(&certificate, purpose) {
                    TrustAnswer::Trusted => {
                        below += u32::from(depth > 0 && !certificate.is_self_issued());
                        continue;
                    }
                    TrustAnswer::Rejected | TrustAnswer::Neutral => {}
                }
            }
            if let Some((mistake, message)) = unfit(&certificate, purpose, depth) {
                self.fault(mistake, 26, depth, message);
            }
            if depth > 1
                && let Some(limit) =
                    certificate.basic_constraints.and_then(|constraints| constraints.path_length)
                && below > limit
            {
                let message = say::path_too_long(depth, &certificate, limit, below);
                self.fault(Mistake::PathLengthExceeded, 25, depth, message);
            }
            below += u32::from(depth > 0 && !certificate.is_self_issued());
        }
    }
}

/// Whether a certificate may issue others.
#[derive(PartialEq)]
enum Ca {
    Yes,
    /// Tolerated as an anchor alone: version 1, or keyCertSign without basicConstraints.
    Barely,
    No,
}

/// v3_purp.c check_ca.
fn may_issue(certificate: &Certificate) -> Ca {
    if !certificate.may(KeyUsage::KEY_CERT_SIGN) {
        return Ca::No;
    }
    match certificate.basic_constraints {
        Some(constraints) if constraints.ca => Ca::Yes,
        Some(_) => Ca::No,
        None if certificate.version == 1 && self_signed(certificate) => Ca::Barely,
        None if certificate.key_usage.is_some() => Ca::Barely,
        None if certificate.netscape_type.is_some_and(|bits| bits & 0x07 != 0) => Ca::Barely,
        None => Ca::No,
    }
}

fn not_ca(depth: usize, certificate: &Certificate) -> String {
    let which = say::which(depth, certificate);
    match certificate.basic_constraints {
        _ if !certificate.may(KeyUsage::KEY_CERT_SIGN) => {
            format!("the key usage of {which} lacks keyCertSign")
        }
        Some(_) => format!("{which} says CA:FALSE in basicConstraints"),
        None => format!("{which} has no basicConstraints"),
    }
}

/// X509_check_purpose for SSL clients and servers.
fn unfit(certificate: &Certificate, purpose: Purpose, depth: usize) -> Option<(Mistake, String)> {
    if let Some(usages) = &certificate.extended_key_usage {
        // Netscape's and Microsoft's server gated crypto count as serverAuth; anyExtendedKeyUsage does not
        let gated = ["1.3.6.1.4.1.311.10.3.3", "2.16.840.1.113730.4.1"];
        let fits = usages
            .iter()
            .any(|oid| oid == purpose.oid() || (purpose == Purpose::Server && gated.contains(&oid.as_str())));
        if !fits {
            let mut message = say::lacks_usage(depth, certificate, purpose);
            if usages.iter().any(|oid| oid == ANY_USAGE) {
                message.push_str("; OpenSSL does not take anyExtendedKeyUsage for it");
            }
            return Some((Mistake::missing_usage(depth, purpose), message));
        }
    }
    if depth > 0 {
        return (may_issue(certificate) == Ca::No)
            .then(|| (Mistake::IssuerNotCa, not_ca(depth, certificate)));
    }
    let (usages, names) = match purpose {
        Purpose::Client => {
            (KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_AGREEMENT, "digitalSignature or keyAgreement")
        }
        Purpose::Server => (
            KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_ENCIPHERMENT | KeyUsage::KEY_AGREEMENT,
            "digitalSignature, keyEncipherment or keyAgreement",
        ),
    };
    if !certificate.may(usages) {
        let message = format!(
            "{} has the key usage {}, but {names} is needed",
            say::which(depth, certificate),
            KeyUsage::names(certificate.key_usage.unwrap_or(0))
        );
        return Some((Mistake::UnsuitableKeyUsage, message));
    }
    let netscape = if purpose == Purpose::Client { 0x80 } else { 0x40 };
    if certificate.netscape_type.is_some_and(|bits| bits & netscape == 0) {
        return Some((
            Mistake::missing_usage(depth, purpose),
            format!("{} has a Netscape certificate type for another use", say::which(depth, certificate)),
        ));
    }
    None
}

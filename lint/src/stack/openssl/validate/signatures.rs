//! internal_verify: signatures and dates, from the top down.

use std::sync::Arc;

use super::Check;
use crate::stack::certificate::KeyUsage;
use crate::stack::openssl::issuer::likely_issued;
use crate::stack::signatures::Signed;
use crate::stack::{Mistake, say};

impl Check<'_> {
    /// internal_verify: signatures and dates from the top down.
    pub(super) fn signatures_and_dates(&mut self) {
        let Some(top) = self.path.len().checked_sub(1) else { return };
        let Some(last) = self.path.get(top).map(Arc::clone) else { return };
        let mut depth = top;
        let mut check_signature = true;
        let mut issuer = top;
        if !likely_issued(&last, &last) {
            if self.settings.partial_paths {
                check_signature = false;
            } else if top == 0 {
                if self.faults.iter().any(|fault| fault.number == Some(20)) {
                    // the last word on a missing issuer where the callback lets the checks go on
                    let earlier = self.faults.iter().find(|fault| fault.number == Some(20)).cloned();
                    if let Some(earlier) = earlier {
                        self.fault(earlier.mistake, 21, 0, earlier.message);
                    }
                }
                check_signature = false;
            } else {
                depth = top - 1;
            }
        }
        loop {
            if check_signature && depth != issuer {
                self.signature(depth, issuer);
            }
            self.dates(depth);
            check_signature = true;
            issuer = depth;
            let Some(next) = depth.checked_sub(1) else { return };
            depth = next;
        }
    }

    fn signature(&mut self, depth: usize, issuer_depth: usize) {
        let (Some(subject), Some(issuer)) =
            (self.path.get(depth).map(Arc::clone), self.path.get(issuer_depth).map(Arc::clone))
        else {
            return;
        };
        if !issuer.may(KeyUsage::KEY_CERT_SIGN) {
            let message = format!(
                "the key usage of {} is {}, without keyCertSign",
                say::which(issuer_depth, &issuer),
                KeyUsage::names(issuer.key_usage.unwrap_or(0))
            );
            self.fault(Mistake::UnsuitableKeyUsage, 32, issuer_depth, message);
        }
        match self.knowledge.signed(&subject, &issuer) {
            Signed::Yes | Signed::Unknown(_) => {}
            Signed::No | Signed::Unsupported(_) => {
                let message = format!(
                    "the signature of {} does not verify with the key of {}, although that is its issuer's name",
                    say::which(depth, &subject),
                    issuer.shown
                );
                self.fault(Mistake::IssuerWithOtherKey, 7, depth, message);
            }
        }
    }

    fn dates(&mut self, depth: usize) {
        let Some(certificate) = self.path.get(depth).map(Arc::clone) else { return };
        let at = self.question.at;
        if certificate.not_before > at {
            self.fault(
                Mistake::NotYetValidCertificate,
                9,
                depth,
                say::not_yet_valid(depth, &certificate, at),
            );
        }
        if certificate.not_after < at {
            self.fault(Mistake::ExpiredCertificate, 10, depth, say::expired(depth, &certificate, at));
        }
    }
}

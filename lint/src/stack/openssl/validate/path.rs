//! build_chain: from the end-entity certificate to something that is trusted.

use std::sync::Arc;

use super::Check;
use super::trust::TrustAnswer;
use crate::stack::certificate::{Certificate, Origin, Signer};
use crate::stack::openssl::issuer::{is_public, likely_issued, self_signed, unknown_issuer_kind};
use crate::stack::{Mistake, say};

impl Check<'_> {
    /// build_chain with X509_V_FLAG_TRUSTED_FIRST.
    pub(super) fn build(&mut self) {
        let limit = usize::try_from(self.settings.depth.unwrap_or(100).min(1000)).unwrap_or(1000) + 1;
        let mut offered: Vec<&Arc<Certificate>> = self.question.presented.iter().skip(1).collect();
        let mut search_untrusted = !offered.is_empty();
        let mut trust = TrustAnswer::Neutral;
        loop {
            let Some(current) = self.path.last().map(Arc::clone) else { return };
            let current_self_signed = self_signed(&current);
            if self.path.len() <= limit
                && let Some(issuer) = self.trusted_issuer(&current)
            {
                let mut grown = true;
                let mut top_self_signed = current_self_signed;
                if !current_self_signed {
                    top_self_signed = self_signed(&issuer);
                    self.path.push(issuer);
                } else if issuer.digest == current.digest {
                    // replaced by its trusted twin, with its trust settings
                    if let Some(last) = self.path.last_mut() {
                        *last = issuer;
                    }
                    self.untrusted = self.untrusted.min(self.path.len().saturating_sub(1));
                } else {
                    grown = false;
                }
                if grown {
                    search_untrusted = false;
                    trust = self.trust_of_added();
                    if trust != TrustAnswer::Neutral {
                        break;
                    }
                    if !top_self_signed {
                        continue;
                    }
                }
            }
            if !search_untrusted {
                break;
            }
            let found = if current_self_signed || self.path.len() > limit {
                None
            } else {
                self.best(&current, offered.iter().copied(), true)
            };
            match found {
                Some(issuer) => {
                    offered.retain(|certificate| !Arc::ptr_eq(certificate, &issuer));
                    self.path.push(issuer);
                    self.untrusted += 1;
                }
                None => search_untrusted = false,
            }
        }
        if trust == TrustAnswer::Neutral
            && self.settings.partial_paths
            && self.untrusted == self.path.len()
            && let Some(twin) = self.path.first().and_then(|leaf| self.in_bundle(leaf))
        {
            // the end-entity certificate itself is trusted
            self.path = vec![twin];
            self.untrusted = 0;
            trust = TrustAnswer::Trusted;
        }
        match trust {
            TrustAnswer::Trusted => {}
            TrustAnswer::Rejected => {
                let depth = self.path.len() - 1;
                let message = "the trust settings in the bundle reject this use".to_owned();
                self.fault(Mistake::UnknownIssuer, 28, depth, message);
            }
            TrustAnswer::Neutral => self.no_anchor(limit),
        }
    }

    fn no_anchor(&mut self, limit: usize) {
        let depth = self.path.len().saturating_sub(1);
        let Some(last) = self.path.last().map(Arc::clone) else { return };
        let anchors = self.question.anchors;
        if let Some(why) = anchors.unseen.first()
            && self.knowledge.hope(why.clone())
        {
            return;
        }
        if let Origin::Planned { signer: Signer::Unknown(why), .. } = &last.origin
            && self.knowledge.hope(why.clone())
        {
            return;
        }
        if anchors.system && is_public(&last) {
            let why =
                format!("whether {} leads to a public CA that the system trusts is not seen", last.shown);
            if self.knowledge.hope(why) {
                return;
            }
        }
        if self_signed(&last) {
            let message = format!(
                "{} signed itself, and the verifier trusts {}",
                say::which(depth, &last),
                say::trusted(anchors)
            );
            if depth == 0 {
                self.fault(Mistake::UntrustedSelfSigned, 18, depth, message);
            } else {
                self.fault(Mistake::UnknownIssuer, 19, depth, message);
            }
            return;
        }
        // Excess depth is reported as a missing issuer, never as 22 (observed)
        if self.path.len() > limit {
            let allowed = limit - 1;
            let message = format!(
                "{} stands below {}, and the verification depth is {allowed}",
                say::which(0, self.path.first().unwrap_or(&last)),
                match allowed {
                    0 => "an intermediate".to_owned(),
                    1 => "more than one intermediate".to_owned(),
                    more => format!("more than {more} intermediates"),
                }
            );
            let number = if self.untrusted < self.path.len() { 2 } else { 20 };
            self.fault(Mistake::VerifyDepthExceeded, number, depth, message);
            return;
        }
        if self.untrusted < self.path.len() {
            let message = format!(
                "the bundle holds {}, but not its issuer {}; OpenSSL insists on the self-signed root",
                last.shown, last.issuer.text
            );
            self.fault(Mistake::MissingRoot, 2, depth, message);
            return;
        }
        let mistake = unknown_issuer_kind(&last, self.question);
        self.fault(mistake, 20, depth, say::unknown_issuer(depth, &last, anchors));
    }

    /// X509_STORE_CTX_get1_issuer: the first certificate of that name that fits if it is in date, else the first
    /// one in date, else the one that expired last.
    fn trusted_issuer(&self, certificate: &Certificate) -> Option<Arc<Certificate>> {
        self.best(certificate, self.question.anchors.certificates.iter(), false)
    }

    fn best<'c>(
        &self,
        certificate: &Certificate,
        candidates: impl Iterator<Item = &'c Arc<Certificate>>,
        not_twice: bool,
    ) -> Option<Arc<Certificate>> {
        let at = self.question.at;
        let mut best: Option<&Arc<Certificate>> = None;
        for candidate in candidates {
            let lone_self_issued = certificate.is_self_issued() && self.path.len() == 1;
            if !likely_issued(candidate, certificate)
                || (not_twice
                    && !lone_self_issued
                    && self.path.iter().any(|known| known.digest == candidate.digest))
            {
                continue;
            }
            if (candidate.not_before..=candidate.not_after).contains(&at) {
                return Some(Arc::clone(candidate));
            }
            if best.is_none_or(|best| candidate.not_after > best.not_after) {
                best = Some(candidate);
            }
        }
        best.map(Arc::clone)
    }

    fn in_bundle(&self, certificate: &Certificate) -> Option<Arc<Certificate>> {
        let bundle = &self.question.anchors.certificates;
        bundle.iter().find(|anchor| anchor.digest == certificate.digest).map(Arc::clone)
    }
}

//! Why no issuer is trusted: the nearest cause that the whole deployment tells, which no single verifier sees.

use super::shelf::Shelf;
use super::verify::Case;
use crate::stack::{Certificate, Fault, Mistake};

impl Shelf<'_> {
    /// A fault about a missing issuer with its nearest cause: no bundle, a damaged signature, an intermediate that is
    /// not sent; any other fault as it is.
    pub(super) fn nearest_cause(&self, case: &Case<'_>, fault: Fault) -> Fault {
        let Some(certificate) = fault.certificate.clone() else { return fault };
        match fault.mistake {
            Mistake::IssuerWithOtherKey if damaged(case, &certificate) => Fault {
                message: format!(
                    "the signature of {} does not verify under its issuer's key, whose identifier it names",
                    certificate.shown
                ),
                mistake: Mistake::InvalidSignature,
                ..fault
            },
            Mistake::IssuerWithOtherKey => Fault {
                message: format!(
                    "{} was issued by {}; the verifier trusts a CA of that name, whose key did not sign it",
                    certificate.shown, certificate.issuer.text
                ),
                ..fault
            },
            Mistake::UnknownIssuer
                if case.anchors.certificates.is_empty() && case.anchors.unseen.is_empty() =>
            {
                Fault { mistake: Mistake::MissingTrustBundle, ..fault }
            }
            Mistake::UnknownIssuer => match self.between(case, &certificate) {
                Some(intermediate) => Fault {
                    message: format!(
                        "{} was issued by {}, which is not sent; the verifier trusts {}",
                        certificate.shown,
                        intermediate.shown,
                        if self.is_trusted(case, intermediate) {
                            format!("its issuer {}", intermediate.issuer.text)
                        } else {
                            "a CA above it".to_owned()
                        }
                    ),
                    mistake: Mistake::MissingIntermediate,
                    ..fault
                },
                None => fault,
            },
            _ => fault,
        }
    }

    /// A CA of some file that signed the certificate, and from which signatures lead to one that is trusted.
    fn between(&self, case: &Case<'_>, certificate: &Certificate) -> Option<&Certificate> {
        self.known()
            .iter()
            .map(|known| &*known.certificate)
            .filter(|candidate| candidate.digest != certificate.digest && self.signs(candidate, certificate))
            .find(|candidate| self.leads_up(case, candidate, LONGEST))
    }

    fn leads_up(&self, case: &Case<'_>, certificate: &Certificate, left: usize) -> bool {
        let mut above = self.known().iter().map(|known| &*known.certificate);
        self.is_trusted(case, certificate)
            || left > 0
                && above.any(|issuer| {
                    issuer.digest != certificate.digest
                        && self.signs(issuer, certificate)
                        && self.leads_up(case, issuer, left - 1)
                })
    }

    /// Whether the verifier trusts who signed it.
    fn is_trusted(&self, case: &Case<'_>, certificate: &Certificate) -> bool {
        case.anchors.certificates.iter().any(|anchor| self.signs(anchor, certificate))
    }
}

/// Certificates above the one that is missed.
const LONGEST: usize = 4;

/// Whether the very key that the certificate names as its issuer's did not make its signature.
fn damaged(case: &Case<'_>, certificate: &Certificate) -> bool {
    let Some(named) = certificate.authority_key_id.as_ref().and_then(|id| id.key_id.as_ref()) else {
        return false;
    };
    let candidates = case.anchors.certificates.iter().chain(&case.presented.certificates);
    candidates.filter(|other| other.subject.canonical == certificate.issuer.canonical).any(|other| {
        !other.is_planned() && !certificate.is_planned() && other.subject_key_id.as_ref() == Some(named)
    })
}

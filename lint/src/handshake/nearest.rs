//! Why no issuer is trusted: the nearest cause that the whole deployment tells, which no single verifier sees.

use std::sync::Arc;

use super::shelf::Shelf;
use super::verify::Case;
use crate::stack::signatures::Signed;
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
                        "{} was issued by {}, which is not sent; the verifier trusts its issuer {}",
                        certificate.shown, intermediate.shown, intermediate.issuer.text
                    ),
                    mistake: Mistake::MissingIntermediate,
                    ..fault
                },
                None => fault,
            },
            _ => fault,
        }
    }

    /// A CA of the deployment's files that signed the certificate and was itself signed by one that is trusted.
    fn between(&self, case: &Case<'_>, certificate: &Certificate) -> Option<Arc<Certificate>> {
        let signed = |child: &Certificate, issuer: &Certificate| {
            child.issuer.canonical == issuer.subject.canonical
                && self.signatures.signed(child, issuer) == Signed::Yes
        };
        let known = self.known();
        let mut candidates = known.iter().filter(|candidate| candidate.digest != certificate.digest);
        let found = candidates.find(|candidate| {
            signed(certificate, candidate)
                && case.anchors.certificates.iter().any(|anchor| signed(candidate, anchor))
        });
        found.cloned()
    }
}

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

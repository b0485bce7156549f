//! Whether a certificate was issued under the trust anchors that a policy pins its identities to (RFC 5280 section 6.1).

use super::{Policy, TrustAnchor};
use crate::certificate::{Certificate, Validity};
use crate::signature::{self, Verdict};
use crate::usage::KeyPurpose;

/// Whether a certificate was issued under trust anchors of the policy: signatures are verified, each path is looked for
/// once, and one answer serves for each pair of certificate and issuer's key.
pub(super) struct IssuedUnder<'a> {
    policy: &'a Policy,
    certificate: &'a Certificate,
    presented: &'a [Certificate],
    known: Vec<Option<Vec<Validity>>>,
    verdicts: Vec<([u8; 32], [u8; 32], bool)>,
    /// Some identity has everything but a path to its anchor that is valid for as long as the certificate.
    pub(super) missed: bool,
}

/// How many intermediates a path may have, and how many signatures are verified for one anchor.
const LONGEST_PATH: usize = 4;
const MOST_SIGNATURES: usize = 16;

impl<'a> IssuedUnder<'a> {
    pub(super) fn new(
        policy: &'a Policy,
        certificate: &'a Certificate,
        presented: &'a [Certificate],
    ) -> Self {
        let known = vec![None; policy.trust_anchors.len()];
        IssuedUnder { policy, certificate, presented, known, verdicts: Vec::new(), missed: false }
    }

    /// When each path to the trust anchor with this index is valid; none if there is no path.
    pub(super) fn paths_to(&mut self, anchor: usize) -> Vec<Validity> {
        if let Some(Some(known)) = self.known.get(anchor) {
            return known.clone();
        }
        let policy = self.policy;
        let paths = policy.trust_anchors.get(anchor).map_or_else(Vec::new, |anchor| self.find_paths(anchor));
        if let Some(known) = self.known.get_mut(anchor) {
            *known = Some(paths.clone());
        }
        paths
    }

    /// Walks from the certificate up through what was presented, breadth first (RFC 5280 section 6.1), and answers when
    /// each path is valid. What intermediates restrict is not honoured, so that those which restrict are not used.
    fn find_paths(&mut self, anchor: &TrustAnchor) -> Vec<Validity> {
        let mut budget = MOST_SIGNATURES;
        let mut paths = Vec::new();
        let (certificate, presented) = (self.certificate, self.presented);
        let mut level: Vec<(&Certificate, Validity)> = vec![(certificate, certificate.validity)];
        for depth in 0..=LONGEST_PATH {
            let mut next: Vec<(&Certificate, Validity)> = Vec::new();
            for (child, validity) in level {
                let mut issuers = anchor.certificates.iter();
                if issuers
                    .any(|issuer| may_issue(issuer, child, depth) && self.signed(child, issuer, &mut budget))
                {
                    paths.push(validity);
                    // nothing between them: no other path is valid for longer
                    if depth == 0 {
                        return paths;
                    }
                }
                for issuer in presented.iter().take(LONGEST_PATH * 2) {
                    let new = issuer.sha256 != child.sha256
                        && !next.iter().any(|(known, _)| known.sha256 == issuer.sha256);
                    if new
                        && is_plain_intermediate(issuer)
                        && may_issue(issuer, child, depth)
                        && self.signed(child, issuer, &mut budget)
                    {
                        next.push((issuer, validity.overlap(issuer.validity)));
                    }
                }
            }
            if next.is_empty() {
                break;
            }
            level = next;
        }
        paths
    }

    fn signed(&mut self, child: &Certificate, issuer: &Certificate, budget: &mut usize) -> bool {
        let (certificate, key) = (child.sha256, issuer.public_key_sha256);
        let mut known = self.verdicts.iter();
        if let Some((.., verdict)) = known.find(|known| known.0 == certificate && known.1 == key) {
            return *verdict;
        }
        let Some(left) = budget.checked_sub(1) else { return false };
        *budget = left;
        let verdict = matches!(
            child.signed_by(issuer),
            Verdict::Valid(algorithm) if signature::is_believed(algorithm, &issuer.key)
        );
        self.verdicts.push((certificate, key, verdict));
        verdict
    }
}

/// A CA that says nothing more than that: no constraint on names, no critical extension that is not understood, no
/// purpose that leaves clients out.
fn is_plain_intermediate(issuer: &Certificate) -> bool {
    let serves = |purposes: &Vec<KeyPurpose>| {
        purposes.contains(&KeyPurpose::ClientAuth) || purposes.contains(&KeyPurpose::Any)
    };
    issuer.is_ca()
        && !issuer.name_constrained
        && issuer.unknown_critical_extensions.is_empty()
        && issuer.extended_key_usage.as_ref().is_none_or(serves)
}

/// Names chain, and the issuer's extensions let it sign with so many intermediates beneath it.
fn may_issue(issuer: &Certificate, child: &Certificate, depth: usize) -> bool {
    let path_length = issuer.basic_constraints.and_then(|constraints| constraints.path_length);
    issuer.subject.der == child.issuer.der
        && issuer.basic_constraints.is_none_or(|constraints| constraints.ca)
        && issuer.key_usage.is_none_or(|usage| usage.certificate_signing())
        && path_length.is_none_or(|length| depth <= usize::try_from(length).unwrap_or(usize::MAX))
}

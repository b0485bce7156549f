//! What a policy knows of a certificate before any request: which of its identities it is, and what denies it anyway.

use std::fmt;

use super::issued_under::IssuedUnder;
use super::reason::Reason;
use super::{IdentityPattern, Policy};
use crate::certificate::{Certificate, Validity, hexadecimal};
use crate::identity::{self, Identity, SpiffeId};
use crate::usage;

/// What in a certificate made it an identity of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// One of its names.
    Name(Identity),
    /// Its SHA-256.
    Certificate([u8; 32]),
    /// The SHA-256 of its public key.
    PublicKey([u8; 32]),
    /// Its only common name, for a policy that says so.
    LegacyCommonName(String),
    /// Nothing of its own: who issued it.
    Issuer(String),
}

/// A certificate as a policy knows it: everything that neither time nor request changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Which identities of the policy it is; in the policy's order.
    pub identities: Vec<Recognised>,
    /// When it is valid.
    pub validity: Validity,
    /// It may be further identities, or be one for longer, if other intermediates come with it.
    pub incomplete: bool,
    /// What denies it at any time.
    pub(super) denied: Option<Reason>,
    /// What denies it after its dates were judged.
    pub(super) problem: Option<Reason>,
}

/// An identity of the policy that a certificate is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognised {
    /// Its index in the policy.
    pub identity: usize,
    /// What makes it so.
    pub evidence: Evidence,
    /// When a certification path to one of its trust anchors is valid, anchors apart; empty if it needs none.
    pub paths: Vec<Validity>,
}

impl Policy {
    /// Answers everything about a certificate that neither time nor request changes.
    ///
    /// `presented` holds the certificates that came with it, in any order; they serve `issued-under` alone.
    pub fn recognise(&self, certificate: &Certificate, presented: &[Certificate]) -> Standing {
        let mut standing = Standing {
            identities: Vec::new(),
            validity: certificate.validity,
            incomplete: false,
            denied: self.denied(certificate),
            problem: None,
        };
        if standing.denied.is_some() {
            return standing;
        }
        if let Err(problem) = usage::client_authentication(certificate, &self.usage) {
            standing.problem = Some(Reason::Usage(problem));
            return standing;
        }
        let found = match identity::identities(certificate) {
            Ok(found) => found,
            Err(ambiguous) => {
                standing.problem = Some(Reason::AmbiguousIdentity { uris: ambiguous.uris });
                return standing;
            }
        };
        let mut issued = IssuedUnder::new(self, certificate, presented);
        for (identity, pattern) in self.identities.iter().enumerate() {
            if let Some((evidence, paths)) = pattern.recognise(certificate, &found.all, &mut issued) {
                standing.identities.push(Recognised { identity, evidence, paths });
            }
        }
        standing.incomplete = issued.missed;
        if standing.identities.is_empty() {
            let names = found.all.into_iter().take(8).collect();
            standing.problem = Some(Reason::UnknownIdentity { names });
        }
        standing
    }

    fn denied(&self, certificate: &Certificate) -> Option<Reason> {
        if self.deny.certificates.contains(&certificate.sha256) {
            return Some(Reason::DeniedFingerprint(certificate.sha256));
        }
        if self.deny.public_keys.contains(&certificate.public_key_sha256) {
            return Some(Reason::DeniedPublicKey(certificate.public_key_sha256));
        }
        let serial = self.deny.serials.iter().any(|denied| {
            denied.serial.0 == certificate.serial
                && denied.issuer.as_ref().is_none_or(|issuer| issuer.matches(&certificate.issuer))
        });
        serial.then(|| Reason::DeniedSerial(certificate.serial_text()))
    }
}

// === impl Standing ===

impl Standing {
    /// About how many bytes it takes, so that whoever keeps it can keep within bounds.
    pub fn size(&self) -> usize {
        let name = |name: &Identity| 64usize.saturating_add(name.to_string().len());
        let identities = self.identities.iter().map(|known| {
            let paths = known.paths.len().saturating_mul(16);
            known.evidence.to_string().len().saturating_add(paths).saturating_add(128)
        });
        let names = match &self.problem {
            Some(Reason::UnknownIdentity { names }) => names.iter().map(name).sum(),
            _ => 0,
        };
        identities.fold(names, usize::saturating_add)
    }
}

// === impl IdentityPattern ===

impl IdentityPattern {
    /// What makes a certificate this identity, and when the paths to its trust anchors are valid.
    fn recognise(
        &self,
        certificate: &Certificate,
        names: &[Identity],
        issued: &mut IssuedUnder<'_>,
    ) -> Option<(Evidence, Vec<Validity>)> {
        let issuer = &certificate.issuer;
        if !self.issuer.is_empty() && !self.issuer.iter().any(|wanted| wanted.matches(issuer)) {
            return None;
        }
        let evidence = self.evidence(certificate, names)?;
        // signatures last: they cost most
        let paths: Vec<Validity> =
            self.issued_under.iter().flat_map(|anchor| issued.paths_to(*anchor)).collect();
        if !self.issued_under.is_empty() {
            issued.missed |= !paths.contains(&certificate.validity);
            if paths.is_empty() {
                return None;
            }
        }
        Some((evidence, paths))
    }

    fn evidence(&self, certificate: &Certificate, names: &[Identity]) -> Option<Evidence> {
        if !self.names_anyone() {
            return Some(Evidence::Issuer(certificate.issuer.to_string()));
        }
        if let Some(name) = names.iter().find(|name| self.matches_name(name)) {
            return Some(Evidence::Name(name.clone()));
        }
        if self.certificate_sha256.contains(&certificate.sha256) {
            return Some(Evidence::Certificate(certificate.sha256));
        }
        if self.public_key_sha256.contains(&certificate.public_key_sha256) {
            return Some(Evidence::PublicKey(certificate.public_key_sha256));
        }
        if self.legacy_common_name.is_empty() {
            return None;
        }
        let mut common_names = certificate.subject.common_names();
        match (common_names.next(), common_names.next()) {
            (Some(only), None) if self.legacy_common_name.iter().any(|wanted| wanted == only) => {
                Some(Evidence::LegacyCommonName(only.to_owned()))
            }
            _ => None,
        }
    }
}

// === impl Evidence ===

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Evidence::Name(identity) => write!(f, "{}:{identity}", identity.kind()),
            Evidence::Certificate(digest) => write!(f, "certificate-sha256:{}", hexadecimal(digest)),
            Evidence::PublicKey(digest) => write!(f, "public-key-sha256:{}", hexadecimal(digest)),
            Evidence::LegacyCommonName(name) => write!(f, "common-name:{name}"),
            Evidence::Issuer(name) => write!(f, "issuer:{name}"),
        }
    }
}

impl Evidence {
    /// The SPIFFE ID, where that is what it is.
    pub fn spiffe(&self) -> Option<&SpiffeId> {
        match self {
            Evidence::Name(Identity::Spiffe(id)) => Some(id),
            _ => None,
        }
    }
}

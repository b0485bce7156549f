//! How each TLS stack judges certificates, names and files: facts as code.
//!
//! [`openssl`] (nginx, curl, APISIX), [`go`] (etcd, etcdctl) and [`boringssl`] (Envoy) each build and validate a
//! path in their own way against one view of a [`certificate::Certificate`]. They agree on less than one thinks.
//!
//! Sources: observed handshakes of nginx 1.22, 1.26, 1.30 with OpenSSL 3.0, 3.5, 3.6; etcd 3.4 and 3.5 with Go 1.19,
//! 1.24, 1.26; curl 7.88, 8.14, 8.23; Envoy 1.40; and the libraries' own source, named where it is followed.

pub mod boringssl;
pub mod certificate;
pub mod crl;
pub mod der;
pub mod distinguished_name;
pub mod encrypted_key;
pub mod go;
pub mod load;
pub mod mistake;
pub mod openssl;
pub mod private_key;
pub mod signatures;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use certificate::{Certificate, KeyType, KeyUsage, Purpose};
pub use mistake::Mistake;
pub use signatures::Knowledge;

use crate::time::UnixSeconds;

/// The anchors that a verifier was given, in the order in which it loaded them.
#[derive(Debug, Clone, Default)]
pub struct Anchors {
    /// Certificates of the bundles.
    pub certificates: Vec<Arc<Certificate>>,
    /// The system's store is among them: it stands for public CAs.
    pub system: bool,
    /// Bundles that could not be seen; each completes "undetermined because …".
    pub unseen: Vec<String>,
}

/// What is to be verified, against what, when.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Certificates as the peer sends them, the end-entity certificate first.
    pub presented: &'a [Arc<Certificate>],
    /// What is trusted.
    pub anchors: &'a Anchors,
    /// What the end-entity certificate is used for.
    pub purpose: Purpose,
    /// When.
    pub at: UnixSeconds,
    /// Revocation lists; None: not looked at.
    pub crls: Option<&'a [crl::RevocationList]>,
}

/// Why a path is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The mistake's name.
    pub mistake: Mistake,
    /// The library's number for it, if it has numbers.
    pub number: Option<u32>,
    /// The library's words for it.
    pub text: String,
    /// Where in the path: 0 is the end-entity certificate.
    pub depth: usize,
    /// Both halves of the disagreement.
    pub message: String,
    /// The certificate that is to blame.
    pub certificate: Option<Arc<Certificate>>,
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}
impl Eq for Certificate {}

/// Faults that all stacks tell in the same way.
pub(crate) mod say {
    use super::{Certificate, Purpose};
    use crate::time::UnixSeconds;
    use crate::time::format_day;

    /// Which certificate of a path this is.
    pub fn which(depth: usize, certificate: &Certificate) -> String {
        // a planned one is called by its resource: `Certificate tls/etcd`
        let planned = certificate.shown.starts_with("Certificate ");
        match (depth, planned) {
            (0, true) => certificate.shown.clone(),
            (0, false) => format!("the certificate {}", certificate.shown),
            (_, true) => format!("the issuing {}", certificate.shown),
            (_, false) => format!("the issuing certificate {}", certificate.shown),
        }
    }

    /// It has expired.
    pub fn expired(depth: usize, certificate: &Certificate, at: UnixSeconds) -> String {
        format!(
            "{} expired on {}; it is {}",
            which(depth, certificate),
            format_day(certificate.not_after),
            format_day(at)
        )
    }

    /// It is not valid yet.
    pub fn not_yet_valid(depth: usize, certificate: &Certificate, at: UnixSeconds) -> String {
        format!(
            "{} is valid from {} on; it is {}",
            which(depth, certificate),
            format_day(certificate.not_before),
            format_day(at)
        )
    }

    /// Its extended key usage lacks what it is used for.
    pub fn lacks_usage(depth: usize, certificate: &Certificate, purpose: Purpose) -> String {
        let has = certificate.extended_key_usage.as_deref().unwrap_or_default();
        let has: Vec<&str> = has.iter().map(|oid| super::certificate::usage_name(oid)).collect();
        format!(
            "{} has the extended key usage {}, but {} is needed",
            which(depth, certificate),
            if has.is_empty() { "none".to_owned() } else { has.join(", ") },
            purpose.name()
        )
    }

    /// More intermediates stand below it than its pathLenConstraint allows.
    pub fn path_too_long(
        depth: usize,
        certificate: &Certificate,
        allowed: impl Into<u64>,
        below: impl Into<u64>,
    ) -> String {
        let (allowed, below) = (allowed.into(), below.into());
        format!(
            "{} allows {} below it, and there {} {below}",
            which(depth, certificate),
            match allowed {
                0 => "no intermediate".to_owned(),
                1 => "1 intermediate".to_owned(),
                more => format!("{more} intermediates"),
            },
            if below == 1 { "is" } else { "are" }
        )
    }

    /// Nobody trusted issued it.
    pub fn unknown_issuer(depth: usize, certificate: &Certificate, anchors: &super::Anchors) -> String {
        let issuer = if certificate.issuer.text.is_empty() {
            "an issuer without name"
        } else {
            &certificate.issuer.text
        };
        format!(
            "{} was issued by {issuer}, but the verifier trusts {}",
            which(depth, certificate),
            trusted(anchors)
        )
    }

    /// What is trusted, in a few words.
    pub fn trusted(anchors: &super::Anchors) -> String {
        let mut names: Vec<&str> = anchors.certificates.iter().map(|anchor| anchor.shown.as_str()).collect();
        names.dedup();
        let more = names.len().saturating_sub(3);
        names.truncate(3);
        let mut text = names.join(" and ");
        if more > 0 {
            text.push_str(&format!(" and {more} more"));
        }
        match (text.is_empty(), anchors.system) {
            (true, true) => "public CAs only".to_owned(),
            (true, false) => "nobody".to_owned(),
            (false, true) => format!("{text} and public CAs"),
            (false, false) => format!("only {text}"),
        }
    }
}

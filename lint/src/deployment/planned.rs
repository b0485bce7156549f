//! Certificates that cert-manager will issue.

use super::{FileRef, Missing, PlannedId, Setting};
use crate::source::{Located, Span};

/// A certificate that cert-manager has not issued yet, as far as its Certificate determines it.
#[derive(Debug, Clone)]
pub struct PlannedCertificate {
    /// `Certificate tls/etcd-server`.
    pub name: String,
    /// The Certificate's metadata.name.
    pub span: Span,
    /// Subject as RFC 4514 text; empty: an empty subject.
    pub subject: Setting<String>,
    /// Common name, if any.
    pub common_name: Option<Located<String>>,
    /// Subject alternative names.
    pub dns_names: Vec<Located<String>>,
    /// Subject alternative names.
    pub email_addresses: Vec<Located<String>>,
    /// Subject alternative names.
    pub ip_addresses: Vec<Located<String>>,
    /// Subject alternative names.
    pub uris: Vec<Located<String>>,
    /// basicConstraints cA.
    pub is_ca: Setting<bool>,
    /// RFC 5280 names of the key usage bits (`digitalSignature`, `keyEncipherment`, `keyCertSign`, …); empty: no extension.
    pub key_usage: Setting<Vec<&'static str>>,
    /// Dotted OIDs of the extended key usage; empty: no extension.
    pub extended_key_usage: Setting<Vec<String>>,
    /// nameConstraints of a CA.
    pub name_constraints: Option<PlannedConstraints>,
    /// Algorithm and size of the key.
    pub key: PlannedKey,
    /// Lifetime in seconds.
    pub duration: Setting<i64>,
    /// Seconds before the end at which it is renewed.
    pub renew_before: Setting<i64>,
    /// Whether a renewal makes a new key (`privateKey.rotationPolicy: Always`).
    pub rotates_key: Setting<bool>,
    /// Who signs it.
    pub issuer: PlannedIssuer,
}

/// Name constraints that cert-manager will write (RFC 5280 section 4.2.1.10).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlannedConstraints {
    /// Marked critical.
    pub critical: bool,
    /// Permitted subtrees: the list that each stands in (`dnsDomains`, `ipRanges`, `emailAddresses`, `uriDomains`), and
    /// its text.
    pub permitted: Vec<(&'static str, String)>,
    /// Excluded subtrees, likewise.
    pub excluded: Vec<(&'static str, String)>,
}

/// Algorithm of a planned key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlannedKey {
    /// RSA of a size in bits.
    Rsa(u32),
    /// ECDSA on P-256, P-384 or P-521.
    Ecdsa(u32),
    /// Ed25519.
    Ed25519,
}

/// Who signs a planned certificate.
#[derive(Debug, Clone)]
pub enum PlannedIssuer {
    /// Itself.
    SelfSigned,
    /// Another planned certificate.
    Planned(PlannedId),
    /// A CA whose certificates are in the sources (end of a CA issuer's Secret).
    Certificate(FileRef),
    /// A public CA (ACME against a public directory).
    Public,
    /// An issuer outside the sources (vault, venafi, external, private ACME), with a name that tells two of them apart.
    Unknown {
        /// `ClusterIssuer vault`.
        name: String,
        /// Completes "undetermined because …".
        why: String,
    },
    /// Nobody: the certificate will not be issued.
    Nobody(Missing),
}

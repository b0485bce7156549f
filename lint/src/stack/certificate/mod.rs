//! A certificate as the stacks see it: every field they judge by, read with the patience of the most patient one.
//!
//! A certificate is read from DER, or made from a [`PlannedCertificate`] whose issuer is known although no
//! signature exists yet. Path building is written once against this view.

mod extension;
pub(super) mod key;
mod name;
mod planned;
mod read;
mod usage;

use std::ops::Range;

use mtls_identity::signature::SignatureAlgorithm;

use super::distinguished_name::Name;
use crate::deployment::PlannedId;
use crate::source::Span;
use crate::time::UnixSeconds;
pub use key::{KeyType, PublicKey, bit_length};
pub use name::{GeneralName, NameConstraints, address, octets};
pub use read::NoCertificate;
pub use usage::{ANY_USAGE, BasicConstraints, CLIENT_AUTH, KeyUsage, Purpose, SERVER_AUTH, usage_name};

/// A certificate, or one that will be issued.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// Where it stands, or where its Certificate resource does.
    pub span: Span,
    /// `CN=srv`, or `Certificate tls/etcd-server`: for messages.
    pub shown: String,
    /// Subject.
    pub subject: Name,
    /// Issuer.
    pub issuer: Name,
    /// 1, 2 or 3.
    pub version: u8,
    /// Content octets of the serial number.
    pub serial: Vec<u8>,
    /// First second of validity.
    pub not_before: UnixSeconds,
    /// Last second of validity.
    pub not_after: UnixSeconds,
    /// The public key.
    pub key: PublicKey,
    /// Signature algorithm, as far as it is known.
    pub algorithm: Option<SignatureAlgorithm>,
    /// basicConstraints.
    pub basic_constraints: Option<BasicConstraints>,
    /// keyUsage, as [`KeyUsage`] bits.
    pub key_usage: Option<u16>,
    /// extKeyUsage, dotted.
    pub extended_key_usage: Option<Vec<String>>,
    /// subjectAltName.
    pub alternative_names: Option<Vec<GeneralName>>,
    /// subjectAltName is marked critical.
    pub critical_names: bool,
    /// Something of subjectAltName that Go refuses to parse.
    pub malformed_names: Option<String>,
    /// subjectKeyIdentifier.
    pub subject_key_id: Option<Vec<u8>>,
    /// authorityKeyIdentifier.
    pub authority_key_id: Option<AuthorityKeyId>,
    /// nameConstraints.
    pub name_constraints: Option<NameConstraints>,
    /// Netscape's certificate type, a forebear of extKeyUsage that OpenSSL still reads.
    pub netscape_type: Option<u8>,
    /// Critical extensions that nobody here knows, dotted.
    pub unknown_critical: Vec<String>,
    /// The same extension twice, dotted.
    pub duplicate_extension: Option<String>,
    /// Extensions whose value cannot be read, dotted.
    pub malformed_extensions: Vec<String>,
    /// Serial number below zero.
    pub negative_serial: bool,
    /// Trust settings of a TRUSTED CERTIFICATE block.
    pub trust_settings: Option<TrustSettings>,
    /// A real one or a planned one.
    pub origin: Origin,
    /// SHA-256 of the DER; of the identity for a planned one.
    pub digest: [u8; 32],
}

/// Where a certificate comes from.
#[derive(Debug, Clone)]
pub enum Origin {
    /// DER.
    Real(Encoded),
    /// Not issued yet.
    Planned {
        /// Which.
        id: PlannedId,
        /// Who will sign it.
        signer: Signer,
    },
}

/// The DER of a certificate, and where its parts lie in it.
#[derive(Debug, Clone)]
pub struct Encoded {
    der: Vec<u8>,
    tbs: Range<usize>,
    algorithm: Range<usize>,
    signature: Range<usize>,
}

impl Encoded {
    /// The whole certificate, without what follows it.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// What is signed.
    pub fn tbs(&self) -> &[u8] {
        self.der.get(self.tbs.clone()).unwrap_or_default()
    }

    /// The outer AlgorithmIdentifier.
    pub fn algorithm(&self) -> &[u8] {
        self.der.get(self.algorithm.clone()).unwrap_or_default()
    }

    /// The signature's bits.
    pub fn signature(&self) -> &[u8] {
        self.der.get(self.signature.clone()).unwrap_or_default()
    }
}

/// Who signs a planned certificate.
#[derive(Debug, Clone)]
pub enum Signer {
    /// Another planned certificate, or itself.
    Planned(PlannedId),
    /// A certificate in the sources: SHA-256 of its public key.
    Key([u8; 32]),
    /// A public CA.
    Public,
    /// Not known; completes "undetermined because …".
    Unknown(String),
}

/// authorityKeyIdentifier (RFC 5280 section 4.2.1.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuthorityKeyId {
    /// keyIdentifier.
    pub key_id: Option<Vec<u8>>,
    /// The first directoryName of authorityCertIssuer.
    pub issuer: Option<Name>,
    /// authorityCertSerialNumber.
    pub serial: Option<Vec<u8>>,
}

/// Trust settings that follow a certificate in a TRUSTED CERTIFICATE block (OpenSSL's X509_CERT_AUX).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrustSettings {
    /// Purposes it is trusted for, dotted; empty: not said.
    pub trust: Vec<String>,
    /// Purposes it is rejected for.
    pub reject: Vec<String>,
}

impl Certificate {
    /// Subject and issuer are the same name (canonical form).
    pub fn is_self_issued(&self) -> bool {
        self.subject.canonical == self.issuer.canonical
    }

    /// Not issued yet.
    pub fn is_planned(&self) -> bool {
        matches!(self.origin, Origin::Planned { .. })
    }

    /// cA of basicConstraints is set.
    pub fn is_ca(&self) -> bool {
        self.basic_constraints.is_some_and(|constraints| constraints.ca)
    }

    /// The key may do one of these (no keyUsage: anything).
    pub fn may(&self, usages: u16) -> bool {
        self.key_usage.is_none_or(|bits| bits & usages != 0)
    }

    /// Names of one kind.
    pub fn names(&self) -> &[GeneralName] {
        self.alternative_names.as_deref().unwrap_or_default()
    }

    /// DNS names of subjectAltName.
    pub fn dns_names(&self) -> impl Iterator<Item = &str> {
        self.names().iter().filter_map(|name| match name {
            GeneralName::Dns(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// Addresses of subjectAltName.
    pub fn addresses(&self) -> impl Iterator<Item = &[u8]> {
        self.names().iter().filter_map(|name| match name {
            GeneralName::Ip(octets) => Some(octets.as_slice()),
            _ => None,
        })
    }

    /// subjectAltName as text.
    pub fn shown_names(&self) -> String {
        match &self.alternative_names {
            None if self.subject.common_names.is_empty() => "no name at all".to_owned(),
            None => {
                format!("no subjectAltName, only the common name {}", self.subject.common_names.join(", "))
            }
            Some(names) => names.iter().map(GeneralName::shown).collect::<Vec<_>>().join(", "),
        }
    }

    fn shown_as(&self) -> String {
        if !self.subject.text.is_empty() {
            return self.subject.text.clone();
        }
        match self.names().first() {
            Some(name) => name.shown(),
            None => "a certificate without any name".to_owned(),
        }
    }
}

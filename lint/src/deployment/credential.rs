//! Certificates and keys as files, and what these hold.

use super::{Lookup, PlannedId};
use crate::source::{Located, Text};

/// A certificate file with its key, as deployed.
#[derive(Debug, Clone)]
pub struct Credential {
    /// End-entity certificate and intermediates.
    pub certificate: FileRef,
    /// The private key; None where the configuration gives none.
    pub key: Option<FileRef>,
    /// What is configured to open an encrypted key: a file of passphrases, or one that is written in place. No output
    /// shows it.
    pub passphrase: Option<FileRef>,
}

/// A file as a program meets it.
#[derive(Debug, Clone)]
pub struct FileRef {
    /// The path (or the name of the inline value) as written.
    pub path: Located<String>,
    /// What is found there.
    pub content: Lookup<Content>,
    /// Only the owner (root) may read it: bits of the mode, where known.
    pub mode: Option<u32>,
}

/// What a file holds.
#[derive(Debug, Clone)]
pub enum Content {
    /// Its bytes, with a map to where the user wrote them.
    Bytes(Text),
    /// Certificates that cert-manager will write there, end-entity first.
    PlannedCertificates(Vec<PlannedId>),
    /// The private key that cert-manager will write there.
    PlannedKey(PlannedId),
    /// A folder stands there.
    Folder,
    /// It will be there, empty (cert-manager's ca.crt of an ACME issuer).
    Empty,
}

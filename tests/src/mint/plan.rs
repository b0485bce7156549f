//! A small PKI as a plan that variations change: one end-entity certificate, the authorities above it, what its owner
//! sends, and what its peer trusts.

use super::certificate::{
    Day, Draft, Extension, General, Name, key_identifier, purpose, revocation_list, usage,
};
use super::file::{self, Block};
use super::key::{Hash, Key, KeyKind};
use crate::seeded::Seeded;

/// Valid throughout every test.
pub const LONG: (Day, Day) = ((2020, 1, 1), (2046, 1, 1));
/// Over.
pub const EXPIRED: (Day, Day) = ((2010, 1, 1), (2015, 1, 1));
/// Still to come.
pub const NOT_YET: (Day, Day) = ((2045, 1, 1), (2049, 1, 1));

/// Which end of a connection the certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The one that dials.
    Client,
    /// The one that listens.
    Server,
    /// Both, as a member of a cluster.
    Peer,
}

impl Role {
    /// The right extended key usages.
    pub fn purposes(self) -> Vec<&'static str> {
        match self {
            Self::Client => vec![purpose::CLIENT],
            Self::Server => vec![purpose::SERVER],
            Self::Peer => vec![purpose::SERVER, purpose::CLIENT],
        }
    }

    /// The extended key usage of the other end alone.
    pub fn wrong_purpose(self) -> &'static str {
        if self == Self::Client { purpose::SERVER } else { purpose::CLIENT }
    }
}

/// One certificate of the plan.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its key.
    pub key: KeyKind,
    /// The digest of the signature on it; None: the issuer's own.
    pub hash: Option<Hash>,
    /// Its subject.
    pub subject: Name,
    /// Its issuer as written, where that is not simply the issuer's subject.
    pub issuer: Option<Name>,
    /// Its subjectAltName.
    pub names: Vec<General>,
    /// Its extended key usages; None: no such extension.
    pub purposes: Option<Vec<&'static str>>,
    /// Its key usage bits; None: no such extension.
    pub usage: Option<Vec<u8>>,
    /// Its basic constraints; None: no such extension.
    pub constraints: Option<(bool, Option<u8>)>,
    /// When it is valid.
    pub validity: (Day, Day),
    /// Whether it and what it issues carry key identifiers.
    pub identifiers: bool,
    /// An authority key identifier that points to nobody.
    pub astray: bool,
    /// Version 1.
    pub version_1: bool,
    /// A serial number other than the usual.
    pub serial: Option<Vec<u8>>,
    /// Further extensions.
    pub extra: Vec<Extension>,
    /// Whether the signature is spoilt.
    pub corrupt: bool,
    /// Whether the extended key usage is critical.
    pub critical_purposes: bool,
}

impl Node {
    fn authority(name: &str) -> Self {
        Self {
            usage: Some(vec![usage::KEY_CERT_SIGN, usage::CRL_SIGN]),
            constraints: Some((true, None)),
            ..Self::end_entity(name)
        }
    }

    fn end_entity(name: &str) -> Self {
        Self {
            key: KeyKind::Ec(256),
            hash: None,
            subject: Name::of(name),
            issuer: None,
            names: Vec::new(),
            purposes: None,
            usage: Some(vec![usage::DIGITAL_SIGNATURE]),
            constraints: Some((false, None)),
            validity: LONG,
            identifiers: true,
            astray: false,
            version_1: false,
            serial: None,
            extra: Vec::new(),
            corrupt: false,
            critical_purposes: false,
        }
    }
}

/// A certificate by its place in the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// The end-entity certificate.
    Leaf,
    /// The authority of this number; 0 is the root.
    Authority(usize),
    /// A self-signed authority that has nothing to do with the plan.
    Stranger,
    /// The same stranger, expired.
    ExpiredStranger,
    /// The root's name with another key.
    Twin,
    /// The root's name and key, expired.
    ExpiredTwin,
    /// The root's name and key, signed by an old root that has expired.
    CrossSigned,
    /// No certificate at all.
    Junk,
}

/// A revocation list to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocations {
    /// Of which authorities.
    pub issuers: &'static [usize],
    /// Another authority's list instead.
    pub stranger: bool,
    /// Whether the end-entity certificate is on its issuer's list.
    pub leaf: bool,
    /// Whether the first intermediate is on the root's list.
    pub intermediate: bool,
    /// When it is in force.
    pub updates: (Day, Day),
    /// How the file is: `normal`, `missing`, `empty`.
    pub form: &'static str,
}

/// What can be done to the key beside choosing its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyForm {
    /// PKCS#8.
    Pkcs8,
    /// SEC1 or PKCS#1.
    Traditional,
    /// An encrypted block.
    Encrypted,
    /// Another key of the same kind.
    Other,
    /// A key of another kind.
    OtherKind,
    /// The public key.
    Public,
}

/// The whole plan.
#[derive(Debug, Clone)]
pub struct Plan {
    /// For which end.
    pub role: Role,
    /// What its own key's label begins with.
    pub label: String,
    /// What its authorities' keys' labels begin with.
    pub authority_label: String,
    /// From the root downwards; the last one issues the end-entity certificate. None: it signs itself.
    pub authorities: Vec<Node>,
    /// The end-entity certificate.
    pub leaf: Node,
    /// What stands in the certificate file.
    pub sent: Vec<Item>,
    /// What stands in the peer's CA file.
    pub bundle: Vec<Item>,
    /// The key as it is written.
    pub key_form: KeyForm,
    /// How the certificate file is written; see [`file::write`].
    pub certificate_file: &'static str,
    /// How the key file is written.
    pub key_file: &'static str,
    /// How the CA file is written.
    pub bundle_file: &'static str,
    /// Whether the peer has a revocation list.
    pub revocations: Option<Revocations>,
}

/// The plan's files; None where a file is missing.
#[derive(Debug, Clone)]
pub struct Minted {
    /// The certificate file.
    pub certificate: Option<Vec<u8>>,
    /// The key file.
    pub key: Option<Vec<u8>>,
    /// The CA file for the peer.
    pub bundle: Option<Vec<u8>>,
    /// The revocation lists for the peer.
    pub revocations: Option<Vec<u8>>,
}

impl Plan {
    /// A root that issued a good certificate with these names.
    pub fn new(role: Role, label: &str, common_name: &str, names: Vec<General>) -> Self {
        let leaf = Node { names, purposes: Some(role.purposes()), ..Node::end_entity(common_name) };
        Self {
            role,
            label: label.to_owned(),
            authority_label: label.to_owned(),
            authorities: vec![Node::authority(&format!("{common_name}-root"))],
            leaf,
            sent: vec![Item::Leaf],
            bundle: vec![Item::Authority(0)],
            key_form: KeyForm::Pkcs8,
            certificate_file: "normal",
            key_file: "normal",
            bundle_file: "normal",
            revocations: None,
        }
    }

    /// Puts this many intermediates between root and end entity, sent along.
    pub fn intermediates(&mut self, count: usize) {
        let root = self.root().subject.0.last().map(|attribute| attribute.2.clone()).unwrap_or_default();
        self.authorities.truncate(1);
        for number in 1..=count {
            self.authorities.push(Node::authority(&format!("{root}-i{number}")));
        }
        self.sent = std::iter::once(Item::Leaf).chain((1..=count).rev().map(Item::Authority)).collect();
    }

    /// The intermediate to vary; made if there is none.
    pub fn intermediate(&mut self) -> &mut Node {
        if self.authorities.len() < 2 {
            self.intermediates(1);
        }
        &mut self.authorities[1]
    }

    /// The root to vary.
    pub fn root(&mut self) -> &mut Node {
        if self.authorities.is_empty() {
            self.authorities.push(Node::authority("late-root"));
        }
        &mut self.authorities[0]
    }

    fn key(&self, item: Item) -> Key {
        match item {
            Item::Leaf => Key::new(self.leaf.key, &format!("{} leaf", self.label)),
            Item::Authority(number) => {
                let kind = self.authorities.get(number).map_or(KeyKind::Ec(256), |node| node.key);
                Key::new(kind, &format!("{} authority {number}", self.authority_label))
            }
            Item::ExpiredTwin | Item::CrossSigned => self.key(Item::Authority(0)),
            other => Key::new(KeyKind::Ec(256), &format!("{} {other:?}", self.authority_label)),
        }
    }

    fn draft(&self, node: &Node, item: Item, issuer: Option<(&Node, Item)>) -> Vec<u8> {
        let key = self.key(item);
        let (issuer_node, issuer_key) = match issuer {
            Some((node, item)) => (node, self.key(item)),
            None => (node, key.clone()),
        };
        let mut extensions = Vec::new();
        extensions.extend(
            node.constraints.map(|(authority, length)| Extension::basic_constraints(authority, length)),
        );
        extensions.extend(node.usage.as_deref().map(Extension::key_usage));
        if let Some(purposes) = &node.purposes {
            extensions.push(Extension { critical: node.critical_purposes, ..Extension::purposes(purposes) });
        }
        if !node.names.is_empty() {
            extensions.push(Extension::names(&node.names));
        }
        if node.identifiers {
            extensions.push(Extension::subject_key(&key_identifier(&key)));
        }
        if node.astray {
            extensions.push(Extension::authority_key(&[0x5a; 20]));
        } else if issuer.is_some() && issuer_node.identifiers && node.identifiers {
            extensions.push(Extension::authority_key(&key_identifier(&issuer_key)));
        }
        extensions.extend(node.extra.iter().cloned());
        let draft = Draft {
            version_1: node.version_1,
            serial: node.serial.clone().unwrap_or_else(|| self.serial(item)),
            issuer: node.issuer.clone().unwrap_or_else(|| issuer_node.subject.clone()),
            subject: node.subject.clone(),
            validity: node.validity,
            later: 0,
            extensions,
            hash: node.hash,
            corrupt: node.corrupt,
        };
        draft.sign(&key.public(), &issuer_key)
    }

    /// Eight bytes, the first neither zero nor negative.
    fn serial(&self, item: Item) -> Vec<u8> {
        let label = if item == Item::Leaf { &self.label } else { &self.authority_label };
        let mut serial = Seeded::new(&format!("{label} serial {item:?}")).bytes(8);
        serial[0] = serial[0] & 0x7f | 0x40;
        serial
    }

    /// The certificate at this place, DER.
    pub fn certificate(&self, item: Item) -> Vec<u8> {
        let root = |change: fn(&mut Node)| {
            let mut node = self.authorities.first().cloned().unwrap_or_else(|| Node::authority("nobody"));
            change(&mut node);
            node
        };
        match item {
            Item::Leaf => {
                let issuer = self.authorities.len().checked_sub(1);
                let issuer = issuer.map(|number| (&self.authorities[number], Item::Authority(number)));
                self.draft(&self.leaf, item, issuer)
            }
            Item::Authority(number) => {
                let Some(node) = self.authorities.get(number) else {
                    return self.certificate(Item::Stranger);
                };
                let issuer =
                    number.checked_sub(1).map(|above| (&self.authorities[above], Item::Authority(above)));
                self.draft(node, item, issuer)
            }
            Item::Stranger => self.draft(&Node::authority("stranger"), item, None),
            Item::ExpiredStranger => {
                self.draft(&Node { validity: EXPIRED, ..Node::authority("stranger") }, item, None)
            }
            Item::Twin => self.draft(&root(|_| ()), item, None),
            Item::ExpiredTwin => self.draft(&root(|node| node.validity = EXPIRED), item, None),
            Item::CrossSigned => {
                let old = Node { validity: EXPIRED, ..Node::authority("old-root") };
                self.draft(&root(|_| ()), item, Some((&old, Item::Stranger)))
            }
            Item::Junk => b"this is no certificate, but it is valid base64".to_vec(),
        }
    }

    fn written_key(&self) -> Block {
        let key = self.key(Item::Leaf);
        let block = |label: &str, der: Vec<u8>| Block { label: label.to_owned(), der };
        match self.key_form {
            KeyForm::Pkcs8 => block("PRIVATE KEY", key.pkcs8()),
            KeyForm::Traditional => block(key.traditional_label(), key.traditional()),
            KeyForm::Encrypted => block("ENCRYPTED PRIVATE KEY", file::encrypted_key()),
            KeyForm::Other => {
                block("PRIVATE KEY", Key::new(self.leaf.key, &format!("{} other", self.label)).pkcs8())
            }
            KeyForm::OtherKind => {
                let kind =
                    if self.leaf.key == KeyKind::Ec(256) { KeyKind::Rsa(2048) } else { KeyKind::Ec(256) };
                block("PRIVATE KEY", Key::new(kind, &format!("{} other", self.label)).pkcs8())
            }
            KeyForm::Public => block("PUBLIC KEY", key.public()),
        }
    }

    /// Every file.
    pub fn mint(&self) -> Minted {
        let blocks = |items: &[Item]| -> Vec<Block> {
            items
                .iter()
                .map(|item| Block { label: "CERTIFICATE".into(), der: self.certificate(*item) })
                .collect()
        };
        let key = self.written_key();
        let sent = blocks(&self.sent);
        let certificate = if self.certificate_file == "swapped" {
            file::write("normal", std::slice::from_ref(&key), None)
        } else {
            file::write(self.certificate_file, &sent, Some(&key))
        };
        let key = if self.key_file == "swapped" {
            file::write("normal", &sent, None)
        } else {
            file::write(self.key_file, std::slice::from_ref(&key), None)
        };
        Minted {
            certificate,
            key,
            bundle: file::write(self.bundle_file, &blocks(&self.bundle), Some(&self.written_key())),
            revocations: self.revocations.and_then(|revocations| self.lists(revocations)),
        }
    }

    fn lists(&self, revocations: Revocations) -> Option<Vec<u8>> {
        let last = self.authorities.len().saturating_sub(1);
        let mut blocks = Vec::new();
        for number in revocations.issuers.iter().filter(|number| **number <= last) {
            let mut revoked = Vec::new();
            if revocations.leaf && *number == last {
                revoked.push(self.leaf.serial.clone().unwrap_or_else(|| self.serial(Item::Leaf)));
            }
            if revocations.intermediate && *number == 0 && last > 0 {
                revoked.push(self.serial(Item::Authority(1)));
            }
            let name = &self.authorities.get(*number)?.subject;
            let list =
                revocation_list(name, &self.key(Item::Authority(*number)), revocations.updates, &revoked);
            blocks.push(Block { label: "X509 CRL".into(), der: list });
        }
        if revocations.stranger {
            let name = Node::authority("stranger").subject;
            let list = revocation_list(&name, &self.key(Item::Stranger), revocations.updates, &[]);
            blocks.push(Block { label: "X509 CRL".into(), der: list });
        }
        file::write(revocations.form, &blocks, None)
    }
}

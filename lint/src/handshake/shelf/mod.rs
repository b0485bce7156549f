//! Files as the programs of a connection load them, each read once.

mod pair;
mod planned;
mod revocation;
mod trust;

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::outcome::Step;
use super::{Side, UnixSeconds};
use crate::deployment::{
    Content, Credential, Deployment, FileRef, Lookup, PlannedId, PlannedIssuer, Program, ProgramId, Stack,
    Trust, Versions,
};
use crate::finding::Label;
use crate::source::{Span, Text};
use crate::stack::certificate::Certificate;
use crate::stack::encrypted_key::Budget;
use crate::stack::load::{Certificates, LoadedKey, Problem, ReadOnce};
use crate::stack::signatures::{Signatures, Signed};
use crate::stack::{Mistake, boringssl, go, openssl};
pub use pair::{Pair, Unfit, need};
pub use revocation::Lists;

/// Everything that was read during a run: files, planned certificates, signatures.
#[derive(Debug)]
pub struct Shelf<'d> {
    /// What is judged.
    pub deployment: &'d Deployment,
    /// Signature checks.
    pub signatures: Signatures,
    once: ReadOnce,
    chains: RefCell<HashMap<FileKey, Result<Loaded, Problem>>>,
    planned: RefCell<HashMap<PlannedId, Arc<Certificate>>>,
    started: RefCell<HashMap<(ProgramId, Side), Step>>,
    moments: RefCell<BTreeSet<UnixSeconds>>,
    known: OnceCell<Vec<Known>>,
    opened: RefCell<Vec<(EncryptedKey, Result<LoadedKey, Problem>)>>,
    budget: Budget,
}

/// An encrypted key: where it and its passphrase are written, and whether BoringSSL reads it.
type EncryptedKey = (Span, Span, bool);

/// A CA certificate that some file has.
#[derive(Debug)]
pub(crate) struct Known {
    /// The certificate.
    pub certificate: Arc<Certificate>,
    /// Its file, as whoever loads it names it, or as it was given.
    pub path: String,
}

/// A file as it is read: who reads it, where it was written, how long it is.
type FileKey = (Reader, Span, usize);

/// Who reads a file, and as what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Reader {
    OpensslChain,
    OpensslAnchors,
    ApisixClientCa,
    GoChain,
    GoAnchors,
    EnvoyChain,
    EnvoyAnchors,
}

/// A certificate file as it was loaded.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// End-entity certificate first, as far as the file has it there.
    pub certificates: Certificates,
    /// Go sends a block that is no certificate along, and the peer stumbles over it.
    pub junk: bool,
}

/// What a program loads a file for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileUse {
    /// Its own certificate, with what follows it.
    Certificate,
    /// A certificate that follows its own.
    Issuer,
    /// Its private key.
    Key,
    /// Whom it trusts.
    Trust,
    /// The names of authorities that it sends to clients.
    ClientCaList,
    /// What its authorities revoked.
    RevocationList,
}

/// A file that stops a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The rule's id.
    pub rule: &'static str,
    /// Both halves.
    pub message: String,
    /// The library's words.
    pub words: String,
    /// The first is the primary place.
    pub labels: Vec<Label>,
    /// The file and its use; None for a setting.
    pub file: Option<(FileUse, String)>,
}

impl Refused {
    fn problem(file: &FileRef, used: FileUse, role: &str, problem: &Problem) -> Self {
        let mut labels = vec![Label { span: file.path.span, message: format!("{role} is loaded from here") }];
        if problem.span != file.path.span {
            labels.push(Label { span: problem.span, message: problem.message.clone() });
        }
        Self {
            rule: problem.mistake.rule(),
            message: format!("{role} {} {}", file.path.value, problem.message),
            words: problem.words.clone(),
            labels,
            file: Some((used, file.path.value.clone())),
        }
    }
}

/// What stands at a file's place.
enum Found<'f> {
    Text(&'f Text),
    Empty,
    Planned(&'f [PlannedId]),
    PlannedKey(PlannedId),
    Unseen(String),
}

impl<'d> Shelf<'d> {
    /// An empty shelf.
    pub fn new(deployment: &'d Deployment) -> Self {
        Self {
            deployment,
            signatures: Signatures::default(),
            once: ReadOnce::default(),
            chains: RefCell::default(),
            planned: RefCell::default(),
            started: RefCell::default(),
            moments: RefCell::default(),
            known: OnceCell::new(),
            opened: RefCell::default(),
            budget: Budget::default(),
        }
    }

    /// The CA certificates of all files: those that programs load, those of Secrets, and those that only lie there; each
    /// once, read when first asked for.
    pub(crate) fn known(&self) -> &[Known] {
        self.known.get_or_init(|| {
            let programs = &self.deployment.programs;
            let contexts = programs.iter().flat_map(|program| &program.listeners);
            let contexts = contexts.flat_map(|listener| &listener.tls).flat_map(|tls| &tls.contexts);
            let clients =
                programs.iter().flat_map(|program| &program.dialers).filter_map(|dialer| dialer.tls.as_ref());
            let trust = contexts
                .flat_map(|context| &context.client_auth.trust)
                .chain(clients.flat_map(|tls| &tls.trust));
            let bundles = trust.filter_map(|trust| match trust {
                Trust::File { file, .. } => Some(file),
                Trust::System(_) => None,
            });
            let mut known = Vec::new();
            let mut seen = BTreeSet::new();
            let mut take = |path: String, certificates: Certificates| {
                let authorities = certificates.into_iter().filter(|certificate| {
                    certificate.basic_constraints.as_ref().is_some_and(|constraints| constraints.ca)
                });
                let new = authorities.filter(|certificate| seen.insert(certificate.digest));
                known.extend(new.map(|certificate| Known { certificate, path: path.clone() }));
            };
            for file in self.credentials().map(|credential| &credential.certificate).chain(bundles) {
                if let Ok(Ok(loaded)) = self.read(Reader::OpensslChain, file) {
                    take(file.path.value.clone(), loaded.certificates);
                }
            }
            for secret in &self.deployment.manifests.stored {
                for datum in &secret.data {
                    let Ok(text) = &datum.value else { continue };
                    let path = format!("{} of Secret {}", datum.key.value, secret.metadata.path());
                    take(path, self.lying(text));
                }
            }
            for (path, text) in &self.deployment.loose {
                take(path.clone(), self.lying(text));
            }
            known
        })
    }

    /// The intermediate that signed a certificate, where some file has it.
    pub(crate) fn intermediate_of(&self, certificate: &Certificate) -> Option<&Known> {
        self.known().iter().find(|known| {
            known.certificate.digest != certificate.digest
                && !known.certificate.is_self_issued()
                && self.signs(&known.certificate, certificate)
        })
    }

    /// Whether one certificate bears another one's name as its issuer's, and its signature.
    pub(super) fn signs(&self, issuer: &Certificate, certificate: &Certificate) -> bool {
        certificate.issuer.canonical == issuer.subject.canonical
            && self.signatures.signed(certificate, issuer) == Signed::Yes
    }

    /// The certificate file in which a place lies, by the name under which its program knows it.
    pub(crate) fn bundle_of(&self, place: Span) -> Option<&str> {
        let files = self.credentials().map(|credential| &credential.certificate);
        let mut files = files.filter(|file| match &file.content {
            Lookup::Found(Content::Bytes(text)) => {
                let whole = text.full_span();
                whole.file == place.file && whole.start <= place.start && place.end <= whole.end
            }
            _ => false,
        });
        files.next().map(|file| file.path.value.as_str())
    }

    /// What programs present, as servers and as clients.
    fn credentials(&self) -> impl Iterator<Item = &'d Credential> {
        let programs = self.deployment.programs.iter();
        programs.flat_map(|program| {
            let contexts = program.listeners.iter().flat_map(|listener| &listener.tls);
            let served = contexts.flat_map(|tls| &tls.contexts).flat_map(|context| &context.credentials);
            let dialers = program.dialers.iter().filter_map(|dialer| dialer.tls.as_ref());
            served.chain(dialers.flat_map(|tls| &tls.credential))
        })
    }

    /// Whether a program starts, found out once.
    ///
    /// # Errors
    /// Why it does not.
    pub fn starts_once(&self, id: ProgramId, program: &Program, side: Side) -> Step {
        if let Some(known) = self.started.borrow().get(&(id, side)) {
            return known.clone();
        }
        let step = self.starts(program, side);
        self.started.borrow_mut().insert((id, side), step.clone());
        step
    }

    /// Moments at which something that was read since the last call begins or ceases to be valid.
    pub fn take_moments(&self) -> BTreeSet<UnixSeconds> {
        self.moments.take()
    }

    fn found<'f>(
        &self,
        file: &'f FileRef,
        used: FileUse,
        role: &str,
        version: &Versions,
    ) -> Result<Found<'f>, Refused> {
        let missing = |rule: &'static str, message: String, mut more: Vec<Label>| {
            let mut labels =
                vec![Label { span: file.path.span, message: format!("{role} is loaded from here") }];
            labels.append(&mut more);
            let words = match version.stack {
                Stack::Go(_) => format!("open {}: no such file or directory", file.path.value),
                Stack::BoringSsl => format!("Invalid path: {}", file.path.value),
                Stack::OpenSsl { .. } => {
                    "error:80000002:system library::No such file or directory".to_owned()
                }
            };
            Refused { rule, message, words, labels, file: Some((used, file.path.value.clone())) }
        };
        match &file.content {
            Lookup::Found(Content::Bytes(text)) => Ok(Found::Text(text)),
            Lookup::Found(Content::Empty) => Ok(Found::Empty),
            Lookup::Found(Content::PlannedCertificates(ids)) => {
                for id in ids {
                    if let Some(PlannedIssuer::Nobody(nobody)) =
                        self.deployment.planned.get(*id).map(|planned| &planned.issuer)
                    {
                        return Err(missing(
                            nobody.rule,
                            format!("{role} {} will not exist: {}", file.path.value, nobody.message),
                            nobody.labels.clone(),
                        ));
                    }
                }
                Ok(Found::Planned(ids))
            }
            Lookup::Found(Content::PlannedKey(id)) => Ok(Found::PlannedKey(*id)),
            Lookup::Found(Content::Folder) => Err(missing(
                Mistake::UnreadableFile.rule(),
                format!("{role} {} is a folder, not a file", file.path.value),
                Vec::new(),
            )),
            Lookup::Missing(why) => {
                Err(missing(why.rule, format!("{role}: {}", why.message), why.labels.clone()))
            }
            Lookup::Unseen(why) => Ok(Found::Unseen(why.clone())),
        }
    }

    fn read(&self, reader: Reader, file: &FileRef) -> Result<Result<Loaded, Problem>, String> {
        match &file.content {
            Lookup::Found(Content::Bytes(text)) => Ok(self.parse(reader, text)),
            Lookup::Found(Content::PlannedCertificates(ids)) => Ok(Ok(Loaded {
                certificates: ids.iter().filter_map(|id| self.planned(*id)).collect(),
                junk: false,
            })),
            Lookup::Unseen(why) => Err(why.clone()),
            _ => Err(format!("{} is not seen", file.path.value)),
        }
    }

    fn parse(&self, reader: Reader, text: &Text) -> Result<Loaded, Problem> {
        let key = (reader, text.full_span(), text.bytes().len());
        if let Some(known) = self.chains.borrow().get(&key) {
            self.note_moments(known);
            return known.clone();
        }
        let plain = |certificates| Loaded { certificates, junk: false };
        let loaded = match reader {
            Reader::OpensslChain => openssl::load::chain(text, &self.once).map(plain),
            Reader::OpensslAnchors => openssl::load::anchors(text, &self.once).map(plain),
            Reader::ApisixClientCa => openssl::load::apisix_client_ca(text, &self.once).map(plain),
            Reader::GoChain => {
                go::load::chain(text, &self.once).map(|(certificates, junk)| Loaded { certificates, junk })
            }
            Reader::GoAnchors => go::load::anchors(text, &self.once).map(plain),
            Reader::EnvoyChain => boringssl::load::chain(text, &self.once).map(plain),
            Reader::EnvoyAnchors => boringssl::load::anchors(text, &self.once).map(plain),
        };
        self.note_moments(&loaded);
        self.chains.borrow_mut().insert(key, loaded.clone());
        loaded
    }

    /// The certificates of a text that no program is seen to load; none where OpenSSL would refuse it.
    pub(super) fn lying(&self, text: &Text) -> Certificates {
        openssl::load::chain(text, &self.once).unwrap_or_default()
    }

    fn note_moments(&self, loaded: &Result<Loaded, Problem>) {
        let mut moments = self.moments.borrow_mut();
        for certificate in loaded.iter().flat_map(|loaded| &loaded.certificates) {
            moments.insert(certificate.not_before);
            moments.insert(certificate.not_after.saturating_add(1));
        }
    }
}

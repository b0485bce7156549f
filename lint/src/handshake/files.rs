//! Files as the programs of a connection load them, each read once.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::outcome::{Step, Stop, unknown};
use super::{Side, UnixSeconds};
use crate::deployment::{
    Content, Credential, Deployment, FileRef, Lookup, PlannedId, PlannedIssuer, Program, ProgramId, Stack,
    Trust, TrustLoader, Version, Versions,
};
use crate::finding::Label;
use crate::source::{Span, Text};
use crate::stack::certificate::{Certificate, Signer};
use crate::stack::crl::RevocationList;
use crate::stack::load::{Certificates, Problem};
use crate::stack::openssl::{self, level};
use crate::stack::private_key::PrivateKey;
use crate::stack::signatures::Signatures;
use crate::stack::{Anchors, Mistake, boringssl, go};

/// Issuers of planned certificates that are followed before it is called a loop.
const MOST_ISSUERS: usize = 16;

/// Everything that was read during a run: files, planned certificates, signatures.
#[derive(Debug)]
pub struct Shelf<'d> {
    /// What is judged.
    pub deployment: &'d Deployment,
    /// Signature checks.
    pub signatures: Signatures,
    chains: RefCell<HashMap<FileKey, Result<Loaded, Problem>>>,
    planned: RefCell<HashMap<PlannedId, Arc<Certificate>>>,
    started: RefCell<HashMap<(ProgramId, Side), Step>>,
    moments: RefCell<BTreeSet<UnixSeconds>>,
    known: OnceCell<Certificates>,
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

/// A certificate with its key, loaded and found to belong together as far as the program looks.
#[derive(Debug, Clone, Default)]
pub struct Pair {
    /// What is presented.
    pub chain: Loaded,
    /// The key; None where it is not seen or not needed.
    pub key: Option<PrivateKey>,
    /// What could not be seen of either.
    pub unseen: Vec<String>,
    /// It can be read, but not used.
    pub unfit: Option<Unfit>,
}

/// A certificate and a key that can be read, but not used together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// The mistake's name.
    pub mistake: Mistake,
    /// Both halves.
    pub message: String,
    /// The program's words.
    pub words: String,
    /// Where.
    pub labels: Vec<Label>,
    /// The key is of another algorithm than the certificate's.
    pub other_kind: bool,
}

/// A file that stops a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The rule's id.
    pub rule: &'static str,
    /// Both halves.
    pub message: String,
    /// The program's words.
    pub words: String,
    /// The first is the primary place.
    pub labels: Vec<Label>,
}

impl Refused {
    fn problem(file: &FileRef, role: &str, problem: &Problem) -> Self {
        let mut labels = vec![Label { span: file.path.span, message: format!("{role} is loaded from here") }];
        if problem.span != file.path.span {
            labels.push(Label { span: problem.span, message: problem.message.clone() });
        }
        Self {
            rule: problem.mistake.rule(),
            message: format!("{role} {} {}", file.path.value, problem.message),
            words: problem.words.clone(),
            labels,
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
            chains: RefCell::default(),
            planned: RefCell::default(),
            started: RefCell::default(),
            moments: RefCell::default(),
            known: OnceCell::new(),
        }
    }

    /// The CA certificates in all files that programs load, each once; read when first asked for.
    pub(super) fn known(&self) -> &Certificates {
        self.known.get_or_init(|| {
            let programs = &self.deployment.programs;
            let contexts =
                programs.iter().flat_map(|program| &program.listeners).flat_map(|listener| &listener.tls);
            let contexts = contexts.flat_map(|tls| &tls.contexts);
            let clients =
                programs.iter().flat_map(|program| &program.dialers).filter_map(|dialer| dialer.tls.as_ref());
            let credentials = contexts
                .clone()
                .flat_map(|context| &context.credentials)
                .chain(clients.clone().flat_map(|tls| &tls.credential));
            let trust = contexts
                .flat_map(|context| &context.client_auth.trust)
                .chain(clients.flat_map(|tls| &tls.trust));
            let bundles = trust.filter_map(|trust| match trust {
                Trust::File { file, .. } => Some(file),
                Trust::System(_) => None,
            });
            let files = credentials.map(|credential| &credential.certificate).chain(bundles);
            let mut certificates = Certificates::new();
            let mut seen = BTreeSet::new();
            for file in files {
                let Ok(Ok(loaded)) = self.read(Reader::OpensslChain, file) else { continue };
                let authorities = loaded.certificates.into_iter().filter(|certificate| {
                    certificate.basic_constraints.as_ref().is_some_and(|constraints| constraints.ca)
                });
                certificates.extend(authorities.filter(|certificate| seen.insert(certificate.digest)));
            }
            certificates
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

    /// A planned certificate as the stacks see it.
    pub fn planned(&self, id: PlannedId) -> Option<Arc<Certificate>> {
        self.planned_within(id, 0)
    }

    fn planned_within(&self, id: PlannedId, depth: usize) -> Option<Arc<Certificate>> {
        if let Some(known) = self.planned.borrow().get(&id) {
            return Some(Arc::clone(known));
        }
        let planned = self.deployment.planned.get(id)?;
        let mut real_issuer = None;
        let (issuer, signer) = match &planned.issuer {
            PlannedIssuer::SelfSigned => (None, Signer::Planned(id)),
            PlannedIssuer::Planned(by) if depth < MOST_ISSUERS && *by != id => {
                (self.planned_within(*by, depth + 1), Signer::Planned(*by))
            }
            PlannedIssuer::Planned(by) => (None, Signer::Planned(*by)),
            PlannedIssuer::Certificate(file) => match self.read(Reader::OpensslChain, file) {
                Ok(Ok(loaded)) if !loaded.certificates.is_empty() => {
                    real_issuer = loaded.certificates.first().map(Arc::clone);
                    let key = real_issuer.as_ref().map_or([0; 32], |issuer| issuer.key.digest);
                    (None, Signer::Key(key))
                }
                _ => (None, Signer::Unknown(format!("the issuer of {} is not seen", planned.name))),
            },
            PlannedIssuer::Public => (None, Signer::Public),
            PlannedIssuer::Unknown { why, .. } => (None, Signer::Unknown(why.clone())),
            PlannedIssuer::Nobody(_) => {
                (None, Signer::Unknown(format!("{} will not be issued", planned.name)))
            }
        };
        let issuer = issuer.or(real_issuer);
        let certificate = Arc::new(Certificate::planned(id, planned, issuer.as_deref(), signer));
        self.planned.borrow_mut().insert(id, Arc::clone(&certificate));
        Some(certificate)
    }

    fn found<'f>(&self, file: &'f FileRef, role: &str, version: &Versions) -> Result<Found<'f>, Refused> {
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
            Refused { rule, message, words, labels }
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
            Reader::OpensslChain => openssl::load::chain(text).map(plain),
            Reader::OpensslAnchors => openssl::load::anchors(text).map(plain),
            Reader::ApisixClientCa => openssl::load::apisix_client_ca(text).map(plain),
            Reader::GoChain => {
                go::load::chain(text).map(|(certificates, junk)| Loaded { certificates, junk })
            }
            Reader::GoAnchors => go::load::anchors(text).map(plain),
            Reader::EnvoyChain => boringssl::load::chain(text).map(plain),
            Reader::EnvoyAnchors => boringssl::load::anchors(text).map(plain),
        };
        self.note_moments(&loaded);
        self.chains.borrow_mut().insert(key, loaded.clone());
        loaded
    }

    fn note_moments(&self, loaded: &Result<Loaded, Problem>) {
        let mut moments = self.moments.borrow_mut();
        for certificate in loaded.iter().flat_map(|loaded| &loaded.certificates) {
            moments.insert(certificate.not_before);
            moments.insert(certificate.not_after.saturating_add(1));
        }
    }

    /// Loads a certificate and its key as a program with this stack does; `security_level` is the level in force
    /// when they are loaded.
    ///
    /// # Errors
    /// Why the program refuses them.
    pub fn pair(
        &self,
        credential: &Credential,
        versions: &Versions,
        security_level: u8,
        role: &str,
    ) -> Result<Pair, Refused> {
        let mut pair = Pair::default();
        let certificate_role = format!("the {role} certificate");
        let reader = match versions.stack {
            Stack::OpenSsl { .. } => Reader::OpensslChain,
            Stack::Go(_) => Reader::GoChain,
            Stack::BoringSsl => Reader::EnvoyChain,
        };
        let refuse =
            |problem: &Problem| Refused::problem(&credential.certificate, &certificate_role, problem);
        match self.found(&credential.certificate, &certificate_role, versions)? {
            Found::Text(text) => pair.chain = self.parse(reader, text).map_err(|problem| refuse(&problem))?,
            Found::Planned(ids) => {
                pair.chain.certificates = ids.iter().filter_map(|id| self.planned(*id)).collect();
            }
            Found::Empty | Found::PlannedKey(_) => {
                return Err(Refused {
                    rule: Mistake::UnreadableFile.rule(),
                    message: format!(
                        "{certificate_role} {} holds no certificate",
                        credential.certificate.path.value
                    ),
                    words: openssl::load::NO_START_LINE.to_owned(),
                    labels: vec![Label {
                        span: credential.certificate.path.span,
                        message: "loaded from here".to_owned(),
                    }],
                });
            }
            Found::Unseen(why) => pair.unseen.push(why),
        }
        if let (Stack::OpenSsl { version, .. }, Some(first)) =
            (versions.stack, pair.chain.certificates.first())
        {
            pair.unfit = weak(&pair.chain.certificates, first, version, security_level, credential);
        }
        if let Some(key) = &credential.key {
            self.key(&mut pair, credential, key, versions, role)?;
        }
        Ok(pair)
    }

    fn key(
        &self,
        pair: &mut Pair,
        credential: &Credential,
        key: &FileRef,
        versions: &Versions,
        role: &str,
    ) -> Result<(), Refused> {
        let key_role = format!("the private key of the {role} certificate");
        let read = match self.found(key, &key_role, versions)? {
            Found::Text(text) => match versions.stack {
                Stack::OpenSsl { .. } => openssl::load::private_key(text, credential.has_passphrase),
                Stack::Go(_) => go::load::private_key(text).map(Some),
                Stack::BoringSsl => boringssl::load::private_key(text, credential.has_passphrase),
            }
            .map_err(|problem| Refused::problem(key, &key_role, &problem))?,
            Found::PlannedKey(id) => Some(PrivateKey::Planned(id)),
            Found::Empty | Found::Planned(_) => {
                return Err(Refused {
                    rule: Mistake::UnreadableFile.rule(),
                    message: format!("{key_role} {} holds no private key", key.path.value),
                    words: "error:1E08010C:DECODER routines::unsupported".to_owned(),
                    labels: vec![Label { span: key.path.span, message: "loaded from here".to_owned() }],
                });
            }
            Found::Unseen(why) => {
                pair.unseen.push(why);
                None
            }
        };
        if let (Some(key_read), Some(first)) = (&read, pair.chain.certificates.first())
            && key_read.belongs_to(first) == Some(false)
        {
            let mut labels = vec![
                Label { span: key.path.span, message: "this private key".to_owned() },
                Label {
                    span: credential.certificate.path.span,
                    message: "does not belong to this certificate".to_owned(),
                },
            ];
            let elsewhere =
                pair.chain.certificates.iter().skip(1).find(|other| key_read.belongs_to(other) == Some(true));
            let mut message = format!(
                "the private key {} does not belong to {}, the first certificate in {}",
                key.path.value, first.shown, credential.certificate.path.value
            );
            let misordered = elsewhere.is_some();
            if let Some(other) = elsewhere {
                message = format!("{message}; it belongs to {}, which stands further down", other.shown);
                labels.push(Label { span: other.span, message: "it belongs to this one".to_owned() });
            }
            pair.unfit = Some(Unfit {
                mistake: if misordered { Mistake::MisorderedChain } else { Mistake::MismatchedKey },
                message,
                words: match versions.stack {
                    Stack::OpenSsl { .. } => {
                        "error:05800074:x509 certificate routines::key values mismatch".to_owned()
                    }
                    Stack::Go(_) => "tls: private key does not match public key".to_owned(),
                    Stack::BoringSsl => "KEY_VALUES_MISMATCH".to_owned(),
                },
                labels,
                other_kind: !key_read.same_kind(first),
            });
        }
        pair.key = read;
        Ok(())
    }

    /// Loads trust bundles in their order.
    ///
    /// # Errors
    /// Why the program refuses one.
    pub fn anchors(
        &self,
        trust: &[Trust],
        versions: &Versions,
        program: Version,
    ) -> Result<Anchors, Refused> {
        let mut anchors = Anchors::default();
        for source in trust {
            let (file, loader) = match source {
                Trust::System(_) => {
                    anchors.system = true;
                    continue;
                }
                Trust::File { file, loader } => (file, *loader),
            };
            let role = "the trust bundle";
            let reader = match loader {
                TrustLoader::ClientCaList | TrustLoader::Anchors => Reader::OpensslAnchors,
                TrustLoader::ApisixClientCa => Reader::ApisixClientCa,
                TrustLoader::Go => Reader::GoAnchors,
                TrustLoader::Envoy => Reader::EnvoyAnchors,
            };
            let refuse = |problem: &Problem| Refused::problem(file, role, problem);
            let loaded = match self.found(file, role, versions)? {
                Found::Text(text) => {
                    // 1.27 and later build the list from what they read themselves
                    if loader == TrustLoader::ClientCaList && program < Version(1, 27, 0) {
                        openssl::load::client_ca_list(text).map_err(|problem| {
                            match self.parse(reader, text) {
                                Err(first) => refuse(&first),
                                Ok(_) => refuse(&problem),
                            }
                        })?;
                    }
                    self.parse(reader, text).map_err(|problem| refuse(&problem))?.certificates
                }
                Found::Planned(ids) => ids.iter().filter_map(|id| self.planned(*id)).collect(),
                Found::Empty | Found::PlannedKey(_) if loader == TrustLoader::Go => Vec::new(),
                Found::Empty | Found::PlannedKey(_) => {
                    return Err(Refused {
                        rule: Mistake::EmptyTrustBundle.rule(),
                        message: format!("the trust bundle {} holds no certificate", file.path.value),
                        words: openssl::load::NOTHING_FOUND.to_owned(),
                        labels: vec![Label { span: file.path.span, message: "loaded from here".to_owned() }],
                    });
                }
                Found::Unseen(why) => {
                    anchors.unseen.push(why);
                    continue;
                }
            };
            for certificate in loaded {
                if !anchors.certificates.iter().any(|known| known.digest == certificate.digest) {
                    anchors.certificates.push(certificate);
                }
            }
        }
        Ok(anchors)
    }

    /// Loads revocation lists; Go reads them anew for every connection, so that a bad one is no refusal to start.
    ///
    /// # Errors
    /// Why the program refuses one; for Go, why it refuses the peer.
    pub fn revocation_lists(&self, files: &[FileRef], versions: &Versions) -> Result<Lists, Refused> {
        let mut lists = Lists::default();
        for file in files {
            let role = "the revocation list";
            let found = match self.found(file, role, versions) {
                Ok(found) => found,
                Err(refused) => {
                    if matches!(versions.stack, Stack::Go(_)) {
                        lists.broken.get_or_insert(refused);
                        continue;
                    }
                    return Err(refused);
                }
            };
            match found {
                Found::Text(text) => match versions.stack {
                    Stack::OpenSsl { .. } => lists.lists.extend(
                        openssl::load::revocation_lists(text)
                            .map_err(|problem| Refused::problem(file, role, &problem))?,
                    ),
                    Stack::BoringSsl => lists.lists.extend(
                        boringssl::load::revocation_lists(text)
                            .map_err(|problem| Refused::problem(file, role, &problem))?,
                    ),
                    Stack::Go(_) => self.go_list(&mut lists, file, text, role),
                },
                Found::Empty => {}
                Found::Planned(_) | Found::PlannedKey(_) => {}
                Found::Unseen(why) => lists.unseen.push(why),
            }
        }
        let mut moments = self.moments.borrow_mut();
        for list in &lists.lists {
            moments.insert(list.this_update);
            moments.extend(list.next_update.map(|next| next.saturating_add(1)));
        }
        Ok(lists)
    }

    /// etcd: x509.ParseCRL, PEM or DER (client/pkg/transport/listener_tls.go checkCRL).
    fn go_list(&self, lists: &mut Lists, file: &FileRef, text: &Text, role: &str) {
        let der = go::pem::blocks(text.bytes())
            .into_iter()
            .find(|block| block.label == "X509 CRL")
            .map_or_else(|| text.bytes().to_vec(), |block| block.der);
        match RevocationList::read(&der, text.full_span()) {
            Some(list) => lists.lists.push(list),
            None => {
                let problem = Problem::whole(
                    Mistake::UnusableRevocationList,
                    text,
                    "holds no revocation list",
                    "asn1: syntax error: sequence truncated",
                );
                lists.broken.get_or_insert_with(|| Refused::problem(file, role, &problem));
            }
        }
    }
}

/// Revocation lists as they were loaded.
#[derive(Debug, Clone, Default)]
pub struct Lists {
    /// The lists.
    pub lists: Vec<RevocationList>,
    /// What could not be seen.
    pub unseen: Vec<String>,
    /// Go: every peer is refused for this.
    pub broken: Option<Refused>,
}

/// SSL_CTX_use_certificate refuses what the security level forbids: its key always, the signatures before 3.5.
fn weak(
    chain: &Certificates,
    first: &Arc<Certificate>,
    version: Version,
    security_level: u8,
    credential: &Credential,
) -> Option<Unfit> {
    let unfit = |mistake: Mistake, certificate: &Arc<Certificate>, what: String, words: &str| Unfit {
        mistake,
        message: format!(
            "{} in {} has {what}, too weak to be loaded at OpenSSL's security level {security_level}",
            certificate.shown, credential.certificate.path.value
        ),
        words: words.to_owned(),
        labels: vec![
            Label { span: credential.certificate.path.span, message: "loaded from here".to_owned() },
            Label { span: certificate.span, message: "this certificate".to_owned() },
        ],
        other_kind: false,
    };
    if !level::key_allowed(first.key.kind, security_level) {
        let what = format!("the key {}", first.key.kind);
        return Some(unfit(Mistake::WeakKey, first, what, "error:0A00018F:SSL routines::ee key too small"));
    }
    for (index, certificate) in chain.iter().enumerate() {
        if certificate.is_planned() {
            continue;
        }
        if index > 0 && !level::key_allowed(certificate.key.kind, security_level) {
            let what = format!("the key {}", certificate.key.kind);
            return Some(unfit(
                Mistake::WeakKey,
                certificate,
                what,
                "error:0A00018D:SSL routines::ca key too small",
            ));
        }
        // a self-signed certificate's own signature is not looked at (ssl_security_cert_sig)
        if level::looks_at_own_signatures(version)
            && !openssl::self_signed(certificate)
            && !level::signature_allowed(certificate, security_level)
        {
            let what = format!("a signature with {}", level::digest_name(certificate));
            return Some(unfit(
                Mistake::WeakSignature,
                certificate,
                what,
                "error:0A00018E:SSL routines::ca md too weak",
            ));
        }
    }
    None
}

/// The certificates of a chain are needed, but not all of them were seen.
///
/// # Errors
/// What was not seen.
pub fn need(pair: &Pair) -> Result<(), Stop> {
    if pair.chain.certificates.is_empty() && !pair.unseen.is_empty() {
        return Err(unknown(pair.unseen.clone()));
    }
    Ok(())
}

//! A certificate with its key, as a program loads both.

use std::sync::Arc;

use super::{FileUse, Found, Loaded, Reader, Refused, Shelf};
use crate::deployment::{Content, Credential, FileRef, Lookup, Stack, Version, Versions};
use crate::finding::Label;
use crate::handshake::outcome::{Stop, unknown};
use crate::source::Text;
use crate::stack::load::{Certificates, LoadedKey, Passphrases, Problem};
use crate::stack::openssl::{self, level};
use crate::stack::private_key::PrivateKey;
use crate::stack::{Certificate, Mistake, boringssl, go};

/// A certificate with its key, loaded and found to belong together as far as the program looks.
#[derive(Debug, Clone, Default)]
pub struct Pair {
    /// What is presented.
    pub chain: Loaded,
    /// The key; None where it is not seen or not needed.
    pub key: Option<PrivateKey>,
    /// The key is there, and whether the program can open it is not known; completes "undetermined because …".
    pub locked: Option<String>,
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
    /// The library's words.
    pub words: String,
    /// The file that it was loading, and its use.
    pub file: (FileUse, String),
    /// Where.
    pub labels: Vec<Label>,
    /// The key is of another algorithm than the certificate's.
    pub other_kind: bool,
}

impl Shelf<'_> {
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
        let refuse = |problem: &Problem| {
            Refused::problem(&credential.certificate, FileUse::Certificate, &certificate_role, problem)
        };
        match self.found(&credential.certificate, FileUse::Certificate, &certificate_role, versions)? {
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
                    file: Some((FileUse::Certificate, credential.certificate.path.value.clone())),
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
        let read = match self.found(key, FileUse::Key, &key_role, versions)? {
            Found::Text(text) => {
                let loaded = self.private_key(text, credential.passphrase.as_ref(), versions.stack);
                let refuse = |problem: Problem| {
                    let mut refused = Refused::problem(key, FileUse::Key, &key_role, &problem);
                    let given = credential.passphrase.iter().map(|given| Label {
                        span: given.path.span,
                        message: "the passphrase is configured here".to_owned(),
                    });
                    refused.labels.extend(given.filter(|_| problem.mistake == Mistake::EncryptedKey));
                    refused
                };
                match loaded.map_err(refuse)? {
                    LoadedKey::Open(key) => Some(key),
                    LoadedKey::Locked(why) => {
                        pair.locked = Some(format!("{why} ({})", key.path.value));
                        None
                    }
                }
            }
            Found::PlannedKey(id) => Some(PrivateKey::Planned(id)),
            Found::Empty | Found::Planned(_) => {
                return Err(Refused {
                    rule: Mistake::UnreadableFile.rule(),
                    message: format!("{key_role} {} holds no private key", key.path.value),
                    words: "error:1E08010C:DECODER routines::unsupported".to_owned(),
                    labels: vec![Label { span: key.path.span, message: "loaded from here".to_owned() }],
                    file: Some((FileUse::Key, key.path.value.clone())),
                });
            }
            Found::Unseen(why) => {
                // one secret holds both
                if !pair.unseen.contains(&why) {
                    pair.unseen.push(why);
                }
                None
            }
        };
        if let (Some(read), Some(first)) = (&read, pair.chain.certificates.first())
            && read.belongs_to(first) == Some(false)
        {
            pair.unfit =
                Some(mismatched(&pair.chain.certificates, credential, (key, read), first, versions.stack));
        }
        pair.key = read;
        Ok(())
    }
}

impl Shelf<'_> {
    /// A private key as a stack loads it. An encrypted one is opened once: that takes its time.
    fn private_key(
        &self,
        text: &Text,
        passphrase: Option<&FileRef>,
        stack: Stack,
    ) -> Result<LoadedKey, Problem> {
        let load = |passphrases: Passphrases<'_>| match stack {
            Stack::OpenSsl { .. } => openssl::load::private_key(text, passphrases),
            Stack::Go(_) => go::load::private_key(text).map(LoadedKey::Open),
            Stack::BoringSsl => boringssl::load::private_key(text, passphrases),
        };
        let Some(passphrase) = passphrase else { return load(Passphrases::None) };
        let given = match &passphrase.content {
            Lookup::Found(Content::Bytes(given)) => given.bytes(),
            Lookup::Unseen(why) => return load(Passphrases::Unseen(why)),
            Lookup::Missing(missing) => return load(Passphrases::Unseen(&missing.message)),
            Lookup::Found(_) => {
                return load(Passphrases::Unseen("the passphrase is no text that can be read"));
            }
        };
        let of_boringssl = stack == Stack::BoringSsl;
        let place = (text.full_span(), passphrase.path.span, of_boringssl);
        if let Some((_, known)) = self.opened.borrow().iter().find(|(known, _)| *known == place) {
            return known.clone();
        }
        // nginx tries each line of its file, Envoy all that there is (observed)
        let lines = given.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let passphrases: Vec<&[u8]> = match (of_boringssl, given.is_empty()) {
            // no passphrase at all
            (true, true) => return load(Passphrases::None),
            (true, false) => vec![given],
            (false, _) => lines.filter(|line| !line.is_empty()).collect(),
        };
        let loaded = load(Passphrases::Given(&passphrases, &self.budget));
        self.opened.borrow_mut().push((place, loaded.clone()));
        loaded
    }
}

/// A key that does not belong to the first certificate: to a later one, or to none.
fn mismatched(
    chain: &Certificates,
    credential: &Credential,
    key: (&FileRef, &PrivateKey),
    first: &Certificate,
    stack: Stack,
) -> Unfit {
    let (file, key) = key;
    let mut labels = vec![
        Label { span: file.path.span, message: "this private key".to_owned() },
        Label {
            span: credential.certificate.path.span,
            message: "does not belong to this certificate".to_owned(),
        },
    ];
    let elsewhere = chain.iter().skip(1).find(|other| key.belongs_to(other) == Some(true));
    let mut message = format!(
        "the private key {} does not belong to {}, the first certificate in {}",
        file.path.value, first.shown, credential.certificate.path.value
    );
    let misordered = elsewhere.is_some();
    if let Some(other) = elsewhere {
        message = format!("{message}; it belongs to {}, which stands further down", other.shown);
        labels.push(Label { span: other.span, message: "it belongs to this one".to_owned() });
    }
    Unfit {
        mistake: if misordered { Mistake::MisorderedChain } else { Mistake::MismatchedKey },
        message,
        words: match stack {
            Stack::OpenSsl { .. } => {
                "error:05800074:x509 certificate routines::key values mismatch".to_owned()
            }
            Stack::Go(_) => "tls: private key does not match public key".to_owned(),
            Stack::BoringSsl => "KEY_VALUES_MISMATCH".to_owned(),
        },
        file: (FileUse::Key, file.path.value.clone()),
        labels,
        other_kind: !key.same_kind(first),
    }
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
        file: (
            if Arc::ptr_eq(certificate, first) { FileUse::Certificate } else { FileUse::Issuer },
            credential.certificate.path.value.clone(),
        ),
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

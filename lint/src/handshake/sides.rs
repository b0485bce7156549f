//! The two sides of a connection with their files loaded: what stops a program before it says anything.

use super::outcome::{End, Step, Stop, unknown};
use super::shelf::{FileUse, Lists, Pair, Refused, Shelf, Unfit};
use super::{Outcome, Side, Why, words};
use crate::deployment::{
    ClientAuthMode, ClientTls, Credential, Dialer, DialerPurpose, Listener, ListenerPurpose, Program,
    ProgramKind, Refusal, ServerContext, Stack, UnfitCredential, Version,
};
use crate::dialect::nginx;
use crate::finding::Label;
use crate::source::Located;
use crate::stack::openssl::{ciphers, level};
use crate::stack::{Anchors, Mistake};

/// A server's context with its files loaded.
#[derive(Debug, Clone, Default)]
pub struct LoadedContext {
    /// Its certificates.
    pub pairs: Vec<Pair>,
    /// Whom it trusts.
    pub anchors: Anchors,
    /// Its revocation lists.
    pub lists: Lists,
    /// OpenSSL's security level for it.
    pub security_level: u8,
}

/// A client with its files loaded.
#[derive(Debug, Clone, Default)]
pub struct LoadedClient {
    /// What it presents.
    pub pair: Option<Pair>,
    /// Whom it trusts.
    pub anchors: Anchors,
    /// Its revocation lists.
    pub lists: Lists,
    /// OpenSSL's security level for it.
    pub security_level: u8,
}

/// The level of OpenSSL in force with a cipher list; 0 for other stacks.
pub fn security_level(program: &Program, ciphers: Option<&str>) -> u8 {
    match program.versions.stack {
        Stack::OpenSsl { security_level, .. } => level::of_ciphers(ciphers, security_level),
        Stack::Go(_) | Stack::BoringSsl => 0,
    }
}

impl Shelf<'_> {
    /// Whether a program starts: everything that it loads when it does. The listener or dialer of the connection at
    /// hand is loaded by whoever asks.
    pub fn starts(&self, program: &Program, side: Side) -> Step {
        if let Some(refusal) = program.refusals.first() {
            return Err(refused(side, refusal));
        }
        if let Err(problem) = self.anchors(&program.bundles, &program.versions, program.versions.program) {
            return Err(refused_file(program, side, None, problem));
        }
        for credential in &program.credentials {
            let pair = self
                .pair(credential, &program.versions, 0, "peer")
                .map_err(|problem| refused_file(program, side, None, problem))?;
            if let Some(unfit) = &pair.unfit {
                return Err(unfit_end(program, side, None, unfit));
            }
        }
        for listener in &program.listeners {
            if let Some(refusal) = listener.refusals.first() {
                return Err(refused(side, refusal));
            }
            if loads_at_start(program, listener) {
                for context in listener.tls.iter().flat_map(|tls| &tls.contexts) {
                    self.context(program, context, side)?;
                }
            }
        }
        // what a gateway dials is loaded with it; APISIX's upstreams and etcd only when they are dialled
        if matches!(program.kind, ProgramKind::Nginx | ProgramKind::Envoy) {
            for dialer in &program.dialers {
                self.dialer(program, dialer, side)?;
            }
        }
        if !program.unseen.is_empty() {
            return Err(unknown(program.unseen.clone()));
        }
        Ok(())
    }

    /// A context with its files.
    pub fn context(&self, program: &Program, context: &ServerContext, side: Side) -> Step<LoadedContext> {
        if let Some(refusal) = context.refusals.first() {
            return Err(refused(side, refusal));
        }
        let refuse = |problem: Refused| refused_file(program, side, None, problem);
        let level = security_level(program, context.ciphers.as_ref().map(|ciphers| ciphers.value.as_str()));
        refused_ciphers(program, context.ciphers.as_ref(), side)?;
        let mut loaded = LoadedContext { security_level: level, ..LoadedContext::default() };
        for credential in &context.credentials {
            let pair = self.pair(credential, &program.versions, level, "server").map_err(refuse)?;
            if let Some(unfit) = &pair.unfit
                && !starts_with(program, unfit)
            {
                return Err(unfit_end(program, side, None, unfit));
            }
            open(&pair)?;
            loaded.pairs.push(pair);
        }
        self.pair_by_kind(program, context, level, &mut loaded.pairs);
        if *context.client_auth.mode.value() != ClientAuthMode::Off || !context.client_auth.trust.is_empty() {
            let trust = &context.client_auth.trust;
            loaded.anchors =
                self.anchors(trust, &program.versions, program.versions.program).map_err(refuse)?;
        }
        let crls = &context.client_auth.checks.crls;
        loaded.lists = self.revocation_lists(crls, &program.versions).map_err(refuse)?;
        Ok(loaded)
    }

    /// OpenSSL keeps one certificate and one key for each kind of key: keys that are listed in another order than their
    /// certificates meet them all the same (ssl_set_pkey).
    fn pair_by_kind(&self, program: &Program, context: &ServerContext, level: u8, pairs: &mut [Pair]) {
        if program.kind != ProgramKind::Nginx || context.credentials.len() < 2 {
            return;
        }
        for (credential, pair) in context.credentials.iter().zip(pairs) {
            if !pair.unfit.as_ref().is_some_and(|unfit| unfit.other_kind) {
                continue;
            }
            let others = context.credentials.iter().map(|other| Credential {
                certificate: credential.certificate.clone(),
                key: other.key.clone(),
                passphrase: other.passphrase.clone(),
            });
            let mut met = others.filter_map(|met| self.pair(&met, &program.versions, level, "server").ok());
            if let Some(fit) = met.find(|met| met.unfit.is_none() && met.key.is_some()) {
                *pair = fit;
            }
        }
    }

    /// A dialer with its files.
    pub fn dialer(&self, program: &Program, dialer: &Dialer, side: Side) -> Step<LoadedClient> {
        if let Some(refusal) = dialer.refusals.first() {
            return Err(refused(side, refusal));
        }
        let Some(tls) = &dialer.tls else { return Ok(LoadedClient::default()) };
        self.client(program, dialer.purpose, tls, side)
    }

    fn client(
        &self,
        program: &Program,
        purpose: DialerPurpose,
        tls: &ClientTls,
        side: Side,
    ) -> Step<LoadedClient> {
        let refuse = |problem: Refused| refused_file(program, side, Some(purpose), problem);
        let level = security_level(program, tls.ciphers.as_ref().map(|ciphers| ciphers.value.as_str()));
        refused_ciphers(program, tls.ciphers.as_ref(), side)?;
        let mut loaded = LoadedClient { security_level: level, ..LoadedClient::default() };
        if let Some(credential) = &tls.credential {
            let files = std::iter::once(&credential.certificate).chain(&credential.key);
            if tls.reads_unprivileged
                && let Some(file) =
                    files.into_iter().find(|file| file.mode.is_some_and(|mode| mode & 0o044 == 0))
            {
                return Err(refuse(Refused {
                    rule: Mistake::UnreadableFile.rule(),
                    message: format!(
                        "only the owner may read {}, and the program opens it as another user",
                        file.path.value
                    ),
                    words: "Permission denied".to_owned(),
                    labels: vec![Label { span: file.path.span, message: "loaded from here".to_owned() }],
                    file: None,
                }));
            }
            let loading_level = own_certificate_level(program, level);
            let pair = self.pair(credential, &program.versions, loading_level, "client").map_err(refuse)?;
            if reads_chain_file(program)
                && let Some(first) = pair.chain.certificates.first()
                && let Some(oid) = &first.duplicate_extension
            {
                return Err(refuse(Refused {
                    rule: Mistake::MalformedCertificate.rule(),
                    message: format!("{} has the extension {oid} twice", first.shown),
                    words: "error:1100009E:X509 V3 routines::invalid certificate".to_owned(),
                    labels: vec![Label { span: first.span, message: "this certificate".to_owned() }],
                    file: Some((FileUse::Certificate, credential.certificate.path.value.clone())),
                }));
            }
            if let Some(unfit) = &pair.unfit
                && tls.unfit_credential == UnfitCredential::Refused
                && !(program.kind == ProgramKind::Nginx && starts_with(program, unfit))
            {
                return Err(unfit_end(program, side, Some(purpose), unfit));
            }
            open(&pair)?;
            loaded.pair = Some(pair);
        }
        loaded.anchors =
            self.anchors(&tls.trust, &program.versions, program.versions.program).map_err(refuse)?;
        loaded.lists = self.revocation_lists(&tls.checks.crls, &program.versions).map_err(refuse)?;
        Ok(loaded)
    }
}

/// curl 7.88 loads its certificate before it sets the cipher list, so that a level written there comes too late;
/// 8.14 and 8.23 set the list first (observed; the release in between is not known).
fn own_certificate_level(program: &Program, level: u8) -> u8 {
    match program.versions.stack {
        Stack::OpenSsl { security_level, .. }
            if program.kind == ProgramKind::Curl && program.versions.program < Version(8, 14, 0) =>
        {
            security_level
        }
        _ => level,
    }
}

/// SSL_CTX_use_certificate_chain_file of 3.0 fails on any error that the library noted on the way, 3.5 no longer meets
/// one (observed); SSL_CTX_use_certificate does not. curl and LuaSec call the first, nginx and `s_client` the second.
fn reads_chain_file(program: &Program) -> bool {
    let old = matches!(program.versions.stack, Stack::OpenSsl { version, .. } if level::looks_at_own_signatures(version));
    old && matches!(program.kind, ProgramKind::Curl | ProgramKind::Apisix)
}

/// A list that names no cipher stops nginx and curl.
fn refused_ciphers(program: &Program, written: Option<&Located<String>>, side: Side) -> Step {
    let openssl =
        matches!(program.versions.stack, Stack::OpenSsl { .. }) && program.kind != ProgramKind::Apisix;
    let Some(list) = written.filter(|list| openssl && ciphers::authentication(Some(&list.value)).is_none())
    else {
        return Ok(());
    };
    Err(refused_file(
        program,
        side,
        None,
        Refused {
            rule: Mistake::RefusedSetting.rule(),
            message: format!("the cipher list {} names no cipher that OpenSSL knows", list.value),
            words: format!(
                "SSL_CTX_set_cipher_list(\"{}\") failed (SSL: error:0A0000B9:SSL routines::no cipher match)",
                list.value
            ),
            labels: vec![Label { span: list.span, message: "this cipher list".to_owned() }],
            file: None,
        },
    ))
}

/// A key that may not be opened leaves everything else undecided.
fn open(pair: &Pair) -> Step {
    pair.locked.clone().map_or(Ok(()), |why| Err(unknown(vec![why])))
}

/// nginx does not notice that certificate and key are of different algorithms; a handshake does.
fn starts_with(program: &Program, unfit: &Unfit) -> bool {
    unfit.other_kind && matches!(program.kind, ProgramKind::Nginx | ProgramKind::Apisix)
}

/// APISIX's data plane takes ssl objects at run time; everything else is loaded when the program starts.
fn loads_at_start(program: &Program, listener: &Listener) -> bool {
    program.kind != ProgramKind::Apisix || listener.purpose != ListenerPurpose::Clients
}

fn refused(side: Side, refusal: &Refusal) -> Stop {
    let end = End::new(Outcome::ConfigRejected, side, Why::from(refusal));
    match &refusal.log {
        Some(log) => printed(side, end, log.clone()),
        None => end.stop(),
    }
}

/// A file that stops a program.
pub fn refused_file(program: &Program, side: Side, dials: Option<DialerPurpose>, problem: Refused) -> Stop {
    let words = words::files::refused(program, dials, &problem);
    // by our own words these two are refused configuration like etcdctl's other ones; the recorded observations
    // (etcdctl 3.4 and 3.5) count them as failed handshakes, and the prediction follows the recording
    let counted_otherwise = program.kind == ProgramKind::Etcdctl
        && (words.contains("PEM inputs may have been switched") || words.contains("x509: malformed"));
    let outcome = if counted_otherwise { Outcome::HandshakeFails } else { Outcome::ConfigRejected };
    let mut reason = Why::from(problem);
    if program.kind == ProgramKind::Nginx && reason.rule == Mistake::RefusedSetting.rule() {
        reason.help = Some(nginx::ASK_FIRST.to_owned());
    }
    let end = End::new(outcome, side, reason);
    printed(side, end, words)
}

fn unfit_end(program: &Program, side: Side, dials: Option<DialerPurpose>, unfit: &Unfit) -> Stop {
    let end = End::new(Outcome::ConfigRejected, side, Why::from(unfit.clone()));
    printed(side, end, words::files::unfit(program, dials, unfit))
}

fn printed(side: Side, end: End, line: String) -> Stop {
    match side {
        Side::Client => end.seen(line).stop(),
        Side::Server => end.logged(line).stop(),
    }
}

//! ssl objects as APISIX takes them at run time: what it cannot parse it drops, what it cannot use fails handshakes.
//!
//! apisix/ssl.lua, check_ssl_conf; facts/APISIX.md, A1.

use super::outcome::{End, Stop, why};
use super::shelf::{Refused, Shelf};
use super::sides::{LoadedContext, security_level};
use super::{Outcome, Side, Why};
use crate::deployment::{
    ClientAuthMode, Configuration, Listener, ListenerTls, Program, ProgramKind, Refusal, Selection,
    ServerContext,
};
use crate::dialect::apisix::objects::{SslKind, SslObject};
use crate::dialect::apisix::request::dropped_object;
use crate::finding::Label;
use crate::selection::Nobody;
use crate::stack::Mistake;

/// Whether a listener serves ssl objects.
pub fn serves_objects(program: &Program, listener: &Listener) -> bool {
    program.kind == ProgramKind::Apisix
        && listener.tls.as_ref().is_some_and(|tls| matches!(tls.selection, Selection::Apisix { .. }))
}

impl Shelf<'_> {
    /// An ssl object with its texts parsed; what is unfit stays in its pairs.
    ///
    /// # Errors
    /// Why APISIX drops the object.
    pub fn object(&self, program: &Program, context: &ServerContext) -> Result<LoadedContext, Refusal> {
        if let Some(refusal) = context.refusals.first() {
            return Err(refusal.clone());
        }
        let level = security_level(program, context.ciphers.as_ref().map(|ciphers| ciphers.value.as_str()));
        let mut loaded = LoadedContext { security_level: level, ..LoadedContext::default() };
        for (index, credential) in context.credentials.iter().enumerate() {
            let pair = self.pair(credential, &program.versions, level, "server").map_err(|problem| {
                let part = if problem.labels.first().map(|label| label.span)
                    == credential.key.as_ref().map(|key| key.path.span)
                {
                    "failed to parse key: PEM_read_bio_PrivateKey() failed"
                } else if problem.words.contains("nested asn1 error") {
                    // the first block is read by another function than those after it
                    "failed to parse cert: PEM_read_bio_X509"
                } else {
                    "failed to parse cert: PEM_read_bio_X509_AUX() failed"
                };
                let at = if index == 0 {
                    String::new()
                } else {
                    format!("failed to handle cert-key pair[{index}]: ")
                };
                dropped(problem, &format!("{at}{part}"))
            })?;
            loaded.pairs.push(pair);
        }
        let auth = &context.client_auth;
        if *auth.mode.value() != ClientAuthMode::Off || !auth.trust.is_empty() {
            loaded.anchors = self
                .anchors(&auth.trust, &program.versions, program.versions.program)
                .map_err(|problem| {
                    dropped(
                        problem,
                        "failed to validate client_cert: failed to parse cert: PEM_read_bio_X509_AUX() failed",
                    )
                })?;
        }
        Ok(loaded)
    }

    /// The contexts of a listener, with what APISIX dropped of them told.
    pub fn served_objects(&self, program: &Program, tls: &ListenerTls) -> ListenerTls {
        let mut tls = tls.clone();
        for context in &mut tls.contexts {
            if context.refusals.is_empty()
                && let Err(refusal) = self.object(program, context)
            {
                context.refusals.push(refusal);
            }
        }
        tls
    }
}

fn dropped(problem: Refused, log: &str) -> Refusal {
    Refusal {
        rule: problem.rule,
        message: format!("APISIX drops the ssl object: {}", problem.message),
        labels: problem.labels,
        help: None,
        log: Some(format!("failed to check item data of [ssls] err:{log}")),
    }
}

/// The end of a handshake for which no ssl object is left.
pub fn nobody(listener: &Listener, tls: &ListenerTls, nobody: Nobody, server_name: Option<&str>) -> Stop {
    if let Some(refusal) = dropped_object(tls, server_name) {
        return every_object_dropped(refusal);
    }
    let label = Label { span: listener.span, message: "at this listener".to_owned() };
    let (message, log) = match (nobody, server_name) {
        (Nobody::NoMatch, Some(name)) => (
            format!("the client asks for {name}, and no ssl object has this name"),
            format!("failed to match any SSL certificate by SNI: {name}"),
        ),
        _ => (
            "the client sends no server name, and APISIX chooses its ssl object by one".to_owned(),
            "failed to find SNI: please check if the client requests via IP or uses an outdated protocol"
                .to_owned(),
        ),
    };
    let reason = why(Mistake::UnknownServerName, message, vec![label]);
    End::new(Outcome::HandshakeFails, Side::Server, reason).seen("alert internal error").logged(log).stop()
}

/// The end of every handshake where the objects that there are are dropped.
pub fn every_object_dropped(refusal: &Refusal) -> Stop {
    let mut end = End::new(Outcome::ConfigRejected, Side::Server, Why::from(refusal));
    end.server_logs.clone_from(&refusal.log);
    end.seen("alert internal error").stop()
}

/// The end of every handshake where no ssl object serves anybody.
pub fn no_object(program: &Program, listener: &Listener) -> Stop {
    let at = Label { span: listener.span, message: "at this listener".to_owned() };
    let ssls = match &program.configuration {
        Configuration::Apisix(facts) => facts.objects.ssls.as_slice(),
        _ => &[],
    };
    let label = |ssl: &SslObject, message: &str| Label { span: ssl.span, message: message.to_owned() };
    let (message, help, labels) = match ssls.iter().find(|ssl| ssl.kind == SslKind::Server) {
        Some(off) => (
            "every ssl object for clients has status 0, so no handshake finds a certificate",
            "write status: 1",
            vec![label(off, "status 0: nobody is served by it"), at],
        ),
        None => match ssls.first() {
            Some(own) => (
                "every ssl object is of type client, so no handshake finds a certificate",
                "add an ssl object of type server, with the names that clients ask for in snis",
                vec![label(own, "shown to upstreams only"), at],
            ),
            None => (
                "there is no ssl object, so no handshake finds a certificate",
                "add an ssl object with the names that clients ask for in snis",
                vec![at],
            ),
        },
    };
    let reason = why(Mistake::UnknownServerName, message.to_owned(), labels);
    let reason = Why { help: Some(help.to_owned()), ..reason };
    let end = End::new(Outcome::HandshakeFails, Side::Server, reason);
    end.seen("alert internal error").logged("failed to match any SSL certificate by SNI").stop()
}

/// Why single ssl objects serve nobody, whether or not others do and whoever calls.
pub fn unusable_objects(shelf: &Shelf<'_>) -> Vec<Why> {
    let mut reasons = Vec::new();
    for program in &shelf.deployment.programs {
        let objects = program.listeners.iter().filter(|listener| serves_objects(program, listener));
        let contexts = objects.filter_map(|listener| listener.tls.as_ref()).flat_map(|tls| &tls.contexts);
        // what the schema refuses, is told where it is read
        for context in contexts.filter(|context| context.refusals.is_empty()) {
            let stop = match shelf.object(program, context) {
                Ok(object) => unusable(&object),
                Err(refusal) => Some(every_object_dropped(&refusal)),
            };
            if let Some(Stop::End(end)) = stop {
                reasons.extend(end.why.into_iter().next());
            }
        }
    }
    reasons
}

/// The end of every handshake of an object that was accepted and cannot be used; None: it can.
pub fn unusable(loaded: &LoadedContext) -> Option<Stop> {
    let unfit = loaded.pairs.iter().find_map(|pair| pair.unfit.as_ref().filter(|unfit| !unfit.other_kind))?;
    let log = if unfit.mistake == Mistake::MismatchedKey {
        "failed to set PEM priv key: SSL_use_PrivateKey() failed"
    } else {
        "failed to set PEM cert: SSL_use_certificate() failed"
    };
    let end = End::new(Outcome::HandshakeFails, Side::Server, unfit.clone().into());
    Some(end.seen("alert internal error").logged(log).stop())
}

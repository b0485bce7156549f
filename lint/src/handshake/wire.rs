//! One connection, step by step in the order of the wire.

use std::net::IpAddr;
use std::sync::Arc;

use super::files::{Pair, Shelf, need};
use super::negotiate::{self, NotSent, Party};
use super::outcome::{End, Step, Stop, unknown, why};
use super::request::{self, Met, without_port};
use super::sides::{LoadedClient, LoadedContext};
use super::verify::{self, Case, Judgement};
use super::{Outcome, Side, UnixSeconds, Why, apisix, words};
use crate::deployment::{
    ClientAuthMode, ClientTls, Connection, Dialer, Listener, ListenerTls, NameCheck, Program, ProgramId,
    ProgramKind, Protocol, Request, Selection, ServerContext, Setting, Speaks, Stack, Trust, UnfitCredential,
};
use crate::finding::Label;
use crate::selection::{Nobody, Selected};
use crate::stack::certificate::address;
use crate::stack::{Anchors, Certificate, Fault, Mistake, Purpose};

/// A connection with both its programs.
pub struct Wire<'s, 'd> {
    /// What was read.
    pub shelf: &'s Shelf<'d>,
    /// The connection.
    pub connection: &'d Connection,
    /// Program and dialer; None for callers that we do not know.
    pub client: Option<(ProgramId, &'d Program, &'d Dialer)>,
    /// Program and listener.
    pub server: (ProgramId, &'d Program, &'d Listener),
    /// When.
    pub at: UnixSeconds,
    /// It is etcd's gateway dialling itself.
    pub is_gateway: bool,
}

/// What was found out about who is who.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Authenticated {
    /// The server, by the client.
    pub server: bool,
    /// The client, by the server.
    pub client: bool,
}

impl<'s, 'd> Wire<'s, 'd> {
    /// Configuration, handshake, first request.
    ///
    /// # Errors
    /// Where it stops.
    pub fn run(&self, authenticated: &mut Authenticated) -> Step {
        let (server_id, server, listener) = self.server;
        self.shelf.starts_once(server_id, server, Side::Server)?;
        if let Some(refusal) = listener.refusals.first() {
            return Err(End::new(Outcome::ConfigRejected, Side::Server, Why::from(refusal)).stop());
        }
        let Some((client_id, client, dialer)) = self.client else { return self.any_client(authenticated) };
        if !self.is_gateway {
            self.shelf.starts_once(client_id, client, Side::Client)?;
        }
        let loaded = self.shelf.dialer(client, dialer, Side::Client)?;
        for unseen in [&listener.unseen, &dialer.unseen] {
            if !unseen.is_empty() {
                return Err(unknown(unseen.clone()));
            }
        }
        match (&dialer.tls, &listener.tls) {
            (None, None) => request::answer(self, listener, &Met::default()),
            (None, Some(tls)) => self.plaintext_to_tls(dialer, tls),
            (Some(tls), None) => Err(self.tls_to_plaintext(tls)),
            (Some(client_tls), Some(tls)) => self.handshake(client_tls, tls, &loaded, authenticated),
        }
    }

    /// What can be said of a listener whose callers are unknown: its own files, and whether it asks for certificates.
    fn any_client(&self, authenticated: &mut Authenticated) -> Step {
        let (_, server, listener) = self.server;
        let Some(tls) = &listener.tls else { return Ok(()) };
        let mut asks = !tls.contexts.is_empty();
        let objects = apisix::serves_objects(server, listener);
        for context in &tls.contexts {
            if objects {
                // the others work when one is dropped
                let Ok(object) = self.shelf.object(server, context) else { continue };
                if let Some(stop) = apisix::unusable(&object).filter(|_| tls.contexts.len() == 1) {
                    return Err(stop);
                }
            } else {
                self.shelf.context(server, context, Side::Server)?;
            }
            asks &= *context.client_auth.mode.value() == ClientAuthMode::Required
                && (!context.client_auth.trust.is_empty() || !context.client_auth.checks.pins.is_empty());
        }
        if !listener.unseen.is_empty() {
            return Err(unknown(listener.unseen.clone()));
        }
        authenticated.client = asks;
        Ok(())
    }

    fn plaintext_to_tls(&self, dialer: &Dialer, tls: &ListenerTls) -> Step {
        let (_, server, listener) = self.server;
        if matches!(tls.selection, Selection::Envoy { plaintext: true, .. }) {
            return request::answer(self, listener, &Met::default());
        }
        let labels = vec![
            Label { span: dialer.span, message: "dials without TLS".to_owned() },
            Label { span: listener.span, message: "expects TLS".to_owned() },
        ];
        let reason = why(
            Mistake::PlaintextToTls,
            format!("{} is dialled without TLS, but the listener expects it", dialer.target.url),
            labels,
        );
        let end = match server.kind {
            ProgramKind::Nginx | ProgramKind::Apisix if dialer.speaks == Speaks::Http => {
                End::new(Outcome::RequestRejected, Side::Server, reason)
                    .seen("400 The plain HTTP request was sent to HTTPS port")
                    .logged(
                        "client sent plain HTTP request to HTTPS port while reading client request headers",
                    )
            }
            // the answer in HTTP/1 is no HTTP/2 frame that the client understands
            ProgramKind::Nginx | ProgramKind::Apisix if dialer.speaks == Speaks::Http2 => End::new(
                Outcome::RequestRejected,
                Side::Client,
                reason,
            )
            .seen("upstream sent too large http2 frame: 4740180 while reading response header from upstream")
            .logged("client sent invalid request while reading client request line"),
            ProgramKind::Etcd => End::new(Outcome::HandshakeFails, Side::Server, reason)
                .logged("tls: first record does not look like a TLS handshake"),
            ProgramKind::Envoy => {
                End::new(Outcome::HandshakeFails, Side::Server, reason).logged("HTTP_REQUEST")
            }
            _ => End::new(Outcome::HandshakeFails, Side::Server, reason),
        };
        Err(end.stop())
    }

    fn tls_to_plaintext(&self, tls: &ClientTls) -> Stop {
        let (_, _, listener) = self.server;
        let labels = vec![
            Label { span: tls.span, message: "dials with TLS".to_owned() },
            Label { span: listener.span, message: "listens without TLS".to_owned() },
        ];
        let reason =
            why(Mistake::TlsToPlaintext, "the client dials with TLS, but the listener speaks none", labels);
        End::new(Outcome::HandshakeFails, Side::Client, reason).seen("wrong version number").stop()
    }

    /// The name that the client sends, if any.
    pub fn server_name(&self) -> Option<String> {
        let (_, _, dialer) = self.client?;
        let tls = dialer.tls.as_ref()?;
        if tls.names_from_request && tls.server_name.is_some() {
            // an address is no server name
            return self.request_host().filter(|host| host.parse::<IpAddr>().is_err());
        }
        tls.server_name.clone()
    }

    fn reference(&self, tls: &ClientTls) -> Option<String> {
        let reference = tls.reference.as_ref()?;
        if tls.names_from_request {
            return self.request_host();
        }
        Some(reference.value.clone())
    }

    fn request_host(&self) -> Option<String> {
        self.received().map(|request| without_port(&request.host).to_owned())
    }

    /// The request that opens the connection, as the server gets it.
    pub fn request(&self) -> Option<Request> {
        let (_, _, dialer) = self.client?;
        let request = self.received()?;
        Some(match &dialer.sends_host {
            Some(host) => Request { host: host.clone(), ..request },
            None => request,
        })
    }

    /// The request for which the client dials.
    fn received(&self) -> Option<Request> {
        let (_, client, dialer) = self.client?;
        self.connection.request.clone().or_else(|| dialer.request.clone()).or_else(|| {
            request::usual(client.kind, dialer.purpose, &dialer.target.host.value, &dialer.path_prefix)
        })
    }

    fn handshake(
        &self,
        client_tls: &'d ClientTls,
        tls: &'d ListenerTls,
        loaded: &LoadedClient,
        authenticated: &mut Authenticated,
    ) -> Step {
        let (_, server, listener) = self.server;
        let Some((_, client, _)) = self.client else { return Ok(()) };
        // a name that nothing depends on need not be known
        let chooses = client_tls.server_name.is_some() && tls.contexts.len() > 1;
        let compares = client_tls.reference.is_some() && *client_tls.verify.value();
        if client_tls.names_from_request && (chooses || compares) && self.request_host().is_none() {
            return Err(unknown(vec![
                "the server name is that of the request, and no request is known".to_owned(),
            ]));
        }
        let serves_objects = apisix::serves_objects(server, listener);
        let objects = serves_objects.then(|| self.shelf.served_objects(server, tls));
        let index = self.select(objects.as_ref().unwrap_or(tls))?;
        let Some(context) = tls.contexts.get(index) else { return Ok(()) };
        if context.rejects_handshake {
            let label = Label { span: context.span, message: "this server refuses handshakes".to_owned() };
            let reason = why(
                Mistake::RejectedHandshake,
                format!("the server refuses every handshake for {}", self.shown_name()),
                vec![label],
            );
            return Err(End::new(Outcome::HandshakeFails, Side::Server, reason)
                .seen("alert unrecognized name")
                .logged("SSL_do_handshake() failed: unrecognized name")
                .stop());
        }
        let served = if serves_objects {
            let object = self.shelf.object(server, context);
            object.map_err(|refusal| {
                End::new(Outcome::ConfigRejected, Side::Server, Why::from(&refusal)).stop()
            })?
        } else {
            self.shelf.context(server, context, Side::Server)?
        };
        if serves_objects && let Some(stop) = apisix::unusable(&served) {
            return Err(stop);
        }
        let us = Party {
            program: client,
            security_level: loaded.security_level,
            ciphers: client_tls.ciphers.as_ref().map(|ciphers| ciphers.value.as_str()),
        };
        let them = Party {
            program: server,
            security_level: served.security_level,
            ciphers: context.ciphers.as_ref().map(|ciphers| ciphers.value.as_str()),
        };
        self.final_dot(server, client)?;
        let version = negotiate::protocol((us, client_tls), (them, context))?;
        let shown = negotiate::server_pair(us, them, &served.pairs, version, context.span)?;
        let late = self.client_verifies(client_tls, loaded, shown, us, version, authenticated)?;
        let met = self.client_presents(client_tls, loaded, (context, index), &served, us, them, version);
        let met = match (met, late) {
            // a TLS 1.3 client is done before the server answers: its own refusal comes first
            (_, Some(refusal)) if version == Protocol::Tls13 => return Err(refusal),
            (Err(stop), _) => return Err(stop),
            (Ok(_), Some(refusal)) => return Err(refusal),
            (Ok(met), None) => met,
        };
        authenticated.client = met.presented && met.fault.is_none() && verifies(context);
        match objects {
            Some(objects) => {
                request::answer(self, &Listener { tls: Some(objects), ..listener.clone() }, &met)
            }
            None => request::answer(self, listener, &met),
        }
    }

    /// Go refuses a server name with a final dot before it looks at anything else (handshake_messages.go, unmarshal);
    /// its own client strips the dot (hostnameInSNI).
    fn final_dot(&self, server: &Program, client: &Program) -> Step {
        let go = |program: &Program| matches!(program.versions.stack, Stack::Go(_));
        let Some(name) = self.server_name().filter(|name| name.ends_with('.') && name.len() > 1) else {
            return Ok(());
        };
        if !go(server) || go(client) {
            return Ok(());
        }
        let span = self.client.map_or(server.span, |(_, _, dialer)| Some(dialer.target.host.span));
        let labels = span.map(|span| Label { span, message: "the name ends with a dot".to_owned() });
        let reason = why(
            Mistake::UnknownServerName,
            format!("the client sends the server name {name}, whose final dot Go does not take"),
            labels.into_iter().collect(),
        );
        Err(End::new(Outcome::HandshakeFails, Side::Server, reason)
            .logged("local error: tls: unexpected message")
            .stop())
    }

    fn shown_name(&self) -> String {
        self.server_name().unwrap_or_else(|| "a client without server name".to_owned())
    }

    /// Which context serves the client.
    fn select(&self, tls: &ListenerTls) -> Step<usize> {
        let sni = self.server_name();
        match tls.select(sni.as_deref()) {
            Selected::Context(index) => Ok(index),
            Selected::Undetermined(why) => Err(unknown(vec![why])),
            Selected::Nobody(nobody) => Err(self.nobody(tls, nobody, sni.as_deref())),
        }
    }

    fn nobody(&self, tls: &ListenerTls, nobody: Nobody, sni: Option<&str>) -> Stop {
        let (_, server, listener) = self.server;
        if apisix::serves_objects(server, listener) {
            return apisix::nobody(listener, tls, nobody, sni);
        }
        let label = Label { span: listener.span, message: "at this listener".to_owned() };
        let message = match (nobody, sni) {
            (Nobody::NoMatch, Some(name)) => {
                format!("the client asks for {name}, and no certificate is configured for that")
            }
            _ => {
                "the client sends no server name, and the server needs one to choose a certificate".to_owned()
            }
        };
        let reason = why(Mistake::UnknownServerName, message, vec![label]);
        End::new(Outcome::HandshakeFails, Side::Server, reason).stop()
    }

    /// The client judges the server. A refusal that comes only after the client's own handshake is handed back.
    fn client_verifies(
        &self,
        tls: &ClientTls,
        loaded: &LoadedClient,
        shown: &Pair,
        us: Party<'_>,
        version: Protocol,
        authenticated: &mut Authenticated,
    ) -> Step<Option<Stop>> {
        let first = shown.chain.certificates.first();
        if let Some(first) = first
            && negotiate::openssl_client_refuses(us, first, version)
        {
            let message = format!(
                "{} has a key usage without digitalSignature, which an OpenSSL client wants of an EC certificate in TLS 1.2",
                first.shown
            );
            let label = Label { span: first.span, message: message.clone() };
            let reason = why(Mistake::UnsuitableKeyUsage, message, vec![label]);
            return Err(End::new(Outcome::HandshakeFails, Side::Client, reason)
                .seen("ecc cert not for signing")
                .stop());
        }
        if !*tls.verify.value() {
            return unverified_names(tls, us).map_or(Ok(None), Err);
        }
        if us.program.versions.stack == Stack::BoringSsl
            && trusts_nobody(&loaded.anchors)
            && tls.checks.pins.is_empty()
        {
            // without trusted_ca nothing is verified
            return self.key_usage_of_server(tls, loaded, shown, us).map(|()| None);
        }
        need(shown)?;
        let judgement = self.shelf.judge(&Case {
            verifier: us.program,
            presented: &shown.chain,
            end_entity_only: false,
            anchors: &loaded.anchors,
            checks: &tls.checks,
            lists: &loaded.lists,
            purpose: Purpose::Server,
            security_level: us.security_level,
            at: self.at,
        })?;
        let refusal = self.client_refusal(tls, shown, &judgement)?;
        let named = tls.reference.is_some()
            || tls
                .checks
                .names
                .iter()
                .any(|check| matches!(check.value, NameCheck::San { .. } | NameCheck::Hostname(_)))
            || !tls.checks.pins.is_empty();
        let trusted = !trusts_nobody(&loaded.anchors) || !tls.checks.pins.is_empty();
        match refusal {
            None => {
                authenticated.server = named && trusted && tls.checks.accept_untrusted.is_none();
                Ok(None)
            }
            Some(_) if tls.tolerates_failure => Ok(None),
            // nginx and the cosocket look at the result when the handshake is over
            Some(stop) if matches!(us.program.kind, ProgramKind::Nginx | ProgramKind::Apisix) => {
                Ok(Some(stop))
            }
            Some(stop) if us.program.kind == ProgramKind::Curl && judgement.fault.is_none() => Ok(Some(stop)),
            Some(stop) => Err(stop),
        }
    }

    fn key_usage_of_server(
        &self,
        tls: &ClientTls,
        loaded: &LoadedClient,
        shown: &Pair,
        us: Party<'_>,
    ) -> Step {
        let Some(_) = shown.chain.certificates.first() else { return Ok(()) };
        let judgement = self.shelf.judge(&Case {
            verifier: us.program,
            presented: &shown.chain,
            end_entity_only: false,
            anchors: &Anchors::default(),
            checks: &tls.checks,
            lists: &loaded.lists,
            purpose: Purpose::Server,
            security_level: 0,
            at: self.at,
        })?;
        match self.client_refusal(tls, shown, &judgement)? {
            Some(stop) => Err(stop),
            None => Ok(()),
        }
    }

    /// A path's fault, or a name's.
    fn client_refusal(&self, tls: &ClientTls, shown: &Pair, judgement: &Judgement) -> Step<Option<Stop>> {
        let Some((_, client, _)) = self.client else { return Ok(None) };
        if let Some(fault) = &judgement.fault {
            let reason = Why::fault(fault, trust_label(&tls.trust, &tls.verify));
            let mut end = End::new(Outcome::HandshakeFails, Side::Client, reason);
            end.client_sees = words::client_refuses(client, fault);
            return Ok(Some(end.stop()));
        }
        let (Some(first), Some(reference)) = (shown.chain.certificates.first(), self.reference(tls)) else {
            return Ok(None);
        };
        let Err(words) = verify::bears_name(client, first, &reference) else {
            return match self.allowed_name(tls, first) {
                Some(fault) => {
                    let end = End::new(Outcome::HandshakeFails, Side::Client, Why::fault(&fault, None));
                    Ok(Some(end.seen(fault.text).stop()))
                }
                None => Ok(None),
            };
        };
        let mut labels = vec![Label {
            span: first.span,
            message: format!("{} bears {}", first.shown, first.shown_names()),
        }];
        if let Some(reference) = &tls.reference {
            labels.push(Label { span: reference.span, message: "the client expects this name".to_owned() });
        }
        let message =
            format!("the client expects {reference}, but {} bears {}", first.shown, first.shown_names());
        let end =
            End::new(Outcome::HandshakeFails, Side::Client, why(Mistake::NameMismatch, message, labels));
        let words = match client.versions.stack {
            Stack::Go(version) if version >= crate::stack::go::WRAPS_VERIFICATION_ERRORS => {
                format!("tls: failed to verify certificate: {words}")
            }
            _ => words,
        };
        Ok(Some(end.seen(words).stop()))
    }

    fn allowed_name(&self, tls: &ClientTls, first: &Arc<Certificate>) -> Option<Fault> {
        match self.client?.1.versions.stack {
            Stack::Go(version) => verify::allowed(&tls.checks, first, version),
            Stack::OpenSsl { .. } | Stack::BoringSsl => None,
        }
    }

    /// The client presents its certificate where it is asked to, and the server judges it.
    #[allow(clippy::too_many_arguments)]
    fn client_presents(
        &self,
        tls: &ClientTls,
        loaded: &LoadedClient,
        (context, index): (&ServerContext, usize),
        served: &LoadedContext,
        us: Party<'_>,
        them: Party<'_>,
        version: Protocol,
    ) -> Step<Met> {
        let mut met = Met { context: index, ..Met::default() };
        let mode = *context.client_auth.mode.value();
        if mode == ClientAuthMode::Off || never_asks(them.program, context) {
            return Ok(met);
        }
        let unfit = loaded.pair.as_ref().and_then(|pair| pair.unfit.as_ref());
        let mut left_out: Option<String> = None;
        if let Some(unfit) = unfit {
            match tls.unfit_credential {
                UnfitCredential::FailsHandshake if !unfit.other_kind => {
                    let end = End::new(Outcome::HandshakeFails, Side::Client, unfit.clone().into());
                    return Err(end.seen(unfit.words.clone()).stop());
                }
                _ => left_out = Some(unfit.message.clone()),
            }
        }
        let pair = loaded.pair.as_ref().filter(|_| left_out.is_none());
        if let Some(pair) = pair {
            need(pair)?;
        }
        let mut first = pair.and_then(|pair| pair.chain.certificates.first());
        if let Some(certificate) = first {
            match negotiate::presents(us, them, certificate, version) {
                Ok(()) => {}
                Err(NotSent::Nothing(message)) => {
                    left_out = Some(message);
                    first = None;
                }
                Err(NotSent::Fails(side, message)) => {
                    let label = Label { span: certificate.span, message: message.clone() };
                    let reason = why(Mistake::NoCommonAlgorithm, message, vec![label]);
                    return Err(End::new(Outcome::HandshakeFails, side, reason).logged("wrong curve").stop());
                }
            }
        }
        let (Some(first), Some(pair)) = (first, pair) else {
            return match self.without_certificate(context, mode, left_out) {
                Some(stop) => Err(stop),
                None => Ok(met),
            };
        };
        met.presented = true;
        if them.program.versions.stack == Stack::BoringSsl
            && trusts_nobody(&served.anchors)
            && context.client_auth.checks.pins.is_empty()
            && context.client_auth.checks.accept_untrusted.is_none()
        {
            return Ok(met);
        }
        let judgement = self.shelf.judge(&Case {
            verifier: them.program,
            presented: &pair.chain,
            end_entity_only: tls.sends_end_entity_only,
            anchors: &served.anchors,
            checks: &context.client_auth.checks,
            lists: &served.lists,
            purpose: Purpose::Client,
            security_level: them.security_level,
            at: self.at,
        })?;
        let mut fault = judgement.fault;
        if fault.is_none() && matches!(them.program.versions.stack, Stack::Go(_)) {
            fault = self.etcd_names(context, first, them)?;
        }
        let Some(fault) = fault else { return Ok(met) };
        if self.judged_later(context) {
            met.fault = Some(fault);
            return Ok(met);
        }
        Err(self.server_refuses(context, &fault, Outcome::HandshakeFails))
    }

    /// etcd's further checks: allowed names, and on peer ports the caller's address.
    fn etcd_names(
        &self,
        context: &ServerContext,
        first: &Arc<Certificate>,
        them: Party<'_>,
    ) -> Step<Option<Fault>> {
        let Stack::Go(version) = them.program.versions.stack else { return Ok(None) };
        let checks = &context.client_auth.checks;
        if let Some(fault) = verify::allowed(checks, first, version) {
            return Ok(Some(fault));
        }
        if checks.peer_address { self.peer_address(first) } else { Ok(None) }
    }

    /// listener_tls.go checkCertSAN: one address or resolvable name of the certificate must be the caller's.
    fn peer_address(&self, first: &Arc<Certificate>) -> Step<Option<Fault>> {
        let callers = self.caller_addresses();
        let dns: Vec<&str> = first.dns_names().collect();
        let addresses: Vec<IpAddr> = first.addresses().filter_map(address).collect();
        if dns.is_empty() && addresses.is_empty() {
            return Ok(None);
        }
        let aliases = self.client.map(|(_, client, _)| client.aliases.clone()).unwrap_or_default();
        let hosts = self.shelf.deployment.hosts.as_ref();
        let Some(callers) = callers else {
            let own = |name: &&str| {
                aliases.iter().any(|alias| crate::stack::go::host::match_hostnames(name, alias))
            };
            if dns.iter().any(own) {
                return Ok(None);
            }
            return Err(unknown(vec![format!(
                "whether {} belongs to the address that the member calls from is not seen",
                first.shown_names()
            )]));
        };
        if addresses.iter().any(|address| callers.contains(address)) {
            return Ok(None);
        }
        let resolves = |name: &&str| {
            let Some(hosts) = hosts else { return false };
            if let Some(parent) = name.strip_prefix('*') {
                // reverse look-up: any name of the caller's address beneath the wildcard
                return hosts.iter().any(|(known, addresses)| {
                    known.ends_with(parent) && addresses.iter().any(|address| callers.contains(address))
                });
            }
            hosts
                .get(&name.to_ascii_lowercase())
                .is_some_and(|addresses| addresses.iter().any(|address| callers.contains(address)))
        };
        if dns.iter().any(resolves) {
            return Ok(None);
        }
        let caller = callers.first().map_or_else(|| "?".to_owned(), ToString::to_string);
        let text = if dns.is_empty() {
            format!("tls: \"{caller}\" does not match any of IPAddresses {addresses:?}")
        } else {
            format!("tls: \"{caller}\" does not match any of DNSNames {dns:?}")
        };
        Ok(Some(Fault {
            mistake: Mistake::ForeignAddress,
            number: None,
            text,
            depth: 0,
            message: format!(
                "{} bears {}, none of which belongs to {caller}, from which the member calls",
                first.shown,
                first.shown_names()
            ),
            certificate: Some(Arc::clone(first)),
        }))
    }

    /// Where the client calls from, as far as the hosts file tells.
    fn caller_addresses(&self) -> Option<Vec<IpAddr>> {
        let hosts = self.shelf.deployment.hosts.as_ref()?;
        let (_, client, dialer) = self.client?;
        let lookup = |host: &str| -> Vec<IpAddr> {
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            match bare.parse() {
                Ok(address) => vec![address],
                Err(_) => hosts.get(&host.to_ascii_lowercase()).cloned().unwrap_or_default(),
            }
        };
        let target = lookup(&dialer.target.host.value);
        // a loopback address is called from the same one
        if let Some(loopback) = target.iter().find(|address| address.is_loopback()) {
            return Some(vec![*loopback]);
        }
        let own: Vec<IpAddr> = client.aliases.iter().flat_map(|alias| lookup(alias)).collect();
        if own.is_empty() { None } else { Some(own) }
    }

    /// nginx judges later, when a request is there; so does APISIX where an object skips paths, and in the Admin API.
    fn judged_later(&self, context: &ServerContext) -> bool {
        let (_, server, listener) = self.server;
        match server.kind {
            ProgramKind::Nginx => true,
            ProgramKind::Apisix => {
                !apisix::serves_objects(server, listener)
                    || !context.client_auth.skip_paths.is_empty()
                    || !context.client_auth.trust.iter().any(|trust| {
                        matches!(
                            trust,
                            Trust::File { loader: crate::deployment::TrustLoader::ApisixClientCa, .. }
                        )
                    })
            }
            _ => false,
        }
    }

    fn without_certificate(
        &self,
        context: &ServerContext,
        mode: ClientAuthMode,
        left_out: Option<String>,
    ) -> Option<Stop> {
        if mode != ClientAuthMode::Required || self.judged_later(context) {
            return None;
        }
        let mut stop = self.no_certificate(context, Outcome::HandshakeFails);
        if let (Stop::End(end), Some(message)) = (&mut stop, left_out)
            && let Some(first) = end.why.first_mut()
        {
            first.message = format!("{}: {message}", first.message);
        }
        Some(stop)
    }

    /// The server insists on a certificate and gets none.
    pub fn no_certificate(&self, context: &ServerContext, outcome: Outcome) -> Stop {
        let (_, server, _) = self.server;
        let mut labels = Vec::new();
        if let Some((_, _, dialer)) = self.client {
            let span = dialer.tls.as_ref().map_or(dialer.span, |tls| tls.span);
            labels.push(Label { span, message: "the client presents no certificate".to_owned() });
        }
        labels.push(Label {
            span: context.client_auth.mode.span(),
            message: "the server requires one".to_owned(),
        });
        let reason = why(
            Mistake::MissingClientCertificate,
            "the server requires a client certificate, and the client presents none",
            labels,
        );
        let log = match (server.kind, server.versions.stack) {
            // APISIX's Admin API, and its data plane under a snippet, are nginx's own
            (ProgramKind::Nginx, _) | (ProgramKind::Apisix, _) if outcome == Outcome::RequestRejected => {
                "client sent no required SSL certificate while reading client request headers"
            }
            (_, Stack::Go(_)) => "tls: client didn't provide a certificate",
            (_, Stack::BoringSsl) => "PEER_DID_NOT_RETURN_A_CERTIFICATE",
            _ => "peer did not return a certificate",
        };
        let mut end = End::new(outcome, Side::Server, reason).logged(log);
        end.client_sees =
            self.client.and_then(|(_, client, _)| words::client_is_refused(client, server, true, outcome));
        end.stop()
    }

    /// The server refuses the client's certificate.
    pub fn server_refuses(&self, context: &ServerContext, fault: &Fault, outcome: Outcome) -> Stop {
        let (_, server, _) = self.server;
        let label = trust_label(&context.client_auth.trust, &context.client_auth.mode);
        let mut end = End::new(outcome, Side::Server, Why::fault(fault, label))
            .logged(words::server_refuses(server, fault, outcome));
        end.client_sees =
            self.client.and_then(|(_, client, _)| words::client_is_refused(client, server, false, outcome));
        end.stop()
    }

    /// etcd's gateway dials etcd's own client port with the server certificate: where that fails, requests to /v3 do.
    ///
    /// # Errors
    /// The refusal of the request.
    pub fn gateway(&self, dialer: usize) -> Step {
        if self.is_gateway {
            return Ok(());
        }
        let (server_id, server, listener) = self.server;
        let Some(dialer) = server.dialers.get(dialer) else { return Ok(()) };
        let inner = Wire {
            shelf: self.shelf,
            connection: self.connection,
            client: Some((server_id, server, dialer)),
            server: (server_id, server, listener),
            at: self.at,
            is_gateway: true,
        };
        match inner.run(&mut Authenticated::default()) {
            Ok(()) => Ok(()),
            Err(Stop::Unknown(why)) => Err(Stop::Unknown(why)),
            Err(Stop::End(end)) => {
                let mut reasons = end.why.clone();
                if let Some(first) = reasons.first_mut() {
                    first.message = format!(
                        "etcd's gRPC gateway presents the server certificate to etcd itself, which refuses it: {}",
                        first.message
                    );
                }
                reasons.push(why(
                    Mistake::GatewayRefused,
                    "requests to /v3 go through etcd's gRPC gateway, which cannot connect to etcd",
                    vec![Label { span: dialer.span, message: "the gateway dials here".to_owned() }],
                ));
                let log = end.server_logs.clone().map(|log| format!("rejected connection: {log}"));
                Err(Stop::End(Box::new(End {
                    outcome: Outcome::RequestRejected,
                    side: Some(Side::Server),
                    why: reasons,
                    client_sees: Some("HTTP 503 {\"error\":\"connection closed\",\"code\":14}".to_owned()),
                    server_logs: log,
                })))
            }
        }
    }
}

/// Envoy asks for no certificate where nothing could verify one, whatever `require_client_certificate` says.
fn never_asks(server: &Program, context: &ServerContext) -> bool {
    let auth = &context.client_auth;
    server.versions.stack == Stack::BoringSsl
        && auth.trust.is_empty()
        && auth.checks.pins.is_empty()
        && auth.checks.accept_untrusted.is_none()
        && *auth.mode.value() != ClientAuthMode::Required
}

/// Something in the context verifies a certificate that is presented.
fn verifies(context: &ServerContext) -> bool {
    let auth = &context.client_auth;
    (!auth.trust.is_empty() || !auth.checks.pins.is_empty()) && auth.checks.accept_untrusted.is_none()
}

fn trusts_nobody(anchors: &Anchors) -> bool {
    anchors.certificates.is_empty() && !anchors.system && anchors.unseen.is_empty()
}

/// Where trust is configured, or where the check is switched on.
fn trust_label<T>(trust: &[Trust], otherwise: &Setting<T>) -> Option<Label> {
    let span = match trust.first() {
        Some(Trust::File { file, .. }) => file.path.span,
        Some(Trust::System(span)) => *span,
        None => otherwise.span(),
    };
    Some(Label { span, message: "the verifier's trust is configured here".to_owned() })
}

/// etcd looks for the names that it demands in verified paths. Its gateway, which dials without verifying, has none, so
/// that no certificate whatever satisfies it (`TLSInfo.baseConfig`; seen with 3.4.23).
fn unverified_names(tls: &ClientTls, us: Party<'_>) -> Option<Stop> {
    let Stack::Go(_) = us.program.versions.stack else { return None };
    let name = tls.checks.names.iter().find(|check| !matches!(check.value, NameCheck::San { .. }))?;
    let message = "etcd demands a name of its clients' certificates, and looks for it in verified paths: its own gateway, which verifies nobody, never has one".to_owned();
    let label = Label { span: name.span, message: "demanded here".to_owned() };
    let reason = why(Mistake::NameNotAllowed, message, vec![label]);
    Some(
        End::new(Outcome::HandshakeFails, Side::Client, reason)
            .seen("client certificate authentication failed")
            .stop(),
    )
}

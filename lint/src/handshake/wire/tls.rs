//! The handshake's course: the context that the server name chooses, what both sides agree on, both certificates.

use super::{Authenticated, Wire};
use crate::deployment::{
    ClientTls, Listener, ListenerTls, Program, Protocol, Selection, ServerContext, Stack, Version,
};
use crate::finding::Label;
use crate::handshake::negotiate::{self, Party};
use crate::handshake::outcome::{End, Step, Stop, unknown, why};
use crate::handshake::request::{self, Met};
use crate::handshake::sides::{LoadedClient, LoadedContext};
use crate::handshake::words::alert::{Alert, Arrival, Moment, client_hears, server_hears};
use crate::handshake::{Outcome, Side, Why, apisix};
use crate::selection::{Nobody, Selected};
use crate::stack::Mistake;

/// A handshake whose protocol version and server certificate are chosen.
pub(super) struct Handshake<'w, 'd> {
    /// The connection.
    pub wire: &'w Wire<'w, 'd>,
    /// The client's settings.
    pub tls: &'w ClientTls,
    /// The client's files.
    pub loaded: &'w LoadedClient,
    /// The server's settings.
    pub context: &'w ServerContext,
    /// The server's files.
    pub served: &'w LoadedContext,
    /// The client.
    pub us: Party<'w>,
    /// The server.
    pub them: Party<'w>,
    /// What both speak.
    pub version: Protocol,
}

impl<'d> Wire<'_, 'd> {
    pub(super) fn handshake(
        &self,
        client_tls: &'d ClientTls,
        tls: &'d ListenerTls,
        loaded: &LoadedClient,
        authenticated: &mut Authenticated,
    ) -> Step {
        let (_, server, listener) = self.server;
        let Some((_, client, _)) = self.client else { return Ok(()) };
        self.knows_needed_name(client_tls, tls)?;
        let serves_objects = apisix::serves_objects(server, listener);
        let objects = serves_objects.then(|| self.shelf.served_objects(server, tls));
        let index = self.select(objects.as_ref().unwrap_or(tls))?;
        let Some(context) = tls.contexts.get(index) else { return Ok(()) };
        if context.rejects_handshake {
            return Err(self.rejected(context));
        }
        let served = self.load(context, serves_objects)?;
        let us = Party {
            program: client,
            security_level: loaded.security_level,
            ciphers: client_tls.ciphers.as_ref(),
            algorithms: &client_tls.algorithms,
        };
        let them = Party {
            program: server,
            security_level: served.security_level,
            ciphers: context.ciphers.as_ref(),
            algorithms: &context.algorithms,
        };
        self.final_dot(server, client)?;
        let version = negotiate::protocol((us, client_tls), (them, context))
            .map_err(|stop| self.heard(stop, Moment::Hello, None))?;
        negotiate::exchange(us, them, version)
            .map_err(|stop| self.heard(stop, Moment::Hello, Some(version)))?;
        let sni = self.server_name();
        let hello = negotiate::Hello {
            server_name: sni.as_deref(),
            offers_tls13: client_tls.protocols.value().versions.contains(&Protocol::Tls13),
            version,
        };
        let shown = negotiate::server_pair(us, them, &served.pairs, hello, context.span)
            .map_err(|stop| self.heard(stop, Moment::Hello, Some(version)))?;
        let handshake =
            Handshake { wire: self, tls: client_tls, loaded, context, served: &served, us, them, version };
        let late = handshake
            .client_verifies(shown, authenticated)
            .map_err(|stop| self.heard(stop, Moment::Handshake, Some(version)))?;
        let moment = if version == Protocol::Tls13 { Moment::Done } else { Moment::Handshake };
        let presented = handshake.client_presents().map_err(|stop| self.heard(stop, moment, Some(version)));
        let met = match (presented, late) {
            // a TLS 1.3 client is done before the server answers: its own refusal comes first
            (_, Some(refusal)) if version == Protocol::Tls13 => return Err(refusal),
            (Err(stop), _) => return Err(stop),
            (Ok(_), Some(refusal)) => return Err(refusal),
            (Ok(met), None) => Met { context: index, ..met },
        };
        authenticated.client = met.presented && met.fault.is_none() && verifies(context);
        match objects {
            Some(objects) => {
                request::answer(self, &Listener { tls: Some(objects), ..listener.clone() }, &met)
            }
            None => request::answer(self, listener, &met),
        }
    }

    /// The name of the request is known, where anything depends on it.
    fn knows_needed_name(&self, client_tls: &ClientTls, tls: &ListenerTls) -> Step {
        let one_for_all = match tls.selection {
            Selection::Single => true,
            Selection::Nginx { .. } => tls.contexts.len() <= 1,
            Selection::Apisix { .. } | Selection::Envoy { .. } => false,
        };
        let chooses = client_tls.server_name.is_some() && !one_for_all;
        let compares = client_tls.reference.is_some() && *client_tls.verify.value();
        if client_tls.names_from_request && (chooses || compares) && self.request_host().is_none() {
            return Err(unknown(vec![
                "the server name is that of the request, and no request is known".to_owned(),
            ]));
        }
        Ok(())
    }

    /// With what the side that is rejected makes of the alert.
    fn heard(&self, mut stop: Stop, moment: Moment, version: Option<Protocol>) -> Stop {
        let (_, server, _) = self.server;
        let (Stop::End(end), Some((_, client, dialer))) = (&mut stop, self.client) else { return stop };
        let (Some(alert), Some(side)) = (end.alert, end.side) else { return stop };
        let sender = match side {
            Side::Client => client,
            Side::Server => server,
        };
        let arrival = Arrival { alert, sender, moment, version };
        match side {
            Side::Client if end.server_logs.is_none() => end.server_logs = server_hears(server, &arrival),
            Side::Server if end.client_sees.is_none() => {
                end.client_sees = client_hears(client, dialer.purpose, &arrival);
            }
            Side::Client | Side::Server => {}
        }
        stop
    }

    fn rejected(&self, context: &ServerContext) -> Stop {
        let label = Label { span: context.span, message: "this server refuses handshakes".to_owned() };
        let message = format!("the server refuses every handshake for {}", self.shown_name());
        let reason = why(Mistake::RejectedHandshake, message, vec![label]);
        let end = End::new(Outcome::HandshakeFails, Side::Server, reason)
            .alerting(Alert::UNRECOGNIZED_NAME)
            .logged("SSL_do_handshake() failed: unrecognized name");
        self.heard(end.stop(), Moment::Hello, None)
    }

    /// The chosen context's files.
    fn load(&self, context: &ServerContext, is_object: bool) -> Step<LoadedContext> {
        let (_, server, _) = self.server;
        if !is_object {
            return self.shelf.context(server, context, Side::Server);
        }
        let served = self
            .shelf
            .object(server, context)
            .map_err(|refusal| End::new(Outcome::ConfigRejected, Side::Server, Why::from(&refusal)).stop())?;
        match apisix::unusable(&served) {
            Some(stop) => Err(stop),
            None => Ok(served),
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
        // 1.26 calls it by its name; what 1.25 says was not seen
        let (alert, log) = match server.versions.stack {
            Stack::Go(version) if version >= Version(1, 26, 0) => {
                (Some(Alert::DECODE_ERROR), "local error: tls: error decoding message")
            }
            Stack::Go(version) if version >= Version(1, 25, 0) => (None, "local error: tls: "),
            _ => (Some(Alert::UNEXPECTED_MESSAGE), "local error: tls: unexpected message"),
        };
        let end = End::new(Outcome::HandshakeFails, Side::Server, reason).alerting(alert).logged(log);
        Err(self.heard(end.stop(), Moment::Hello, None))
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
}

/// Something in the context verifies a certificate that is presented.
fn verifies(context: &ServerContext) -> bool {
    let auth = &context.client_auth;
    (!auth.trust.is_empty() || !auth.checks.pins.is_empty()) && auth.checks.accept_untrusted.is_none()
}

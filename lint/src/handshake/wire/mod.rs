//! One connection, step by step in the order of the wire.

mod client_certificate;
mod gateway;
mod peer_address;
mod plaintext;
mod server_certificate;
mod tls;

use std::net::IpAddr;

use super::outcome::{End, Step, unknown};
use super::request::{self, Met};
use super::shelf::Shelf;
use super::{Outcome, Side, UnixSeconds, Why, apisix};
use crate::deployment::{
    ClientAuthMode, Connection, Dialer, Listener, PathChecks, Program, ProgramId, Request, Selection,
    Setting, Trust,
};
use crate::finding::Label;
use crate::stack::{Anchors, Fault, Mistake};

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
    /// Whether it is depends on the name that a client asks for.
    pub by_name: bool,
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
        let (mut asking, mut open) = (false, false);
        let mut named_by_client = None;
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
            // nobody gets in there
            if context.rejects_handshake {
                continue;
            }
            let asks = *context.client_auth.mode.value() == ClientAuthMode::Required
                && (!context.client_auth.trust.is_empty() || !context.client_auth.checks.pins.is_empty());
            asking |= asks;
            open |= !asks;
            let mut certificates =
                context.credentials.iter().map(|credential| &credential.certificate.path.value);
            named_by_client =
                named_by_client.or(certificates.find(|path| path.contains('$')).filter(|_| !objects));
        }
        if !listener.unseen.is_empty() {
            return Err(unknown(listener.unseen.clone()));
        }
        if let Selection::Envoy { passages, .. } = &tls.selection
            && let Some(passage) = passages.first()
        {
            return Err(unknown(vec![passage.why.clone()]));
        }
        if let Some(path) = named_by_client {
            return Err(unknown(vec![format!("{path} holds variables, known only per connection")]));
        }
        authenticated.client = asking && !open;
        authenticated.by_name = asking && open;
        Ok(())
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

    fn request_host(&self) -> Option<String> {
        self.received().map(|request| request.host_name().to_owned())
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
}

fn trusts_nobody(anchors: &Anchors) -> bool {
    anchors.certificates.is_empty() && !anchors.system && anchors.unseen.is_empty()
}

/// What of the verifier's configuration a fault disagrees with.
fn verifier_label<T>(
    fault: &Fault,
    trust: &[Trust],
    checks: &PathChecks,
    otherwise: &Setting<T>,
) -> Option<Label> {
    match &checks.depth {
        Some(Setting::Given(depth)) if fault.mistake == Mistake::VerifyDepthExceeded => {
            Some(Label { span: depth.span, message: format!("the depth is set here: {}", depth.value) })
        }
        _ => trust_label(trust, otherwise),
    }
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

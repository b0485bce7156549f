//! The client presents its certificate where it is asked to, and the server judges it.

use std::sync::Arc;

use super::tls::Handshake;
use super::{Wire, trusts_nobody, verifier_label};
use crate::deployment::{
    ClientAuthMode, Program, ProgramKind, Protocol, ServerContext, Stack, Trust, TrustLoader,
    UnfitCredential, Version,
};
use crate::finding::Label;
use crate::handshake::negotiate::{self, NotSent};
use crate::handshake::outcome::{End, Step, Stop, unknown, why};
use crate::handshake::request::Met;
use crate::handshake::shelf::{Pair, need};
use crate::handshake::verify::{self, Case};
use crate::handshake::words::alert::{self, Alert};
use crate::handshake::{Outcome, Side, apisix, words};
use crate::stack::{Certificate, Fault, Mistake, Purpose};

/// The client's answer to the server's wish for a certificate.
enum Sent<'p> {
    /// The pair, and its first certificate.
    Certificate(&'p Pair, &'p Arc<Certificate>),
    /// None; why one that is configured stays away.
    Nothing(Option<String>),
}

impl Handshake<'_, '_> {
    /// The client presents its certificate where it is asked to, and the server judges it.
    pub(super) fn client_presents(&self) -> Step<Met> {
        let Self { tls, context, served, them, .. } = *self;
        let mut met = Met::default();
        let mode = *context.client_auth.mode.value();
        if mode == ClientAuthMode::Off || never_asks(them.program, context) {
            return Ok(met);
        }
        let (pair, first) = match self.sent()? {
            Sent::Certificate(pair, first) => (pair, first),
            Sent::Nothing(left_out) => {
                return match self.without_certificate(mode, left_out) {
                    Some(stop) => Err(stop),
                    None => Ok(met),
                };
            }
        };
        met.presented = true;
        if them.program.versions.stack == Stack::BoringSsl
            && trusts_nobody(&served.anchors)
            && context.client_auth.checks.pins.is_empty()
            && context.client_auth.checks.accept_untrusted.is_none()
        {
            return Ok(met);
        }
        let judgement = self.wire.shelf.judge(&Case {
            verifier: them.program,
            presented: &pair.chain,
            end_entity_only: tls.sends_end_entity_only,
            anchors: &served.anchors,
            checks: &context.client_auth.checks,
            lists: &served.lists,
            purpose: Purpose::Client,
            security_level: them.security_level,
            // lua-nginx-module goes on only where the request is to see the result
            stops: them.program.kind == ProgramKind::Apisix && !self.wire.judged_later(context),
            is_tls13: self.version == Protocol::Tls13,
            at: self.wire.at,
        })?;
        let mut fault = judgement.fault;
        if fault.is_none() {
            fault = self.etcd_names(first)?;
        }
        let Some(fault) = fault else { return Ok(met) };
        if self.wire.judged_later(context) {
            met.fault = Some(fault);
            return Ok(met);
        }
        Err(self.wire.server_refuses(context, &fault, Outcome::HandshakeFails))
    }

    /// What crosses the wire: a program leaves out what it cannot use, or fails over it.
    fn sent(&self) -> Step<Sent<'_>> {
        let Some(pair) = &self.loaded.pair else { return Ok(Sent::Nothing(None)) };
        if let Some(unfit) = &pair.unfit {
            return match self.tls.unfit_credential {
                UnfitCredential::FailsHandshake if !unfit.other_kind => {
                    let end = End::new(Outcome::HandshakeFails, Side::Client, unfit.clone().into());
                    Err(end.seen(words::files::unfit(self.us.program, None, unfit)).stop())
                }
                _ => Ok(Sent::Nothing(Some(unfit.message.clone()))),
            };
        }
        need(pair)?;
        let Some(first) = pair.chain.certificates.first() else { return Ok(Sent::Nothing(None)) };
        match negotiate::presents(self.us, self.them, first, self.version) {
            Ok(()) => Ok(Sent::Certificate(pair, first)),
            Err(NotSent::Nothing(message)) => Ok(Sent::Nothing(Some(message))),
            Err(NotSent::Unknown(message)) => Err(unknown(vec![message])),
            Err(NotSent::Fails(side, message, words)) => {
                let mut labels = vec![Label { span: first.span, message: message.clone() }];
                labels.extend(self.us.settings("client"));
                labels.extend(self.them.settings("server"));
                let settled = labels.len() > 1;
                let mut reason = why(Mistake::NoCommonAlgorithm, message, labels);
                reason.help = settled.then(|| negotiate::SHARE.to_owned());
                let end = End::new(Outcome::HandshakeFails, side, reason);
                Err(match side {
                    Side::Client => end.seen(words).alerting(Alert::HANDSHAKE_FAILURE).stop(),
                    Side::Server => end.logged(words).alerting(Alert::ILLEGAL_PARAMETER).stop(),
                })
            }
        }
    }

    /// etcd's further checks: allowed names, and on peer ports the caller's address.
    fn etcd_names(&self, first: &Arc<Certificate>) -> Step<Option<Fault>> {
        let Stack::Go(version) = self.them.program.versions.stack else { return Ok(None) };
        let checks = &self.context.client_auth.checks;
        if let Some(fault) = verify::allowed(checks, first, version) {
            return Ok(Some(fault));
        }
        if checks.peer_address { self.wire.peer_address(first) } else { Ok(None) }
    }

    fn without_certificate(&self, mode: ClientAuthMode, left_out: Option<String>) -> Option<Stop> {
        if mode != ClientAuthMode::Required || self.wire.judged_later(self.context) {
            return None;
        }
        let mut stop = self.wire.no_certificate(self.context, Outcome::HandshakeFails, Some(self.version));
        if let (Stop::End(end), Some(message)) = (&mut stop, left_out)
            && let Some(first) = end.why.first_mut()
        {
            first.message = format!("{}: {message}", first.message);
        }
        Some(stop)
    }
}

impl Wire<'_, '_> {
    /// nginx judges later, when a request is there; so does APISIX where an object skips paths, and in the Admin API.
    fn judged_later(&self, context: &ServerContext) -> bool {
        let (_, server, listener) = self.server;
        match server.kind {
            ProgramKind::Nginx => true,
            ProgramKind::Apisix => {
                !apisix::serves_objects(server, listener)
                    || !context.client_auth.skip_paths.is_empty()
                    || !context
                        .client_auth
                        .trust
                        .iter()
                        .any(|trust| matches!(trust, Trust::File { loader: TrustLoader::ApisixClientCa, .. }))
            }
            _ => false,
        }
    }

    /// The server insists on a certificate and gets none.
    pub fn no_certificate(
        &self,
        context: &ServerContext,
        outcome: Outcome,
        version: Option<Protocol>,
    ) -> Stop {
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
            (_, Stack::BoringSsl) => {
                "TLS_error:|268435648:SSL routines:OPENSSL_internal:PEER_DID_NOT_RETURN_A_CERTIFICATE:peer did not provide required client certificate:TLS_error_end"
            }
            _ => "peer did not return a certificate",
        };
        let end = End::new(outcome, Side::Server, reason).logged(log);
        match (server.versions.stack, version) {
            _ if outcome == Outcome::RequestRejected => end.seen(words::client_is_answered(true)).stop(),
            // seen with 1.24, and not with 1.19
            (Stack::Go(go), _) if go < crate::stack::go::WRAPS_VERIFICATION_ERRORS => {
                end.alerting(Alert::BAD_CERTIFICATE).stop()
            }
            (Stack::Go(go), _) if go < Version(1, 24, 0) => end.stop(),
            (_, None) => end.stop(),
            (_, Some(Protocol::Tls13)) => end.alerting(Alert::CERTIFICATE_REQUIRED).stop(),
            _ => end.alerting(Alert::HANDSHAKE_FAILURE).stop(),
        }
    }

    /// The server refuses the client's certificate.
    pub fn server_refuses(&self, context: &ServerContext, fault: &Fault, outcome: Outcome) -> Stop {
        let (_, server, _) = self.server;
        let auth = &context.client_auth;
        let label = verifier_label(fault, &auth.trust, &auth.checks, &auth.mode);
        let end = End::new(outcome, Side::Server, self.reason(fault, label))
            .logged(words::server_refuses(server, fault, outcome));
        if outcome == Outcome::RequestRejected {
            return end.seen(words::client_is_answered(false)).stop();
        }
        end.alerting(alert::for_fault(server, fault, Purpose::Client)).stop()
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

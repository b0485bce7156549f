//! One side speaks TLS, the other does not.

use super::Wire;
use crate::deployment::{ClientTls, Dialer, ListenerTls, ProgramKind, Selection, Speaks};
use crate::finding::Label;
use crate::handshake::outcome::{End, Step, Stop, why};
use crate::handshake::request::{self, Met};
use crate::handshake::{Outcome, Side, nginx};
use crate::selection::Selected;
use crate::stack::Mistake;

impl Wire<'_, '_> {
    pub(super) fn plaintext_to_tls(&self, dialer: &Dialer, tls: &ListenerTls) -> Step {
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
        // what nginx and APISIX print of their upstreams
        let is_gateway = self
            .client
            .is_some_and(|(_, client, _)| matches!(client.kind, ProgramKind::Nginx | ProgramKind::Apisix));
        let end = match server.kind {
            ProgramKind::Nginx | ProgramKind::Apisix if dialer.speaks == Speaks::Http => {
                End::new(Outcome::RequestRejected, Side::Server, reason)
                    .seen("400 The plain HTTP request was sent to HTTPS port")
                    .logged(
                        "client sent plain HTTP request to HTTPS port while reading client request headers",
                    )
            }
            ProgramKind::Nginx | ProgramKind::Apisix if dialer.speaks == Speaks::Http2 && !is_gateway => {
                End::new(Outcome::RequestRejected, Side::Client, reason)
                    .logged("client sent invalid request while reading client request line")
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
        // the server that the Host header chooses may have a page for it
        let host = self.request().map(|request| request.host_name().to_owned());
        let context = match tls.select(host.as_deref()) {
            Selected::Context(index) => tls.contexts.get(index),
            Selected::Nobody(_) | Selected::Undetermined(_) => None,
        };
        Err(match context {
            Some(context) => nginx::refused(server, context, nginx::TO_HTTPS, end.stop()),
            None => end.stop(),
        })
    }

    pub(super) fn tls_to_plaintext(&self, tls: &ClientTls) -> Stop {
        let (_, _, listener) = self.server;
        let labels = vec![
            Label { span: tls.span, message: "dials with TLS".to_owned() },
            Label { span: listener.span, message: "listens without TLS".to_owned() },
        ];
        let reason =
            why(Mistake::TlsToPlaintext, "the client dials with TLS, but the listener speaks none", labels);
        End::new(Outcome::HandshakeFails, Side::Client, reason).seen("wrong version number").stop()
    }
}

//! The client judges the server's certificate.

use std::sync::Arc;

use super::tls::Handshake;
use super::{Authenticated, trusts_nobody, verifier_label};
use crate::deployment::{ClientTls, DialerPurpose, NameCheck, ProgramKind, Protocol, Speaks, Stack};
use crate::finding::Label;
use crate::handshake::negotiate::{self, Party};
use crate::handshake::outcome::{End, Step, Stop, unknown, why};
use crate::handshake::shelf::{Pair, need};
use crate::handshake::verify::{self, Case, Judgement};
use crate::handshake::words::alert::{self, Alert};
use crate::handshake::{Outcome, Side, Why, words};
use crate::stack::{Anchors, Certificate, Fault, Mistake, Purpose};

impl Handshake<'_, '_> {
    /// The client judges the server. A refusal that comes only after the client's own handshake is handed back.
    pub(super) fn client_verifies(
        &self,
        shown: &Pair,
        authenticated: &mut Authenticated,
    ) -> Step<Option<Stop>> {
        let Self { tls, loaded, us, version, .. } = *self;
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
                .alerting(Alert::HANDSHAKE_FAILURE)
                .stop());
        }
        // whoever verifies nothing needs a server that starts all the same
        need(shown)?;
        if !*tls.verify.value() {
            return unverified_names(tls, us).map_or(Ok(None), Err);
        }
        if us.program.versions.stack == Stack::BoringSsl
            && trusts_nobody(&loaded.anchors)
            && tls.checks.pins.is_empty()
        {
            // without trusted_ca nothing is verified
            return self.key_usage_of_server(shown).map(|()| None);
        }
        let judgement = self.wire.shelf.judge(&Case {
            verifier: us.program,
            presented: &shown.chain,
            end_entity_only: false,
            anchors: &loaded.anchors,
            checks: &tls.checks,
            lists: &loaded.lists,
            purpose: Purpose::Server,
            security_level: us.security_level,
            // a cosocket without a trust bundle sets nothing up
            stops: self.purpose() == DialerPurpose::Configuration && tls.trust.is_empty(),
            is_tls13: version == Protocol::Tls13,
            at: self.wire.at,
        })?;
        let refusal = self.client_refusal(shown, &judgement)?;
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
            // curl compares names when it is over, and 8.23 looks at the path then, too
            Some(stop) if judgement.fault.is_none() && us.program.kind == ProgramKind::Curl => Ok(Some(stop)),
            Some(stop) if alert::comes_late(us.program) => Ok(Some(stop)),
            Some(stop) => Err(stop),
        }
    }

    /// What is looked at where nothing is trusted.
    fn key_usage_of_server(&self, shown: &Pair) -> Step {
        if shown.chain.certificates.is_empty() {
            return Ok(());
        }
        let Self { tls, loaded, us, version, .. } = *self;
        let judgement = self.wire.shelf.judge(&Case {
            verifier: us.program,
            presented: &shown.chain,
            end_entity_only: false,
            anchors: &Anchors::default(),
            checks: &tls.checks,
            lists: &loaded.lists,
            purpose: Purpose::Server,
            security_level: 0,
            stops: false,
            is_tls13: version == Protocol::Tls13,
            at: self.wire.at,
        })?;
        match self.client_refusal(shown, &judgement)? {
            Some(stop) => Err(stop),
            None => Ok(()),
        }
    }

    /// A path's fault, or a name's.
    fn client_refusal(&self, shown: &Pair, judgement: &Judgement) -> Step<Option<Stop>> {
        let (tls, client) = (self.tls, self.us.program);
        if let Some(fault) = &judgement.fault {
            let label = verifier_label(fault, &tls.trust, &tls.checks, &tls.verify);
            let reason = self.wire.reason(fault, label);
            let mut end = End::new(Outcome::HandshakeFails, Side::Client, reason);
            end.client_sees =
                self.name_told_first(shown).or_else(|| words::client_refuses(client, self.purpose(), fault));
            return Ok(Some(end.alerting(alert::for_fault(client, fault, Purpose::Server)).stop()));
        }
        let (Some(first), Some(reference)) = (shown.chain.certificates.first(), self.reference()) else {
            return Ok(None);
        };
        if client.kind == ProgramKind::Nginx && verify::address_decides(client, first, &reference) {
            return Err(unknown(vec![format!(
                "nginx compares addresses since 1.31.0, and what it makes of {reference} and {} was not seen",
                first.shown
            )]));
        }
        let Err(library) = verify::bears_name(client, first, &reference) else {
            return match self.allowed_name(first) {
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
        let mut reason = why(Mistake::NameMismatch, message, labels);
        if client.kind == ProgramKind::Nginx {
            let grpc = self.wire.client.is_some_and(|(_, _, dialer)| dialer.speaks == Speaks::Http2);
            reason.help = Some(format!(
                "issue the certificate with the DNS name {reference}, or write {}_ssl_name with a name that it bears",
                if grpc { "grpc" } else { "proxy" }
            ));
        }
        let mut end = End::new(Outcome::HandshakeFails, Side::Client, reason);
        end.client_sees = words::name_mismatch(client, self.purpose(), first, &reference, &library);
        Ok(Some(end.alerting(alert::for_name(client)).stop()))
    }

    /// What curl prints of the name, where it looks at that before it looks at the path.
    fn name_told_first(&self, shown: &Pair) -> Option<String> {
        let client = self.us.program;
        if !words::tells_name_first(client) {
            return None;
        }
        let (first, reference) = (shown.chain.certificates.first()?, self.reference()?);
        let library = verify::bears_name(client, first, &reference).err()?;
        words::name_mismatch(client, self.purpose(), first, &reference, &library)
    }

    /// What the client dials for.
    fn purpose(&self) -> DialerPurpose {
        self.wire.client.map_or(DialerPurpose::Upstream, |(_, _, dialer)| dialer.purpose)
    }

    fn allowed_name(&self, first: &Arc<Certificate>) -> Option<Fault> {
        match self.us.program.versions.stack {
            Stack::Go(version) => verify::allowed(&self.tls.checks, first, version),
            Stack::OpenSsl { .. } | Stack::BoringSsl => None,
        }
    }

    /// The name that the client expects.
    fn reference(&self) -> Option<String> {
        let reference = self.tls.reference.as_ref()?;
        if self.tls.names_from_request {
            return self.wire.request_host();
        }
        Some(reference.value.clone())
    }
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

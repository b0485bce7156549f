//! One connection, step by step in the order of the wire.

mod client_certificate;
mod gateway;
mod peer_address;
mod plaintext;
mod server_certificate;
mod tls;

use std::net::IpAddr;

use super::outcome::{End, Step, Stop, unknown};
use super::request::{self, Met};
use super::shelf::Shelf;
use super::{Outcome, Side, UnixSeconds, Why, apisix};
use crate::deployment::{
    ClientAuthMode, Connection, Dialer, Listener, ListenerTls, PathChecks, Program, ProgramId, ProgramKind,
    Request, Selection, ServerContext, Setting, Trust,
};
use crate::finding::Label;
use crate::selection::Selected;
use crate::stack::{Anchors, Fault, Mistake};
use crate::syntax::url::without_port;

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
        let mut served: Vec<&ServerContext> = Vec::new();
        let objects = apisix::serves_objects(server, listener);
        if objects {
            served = self.usable_objects(tls)?;
        } else {
            let mut unseen = Vec::new();
            for context in &tls.contexts {
                let loaded = self.shelf.context(server, context, Side::Server)?;
                // nobody gets in there
                if context.rejects_handshake {
                    continue;
                }
                served.push(context);
                let files = loaded.pairs.into_iter().flat_map(|pair| pair.unseen);
                // without its list the server does not start, or lets nobody in
                let verifies = *context.client_auth.mode.value() != ClientAuthMode::Off;
                let lists = loaded.lists.unseen.into_iter().filter(|_| verifies);
                unseen.push(files.chain(lists).collect::<Vec<_>>());
            }
            if let (true, Selection::Envoy { default: None, plaintext: false, passages }) =
                (served.is_empty(), &tls.selection)
                && passages.is_empty()
            {
                return Err(self.no_chain());
            }
            if !unseen.is_empty() && unseen.iter().all(|reasons| !reasons.is_empty()) {
                let mut reasons: Vec<String> = Vec::new();
                for reason in unseen.into_iter().flatten() {
                    if !reasons.contains(&reason) {
                        reasons.push(reason);
                    }
                }
                return Err(unknown(reasons));
            }
        }
        if !listener.unseen.is_empty() {
            return Err(unknown(listener.unseen.clone()));
        }
        if let Selection::Envoy { passages, .. } = &tls.selection
            && let Some(passage) = passages.first()
        {
            return Err(unknown(vec![passage.why.clone()]));
        }
        let certificates = served.iter().flat_map(|context| &context.credentials);
        let mut paths =
            certificates.map(|credential| &credential.certificate.path.value).filter(|_| !objects);
        if let Some(path) = paths.find(|path| path.contains('$')) {
            return Err(unknown(vec![format!("{path} holds variables, known only per connection")]));
        }
        let asks = |context: &&ServerContext| {
            let auth = &context.client_auth;
            *auth.mode.value() == ClientAuthMode::Required
                && (!auth.trust.is_empty() || !auth.checks.pins.is_empty())
        };
        let (asking, open) = (served.iter().any(asks), !served.iter().all(asks));
        authenticated.client = asking && !open;
        authenticated.by_name = asking && open;
        Ok(())
    }

    /// No connection ever reaches a filter chain of an Envoy without the TLS inspector.
    fn no_chain(&self) -> Stop {
        let label = Label { span: self.server.2.span, message: "at this listener".to_owned() };
        let reason = Why {
            rule: "uninspected-server-name",
            message: "every connection is reset: no filter chain matches without a TLS inspector".to_owned(),
            labels: vec![label],
            help: None,
        };
        End::new(Outcome::HandshakeFails, Side::Server, reason).stop()
    }

    /// The ssl objects with which a handshake can succeed: the others work when one is dropped.
    ///
    /// # Errors
    /// Where none can.
    fn usable_objects(&self, tls: &'d ListenerTls) -> Step<Vec<&'d ServerContext>> {
        let (_, server, listener) = self.server;
        let mut usable = Vec::new();
        let mut unseen = Vec::new();
        let mut first = None;
        // the name under which clients may know the port
        let host = self.connection.url.strip_prefix("https://").map(without_port);
        let shown = host.and_then(|host| match tls.select(Some(host)) {
            Selected::Context(index) => Some(index),
            Selected::Nobody(_) | Selected::Undetermined(_) => None,
        });
        for (index, context) in tls.contexts.iter().enumerate() {
            let object = match self.shelf.object(server, context) {
                Err(refusal) => Err(apisix::every_object_dropped(&refusal)),
                Ok(object) => apisix::unusable(&object).map_or(Ok(object), Err),
            };
            match object {
                Err(stop) if shown == Some(index) => return Err(stop),
                Err(stop) => {
                    first.get_or_insert(stop);
                }
                Ok(object) if object.pairs.iter().any(|pair| !pair.unseen.is_empty()) => {
                    let kept: Vec<String> = object.pairs.into_iter().flat_map(|pair| pair.unseen).collect();
                    if shown == Some(index) {
                        return Err(unknown(kept));
                    }
                    unseen.extend(kept);
                }
                Ok(_) => usable.push(context),
            }
        }
        if !usable.is_empty() {
            return Ok(usable);
        }
        // another object may lie in etcd, or with whoever keeps the secret
        unseen.extend(listener.unseen.iter().cloned());
        match first {
            _ if !unseen.is_empty() => Err(unknown(unseen)),
            Some(stop) => Err(stop),
            None => Err(apisix::no_object(server, listener)),
        }
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
        self.received().map(|request| request.host_name().to_owned()).or_else(|| self.routed_host())
    }

    /// The host of every request that APISIX's routes lead to the dialer, where they name one.
    fn routed_host(&self) -> Option<String> {
        let (_, client, dialer) = self.client?;
        let mut hosts = dialer.routes.iter().map(|route| match route.hosts.as_slice() {
            [host] if !host.contains('*') => Some(host),
            _ => None,
        });
        let first = hosts.next()??;
        let same = hosts.all(|host| host.is_some_and(|host| host.eq_ignore_ascii_case(first)));
        (client.kind == ProgramKind::Apisix && same).then(|| first.clone())
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

    /// The host that requests within the connection are for, without its port: that of the request, or what the client
    /// writes into every one that it passes on.
    pub fn sent_host(&self) -> Option<String> {
        let always = || Some(without_port(self.client?.2.sends_host.as_deref()?).to_owned());
        self.request().map(|request| request.host_name().to_owned()).or_else(always)
    }

    /// The request for which the client dials.
    fn received(&self) -> Option<Request> {
        let (_, client, dialer) = self.client?;
        self.connection.request.clone().or_else(|| dialer.request.clone()).or_else(|| {
            request::usual(client.kind, dialer.purpose, &dialer.target.host.value, &dialer.path_prefix)
        })
    }
}

impl Wire<'_, '_> {
    /// A fault of a path as a reason; for an intermediate that is not sent, with where it lies and where it belongs.
    fn reason(&self, fault: &Fault, verifier: Option<Label>) -> Why {
        let mut reason = Why::fault(fault, verifier);
        let certificate =
            fault.certificate.as_ref().filter(|_| fault.mistake == Mistake::MissingIntermediate);
        if let Some(certificate) = certificate
            && let Some(known) = self.shelf.intermediate_of(certificate)
        {
            let message = "the intermediate stands here".to_owned();
            reason.labels.push(Label { span: known.certificate.span, message });
            reason.help = self.shelf.bundle_of(certificate.span).map(|bundle| {
                format!("append {}, which {} has, to {bundle}", known.certificate.shown, known.path)
            });
        }
        reason
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
    let (span, message) = match trust.first() {
        Some(Trust::File { file, .. }) => (file.path.span, "the verifier's trust is configured here"),
        Some(Trust::System(span)) => (*span, "the operating system's bundle is trusted here"),
        None => (otherwise.span(), "no trust is configured here"),
    };
    Some(Label { span, message: message.to_owned() })
}

#[cfg(test)]
mod tests {
    use crate::assume::Assume;
    use crate::handshake::{Outcome, Prediction, predict_all};
    use crate::resolve::link;
    use crate::source::Sources;

    /// What is predicted for callers that nobody knows.
    fn any(name: &str, text: &str) -> Prediction {
        let pki = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/pki/");
        let mut sources = Sources::default();
        sources.add(name, text);
        for file in ["server.pem", "server.key", "ca.pem"] {
            sources.add(file, std::fs::read(format!("{pki}{file}")).unwrap());
        }
        let linked = link(&sources, &Assume::default(), None);
        let all = linked.deployment.connections.iter().zip(predict_all(&linked.deployment, 1_795_392_000));
        all.filter(|(connection, _)| connection.client.is_none()).map(|(_, told)| told).next().unwrap()
    }

    fn nginx(certificate: &str) -> String {
        format!(
            "events {{}} http {{ server {{ listen 443 ssl; ssl_certificate {certificate}; ssl_certificate_key server.key; ssl_client_certificate ca.pem; ssl_verify_client on; }} }}"
        )
    }

    fn envoy(filters: &str, matched: &str, certificates: &str) -> String {
        format!(
            "node: {{id: a, cluster: b}}\nstatic_resources:\n  listeners:\n  - address: {{socket_address: {{address: 0.0.0.0, port_value: 443}}}}\n    listener_filters: [{filters}]\n    filter_chains:\n    - filter_chain_match: {{{matched}}}\n      transport_socket: {{name: tls, typed_config: {{'@type': type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext, common_tls_context: {{{certificates}}}}}}}\n      filters: [{{name: tcp, typed_config: {{'@type': type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: t, cluster: c}}}}]\n  clusters: [{{name: c, type: STATIC}}]\n"
        )
    }

    #[test]
    fn a_server_whose_certificate_is_not_seen_is_not_said_to_answer() {
        let file = "tls_certificates: [{certificate_chain: {filename: server.pem}, private_key: {filename: server.key}}]";
        let remote = "tls_certificate_sds_secret_configs: [{name: web, sds_config: {ads: {}, resource_api_version: V3}}]";
        let inspector = "{name: i, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector}}";
        for (told, outcome, because) in [
            (any("nginx.conf", &nginx("server.pem")), Outcome::Completes, ""),
            (any("nginx.conf", &nginx("/etc/tls/web.pem")), Outcome::Undetermined, "/etc/tls/web.pem is not"),
            (
                any("nginx.conf", &nginx("server.pem; ssl_crl none.pem")),
                Outcome::Undetermined,
                "none.pem is not",
            ),
            (any("envoy.yaml", &envoy("", "", file)), Outcome::Completes, ""),
            (any("envoy.yaml", &envoy("", "", remote)), Outcome::Undetermined, "management server"),
            (any("envoy.yaml", &envoy(inspector, "server_names: [a.test]", file)), Outcome::Completes, ""),
            (
                any("envoy.yaml", &envoy("", "server_names: [a.test]", file)),
                Outcome::HandshakeFails,
                "without a TLS inspector",
            ),
        ] {
            assert_eq!(told.outcome, outcome, "{told:?}");
            let said = told.undetermined_because.iter().chain(told.why.iter().map(|why| &why.message));
            assert_eq!(said.clone().count(), usize::from(!because.is_empty()), "{told:?}");
            assert!(said.into_iter().all(|said| said.contains(because)), "{told:?}");
            assert_eq!(told.server_authenticated, None);
        }
    }
}

//! Filter chains → listeners with the TLS contexts that serve each server name.

use super::refusal::refuse;
use super::secret::{self, Followed};
use super::{Loader, bind, is_before, shown};
use crate::deployment::{
    ClientAuth, ClientAuthMode, Listener, ListenerPurpose, ListenerTls, Passage, PathChecks, Program,
    Protocol, Refusal, Selection, ServerContext, Setting, Versions,
};
use crate::dialect::envoy::{
    CommonTls, DownstreamTls, EnvoyConfig, EnvoyListener, FilterChain, NetworkFilterKind, TransportSocket,
};

impl Loader<'_, '_, '_> {
    /// Adds the listeners; the first `fixed` of them are static.
    pub(super) fn listeners(&mut self, config: &EnvoyConfig, fixed: usize, program: &mut Program) {
        for (index, listener) in config.listeners.iter().enumerate() {
            let mut read = self.listener(config, listener, &program.versions);
            if index < fixed {
                program.refusals.append(&mut read.fatal);
            } else {
                // a discovery file costs only the listener that it breaks
                read.listener.refusals.append(&mut read.fatal);
            }
            // indices of routes count every listener, bound or not
            program.listeners.push(read.listener);
        }
    }

    fn listener(&mut self, config: &EnvoyConfig, listener: &EnvoyListener, versions: &Versions) -> Read {
        let binds = if listener.unbound || listener.udp {
            Vec::new()
        } else {
            listener.addresses.iter().filter_map(bind).collect()
        };
        let mut read = Read {
            listener: Listener::new(ListenerPurpose::Clients, binds, listener.span),
            fatal: Vec::new(),
        };
        if listener.custom_matching.is_some() {
            read.listener.unseen.push(format!(
                "the filter chain of listener {} is chosen by a matcher that is not read",
                shown(listener.name.as_ref(), listener.span)
            ));
        }
        let mut contexts = Vec::new();
        let mut default = None;
        let mut plaintext = false;
        let mut hidden = false;
        let mut passages = Vec::new();
        let chains = listener.filter_chains.iter().map(|chain| (chain, false));
        let chains: Vec<(&FilterChain, bool)> =
            chains.chain(listener.default_filter_chain.iter().map(|chain| (chain, true))).collect();
        // since 1.18 Envoy no longer adds the inspector by itself
        // (https://www.envoyproxy.io/docs/envoy/v1.18.2/version_history/v1.18.0, minor behavior changes): without it
        // every connection looks like one without a server name (seen with 1.40.0: reset)
        let blind = !listener.inspects_tls && !is_before(versions, 1, 18);
        for (chain, is_default) in &chains {
            let unreachable = blind && !is_default && chain.matches.looks_into_tls();
            let protocol = chain.matches.transport_protocol.as_ref().map(|protocol| protocol.value.as_str());
            match &chain.transport {
                TransportSocket::Tls(context) if protocol != Some("raw_buffer") => {
                    if *is_default {
                        default = Some(contexts.len());
                    }
                    let context = self.context(config, chain, context, versions, &mut read);
                    if unreachable {
                        hidden = true;
                    } else {
                        contexts.push(context);
                    }
                }
                // a TLS chain that takes connections without TLS serves nobody
                TransportSocket::Tls(_) => {}
                TransportSocket::Raw => {
                    if let Some(why) = passes_through(chain) {
                        if chain.matches.server_names.is_empty() || unreachable {
                            read.listener.unseen.push(why);
                        } else {
                            let names = chain.matches.server_names.clone();
                            passages.push(Passage { names, why });
                        }
                    } else if protocol != Some("tls") {
                        plaintext = true;
                    }
                }
                TransportSocket::StartTls(_) => {
                    read.listener
                        .unseen
                        .push("the listener starts without TLS and turns it on when asked".to_owned());
                }
                TransportSocket::Quic(_) => {}
                TransportSocket::Other { name, .. } => {
                    read.listener.unseen.push(format!("the transport socket {} is not read", name.value))
                }
            }
        }
        if let Some((chain, _)) = chains.iter().find(|(chain, _)| {
            let chooses = contexts.len() + passages.len() > 1;
            let by_protocol = !chain.matches.application_protocols.is_empty();
            // a lone chain serves those who offer the protocol, and others are reset
            by_protocol || (chooses && chain.matches.by_address.is_some())
        }) {
            let protocols = &chain.matches.application_protocols;
            let protocols: Vec<&str> = protocols.iter().map(|name| name.value.as_str()).collect();
            let chain = shown(chain.name.as_ref(), chain.span);
            read.listener.unseen.push(if protocols.is_empty() {
                format!("filter chain {chain} is chosen by the client's address")
            } else {
                format!("filter chain {chain} serves clients that offer {}", protocols.join(" or "))
            });
        }
        if contexts.is_empty() {
            read.listener.unseen.extend(passages.drain(..).map(|passage| passage.why));
        }
        let selection = if passages.is_empty()
            && contexts.len() == 1
            && !plaintext
            && contexts.iter().all(|context| context.names.is_empty())
        {
            Selection::Single
        } else {
            Selection::Envoy { default, plaintext, passages }
        };
        if !contexts.is_empty() || hidden {
            read.listener.tls = Some(ListenerTls { contexts, selection });
        }
        read
    }

    fn context(
        &mut self,
        config: &EnvoyConfig,
        chain: &FilterChain,
        tls: &DownstreamTls,
        versions: &Versions,
        read: &mut Read,
    ) -> ServerContext {
        let common = &tls.common;
        let mut followed = Followed::default();
        let credentials = self.credentials(config, common, &mut followed);
        followed.fatal.extend(certificate_mistakes(common));
        let validation = self.validation(config, common, &mut followed);
        if let Some(effective) = &validation {
            secret::validation_mistakes(effective, &mut followed);
        }
        followed.fatal.extend(secret::cipher_mistake(common));
        followed.fatal.extend(secret::curve_mistake(common, versions));
        followed.fatal.extend(tls.ticket_keys.iter().filter_map(|key| self.missing_file(key)));
        let required = tls.require_client_certificate.as_ref().is_some_and(|flag| flag.value);
        let mode = secret::client_auth_mode(validation.as_ref(), required);
        if let Some(effective) = &validation
            && let Some(why) = &effective.unseen
            && !(required && effective.context.trusted_ca.is_some())
        {
            read.listener.unseen.push(format!("{why}, which says whether clients need a certificate"));
        }
        let custom = validation.as_ref().and_then(|effective| effective.context.custom_validator.as_ref());
        if let Some(custom) = custom {
            read.listener.unseen.push(format!("the validator {} judges client certificates", custom.value));
        }
        if tls.scans_certificates && credentials.len() > 1 {
            read.listener.unseen.push(
                "full_scan_certs_on_sni_mismatch chooses among certificates in a way that is not read"
                    .to_owned(),
            );
        }
        if common.custom_handshaker.is_some() {
            read.listener.unseen.push("a custom handshaker does TLS".to_owned());
        }
        let (trust, checks) = match &validation {
            Some(effective) if mode != ClientAuthMode::Off => {
                (self.trust(effective), self.checks(&effective.context))
            }
            _ => (Vec::new(), PathChecks::default()),
        };
        // tls: TLS 1.2 is the least that servers speak since 1.22.0
        // (https://www.envoyproxy.io/docs/envoy/v1.22.0/version_history/current)
        let least = if is_before(versions, 1, 22) { Protocol::Tls10 } else { Protocol::Tls12 };
        read.fatal.append(&mut followed.fatal);
        read.listener.unseen.append(&mut followed.unseen);
        ServerContext {
            names: chain.matches.server_names.clone(),
            credentials,
            client_auth: ClientAuth {
                mode: match &tls.require_client_certificate {
                    Some(flag) => Setting::Given(flag.clone().map(|_| mode)),
                    None => Setting::Default { value: mode, parent: tls.span },
                },
                trust,
                checks,
                skip_paths: Vec::new(),
            },
            protocols: secret::protocols(common, least, Protocol::Tls13),
            ciphers: secret::ciphers(common),
            algorithms: common.params.algorithms.clone(),
            rejects_handshake: false,
            refusals: followed.local,
            span: tls.span,
        }
    }
}

/// What Envoy refuses of the certificates of a server.
fn certificate_mistakes(common: &CommonTls) -> Vec<Refusal> {
    let mut mistakes = Vec::new();
    if common.certificates.is_empty()
        && common.certificate_secrets.is_empty()
        && common.certificate_provider.is_none()
    {
        mistakes.push(refuse(
            "the filter chain speaks TLS and has no certificate".to_owned(),
            common.span,
            "write tls_certificates with certificate_chain and private_key".to_owned(),
            Some("No TLS certificates found for server context".to_owned()),
        ));
    }
    if let Some(empty) = common
        .certificates
        .iter()
        .find(|one| one.certificate_chain.is_none() && one.private_key.is_none() && one.pkcs12.is_none())
    {
        mistakes.push(refuse(
            "an entry of tls_certificates is empty".to_owned(),
            empty.span,
            "write certificate_chain and private_key".to_owned(),
            Some("Server TlsCertificates must have a certificate specified".to_owned()),
        ));
    }
    if let (Some(reference), false) = (common.certificate_secrets.first(), common.certificates.is_empty()) {
        mistakes.push(refuse(
            "certificates are given both as files and as secrets".to_owned(),
            reference.span,
            "keep either tls_certificates or tls_certificate_sds_secret_configs".to_owned(),
            Some("SDS and non-SDS TLS certificates may not be mixed in server contexts".to_owned()),
        ));
    }
    mistakes
}

/// A listener and what stops Envoy if the listener is static.
struct Read {
    listener: Listener,
    fatal: Vec<Refusal>,
}

/// A chain without TLS that hands bytes on: TLS, if any, is between the client and the cluster.
fn passes_through(chain: &FilterChain) -> Option<String> {
    chain.filters.iter().find_map(|filter| match &filter.kind {
        NetworkFilterKind::TcpProxy(clusters) => Some(format!(
            "Envoy hands the bytes on to {} unread: any TLS is between the client and that",
            clusters.first().map_or("a cluster", |cluster| cluster.value.as_str())
        )),
        _ => None,
    })
}

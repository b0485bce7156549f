//! Mistakes in what is decided, or passed on, by the client's identity.

pub mod client_certificate_header_without_certificate;
pub mod disabled_filter;
pub mod fail_open_filter;
pub mod forgeable_client_certificate_header;
pub mod identity_check_without_certificate;
pub mod kept_client_certificate_header;

use crate::deployment::{ClientAuthMode, Configuration, Program};
use crate::dialect::envoy::{FilterChain, HttpManager, NetworkFilterKind};
use crate::rules::Subject;

/// Every HTTP connection manager with its program, its filter chain and what the chain asks of clients.
fn managers<'a>(
    subject: &Subject<'a>,
) -> impl Iterator<Item = (&'a Program, &'a FilterChain, &'a HttpManager, ClientAuthMode)> {
    subject.deployment.programs.iter().flat_map(|program| {
        let config = match &program.configuration {
            Configuration::Envoy(config) => Some(config),
            _ => None,
        };
        config
            .into_iter()
            .flat_map(|config| &config.listeners)
            .flat_map(|listener| listener.chains())
            .flat_map(move |chain| {
                let mode = asked(program, chain);
                chain.filters.iter().filter_map(move |filter| match &filter.kind {
                    NetworkFilterKind::Http(manager) => Some((program, chain, &**manager, mode)),
                    _ => None,
                })
            })
    })
}

/// What a filter chain asks of its clients.
fn asked(program: &Program, chain: &FilterChain) -> ClientAuthMode {
    let span = chain.transport.tls().map(|tls| tls.span);
    let contexts =
        program.listeners.iter().filter_map(|listener| listener.tls.as_ref()).flat_map(|tls| &tls.contexts);
    contexts
        .filter(|context| Some(context.span) == span)
        .map(|context| *context.client_auth.mode.value())
        .next()
        .unwrap_or(ClientAuthMode::Off)
}

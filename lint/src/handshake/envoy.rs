//! What filters of an Envoy answer on account of the client's certificate.

use super::outcome::{Step, unknown};
use super::request::Met;
use super::wire::Wire;
use crate::deployment::{Configuration, Listener};
use crate::dialect::envoy::{NetworkFilterKind, Rbac};

/// Judges a request that is known: a filter that decides by the certificate, or may, leaves it undetermined.
///
/// # Errors
/// Which filter decides.
pub fn filters(wire: &Wire<'_, '_>, listener: &Listener, met: &Met) -> Step {
    let (_, program, _) = wire.server;
    let Configuration::Envoy(config) = &program.configuration else { return Ok(()) };
    let context = listener.tls.as_ref().and_then(|tls| tls.contexts.get(met.context));
    let (Some(context), Some(_)) = (context, wire.request()) else { return Ok(()) };
    let of_context = |tls: &crate::dialect::envoy::DownstreamTls| tls.span == context.span;
    let mut chains = config.listeners.iter().flat_map(|listener| listener.chains());
    let Some(chain) = chains.find(|chain| chain.transport.tls().is_some_and(of_context)) else {
        return Ok(());
    };
    for filter in &chain.filters {
        let deciding = match &filter.kind {
            NetworkFilterKind::Rbac(rbac) => decides(rbac).then(|| "a network filter RBAC".to_owned()),
            NetworkFilterKind::Http(manager) => manager.filters.iter().find_map(|filter| {
                let decides = filter.wasm.is_some() || filter.rbac.as_ref().is_some_and(decides);
                (decides && filter.disabled.is_none()).then(|| format!("the filter {}", filter.name.value))
            }),
            _ => None,
        };
        if let Some(filter) = deciding {
            return Err(unknown(vec![format!(
                "{filter} decides about this request, which is not followed here (of mtls-guard, mtls-lint decide tells)"
            )]));
        }
    }
    Ok(())
}

fn decides(rbac: &Rbac) -> bool {
    rbac.enforced && !rbac.principals.is_empty()
}

//! The first request: what a server answers on account of certificates or of access settings beside them.

use super::outcome::{End, Step, Stop, unknown, why};
use super::wire::Wire;
use super::{Outcome, Side, Why, envoy, nginx};
use crate::deployment::{ClientAuthMode, DialerPurpose, Gate, Listener, ProgramKind, Request, ServerContext};
use crate::dialect::apisix::request::{Answer, ClientVerify, admin_api, data_plane};
use crate::finding::Label;
use crate::selection::Selected;
use crate::stack::{Fault, Mistake};

/// What a server knows of its client once the handshake is done.
#[derive(Debug, Clone, Default)]
pub struct Met {
    /// The client presented a certificate.
    pub presented: bool,
    /// What is wrong with it.
    pub fault: Option<Fault>,
    /// Index of the context that the server name chose.
    pub context: usize,
}

/// Judges the first request of a connection.
///
/// # Errors
/// The refusal, or what would have to be known.
pub fn answer(wire: &Wire<'_, '_>, listener: &Listener, met: &Met) -> Step {
    match &listener.gate {
        Gate::Open => envoy::filters(wire, listener, met),
        Gate::NginxHttp => verified(wire, listener, met, true),
        Gate::NginxConnection => verified(wire, listener, met, false),
        Gate::ApisixData => apisix_data(wire, listener, met),
        Gate::ApisixAdmin { .. } => {
            verified(wire, listener, met, true)?;
            let Some(request) = wire.request() else { return Ok(()) };
            apisix(wire, listener, admin_api(&listener.gate, &request))
        }
        Gate::Etcd { gateway, gateway_dialer } => {
            let Some(request) = wire.request() else { return Ok(()) };
            let path = request.path.split('?').next().unwrap_or_default();
            if let Some((_, client, dialer)) = wire.client
                && client.kind == ProgramKind::Apisix
                && !dialer.path_prefix.is_empty()
            {
                let label =
                    Label { span: dialer.target.host.span, message: "a path follows the address".to_owned() };
                let reason = why(
                    Mistake::RefusedSetting,
                    format!(
                        "APISIX puts {} before every path that it asks etcd for, and etcd serves none such",
                        dialer.path_prefix
                    ),
                    vec![label],
                );
                return Err(End::new(Outcome::RequestRejected, Side::Server, reason)
                    .seen("got malformed version message")
                    .stop());
            }
            if !(path.starts_with("/v3/") || path.starts_with("/v3beta/") || path.starts_with("/v3alpha/")) {
                return Ok(());
            }
            if !gateway.value() {
                let label = Label { span: gateway.span(), message: "the gateway is off here".to_owned() };
                let reason = why(
                    Mistake::GatewayDisabled,
                    format!(
                        "the request goes to {path}, which etcd's gRPC gateway serves, and the gateway is off"
                    ),
                    vec![label],
                );
                let end = End::new(Outcome::RequestRejected, Side::Server, reason);
                return Err(end.seen("HTTP 404").stop());
            }
            gateway_dialer.map_or(Ok(()), |dialer| wire.gateway(dialer))
        }
    }
}

/// nginx judges the result of the handshake when the request is there: ngx_http_process_request.
fn verified(wire: &Wire<'_, '_>, listener: &Listener, met: &Met, http: bool) -> Step {
    let Some(tls) = &listener.tls else { return Ok(()) };
    let Some(mut context) = tls.contexts.get(met.context) else { return Ok(()) };
    if http
        && tls.contexts.len() > 1
        && let Some(host) = wire.sent_host()
    {
        context = virtual_host(wire, listener, met, &host)?.unwrap_or(context);
    }
    let (_, server, _) = wire.server;
    let refused = |status: u16, stop: Stop| {
        if http { nginx::refused(server, context, status, stop) } else { stop }
    };
    let mode = *context.client_auth.mode.value();
    if mode == ClientAuthMode::Off {
        return if http { nginx::conditions(wire, context, met) } else { Ok(()) };
    }
    if let Some(fault) = &met.fault {
        // ngx_ssl_verify_error_optional
        let tolerated =
            mode == ClientAuthMode::OptionalNoCa && matches!(fault.number, Some(18 | 19 | 20 | 21 | 27));
        if !tolerated {
            let stop = wire.server_refuses(context, fault, Outcome::RequestRejected);
            return Err(refused(nginx::CERTIFICATE_ERROR, stop));
        }
    }
    if mode == ClientAuthMode::Required && !met.presented {
        let stop = wire.no_certificate(context, Outcome::RequestRejected, None);
        return Err(refused(nginx::NO_CERTIFICATE, stop));
    }
    if http { nginx::conditions(wire, context, met) } else { Ok(()) }
}

/// The server that the Host header chooses; where it verifies clients and the server name chose by another one, 421.
fn virtual_host<'c>(
    wire: &Wire<'_, 'c>,
    listener: &'c Listener,
    met: &Met,
    host: &str,
) -> Step<Option<&'c ServerContext>> {
    let Some(tls) = &listener.tls else { return Ok(None) };
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let sni = wire.server_name().map(|name| name.trim_end_matches('.').to_ascii_lowercase());
    let by_host = match tls.select(Some(&host)) {
        Selected::Context(index) => index,
        Selected::Nobody(_) => return Ok(None),
        Selected::Undetermined(why) => return Err(unknown(vec![why])),
    };
    let Some(context) = tls.contexts.get(by_host) else { return Ok(None) };
    // ssl_servername is only kept where a server had the name
    let named = sni
        .as_deref()
        .is_some_and(|name| tls.contexts.get(met.context).is_some_and(|context| has_name(context, name)));
    if named
        && sni.as_deref() != Some(host.as_str())
        && *context.client_auth.mode.value() != ClientAuthMode::Off
    {
        let label = Label {
            span: context.client_auth.mode.span(),
            message: "this server verifies clients, so that host and server name must agree".to_owned(),
        };
        let sni = sni.unwrap_or_default();
        let mut reason = why(
            Mistake::HostDiffersFromServerName,
            format!("the request is for {host} over a connection made for {sni}"),
            vec![label],
        );
        if let Some((_, client, dialer)) = wire.client
            && client.kind == ProgramKind::Nginx
        {
            let message = format!("what is passed on here has the Host {host}");
            reason.labels.push(Label { span: dialer.span, message });
            reason.help = Some(format!(
                "write proxy_set_header Host {sni}; beside the pass, or proxy_ssl_name {host};"
            ));
        }
        let end = End::new(Outcome::RequestRejected, Side::Server, reason);
        return Err(end
            .seen("421 Misdirected Request")
            .logged("client attempted to request the server name different from the one that was negotiated")
            .stop());
    }
    Ok(Some(context))
}

/// One of the context's patterns has the name (regular expressions are taken to).
fn has_name(context: &ServerContext, name: &str) -> bool {
    context.names.iter().any(|pattern| {
        let pattern = pattern.value.to_ascii_lowercase();
        pattern == name
            || pattern.starts_with('~')
            || pattern.strip_prefix('*').is_some_and(|parent| name.ends_with(parent))
            || (pattern.starts_with('.') && (name.ends_with(&pattern) || pattern.get(1..) == Some(name)))
            || pattern.strip_suffix('*').is_some_and(|front| name.starts_with(front))
    })
}

fn apisix_data(wire: &Wire<'_, '_>, listener: &Listener, met: &Met) -> Step {
    let (Some(tls), Some(request)) = (&listener.tls, wire.request()) else { return Ok(()) };
    let Some(context) = tls.contexts.get(met.context) else { return Ok(()) };
    let verify = match &met.fault {
        Some(fault) => ClientVerify::Failed(fault.text.clone()),
        None if met.presented => ClientVerify::Success,
        None => ClientVerify::None,
    };
    // `ssl_verify_client` in a snippet, for objects without `client`, is nginx's own
    let by_object = context.client_auth.trust.iter().any(|trust| {
        matches!(
            trust,
            crate::deployment::Trust::File { loader: crate::deployment::TrustLoader::ApisixClientCa, .. }
        )
    });
    if !by_object {
        verified(wire, listener, met, false)?;
    }
    apisix(wire, listener, data_plane(tls, context, wire.server_name().as_deref(), &request, &verify))
}

fn apisix(_: &Wire<'_, '_>, listener: &Listener, answer: Answer) -> Step {
    match answer {
        Answer::Passes => Ok(()),
        Answer::Undetermined(why) => Err(unknown(vec![why])),
        Answer::Refused { status, rule, message, log } => {
            let labels = vec![Label { span: listener.span, message: "at this listener".to_owned() }];
            let reason = Why { rule, message, labels, help: None };
            let end = End::new(Outcome::RequestRejected, Side::Server, reason);
            Err(end.seen(format!("HTTP {status}")).logged(log).stop())
        }
    }
}

/// The request that a dialer makes on its own, where none is given.
pub fn usual(kind: ProgramKind, purpose: DialerPurpose, host: &str, prefix: &str) -> Option<Request> {
    match (kind, purpose) {
        // APISIX reads its configuration through etcd's JSON gateway
        (ProgramKind::Apisix, DialerPurpose::Configuration) => Some(Request {
            method: "POST".to_owned(),
            host: host.to_owned(),
            path: format!("{prefix}/v3/kv/range"),
            ..Request::default()
        }),
        _ => None,
    }
}

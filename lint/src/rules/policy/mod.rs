//! Mistakes in what is decided, or passed on, by the client's identity.

pub mod client_certificate_header_without_certificate;
pub mod disabled_filter;
pub mod exempted_policy_rule;
pub mod fail_open_filter;
pub mod forgeable_client_certificate_header;
pub mod identity_check_without_certificate;
pub mod kept_client_certificate_header;
pub mod missing_filter_module;
pub mod policy_for_another_gateway;
pub mod rechosen_route;
pub mod refused_policy;
pub mod shadowed_policy_rule;
pub mod unguarded_listener;
pub mod unreachable_identity;
pub mod unregistered_filter;
pub mod untrusted_policy_anchor;
pub mod unvouched_certificate;

use mtls_identity::policy::{Policy, PolicyError, SourceKind};

use crate::deployment::{ClientAuthMode, Configuration, Program, ServerContext};
use crate::dialect::apisix::Facts;
use crate::dialect::apisix::objects::Plugin;
use crate::dialect::envoy::{FilterChain, HttpManager, NetworkFilterKind, WasmPlugin};
use crate::rules::Subject;
use crate::source::{Span, Text};

/// A policy of our filter, where a gateway is given it.
struct Given<'a> {
    program: &'a Program,
    /// Envoy reads the certificate elsewhere than APISIX.
    in_envoy: bool,
    /// The policy's text; None where none is given, or not as text.
    text: Option<&'a Text>,
    /// In Envoy, the message type of the configuration.
    type_name: Option<&'a str>,
    /// The configuration, or the filter that lacks it.
    span: Span,
    /// In Envoy, the context that the filter's clients meet.
    context: Option<&'a ServerContext>,
    /// In Envoy, whether the filter stands behind a context that we know.
    chain: Option<&'a FilterChain>,
}

impl Given<'_> {
    /// The policy, if it is given as text.
    fn read(&self) -> Option<Result<Policy, PolicyError>> {
        self.text?.as_str().ok().map(Policy::parse)
    }

    /// A byte of the policy's text and what follows it on its line.
    fn line_from(&self, offset: usize) -> Span {
        let Some(text) = self.text else { return self.span };
        let rest = text.bytes().get(offset..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let line = rest.get(..length).unwrap_or_default();
        let blank = line.iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
        text.span(offset..offset.saturating_add(length.saturating_sub(blank).max(1)))
    }
}

/// Where a policy reads the certificate, in words.
fn source_name(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Envoy => "envoy",
        SourceKind::EnvoyXfcc => "envoy-xfcc",
        SourceKind::Apisix => "apisix",
        SourceKind::Kong => "kong",
        SourceKind::Header => "header",
    }
}

/// Whether a name or a module's path is our filter's.
fn is_guard(text: &str) -> bool {
    text.contains("mtls_guard") || text.contains("mtls-guard")
}

/// Whether a plugin of APISIX is our filter: by its own name, or by its module's.
pub(in crate::rules) fn is_guard_of(facts: &Facts, plugin: &Plugin) -> bool {
    let module = facts.config.wasm.iter().find(|module| module.name.value == plugin.name.value);
    let file = module.and_then(|module| module.file.as_ref());
    is_guard(&plugin.name.value) || file.is_some_and(|file| is_guard(&file.value))
}

/// Every policy of our filter in the deployment.
fn policies<'a>(subject: &Subject<'a>) -> Vec<Given<'a>> {
    let mut found: Vec<Given<'a>> = Vec::new();
    for (program, chain, manager, _) in managers(subject) {
        for plugin in
            manager.filters.iter().filter_map(|filter| filter.wasm.as_deref()).filter(|one| guards(one))
        {
            let configuration = plugin.configuration.as_ref();
            found.push(Given {
                program,
                in_envoy: true,
                text: configuration.and_then(|(_, text, _)| text.as_ref()),
                type_name: configuration.map(|(name, ..)| name.as_str()),
                span: configuration.map_or(plugin.span, |(.., span)| *span),
                context: context(program, chain),
                chain: Some(chain),
            });
        }
    }
    for program in &subject.deployment.programs {
        let Configuration::Apisix(facts) = &program.configuration else { continue };
        for plugin in apisix_plugins(facts).filter(|plugin| !plugin.disabled) {
            if is_guard_of(facts, plugin) {
                found.push(Given {
                    program,
                    in_envoy: false,
                    text: plugin.conf.as_ref(),
                    type_name: None,
                    span: plugin.conf.as_ref().map_or(plugin.span, Text::full_span),
                    context: None,
                    chain: None,
                });
            }
        }
    }
    found
}

fn guards(plugin: &WasmPlugin) -> bool {
    let names = [&plugin.name, &plugin.root_id].into_iter().flatten().any(|name| is_guard(&name.value));
    let module = plugin.code.as_ref().is_some_and(|code| match &code.kind {
        crate::dialect::envoy::DataSourceKind::File(path) => is_guard(&path.value),
        _ => false,
    });
    names || module
}

fn apisix_plugins(facts: &Facts) -> impl Iterator<Item = &Plugin> {
    let objects = &facts.objects;
    let routes = objects.routes.iter().flat_map(|route| &route.plugins);
    let services = objects.services.iter().flat_map(|service| &service.plugins);
    routes.chain(services).chain(objects.plugins.iter().flat_map(|holder| &holder.plugins))
}

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
    context(program, chain).map_or(ClientAuthMode::Off, |context| *context.client_auth.mode.value())
}

/// The TLS context of a filter chain.
fn context<'a>(program: &'a Program, chain: &FilterChain) -> Option<&'a ServerContext> {
    let span = chain.transport.tls()?.span;
    let listeners = program.listeners.iter().filter_map(|listener| listener.tls.as_ref());
    listeners.flat_map(|tls| &tls.contexts).find(|context| context.span == span)
}

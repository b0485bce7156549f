use mtls_identity::sorted::Numbers;

use crate::deployment::Program;
use crate::dialect::envoy::{HttpManager, RouteAction};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::source::Located;

rule! {
    /// A cluster that one listener guards with the filter is reached through another listener without it.
    ///
    /// ## Why it matters
    ///
    /// Whoever knows the other port makes the same requests, and no policy is asked.
    ///
    /// ## How to fix
    ///
    /// Put the same filter into the other listener's `http_filters`, bind that listener to `127.0.0.1`, or remove the
    /// route to this cluster from it.
    ///
    /// ## What you see in the logs
    ///
    /// Nothing of the filter: it is not asked.
    ///
    /// ## Reference
    ///
    /// <https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/wasm_filter>
    "unguarded-listener", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let managers: Vec<_> = super::managers(subject).collect();
    let key = |program: &Program, name: &Located<String>| format!("{program:p} {}", name.value);
    let mut names = Numbers::default();
    let mut guarded: Vec<&Located<String>> = Vec::new();
    for (program, _, manager, _) in managers.iter().filter(|(_, _, manager, _)| is_guarded(manager)) {
        for name in clusters(manager) {
            if names.of(key(program, name)) == guarded.len() {
                guarded.push(name);
            }
        }
    }
    for (program, chain, manager, _) in managers.iter().filter(|(_, _, manager, _)| !is_guarded(manager)) {
        // who calls from the machine itself is its own
        let listener = program.listeners.iter().find(|listener| holds(listener.span, chain.span));
        let local = listener.is_some_and(|listener| {
            !listener.binds.is_empty()
                && listener.binds.iter().all(|bind| bind.address.is_some_and(|address| address.is_loopback()))
        });
        if local {
            continue;
        }
        let elsewhere = |name: &Located<String>| guarded.get(names.get(&key(program, name))?).copied();
        let open = clusters(manager).find_map(|name| Some((name, elsewhere(name)?)));
        let Some((name, elsewhere)) = open else { continue };
        findings.push(RULE.finding(
            format!("{} reaches {} through a listener without the filter as well", program.name, name.value),
            Some("add the filter to this listener's http_filters, or bind it to 127.0.0.1".to_owned()),
            vec![
                Label { span: name.span, message: "no filter is asked on this way".to_owned() },
                Label { span: elsewhere.span, message: "the filter is asked on this one".to_owned() },
            ],
        ));
    }
}

fn is_guarded(manager: &HttpManager) -> bool {
    manager.filters.iter().filter_map(|filter| filter.wasm.as_deref()).any(super::guards)
}

fn holds(outer: crate::source::Span, inner: crate::source::Span) -> bool {
    outer.file == inner.file && outer.start <= inner.start && inner.end <= outer.end
}

fn clusters(manager: &HttpManager) -> impl Iterator<Item = &Located<String>> {
    let hosts = manager.routes.iter().flat_map(|routes| &routes.virtual_hosts);
    hosts.flat_map(|host| &host.routes).flat_map(|route| match &route.action {
        RouteAction::Clusters { names, .. } => names.as_slice(),
        _ => &[],
    })
}

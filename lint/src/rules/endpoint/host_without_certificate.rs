use std::collections::BTreeSet;

use crate::deployment::{Configuration, ListenerTls, Selection};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::selection::Selected;
use crate::source::Located;

rule! {
    /// A route is for a host of which no ssl object has the name.
    ///
    /// ## Why it matters
    ///
    /// APISIX has no default certificate: a handshake for a name that no ssl object has is refused, and the route is
    /// reached over plaintext only. Such a request asks for no client certificate either.
    ///
    /// ## How to fix
    ///
    /// Add the host to the `snis` of the ssl object whose certificate bears it, or an ssl object of its own:
    ///
    /// ```yaml
    /// ssls:
    ///   - id: shop
    ///     snis: [shop.example.com, admin.example.com]
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - APISIX: `failed to match any SSL certificate by SNI: …`
    /// - the client: `alert internal error`
    ///
    /// ## Reference
    ///
    /// <https://apisix.apache.org/docs/apisix/certificate/>; <https://github.com/apache/apisix/issues/10772>
    "host-without-certificate", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for program in &subject.deployment.programs {
        let Configuration::Apisix(facts) = &program.configuration else { continue };
        if !program.refusals.is_empty() || subject.is_predicted(program, &["unknown-server-name"]) {
            continue;
        }
        let tls = program.listeners.iter().filter_map(|listener| listener.tls.as_ref()).find(|tls| {
            // every ssl object is seen, and there are some
            matches!(tls.selection, Selection::Apisix { complete: true, .. }) && !tls.contexts.is_empty()
        });
        let Some(tls) = tls else { continue };
        let objects = &facts.objects;
        let routes = objects.routes.iter().filter(|route| route.enabled && route.refusals.is_empty());
        let services = objects.services.iter().filter(|service| service.refusals.is_empty());
        let hosts = routes.flat_map(|route| &route.hosts).chain(services.flat_map(|service| &service.hosts));
        let mut told = BTreeSet::new();
        for host in hosts.filter(|host| !is_served(tls, host)) {
            if !told.insert(host.value.to_ascii_lowercase()) {
                continue;
            }
            let mut labels =
                vec![Label { span: host.span, message: "no ssl object has this name".to_owned() }];
            let known = tls.contexts.iter().find_map(|context| context.names.first());
            labels.extend(known.map(|name| Label {
                span: name.span,
                message: format!("an ssl object is there for {}", name.value),
            }));
            findings.push(RULE.finding(
                format!(
                    "{} refuses every handshake for {}, for which it has a route",
                    program.name, host.value
                ),
                Some(format!("add {} to the snis of an ssl object whose certificate bears it", host.value)),
                labels,
            ));
        }
    }
}

fn is_served(tls: &ListenerTls, host: &Located<String>) -> bool {
    // of an object that APISIX drops, refused-object speaks
    let dropped = tls.contexts.iter().filter(|context| !context.refusals.is_empty());
    let mut names = dropped.flat_map(|context| &context.names);
    if names.any(|name| name.value.eq_ignore_ascii_case(&host.value)) {
        return true;
    }
    match host.value.strip_prefix("*.") {
        // any name beneath the wildcard will do
        Some(rest) => {
            let ending = format!(".{rest}").to_ascii_lowercase();
            let mut names = tls.contexts.iter().flat_map(|context| &context.names);
            names.any(|name| {
                let name = name.value.to_ascii_lowercase();
                name.ends_with(&ending) || name == "*"
            }) || !matches!(tls.select(Some(&format!("a.{rest}"))), Selected::Nobody(_))
        }
        None => !matches!(tls.select(Some(&host.value)), Selected::Nobody(_)),
    }
}

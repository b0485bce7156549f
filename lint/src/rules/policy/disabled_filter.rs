use crate::dialect::envoy::HttpFilter;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::source::Located;

rule! {
    /// A filter that decides who may make a request is switched off.
    ///
    /// ## Why it matters
    ///
    /// `typed_per_filter_config` with `disabled: true` takes a filter out of a route, a virtual host or a whole route
    /// configuration: what the filter forbids is allowed there. `disabled: true` at the filter itself keeps it off
    /// everywhere, unless a route turns it on.
    ///
    /// ## How to fix
    ///
    /// Remove the entry, and state the exception in the filter's own policy, where it stands beside the rules: a path that
    /// needs no certificate is a rule too. Where the exception is meant, allow this rule with a reason.
    ///
    /// ## What you see in the logs
    ///
    /// Nothing.
    ///
    /// ## Reference
    ///
    /// <https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/http_filters#route-based-filter-chain>
    "disabled-filter", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for (program, _, manager, _) in super::managers(subject) {
        let deciding: Vec<&HttpFilter> =
            manager.filters.iter().filter(|filter| filter.rbac.is_some() || filter.wasm.is_some()).collect();
        for filter in &deciding {
            let Some(span) = filter.disabled else { continue };
            findings.push(RULE.finding(
                format!("{} keeps the filter {} off", program.name, filter.name.value),
                Some("remove disabled: true".to_owned()),
                vec![Label { span, message: "off, unless a route turns it on".to_owned() }],
            ));
        }
        let Some(routes) = &manager.routes else { continue };
        let hosts = routes.virtual_hosts.iter();
        let on_hosts =
            hosts.clone().flat_map(|host| host.disabled_filters.iter().map(move |name| (name, host.span)));
        let on_routes = hosts
            .flat_map(|host| &host.routes)
            .flat_map(|route| route.disabled_filters.iter().map(move |name| (name, route.span)));
        let everywhere = routes.disabled_filters.iter().map(|name| (name, routes.span));
        let switched_off: Vec<(&Located<String>, crate::source::Span)> =
            everywhere.chain(on_hosts).chain(on_routes).collect();
        for (name, place) in switched_off {
            let Some(filter) = deciding.iter().find(|filter| filter.name.value == name.value) else {
                continue;
            };
            findings.push(RULE.finding(
                format!("{} skips the filter {} here", program.name, name.value),
                Some("remove the entry, and state the exception in the filter's policy".to_owned()),
                vec![
                    Label { span: name.span, message: "switched off".to_owned() },
                    Label { span: filter.name.span, message: "the filter that decides".to_owned() },
                    Label { span: place, message: "what it does not guard".to_owned() },
                ],
            ));
        }
    }
}

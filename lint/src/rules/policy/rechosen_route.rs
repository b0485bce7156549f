use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A route matches on a header that the filter sets, after its policy judged another route by name.
    ///
    /// ## Why it matters
    ///
    /// Envoy chooses the route anew when a header was set. A policy with `route` allowed the request on the route that was
    /// chosen before, and it goes over one that no rule was asked about. (A request that brings a header which has to be
    /// removed is denied as `ambiguous-route`.)
    ///
    /// ## How to fix
    ///
    /// Match on the path in place of that header, or give the header another name in `forward` of the policy. Or write
    /// `path` in place of `route` in the policy's rules: the path stays what it was.
    ///
    /// ## What you see in the logs
    ///
    /// The filter's line names the rule that allowed the request, Envoy's access log (`%ROUTE_NAME%`) another route than
    /// that rule has.
    ///
    /// ## Reference
    ///
    /// `mtls_identity::policy`, Routes
    "rechosen-route", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for given in super::policies(subject).iter().filter(|given| given.in_envoy) {
        let Some(Ok(policy)) = given.read() else { continue };
        if !policy.asks_for_route() {
            continue;
        }
        let managers = super::managers(subject).filter(|(program, chain, ..)| {
            std::ptr::eq(*program, given.program) && given.chain.is_some_and(|own| std::ptr::eq(own, *chain))
        });
        let hosts = managers.filter_map(|(_, _, manager, _)| manager.routes.as_ref());
        for route in hosts.flat_map(|routes| &routes.virtual_hosts).flat_map(|host| &host.routes) {
            let set = |name: &str| policy.forward.iter().any(|(set, _)| set.eq_ignore_ascii_case(name));
            let Some(header) = route.headers.iter().find(|header| set(&header.value)) else { continue };
            let name = &header.value;
            findings.push(RULE.finding(
                format!(
                    "{} chooses a route by the header {name}, which the filter sets after it judged the route",
                    given.program.name
                ),
                None,
                vec![
                    Label { span: header.span, message: "chosen anew by this header".to_owned() },
                    Label { span: given.span, message: format!("this policy asks for routes and sets {name}") },
                ],
            ));
        }
    }
}

use crate::deployment::{ClientAuthMode, ListenerPurpose};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// Access is decided by the identity in the client's certificate, and no client is asked for a certificate.
    ///
    /// ## Why it matters
    ///
    /// A principal `authenticated` matches the names in a verified client certificate. On a listener that asks for none it
    /// never matches: rules that allow let nobody in, and rules that deny stop nobody.
    ///
    /// ## How to fix
    ///
    /// `require_client_certificate: true` and a `validation_context` with `trusted_ca` in the listener's
    /// `DownstreamTlsContext`.
    ///
    /// ## What you see in the logs
    ///
    /// With an action that allows, every request is answered 403 with `RBAC: access denied`; with one that denies,
    /// nothing.
    ///
    /// ## Reference
    ///
    /// <https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/rbac/v3/rbac.proto>
    "identity-check-without-certificate", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for (program, chain, manager, mode) in super::managers(subject) {
        if mode != ClientAuthMode::Off {
            continue;
        }
        let checks =
            manager.filters.iter().filter_map(|filter| filter.rbac.as_ref()).filter(|rbac| rbac.enforced);
        for rbac in checks {
            let Some(principal) = rbac.principals.first() else { continue };
            findings.push(RULE.finding(
                format!("{} decides by client certificates, and asks for none", program.name),
                super::super::endpoint::unauthenticated_clients::help(
                    program,
                    ListenerPurpose::Clients,
                    None,
                ),
                vec![
                    Label { span: principal.span, message: "matches nobody".to_owned() },
                    Label { span: chain.span, message: "no client certificate is asked for here".to_owned() },
                ],
            ));
        }
    }
}

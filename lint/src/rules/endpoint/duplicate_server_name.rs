use mtls_identity::sorted::Numbers;

use crate::deployment::{ClientAuthMode, Selection, ServerContext};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// Two ssl objects claim the same server name, and they do not treat clients alike.
    ///
    /// APISIX serves a server name with the first object that has it; the other one is silently unused.
    ///
    /// ## Why it matters
    ///
    /// Which object comes first depends on the order in which they were created. If one asks for a client
    /// certificate and the other does not, so does the protection of the name.
    ///
    /// ## How to fix
    ///
    /// Keep one object for each server name. A second certificate for it goes into `certs` and `keys` of that object.
    ///
    /// ## What you see in the logs
    ///
    /// Nothing.
    ///
    /// ## Reference
    ///
    /// <https://apisix.apache.org/docs/apisix/admin-api/#ssl>
    "duplicate-server-name", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for (program, listener) in subject.listeners() {
        let Some(tls) = listener.tls.as_ref().filter(|tls| matches!(tls.selection, Selection::Apisix { .. }))
        else {
            continue;
        };
        let mut names = Numbers::default();
        let mut first: Vec<(&ServerContext, crate::source::Span)> = Vec::new();
        for context in tls.contexts.iter().filter(|context| context.refusals.is_empty()) {
            for name in &context.names {
                let key = name.value.trim_end_matches('.').to_ascii_lowercase();
                let Some((known, span)) = first.get(names.of(key.clone())) else {
                    first.push((context, name.span));
                    continue;
                };
                if known.span == context.span || policy(known) == policy(context) {
                    continue;
                }
                findings.push(RULE.finding(
                    format!(
                        "{} has two ssl objects for {key}, of which one asks for client certificates; the first is used",
                        program.name
                    ),
                    Some("keep one ssl object for each server name".to_owned()),
                    vec![
                        Label { span: name.span, message: "this object is not used for the name".to_owned() },
                        Label { span: *span, message: "this one is".to_owned() },
                    ],
                ));
            }
        }
    }
}

fn policy(context: &ServerContext) -> ClientAuthMode {
    *context.client_auth.mode.value()
}

use mtls_identity::policy::{SourceKind, Step, position};

use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// The policy reads the client's certificate where this gateway does not put it.
    ///
    /// ## Why it matters
    ///
    /// Envoy, APISIX and Kong hand the certificate over in different ways. A policy with `from: apisix` in Envoy, or the other
    /// way round, finds none, and every request that is not exempt is denied as `no-certificate`.
    ///
    /// ## How to fix
    ///
    /// - in Envoy: `certificate: {from: envoy}`; before `connection.peer_certificate` existed, `from: envoy-xfcc`
    /// - in APISIX: `certificate: {from: apisix}`
    ///
    /// ## What you see in the logs
    ///
    /// The filter's line for each request: `mtls-guard: deny reason=no-certificate`.
    ///
    /// ## Reference
    ///
    /// `mtls_identity::policy`, "Where the certificate comes from"
    "policy-for-another-gateway", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for given in super::policies(subject) {
        let Some(Ok(policy)) = given.read() else { continue };
        let kind = policy.source.kind;
        let fits = match kind {
            SourceKind::Envoy | SourceKind::EnvoyXfcc => given.in_envoy,
            SourceKind::Apisix => !given.in_envoy,
            SourceKind::Kong => false,
            SourceKind::Header => true,
        };
        if fits {
            continue;
        }
        let (here, right) = if given.in_envoy { ("Envoy", "envoy") } else { ("APISIX", "apisix") };
        let route = [Step::Key("certificate".to_owned()), Step::Key("from".to_owned())];
        let at = given.text.and_then(|text| position(text.as_str().ok()?, &route));
        let span = match (at, given.text) {
            (Some(at), Some(text)) => text.span(at.offset..at.offset + super::source_name(kind).len()),
            _ => given.span,
        };
        findings.push(RULE.finding(
            format!(
                "{} reads the certificate as {} hands it over, and runs in {here}",
                given.program.name,
                super::source_name(kind)
            ),
            Some(format!("write certificate: {{from: {right}}}")),
            vec![Label { span, message: "nothing is found there".to_owned() }],
        ));
    }
}

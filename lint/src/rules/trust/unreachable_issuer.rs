use std::collections::BTreeSet;
use std::sync::Arc;

use crate::deployment::{ClientAuthMode, PathChecks, Program, Setting, Stack, Trust, Versions};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::source::Span;
use crate::stack::Certificate;

rule! {
    /// A trust bundle has a CA that lies deeper below its root than the verification depth reaches.
    ///
    /// nginx's `ssl_verify_depth` and `proxy_ssl_verify_depth`, `client.depth` of an APISIX ssl object and the
    /// annotation `auth-tls-verify-depth` count the intermediates between end-entity certificate and root; the default
    /// is 1. Intermediates out of the bundle count as those that the peer sends.
    ///
    /// ## Why it matters
    ///
    /// Nobody with a certificate of that CA is accepted, though the CA stands in the bundle. The message names a missing
    /// issuer, not the depth.
    ///
    /// A warning, and no error: whether anybody comes with a certificate of that CA is not seen. Where somebody does,
    /// `verify-depth-exceeded` says so.
    ///
    /// ## How to fix
    ///
    /// - nginx: `ssl_verify_depth 2;` (`proxy_ssl_verify_depth 2;`)
    /// - APISIX: `client: {depth: 2}`
    /// - ingress-nginx: `nginx.ingress.kubernetes.io/auth-tls-verify-depth: "2"`
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `client SSL certificate verify error: (22:certificate chain too long)` or
    ///   `(20:unable to get local issuer certificate)`, and the client gets 400
    ///
    /// ## Reference
    ///
    /// <https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_verify_depth>;
    /// <https://github.com/kubernetes/ingress-nginx/issues/3106>
    "unreachable-issuer", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut told = BTreeSet::new();
    for (program, listener) in subject.listeners() {
        for context in listener.tls.iter().flat_map(|tls| &tls.contexts) {
            let auth = &context.client_auth;
            if matches!(auth.mode.value(), ClientAuthMode::Required | ClientAuthMode::Optional) {
                findings.extend(finding(subject, program, &auth.trust, &auth.checks, &mut told));
            }
        }
    }
    for ingress in &subject.deployment.manifests.nginx_ingresses {
        let settings = &ingress.settings;
        let parent = settings.client_secret.as_ref().map_or(settings.name.span, |secret| secret.span);
        let depth = match &settings.verify_depth {
            Some(depth) => Setting::Given(depth.clone()),
            None => Setting::Default { value: 1, parent },
        };
        findings.extend(ingress.client_trust().and_then(|trust| {
            deep(subject, &settings.name.value, &ingress.versions, &[trust], &depth, &mut told)
        }));
    }
    for (program, dialer) in subject.dialers() {
        let Some(tls) = &dialer.tls else { continue };
        if *tls.verify.value() {
            findings.extend(finding(subject, program, &tls.trust, &tls.checks, &mut told));
        }
    }
}

fn finding(
    subject: &Subject<'_>,
    program: &Program,
    trust: &[Trust],
    checks: &PathChecks,
    told: &mut BTreeSet<Span>,
) -> Option<Finding> {
    let openssl = matches!(program.versions.stack, Stack::OpenSsl { .. });
    let depth = checks.depth.as_ref()?;
    if !openssl || checks.partial_path || subject.is_predicted(program, &["verify-depth-exceeded"]) {
        return None;
    }
    deep(subject, &program.name, &program.versions, trust, depth, told)
}

fn deep(
    subject: &Subject<'_>,
    name: &str,
    versions: &Versions,
    trust: &[Trust],
    depth: &Setting<u32>,
    told: &mut BTreeSet<Span>,
) -> Option<Finding> {
    let trusted = subject.trusted(versions, trust)?;
    let allowed = usize::try_from(*depth.value()).ok()?;
    // the shallowest of those too deep tells enough
    let (deep, needed) = trusted
        .iter()
        .filter(|certificate| certificate.is_ca() && !certificate.is_self_issued())
        .filter_map(|certificate| Some((certificate, beneath_root(certificate, &trusted)?)))
        .filter(|(_, needed)| *needed > allowed)
        .min_by_key(|(_, needed)| *needed)?;
    let place = depth.span();
    if !told.insert(place) {
        return None;
    }
    let written = if depth.is_given() { "the depth is set here" } else { "the depth is the default here" };
    Some(RULE.finding(
        format!(
            "{} trusts {}, {needed} below its root, and looks {allowed} deep: it accepts nobody whom that CA issued",
            name, deep.shown
        ),
        Some(format!("set the depth to {needed}")),
        vec![
            Label { span: place, message: format!("{written}: {allowed}") },
            Label { span: deep.span, message: format!("needs {needed}") },
        ],
    ))
}

/// How many certificates stand from this one up to its root, the root not counted; None where the bundle has no root
/// for it, or more than one way up.
fn beneath_root(certificate: &Arc<Certificate>, trusted: &[Arc<Certificate>]) -> Option<usize> {
    let mut current = certificate;
    for steps in 1..=trusted.len() {
        let mut issuers = trusted.iter().filter(|issuer| {
            issuer.subject.canonical == current.issuer.canonical && issuer.digest != current.digest
        });
        let issuer = issuers.next()?;
        if issuers.next().is_some() {
            return None;
        }
        if issuer.is_self_issued() {
            return Some(steps);
        }
        current = issuer;
    }
    None
}

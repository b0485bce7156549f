use std::collections::BTreeSet;

use super::issuer_not_ca::is_no_ca;
use crate::deployment::{ClientAuthMode, Program, ProgramKind, Stack, Trust, Versions};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::source::Span;

rule! {
    /// A trust bundle has intermediates and no root: OpenSSL accepts nobody with it.
    ///
    /// OpenSSL follows issuers to a self-signed certificate, and that has to be in the bundle. nginx and APISIX do not
    /// set the flag that would let a path end at an intermediate. curl does since 7.68, and Go always, which is why the
    /// same file works for curl and etcd.
    ///
    /// ## Why it matters
    ///
    /// Every peer is refused, whoever issued its certificate.
    ///
    /// ## How to fix
    ///
    /// Append the root:
    ///
    /// ```sh
    /// cat intermediate.crt root.crt > ca.crt
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `client SSL certificate verify error: (2:unable to get issuer certificate)`, and the client gets 400
    /// - `upstream SSL certificate verify error: (2:unable to get issuer certificate)`
    ///
    /// ## Reference
    ///
    /// <https://docs.openssl.org/3.0/man1/openssl-verification-options/>, `-partial_chain`;
    /// <https://github.com/kubernetes/ingress-nginx/issues/5110>
    "rootless-trust-bundle", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut told = BTreeSet::new();
    for (program, listener) in subject.listeners() {
        for context in listener.tls.iter().flat_map(|tls| &tls.contexts) {
            let auth = &context.client_auth;
            if matches!(auth.mode.value(), ClientAuthMode::Required | ClientAuthMode::Optional)
                && !auth.checks.partial_path
            {
                findings.extend(finding(subject, program, &auth.trust, &mut told));
            }
        }
    }
    for ingress in &subject.deployment.manifests.nginx_ingresses {
        let (name, versions) = (&ingress.settings.name.value, &ingress.versions);
        findings.extend(
            ingress.client_trust().and_then(|trust| rootless(subject, name, versions, &[trust], &mut told)),
        );
    }
    for (program, dialer) in subject.dialers() {
        let Some(tls) = &dialer.tls else { continue };
        // since 7.68
        let partial = tls.checks.partial_path || program.kind == ProgramKind::Curl;
        if *tls.verify.value() && !partial {
            findings.extend(finding(subject, program, &tls.trust, &mut told));
        }
    }
}

fn finding(
    subject: &Subject<'_>,
    program: &Program,
    trust: &[Trust],
    told: &mut BTreeSet<Span>,
) -> Option<Finding> {
    let openssl = matches!(program.versions.stack, Stack::OpenSsl { .. });
    let failing = ["missing-root", "unknown-issuer", "missing-intermediate"];
    if !openssl || !program.refusals.is_empty() || subject.is_predicted(program, &failing) {
        return None;
    }
    rootless(subject, &program.name, &program.versions, trust, told)
}

fn rootless(
    subject: &Subject<'_>,
    name: &str,
    versions: &Versions,
    trust: &[Trust],
    told: &mut BTreeSet<Span>,
) -> Option<Finding> {
    let trusted = subject.trusted(versions, trust)?;
    if trusted.iter().any(|certificate| certificate.is_self_issued()) {
        return None;
    }
    let file = trust.iter().find_map(|trust| match trust {
        Trust::File { file, .. } => Some(file),
        Trust::System(_) => None,
    })?;
    let first = trusted.first()?;
    if !told.insert(file.path.span) {
        return None;
    }
    // what is no CA does not become one by a root beside it
    let (message, help) = if trusted.iter().all(|certificate| is_no_ca(certificate)) {
        (
            format!("{name} trusts {}, which is no CA: it accepts nobody", first.shown),
            format!("put the CA {} into {} in its place", first.issuer.text, file.path.value),
        )
    } else {
        (
            format!("{name} trusts {} and has no root to end the path at: it accepts nobody", first.shown),
            format!("append the root {} to {}", first.issuer.text, file.path.value),
        )
    };
    Some(RULE.finding(
        message,
        Some(help),
        vec![
            Label { span: file.path.span, message: "no self-signed certificate in this bundle".to_owned() },
            Label { span: first.span, message: format!("issued by {}", first.issuer.text) },
        ],
    ))
}

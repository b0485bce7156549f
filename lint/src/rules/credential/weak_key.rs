use std::collections::BTreeSet;

use crate::deployment::{ClientAuthMode, Program, Stack, Trust};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::source::{Located, Span};
use crate::stack::Certificate;
use crate::stack::openssl::level;

rule! {
    /// A key is too short for the library that has to accept it.
    ///
    /// ## Why it matters
    ///
    /// OpenSSL at security level 2 (Debian's default) refuses RSA keys under 2048 bits, in the own certificate, in
    /// the peer's and in CAs on the path. Go and BoringSSL accept more.
    ///
    /// ## How to fix
    ///
    /// Issue a certificate with RSA 2048 or ECDSA P-256: in cert-manager `privateKey: {algorithm: ECDSA, size:
    /// 256}`.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `SSL_CTX_use_certificate("…") failed (SSL: … ee key too small)`, `(66:EE certificate key too weak)`,
    ///   `(67:CA certificate key too weak)`
    /// - OpenSSL: `ee key too small`, `EE certificate key too weak`, `CA certificate key too weak`
    /// - APISIX: `SSL_use_certificate() failed (… ee key too small)`,
    ///   `failed to set PEM cert: SSL_use_certificate() failed`
    /// - Envoy: refuses its own RSA keys under 2048 bits at start
    /// - nginx, of an intermediate in the file: `ca key too small`
    ///
    /// ## Reference
    ///
    /// OpenSSL, SSL_CTX_set_security_level(3)
    "weak-key", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
    let mut told = BTreeSet::new();
    for (program, listener) in subject.listeners() {
        for context in listener.tls.iter().flat_map(|tls| &tls.contexts) {
            let auth = &context.client_auth;
            if matches!(auth.mode.value(), ClientAuthMode::Required | ClientAuthMode::Optional) {
                findings.extend(anchors(subject, program, context.ciphers.as_ref(), &auth.trust, &mut told));
            }
        }
    }
    for (program, dialer) in subject.dialers() {
        let verifying = dialer.tls.as_ref().filter(|tls| *tls.verify.value());
        findings.extend(
            verifying.and_then(|tls| anchors(subject, program, tls.ciphers.as_ref(), &tls.trust, &mut told)),
        );
    }
}

/// A bundle of which OpenSSL at its security level accepts no CA: whoever comes is refused.
fn anchors(
    subject: &Subject<'_>,
    program: &Program,
    ciphers: Option<&Located<String>>,
    trust: &[Trust],
    told: &mut BTreeSet<Span>,
) -> Option<Finding> {
    let Stack::OpenSsl { security_level, .. } = program.versions.stack else { return None };
    let level = level::of_ciphers(ciphers.map(|list| list.value.as_str()), security_level);
    if !program.refusals.is_empty() || subject.is_predicted(program, &[RULE.id]) {
        return None;
    }
    let trusted = subject.trusted(&program.versions, trust)?;
    let weak = |anchor: &Certificate| !anchor.is_planned() && !level::key_allowed(anchor.key.kind, level);
    let first = trusted.first().filter(|_| trusted.iter().all(|anchor| weak(anchor)))?;
    let file = trust.iter().find_map(|trust| match trust {
        Trust::File { file, .. } => Some(file),
        Trust::System(_) => None,
    })?;
    told.insert(file.path.span).then(|| {
        RULE.finding(
            format!(
                "{} trusts {} with the key {}, too weak for OpenSSL's security level {level}: it accepts nobody",
                program.name, first.shown, first.key.kind
            ),
            None,
            vec![
                Label { span: file.path.span, message: "no other CA is trusted here".to_owned() },
                Label { span: first.span, message: format!("the key {}", first.key.kind) },
            ],
        )
    })
}

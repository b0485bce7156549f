use std::collections::BTreeSet;

use super::issuer_not_ca::is_no_ca;
use crate::deployment::{ProgramKind, Stack};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A trust bundle has an end-entity certificate in place of the CA that issued it.
    ///
    /// ## Why it matters
    ///
    /// Go and BoringSSL let in the holder of that very certificate, and nobody else whom the same CA certified. When it is
    /// renewed, not even its holder. OpenSSL lets in nobody: `rootless-trust-bundle`.
    ///
    /// A warning, and no error: one peer may be meant, and pinned this way.
    ///
    /// ## How to fix
    ///
    /// Put the certificate of the CA into the bundle: in a Secret of cert-manager it is `ca.crt`, not `tls.crt`. To pin one
    /// certificate in Envoy, write `verify_certificate_hash`.
    ///
    /// ## What you see in the logs
    ///
    /// - Go: `x509: certificate signed by unknown authority`
    /// - Envoy: `unable to get local issuer certificate`
    ///
    /// ## Reference
    ///
    /// RFC 5280, section 6.1.1
    "end-entity-as-trust-anchor", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let presented = |digest: [u8; 32]| {
        // etcd's own certificate is no pin: members that share it are
        let shown = subject.held.presented.iter();
        shown.filter(move |shown| shown.chain.first().is_some_and(|first| first.digest == digest))
    };
    let mut told = BTreeSet::new();
    for trusted in &subject.held.trusted {
        let path = &trusted.file.path;
        let Some(first) = trusted.certificates.first() else { continue };
        let misplaced = trusted
            .certificates
            .iter()
            .all(|anchor| !anchor.is_planned() && !anchor.is_self_issued() && is_no_ca(anchor));
        let pinned = presented(first.digest).any(|shown| {
            !std::ptr::eq(shown.program, trusted.program) || shown.program.kind == ProgramKind::Etcd
        });
        if !misplaced
            || pinned
            || matches!(trusted.program.versions.stack, Stack::OpenSsl { .. })
            || trusted.certificates.iter().any(|anchor| subject.is_blamed(anchor.span))
            || subject.is_blamed(path.span)
            || !told.insert(path.span)
        {
            continue;
        }
        findings.push(RULE.finding(
            format!(
                "{} trusts {}, which is no CA: of all whom {} certified, only its holder gets in",
                trusted.program.name, first.shown, first.issuer.text
            ),
            Some(format!("put the CA {} into {} in its place", first.issuer.text, path.value)),
            vec![
                Label { span: path.span, message: "trusted from here".to_owned() },
                Label { span: first.span, message: "an end-entity certificate".to_owned() },
            ],
        ));
    }
}

use mtls_identity::sorted::Numbers;

use crate::dialect::kubernetes::Metadata;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::source::Span;

rule! {
    /// Two Certificates are written into one Secret.
    ///
    /// ## Why it matters
    ///
    /// Only the older of the two is issued, the other waits for ever; earlier versions of cert-manager overwrote one
    /// with the other in a circle, until the rate limit of the CA was reached.
    ///
    /// ## How to fix
    ///
    /// Give each Certificate a `secretName` of its own.
    ///
    /// ## What you see in the logs
    ///
    /// - cert-manager: `IncorrectCertificate`, `Secret was issued for "…"`,
    ///   `two conflicting Certificates pointing to the same secret`
    /// - the Certificate never becomes ready
    ///
    /// ## Reference
    ///
    /// <https://cert-manager.io/docs/usage/certificate/>; <https://github.com/cert-manager/cert-manager/issues/6406>
    "duplicate-secret-name", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let manifests = &subject.deployment.manifests;
    let mut secrets = Numbers::default();
    let mut first: Vec<Vec<(&Metadata, Span)>> = Vec::new();
    for certificate in &manifests.certificates {
        let Some(secret) = &certificate.secret_name else { continue };
        let metadata = &certificate.metadata;
        let number = secrets.of(format!("{}/{}", metadata.namespace(), secret.value));
        if number == first.len() {
            first.push(Vec::new());
        }
        let Some(before) = first.get_mut(number) else { continue };
        // overlays for several places give one object several names, each in a namespace of its own
        let together = |other: &(&Metadata, Span)| {
            let file = |span: Span| manifests.roots.get(&span.file).copied().unwrap_or(span.file);
            metadata.namespace.is_some() && other.0.namespace.is_some() || file(other.1) == file(secret.span)
        };
        // the same object in two files is applied twice and is one
        let same = before.iter().any(|(other, _)| other.name.value == metadata.name.value);
        let found = before.iter().find(|other| together(other)).copied().filter(|_| !same);
        before.push((metadata, secret.span));
        let Some((before, place)) = found else { continue };
        findings.push(RULE.finding(
            format!(
                "Certificate {} and Certificate {} are written into one Secret, {}",
                metadata.path(),
                before.path(),
                secret.value
            ),
            Some("write another secretName for one of them".to_owned()),
            vec![
                Label { span: secret.span, message: "this Secret".to_owned() },
                Label { span: place, message: format!("is also that of {}", before.name.value) },
            ],
        ));
    }
}

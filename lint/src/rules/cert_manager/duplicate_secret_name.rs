use std::collections::BTreeMap;

use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

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
    let mut first = BTreeMap::new();
    for certificate in &subject.deployment.manifests.certificates {
        let Some(secret) = &certificate.secret_name else { continue };
        let metadata = &certificate.metadata;
        let Some((before, place)) = first.get(&(metadata.namespace(), &secret.value)) else {
            first.insert((metadata.namespace(), &secret.value), (metadata, secret.span));
            continue;
        };
        // the same object in two files is applied twice and is one
        if before.name.value == metadata.name.value {
            continue;
        }
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
                Label { span: *place, message: format!("is also that of {}", before.name.value) },
            ],
        ));
    }
}

use std::collections::BTreeSet;

use mtls_identity::sorted;

use crate::deployment::PlannedIssuer;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A CA gets a new key whenever it is renewed.
    ///
    /// ## Why it matters
    ///
    /// After the renewal of the CA, what it issued before was signed by a key that the new CA certificate does not
    /// have. Programs that have the new `ca.crt` refuse the old certificates, programs that have the old one refuse the
    /// new certificates, until the last of them is renewed and restarted. Since cert-manager 1.18 this is the default.
    ///
    /// ## How to fix
    ///
    /// Keep the key of the CA over renewals:
    ///
    /// ```yaml
    /// isCA: true
    /// privateKey:
    ///   rotationPolicy: Never
    /// ```
    ///
    /// To change it, distribute old and new CA together first, by trust-manager for instance.
    ///
    /// ## What you see in the logs
    ///
    /// - Go: `x509: certificate signed by unknown authority (possibly because of … while trying to verify candidate
    ///   authority certificate …)`
    /// - OpenSSL: `certificate signature failure`
    /// - Java: `Path does not chain with any of the trust anchors`
    ///
    /// ## Reference
    ///
    /// <https://cert-manager.io/docs/usage/certificate/>; <https://github.com/apache/pulsar-helm-chart/issues/708>
    "rekeyed-authority", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let planned = &subject.deployment.planned;
    let issuers: BTreeSet<usize> =
        sorted::set(planned.iter().filter_map(|certificate| match &certificate.issuer {
            PlannedIssuer::Planned(by) => Some(*by),
            _ => None,
        }));
    for issuer in issuers.into_iter().filter_map(|id| planned.get(id)) {
        // an intermediate is sent along with what it issued, and its root stays
        let is_root = matches!(issuer.issuer, PlannedIssuer::SelfSigned);
        // where trust is distributed apart, the old key stays trusted for a while
        if !is_root || !issuer.rotates_key.value() || !subject.deployment.manifests.bundles.is_empty() {
            continue;
        }
        let how = if issuer.rotates_key.is_given() {
            "a new key with every renewal"
        } else {
            "no rotationPolicy, and Always is the default since cert-manager 1.18"
        };
        findings.push(RULE.finding(
            format!("{} gets a new key with every renewal, and what it issued is then refused", issuer.name),
            Some("write privateKey: {rotationPolicy: Never} for the CA, or distribute old and new CA together".to_owned()),
            vec![
                Label {
                    span: if issuer.rotates_key.is_given() { issuer.rotates_key.span() } else { issuer.span },
                    message: how.to_owned(),
                },
            ],
        ));
    }
}

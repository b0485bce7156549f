use std::collections::BTreeSet;

use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A CA has an empty subject.
    ///
    /// ## Why it matters
    ///
    /// Verifiers find the issuer of a certificate by its name. RFC 5280 demands one of every CA; OpenSSL in strict mode
    /// and Java refuse a CA without, and two such CAs in one bundle cannot be told apart. A cert-manager Certificate
    /// with `isCA: true` and no `commonName` makes one.
    ///
    /// ## How to fix
    ///
    /// Give the CA a name:
    ///
    /// ```yaml
    /// isCA: true
    /// commonName: demo authority
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - cert-manager: `Certificate will be issued with an empty Issuer DN, which contravenes RFC 5280 and could break some strict clients`
    /// - OpenSSL: `Issuer name empty`
    ///
    /// ## Reference
    ///
    /// RFC 5280, section 4.1.2.4; <https://github.com/cert-manager/cert-manager/issues/3634>
    "nameless-authority", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut told = BTreeSet::new();
    for planned in subject.deployment.planned.iter().filter(|planned| *planned.is_ca.value()) {
        if planned.subject.value().is_empty() && told.insert(planned.span) {
            findings.push(RULE.finding(
                format!("{} is a CA with an empty subject", planned.name),
                Some("write commonName in its spec".to_owned()),
                vec![
                    Label { span: planned.span, message: "has neither commonName nor subject".to_owned() },
                    Label { span: planned.is_ca.span(), message: "a CA".to_owned() },
                ],
            ));
        }
    }
    for trusted in &subject.held.trusted {
        for anchor in trusted.certificates.iter().filter(|anchor| anchor.is_ca() && !anchor.is_planned()) {
            if anchor.subject.is_empty() && !subject.is_blamed(anchor.span) && told.insert(anchor.span) {
                findings.push(RULE.finding(
                    format!("{} trusts a CA with an empty subject", trusted.program.name),
                    Some("issue the CA anew with a common name".to_owned()),
                    vec![
                        Label { span: anchor.span, message: "its subject is empty".to_owned() },
                        Label { span: trusted.file.path.span, message: "trusted from here".to_owned() },
                    ],
                ));
            }
        }
    }
}

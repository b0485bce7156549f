use std::collections::BTreeSet;

use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A program presents a CA certificate as its own.
    ///
    /// ## Why it matters
    ///
    /// Whoever gets hold of the key of this program can issue certificates for any name to everyone who trusts it.
    /// OpenSSL and Go let it pass as an end-entity certificate, rustls does not. `openssl req -x509` makes such
    /// certificates unless told otherwise.
    ///
    /// ## How to fix
    ///
    /// Keep the CA key away from servers, and issue an end-entity certificate with it: in cert-manager a Certificate
    /// without `isCA`, with openssl `basicConstraints = CA:FALSE`.
    ///
    /// ## What you see in the logs
    ///
    /// - rustls: `CaUsedAsEndEntity`
    ///
    /// ## Reference
    ///
    /// RFC 5280, section 4.2.1.9
    "end-entity-is-ca", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut told = BTreeSet::new();
    for presented in &subject.held.presented {
        let Some(first) = presented.chain.first().filter(|first| first.is_ca()) else { continue };
        let path = &presented.credential.certificate.path;
        // the key belongs to another certificate: this one is not meant to stand first
        if subject.presented(presented.program, presented.credential).is_empty() {
            continue;
        }
        if subject.is_blamed(first.span) || subject.is_blamed(path.span) || !told.insert(first.span) {
            continue;
        }
        findings.push(
            RULE.finding(
                format!("{} presents {}, which is a CA", presented.program.name, first.shown),
                Some(
                    "present an end-entity certificate that this CA issued, and keep the CA's key elsewhere"
                        .to_owned(),
                ),
                vec![
                    Label { span: first.span, message: "a CA certificate".to_owned() },
                    Label { span: path.span, message: "presented from here".to_owned() },
                ],
            ),
        );
    }
}

use std::collections::BTreeSet;

use crate::finding::{Finding, Label};
use crate::rules::credential::unjudged::unjudged;
use crate::rules::{Subject, rule};
use crate::stack::signatures::Signed;
use crate::stack::{Certificate, KeyUsage};

rule! {
    /// An issuing certificate on the path is not a CA (basicConstraints cA is not TRUE).
    ///
    /// ## Why it matters
    ///
    /// A certificate may sign others only if its own issuer made it a CA. In cert-manager, a CA issuer whose Secret
    /// comes from a Certificate without `isCA: true` signs certificates that nobody accepts.
    ///
    /// ## How to fix
    ///
    /// Issue the CA with basicConstraints cA TRUE: in cert-manager `isCA: true` in its Certificate.
    ///
    /// ## What you see in the logs
    ///
    /// - OpenSSL: `invalid CA certificate` (24, 79), `unsuitable certificate purpose` (26)
    /// - nginx: `SSL certificate verify error: (79:invalid CA certificate)`
    /// - Go: `x509: certificate is not authorized to sign other certificates`,
    ///   `not authorized to sign other certificates`
    /// - OpenSSL, strict: `CA cert does not include key usage extension`
    /// - OpenSSL: `key usage does not include certificate signing`
    /// - Go: `x509: certificate signed by unknown authority (… parent certificate cannot sign this kind of certificate)`
    /// - Go: `parent certificate cannot sign this kind of certificate`
    ///
    /// ## Reference
    ///
    /// RFC 5280, section 4.2.1.9
    "issuer-not-ca", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
    let mut told = BTreeSet::new();
    for unjudged in unjudged(subject, |chain| chain.iter().skip(1).any(|issuer| is_no_ca(issuer))) {
        for (certificate, issuer) in unjudged.chain.iter().zip(unjudged.chain.iter().skip(1)) {
            if !is_no_ca(issuer)
                || subject.signed(certificate, issuer) != Signed::Yes
                || !told.insert(issuer.digest)
            {
                continue;
            }
            findings.push(
                RULE.finding(
                    format!("{} issued {}, but is no CA", issuer.shown, certificate.shown),
                    None,
                    unjudged.labels(Label {
                        span: issuer.span,
                        message: "basicConstraints has no cA".to_owned(),
                    }),
                ),
            );
        }
    }
}

/// What every verifier takes for no CA: some make do with a keyUsage, or with version 1.
pub(super) fn is_no_ca(certificate: &Certificate) -> bool {
    let asserts = certificate.key_usage.is_some() && certificate.may(KeyUsage::KEY_CERT_SIGN);
    match certificate.basic_constraints {
        Some(constraints) => !constraints.ca,
        None => certificate.version == 3 && !asserts && certificate.netscape_type.is_none(),
    }
}

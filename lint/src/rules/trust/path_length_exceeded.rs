use std::collections::BTreeSet;

use crate::finding::{Finding, Label};
use crate::rules::credential::unjudged::unjudged;
use crate::rules::{Subject, rule};
use crate::stack::signatures::Signed;
use crate::stack::{Certificate, say};

rule! {
    /// More intermediates follow a CA than its path length constraint allows.
    ///
    /// ## Why it matters
    ///
    /// pathLenConstraint limits how many CAs may stand below a CA.
    ///
    /// ## How to fix
    ///
    /// Issue the end-entity certificate directly below that CA, or issue the CA with a larger pathLenConstraint or
    /// none.
    ///
    /// ## What you see in the logs
    ///
    /// - OpenSSL: `path length constraint exceeded` (25)
    /// - Go: `x509: too many intermediates for path length constraint`
    ///
    /// ## Reference
    ///
    /// RFC 5280, section 4.2.1.9
    "path-length-exceeded", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
    let mut told = BTreeSet::new();
    let limit =
        |issuer: &Certificate| issuer.basic_constraints.and_then(|constraints| constraints.path_length);
    for unjudged in unjudged(subject, |chain| chain.iter().skip(2).any(|issuer| limit(issuer).is_some())) {
        let chain = unjudged.chain;
        let mut below: u32 = 0;
        for (depth, (certificate, issuer)) in chain.iter().zip(chain.iter().skip(1)).enumerate() {
            if subject.signed(certificate, issuer) != Signed::Yes {
                break;
            }
            // the end-entity certificate is not counted, nor one that bears its issuer's name
            below += u32::from(depth > 0 && !certificate.is_self_issued());
            let Some(allowed) = limit(issuer).filter(|allowed| below > *allowed) else { continue };
            if told.insert(issuer.digest) {
                let message = say::path_too_long(depth + 1, issuer, allowed, below);
                let allows = format!("pathLenConstraint is {allowed}");
                let labels = unjudged.labels(Label { span: issuer.span, message: allows });
                findings.push(RULE.finding(message, None, labels));
            }
            break;
        }
    }
}

use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A CA on the path is constrained to other names than the certificate bears.
    ///
    /// ## Why it matters
    ///
    /// Name constraints of a CA hold for every certificate below it: a name outside the permitted or inside the
    /// excluded subtrees makes the whole path invalid.
    ///
    /// ## How to fix
    ///
    /// Issue the certificate with names that the CA may issue, or have it issued by a CA without that constraint.
    /// `openssl x509 -in ca.crt -noout -ext nameConstraints` shows them.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `(47:permitted subtree violation)`, `(48:excluded subtree violation)`
    /// - Go: `x509: a root or intermediate certificate is not authorized to sign for this name`
    /// - OpenSSL: `permitted subtree violation`, `excluded subtree violation`
    /// - the other side, as an alert: `certificate unknown`
    ///
    /// ## Reference
    ///
    /// RFC 5280, section 4.2.1.10
    "name-constraint-violated", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

use crate::finding::Finding;
use crate::rules::{Subject, rule};

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
}

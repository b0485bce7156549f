use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A certificate has a critical extension that the verifier does not know.
    ///
    /// ## Why it matters
    ///
    /// Critical means: reject what you do not understand. Libraries know different sets.
    ///
    /// ## How to fix
    ///
    /// Issue the certificate without the extension, or mark the extension non-critical if its profile allows that.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `(34:unhandled critical extension)`
    /// - Go: `x509: unhandled critical extension`
    /// - the other side, as an alert: `certificate unknown`
    ///
    /// ## Reference
    ///
    /// RFC 5280, section 4.2
    "unknown-critical-extension", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

use crate::finding::{Finding, Label};
use crate::rules::cert_manager::end_entities;
use crate::rules::{Subject, rule};

rule! {
    /// A certificate keeps its private key over all renewals.
    ///
    /// ## Why it matters
    ///
    /// A key that was read once, from a backup, a log or a node, stays good for ever: renewing the certificate does not
    /// end it. `rotationPolicy: Never` is right for a CA, whose key others have signed things with; for a server or
    /// client nothing speaks for it.
    ///
    /// ## How to fix
    ///
    /// ```yaml
    /// privateKey:
    ///   rotationPolicy: Always
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// Nothing.
    ///
    /// ## Reference
    ///
    /// <https://cert-manager.io/docs/usage/certificate/>
    "reused-key", Advice, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for (_, planned) in end_entities(subject) {
        if planned.rotates_key.is_given() && !planned.rotates_key.value() {
            findings.push(RULE.finding(
                format!("{} keeps its private key over all renewals", planned.name),
                Some("write rotationPolicy: Always".to_owned()),
                vec![Label { span: planned.rotates_key.span(), message: "the same key for ever".to_owned() }],
            ));
        }
    }
}

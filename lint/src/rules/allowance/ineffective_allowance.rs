use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A comment to mtls-lint allows nothing: it names no rule that exists, or gives no reason.
    ///
    /// ## Why it matters
    ///
    /// Whoever wrote it believes that a finding is answered for. It is still reported, or was never meant; and a
    /// comment without a reason leaves the next reader nothing to judge by.
    ///
    /// ## How to fix
    ///
    /// Write the rule's id and the reason:
    ///
    /// ```yaml
    /// # mtls-lint: allow(unverified-server) the store has no certificate before March, OPS-1234
    /// ```
    ///
    /// `mtls-lint rules` lists the ids.
    ///
    /// ## What you see in the logs
    ///
    /// Nothing.
    ///
    /// ## Reference
    ///
    /// The README, section Allowing a finding.
    "ineffective-allowance", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for allowance in subject.allowances.iter() {
        let Some(mistake) = &allowance.mistake else { continue };
        findings.push(RULE.finding(
            format!("this comment allows nothing: {mistake}"),
            Some("write # mtls-lint: allow(rule-id) and the reason, or remove the comment".to_owned()),
            vec![Label { span: allowance.span, message: "addressed to mtls-lint".to_owned() }],
        ));
    }
}

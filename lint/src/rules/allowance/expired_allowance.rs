use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::time;

rule! {
    /// An ignore of mtls-lint.yaml is past its date.
    ///
    /// ## Why it matters
    ///
    /// Somebody promised that the mistake would be gone by then. From that day on it is reported again.
    ///
    /// ## How to fix
    ///
    /// Mend what was ignored and remove the entry, or write a later date with the reason for it:
    ///
    /// ```yaml
    /// ignore:
    ///   - rule: unverified-server
    ///     reason: the store moves behind the gateway in March (OPS-1234)
    ///     expires: 2027-03-31
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// Nothing.
    ///
    /// ## Reference
    ///
    /// The README, section Configuration.
    "expired-allowance", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for allowance in subject.allowances.iter() {
        let expired = allowance.expires.as_ref().filter(|_| allowance.has_expired(subject.at));
        let Some(expires) = expired else { continue };
        let rules: Vec<&str> = allowance.rules.iter().map(|rule| rule.value.as_str()).collect();
        findings.push(RULE.finding(
            format!(
                "the ignore of {} was good until {}",
                rules.join(", "),
                time::format_day(expires.value - 1)
            ),
            Some("mend what it ignored and remove the entry, or write a later date and why".to_owned()),
            vec![Label { span: expires.span, message: "its last day".to_owned() }],
        ));
    }
}

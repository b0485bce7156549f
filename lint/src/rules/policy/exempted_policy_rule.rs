use mtls_identity::policy::{Step, position};

use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// An exemption of the policy is about every request of a rule: nobody needs a certificate for them.
    ///
    /// Exemptions are looked at before rules. A request that one is about is answered without a certificate.
    ///
    /// ## Why it matters
    ///
    /// The rule names who may make these requests, and everybody may.
    ///
    /// ## How to fix
    ///
    /// Narrow the exemption to what shall be open:
    ///
    /// ```yaml
    /// exempt:
    ///   - paths: [/healthz]     # not /**
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// The filter's line names the exemption: never this rule.
    ///
    /// ## Reference
    ///
    /// `mtls_identity::policy`, `exempt`
    "exempted-policy-rule", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for given in super::policies(subject) {
        let Some(Ok(policy)) = given.read() else { continue };
        let place = |list: &str, index: usize| {
            let route = [Step::Key(list.to_owned()), Step::Index(index)];
            let at = given.text.and_then(|text| position(text.as_str().ok()?, &route));
            at.map_or(given.span, |at| given.line_from(at.offset))
        };
        for (index, rule) in policy.rules.iter().take(LONGEST).enumerate() {
            let mut exemptions = policy.exempt.iter().take(LONGEST).enumerate();
            let Some((which, exemption)) =
                exemptions.find(|(_, exemption)| exemption.scope.includes(&rule.scope))
            else {
                continue;
            };
            findings.push(RULE.finding(
                format!(
                    "{}: the exemption {} is about every request of the rule {}, which so lets in everybody",
                    given.program.name, exemption.name, rule.name
                ),
                Some(format!("narrow the paths of {}", exemption.name)),
                vec![
                    Label {
                        span: place("exempt", which),
                        message: "answered without a certificate".to_owned(),
                    },
                    Label { span: place("rules", index), message: "never decides".to_owned() },
                ],
            ));
        }
    }
}

/// As many rules and exemptions as are compared with each other.
const LONGEST: usize = 500;

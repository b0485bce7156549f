use mtls_identity::policy::{Step, position};

use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A rule of the policy never decides: an earlier one is about every request that it is about.
    ///
    /// ## Why it matters
    ///
    /// The first rule about a request decides. What the later rule allows or forbids has no effect: those whom it would
    /// let in stay out, and those whom it would lock out stay in.
    ///
    /// ## How to fix
    ///
    /// Put the narrower rule first: `/admin/**` before `/**`.
    ///
    /// ## What you see in the logs
    ///
    /// The filter's line names the rule that decided: never this one.
    ///
    /// ## Reference
    ///
    /// `mtls_identity::policy`, `rules`
    "shadowed-policy-rule", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for given in super::policies(subject) {
        let Some(Ok(policy)) = given.read() else { continue };
        // every pair once: a policy that is longer is not compared beyond its first rules
        let rules: Vec<_> = policy.rules.iter().take(LONGEST).enumerate().collect();
        for (index, later) in &rules {
            let earlier = rules.iter().take(*index).find(|(_, rule)| rule.scope.includes(&later.scope));
            let Some((first, earlier)) = earlier else { continue };
            findings.push(RULE.finding(
                format!(
                    "{}: the rule {} never decides, {} does",
                    given.program.name, later.name, earlier.name
                ),
                Some(format!("put {} before {}", later.name, earlier.name)),
                vec![
                    Label { span: place(&given, *index), message: "never reached".to_owned() },
                    Label { span: place(&given, *first), message: "decides every such request".to_owned() },
                ],
            ));
        }
    }
}

/// As many rules as are compared with each other.
const LONGEST: usize = 500;

fn place(given: &super::Given<'_>, index: usize) -> crate::source::Span {
    let route = [Step::Key("rules".to_owned()), Step::Index(index)];
    let at = given.text.and_then(|text| position(text.as_str().ok()?, &route));
    at.map_or(given.span, |at| given.line_from(at.offset))
}

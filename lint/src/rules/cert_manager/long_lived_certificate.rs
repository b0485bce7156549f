use super::end_entities;
use crate::dialect::cert_manager::hours;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A certificate that is renewed by itself lives for years.
    ///
    /// ## Why it matters
    ///
    /// With cert-manager a short life costs nothing. What is stolen stays good until it expires, since few verifiers
    /// ask for revocation; and a renewal that comes once in years has never been tried. Apple platforms refuse server
    /// certificates of more than 825 days, whoever issued them.
    ///
    /// ## How to fix
    ///
    /// Ninety days is the default of cert-manager:
    ///
    /// ```yaml
    /// duration: 2160h
    /// renewBefore: 720h
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - Safari: `certificate is not standards compliant`
    ///
    /// ## Reference
    ///
    /// <https://support.apple.com/en-us/103769>
    "long-lived-certificate", Advice, check
}

/// What Apple platforms accept of a server certificate.
const LONGEST: i64 = 825 * 86_400;

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for (_, planned) in end_entities(subject) {
        let duration = *planned.duration.value();
        if duration > LONGEST {
            findings.push(RULE.finding(
                format!("{} lives {}", planned.name, hours(duration)),
                Some("write a shorter duration, such as 2160h (90 days)".to_owned()),
                vec![Label { span: planned.duration.span(), message: "years without a renewal".to_owned() }],
            ));
        }
    }
}

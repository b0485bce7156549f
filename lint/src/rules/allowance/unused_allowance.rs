use mtls_identity::sorted;

use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A comment or an entry of mtls-lint.yaml allows a finding that is not there.
    ///
    /// ## Why it matters
    ///
    /// The mistake is mended, or has moved to where the allowance does not reach. Left standing, it will one day hide a
    /// new mistake that nobody has looked at.
    ///
    /// ## How to fix
    ///
    /// Remove the rule's id, or the whole comment or entry. A comment covers the line it ends; on a line of its own, what
    /// follows it: the entry, the block, the certificate. A run over a part of the deployment may not see what an allowance
    /// is for.
    ///
    /// ## What you see in the logs
    ///
    /// Nothing.
    ///
    /// ## Reference
    ///
    /// The README, section Allowing a finding.
    "unused-allowance", Advice, check
}

/// Speaks of what the other rules found: it is the last of the catalogue.
fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    // what could not be read may hold what is allowed
    if !subject.complete {
        return;
    }
    let mut used: Vec<(usize, &str)> = Vec::new();
    for finding in findings.iter() {
        let covering = subject.allowances.covering(finding, subject.deployment, subject.at);
        used.extend(covering.map(|index| (index, finding.rule)));
    }
    let used = sorted::list(used);
    let mut unused = Vec::new();
    for (index, allowance) in subject.allowances.iter().enumerate() {
        if !allowance.counts(subject.at) || allowance.is_about_other_files() {
            continue;
        }
        for id in &allowance.rules {
            // an allowance of this very rule is used by what is reported here
            if id.value == RULE.id || used.binary_search(&(index, id.value.as_str())).is_ok() {
                continue;
            }
            let allows_nothing = Label { span: id.span, message: "allows nothing".to_owned() };
            let uncovered = |finding: &&Finding| {
                subject.allowances.covering(finding, subject.deployment, subject.at).next().is_none()
            };
            let elsewhere = findings.iter().filter(|finding| finding.rule == id.value).filter(uncovered);
            let mut elsewhere = elsewhere.filter_map(|finding| Some(finding.labels.first()?.span));
            unused.push(match elsewhere.find(|span| span.file == id.span.file) {
                Some(span) => RULE.finding(
                    format!("{} is allowed here, and occurs elsewhere in this file", id.value),
                    Some("move the comment onto the line where it occurs, or remove it".to_owned()),
                    vec![allows_nothing, Label { span, message: "it occurs here".to_owned() }],
                ),
                None => RULE.finding(
                    format!("{} is allowed here, and among these files it does not occur", id.value),
                    Some("remove it, if these are all files that the finding is about".to_owned()),
                    vec![allows_nothing],
                ),
            });
        }
    }
    findings.append(&mut unused);
}

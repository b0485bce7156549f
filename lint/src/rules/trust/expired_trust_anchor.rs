use std::collections::BTreeSet;

use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::time::format_day;

rule! {
    /// A trust bundle still holds a CA that has expired.
    ///
    /// ## Why it matters
    ///
    /// Nothing that it issued is accepted any more, except by rustls, which does not look at the dates of an anchor.
    /// What is left of an old CA hides whether the new one arrived everywhere, and Java and some appliances refuse the
    /// whole bundle.
    ///
    /// ## How to fix
    ///
    /// Remove it from the bundle, once nothing it issued is in use.
    ///
    /// ## What you see in the logs
    ///
    /// Nothing, as long as another CA of the bundle fits.
    ///
    /// ## Reference
    ///
    /// RFC 5280, section 6.1.1; <https://github.com/smallstep/cli/issues/518>
    "expired-trust-anchor", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut told = BTreeSet::new();
    for trusted in &subject.held.trusted {
        for anchor in &trusted.certificates {
            let over = anchor.not_after < subject.at && !anchor.is_planned();
            // where a connection breaks on it, that is the finding
            if !over || subject.is_blamed(anchor.span) || !told.insert(anchor.span) {
                continue;
            }
            let path = &trusted.file.path;
            findings.push(RULE.finding(
                format!(
                    "{} trusts {}, which expired on {}",
                    trusted.program.name,
                    anchor.shown,
                    format_day(anchor.not_after)
                ),
                Some(format!("remove {} from {}", anchor.shown, path.value)),
                vec![
                    Label {
                        span: anchor.span,
                        message: format!("expired on {}", format_day(anchor.not_after)),
                    },
                    Label { span: path.span, message: "trusted from here".to_owned() },
                ],
            ));
        }
    }
}

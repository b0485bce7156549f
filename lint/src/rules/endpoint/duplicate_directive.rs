use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A directive stands twice where it may stand once.
    ///
    /// ## Why it matters
    ///
    /// nginx does not start. In APISIX, a snippet that repeats a directive of the generated configuration has the
    /// same effect.
    ///
    /// ## How to fix
    ///
    /// Remove one of the two.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `"…" directive is duplicate in …`
    ///
    /// ## Reference
    ///
    /// <https://nginx.org/en/docs/>
    "duplicate-directive", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

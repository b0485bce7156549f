use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A configuration file has a mistake of syntax.
    ///
    /// ## Why it matters
    ///
    /// The program does not start, or keeps running with what it loaded before.
    ///
    /// ## How to fix
    ///
    /// Mend the place that the label shows; `nginx -t` prints the same line.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `[emerg] unexpected "}" in …`, `directive "…" is not terminated by ";"`,
    ///   `unexpected end of file, expecting "}"`, `unknown directive "…"`
    ///
    /// ## Reference
    ///
    /// <https://nginx.org/en/docs/beginners_guide.html#conf_structure>
    "refused-syntax", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

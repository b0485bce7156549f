//! JUnit XML: a suite for each file, a failed case for each finding.

use std::collections::BTreeMap;

use crate::finding::{Finding, Suppressed};
use crate::report::Report;
use crate::visible::is_hidden;

/// `check --format junit`.
pub fn check(report: &Report) -> String {
    let mut suites: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in &report.findings {
        let file = finding.labels.first().map_or("", |label| report.files.path(label.span.file));
        suites.entry(file).or_default().push(finding);
    }
    let mut allowed: BTreeMap<&str, Vec<&Suppressed>> = BTreeMap::new();
    for entry in &report.suppressed {
        let file = entry.finding.labels.first().map_or("", |label| report.files.path(label.span.file));
        suites.entry(file).or_default();
        allowed.entry(file).or_default().push(entry);
    }
    let failures = report.findings.len();
    let skipped = report.suppressed.len();
    let errors = report.incomplete.len();
    // without any case, viewers show nothing at all: one case stands for a clean run
    let clean = usize::from(failures + errors + skipped == 0);
    let tests = failures + errors + skipped + clean;
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    out.push_str(&format!(
        "<testsuites name=\"mtls-lint\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\"{}>\n",
        skips(skipped)
    ));
    for (file, findings) in suites {
        let allowed = allowed.remove(file).unwrap_or_default();
        let (count, tests) = (findings.len(), findings.len() + allowed.len());
        out.push_str(&format!(
            "  <testsuite name=\"{}\" tests=\"{tests}\" failures=\"{count}\" errors=\"0\"{}>\n",
            escape(file),
            skips(allowed.len())
        ));
        for finding in findings {
            let help = escape(finding.help.as_deref().unwrap_or_default());
            let (severity, message) = (finding.severity.name(), escape(&finding.message));
            let result = format!("<failure type=\"{severity}\" message=\"{message}\">{help}</failure>");
            out.push_str(&case(report, finding, file, &result));
        }
        for entry in allowed {
            let result = format!("<skipped message=\"{}\"/>", escape(&entry.reason));
            out.push_str(&case(report, &entry.finding, file, &result));
        }
        out.push_str("  </testsuite>\n");
    }
    if errors > 0 {
        out.push_str(&format!(
            "  <testsuite name=\"incomplete\" tests=\"{errors}\" failures=\"0\" errors=\"{errors}\">\n"
        ));
        for entry in &report.incomplete {
            let (file, message) = (escape(&entry.file), escape(&entry.message));
            out.push_str(&format!(
                "    <testcase name=\"{file}\" classname=\"incomplete\"><error message=\"{message}\"/></testcase>\n"
            ));
        }
        out.push_str("  </testsuite>\n");
    }
    if clean == 1 {
        out.push_str("  <testsuite name=\"mtls-lint\" tests=\"1\" failures=\"0\" errors=\"0\">\n");
        out.push_str("    <testcase name=\"no findings\" classname=\"mtls-lint\"/>\n  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn case(report: &Report, finding: &Finding, file: &str, result: &str) -> String {
    let line = finding.labels.first().map_or(1, |label| report.files.places(label.span).0.line);
    let (file, rule) = (escape(file), finding.rule);
    format!(
        "    <testcase name=\"{rule} ({file}:{line})\" classname=\"{rule}\" file=\"{file}\" line=\"{line}\">{result}</testcase>\n"
    )
}

/// The count of skipped cases, where there are any.
fn skips(count: usize) -> String {
    if count == 0 { String::new() } else { format!(" skipped=\"{count}\"") }
}

/// Escapes text for XML 1.0, which does not allow every character.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            letter if is_hidden(letter) => out.extend(letter.escape_unicode()),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_xml_does_not_allow_is_spelled_out() {
        assert_eq!(super::escape("a<b>&\"\u{1}"), "a&lt;b&gt;&amp;&quot;\\u{1}");
    }
}

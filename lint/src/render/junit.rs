//! JUnit XML: a suite for each file, a failed case for each finding.

use std::collections::BTreeMap;

use crate::finding::Finding;
use crate::report::Report;

/// `check --format junit`.
pub fn check(report: &Report) -> String {
    let mut suites: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in &report.findings {
        let file = finding.labels.first().map_or("", |label| report.files.path(label.span.file));
        suites.entry(file).or_default().push(finding);
    }
    let failures = report.findings.len();
    let errors = report.incomplete.len();
    // without any case, viewers show nothing at all: one case stands for a clean run
    let clean = usize::from(failures + errors == 0);
    let tests = failures + errors + clean;
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    out.push_str(&format!(
        "<testsuites name=\"mtls-lint\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\">\n"
    ));
    for (file, findings) in suites {
        let count = findings.len();
        out.push_str(&format!(
            "  <testsuite name=\"{}\" tests=\"{count}\" failures=\"{count}\" errors=\"0\">\n",
            escape(file)
        ));
        for finding in findings {
            out.push_str(&case(report, finding, file));
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

fn case(report: &Report, finding: &Finding, file: &str) -> String {
    let line = finding.labels.first().map_or(1, |label| report.files.places(label.span).0.line);
    let (file, message) = (escape(file), escape(&finding.message));
    let help = escape(finding.help.as_deref().unwrap_or_default());
    format!(
        "    <testcase name=\"{} ({file}:{line})\" classname=\"{}\" file=\"{file}\" line=\"{line}\">\
         <failure type=\"{}\" message=\"{message}\">{help}</failure></testcase>\n",
        finding.rule,
        finding.rule,
        finding.severity.name()
    )
}

/// Escapes text for XML 1.0; characters that XML does not allow become U+FFFD.
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
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => {
                out.push('\u{fffd}')
            }
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_xml_does_not_allow_is_replaced() {
        assert_eq!(super::escape("a<b>&\"\u{1}"), "a&lt;b&gt;&amp;&quot;\u{fffd}");
    }
}

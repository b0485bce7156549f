//! Annotations of GitHub Actions: one workflow command for each finding.

use crate::finding::Severity;
use crate::report::Report;
use crate::visible::visible;

/// `check --format github`.
pub fn check(report: &Report) -> String {
    let mut out = String::new();
    for finding in &report.findings {
        let command = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Advice => "notice",
        };
        let place = finding.labels.first().map_or_else(String::new, |label| {
            let (start, end) = report.files.places(label.span);
            let columns = if start.line == end.line {
                format!(",col={},endColumn={}", start.column, end.column)
            } else {
                String::new()
            };
            let file = property(report.files.path(label.span.file));
            format!("file={file},line={},endLine={}{columns},", start.line, end.line)
        });
        let help = finding.help.as_ref().map_or_else(String::new, |help| format!("\n{help}"));
        let message = data(&format!("{}{help}", finding.message));
        out.push_str(&format!("::{command} {place}title={}::{message}\n", property(finding.rule)));
    }
    for entry in &report.incomplete {
        out.push_str(&format!("::error file={}::{}\n", property(&entry.file), data(&entry.message)));
    }
    out
}

/// Escapes a command's text.
fn data(text: &str) -> String {
    visible(text).replace('%', "%25").replace('\n', "%0A")
}

/// Escapes a property's value.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_message_cannot_start_a_command_of_its_own() {
        assert_eq!(super::data("50%\n::error::x"), "50%25%0A::error::x");
        assert_eq!(super::property("a,b:c"), "a%2Cb%3Ac");
    }
}

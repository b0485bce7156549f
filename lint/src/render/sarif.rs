//! SARIF 2.1.0, for code scanning.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::finding::{Finding, Label, Severity};
use crate::report::{Files, Report};
use crate::rules::{RULES, Rule};
use crate::source::Span;

/// `check --format sarif`.
pub fn check(report: &Report) -> String {
    let log = Log {
        schema: "https://json.schemastore.org/sarif-2.1.0.json",
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: "mtls-lint",
                    version: env!("CARGO_PKG_VERSION"),
                    information_uri: "https://github.com/mtls-guard/mtls-guard",
                    rules: RULES.iter().map(descriptor).collect(),
                },
            },
            column_kind: "unicodeCodePoints",
            invocations: [Invocation {
                execution_successful: report.incomplete.is_empty(),
                notifications: report.incomplete.iter().map(notification).collect(),
            }],
            results: results(report),
        }],
    };
    let mut text = serde_json::to_string_pretty(&log).unwrap_or_else(|_| "{}".to_owned());
    text.push('\n');
    text
}

fn results(report: &Report) -> Vec<SarifResult> {
    let mut seen: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    let results = report.findings.iter().map(|finding| {
        let print = fingerprint(&report.files, finding);
        // equal lines of one file are told apart by their order
        let count = seen.entry(print.clone()).or_default();
        *count += 1;
        result(&report.files, finding, format!("{print}:{count}"))
    });
    results.collect()
}

#[derive(Serialize)]
struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    column_kind: &'static str,
    invocations: [Invocation; 1],
    results: Vec<SarifResult>,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    version: &'static str,
    information_uri: &'static str,
    rules: Vec<Descriptor>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    id: &'static str,
    short_description: Message,
    help: Help,
    help_uri: String,
    default_configuration: DefaultConfiguration,
}

#[derive(Serialize)]
struct Help {
    text: String,
    markdown: String,
}

#[derive(Serialize)]
struct DefaultConfiguration {
    level: &'static str,
}

#[derive(Serialize)]
struct Message {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    #[serde(rename = "toolExecutionNotifications")]
    notifications: Vec<Notification>,
}

#[derive(Serialize)]
struct Notification {
    level: &'static str,
    message: Message,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifResult {
    rule_id: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_index: Option<usize>,
    level: &'static str,
    message: Message,
    locations: Vec<Location>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location>,
    partial_fingerprints: Fingerprints,
}

#[derive(Serialize)]
struct Fingerprints {
    #[serde(rename = "mtlsLintLine/v1")]
    line: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<usize>,
    physical_location: PhysicalLocation,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    region: Region,
}

#[derive(Serialize)]
struct ArtifactLocation {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: usize,
    start_column: usize,
    end_line: usize,
    end_column: usize,
    byte_offset: u32,
    byte_length: u32,
}

fn descriptor(rule: &Rule) -> Descriptor {
    let page = rule.page();
    Descriptor {
        id: rule.id,
        short_description: Message { text: page.lines().next().unwrap_or_default().to_owned() },
        help: Help { text: page.clone(), markdown: page },
        help_uri: super::rule_url(rule.id),
        default_configuration: DefaultConfiguration { level: level(rule.severity) },
    }
}

fn notification(entry: &crate::finding::Incomplete) -> Notification {
    Notification { level: "error", message: Message { text: format!("{}: {}", entry.file, entry.message) } }
}

fn result(files: &Files, finding: &Finding, line: String) -> SarifResult {
    let help = finding.help.as_ref().map_or_else(String::new, |help| format!("\n\nTo fix: {help}"));
    SarifResult {
        rule_id: finding.rule,
        rule_index: RULES.iter().position(|rule| rule.id == finding.rule),
        level: level(finding.severity),
        message: Message { text: format!("{}{help}", finding.message) },
        locations: finding.labels.iter().take(1).map(|label| location(files, label, None)).collect(),
        related_locations: finding
            .labels
            .iter()
            .enumerate()
            .skip(1)
            .map(|(index, label)| location(files, label, Some(index)))
            .collect(),
        partial_fingerprints: Fingerprints { line },
    }
}

fn location(files: &Files, label: &Label, id: Option<usize>) -> Location {
    let (start, end) = files.places(label.span);
    Location {
        id,
        physical_location: PhysicalLocation {
            artifact_location: ArtifactLocation { uri: uri(files.path(label.span.file)) },
            region: Region {
                start_line: start.line,
                start_column: start.column,
                end_line: end.line,
                end_column: end.column,
                byte_offset: start.offset,
                byte_length: end.offset.saturating_sub(start.offset),
            },
        },
        message: (!label.message.is_empty()).then(|| Message { text: label.message.clone() }),
    }
}

/// A relative URI reference (RFC 3986): what is not unreserved or a slash is percent-encoded.
fn uri(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// What stays the same when the line moves: rule, file and the line's text.
fn fingerprint(files: &Files, finding: &Finding) -> String {
    let mut hash = Sha256::new();
    hash.update(finding.rule.as_bytes());
    if let Some(label) = finding.labels.first() {
        hash.update([0]);
        hash.update(files.path(label.span.file).as_bytes());
        hash.update([0]);
        hash.update(line(files, label.span).trim_ascii());
    }
    hash.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

fn line(files: &Files, span: Span) -> &[u8] {
    let bytes = files.bytes(span.file);
    let at = (span.start as usize).min(bytes.len());
    let start = bytes
        .get(..at)
        .and_then(|before| before.iter().rposition(|byte| *byte == b'\n'))
        .map_or(0, |at| at + 1);
    let rest = bytes.get(start..).unwrap_or_default();
    rest.split(|byte| *byte == b'\n').next().unwrap_or_default()
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Advice => "note",
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_path_becomes_a_uri_reference() {
        assert_eq!(super::uri("a folder/ü.yaml"), "a%20folder/%C3%BC.yaml");
    }
}

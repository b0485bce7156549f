//! SARIF 2.1.0, for code scanning.

use serde::Serialize;

use crate::finding::{Finding, Fix, Label, Severity, Suppressor};
use crate::fingerprint::fingerprint;
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
                notifications: notifications(report),
            }],
            results: results(report),
        }],
    };
    let mut text = serde_json::to_string_pretty(&log).unwrap_or_else(|_| "{}".to_owned());
    text.push('\n');
    crate::visible::json(text)
}

fn results(report: &Report) -> Vec<SarifResult> {
    let mut seen: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    let reported = report.findings.iter().map(|finding| (finding, Vec::new()));
    let suppressed = report.suppressed.iter().map(|entry| {
        let kind = match entry.by {
            Suppressor::Comment => "inSource",
            Suppressor::Configuration | Suppressor::Baseline => "external",
        };
        let suppression = Suppression { kind, status: "accepted", justification: entry.reason.clone() };
        (&entry.finding, vec![suppression])
    });
    let results = reported.chain(suppressed).map(|(finding, suppressions)| {
        let file = finding.labels.first().map_or("", |label| report.files.path(label.span.file));
        let print = fingerprint(&report.files, finding, file);
        // equal lines of one file are told apart by their order
        let count = seen.entry(print.clone()).or_default();
        *count += 1;
        result(&report.files, finding, format!("{print}:{count}"), suppressions)
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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suppressions: Vec<Suppression>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fixes: Vec<SarifFix>,
}

#[derive(Serialize)]
struct Suppression {
    kind: &'static str,
    status: &'static str,
    justification: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifFix {
    description: Message,
    artifact_changes: Vec<ArtifactChange>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactChange {
    artifact_location: ArtifactLocation,
    replacements: Vec<Replacement>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Replacement {
    deleted_region: Region,
    inserted_content: Message,
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

/// What could not be understood, then what was left out.
fn notifications(report: &Report) -> Vec<Notification> {
    let told = |level, file: &str, message: &str| Notification {
        level,
        message: Message { text: format!("{file}: {message}") },
    };
    let incomplete = report.incomplete.iter().map(|entry| told("error", &entry.file, &entry.message));
    incomplete.chain(report.notes.iter().map(|note| told("note", &note.file, &note.message))).collect()
}

fn result(files: &Files, finding: &Finding, line: String, suppressions: Vec<Suppression>) -> SarifResult {
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
        suppressions,
        fixes: finding.fix.iter().map(|fix| sarif_fix(files, fix)).collect(),
    }
}

fn sarif_fix(files: &Files, fix: &Fix) -> SarifFix {
    let mut changes: std::collections::BTreeMap<&str, Vec<Replacement>> = std::collections::BTreeMap::new();
    for edit in &fix.edits {
        changes.entry(files.path(edit.span.file)).or_default().push(Replacement {
            deleted_region: region(files, edit.span),
            inserted_content: Message { text: edit.text.clone() },
        });
    }
    let changes = changes.into_iter().map(|(file, replacements)| ArtifactChange {
        artifact_location: ArtifactLocation { uri: uri(file) },
        replacements,
    });
    SarifFix { description: Message { text: fix.title.clone() }, artifact_changes: changes.collect() }
}

fn region(files: &Files, span: Span) -> Region {
    let (start, end) = files.places(span);
    Region {
        start_line: start.line,
        start_column: start.column,
        end_line: end.line,
        end_column: end.column,
        byte_offset: start.offset,
        byte_length: end.offset.saturating_sub(start.offset),
    }
}

fn location(files: &Files, label: &Label, id: Option<usize>) -> Location {
    Location {
        id,
        physical_location: PhysicalLocation {
            artifact_location: ArtifactLocation { uri: uri(files.path(label.span.file)) },
            region: region(files, label.span),
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

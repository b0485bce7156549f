//! JSON, version 1: the contract for scripts and for the page.

use serde::Serialize;

use crate::finding::{Finding, Fix, Incomplete, Label, Note, Suppressed};
use crate::handshake::{Side, Why};
use crate::report::{ConnectionReport, Files, Party, Place, Report};
use crate::time;

/// The schema of everything that is printed here, and of `inspect` and `decide`.
pub const SCHEMA: &str = include_str!("../../schema/output.json");

/// `check --format json`: findings, suppressed, connections, incomplete, notes.
pub fn check(report: &Report) -> String {
    print(&Check {
        version: 1,
        findings: report.findings.iter().map(|finding| json_finding(&report.files, finding)).collect(),
        suppressed: report.suppressed.iter().map(|entry| json_suppressed(&report.files, entry)).collect(),
        connections: connections(report),
        incomplete: incomplete(report),
        notes: notes(report),
    })
}

/// `predict --format json`: connections, incomplete, notes.
pub fn predict(report: &Report) -> String {
    print(&Predict {
        version: 1,
        connections: connections(report),
        incomplete: incomplete(report),
        notes: notes(report),
    })
}

fn print(value: &impl Serialize) -> String {
    // serialising plain structs of strings and numbers cannot fail; an empty object would at least be valid
    let mut text = serde_json::to_string_pretty(value).unwrap_or_else(|_| "{}".to_owned());
    text.push('\n');
    crate::visible::json(text)
}

fn connections(report: &Report) -> Vec<JsonConnection<'_>> {
    report.connections.iter().map(json_connection).collect()
}

fn incomplete(report: &Report) -> Vec<JsonIncomplete<'_>> {
    report.incomplete.iter().map(|entry| json_incomplete(&report.files, entry)).collect()
}

fn notes(report: &Report) -> Vec<JsonIncomplete<'_>> {
    report.notes.iter().map(|note| json_note(&report.files, note)).collect()
}

#[derive(Serialize)]
struct Check<'r> {
    version: u32,
    findings: Vec<JsonFinding<'r>>,
    suppressed: Vec<JsonSuppressed<'r>>,
    connections: Vec<JsonConnection<'r>>,
    incomplete: Vec<JsonIncomplete<'r>>,
    notes: Vec<JsonIncomplete<'r>>,
}

#[derive(Serialize)]
struct Predict<'r> {
    version: u32,
    connections: Vec<JsonConnection<'r>>,
    incomplete: Vec<JsonIncomplete<'r>>,
    notes: Vec<JsonIncomplete<'r>>,
}

#[derive(Serialize)]
struct JsonFinding<'r> {
    rule: &'r str,
    severity: &'static str,
    message: &'r str,
    help: Option<&'r str>,
    url: String,
    labels: Vec<JsonLabel<'r>>,
    fix: Option<JsonFix<'r>>,
}

#[derive(Serialize)]
struct JsonSuppressed<'r> {
    #[serde(flatten)]
    finding: JsonFinding<'r>,
    suppression: JsonSuppression<'r>,
}

#[derive(Serialize)]
struct JsonSuppression<'r> {
    by: &'static str,
    reason: &'r str,
}

#[derive(Serialize)]
struct JsonFix<'r> {
    title: &'r str,
    edits: Vec<JsonEdit<'r>>,
}

#[derive(Serialize)]
struct JsonEdit<'r> {
    file: &'r str,
    start: JsonPlace,
    end: JsonPlace,
    text: &'r str,
}

#[derive(Serialize)]
struct JsonLabel<'r> {
    file: &'r str,
    primary: bool,
    message: &'r str,
    start: JsonPlace,
    end: JsonPlace,
}

#[derive(Serialize)]
struct JsonPlace {
    offset: u32,
    line: usize,
    column: usize,
}

#[derive(Serialize)]
struct JsonConnection<'r> {
    client: JsonParty<'r>,
    server: JsonParty<'r>,
    url: &'r str,
    port: u16,
    server_name: Option<&'r str>,
    outcome: &'static str,
    rejected_by: Option<&'static str>,
    authenticated: Authenticated,
    why: Vec<JsonWhy<'r>>,
    client_sees: Option<&'r str>,
    server_logs: Option<&'r str>,
    breaks_at: Option<BreaksAt<'r>>,
    undetermined_because: &'r [String],
    unknown_because: UnknownBecause,
}

#[derive(Serialize)]
struct JsonParty<'r> {
    kind: &'static str,
    name: Option<&'r str>,
    file: Option<&'r str>,
}

#[derive(Serialize)]
struct Authenticated {
    server: Option<bool>,
    client: Option<bool>,
}

#[derive(Serialize)]
struct UnknownBecause {
    server: Option<&'static str>,
    client: Option<&'static str>,
}

#[derive(Serialize)]
struct JsonWhy<'r> {
    rule: &'static str,
    message: &'r str,
}

#[derive(Serialize)]
struct BreaksAt<'r> {
    time: String,
    why: &'r str,
}

#[derive(Serialize)]
struct JsonIncomplete<'r> {
    file: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<JsonPlace>,
    message: &'r str,
}

fn json_finding<'r>(files: &'r Files, finding: &'r Finding) -> JsonFinding<'r> {
    JsonFinding {
        rule: finding.rule,
        severity: finding.severity.name(),
        message: &finding.message,
        help: finding.help.as_deref(),
        url: super::rule_url(finding.rule),
        labels: finding
            .labels
            .iter()
            .enumerate()
            .map(|(index, label)| json_label(files, label, index == 0))
            .collect(),
        fix: finding.fix.as_ref().map(|fix| json_fix(files, fix)),
    }
}

fn json_suppressed<'r>(files: &'r Files, entry: &'r Suppressed) -> JsonSuppressed<'r> {
    JsonSuppressed {
        finding: json_finding(files, &entry.finding),
        suppression: JsonSuppression { by: entry.by.name(), reason: &entry.reason },
    }
}

fn json_fix<'r>(files: &'r Files, fix: &'r Fix) -> JsonFix<'r> {
    let edits = fix.edits.iter().map(|edit| {
        let (start, end) = files.places(edit.span);
        JsonEdit {
            file: files.path(edit.span.file),
            start: json_place(start),
            end: json_place(end),
            text: &edit.text,
        }
    });
    JsonFix { title: &fix.title, edits: edits.collect() }
}

fn json_label<'r>(files: &'r Files, label: &'r Label, primary: bool) -> JsonLabel<'r> {
    let (start, end) = files.places(label.span);
    JsonLabel {
        file: files.path(label.span.file),
        primary,
        message: &label.message,
        start: json_place(start),
        end: json_place(end),
    }
}

fn json_place(place: Place) -> JsonPlace {
    JsonPlace { offset: place.offset, line: place.line, column: place.column }
}

fn json_connection(connection: &ConnectionReport) -> JsonConnection<'_> {
    let prediction = &connection.prediction;
    JsonConnection {
        client: json_party(&connection.client),
        server: json_party(&connection.server),
        url: &connection.url,
        port: connection.port,
        server_name: connection.server_name.as_deref(),
        outcome: prediction.outcome.name(),
        rejected_by: prediction.rejected_by.map(|side| match side {
            Side::Client => "client",
            Side::Server => "server",
        }),
        authenticated: Authenticated {
            server: prediction.server_authenticated,
            client: prediction.client_authenticated,
        },
        why: prediction.why.iter().map(json_why).collect(),
        client_sees: prediction.client_sees.as_deref(),
        server_logs: prediction.server_logs.as_deref(),
        breaks_at: prediction
            .breaks_at
            .as_ref()
            .map(|(at, why)| BreaksAt { time: time::format(*at), why: why.as_str() }),
        undetermined_because: &prediction.undetermined_because,
        unknown_because: UnknownBecause {
            server: connection.server_unknown_because(),
            client: connection.client_unknown_because(),
        },
    }
}

fn json_why(why: &Why) -> JsonWhy<'_> {
    JsonWhy { rule: why.rule, message: &why.message }
}

fn json_party(party: &Party) -> JsonParty<'_> {
    JsonParty { kind: party.kind, name: party.name.as_deref(), file: party.file.as_deref() }
}

fn json_incomplete<'r>(files: &Files, entry: &'r Incomplete) -> JsonIncomplete<'r> {
    JsonIncomplete {
        file: &entry.file,
        start: entry.span.map(|span| json_place(files.places(span).0)),
        message: &entry.message,
    }
}

fn json_note<'r>(files: &Files, note: &'r Note) -> JsonIncomplete<'r> {
    JsonIncomplete {
        file: &note.file,
        start: note.span.map(|span| json_place(files.places(span).0)),
        message: &note.message,
    }
}

//! For people: each finding with its source line, label, cause and help; connections as a table.
//!
//! miette shows one source per diagnostic (zkat/miette#193): labels in other files follow as notes of their own.

use std::fmt;
use std::fmt::Write as _;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};

use super::groups;
use crate::finding::{Finding, Label, Severity};
use crate::handshake::{Outcome, Side};
use crate::report::{self, ConnectionReport, Files, Party, Report};
use crate::source::FileId;
use crate::time;
use crate::visible::{on_one_line, visible};

/// How to draw.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Colours and hyperlinks.
    pub color: bool,
    /// Columns of the terminal.
    pub width: usize,
}

/// `check` for people: findings, then one line that counts them. Many findings are grouped by rule, and of each rule a
/// few are shown.
pub fn check(report: &Report, style: Style) -> String {
    if report.findings.len() <= groups::MANY {
        return check_full(report, style);
    }
    let mut out = String::new();
    for group in groups::groups(report) {
        let _ = writeln!(out, "{}\n", paint(style, "1", group.title()));
        for finding in group.shown() {
            finding_as_text(&mut out, report, finding, style);
        }
        if let Some(rest) = group.rest(&report.files) {
            let _ = writeln!(out, "{rest}\n");
        }
    }
    out.push_str(&groups::table(report));
    out.push_str(&summary(report));
    out
}

/// `check --full` for people: every finding, in the order of the files.
pub fn check_full(report: &Report, style: Style) -> String {
    let mut out = String::new();
    for finding in &report.findings {
        finding_as_text(&mut out, report, finding, style);
    }
    out.push_str(&summary(report));
    out
}

fn finding_as_text(out: &mut String, report: &Report, finding: &Finding, style: Style) {
    let shown = Shown::of(&report.files, finding);
    // writing into a String cannot fail
    let _ = handler(style).render_report(out, &shown);
    out.push('\n');
}

/// `predict` for people: a table, then what is behind each connection that is not fine.
pub fn predict(report: &Report, style: Style) -> String {
    let mut out = String::new();
    if report.connections.is_empty() {
        out.push_str("no TLS connection found\n");
        return out;
    }
    let rows: Vec<[String; 5]> = report.connections.iter().map(row).collect();
    let heads = ["client", "server", "url", "outcome", "authenticated"].map(str::to_owned);
    let mut widths = heads.clone().map(|head| head.len());
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    line(&mut out, &heads, &widths, |cell, _| paint(style, "1", cell));
    for row in &rows {
        line(&mut out, row, &widths, |cell, column| match column {
            3 => paint(style, outcome_color(row.get(3).map_or("", String::as_str)), cell),
            _ => cell,
        });
    }
    out.push_str(&legend(&report.connections));
    for connection in &report.connections {
        details(&mut out, connection, style);
    }
    out
}

/// What a `?` of the table means, where the lines below do not say it.
fn legend(connections: &[ConnectionReport]) -> String {
    let server = connections.iter().find_map(ConnectionReport::server_unknown_because);
    let client = connections.iter().find_map(ConnectionReport::client_unknown_because);
    let lines = [("server", server), ("client", client)].into_iter();
    let lines: String =
        lines.filter_map(|(side, because)| Some(format!("{side} ?: {}\n", because?))).collect();
    if lines.is_empty() { lines } else { format!("\n{lines}") }
}

fn line(out: &mut String, cells: &[String; 5], widths: &[usize; 5], paint: impl Fn(String, usize) -> String) {
    for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let last = column + 1 == cells.len();
        let padded = if last { cell.clone() } else { format!("{cell:<width$}  ") };
        out.push_str(&paint(padded, column));
    }
    out.push('\n');
}

fn row(connection: &ConnectionReport) -> [String; 5] {
    let prediction = &connection.prediction;
    let outcome = match prediction.rejected_by {
        Some(Side::Client) => format!("{} (client)", prediction.outcome.name()),
        Some(Side::Server) => format!("{} (server)", prediction.outcome.name()),
        None => prediction.outcome.name().to_owned(),
    };
    let word = |known: Option<bool>| match known {
        Some(true) => "yes",
        Some(false) => "no",
        None => "?",
    };
    let authenticated = format!(
        "server {}, client {}",
        word(prediction.server_authenticated),
        word(prediction.client_authenticated)
    );
    let url = on_one_line(&connection.url);
    [name(&connection.client), name(&connection.server), url.into_owned(), outcome, authenticated]
}

fn name(party: &Party) -> String {
    match &party.name {
        Some(name) if name.starts_with(party.kind) => on_one_line(name).into_owned(),
        Some(name) => format!("{} {}", party.kind, on_one_line(name)),
        None => party.kind.to_owned(),
    }
}

fn details(out: &mut String, connection: &ConnectionReport, style: Style) {
    let prediction = &connection.prediction;
    // a program that dials itself has nobody to verify
    let one_way = prediction.outcome == Outcome::Completes
        && connection.client != connection.server
        && (prediction.server_authenticated == Some(false) || prediction.client_authenticated == Some(false));
    let notes = prediction.breaks_at.is_some() || !prediction.why.is_empty();
    if prediction.outcome == Outcome::Completes && !one_way && !notes {
        return;
    }
    let title = format!(
        "{} → {}  {}",
        name(&connection.client),
        name(&connection.server),
        on_one_line(&connection.url)
    );
    let _ = write!(out, "\n{}\n", paint(style, "1", title));
    if one_way {
        let halves = [
            (prediction.server_authenticated, "the client does not verify who the server is"),
            (
                prediction.client_authenticated,
                if connection.optional_client {
                    "clients may come to the server without a certificate"
                } else {
                    "the server authenticates no client"
                },
            ),
        ];
        let missing = halves.iter().filter(|(known, _)| *known == Some(false)).map(|(_, words)| *words);
        let _ = writeln!(out, "  not mutual TLS: {}", missing.collect::<Vec<_>>().join(", "));
    }
    for why in &prediction.why {
        let _ = writeln!(out, "  {} [{}]", visible(&why.message), why.rule);
    }
    for why in &prediction.undetermined_because {
        let _ = writeln!(out, "  undetermined because {}", visible(why));
    }
    if let Some(text) = &prediction.client_sees {
        let _ = writeln!(out, "  client sees: {}", visible(text).replace('\n', "\n               "));
    }
    if let Some(text) = &prediction.server_logs {
        let _ = writeln!(out, "  server logs: {}", visible(text).replace('\n', "\n               "));
    }
    if let Some((at, why)) = &prediction.breaks_at {
        let _ = writeln!(out, "  breaks at {}: {}", time::format(*at), visible(why));
    }
}

fn outcome_color(outcome: &str) -> &'static str {
    if outcome.starts_with("completes") {
        "32"
    } else if outcome.starts_with("undetermined") {
        "33"
    } else {
        "31"
    }
}

fn paint(style: Style, code: &str, text: String) -> String {
    if style.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text }
}

/// One line: how many findings of each severity.
pub fn summary(report: &Report) -> String {
    let count = |severity| report.findings.iter().filter(|finding| finding.severity == severity).count();
    let parts = [
        (Severity::Error, "error", "errors"),
        (Severity::Warning, "warning", "warnings"),
        (Severity::Advice, "piece of advice", "pieces of advice"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter_map(|(severity, one, many)| match count(*severity) {
            0 => None,
            1 => Some(format!("1 {one}")),
            number => Some(format!("{number} {many}")),
        })
        .collect();
    let suppressed = match report.suppressed.len() {
        0 => String::new(),
        number => format!("; {number} suppressed"),
    };
    let connections = report.connections.len();
    let connections =
        if connections == 1 { "1 connection".to_owned() } else { format!("{connections} connections") };
    if parts.is_empty() {
        format!("no findings{suppressed}; {connections} predicted\n")
    } else {
        format!("{}{suppressed}; {connections} predicted\n", parts.join(", "))
    }
}

fn handler(style: Style) -> GraphicalReportHandler {
    let theme = if style.color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    GraphicalReportHandler::new_themed(theme).with_width(style.width).with_links(false).with_context_lines(1)
}

/// A finding, or the part of it that lies in one other file, as miette wants it.
#[derive(Debug)]
struct Shown {
    code: Option<String>,
    severity: miette::Severity,
    message: String,
    help: Option<String>,
    source: NamedSource<String>,
    labels: Vec<LabeledSpan>,
    related: Vec<Shown>,
}

impl Shown {
    fn of(files: &Files, finding: &Finding) -> Self {
        let mut excerpts = excerpts(files, finding).into_iter();
        let (first, labels) = excerpts.next().unwrap_or((FileId(0), Vec::new()));
        let related = excerpts.map(|(file, labels)| Self {
            code: None,
            severity: miette::Severity::Advice,
            message: format!("related, in {}", on_one_line(files.path(file))),
            help: None,
            source: source(files, file),
            labels,
            related: Vec::new(),
        });
        Self {
            code: Some(finding.rule.to_owned()),
            severity: match finding.severity {
                Severity::Error => miette::Severity::Error,
                Severity::Warning => miette::Severity::Warning,
                Severity::Advice => miette::Severity::Advice,
            },
            message: visible(&finding.message).into_owned(),
            help: finding.help.as_deref().map(|help| visible(help).into_owned()),
            source: source(files, first),
            labels,
            related: related.collect(),
        }
    }
}

fn source(files: &Files, file: FileId) -> NamedSource<String> {
    NamedSource::new(on_one_line(files.path(file)), files.shown(file).text.clone())
}

/// The places of a finding, those of one file together that stand near each other; the primary one first.
///
/// Between two labels of one excerpt every line is printed: a page of certificates explains nothing.
fn excerpts(files: &Files, finding: &Finding) -> Vec<(FileId, Vec<LabeledSpan>)> {
    let mut excerpts: Vec<(FileId, Vec<usize>, Vec<LabeledSpan>)> = Vec::new();
    for (index, label) in finding.labels.iter().enumerate() {
        let file = label.span.file;
        let shown = files.shown(file);
        let before = shown.text.get(..shown.at(label.span.start as usize)).unwrap_or_default();
        let line = before.bytes().filter(|byte| *byte == b'\n').count();
        let span = labeled(&shown, label, index == 0);
        let near = excerpts.iter_mut().find(|(other, lines, _)| {
            *other == file && lines.iter().any(|known| known.abs_diff(line) <= NEAR)
        });
        match near {
            Some((_, lines, labels)) => {
                lines.push(line);
                labels.push(span);
            }
            None => excerpts.push((file, vec![line], vec![span])),
        }
    }
    excerpts.into_iter().map(|(file, _, labels)| (file, labels)).collect()
}

/// Lines between labels that are shown together.
const NEAR: usize = 10;

fn labeled(shown: &report::Shown, label: &Label, primary: bool) -> LabeledSpan {
    let start = shown.at(label.span.start as usize);
    let whole = shown.text.get(start..shown.at(label.span.end as usize)).unwrap_or_default();
    // a block is labelled at its first line, a long value at its beginning: a page of source explains nothing
    let line = whole.lines().next().unwrap_or_default().trim_end();
    let length = line.char_indices().nth(LONGEST_LABEL).map_or(line.len(), |(at, _)| at);
    let span = (start, length);
    let message = if label.message.is_empty() { None } else { Some(visible(&label.message).into_owned()) };
    if primary {
        LabeledSpan::new_primary_with_span(message, span)
    } else {
        LabeledSpan::new_with_span(message, span)
    }
}

const LONGEST_LABEL: usize = 48;

impl fmt::Display for Shown {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Shown {}

impl Diagnostic for Shown {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.code.as_ref().map(|code| Box::new(code) as Box<dyn fmt::Display>)
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        if self.related.is_empty() {
            return None;
        }
        Some(Box::new(self.related.iter().map(|shown| shown as &dyn Diagnostic)))
    }
}

//! A report as an editor shows it: diagnostics, and the quick fixes that belong to them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::position::{Encoding, Lines};
use crate::finding::{Fix, Severity};
use crate::render::rule_url;
use crate::report::Report;
use crate::source::{FileId, Span};

/// What was found in one judgement, by file.
#[derive(Debug, Clone, Default)]
pub struct Judged {
    /// The state of the open files that was judged.
    pub generation: u64,
    /// Every file that was looked at.
    pub files: BTreeMap<PathBuf, Vec<Diagnostic>>,
}

/// A diagnostic and what may be done about it.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// As the protocol has it.
    pub value: Value,
    /// The rule; None where a file could not be read.
    pub rule: Option<&'static str>,
    /// The quick fix's title and its edits by file, each of the protocol's form.
    pub fix: Option<(String, BTreeMap<PathBuf, Vec<Value>>)>,
}

/// The diagnostics of a report; `places` says where each file is.
pub fn diagnose(report: &Report, places: &[Option<PathBuf>], encoding: Encoding, generation: u64) -> Judged {
    let texts: BTreeMap<FileId, String> = ids(places)
        .map(|(id, _)| (id, String::from_utf8_lossy(report.files.bytes(id)).into_owned()))
        .collect();
    let lines = texts.iter().map(|(id, text)| (*id, Lines::new(text, encoding))).collect();
    let view = View { places, lines };
    let mut judged = Judged { generation, files: BTreeMap::new() };
    for (_, place) in ids(places) {
        judged.files.entry(place.to_path_buf()).or_default();
    }
    for finding in &report.findings {
        let Some(primary) = finding.labels.first() else { continue };
        let Some(place) = view.place(primary.span.file) else { continue };
        let related: Vec<Value> = finding
            .labels
            .iter()
            .skip(1)
            .filter_map(|label| {
                let place = view.place(label.span.file)?;
                let location = json!({ "uri": uri(place), "range": view.range(label.span)? });
                let message = if label.message.is_empty() { "related" } else { label.message.as_str() };
                Some(json!({ "location": location, "message": message }))
            })
            .collect();
        let mut message = finding.message.clone();
        if !primary.message.is_empty() {
            message.push_str(&format!(": {}", primary.message));
        }
        if let Some(help) = &finding.help {
            message.push_str(&format!("\nhelp: {help}"));
        }
        let mut value = json!({
            "range": view.range(primary.span),
            "severity": severity(finding.severity),
            "code": finding.rule,
            "codeDescription": { "href": rule_url(finding.rule) },
            "source": "mtls-lint",
            "message": message,
        });
        if !related.is_empty() {
            set(&mut value, "relatedInformation", Value::Array(related));
        }
        if let Some(tag) = tag(finding.rule) {
            set(&mut value, "tags", json!([tag]));
        }
        let fix = finding.fix.as_ref().and_then(|fix| view.edits(fix));
        let found = Diagnostic { value, rule: Some(finding.rule), fix };
        judged.files.entry(place.to_path_buf()).or_default().push(found);
    }
    for entry in &report.incomplete {
        let file = entry
            .span
            .map(|span| span.file)
            .or_else(|| ids(places).map(|(id, _)| id).find(|id| report.files.path(*id) == entry.file));
        let Some((file, place)) = file.and_then(|file| Some((file, view.place(file)?))) else { continue };
        let range = view.range(entry.span.unwrap_or(Span { file, start: 0, end: 0 }));
        let value = json!({
            "range": range,
            "severity": 1,
            "source": "mtls-lint",
            "message": entry.message,
        });
        let found = Diagnostic { value, rule: None, fix: None };
        judged.files.entry(place.to_path_buf()).or_default().push(found);
    }
    judged
}

fn ids(places: &[Option<PathBuf>]) -> impl Iterator<Item = (FileId, &Path)> {
    places
        .iter()
        .enumerate()
        .filter_map(|(index, place)| Some((FileId(u32::try_from(index).ok()?), place.as_deref()?)))
}

struct View<'v> {
    places: &'v [Option<PathBuf>],
    lines: BTreeMap<FileId, Lines<'v>>,
}

impl View<'_> {
    fn place(&self, file: FileId) -> Option<&Path> {
        self.places.get(file.0 as usize)?.as_deref()
    }

    fn range(&self, span: Span) -> Option<Value> {
        let lines = self.lines.get(&span.file)?;
        let (start, end) = (lines.position(span.start as usize), lines.position(span.end as usize));
        Some(json!({ "start": start, "end": end }))
    }

    fn edits(&self, fix: &Fix) -> Option<(String, BTreeMap<PathBuf, Vec<Value>>)> {
        let mut files: BTreeMap<PathBuf, Vec<Value>> = BTreeMap::new();
        for edit in &fix.edits {
            let place = self.place(edit.span.file)?;
            let value = json!({ "range": self.range(edit.span)?, "newText": edit.text });
            files.entry(place.to_path_buf()).or_default().push(value);
        }
        Some((fix.title.clone(), files))
    }
}

fn set(value: &mut Value, name: &str, to: Value) {
    if let Some(fields) = value.as_object_mut() {
        fields.insert(name.to_owned(), to);
    }
}

fn severity(severity: Severity) -> u8 {
    match severity {
        Severity::Error => 1,
        Severity::Warning => 2,
        Severity::Advice => 3,
    }
}

/// What an editor shows faded (1, unnecessary) or struck through (2, deprecated).
fn tag(rule: &str) -> Option<u8> {
    match rule {
        "duplicate-directive" | "ineffective-setting" | "shadowed-policy-rule" | "unused-upstream-tls" => {
            Some(1)
        }
        "deprecated-name-check" => Some(2),
        _ => None,
    }
}

/// A path as a URI.
pub fn uri(path: &Path) -> String {
    let mut out = "file://".to_owned();
    for byte in path.to_string_lossy().bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// The path of a `file:` URI on this machine; None for any other.
pub fn path(uri: &str) -> Option<PathBuf> {
    let rest = uri.strip_prefix("file://")?;
    let rest = rest.strip_prefix("localhost").unwrap_or(rest);
    if !rest.starts_with('/') {
        return None;
    }
    let mut bytes = Vec::with_capacity(rest.len());
    let mut left = rest.bytes();
    while let Some(byte) = left.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            let (high, low) = (digit(left.next())?, digit(left.next())?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    let path = String::from_utf8(bytes).ok()?;
    (!path.contains('\0')).then(|| PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_goes_through_a_uri_and_back() {
        for path_text in ["/a b/ü.yaml", "/etc/nginx/nginx.conf", "/100%/#x"] {
            assert_eq!(path(&uri(Path::new(path_text))), Some(PathBuf::from(path_text)));
        }
        assert_eq!(path("file:///c%3A/x"), Some(PathBuf::from("/c:/x")));
        for other in ["untitled:1", "file://host/a", "file:///%zz", "file:///%0", "file:///a%00", "http://a/"]
        {
            assert_eq!(path(other), None, "{other}");
        }
    }
}

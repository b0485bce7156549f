//! The browser page's half of mtls-lint: the very same findings and predictions as the command line.
//!
//! JSON in, JSON out, so that a worker can pass it on as it is. Nothing is kept between calls, nothing is requested.
//! `www/mtls-lint.js` wraps these functions for JavaScript, `www/mtls-lint.d.ts` has the types.

mod question;

use std::path::Path;

use mtls_lint::decide::decide as decided;
use mtls_lint::inspect::inspect as inspected;
use mtls_lint::recognise::recognise as recognised;
use mtls_lint::source::{FileContent, FileId};
use mtls_lint::{certificates as held, explain as explained, fix, render, rules};
use serde::Serialize;
use wasm_bindgen::prelude::wasm_bindgen;

use question::{Asked, Files, Request};

#[derive(Serialize)]
struct Failure {
    version: u32,
    error: String,
}

#[derive(Serialize)]
struct Recognised<'q> {
    path: &'q str,
    kind: String,
}

#[derive(Serialize)]
struct Cause {
    rule: &'static str,
    text: String,
}

#[derive(Serialize)]
struct Shared {
    files: Vec<SharedFile>,
    /// The command line, its passwords masked.
    command: Option<String>,
    /// Whether anything was masked.
    masked: bool,
}

#[derive(Serialize)]
struct SharedFile {
    path: String,
    text: String,
}

/// Answers a question (files, at, assume, command) with the JSON of `mtls-lint check --format json`,
/// or with `{"version":1,"error":"…"}` when the question itself is wrong.
#[wasm_bindgen]
pub fn lint(question: &str) -> String {
    answer(question::read(question).map(|asked| {
        let mut report = asked.judge(&asked.sources);
        fix::attach(&asked.sources, &mut report, &|sources| asked.judge(sources));
        render::json::check(&report)
    }))
}

/// The same, without looking for edits that remedy the findings: quicker, for a question at every key.
#[wasm_bindgen]
pub fn judge(question: &str) -> String {
    answer(question::read(question).map(|asked| render::json::check(&asked.judge(&asked.sources))))
}

/// Draws a question's deployment as SVG; empty when the question itself is wrong.
#[wasm_bindgen]
pub fn draw(question: &str) -> String {
    question::read(question)
        .map_or_else(|_| String::new(), |asked| render::diagram::svg(&asked.judge(&asked.sources)))
}

/// What each file of a question was taken as: `[{"path":…,"kind":…}]`.
#[wasm_bindgen]
pub fn recognise(question: &str) -> String {
    answer(question::files(question).and_then(|Files { files, .. }| {
        let kinds: Result<Vec<Recognised<'_>>, String> = files
            .iter()
            .map(|file| Ok(Recognised { path: &file.path, kind: recognised(&file.path, &file.bytes()?) }))
            .collect();
        print(&kinds?)
    }))
}

/// The certificates of a question's deployment: loaded by programs, standing among the files, planned by cert-manager.
#[wasm_bindgen]
pub fn certificates(question: &str) -> String {
    answer(question::read(question).and_then(|asked| {
        let report = asked.judge(&asked.sources);
        print(&held::json(&asked.sources, &report, asked.options.at))
    }))
}

/// Looks at files as `mtls-lint inspect --format json` does.
#[wasm_bindgen]
pub fn inspect(question: &str) -> String {
    answer(question::read(question).and_then(|Asked { sources, options, .. }| {
        let texts = sources.iter().filter_map(|(id, file)| Some((file.path.clone(), sources.text(id)?)));
        print(&inspected(&texts.collect::<Vec<_>>(), options.at).json())
    }))
}

/// What the filter would answer (policy, certificate, chain, request, route, headers, at), as
/// `mtls-lint decide --format json` prints it, or `{"version":1,"error":"…"}`.
#[wasm_bindgen]
pub fn decide(request: &str) -> String {
    answer(question::request(request).and_then(|request: Request| {
        let at = request.at()?;
        print(&decided(&request.question(), at).map_err(|error| error.to_string())?)
    }))
}

/// The page of a rule as Markdown; empty for an id that no rule has.
#[wasm_bindgen]
pub fn explain(rule: &str) -> String {
    rules::find(rule).map(rules::Rule::page).unwrap_or_default()
}

/// The rules whose mistakes print a line of a log, likeliest first: `[{"rule":…,"text":…}]`.
#[wasm_bindgen]
pub fn causes(line: &str) -> String {
    let causes =
        explained::causes(line).into_iter().map(|cause| Cause { rule: cause.rule.id, text: cause.text });
    answer(print(&causes.collect::<Vec<_>>()))
}

/// A question's texts as they may be shown to others: private keys, Secrets' values and passwords masked. Files that
/// are no text are left out.
#[wasm_bindgen]
pub fn share(question: &str) -> String {
    answer(question::read(question).and_then(|asked| {
        let report = asked.judge(&asked.sources);
        let mut masked = false;
        let mut files = Vec::new();
        let mut command = None;
        for (id, file) in asked.sources.iter() {
            let FileContent::Bytes(bytes) = &file.content else { continue };
            let text = report.files.masked(id);
            masked |= text.as_bytes() != bytes.as_slice();
            if !text.is_empty() || bytes.is_empty() {
                files.push(SharedFile { path: file.path.clone(), text });
            }
        }
        if asked.options.command.is_some() {
            let id = FileId(u32::try_from(asked.sources.iter().count()).unwrap_or(u32::MAX));
            let text = report.files.masked(id);
            masked |= text.as_bytes() != report.files.bytes(id);
            command = Some(text);
        }
        print(&Shared { files, command, masked })
    }))
}

/// Whether a file found in a folder is worth reading, by its name.
#[wasm_bindgen]
pub fn may_be_configuration(path: &str) -> bool {
    mtls_lint::recognise::may_be_configuration(Path::new(path), false)
}

fn print(value: &impl Serialize) -> Result<String, String> {
    serde_json::to_string(value).map_err(|error| error.to_string())
}

fn answer(result: Result<String, String>) -> String {
    result.unwrap_or_else(|error| print(&Failure { version: 1, error }).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: &str = "2026-11-23T00:00:00Z";

    fn ask(function: fn(&str) -> String, question: serde_json::Value) -> serde_json::Value {
        serde_json::from_str(&function(&question.to_string())).unwrap()
    }

    #[test]
    fn a_wrong_question_is_answered_in_words() {
        assert!(lint("{").contains("\"error\""));
        let yesterday = r#"{"files":[],"at":"yesterday"}"#;
        assert!(lint(yesterday).contains("RFC 3339"));
        let policy = serde_json::json!({"policy": "rules: 1", "at": AT});
        assert!(ask(decide, policy)["error"].is_string());
    }

    #[test]
    fn the_answer_is_that_of_the_command_line() {
        let answer = ask(lint, serde_json::json!({"files": [{"path": "a.yaml", "text": ""}], "at": AT}));
        assert_eq!(answer["version"], 1);
        assert!(answer["findings"].is_array() && answer["connections"].is_array());
    }

    #[test]
    fn what_is_shared_has_no_key_in_any_dress() {
        let secret = "SECRETSECRETSECRET";
        let key = format!("-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----\n");
        let encoded = "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tClNFQ1JFVFNFQ1JFVFNFQ1JFVAo=";
        let manifest = format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: a}}\ndata:\n  tls.key: {encoded}\nstringData:\n  b: {secret}\n"
        );
        let json = serde_json::json!({"uri": "/", "plugins": {}, "k": key}).to_string();
        let shared = ask(
            share,
            serde_json::json!({"at": AT, "command": [format!("curl -u me:{secret} https://a/")], "files": [
                {"path": "a.key", "text": key}, {"path": "a.yaml", "text": manifest}, {"path": "r.json", "text": json},
            ]}),
        );
        let text = shared.to_string();
        assert!(!text.contains(secret) && !text.contains("LS0tLS1CRUdJTiBQ"), "{text}");
        assert_eq!(shared["masked"], true);
        assert_eq!(shared["files"].as_array().map(Vec::len), Some(3));
    }
}

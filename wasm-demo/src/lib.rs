//! The browser page's half of mtls-lint: the very same findings and predictions as the command line.
//!
//! JSON in, JSON out, so that a worker can pass it on as it is. Nothing is kept between calls, nothing is requested.

use mtls_lint::assume::Assume;
use mtls_lint::source::Sources;
use mtls_lint::{Options, lint, render, rules, time};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::wasm_bindgen;

/// What the page asks.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    /// The files, in order.
    files: Vec<File>,
    /// RFC 3339: the page passes its own clock, or the slider's.
    at: String,
    /// `NAME=VALUE` items as `--assume` takes them.
    #[serde(default)]
    assume: Vec<String>,
    /// A duration as `--expires-within` takes it.
    #[serde(default = "thirty_days")]
    expires_within: String,
    /// The words of a command line; empty: every connection.
    #[serde(default)]
    command: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    path: String,
    text: String,
}

#[derive(Serialize)]
struct Failure {
    version: u32,
    error: String,
}

fn thirty_days() -> String {
    "30d".to_owned()
}

/// Answers a question (files, at, assume, command) with the JSON of `mtls-lint check --format json`,
/// or with `{"version":1,"error":"…"}` when the question itself is wrong.
#[wasm_bindgen(js_name = lint)]
pub fn lint_json(question: &str) -> String {
    match options(question) {
        Ok((sources, options)) => render::json::check(&lint(&sources, &options)),
        Err(error) => failure(error),
    }
}

/// Draws a question's deployment as SVG; empty when the question itself is wrong.
#[wasm_bindgen]
pub fn draw(question: &str) -> String {
    options(question)
        .map_or_else(|_| String::new(), |(sources, options)| render::diagram::svg(&lint(&sources, &options)))
}

/// The page of a rule as Markdown; empty for an id that no rule has.
#[wasm_bindgen]
pub fn explain(rule: &str) -> String {
    rules::find(rule).map(rules::Rule::page).unwrap_or_default()
}

fn options(question: &str) -> Result<(Sources, Options), String> {
    let question: Question = serde_json::from_str(question).map_err(|error| error.to_string())?;
    let mut sources = Sources::default();
    for file in question.files {
        sources.add(file.path, file.text);
    }
    let options = Options {
        at: time::parse(&question.at)?,
        assume: Assume::parse(&question.assume)?,
        expires_within: time::parse_duration(&question.expires_within)?,
        command: (!question.command.is_empty()).then_some(question.command),
    };
    Ok((sources, options))
}

fn failure(error: String) -> String {
    serde_json::to_string(&Failure { version: 1, error }).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_question_is_answered_in_words() {
        assert!(lint_json("{").contains("\"error\""));
        let yesterday = r#"{"files":[],"at":"yesterday"}"#;
        assert!(lint_json(yesterday).contains("RFC 3339"));
    }

    #[test]
    fn the_answer_is_that_of_the_command_line() {
        let question = r#"{"files":[{"path":"a.yaml","text":""}],"at":"2026-11-23T00:00:00Z"}"#;
        let answer: serde_json::Value = serde_json::from_str(&lint_json(question)).unwrap();
        assert_eq!(answer["version"], 1);
        assert!(answer["findings"].is_array() && answer["connections"].is_array());
    }
}

//! The JSON schema of mtls-lint.yaml, for editors: made of the same lists that the reader reads by.

use serde_json::{Value, json};

use super::read::{DENY, IGNORE_KEYS, KEYS, LEVELS, PATHS_KEYS};
use crate::assume;
use crate::rules::RULES;

/// The schema (draft 7, which every editor knows).
pub fn schema() -> Value {
    let rules: Vec<&str> = RULES.iter().map(|rule| rule.id).collect();
    let levels: serde_json::Map<String, Value> = RULES
        .iter()
        .map(|rule| {
            let page = rule.page();
            let first = page.split("\n\n").next().unwrap_or_default().replace('\n', " ");
            let description = format!("{first} Default: {}.", rule.severity.name());
            (rule.id.to_owned(), json!({"enum": LEVELS, "description": description}))
        })
        .collect();
    let texts = |description: &str, item: Value| json!({"description": description, "anyOf": [item.clone(), {"type": "array", "items": item}]});
    let text = json!({"type": "string", "minLength": 1});
    let ignore = object(IGNORE_KEYS, |key| match key {
        "rule" => texts("The rules whose findings are ignored.", json!({"$ref": "#/definitions/rule"})),
        "file" => texts("In which files: patterns that count from this file's folder.", text.clone()),
        "name" => texts("On which resources or programs: Pod demo/*, nginx srv.example.test.", text.clone()),
        "reason" => {
            json!({"type": "string", "pattern": "[A-Za-z0-9]", "description": "Why this is not to be mended."})
        }
        _ => json!({
            "type": "string",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
            "description": "The last day on which the entry counts."
        }),
    });
    let mut ignore = ignore;
    if let Some(entry) = ignore.as_object_mut() {
        entry.insert("required".to_owned(), json!(["rule", "reason"]));
    }
    let assumed: serde_json::Map<String, Value> = assume::NAMES
        .iter()
        .map(|name| ((*name).to_owned(), json!({"type": ["string", "number"]})))
        .collect();
    let paths = object(PATHS_KEYS, |key| match key {
        "include" => texts("Only these of the files found in folders are read.", text.clone()),
        _ => texts("These of the files found in folders are not read.", text.clone()),
    });
    let mut schema = object(KEYS, |key| match key {
        "rules" => json!({
            "type": "object",
            "description": "How bad a finding of a rule is taken to be.",
            "properties": levels,
            "additionalProperties": false
        }),
        "ignore" => json!({
            "type": "array",
            "description": "Findings that somebody answers for.",
            "items": ignore
        }),
        "assume" => json!({
            "description": "Versions and settings to assume.",
            "anyOf": [
                {"type": "object", "properties": assumed, "additionalProperties": false},
                {"type": "array", "items": {"type": "string", "pattern": "="}}
            ]
        }),
        "paths" => paths.clone(),
        "expires-within" => json!({
            "type": "string",
            "pattern": "^([0-9]+[smhdw])+$",
            "description": "How early an expiry is a warning: 30d, 12h, 1d12h."
        }),
        _ => json!({"enum": DENY, "description": "From which severity on findings fail the run."}),
    });
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
        schema.insert("definitions".to_owned(), json!({"rule": {"enum": rules}}));
        schema.insert("title".to_owned(), json!("mtls-lint.yaml"));
    }
    schema
}

/// The schema as it is published.
pub fn schema_text() -> String {
    format!("{:#}\n", schema())
}

/// An object with these keys and no others.
fn object(keys: &[&str], mut property: impl FnMut(&str) -> Value) -> Value {
    let properties: serde_json::Map<String, Value> =
        keys.iter().map(|key| ((*key).to_owned(), property(key))).collect();
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

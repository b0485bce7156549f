//! Secrets and ConfigMaps: keys and the bytes they stand for.

use base64::Engine;

use super::{Metadata, problem, text};
use crate::source::{Located, Text};
use crate::syntax::yaml::{Kind, Node, Problem};

/// A Secret.
#[derive(Debug, Clone)]
pub struct Secret {
    /// Its name and namespace.
    pub metadata: Metadata,
    /// `kubernetes.io/tls`, …
    pub kind: Option<Located<String>>,
    /// `data` decoded, overwritten by `stringData`.
    pub data: Vec<Datum>,
}

/// A ConfigMap.
#[derive(Debug, Clone)]
pub struct ConfigMap {
    /// Its name and namespace.
    pub metadata: Metadata,
    /// `data` and `binaryData`.
    pub data: Vec<Datum>,
}

/// One key.
#[derive(Debug, Clone)]
pub struct Datum {
    /// The key.
    pub key: Located<String>,
    /// Its bytes, or why they could not be read.
    pub value: Result<Text, String>,
}

pub(super) fn secret(object: Node<'_>, metadata: Metadata, problems: &mut Vec<Problem>) -> Secret {
    let mut data = encoded(object, "data", problems);
    for datum in plain(object, "stringData", problems) {
        data.retain(|other| other.key.value != datum.key.value);
        data.push(datum);
    }
    Secret { metadata, kind: text(object, "type"), data }
}

pub(super) fn config_map(object: Node<'_>, metadata: Metadata, problems: &mut Vec<Problem>) -> ConfigMap {
    let mut data = plain(object, "data", problems);
    data.extend(encoded(object, "binaryData", problems));
    ConfigMap { metadata, data }
}

fn plain(object: Node<'_>, field: &str, problems: &mut Vec<Problem>) -> Vec<Datum> {
    let mut found = Vec::new();
    for (key, value) in object.get(field).into_iter().flat_map(Node::entries) {
        let Some(name) = super::scalar(key) else { continue };
        let value = match value.kind() {
            Kind::Null => Ok(Text::opaque(value.span(), Vec::new())),
            Kind::Scalar => {
                if value.as_bool().is_some() || value.is_plain() && number(value) {
                    problems.push(problem(
                        value.span(),
                        format!(
                            "{field} holds text, and Kubernetes refuses a number or boolean there: quote it"
                        ),
                    ));
                }
                value.text().ok_or_else(|| "it could not be read".to_owned())
            }
            Kind::Sequence | Kind::Mapping => {
                problems.push(problem(
                    value.span(),
                    format!("{field} holds text, not YAML: write `|` after the colon to make it text"),
                ));
                Err(format!("the value of {} is no text", name.value))
            }
        };
        found.push(Datum { key: name, value });
    }
    found.shrink_to_fit();
    found
}

fn number(value: Node<'_>) -> bool {
    value.as_i64().is_some() || value.as_str().is_some_and(|text| text.parse::<f64>().is_ok())
}

fn encoded(object: Node<'_>, field: &str, problems: &mut Vec<Problem>) -> Vec<Datum> {
    let mut found = Vec::new();
    for (key, value) in object.get(field).into_iter().flat_map(Node::entries) {
        let Some(name) = super::scalar(key) else { continue };
        let written = value.as_str().unwrap_or_default();
        let decoded = if matches!(value.kind(), Kind::Sequence | Kind::Mapping) {
            Err("it is no text")
        } else {
            decode(written)
        };
        let value = match decoded {
            Ok(bytes) => Ok(Text::opaque(value.span(), bytes)),
            Err(why) => {
                let message = if written.trim_start().starts_with("-----BEGIN") {
                    format!("the value of {} is PEM, not base64: write it under stringData", name.value)
                } else {
                    format!(
                        "the value of {} is not base64 ({why}): encode it, or write the text under {}",
                        name.value,
                        if field == "data" { "stringData" } else { "data" }
                    )
                };
                problems.push(problem(value.span(), message));
                Err(format!("the value of {} is not base64", name.value))
            }
        };
        found.push(Datum { key: name, value });
    }
    found.shrink_to_fit();
    found
}

/// Standard base64 with padding; line breaks in it are skipped, as Go does.
fn decode(text: &str) -> Result<Vec<u8>, &'static str> {
    let engine = &base64::engine::general_purpose::STANDARD;
    if let Ok(bytes) = engine.decode(text) {
        return Ok(bytes);
    }
    let bare: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect();
    engine.decode(&bare).map_err(|error| match error {
        base64::DecodeError::InvalidLength(_) => "its length is wrong",
        base64::DecodeError::InvalidPadding => "its padding is wrong",
        base64::DecodeError::InvalidByte(..) => "it has a character that base64 does not know",
        base64::DecodeError::InvalidLastSymbol { .. } => "it ends in the middle of a byte",
    })
}

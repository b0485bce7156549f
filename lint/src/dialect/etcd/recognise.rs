//! Which documents and files are etcd's.

use super::settings;
use crate::source::{Located, Text};
use crate::syntax::yaml::{Kind, Node};

/// Whether a document is an etcd.conf.yml: settings of etcd only, one of its own at least.
pub fn recognises(document: Node<'_>) -> bool {
    if document.kind() != Kind::Mapping {
        return false;
    }
    let mut own = false;
    for (key, _) in document.entries() {
        let Some(key) = key.as_str() else { return false };
        // what other vocabularies have as well proves nothing
        if matches!(key, "kind" | "apiVersion" | "static_resources" | "deployment" | "apisix") {
            return false;
        }
        own |= matches!(
            key,
            "listen-client-urls"
                | "listen-peer-urls"
                | "advertise-client-urls"
                | "initial-cluster"
                | "initial-advertise-peer-urls"
                | "client-transport-security"
                | "peer-transport-security"
        );
    }
    own
}

/// Whether a file is an environment for etcd: lines of `NAME=value`, some of them etcd's.
pub fn recognises_environment(text: &str) -> bool {
    let mut own = false;
    for line in text.lines().take(2000) {
        match assignment(line) {
            Line::Nothing => {}
            Line::Assignment(name, _) => own |= settings::of_variable(name).is_some(),
            Line::Other => return false,
        }
    }
    own
}

/// The variables of an environment file (systemd's `EnvironmentFile=`, `docker --env-file`, or one for the shell).
pub fn environment(text: &Text) -> Vec<(Located<String>, Located<String>)> {
    let Ok(content) = text.as_str() else { return Vec::new() };
    let mut variables = Vec::new();
    let mut offset = 0;
    for line in content.split_inclusive('\n') {
        if let Line::Assignment(name, value) = assignment(line) {
            let name_at = line.find(name).unwrap_or_default();
            let value_at = name_at + name.len() + 1;
            let unquoted = unquote(value);
            let inner = line.get(value_at..).and_then(|rest| rest.find(unquoted)).unwrap_or_default();
            let place = |start: usize, length: usize| text.span(offset + start..offset + start + length);
            variables.push((
                Located::new(name.to_owned(), place(name_at, name.len())),
                Located::new(unquoted.to_owned(), place(value_at + inner, unquoted.len())),
            ));
        }
        offset += line.len();
    }
    variables
}

enum Line<'l> {
    Nothing,
    Assignment(&'l str, &'l str),
    Other,
}

fn assignment(line: &str) -> Line<'_> {
    let line = line.trim();
    if line.is_empty() || line.starts_with(['#', ';']) {
        return Line::Nothing;
    }
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    let Some((name, value)) = line.split_once('=') else { return Line::Other };
    let named = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_');
    if named { Line::Assignment(name, value) } else { Line::Other }
}

fn unquote(value: &str) -> &str {
    let value = value.trim();
    ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote)).unwrap_or(value)
}

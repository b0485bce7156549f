//! Which words of a command line are passwords and keys: they are never shown.

use crate::source::Span;
use crate::syntax::command::{Document, Word};

/// Options of curl, etcdctl and openssl whose next word is a password, or has one in it.
const OPTIONS: &[&str] = &[
    "-u",
    "--user",
    "-U",
    "--proxy-user",
    "--pass",
    "--proxy-pass",
    "--password",
    "--oauth2-bearer",
    "--tlspassword",
    "--proxy-tlspassword",
    "--discovery-password",
    "--discovery-user",
    "-pass",
    "-passin",
    "-proxy_pass",
    "-psk",
    "-srppass",
];

/// Headers whose values let somebody in.
const HEADERS: &[&str] = &["x-api-key", "authorization", "proxy-authorization", "cookie", "x-auth-token"];

/// The places of passwords and keys in a command line.
pub fn secrets(document: &Document) -> Vec<Span> {
    let mut spans = Vec::new();
    for command in &document.commands {
        for (name, value) in &command.assignments {
            let telling = ["PASSWORD", "TOKEN", "SECRET", "_USER", "API_KEY"];
            if telling.iter().any(|part| name.to_ascii_uppercase().contains(part)) {
                spans.push(value.span);
            }
        }
        for pair in command.words.windows(2) {
            if let [option, value] = pair {
                if OPTIONS.contains(&option.text.as_str()) {
                    spans.push(value.span);
                } else if matches!(option.text.as_str(), "-E" | "--cert") {
                    spans.extend(after(
                        value,
                        value.text.find(':').filter(|_| !value.text.starts_with("k8s:")),
                    ));
                }
            }
        }
        for word in &command.words {
            let (option, attached) = word.text.split_once('=').unwrap_or((&word.text, ""));
            if !attached.is_empty() && OPTIONS.contains(&option) {
                spans.extend(after(word, Some(option.len())));
            }
            let header = word.text.strip_prefix("-H").unwrap_or(&word.text);
            if let Some((name, _)) = header.split_once(':')
                && HEADERS.iter().any(|known| name.trim().eq_ignore_ascii_case(known))
            {
                spans.extend(after(word, word.text.find(':')));
            }
        }
    }
    spans
}

/// What stands after a byte of a word; the whole of it where escapes make places uncertain.
fn after(word: &Word, at: Option<usize>) -> Option<Span> {
    let at = at?;
    let written = word.span.end.saturating_sub(word.span.start) as usize;
    if written != word.text.len() {
        return Some(word.span);
    }
    let start = word.span.start.saturating_add(u32::try_from(at + 1).ok()?);
    Some(Span { start, ..word.span })
}

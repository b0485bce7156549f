//! Command lines of curl, etcdctl and `openssl s_client`: what they connect to, and with which files.

mod curl;
mod curl_options;
mod etcdctl;
mod kubectl;
mod s_client;
mod secrets;
#[cfg(test)]
mod tests;

pub use curl::{Curl, Transfer};
pub use etcdctl::Etcdctl;
pub use s_client::SClient;
pub use secrets::secrets;

use crate::deployment::{Lookup, Protocol, Refusal};
use crate::finding::Label;
use crate::source::{Located, Span, Text};
use crate::syntax::command::{Command, Word};

/// A command that opens connections.
#[derive(Debug, Clone)]
pub enum Client {
    /// `curl …`
    Curl(Box<Curl>),
    /// `etcdctl …`
    Etcdctl(Box<Etcdctl>),
    /// `openssl s_client …`
    Openssl(Box<SClient>),
}

/// One argument, or an option's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// What the program is given, as far as it is known.
    pub text: Located<String>,
    /// It is not known; completes "undetermined because …".
    pub unseen: Option<String>,
}

/// The bounds of the protocol versions that options set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Versions {
    /// The lowest, where an option names it.
    pub lowest: Option<Located<Protocol>>,
    /// The highest, where an option names it.
    pub highest: Option<Located<Protocol>>,
    /// Versions taken out one by one.
    pub without: Vec<Located<Protocol>>,
}

/// How a configuration file named on the command line is opened (`curl -K`).
pub type Open<'o> = dyn Fn(&Located<String>) -> Lookup<Text> + 'o;

/// Reads a command; None: it is none of those that connect.
pub fn read(command: &Command, open: &Open<'_>) -> Option<Client> {
    let mut environment: Vec<(String, Argument)> =
        command.assignments.iter().map(|(name, value)| (name.clone(), Argument::of(value))).collect();
    let mut words = command.words.as_slice();
    // what runs another command
    loop {
        let (first, rest) = words.split_first()?;
        match base_name(&first.text) {
            "sudo" | "time" | "exec" | "command" | "nohup" | "doas" => {
                words = skip_options(rest, &["-u", "-g", "--user", "--group"]);
            }
            "timeout" | "nice" => {
                words = skip_options(rest, &["-k", "-s", "-n", "--signal", "--kill-after", "--adjustment"]);
                if base_name(&first.text) == "timeout" {
                    words = words.split_first()?.1;
                }
            }
            "env" => {
                words = skip_options(rest, &["-u", "--unset"]);
                while let Some((next, rest)) = words.split_first() {
                    let Some((name, value)) = next.text.split_once('=') else { break };
                    let located = Located::new(value.to_owned(), next.span);
                    environment
                        .push((name.to_owned(), Argument { text: located, unseen: next.unseen.clone() }));
                    words = rest;
                }
            }
            _ => break,
        }
    }
    let (first, rest) = words.split_first()?;
    let arguments: Vec<Argument> = rest.iter().map(Argument::of).collect();
    match base_name(&first.text) {
        "curl" => Some(Client::Curl(Box::new(curl::read(first.span, &arguments, &environment, open)))),
        "etcdctl" => Some(Client::Etcdctl(Box::new(etcdctl::read(first.span, &arguments, &environment)))),
        "openssl" => {
            let (subcommand, rest) = arguments.split_first()?;
            (subcommand.text.value == "s_client")
                .then(|| Client::Openssl(Box::new(s_client::read(subcommand.text.span, rest, &environment))))
        }
        _ => None,
    }
}

impl Argument {
    /// An argument out of a word: what kubectl prints of a Secret becomes `k8s:NAMESPACE/SECRET/KEY`.
    fn of(word: &Word) -> Self {
        if let Some(path) = word.substitution.as_deref().and_then(kubectl::secret_path) {
            return Self { text: Located::new(path, word.span), unseen: None };
        }
        Self { text: Located::new(word.text.clone(), word.span), unseen: word.unseen.clone() }
    }

    /// The end of an argument from a byte on.
    fn tail(&self, start: usize) -> Self {
        let value = self.text.value.get(start..).unwrap_or_default().to_owned();
        let span = self.text.span;
        let written = span.end.saturating_sub(span.start) as usize;
        let start = if written == self.text.value.len() {
            span.start.saturating_add(u32::try_from(start).unwrap_or(u32::MAX))
        } else {
            span.start
        };
        Self { text: Located::new(value, Span { start, ..span }), unseen: self.unseen.clone() }
    }
}

/// Whether a client looks at a variable of its environment.
pub fn is_looked_at(variable: &str) -> bool {
    let variable = variable.to_ascii_uppercase();
    variable.starts_with("ETCDCTL_")
        || variable.ends_with("_PROXY")
        || matches!(variable.as_str(), "CURL_CA_BUNDLE" | "SSL_CERT_FILE" | "SSL_CERT_DIR")
}

/// What of a command's words may be options that are not known; completes "undetermined because …".
pub fn hidden_options(command: &Command) -> Option<String> {
    let several = command.words.iter().find(|word| word.several)?;
    Some(format!("{} may hold options: {}", several.text, several.unseen.as_deref().unwrap_or_default()))
}

/// A variable's value, where the command line or `env` sets it and it is not empty.
fn variable<'e>(environment: &'e [(String, Argument)], name: &str) -> Option<&'e Argument> {
    let (_, value) = environment.iter().rev().find(|(known, _)| known == name)?;
    (!value.text.value.is_empty()).then_some(value)
}

/// A command line that the program refuses.
///
/// `advice` says what to write.
fn refusal(message: String, span: Span, advice: &str, log: Option<String>) -> Refusal {
    let labels = vec![Label { span, message: String::new() }];
    Refusal { rule: "refused-setting", message, labels, help: Some(advice.to_owned()), log }
}

/// The program's name without its folder, also for a folder of Windows.
fn base_name(word: &str) -> &str {
    let name = word.rsplit(['/', '\\']).next().unwrap_or(word);
    name.strip_suffix(".exe").unwrap_or(name)
}

fn skip_options<'w>(mut words: &'w [Word], with_value: &[&str]) -> &'w [Word] {
    while let Some((next, rest)) = words.split_first() {
        if !next.text.starts_with('-') || next.text == "-" {
            break;
        }
        words = if with_value.contains(&next.text.as_str()) {
            rest.split_first().map_or(rest, |(_, after)| after)
        } else {
            rest
        };
    }
    words
}

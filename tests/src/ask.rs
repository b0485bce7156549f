//! What does the linter, as a process, predict?

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The moment at which recorded and fresh scenarios are judged, RFC 3339: their certificates are valid from 2020
/// to 2046, expired 2010–2015, or not yet valid 2045–2049.
pub const AT: &str = "2026-11-23T00:00:00Z";

/// One call of `mtls-lint predict --format json`.
#[derive(Debug, Clone)]
pub struct Question {
    /// The folder that stands for `/`.
    pub root: PathBuf,
    /// Further sources, named as PATH arguments.
    pub paths: Vec<PathBuf>,
    /// What `--assume` says.
    pub assume: String,
    /// What stands behind `--`; empty for every connection of the deployment.
    pub command: Vec<String>,
}

/// A predicted connection, as the contract's JSON has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predicted {
    /// Kind and name of the client.
    pub client: (String, String),
    /// Kind and name of the server.
    pub server: (String, String),
    /// The address dialled.
    pub url: String,
    /// The port dialled.
    pub port: Option<u64>,
    /// The contract's word.
    pub outcome: String,
    /// `client`, `server`, or nothing.
    pub rejected_by: Option<String>,
    /// Whether server and client are authenticated.
    pub authenticated: (Option<bool>, Option<bool>),
    /// Rules and messages, or what would have to be seen.
    pub why: Vec<String>,
    /// What client and server print.
    pub prints: [Option<String>; 2],
}

impl Question {
    /// The arguments, for a person to repeat the question.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["predict".to_owned()];
        arguments.extend(self.paths.iter().map(|path| path.display().to_string()));
        let options = ["--root", &self.root.display().to_string(), "--at", AT, "--assume", &self.assume];
        arguments.extend(options.map(str::to_owned));
        arguments.extend(["--format", "json"].map(str::to_owned));
        if !self.command.is_empty() {
            arguments.push("--".to_owned());
            arguments.extend(self.command.iter().cloned());
        }
        arguments
    }

    /// The question as a line for a shell.
    pub fn shell_line(&self) -> String {
        let quoted = self.arguments().into_iter().map(|argument| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./,:@".contains(c);
            let simple = !argument.is_empty() && argument.chars().all(plain);
            if simple { argument } else { format!("'{}'", argument.replace('\'', r"'\''")) }
        });
        format!("mtls-lint {}", quoted.collect::<Vec<_>>().join(" "))
    }

    /// Runs the linter and reads its answer.
    ///
    /// # Errors
    /// The linter could not be run, ended by a signal, or did not print the contract's JSON.
    pub fn ask(&self, lint: &Path) -> Result<Vec<Predicted>, String> {
        let output = Command::new(lint)
            .args(self.arguments())
            .output()
            .map_err(|error| format!("{} does not run: {error}", lint.display()))?;
        let complaint = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if !matches!(output.status.code(), Some(0..=2)) {
            return Err(format!("ended with {}: {}", output.status, complaint()));
        }
        let answer: Value = serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("did not print JSON ({error}): {}", complaint()))?;
        let connections = answer.get("connections").and_then(Value::as_array);
        let connections = connections.ok_or_else(|| "the JSON has no connections".to_owned())?;
        Ok(connections.iter().map(predicted).collect())
    }
}

fn predicted(connection: &Value) -> Predicted {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let actor = |side: &str| (text(&connection[side]["kind"]), text(&connection[side]["name"]));
    let reasons = connection["why"].as_array().into_iter().flatten();
    let reasons = reasons.map(|why| format!("{}: {}", text(&why["rule"]), text(&why["message"])));
    let unseen = connection["undetermined_because"].as_array().into_iter().flatten().map(text);
    let authenticated = &connection["authenticated"];
    Predicted {
        client: actor("client"),
        server: actor("server"),
        url: text(&connection["url"]),
        port: connection["port"].as_u64(),
        outcome: text(&connection["outcome"]),
        rejected_by: connection["rejected_by"].as_str().map(str::to_owned),
        authenticated: (authenticated["server"].as_bool(), authenticated["client"].as_bool()),
        why: reasons.chain(unseen).collect(),
        prints: ["client_sees", "server_logs"].map(|side| connection[side].as_str().map(str::to_owned)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_line_quotes_what_a_shell_would_take_apart() {
        let question = Question {
            root: "/r".into(),
            paths: vec![],
            assume: "nginx=1.26.3".into(),
            command: ["curl", "-H", "Host: it's", ""].map(str::to_owned).to_vec(),
        };
        assert_eq!(
            question.shell_line(),
            format!(
                "mtls-lint predict --root /r --at {AT} --assume nginx=1.26.3 --format json \
                 -- curl -H 'Host: it'\\''s' ''"
            )
        );
    }
}

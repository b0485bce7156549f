//! Recorded observations of real programs, compared with what the linter predicts of the same files.
//!
//! A folder of observations holds `NAME.jsonl`, one observation a line, beside `NAME.tar.gz`, a folder for each
//! scenario with the very files that ran (`rootfs/`).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::ask::{Predicted, Question};

/// One observation, and what to ask about it.
#[derive(Debug, Clone)]
pub struct Observation {
    /// Which scenario.
    pub id: String,
    /// Which set of program versions.
    pub generation: String,
    /// Which pair of programs: E1, E2, ….
    pub edge: String,
    /// The factors that were varied, for a person to read.
    pub factors: String,
    /// What really happened.
    pub seen: Verdict,
    /// Whether server and client were authenticated, where that was recorded.
    pub authenticated: Option<(Option<bool>, Option<bool>)>,
    /// The programs' own words, client first.
    pub errors: [String; 2],
    /// Kinds of client and server.
    pub kinds: (String, String),
    /// The port dialled.
    pub port: Option<u64>,
    /// What to ask.
    pub question: Question,
}

/// How a connection, or a pair of them between etcd members, ended and who rejected it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The contract's word.
    pub outcome: String,
    /// `client` or `server`; between members of a cluster `m1-as-client` and so on.
    pub rejected_by: BTreeSet<String>,
}

impl Verdict {
    /// A verdict from its words.
    pub fn new(outcome: &str, rejected_by: impl IntoIterator<Item = String>) -> Self {
        Self { outcome: outcome.to_owned(), rejected_by: rejected_by.into_iter().collect() }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.outcome)?;
        let sides: Vec<_> = self.rejected_by.iter().map(String::as_str).collect();
        if sides.is_empty() { Ok(()) } else { write!(f, " by {}", sides.join(" and ")) }
    }
}

/// The observations of a folder, unpacked below `scratch`.
///
/// # Errors
/// A file is absent, does not unpack, or does not have the form above.
pub fn load(folder: &Path, scratch: &Path) -> Result<Vec<Observation>, String> {
    let mut observations = Vec::new();
    let mut names: Vec<_> = fs::read_dir(folder)
        .map_err(|error| format!("{}: {error}", folder.display()))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .collect();
    names.sort();
    if names.is_empty() {
        return Err(format!("{} holds no .jsonl file", folder.display()));
    }
    for lines in names {
        let unpacked = unpack(&lines.with_extension("tar.gz"), scratch)?;
        let text = fs::read_to_string(&lines).map_err(|error| format!("{}: {error}", lines.display()))?;
        for (number, line) in text.lines().enumerate() {
            let line: Value = serde_json::from_str(line)
                .map_err(|error| format!("{}:{}: {error}", lines.display(), number + 1))?;
            observations.push(observation(&line, &unpacked)?);
        }
    }
    Ok(observations)
}

/// Unpacks once; again when the archive is younger.
fn unpack(archive: &Path, scratch: &Path) -> Result<PathBuf, String> {
    let complain = |error: std::io::Error| format!("{}: {error}", archive.display());
    let name = archive.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let folder = scratch.join(name.trim_end_matches(".tar.gz"));
    let done = folder.join(".unpacked");
    let archived = fs::metadata(archive).and_then(|meta| meta.modified()).map_err(complain)?;
    let fresh = fs::metadata(&done).and_then(|meta| meta.modified()).is_ok_and(|made| made > archived);
    if !fresh {
        fs::create_dir_all(&folder).map_err(complain)?;
        let status = Command::new("tar")
            .arg("-xzf")
            .arg(archive)
            .args(["--no-same-owner", "-C"])
            .arg(&folder)
            .status()
            .map_err(complain)?;
        if !status.success() {
            return Err(format!("tar could not unpack {}", archive.display()));
        }
        fs::write(&done, "").map_err(complain)?;
    }
    Ok(folder)
}

fn observation(line: &Value, unpacked: &Path) -> Result<Observation, String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let id = text(&line["id"]);
    let scenario = match line["scenario"].as_str() {
        Some(path) => path.trim_start_matches("scenario/").to_owned(),
        None => id.clone(),
    };
    let root = unpacked.join(scenario).join("rootfs");
    if !root.is_dir() {
        return Err(format!("{id}: {} is not there", root.display()));
    }
    let edge = text(&line["edge"]);
    let outcome = match line["outcome"].as_str() {
        Some("ok") => "completes",
        Some("config_rejected") => "config-rejected",
        Some("handshake_failed") => "handshake-fails",
        Some("http_error") => "request-rejected",
        other => return Err(format!("{id}: unknown outcome {other:?}")),
    };
    let rejected_by: Vec<String> = match &line["rejected_by"] {
        Value::String(side) => vec![side.clone()],
        Value::Array(sides) => sides.iter().map(text).collect(),
        _ => Vec::new(),
    };
    let kind = |side: &str| match line[side]["stack"].as_str() {
        Some("lua-cosocket") => "apisix".to_owned(),
        stack => stack.unwrap_or_default().to_owned(),
    };
    let resources = root.join("etc/apisix/resources.yaml");
    let authenticated = line.get("authenticated").map(|a| (a["server"].as_bool(), a["client"].as_bool()));
    let label = text(&line["label"]);
    Ok(Observation {
        factors: format!(
            "client {} server {} opts {} {label}",
            line["client_profile"], line["server_profile"], line["opts"]
        ),
        seen: Verdict::new(outcome, rejected_by),
        authenticated,
        errors: ["client_error", "server_error"].map(|side| text(&line[side])),
        kinds: (kind("client"), kind("server")),
        port: line["target"]["port"].as_u64(),
        question: Question {
            paths: if resources.is_file() { vec![resources] } else { Vec::new() },
            assume: text(&line["assume"]),
            command: command(&edge, line, &root)?,
            root,
        },
        generation: text(&line["generation"]),
        id,
        edge,
    })
}

/// What a person would have typed: the client's command line; for an onward connection the request that causes
/// it; nothing where the programs connect by themselves.
fn command(edge: &str, line: &Value, root: &Path) -> Result<Vec<String>, String> {
    let words = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let client = &line["client"];
    Ok(match edge {
        "E1" | "E2" | "E5" | "A1" | "A4" => {
            let mut command = Vec::new();
            if let Some(environment) = client["config"].as_str() {
                let path = root.join(environment.trim_start_matches('/'));
                let text =
                    fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
                command.extend(text.lines().filter(|line| line.contains('=')).map(str::to_owned));
            }
            command.extend(words(&client["argv"]));
            command
        }
        "A2" => {
            let drive = &client["drive"];
            if drive["argv"].is_array() {
                words(&drive["argv"])
            } else {
                let mut command = vec!["curl".to_owned()];
                for (name, value) in drive["headers"].as_object().into_iter().flatten() {
                    command
                        .extend(["-H".to_owned(), format!("{name}: {}", value.as_str().unwrap_or_default())]);
                }
                command.extend(drive["url"].as_str().map(str::to_owned));
                command
            }
        }
        _ => Vec::new(),
    })
}

/// What the linter said of one observation.
#[derive(Debug, Clone)]
pub enum Answer {
    /// It agrees.
    Agrees,
    /// Only whether the sides are authenticated differs.
    AuthenticationDiffers(Predicted),
    /// It says that it would have to see more.
    Undetermined(Vec<Predicted>),
    /// It says something else.
    Differs(Verdict, Vec<Predicted>),
    /// No connection of these kinds is among its answers.
    NotListed(Vec<Predicted>),
    /// It gave no answer.
    Failed(String),
}

/// Compares what a side is predicted to print with what it printed: client first.
///
/// A prediction agrees if the recorded text holds it. Some recorded texts are cut, and of the body of an answer nothing is
/// recorded: a request that is refused is left out.
pub fn compare_prints(observation: &Observation, predicted: &[Predicted]) -> [Printed; 2] {
    let about = concerned(observation, predicted);
    [0, 1].map(|side| {
        let recorded = comparable(&observation.errors[side]);
        let refused = observation.seen.outcome == "request-rejected" && side == 0;
        if recorded.is_empty() || refused || observation.seen.outcome == "completes" {
            return Printed::Nothing;
        }
        let said: Vec<String> =
            about.iter().filter_map(|p| p.prints[side].as_deref()).map(comparable).collect();
        match said.as_slice() {
            [] => Printed::Silent,
            lines if lines.iter().any(|line| recorded.contains(line)) => Printed::Agrees,
            lines => Printed::Differs(lines.join("\n")),
        }
    })
}

/// One space for many, no escaped quotes, no moment.
fn comparable(text: &str) -> String {
    let words = text.replace("\\\"", "\"");
    let words = words.split_whitespace().map(|word| {
        // 2026-11-23T17:25:19Z, whatever follows
        let bytes = word.as_bytes();
        let moment = word.is_ascii() && bytes.get(10) == Some(&b'T') && bytes.get(19) == Some(&b'Z');
        if moment { &word[20..] } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// What became of a predicted line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Printed {
    /// Nothing was recorded to compare with.
    Nothing,
    /// It was printed.
    Agrees,
    /// No line was predicted.
    Silent,
    /// This was predicted, and something else was recorded.
    Differs(String),
}

/// The connections among the answers that an observation is about.
fn concerned(observation: &Observation, predicted: &[Predicted]) -> Vec<Predicted> {
    let mut about: Vec<Predicted> = predicted
        .iter()
        .filter(|p| (&p.client.0, &p.server.0) == (&observation.kinds.0, &observation.kinds.1))
        .cloned()
        .collect();
    if members(observation) {
        // each member dials the other: two connections, and neither the client listeners' own
        about.retain(|p| p.client.1 != p.server.1);
    } else if about.iter().any(|p| observation.port.is_some() && p.port == observation.port) {
        about.retain(|p| p.port == observation.port);
    }
    about
}

fn members(observation: &Observation) -> bool {
    observation.kinds.0 == "etcd" && observation.kinds.1 == "etcd"
}

/// Compares a prediction with an observation.
pub fn compare(observation: &Observation, predicted: Vec<Predicted>) -> Answer {
    let about = concerned(observation, &predicted);
    let members = members(observation);
    if about.is_empty() {
        return Answer::NotListed(predicted);
    }
    let verdict = if members { members_verdict(&about) } else { worst(&about) };
    if verdict == observation.seen || members && both_refuse_files(&verdict, &observation.seen) {
        let differs = |p: &&Predicted| {
            p.outcome == "completes"
                && observation.authenticated.is_some_and(|(server, client)| {
                    server.is_some_and(|seen| p.authenticated.0 != Some(seen))
                        || client.is_some_and(|seen| p.authenticated.1 != Some(seen))
                })
        };
        return match about.iter().find(differs) {
            Some(predicted) => Answer::AuthenticationDiffers(predicted.clone()),
            None => Answer::Agrees,
        };
    }
    if verdict.outcome == "undetermined" {
        Answer::Undetermined(about)
    } else {
        Answer::Differs(verdict, about)
    }
}

/// The worst of several connections of the same kinds (an APISIX with three etcd hosts).
fn worst(connections: &[Predicted]) -> Verdict {
    let rank = |p: &&Predicted| match p.outcome.as_str() {
        "config-rejected" => 4,
        "handshake-fails" => 3,
        "request-rejected" => 2,
        "undetermined" => 1,
        _ => 0,
    };
    let worst = connections.iter().max_by_key(rank);
    worst.map_or_else(|| Verdict::new("", []), |p| Verdict::new(&p.outcome, p.rejected_by.clone()))
}

/// Two directions as one verdict, in the words of the recorded observations: `m1-as-client`.
fn members_verdict(connections: &[Predicted]) -> Verdict {
    let member = |name: &str| name.rsplit(' ').next().unwrap_or_default().to_owned();
    let sides = connections.iter().filter_map(|p| match p.rejected_by.as_deref() {
        Some("client") => Some(format!("{}-as-client", member(&p.client.1))),
        Some("server") => Some(format!("{}-as-server", member(&p.server.1))),
        _ => None,
    });
    let mut verdict = worst(connections);
    verdict.rejected_by = sides.collect();
    verdict
}

/// A member that refuses its files fails in both roles, and of two such members the observation names the first alone:
/// the members count, not the roles.
fn both_refuse_files(predicted: &Verdict, seen: &Verdict) -> bool {
    let members = |verdict: &Verdict| -> BTreeSet<String> {
        verdict.rejected_by.iter().filter_map(|role| role.split('-').next().map(str::to_owned)).collect()
    };
    [predicted, seen].iter().all(|verdict| verdict.outcome == "config-rejected")
        && members(seen).is_subset(&members(predicted))
}

/// Asks about every observation, several processes side by side; answers in the order of the observations.
pub fn ask_all(observations: &[Observation], lint: &Path, jobs: usize) -> Vec<(Answer, [Printed; 2])> {
    let next = AtomicUsize::new(0);
    let answers = Mutex::new(vec![None; observations.len()]);
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(observation) = observations.get(index) else { break };
                    let answer = match observation.question.ask(lint) {
                        Ok(predicted) => {
                            let prints = compare_prints(observation, &predicted);
                            (compare(observation, predicted), prints)
                        }
                        Err(complaint) => (Answer::Failed(complaint), NOT_ASKED),
                    };
                    if let Ok(mut answers) = answers.lock() {
                        answers[index] = Some(answer);
                    }
                }
            });
        }
    });
    let answers = answers.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    answers
        .into_iter()
        .map(|answer| answer.unwrap_or_else(|| (Answer::Failed("not asked".to_owned()), NOT_ASKED)))
        .collect()
}

const NOT_ASKED: [Printed; 2] = [Printed::Nothing, Printed::Nothing];

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(client: (&str, &str), server: (&str, &str), outcome: &str, by: Option<&str>) -> Predicted {
        Predicted {
            client: (client.0.to_owned(), client.1.to_owned()),
            server: (server.0.to_owned(), server.1.to_owned()),
            url: String::new(),
            port: Some(2380),
            outcome: outcome.to_owned(),
            rejected_by: by.map(str::to_owned),
            authenticated: (Some(true), Some(true)),
            why: Vec::new(),
            prints: [None, None],
        }
    }

    #[test]
    fn two_directions_between_members_name_each_member_in_its_role() {
        let there = connection(("etcd", "etcd m1"), ("etcd", "etcd m2"), "handshake-fails", Some("client"));
        let back = connection(("etcd", "etcd m2"), ("etcd", "etcd m1"), "handshake-fails", Some("server"));
        assert_eq!(
            members_verdict(&[there.clone(), back]).to_string(),
            "handshake-fails by m1-as-client and m1-as-server"
        );
        let fine = connection(("etcd", "etcd m2"), ("etcd", "etcd m1"), "completes", None);
        assert_eq!(members_verdict(&[there, fine]).to_string(), "handshake-fails by m1-as-client");
    }
}

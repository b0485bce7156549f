//! An oracle: scenarios from a seed, run on the real programs of this machine, compared with what the linter predicts.
//!
//! [`scenario`] draws a pair of programs, what is wrong with each side, and settings; [`machine`] gives each scenario a
//! network, a file system and processes of its own, so that many run side by side on the same ports; [`observe`] runs
//! the programs there; [`verdict`] reads from what both sides said how it ended and who rejected it.

pub mod configuration;
pub mod machine;
pub mod observe;
pub mod scenario;
pub mod verdict;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::ask::Question;
use crate::truth::{Answer, Observation, Verdict, compare};
use observe::Observed;
use scenario::Scenario;

/// What one scenario came to.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Where its files are.
    pub folder: PathBuf,
    /// Edge and factors, for a person to read.
    pub title: String,
    /// What really happened.
    pub observed: Observed,
    /// What the linter said; nothing where the observation is unclear.
    pub answer: Option<(Observation, Answer)>,
}

/// Generates and runs this many scenarios below `scratch`, `jobs` side by side, and asks the linter about each.
///
/// # Errors
/// A scenario could not be run at all.
pub fn run(seed: u64, count: u32, jobs: usize, scratch: &Path, tools: &Tools) -> Result<Vec<Asked>, String> {
    let next = AtomicU32::new(0);
    let done = Mutex::new(Vec::new());
    let failed = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while failed.lock().is_ok_and(|failed| failed.is_none()) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        break;
                    }
                    match one(seed, number, scratch, tools) {
                        Ok(asked) => {
                            done.lock().unwrap_or_else(|poison| poison.into_inner()).push((number, asked))
                        }
                        Err(complaint) => {
                            *failed.lock().unwrap_or_else(|poison| poison.into_inner()) = Some(complaint);
                        }
                    }
                }
            });
        }
    });
    if let Some(complaint) = failed.into_inner().unwrap_or_else(|poison| poison.into_inner()) {
        return Err(complaint);
    }
    let mut done = done.into_inner().unwrap_or_else(|poison| poison.into_inner());
    done.sort_by_key(|(number, _)| *number);
    Ok(done.into_iter().map(|(_, asked)| asked).collect())
}

/// What a run needs beside the programs themselves.
#[derive(Debug, Clone)]
pub struct Tools {
    /// The `oracle` binary, which plays the scenario inside its machine.
    pub oracle: PathBuf,
    /// The linter.
    pub lint: PathBuf,
    /// The programs' versions.
    pub assume: String,
}

fn one(seed: u64, number: u32, scratch: &Path, tools: &Tools) -> Result<Asked, String> {
    let (scenario, files) = scenario::generate(seed, number);
    let folder = scratch.join(&scenario.id);
    scenario::write(&scenario, &files, &folder)?;
    play(&scenario, &folder, tools)
}

/// Runs a scenario that lies in a folder, and asks the linter.
///
/// # Errors
/// It could not be run at all.
pub fn play(scenario: &Scenario, folder: &Path, tools: &Tools) -> Result<Asked, String> {
    let mut observed = machine::play(&tools.oracle, folder)?;
    if observed.outcome == "unclear" {
        // once more: a port that was not free for a moment, a machine under load
        observed = machine::play(&tools.oracle, folder)?;
    }
    let answer =
        (observed.outcome != "unclear").then(|| ask(scenario, folder, &observed, &tools.lint, &tools.assume));
    Ok(Asked {
        folder: folder.to_owned(),
        title: format!("{} {}", scenario.edge, scenario.factors.join("; ")),
        observed,
        answer,
    })
}

/// Asks the linter about a scenario whose end is known.
pub fn ask(
    scenario: &Scenario,
    folder: &Path,
    observed: &Observed,
    lint: &Path,
    assume: &str,
) -> (Observation, Answer) {
    let observation = Observation {
        id: scenario.id.clone(),
        generation: "here".to_owned(),
        edge: scenario.edge.clone(),
        factors: scenario.factors.join("; "),
        seen: Verdict::new(&observed.outcome, observed.rejected_by.iter().cloned()),
        authenticated: None,
        errors: [observed.client_says.clone(), observed.server_says.clone()],
        kinds: (scenario.client.kind.clone(), scenario.server.kind.clone()),
        port: Some(scenario.port.into()),
        question: Question {
            root: folder.join("rootfs"),
            paths: Vec::new(),
            assume: assume.to_owned(),
            command: scenario.command(folder),
        },
    };
    let answer = match observation.question.ask(lint) {
        Ok(predicted) => compare(&observation, predicted),
        Err(complaint) => Answer::Failed(complaint),
    };
    (observation, answer)
}

/// Copies a scenario's files and what was seen to a folder to keep.
///
/// # Errors
/// It cannot be written.
pub fn keep(asked: &Asked, assume: &str, kept: &Path) -> Result<PathBuf, String> {
    let name = asked.folder.file_name().unwrap_or_default();
    let into = kept.join(name);
    copy(&asked.folder.join("rootfs"), &into.join("rootfs"))?;
    let complain = |error: std::io::Error| format!("{}: {error}", into.display());
    fs::copy(asked.folder.join("scenario.json"), into.join("scenario.json")).map_err(complain)?;
    let observed = Observed { assume: assume.to_owned(), ..asked.observed.clone() };
    let text = serde_json::to_string_pretty(&observed).map_err(|error| error.to_string())?;
    fs::write(into.join("observation.json"), text + "\n").map_err(complain)?;
    Ok(into)
}

/// Copies a folder with all below it.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let complain = |error: std::io::Error| format!("{}: {error}", from.display());
    fs::create_dir_all(to).map_err(complain)?;
    for entry in fs::read_dir(from).map_err(complain)? {
        let entry = entry.map_err(complain)?;
        let target = to.join(entry.file_name());
        if entry.file_type().map_err(complain)?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target).map_err(complain)?;
        }
    }
    Ok(())
}

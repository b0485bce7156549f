//! What the linter predicts, beside what really happens.

use std::path::{Path, PathBuf};

use mtls_tests::oracle::observe::Observed;
use mtls_tests::oracle::scenario::Scenario;
use mtls_tests::oracle::{Tools, ask, keep, run};
use mtls_tests::programs::{Program, assume, required, target};
use mtls_tests::truth::{Answer, Printed, ask_all, load};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/oracle")
}

/// The tools, or nothing with a word where programs may be absent.
fn tools() -> Option<Tools> {
    let oracle = PathBuf::from(env!("CARGO_BIN_EXE_oracle"));
    match (Program::Lint.find(), assume()) {
        (Ok(lint), Ok(assume)) => Some(Tools { oracle, lint, assume }),
        (lint, assume) => {
            let missing: Vec<_> = [lint.err(), assume.err()].into_iter().flatten().collect();
            assert!(!required(), "{}", missing.join("; "));
            eprintln!("skipped: {}", missing.join("; "));
            None
        }
    }
}

/// A new seed each day, so that a failure can be repeated for as long as somebody looks at it.
fn seed() -> u64 {
    let given = std::env::var("MTLS_SEED").ok().and_then(|seed| seed.parse().ok());
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    given.unwrap_or_else(|| since.map_or(0, |since| since.as_secs() / 86400))
}

#[test]
fn two_hundred_fresh_scenarios_end_as_predicted() {
    let Some(tools) = tools() else { return };
    let seed = seed();
    let asked = run(seed, 200, 6, &target().join("oracle"), &tools).unwrap();
    let mut differ = Vec::new();
    for one in asked.iter() {
        match &one.answer {
            Some((_, Answer::Agrees)) | None => {}
            Some((observation, answer)) => {
                let kept = keep(one, &tools.assume, &fixtures()).unwrap();
                differ.push(format!(
                    "{}\n  observed  {}\n  predicted {answer:?}\n  ask       {}\n  kept in   {}",
                    one.title,
                    observation.seen,
                    observation.question.shell_line(),
                    kept.display()
                ));
            }
        }
    }
    let unclear = asked.iter().filter(|one| one.answer.is_none()).count();
    assert!(unclear <= 4, "{unclear} of 200 observations are unclear, seed {seed}");
    assert!(differ.is_empty(), "seed {seed}: {} of 200 differ\n{}", differ.len(), differ.join("\n"));
}

#[test]
fn scenarios_kept_from_past_disagreements_are_predicted() {
    let Ok(lint) = Program::Lint.find() else {
        assert!(!required(), "the linter is not built");
        eprintln!("skipped: the linter is not built");
        return;
    };
    let (mut asked, mut differ) = (0, Vec::new());
    for folder in std::fs::read_dir(fixtures()).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if !folder.is_dir() {
            continue;
        }
        asked += 1;
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let scenario: Scenario = serde_json::from_str(&read("scenario.json")).unwrap();
        let observed: Observed = serde_json::from_str(&read("observation.json")).unwrap();
        let (observation, answer) = ask(&scenario, &folder, &observed, &lint, &observed.assume);
        if !matches!(answer, Answer::Agrees) {
            differ.push(format!("{}: observed {}, {answer:?}", folder.display(), observation.seen));
        }
    }
    assert!(asked > 0, "no scenario lies in {}", fixtures().display());
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

#[test]
fn recorded_observations_are_predicted() {
    let Some(folder) = std::env::var_os("MTLS_TRUTH") else {
        eprintln!("skipped: MTLS_TRUTH names no folder of recorded observations");
        return;
    };
    let lint = Program::Lint.find().unwrap();
    let observations = load(Path::new(&folder), &target().join("truth")).unwrap();
    let answers = ask_all(&observations, &lint, 2);
    let differ = answers.iter().flat_map(|(_, printed)| printed);
    let differ = differ.filter(|printed| matches!(printed, Printed::Differs(_))).count();
    let answers: Vec<Answer> = answers.into_iter().map(|(answer, _)| answer).collect();
    let wrong = answers
        .iter()
        .filter(|answer| matches!(answer, Answer::Differs(..) | Answer::AuthenticationDiffers(_)));
    let silent = answers.iter().filter(|answer| {
        matches!(answer, Answer::Undetermined(_) | Answer::NotListed(_) | Answer::Failed(_))
    });
    let (wrong, silent) = (wrong.count(), silent.count());
    assert_eq!(wrong, 0, "of {}; the truth binary lists them", answers.len());
    assert!(silent * 200 <= answers.len(), "{silent} of {} are not determined", answers.len());
    // recorded texts are cut, and some belong to another connection of the same programs
    assert!(differ * 30 <= answers.len(), "{differ} lines differ; truth --prints shows them");
}

//! Every folder of fixtures/rules holds deployments on which a rule must speak, alone, and others on which none may.
//!
//! A case that has a folder `etc` stands for a machine, as `--root` reads one; a file `command.txt` holds the command
//! whose connections are judged; a mtls-lint.yaml holds. What the rule says of its bad cases is kept as a snapshot, as
//! the operator reads it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "the functions around the tests are tests too")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use mtls_lint::config::Config;
use mtls_lint::explain::causes;
use mtls_lint::handshake::Prediction;
use mtls_lint::source::Sources;
use mtls_lint::{Options, assume::Assume, lint_with, render, rules};

/// 2026-11-23T00:00:00Z
const AT: i64 = 1_795_392_000;

const COMMAND: &str = "command.txt";

#[test]
fn a_bad_fixture_fires_exactly_its_rule_and_a_good_one_fires_nothing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/rules");
    let mut wrong = Vec::new();
    let mut unexplained = BTreeSet::new();
    let mut cases = 0;
    for folder in folders(&root) {
        let rule = name(&folder);
        assert!(rules::find(&rule).is_some(), "fixtures/rules/{rule} belongs to no rule");
        let (mut bad, mut good) = (false, false);
        let mut said = String::new();
        for case in folders(&folder) {
            let expected = match name(&case).split('-').next() {
                Some("bad") => {
                    bad = true;
                    Some(&rule)
                }
                Some("good") => {
                    good = true;
                    None
                }
                _ => panic!("{} is neither bad-… nor good-…", case.display()),
            };
            cases += 1;
            let mut sources = Sources::default();
            sources.root = case.join("etc").is_dir();
            add(&mut sources, &case, &case);
            let command = fs::read_to_string(case.join(COMMAND)).ok();
            let command = command.map(|line| line.split_whitespace().map(str::to_owned).collect());
            let options = Options { at: AT, assume: Assume::default(), expires_within: 30 * 86_400, command };
            let config = Config::find(&sources).map(|file| Config::parse(&sources, file).unwrap());
            let report = lint_with(&sources, &options, &config.unwrap_or_default());
            // several findings of one rule show in the snapshot
            let mut found: Vec<&str> = report.findings.iter().map(|finding| finding.rule).collect();
            found.dedup();
            let wanted: Vec<&str> = expected.iter().map(|rule| rule.as_str()).collect();
            if found != wanted || !report.incomplete.is_empty() {
                wrong.push(format!("{rule}/{}: {found:?} {:?}", name(&case), report.incomplete));
            }
            unexplained.extend(report.connections.iter().filter_map(|it| not_explained(&it.prediction)));
            if expected.is_some() {
                let style = render::terminal::Style { color: false, width: 110 };
                let text = render::terminal::check(&report, style);
                // the count in the last line is told elsewhere
                let (findings, _) = text.trim_end().rsplit_once('\n').unwrap();
                writeln!(said, "── {}\n{}", name(&case), findings.trim_end()).unwrap();
            }
        }
        assert!(bad && good, "fixtures/rules/{rule} needs a bad-… and a good-… case");
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(format!("rule-{rule}"), said);
        });
    }
    let lacking: Vec<&str> =
        rules::RULES.iter().map(|rule| rule.id).filter(|id| !root.join(id).is_dir()).collect();
    assert!(lacking.is_empty(), "rules without a folder in fixtures/rules: {lacking:?}");
    assert!(cases > 0);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(unexplained.is_empty(), "{unexplained:#?}");
}

/// What a side prints is a line that `explain` knows, and one side's leads to what is to blame.
fn not_explained(prediction: &Prediction) -> Option<String> {
    let lines: Vec<&String> =
        [&prediction.client_sees, &prediction.server_logs].into_iter().flatten().collect();
    let causes: Vec<Vec<&str>> =
        lines.iter().map(|line| causes(line).iter().map(|cause| cause.rule.id).collect()).collect();
    let blamed = prediction.why.iter().any(|why| causes.concat().contains(&why.rule));
    let known = causes.iter().all(|ids| !ids.is_empty());
    let explained = lines.is_empty() || (blamed && known);
    (!explained).then(|| {
        let rules: Vec<&str> = prediction.why.iter().map(|why| why.rule).collect();
        format!("{lines:?} of {rules:?} lead to {causes:?}")
    })
}

#[test]
fn certificates_are_those_of_the_mint() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
    let minted: BTreeMap<String, PathBuf> =
        files(&fixtures.join("pki")).map(|path| (name(&path), path)).collect();
    for rule in folders(&fixtures.join("rules")) {
        for case in folders(&rule) {
            let mut pending = vec![case];
            while let Some(folder) = pending.pop() {
                pending.extend(folders(&folder));
                for file in files(&folder) {
                    if let Some(original) = minted.get(&name(&file)) {
                        let same = fs::read(&file).unwrap() == fs::read(original).unwrap();
                        assert!(same, "{} differs from {}", file.display(), original.display());
                    }
                }
            }
        }
    }
}

fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file())
}

fn folders(parent: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).unwrap_or_else(|error| panic!("{}: {error}", parent.display()));
    let mut found: Vec<PathBuf> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

fn add(sources: &mut Sources, root: &Path, folder: &Path) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            add(sources, root, &path);
        } else if name(&path) != COMMAND {
            let shown = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            sources.add(shown, fs::read(&path).unwrap());
        }
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

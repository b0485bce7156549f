//! What the documentation names as a test is one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The names of functions that bear #[test], beneath folders.
fn tests(folders: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            for part in text.split("#[test]").skip(1) {
                let name = part.split_once("fn ").and_then(|(_, rest)| rest.split_once('('));
                found.extend(name.map(|(name, _)| name.to_owned()));
            }
        }
    }
    found
}

/// The words between backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_row_of_the_threat_model_names_tests_that_exist() {
    let tests = tests(&["plugin", "tests/tests"]);
    let text = fs::read_to_string(root().join("plugin/src/lib.rs")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("//! | "));
    let rows = rows.filter(|row| !row.starts_with("---") && !row.starts_with("bytes |"));
    let mut named = 0;
    for row in rows {
        let last = row.trim_end_matches([' ', '|']).rsplit(" | ").next().unwrap();
        assert!(quoted(last).count() > 0, "no test: {row}");
        for test in quoted(last) {
            assert!(tests.contains(test), "there is no test {test}");
            named += 1;
        }
    }
    assert!(named > 10, "{named} tests are named");
    let after = text.split_once("And what a gateway may answer without malice").unwrap().1;
    let sentence: Vec<&str> = after.lines().take(2).collect();
    let sentence = sentence.join("\n");
    assert!(quoted(&sentence).count() > 0);
    for test in quoted(&sentence) {
        assert!(tests.contains(test), "there is no test {test}");
    }
}

#[test]
fn the_files_that_the_readme_says_found_faults_are_there() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let table = readme.split_once("| fault | found by |").unwrap().1.split_once("\n\n").unwrap().0;
    let rows: Vec<&str> =
        table.lines().filter(|line| line.starts_with("| ") && !line.contains("---")).collect();
    assert!(rows.len() > 5, "{table}");
    for row in rows {
        let by = row.trim_end_matches([' ', '|']).rsplit(" | ").next().unwrap();
        let files = by.split([' ', ';', ',']).filter(|word| word.contains('/'));
        let mut named = 0;
        for file in files {
            assert!(root().join(file).exists(), "there is no {file}");
            named += 1;
        }
        assert!(named > 0, "no file: {row}");
    }
}

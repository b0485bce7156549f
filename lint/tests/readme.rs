//! Everything that the README shows is what happens: its `console` blocks are run and compared.
//!
//! `MTLS_UPDATE=1 cargo test -p mtls-lint --test readme` writes the output of today into the README.

#![expect(clippy::unwrap_used, reason = "the functions around the tests are tests too")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use mtls_lint::rules::RULES;

const TABLE_START: &str = "<!-- rules -->\n";
const TABLE_END: &str = "<!-- /rules -->\n";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What a command of the README prints, both streams.
fn output(line: &str) -> String {
    let script = line.replacen("mtls-lint", env!("CARGO_BIN_EXE_mtls-lint"), 1);
    let output = Command::new("sh")
        .args(["-c", &format!("{script} 2>&1")])
        .current_dir(root())
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    // trailing blanks would not survive an editor
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// The README as it should be: every command followed by its output, the table of rules up to date.
fn expected(readme: &str) -> String {
    let mut out = String::new();
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        let _ = writeln!(out, "{line}");
        if line != "```console" {
            continue;
        }
        for line in lines.by_ref() {
            if line == "```" {
                let _ = writeln!(out, "{line}");
                break;
            }
            if let Some(command) = line.strip_prefix("$ ") {
                let _ = writeln!(out, "{line}");
                out.push_str(&output(command));
            }
        }
    }
    let Some((before, rest)) = out.split_once(TABLE_START) else { return out };
    let Some((_, after)) = rest.split_once(TABLE_END) else { return out };
    format!("{before}{TABLE_START}{}{TABLE_END}{after}", table())
}

fn table() -> String {
    let mut table = String::from("| rule | severity | what it says |\n| --- | --- | --- |\n");
    for rule in RULES {
        let page = rule.page();
        let first = page.split("\n\n").next().unwrap_or_default().replace('\n', " ");
        let id = rule.id;
        let _ = writeln!(table, "| <a id=\"{id}\"></a>`{id}` | {} | {first} |", rule.severity.name());
    }
    table
}

#[test]
fn the_readme_shows_what_happens() {
    let path = root().join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let expected = expected(&readme);
    if std::env::var_os("MTLS_UPDATE").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    assert!(
        readme == expected || std::env::var_os("MTLS_UPDATE").is_some(),
        "the README is out of date: {}",
        {
            let differs = readme.lines().zip(expected.lines()).find(|(have, want)| have != want);
            format!("{differs:?}; MTLS_UPDATE=1 cargo test -p mtls-lint --test readme writes it anew")
        }
    );
    assert!(readme.contains(TABLE_START), "the README has a table of rules");
}

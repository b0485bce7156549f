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
        // help is as wide as the terminal
        .env_remove("COLUMNS")
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

/// The fenced block that follows a marker.
fn block<'r>(readme: &'r str, marker: &str) -> &'r str {
    let after = readme.split_once(marker).unwrap().1;
    after.split_once("```yaml\n").and_then(|(_, rest)| rest.split_once("```\n")).unwrap().0
}

/// The list of rules stands in the configuration's schema too.
#[test]
fn the_schema_of_the_configuration_is_the_published_one() {
    let path = root().join("lint/schema/config.json");
    let schema = mtls_lint::config::schema_text();
    if std::env::var_os("MTLS_UPDATE").is_some() {
        std::fs::write(&path, &schema).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == schema,
        "lint/schema/config.json is out of date; MTLS_UPDATE=1 cargo test -p mtls-lint --test readme writes it anew"
    );
}

#[test]
fn the_envoy_example_is_read_whole_and_without_a_finding() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let mut sources = mtls_lint::source::Sources::default();
    sources.add("envoy.yaml", block(&readme, "<!-- envoy.yaml -->"));
    let options = mtls_lint::Options {
        at: 1_795_392_000,
        assume: mtls_lint::assume::Assume::default(),
        expires_within: 0,
        command: None,
    };
    let report = mtls_lint::lint(&sources, &options);
    assert_eq!(report.incomplete, Vec::new());
    let findings: Vec<_> = report.findings.iter().map(|finding| (finding.rule, &finding.message)).collect();
    assert_eq!(findings, Vec::new());
    assert_eq!(report.connections.len(), 1);
}

#[test]
fn the_recipes_are_read_whole_and_without_a_finding() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    for marker in ["apisix config.yaml", "apisix route", "istio.yaml", "helm values.yaml"] {
        let mut sources = mtls_lint::source::Sources::default();
        let name = format!("{}.yaml", marker.split(['.', ' ']).next().unwrap());
        sources.add(name.as_str(), block(&readme, &format!("<!-- {marker} -->")));
        let options = mtls_lint::Options {
            at: 1_795_392_000,
            assume: mtls_lint::assume::Assume::default(),
            expires_within: 0,
            command: None,
        };
        let report = mtls_lint::lint(&sources, &options);
        assert_eq!(report.incomplete, Vec::new(), "{marker}");
        let findings: Vec<_> =
            report.findings.iter().map(|finding| (finding.rule, &finding.message)).collect();
        assert_eq!(findings, Vec::new(), "{marker}");
    }
}

#[test]
fn the_configuration_of_the_readme_is_one() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let mut sources = mtls_lint::source::Sources::default();
    let file = sources.add("mtls-lint.yaml", block(&readme, "<!-- mtls-lint.yaml -->"));
    let config = mtls_lint::config::Config::parse(&sources, file).unwrap();
    assert_eq!((config.levels.len(), config.ignores.len(), config.paths.exclude.len()), (2, 1, 1));
    for recipe in ["<!-- .pre-commit-config.yaml -->", "<!-- github -->", "<!-- gitlab -->"] {
        let file = sources.add("recipe.yaml", block(&readme, recipe));
        let parsed = mtls_lint::syntax::yaml::parse(&sources.text(file).unwrap());
        assert!(parsed.problems.is_empty() && parsed.documents.len() == 1, "{recipe}: {:?}", parsed.problems);
    }
}

#[test]
fn every_policy_of_the_readme_is_one() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let whole =
        readme.split("```yaml\n# policy.yaml\n").nth(1).and_then(|rest| rest.split("```\n").next()).unwrap();
    let mut policies = vec![whole.to_owned()];
    // policies within a block scalar: from `certificate:` to the last line that is as deep
    for (at, _) in readme.match_indices("certificate: {from: ").skip(1) {
        let line = readme[..at].rfind('\n').map_or(0, |end| end + 1);
        let indent = at - line;
        let lines =
            readme[line..].lines().take_while(|text| text.len() > indent && text[..indent].trim().is_empty());
        let text: String = lines.map(|text| format!("{}\n", &text[indent..])).collect();
        if indent > 0 && text.contains("rules:") {
            policies.push(text);
        }
    }
    assert_eq!(policies.len(), 4);
    for policy in policies {
        if let Err(error) = mtls_identity::policy::Policy::parse(&policy) {
            panic!("{error}\n{policy}");
        }
    }
}

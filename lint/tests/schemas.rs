//! What is printed for programs is what its schema says: SARIF by the official one, JSON by our own, for every fixture.
//!
//! `MTLS_UPDATE=1 cargo test -p mtls-lint --test readme` writes the configuration's schema anew.

#![expect(clippy::unwrap_used, clippy::panic, reason = "the functions around the tests are tests too")]

mod json_schema;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use json_schema::Schema;
use mtls_lint::assume::Assume;
use mtls_lint::config::Config;
use mtls_lint::finding::{Edit, Fix};
use mtls_lint::source::{Sources, Span};
use mtls_lint::{Options, Report, lint_with, render};
use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn output_schema() -> Value {
    read(&root().join("lint/schema/output.json"))
}

/// Every folder that a run could be about: the deployments and the cases of rules.
fn folders() -> Vec<PathBuf> {
    let below = |folder: PathBuf| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut found: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
        found.sort();
        found
    };
    let rules = below(root().join("fixtures/rules")).into_iter().flat_map(below);
    below(root().join("fixtures/deployments")).into_iter().chain(rules).collect()
}

fn judge(folder: &Path) -> Report {
    let mut sources = Sources::default();
    sources.root = folder.join("etc").is_dir();
    let mut waiting = vec![folder.to_path_buf()];
    let mut files = Vec::new();
    while let Some(next) = waiting.pop() {
        for path in fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() { waiting.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    for path in files {
        sources.add(path.strip_prefix(folder).unwrap().to_str().unwrap(), fs::read(&path).unwrap());
    }
    let options =
        Options { at: 1_795_392_000, assume: Assume::default(), expires_within: 30 * 86_400, command: None };
    let config = Config::find(&sources).map(|file| Config::parse(&sources, file).unwrap());
    let mut report = lint_with(&sources, &options, &config.unwrap_or_default());
    // edits come from rules; here some stand where they could
    for finding in &mut report.findings {
        if let (Some(label), None) = (finding.labels.first(), &finding.fix) {
            let behind = Span { start: label.span.end, ..label.span };
            let edits =
                vec![Edit { span: label.span, text: "x".into() }, Edit { span: behind, text: "ü\n".into() }];
            finding.fix = Some(Fix { title: "write x".into(), edits });
        }
    }
    report
}

#[test]
fn sarif_is_valid_by_the_official_schema_for_every_fixture() {
    let document = read(&root().join("fixtures/schemas/sarif-2.1.0.json"));
    let schema = Schema::new(&document);
    let (mut results, mut suppressed, mut fixes) = (0, 0, 0);
    let mut rules = Value::Null;
    for folder in folders() {
        let report = judge(&folder);
        // nothing but the catalogue, which takes its time
        if results > 0 && report.findings.is_empty() && report.suppressed.is_empty() {
            continue;
        }
        let mut log: Value = serde_json::from_str(&render::sarif::check(&report)).unwrap();
        // the catalogue is the same in each: once is enough
        let catalogue = log["runs"][0]["tool"]["driver"]["rules"].take();
        if rules.is_null() {
            rules = catalogue.clone();
            log["runs"][0]["tool"]["driver"]["rules"] = catalogue;
        } else {
            assert!(rules == catalogue, "{}", folder.display());
            log["runs"][0]["tool"]["driver"].as_object_mut().unwrap().remove("rules");
        }
        let wrong = schema.mistakes(&log);
        assert!(wrong.is_empty(), "{}: {wrong:#?}", folder.display());
        for result in log["runs"][0]["results"].as_array().unwrap() {
            results += 1;
            suppressed += usize::from(result.get("suppressions").is_some());
            fixes += usize::from(result.get("fixes").is_some());
            let rule = &rules[result["ruleIndex"].as_u64().unwrap() as usize];
            assert_eq!(rule["id"], result["ruleId"]);
            assert!(rule["help"]["markdown"].as_str().unwrap().contains("## How to fix"));
        }
    }
    assert!(results > 50 && suppressed > 0 && fixes > 0, "{results} {suppressed} {fixes}");
}

#[test]
fn a_finding_keeps_its_fingerprint_when_its_line_moves() {
    let folder = root().join("fixtures/rules/unused-allowance/bad-comment");
    let text = fs::read_to_string(folder.join("nginx.conf")).unwrap();
    let prints = |text: String| -> Vec<Value> {
        let mut sources = Sources::default();
        sources.add("nginx.conf", text);
        let options =
            Options { at: 1_795_392_000, assume: Assume::default(), expires_within: 0, command: None };
        let report = lint_with(&sources, &options, &Config::default());
        let log: Value = serde_json::from_str(&render::sarif::check(&report)).unwrap();
        let results = log["runs"][0]["results"].as_array().unwrap().iter();
        results.map(|result| result["partialFingerprints"]["mtlsLintLine/v1"].clone()).collect()
    };
    let before = prints(text.clone());
    assert_eq!(before.len(), 1);
    assert_eq!(prints(format!("# one\n\n# two\n{}", text.replace("            # ", "  # "))), before);
    assert_ne!(prints(text.replace("before March", "before May")), before);
}

#[test]
fn the_validator_refuses_what_the_official_schema_refuses() {
    let document = read(&root().join("fixtures/schemas/sarif-2.1.0.json"));
    let schema = Schema::new(&document);
    let folder = root().join("fixtures/rules/unused-allowance/bad-comment");
    let good: Value = serde_json::from_str(&render::sarif::check(&judge(&folder))).unwrap();
    type Damage = fn(&mut Value);
    let damages: &[(&str, Damage)] = &[
        ("version", |log| log["version"] = json!("2.0.0")),
        ("level", |log| log["runs"][0]["results"][0]["level"] = json!("fatal")),
        ("line 0", |log| {
            log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] = json!(0)
        }),
        ("unknown", |log| log["runs"][0]["results"][0]["colour"] = json!("red")),
        ("no message", |log| {
            log["runs"][0]["results"][0].as_object_mut().unwrap().remove("message");
        }),
        ("no text", |log| log["runs"][0]["results"][0]["message"] = json!({"id": 1})),
        ("twice", |log| {
            let location = log["runs"][0]["results"][0]["relatedLocations"][0].clone();
            log["runs"][0]["results"][0]["relatedLocations"] = json!([location, location]);
        }),
    ];
    for (name, damage) in damages {
        let mut log = good.clone();
        damage(&mut log);
        assert!(!schema.mistakes(&log).is_empty(), "{name}");
    }
}

#[test]
fn json_is_valid_by_the_published_schema_for_every_fixture() {
    let document = output_schema();
    let schema = Schema::new(&document).strict();
    for folder in folders() {
        let report = judge(&folder);
        for (definition, text) in
            [("check", render::json::check(&report)), ("predict", render::json::predict(&report))]
        {
            let value: Value = serde_json::from_str(&text).unwrap();
            let wrong = schema.mistakes_of(&format!("#/definitions/{definition}"), &value);
            assert!(wrong.is_empty(), "{} {definition}: {wrong:#?}", folder.display());
        }
    }
}

fn run(arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_mtls-lint"))
        .args(arguments)
        .args(["--at", "2026-11-23T00:00:00Z", "--format", "json"])
        .current_dir(root())
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error} {}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn inspect_and_decide_are_valid_by_the_published_schema() {
    let document = output_schema();
    let schema = Schema::new(&document).strict();
    let mut files: Vec<String> = fs::read_dir(root().join("fixtures/pki"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| path.to_str().unwrap().to_owned())
        .collect();
    files.sort();
    let arguments: Vec<&str> = ["inspect"].into_iter().chain(files.iter().map(String::as_str)).collect();
    let wrong = schema.mistakes_of("#/definitions/inspect", &run(&arguments));
    assert!(wrong.is_empty(), "{wrong:#?}");

    let policy = std::env::temp_dir().join(format!("mtls-lint-policy-{}.yaml", std::process::id()));
    fs::write(
        &policy,
        "certificate: {from: envoy}\nidentities: {shop: {spiffe: spiffe://example.test/ns/shop/sa/web}}\nrules: [{name: \
         all, allow: shop}]\n",
    )
    .unwrap();
    let policy_path = policy.to_str().unwrap();
    for certificate in [None, Some("fixtures/pki/decisions/web.pem")] {
        let mut arguments = vec!["decide", "--policy", policy_path];
        arguments.extend(certificate.into_iter().flat_map(|certificate| ["--certificate", certificate]));
        let wrong = schema.mistakes_of("#/definitions/decide", &run(&arguments));
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
    fs::remove_file(policy).unwrap();
}

#[test]
fn schemas_are_printed_by_the_program() {
    let printed = |what: &str| -> Value {
        let output = Command::new(env!("CARGO_BIN_EXE_mtls-lint")).args(["schema", what]).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    };
    assert_eq!(printed("output"), output_schema());
    assert_eq!(printed("config"), mtls_lint::config::schema());
}

/// What the schema and the reader say of the same configurations, written as JSON.
#[test]
fn the_schema_of_the_configuration_and_its_reader_agree() {
    let document = mtls_lint::config::schema();
    let schema = Schema::new(&document);
    for (good, config) in [
        (true, json!({})),
        (true, json!({"rules": {"literal-password": "off", "weak-key": "advice"}})),
        (true, json!({"ignore": [{"rule": "weak-key", "reason": "old appliance"}]})),
        (
            true,
            json!({"ignore": [{"rule": ["weak-key", "name-mismatch"], "file": ["a/**", "b"], "name": "Pod *",
                               "reason": "old appliance", "expires": "2027-03-31"}]}),
        ),
        (true, json!({"assume": {"nginx": "1.26.3", "openssl-seclevel": 2}})),
        (true, json!({"assume": ["nginx=1.26.3"]})),
        (true, json!({"paths": {"include": "deploy", "exclude": ["vendor", "*.bak"]}})),
        (true, json!({"expires-within": "1d12h", "deny": "never"})),
        (false, json!({"rule": {}})),
        (false, json!({"rules": {"weak-kee": "off"}})),
        (false, json!({"rules": {"weak-key": "on"}})),
        (false, json!({"rules": ["weak-key"]})),
        (false, json!({"ignore": [{"rule": "weak-key"}]})),
        (false, json!({"ignore": [{"rule": "weak-key", "reason": "--"}]})),
        (false, json!({"ignore": [{"reason": "old"}]})),
        (false, json!({"ignore": [{"rule": "weak-kee", "reason": "old"}]})),
        (false, json!({"ignore": [{"rule": "weak-key", "reason": "old", "expires": "soon"}]})),
        (false, json!({"ignore": [{"rule": "weak-key", "reason": "old", "path": "a"}]})),
        (false, json!({"ignore": {"rule": "weak-key", "reason": "old"}})),
        (false, json!({"assume": {"apache": "2"}})),
        (false, json!({"assume": ["nginx"]})),
        (false, json!({"paths": {"only": "a"}})),
        (false, json!({"expires-within": "30"})),
        (false, json!({"deny": "all"})),
        (false, json!([])),
    ] {
        let mut sources = Sources::default();
        let file = sources.add("mtls-lint.yaml", config.to_string());
        let read = Config::parse(&sources, file);
        assert_eq!(read.is_ok(), good, "the reader: {config}: {read:?}");
        let wrong = schema.mistakes(&config);
        assert_eq!(wrong.is_empty(), good, "the schema: {config}: {wrong:?}");
    }
}

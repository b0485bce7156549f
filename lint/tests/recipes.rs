//! What the repository offers to hooks and pipelines does what it says: the action's own script is run.

#![expect(clippy::unwrap_used, reason = "the functions around the tests are tests too")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use mtls_lint::source::Sources;
use mtls_lint::syntax::yaml::{self, Node};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn document(path: &str) -> yaml::Document {
    let mut sources = Sources::default();
    let file = sources.add(path, fs::read(root().join(path)).unwrap());
    let mut parsed = yaml::parse(&sources.text(file).unwrap());
    assert!(parsed.problems.is_empty(), "{:?}", parsed.problems);
    parsed.documents.pop().unwrap()
}

const ACTION: &str = ".github/actions/mtls-lint";

/// Exit status and standard output of the action's step.
fn act(paths: &str, arguments: &str, sarif: &str) -> (i32, String) {
    let action = document(&format!("{ACTION}/action.yml"));
    let step = action.root().at(&["runs", "steps"]).unwrap().items().next().unwrap();
    let script = step.get("run").and_then(Node::as_str).unwrap();
    // every input comes in by the environment: nothing that a user writes becomes a command
    assert!(!script.contains("${{"));
    let inputs = action.root().get("inputs").unwrap();
    for (name, _) in inputs.entries() {
        let name = name.as_str().unwrap();
        let variable = step.at(&["env", &name.to_uppercase()]).and_then(Node::as_str);
        assert_eq!(variable, Some(format!("${{{{ inputs.{name} }}}}").as_str()));
    }
    let output = Command::new("bash")
        .args(["-e", "-c", script])
        .current_dir(root())
        .env("PATHS", paths)
        .env("ARGUMENTS", arguments)
        .env("SARIF", sarif)
        .env("GITHUB_ACTION_PATH", root().join(ACTION))
        .env("MTLS_LINT", env!("CARGO_BIN_EXE_mtls-lint"))
        .output()
        .unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_action_annotates_and_writes_sarif() {
    let sarif = std::env::temp_dir().join(format!("mtls-lint-action-{}.sarif", std::process::id()));
    let at = "--at 2026-11-23T00:00:00Z";
    let (status, out) = act("fixtures/deployments/apisix-mtls-article", at, sarif.to_str().unwrap());
    assert_eq!(status, 1, "{out}");
    assert!(out.contains("::error file=fixtures/deployments/apisix-mtls-article/"), "{out}");
    let log: serde_json::Value = serde_json::from_str(&fs::read_to_string(&sarif).unwrap()).unwrap();
    assert!(!log["runs"][0]["results"].as_array().unwrap().is_empty());
    fs::remove_file(&sarif).unwrap();
    let (status, out) = act("fixtures/deployments/apisix-mtls", at, "");
    assert_eq!((status, out.as_str()), (0, ""));
    // a log among the files is not read as one of them, nor when it is there from an earlier run
    let folder = std::env::temp_dir().join(format!("mtls-lint-action-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    for entry in fs::read_dir(root().join("fixtures/deployments/apisix-mtls")).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
    }
    let log = folder.join("mtls-lint.sarif");
    for _ in 0..2 {
        let (status, out) = act(folder.to_str().unwrap(), at, log.to_str().unwrap());
        assert_eq!((status, out.as_str()), (0, ""));
        assert!(fs::metadata(&log).unwrap().len() > 1000);
    }
    fs::remove_dir_all(&folder).unwrap();
    let (status, _) = act("fixtures/deployments/apisix-mtls $(exit) ;", at, "");
    assert_eq!(status, 2, "what is not there is named, and nothing is run");
}

#[test]
fn the_hook_runs_a_program_of_the_repository() {
    let hooks = document(".pre-commit-hooks.yaml");
    let hook = hooks.root().items().next().unwrap();
    let entry = hook.get("entry").and_then(Node::as_str).unwrap();
    let (program, command) = entry.split_once(' ').unwrap();
    let mode = fs::metadata(root().join(program)).unwrap().permissions().mode();
    assert_eq!((command, mode & 0o111), ("check", 0o111));
    let output = Command::new(root().join(program))
        .args([command, "fixtures/deployments/apisix-mtls", "--at", "2026-11-23T00:00:00Z"])
        .current_dir(root())
        .env("MTLS_LINT", env!("CARGO_BIN_EXE_mtls-lint"))
        .output()
        .unwrap();
    assert!(output.status.success());
    let files = regex_lite::Regex::new(hook.get("files").and_then(Node::as_str).unwrap()).unwrap();
    for (name, expected) in [("a/nginx.conf", true), ("b.yml", true), ("ca.crt", true), ("README.md", false)]
    {
        assert_eq!(files.is_match(name), expected, "{name}");
    }
}

//! Input that is not what it claims: one clear message, exit status 2, and the rest is still checked.

#![expect(clippy::unwrap_used, reason = "the functions around the tests are tests too")]

mod folder;

use std::path::Path;
use std::process::Command;

use folder::Folder;

const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata:\n  name: a\nspec:\n  ports:\n    - port: 1\n";

/// Exit status, standard output and standard error of `check`.
fn check(path: &Path) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_mtls-lint"))
        .args(["check", "--at", "2026-11-23T00:00:00Z", "--color", "never"])
        .arg(path)
        .output()
        .unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn each_kind_of_bad_file_is_named_with_its_place_and_the_rest_is_checked() {
    let cases: &[(&str, &str, &[u8], &str)] = &[
        ("tab", "a.yaml", b"apiVersion: v1\nkind: Service\nmetadata:\n\tname: a\n", "a.yaml:4:"),
        ("quote", "a.yaml", b"apiVersion: v1\nkind: \"Service\nmetadata: {}\n", "a.yaml:2:"),
        ("binary", "a.yaml", b"apiVersion: v1\n\xff\xfe\x00", "a.yaml:2:1: this is no text"),
        ("empty", "a.yaml", b"", "a.yaml: the file is empty"),
        (
            "cut",
            "a.pem",
            b"text\n-----BEGIN CERTIFICATE-----\nMIIB\n",
            "a.pem:2:1: the CERTIFICATE block has no END",
        ),
        (
            "body",
            "a.pem",
            b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
            "a.pem:1:1: the body of the CERTIFICATE block is not base64",
        ),
        (
            "include",
            "nginx.conf",
            b"events {}\nhttp { include more.conf; }\n",
            "nginx.conf:2:16: the included file",
        ),
        ("braces", "a.json", b"{\"apiVersion\": \"v1\", ", "a.json:1:"),
        (
            "keys",
            "a.yaml",
            b"apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n  name: b\nspec: {}\n",
            "a.yaml:5:",
        ),
    ];
    for (name, file, bytes, expected) in cases {
        let folder = Folder::new(name);
        folder.write(file, bytes);
        folder.write("good.yaml", SERVICE);
        let (status, _, errors) = check(&folder.0);
        assert!(errors.contains(expected), "{name}: {errors}");
        assert_eq!(status, 2, "{name}: {errors}");
    }
}

#[test]
fn the_report_itself_is_no_input() {
    let folder = Folder::new("report");
    folder.write("good.yaml", SERVICE);
    let report = std::fs::File::create(folder.0.join("report.json")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_mtls-lint"))
        .args(["check", "--format", "json"])
        .arg(&folder.0)
        .stdout(report)
        .output()
        .unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{errors}");
    // another one's is
    let other = std::fs::File::create(folder.0.join("other.json")).unwrap();
    drop(other);
    assert_eq!(check(&folder.0).0, 2);
}

#[test]
fn a_path_that_does_not_exist_is_named() {
    let (status, _, errors) = check(Path::new("/does/not/exist"));
    assert_eq!(status, 2);
    assert!(errors.contains("/does/not/exist: does not exist"), "{errors}");
}

#[test]
fn a_folder_without_a_readable_file_is_named() {
    let folder = Folder::new("nothing");
    let (status, _, errors) = check(&folder.0);
    assert_eq!(status, 2);
    assert!(errors.contains("no file in this folder"), "{errors}");
}

#[test]
fn symbolic_links_in_a_circle_end() {
    let folder = Folder::new("circle");
    folder.write("good.yaml", SERVICE);
    std::os::unix::fs::symlink("b.yaml", folder.0.join("a.yaml")).unwrap();
    std::os::unix::fs::symlink("a.yaml", folder.0.join("b.yaml")).unwrap();
    let (status, _, errors) = check(&folder.0);
    assert_eq!(status, 2);
    assert!(errors.contains("leads in a circle"), "{errors}");
}

#[test]
fn a_link_out_of_the_given_path_is_not_followed() {
    let outside = Folder::new("outside");
    outside.write("secret.yaml", "apiVersion: v1\nkind: [broken\n");
    let folder = Folder::new("inside");
    folder.write("good.yaml", SERVICE);
    std::os::unix::fs::symlink(outside.0.join("secret.yaml"), folder.0.join("a.yaml")).unwrap();
    let (status, _, errors) = check(&folder.0);
    assert_eq!(status, 0);
    let note = format!("mtls-lint: note: {}: the symbolic link leads out", folder.0.join("a.yaml").display());
    assert!(errors.starts_with(&note) && errors.lines().count() == 1, "{errors}");
}

#[test]
fn what_is_left_out_is_noted_and_changes_no_status() {
    let folder = Folder::new("left-out");
    folder.write(
        "nginx.conf",
        "events {}\nhttp {\n  include /etc/nginx/mime.types;\n  include /srv/sites/*.conf;\n  include /srv/tls.conf;\n}\n",
    );
    folder.write(
        "lds.yaml",
        "resources:\n- '@type': type.googleapis.com/envoy.config.listener.v3.Listener\n  name: edge\n",
    );
    folder.write("app/kustomization.yaml", "resources: [service.yaml]\npatches:\n- path: patch.yaml\n");
    folder.write("app/service.yaml", SERVICE);
    folder.write("app/patch.yaml", SERVICE);
    let (status, _, errors) = check(&folder.0);
    let lines: Vec<&str> = errors.lines().collect();
    assert_eq!((status, lines.len()), (0, 3), "{errors}");
    let place = |path: &str| format!("mtls-lint: note: {}:", folder.0.join(path).display());
    assert!(lines[0].starts_with(&format!("{}4:11: the include /srv/sites/*.conf", place("nginx.conf"))));
    assert!(lines[0].ends_with("(1 more like it)"), "{errors}");
    assert!(lines[1].starts_with(&format!("{}2:1: patches are not merged", place("app/kustomization.yaml"))));

    assert!(lines[2].ends_with(
        "lds.yaml: these resources are read with the bootstrap that names this file: give it too"
    ));

    let printed = |format: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_mtls-lint"))
            .args(["check", "--format", format])
            .arg(&folder.0)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let notes = &printed("json")["notes"];
    assert_eq!(notes.as_array().map(Vec::len), Some(4), "{notes}");
    assert_eq!(notes[0]["start"]["line"], 4);
    let told = &printed("sarif")["runs"][0]["invocations"][0];
    assert_eq!(told["executionSuccessful"], true);
    let levels = told["toolExecutionNotifications"].as_array().unwrap().iter();
    assert_eq!(levels.map(|note| note["level"].as_str().unwrap()).collect::<Vec<_>>(), ["note"; 4]);
}

#[test]
fn without_a_path_the_program_says_what_to_name() {
    let output = Command::new(env!("CARGO_BIN_EXE_mtls-lint")).arg("check").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nothing to read"));
}

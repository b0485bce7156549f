//! mtls-lint.yaml, comments and baselines on the command line.

#![expect(clippy::unwrap_used, reason = "the functions around the tests are tests too")]

mod folder;

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use folder::Folder;

impl Folder {
    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }

    /// Exit status, standard output, standard error of a run within the folder.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        run_in(&self.0, arguments, "")
    }
}

fn run_in(folder: &Path, arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mtls-lint"))
        .args(arguments)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

const CHECK: [&str; 3] = ["check", "--at", "2026-11-23T00:00:00Z"];

fn check<'a>(more: &[&'a str]) -> Vec<&'a str> {
    CHECK.iter().copied().chain(more.iter().copied()).collect()
}

/// An nginx that checks none of these servers.
fn nginx(servers: &[&str]) -> String {
    let mut text = "events {}\nhttp {\n  server {\n    listen 127.0.0.1:8080;\n".to_owned();
    for (index, server) in servers.iter().enumerate() {
        writeln!(text, "    location /{index} {{\n      proxy_pass https://{server};\n    }}").unwrap();
    }
    text.push_str("  }\n}\n");
    text
}

const IGNORE: &str = "ignore:\n  - rule: unverified-server\n    reason: the backends move in March\n";

#[test]
fn the_nearest_configuration_upwards_from_the_first_path_holds() {
    let folder = Folder::new("nearest");
    folder.write("mtls-lint.yaml", IGNORE);
    folder.write("deep/er/nginx.conf", nginx(&["a.test"]));
    folder.write("deep/other/nginx.conf", nginx(&["b.test"]));
    for (within, path) in [(".", "deep/er"), ("deep", "er/nginx.conf"), ("deep/er", ".")] {
        let (status, out, errors) = run_in(&folder.0.join(within), &check(&[path]), "");
        assert_eq!((status, errors.as_str()), (0, ""), "{within} {path}: {out}");
        assert!(out.starts_with("no findings; 1 suppressed;"), "{out}");
    }
    // a nearer one, one that is named, and none
    folder.write("deep/mtls-lint.yaml", "deny: never\n");
    let (status, out, _) = folder.run(&check(&["deep/er"]));
    assert!(status == 0 && out.contains("1 error"), "{out}");
    let (status, out, _) = folder.run(&check(&["deep/er", "--config", "mtls-lint.yaml"]));
    assert!(status == 0 && out.starts_with("no findings"), "{out}");
    let (status, out, _) = folder.run(&check(&["deep/er", "--no-config"]));
    assert!(status == 1 && out.contains("1 error"), "{out}");
    // the top of a repository ends the search
    fs::create_dir(folder.0.join("deep/er/.git")).unwrap();
    let (status, _, _) = folder.run(&check(&["deep/er"]));
    assert_eq!(status, 1);
}

#[test]
fn an_explicit_flag_wins_over_the_file() {
    let folder = Folder::new("explicit");
    folder.write("nginx.conf", nginx(&["a.test"]));
    folder.write(
        "mtls-lint.yaml",
        "deny: never\nrules: {unverified-server: advice}\nassume: {nginx: 1.22.1}\n",
    );
    let (status, out, _) = folder.run(&check(&["."]));
    assert!(status == 0 && out.contains("1 piece of advice"), "{out}");
    let (status, _, _) = folder.run(&check(&[".", "--deny", "advice"]));
    assert_eq!(status, 1);
    let (status, _, errors) = folder.run(&check(&[".", "--assume", "nginx=new"]));
    assert!(status == 2 && errors.contains("no version"), "{errors}");
    folder.write("mtls-lint.yaml", "rules: {unverified-server: off}\n");
    let (status, out, _) = folder.run(&check(&["."]));
    assert!(status == 0 && out.starts_with("no findings; 1 connection"), "{out}");
}

#[test]
fn a_mistake_in_the_configuration_is_named_on_its_line_and_nothing_is_checked() {
    let folder = Folder::new("mistake");
    folder.write("nginx.conf", nginx(&["a.test"]));
    folder.write("mtls-lint.yaml", "deny: error\nignroe: []\nrules:\n  unverifed-server: off\n");
    let (status, out, errors) = folder.run(&check(&["."]));
    assert_eq!((status, out.as_str()), (2, ""));
    assert!(
        errors.contains("mtls-lint.yaml:2:1: the configuration has no key ignroe; did you mean ignore?"),
        "{errors}"
    );
    assert!(
        errors.contains("mtls-lint.yaml:4:3: there is no rule unverifed-server; did you mean"),
        "{errors}"
    );
    let (status, _, errors) = folder.run(&check(&[".", "--config", "nowhere.yaml"]));
    assert!(status == 2 && errors.contains("nowhere.yaml: does not exist"), "{errors}");
}

#[test]
fn ignores_reach_as_far_as_their_files_and_names() {
    let folder = Folder::new("reach");
    folder.write("old/nginx.conf", nginx(&["a.test"]));
    folder.write("new/nginx.conf", nginx(&["b.test"]));
    folder.write("mtls-lint.yaml", format!("{IGNORE}    file: old/**\n"));
    let (status, out, _) = folder.run(&check(&["old"]));
    assert_eq!(status, 0, "{out}");
    let (status, out, _) = folder.run(&check(&["new"]));
    assert!(status == 1 && !out.contains("unused-allowance"), "{out}");
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: store, namespace: demo}\nspec:\n  containers:\n    - name: etcd\n      \
               image: bitnami/etcd:3.5.7\n      env:\n        - {name: ETCD_ROOT_PASSWORD, value: hunter2}\n";
    folder.write("pods/a.yaml", format!("{pod}---\n{}", pod.replace("store", "other")));
    for (name, left) in [("Pod demo/store", 1), ("Pod demo/*", 0), ("Pod other/*", 2)] {
        let ignore =
            format!("ignore:\n- {{rule: literal-password, name: {name}, reason: a demonstration}}\n");
        folder.write("mtls-lint.yaml", ignore);
        let (_, out, _) = folder.run(&check(&["pods", "--format", "json"]));
        let report: serde_json::Value = serde_json::from_str(&out).unwrap();
        let count = |list: &str| {
            let list = report[list].as_array().unwrap();
            list.iter().filter(|finding| finding["rule"] == "literal-password").count()
        };
        assert_eq!((count("findings"), count("suppressed")), (left, 2 - left), "{name}: {out}");
        assert!(!out.contains("hunter2"));
        if left < 2 {
            let suppression = &report["suppressed"][0]["suppression"];
            assert_eq!(suppression["by"], "configuration");
            assert_eq!(suppression["reason"], "a demonstration");
        }
    }
}

#[test]
fn files_that_are_left_out_are_not_seen_and_not_missing() {
    let folder = Folder::new("paths");
    folder.write("a/nginx.conf", nginx(&["a.test"]));
    folder.write("vendor/nginx.conf", nginx(&["b.test"]));
    folder.write("mtls-lint.yaml", "paths: {exclude: [vendor]}\n");
    let (_, out, _) = folder.run(&check(&["."]));
    assert!(out.contains("https://a.test") && !out.contains("b.test"), "{out}");
    // what is named is read
    let (_, out, _) = folder.run(&check(&["vendor/nginx.conf"]));
    assert!(out.contains("https://b.test"), "{out}");
    folder.write("mtls-lint.yaml", "paths: {include: [vendor/*.conf]}\n");
    let (_, out, _) = folder.run(&check(&["."]));
    assert!(!out.contains("a.test") && out.contains("https://b.test"), "{out}");
    // a bundle that is left out may hold anything
    let trusting = "proxy_ssl_verify on; proxy_ssl_trusted_certificate ca.pem;\n      proxy_pass";
    folder.write("a/nginx.conf", nginx(&["a.test"]).replace("proxy_pass", trusting));
    folder.write("a/ca.pem", "no certificate");
    folder.write("mtls-lint.yaml", "paths: {exclude: ['*.pem']}\n");
    let (status, out, errors) = folder.run(&check(&["a"]));
    assert_eq!((status, errors.as_str()), (0, ""), "{out}");
}

/// A configuration names its files in full, and the folder is given as one stands in it.
#[test]
fn files_named_in_full_are_found_among_relative_paths() {
    let folder = Folder::new("in-full");
    let place = fs::canonicalize(&folder.0).unwrap();
    let text = nginx(&["a.test"]).replace(
        "proxy_pass",
        &format!(
            "proxy_ssl_verify on; proxy_ssl_trusted_certificate {}/pki/ca.pem;\n      proxy_pass",
            place.display()
        ),
    );
    folder.write("nginx.conf", text);
    folder.write("pki/ca.pem", "no certificate\n");
    for paths in [&["nginx.conf", "pki"][..], &["."][..]] {
        let (status, out, _) = folder.run(&check(paths));
        assert!(status == 1 && out.contains("empty-trust-bundle"), "{paths:?}: {out}");
    }
}

#[test]
fn objects_of_apisix_without_a_gateway_are_noted() {
    let folder = Folder::new("objects");
    let tls = "apiVersion: apisix.apache.org/v2\nkind: ApisixTls\nmetadata: {name: shop, namespace: edge}\nspec:\n  \
               hosts: [shop.example]\n  secret: {name: shop-tls, namespace: edge}\n";
    folder.write("tls.yaml", tls);
    let (status, _, errors) = folder.run(&check(&["."]));
    assert_eq!(status, 0, "{errors}");
    assert!(errors.contains("tls.yaml:1:1: objects of APISIX are judged with the gateway"), "{errors}");
}

#[test]
fn comments_allow_where_they_stand_and_say_so_when_they_do_nothing() {
    let folder = Folder::new("comments");
    let text = nginx(&["a.test", "b.test"]);
    let allow = "# mtls-lint: allow(unverified-server) it is on this machine";
    folder.write("nginx.conf", text.replace("https://a.test;", &format!("https://a.test; {allow}")));
    let (status, out, _) = folder.run(&check(&["."]));
    assert!(status == 1 && out.contains("https://b.test") && out.contains("1 error; 1 suppressed"), "{out}");
    folder.write("nginx.conf", text.replace("  server {", &format!("  {allow}\n  server {{")));
    let (status, out, _) = folder.run(&check(&[".", "--format", "junit"]));
    assert!(status == 0 && out.contains("failures=\"0\"") && out.contains("skipped=\"2\""), "{out}");
    assert!(out.contains("<skipped message=\"it is on this machine\"/>"), "{out}");
    folder.write(
        "nginx.conf",
        text.replace(
            "  server {",
            &format!("  {}\n  server {{", allow.replace("unverified-server", "weak-key")),
        ),
    );
    let (_, out, _) = folder.run(&check(&["."]));
    assert!(out.contains("unused-allowance"), "{out}");
    // one that stands beside what it should allow is not for --fix to remove
    let beside = text.replacen("http {", &format!("http {{ {allow}"), 1);
    assert_ne!(beside, text);
    folder.write("nginx.conf", beside);
    let (_, out, _) = folder.run(&check(&["."]));
    assert!(out.contains("occurs elsewhere in this file") && out.contains("it occurs here"), "{out}");
    let (_, out, _) = folder.run(&check(&[".", "--diff"]));
    assert!(!out.contains(&format!("-  {allow}")) && !out.contains(&format!("-http {{ {allow}")), "{out}");
    // what cannot be read may hold what is allowed
    folder.write("broken.yaml", "a: [");
    let (status, out, _) = folder.run(&check(&["."]));
    assert!(status == 2 && !out.contains("unused-allowance"), "{out}");
}

#[test]
fn comments_hold_within_a_config_map_and_above_a_certificate() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
    let folder = Folder::new("embedded");
    for entry in fs::read_dir(fixtures.join("deployments/apisix-mtls-article")).unwrap() {
        let entry = entry.unwrap();
        folder.write(entry.file_name().to_str().unwrap(), fs::read(entry.path()).unwrap());
    }
    let (_, before, _) = folder.run(&check(&["."]));
    assert!(before.contains("unasked-client-certificate"), "{before}");
    let backend = folder.read("5-backend.yaml");
    let comment = "      # mtls-lint: allow(unasked-client-certificate) the route decides\n      server {";
    folder.write("5-backend.yaml", backend.replacen("      server {", comment, 1));
    let (_, after, _) = folder.run(&check(&["."]));
    assert!(!after.contains("unasked-client-certificate") && after.contains("1 suppressed"), "{after}");

    let case = fixtures.join("rules/expired-certificate/bad-server/etc");
    let machine = Folder::new("machine");
    for name in [
        "hosts",
        "nginx/nginx.conf",
        "tls/ca.pem",
        "tls/client.pem",
        "tls/client.key",
        "tls/server-expired.key",
    ] {
        machine.write(&format!("etc/{name}"), fs::read(case.join(name)).unwrap());
    }
    let certificate = fs::read_to_string(case.join("tls/server-expired.pem")).unwrap();
    let allowed =
        format!("subject: server\n# mtls-lint: allow(expired-certificate) replaced tonight\n{certificate}");
    for (text, expected) in [(certificate, 1), (allowed, 0)] {
        machine.write("etc/tls/server-expired.pem", text);
        let (status, out, errors) = machine.run(&check(&["--root", "."]));
        assert_eq!(status, expected, "{out} {errors}");
    }
}

#[test]
fn a_baseline_keeps_what_was_there_and_lets_through_what_is_new() {
    let folder = Folder::new("baseline");
    folder.write("conf/nginx.conf", nginx(&["a.test", "b.test"]));
    let (status, out, errors) = folder.run(&check(&["conf", "--write-baseline", "known.yaml"]));
    assert!(status == 0 && out.starts_with("no findings; 2 suppressed"), "{out}");
    assert_eq!(errors, "mtls-lint: 2 findings written to known.yaml\n");
    let written = folder.read("known.yaml");
    assert_eq!(
        written
            .matches("\n  - {file: \"conf/nginx.conf\", rule: \"unverified-server\", fingerprint: \"")
            .count(),
        2
    );
    // moved, indented otherwise, seen from elsewhere
    let moved = format!("# one\n# two\n{}", nginx(&["a.test", "b.test"]).replace("      ", "\t  "));
    folder.write("conf/nginx.conf", &moved);
    for (within, path, file) in [(".", "conf", "known.yaml"), ("conf", "nginx.conf", "../known.yaml")] {
        let (status, out, errors) = run_in(&folder.0.join(within), &check(&[path, "--baseline", file]), "");
        assert_eq!((status, errors.as_str()), (0, ""), "{out}");
    }
    // one more is new
    folder.write("conf/nginx.conf", nginx(&["a.test", "b.test", "c.test"]));
    let (status, out, _) = folder.run(&check(&["conf", "--baseline", "known.yaml"]));
    assert!(status == 1 && out.contains("https://c.test") && out.contains("1 error; 2 suppressed"), "{out}");
    // one is gone, and forgotten when it is written anew; permissions stay
    folder.write("conf/nginx.conf", nginx(&["b.test"]));
    let (status, _, errors) = folder.run(&check(&["conf", "--baseline", "known.yaml"]));
    assert!(
        status == 0 && errors.contains("1 finding of known.yaml is gone; --write-baseline known.yaml"),
        "{errors}"
    );
    fs::set_permissions(folder.0.join("known.yaml"), fs::Permissions::from_mode(0o600)).unwrap();
    let both = ["conf", "--baseline", "known.yaml", "--write-baseline", "known.yaml"];
    let (status, _, _) = folder.run(&check(&both));
    assert_eq!((status, folder.read("known.yaml").matches("fingerprint").count()), (0, 1));
    let mode = fs::metadata(folder.0.join("known.yaml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let left: Vec<_> = fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn a_baseline_that_cannot_be_read_or_written_is_an_error() {
    let folder = Folder::new("no-baseline");
    folder.write("nginx.conf", nginx(&["a.test"]));
    folder.write("known.yaml", "version: 2\n");
    for (arguments, part) in [
        (["--baseline", "nowhere.yaml"], "nowhere.yaml: does not exist"),
        (["--baseline", "known.yaml"], "known.yaml:1:10: this baseline is of another version"),
        (["--baseline", "nginx.conf"], "nginx.conf"),
        (["--write-baseline", "no/such/folder.yaml"], "no/such/folder.yaml was not written"),
    ] {
        let (status, out, errors) = folder.run(&check(&["nginx.conf", arguments[0], arguments[1]]));
        assert!(status == 2 && out.is_empty() && errors.contains(part), "{arguments:?}: {errors}");
    }
}

#[test]
fn secrets_are_not_in_a_baseline() {
    let folder = Folder::new("secrets");
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: store}\nspec:\n  containers:\n    - {name: etcd, image: 'etcd:3.5.7', env: \
               [{name: ETCD_ROOT_PASSWORD, value: SECRET}]}\n";
    let mut written = Vec::new();
    for secret in ["hunter2", "hunter3"] {
        folder.write("pod.yaml", pod.replace("SECRET", secret));
        folder.run(&check(&["pod.yaml", "--write-baseline", "known.yaml"]));
        written.push(folder.read("known.yaml"));
    }
    assert!(written[0].contains("literal-password"));
    // nor can one be guessed by its fingerprint
    assert_eq!(written[0], written[1]);
}

#[test]
fn a_thousand_findings_stay_readable() {
    let folder = Folder::new("many");
    let servers: Vec<String> = (0..1000).map(|index| format!("b{index}.test")).collect();
    folder.write("nginx.conf", nginx(&servers.iter().map(String::as_str).collect::<Vec<_>>()));
    folder.write("other/nginx.conf", nginx(&["c.test"]));
    let (status, out, _) = folder.run(&check(&["."]));
    assert_eq!(status, 1);
    assert!(out.lines().count() < 100, "{}", out.lines().count());
    assert!(out.starts_with("unverified-server: 1001 findings in 2 files\n"), "{out}");
    assert!(out.contains("… and 998 more of unverified-server (--full prints them)\n"), "{out}");
    assert!(out.contains("\n  997 in nginx.conf, lines 14, 17, 20, 23, 26, 29, 32, 35, …\n"), "{out}");
    assert!(out.contains("\n1001 unverified-server (error)\n"), "{out}");
    assert!(out.ends_with("1001 errors; 1001 connections predicted\n"), "{out}");
    let (_, full, _) = folder.run(&check(&[".", "--full"]));
    assert_eq!(full.matches("does not check the certificate").count(), 1001);
    let (_, json, _) = folder.run(&check(&[".", "--format", "json"]));
    assert_eq!(json.matches("\"primary\": true").count(), 1001);
}

#[test]
fn of_many_findings_the_first_causes_stand_first() {
    let folder = Folder::new("order");
    let servers: Vec<String> = (0..11).map(|index| format!("b{index}.test")).collect();
    folder.write("z/nginx.conf", nginx(&servers.iter().map(String::as_str).collect::<Vec<_>>()));
    let pods = (0..15).map(|index| {
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: a{index}}}\nspec:\n  containers:\n    - {{name: etcd, image: \
             'etcd:3.5.7', env: [{{name: ETCD_ROOT_PASSWORD, value: hunter2}}]}}\n"
        )
    });
    folder.write("a/pods.yaml", pods.collect::<String>());
    let (_, out, _) = folder.run(&check(&["."]));
    let titles: Vec<&str> = out.lines().filter(|line| line.contains(" findings in ")).collect();
    assert_eq!(
        titles,
        ["unverified-server: 11 findings in 1 file", "literal-password: 15 findings in 1 file"]
    );
    assert!(out.contains("\n11 unverified-server (error)\n15 literal-password (warning)\n"), "{out}");
    assert!(out.contains("11 errors, 15 warnings; "), "{out}");
}

#[test]
fn kubectl_and_helm_come_in_by_standard_input() {
    let folder = Folder::new("input");
    let list = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: a, namespace: demo}\n  spec:\n    \
                containers:\n    - name: etcd\n      image: etcd:3.5.7\n      env:\n      - name: ETCD_ROOT_PASSWORD\n        value: \
                hunter2\n- apiVersion: v1\n  kind: Service\n  metadata: {name: a, namespace: demo}\n  spec: {selector: {app: b}, ports: \
                [{port: 1}]}\n";
    let (_, out, errors) = run_in(&folder.0, &check(&["-"]), list);
    assert!(out.contains("literal-password") && out.contains("╭─[-:12:"), "{out} {errors}");
    let json = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": [{
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [
            {"name": "etcd", "image": "etcd:3.5.7", "env": [{"name": "ETCD_ROOT_PASSWORD", "value": "hunter2"}]}]}}]});
    let (_, out, _) = run_in(&folder.0, &check(&["-"]), &json.to_string());
    assert!(out.contains("literal-password") && !out.contains("hunter2"), "{out}");
    // helm writes where a document comes from
    let chart =
        format!("---\n# Source: chart/templates/a.yaml\n{}---\n# Source: chart/templates/empty.yaml\n", list);
    let (_, out, errors) = run_in(&folder.0, &check(&["-"]), &chart);
    assert!(out.contains("literal-password") && errors.is_empty(), "{out} {errors}");
    // what stands above a document speaks for all of it
    let allowed = chart
        .replace("# Source: chart/templates/a.yaml", "# mtls-lint: allow(literal-password) a demonstration");
    let (_, out, _) = run_in(&folder.0, &check(&["-"]), &allowed);
    assert!(!out.contains("literal-password"), "{out}");
}

#[test]
fn every_command_has_a_page_in_the_manual_and_completions() {
    let folder = Folder::new("man");
    let (status, page, _) = folder.run(&["man"]);
    assert!(
        status == 0 && page.contains(".TH mtls-lint 1") && page.contains("mtls\\-lint\\-check(1)"),
        "{page}"
    );
    let (_, help, _) = folder.run(&["--help"]);
    let commands =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let mut count = 0;
    // what is longer than a line goes on further to the right
    let names =
        commands.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    for command in names.filter(|name| *name != "help") {
        let (status, page, _) = folder.run(&["man", command]);
        assert!(status == 0 && page.contains(&format!(".TH mtls-lint-{command} 1")), "{command}: {page}");
        count += 1;
    }
    assert!(count >= 9);
    let (status, _, errors) = folder.run(&["man", "chekc"]);
    assert!(status == 2 && errors.contains("no such command"), "{errors}");
    for shell in ["bash", "zsh", "fish"] {
        let (status, script, _) = folder.run(&["completions", shell]);
        assert!(status == 0 && script.contains("write-baseline"), "{shell}");
    }
}

#[test]
fn a_line_of_a_log_may_begin_with_a_hyphen() {
    let folder = Folder::new("explain");
    let line = "--advertise-client-urls is required when --listen-client-urls is set explicitly";
    let (status, out, errors) = folder.run(&["explain", line]);
    assert!(status == 0 && out.contains("unadvertised-client-url"), "{out} {errors}");
}

/// `script` gives the program a terminal.
#[test]
fn progress_is_shown_on_terminals_after_a_second_and_taken_away() {
    let folder = Folder::new("progress");
    let program = env!("CARGO_BIN_EXE_mtls-lint");
    let slow = format!("(sleep 1.7; echo 'a: 1') | '{program}' check - > out.json --format json");
    let Ok(output) = Command::new("script")
        .args(["-qec", &slow, "/dev/null"])
        .current_dir(&folder.0)
        .stdin(Stdio::null())
        .output()
    else {
        eprintln!("script (util-linux) is not installed: no terminal to look at");
        return;
    };
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.contains("mtls-lint: reading, 0 files"), "{shown:?}");
    assert!(shown.ends_with("\r\u{1b}[K"), "{shown:?}");
    assert!(folder.read("out.json").starts_with('{'));
    let quick = format!("echo 'a: 1' | '{program}' check -");
    let output =
        Command::new("script").args(["-qec", &quick, "/dev/null"]).stdin(Stdio::null()).output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stdout).contains("reading"));
    // without a terminal, nothing
    let output = Command::new("sh").args(["-c", &slow]).current_dir(&folder.0).output().unwrap();
    assert!(output.stderr.is_empty());
}

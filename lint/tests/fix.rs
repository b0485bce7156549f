//! What the fixes do to the fixtures, and what they leave alone.

#![expect(clippy::unwrap_used, clippy::panic, reason = "the functions around the tests are tests too")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use mtls_lint::assume::Assume;
use mtls_lint::source::{FileContent, FileId, Sources};
use mtls_lint::{Options, Report, fix, lint};

/// 2026-11-23T00:00:00Z
const AT: i64 = 1_795_392_000;

fn judge(sources: &Sources) -> Report {
    let options = Options { at: AT, assume: Assume::default(), expires_within: 30 * 86_400, command: None };
    lint(sources, &options)
}

fn text(sources: &Sources, file: FileId) -> String {
    match &sources.file(file).unwrap().content {
        FileContent::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn add(sources: &mut Sources, root: &Path, folder: &Path) {
    for path in entries(folder) {
        if path.is_dir() {
            add(sources, root, &path);
        } else {
            let shown = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            sources.add(shown, fs::read(&path).unwrap());
        }
    }
}

fn named(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn bad_fixtures() -> Vec<(String, String, Sources)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/rules");
    let mut found = Vec::new();
    for rule in entries(&root).into_iter().filter(|path| path.is_dir()) {
        for case in entries(&rule).into_iter().filter(|path| named(path).starts_with("bad-")) {
            let mut sources = Sources::default();
            sources.root = case.join("etc").is_dir();
            add(&mut sources, &case, &case);
            found.push((named(&rule), named(&case), sources));
        }
    }
    found
}

fn diff(before: &Sources, after: &Sources) -> String {
    let mut out = String::new();
    for (file, source) in before.iter() {
        let (old, new) = (text(before, file), text(after, file));
        let diff = similar::TextDiff::from_lines(&old, &new);
        let _ = write!(out, "{}", diff.unified_diff().context_radius(2).header(&source.path, &source.path));
    }
    out
}

#[test]
fn after_a_fix_the_rule_is_silent_and_no_other_speaks() {
    let mut shown = BTreeMap::new();
    for (rule, case, sources) in bad_fixtures() {
        let fixed = fix::apply(sources.clone(), judge(&sources), &judge);
        if fixed.applied.is_empty() {
            continue;
        }
        let after: Vec<&str> = judge(&fixed.sources).findings.iter().map(|finding| finding.rule).collect();
        assert_eq!(after, Vec::<&str>::new(), "{rule}/{case}");
        // once more changes nothing
        let again = fix::apply(fixed.sources.clone(), judge(&fixed.sources), &judge);
        assert!(again.applied.is_empty() && again.changed.is_empty(), "{rule}/{case}");
        shown.insert(format!("{rule}/{case}"), diff(&sources, &fixed.sources));
    }
    let rules: BTreeSet<&str> = shown.keys().filter_map(|name| name.split('/').next()).collect();
    assert!(rules.len() >= 15, "{rules:?}");
    as_kept(&shown);
}

/// The diffs are those of fixes.diff, which people have read; `MTLS_UPDATE=1` writes those of today.
fn as_kept(shown: &BTreeMap<String, String>) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixes.diff");
    if std::env::var_os("MTLS_UPDATE").is_some() {
        let text: String = shown.iter().map(|(name, diff)| format!("## {name}\n{diff}\n")).collect();
        fs::write(&file, text).unwrap();
    }
    let kept = fs::read_to_string(&file).unwrap();
    for section in kept.split("## ").skip(1) {
        let (name, diff) = section.split_once('\n').unwrap();
        assert_eq!(shown.get(name).map(|diff| format!("{diff}\n")).as_deref(), Some(diff), "{name}");
    }
}

#[test]
fn the_edits_of_a_finding_alone_remedy_it() {
    for (rule, case, sources) in bad_fixtures() {
        let mut report = judge(&sources);
        fix::attach(&sources, &mut report, &judge);
        for finding in report.findings {
            let Some(found) = finding.fix else { continue };
            let edited = fix::edited(&sources, &found.edits).unwrap();
            let left = judge(&edited).findings;
            assert!(!left.iter().any(|left| left.rule == finding.rule), "{rule}/{case}");
            assert!(!found.title.is_empty());
        }
    }
}

#[test]
fn line_ends_of_windows_stay() {
    for (rule, case, sources) in bad_fixtures() {
        let mut windows = Sources::default();
        windows.root = sources.root;
        for (file, source) in sources.iter() {
            windows.add(source.path.clone(), text(&sources, file).replace('\n', "\r\n"));
        }
        let fixed = fix::apply(windows.clone(), judge(&windows), &judge);
        for file in &fixed.changed {
            let text = text(&fixed.sources, *file);
            assert_eq!(text.matches('\n').count(), text.matches("\r\n").count(), "{rule}/{case}: {text}");
        }
    }
}

#[test]
fn comments_stay() {
    for (rule, case, sources) in bad_fixtures() {
        // what is removed takes its comment along
        if ["duplicate-directive", "ineffective-setting"].contains(&rule.as_str()) {
            continue;
        }
        let mut commented = Sources::default();
        commented.root = sources.root;
        for (file, source) in sources.iter() {
            let text = text(&sources, file);
            let yaml = source.path.ends_with(".yaml") || source.path.ends_with(".yml");
            let nginx = source.path.ends_with(".conf");
            // within a block scalar it would be text
            let plain = yaml && !text.contains(": |") && !text.contains(": >");
            let may =
                |line: &str| plain && !line.trim().is_empty() || nginx && line.ends_with([';', '{', '}']);
            let lines = text
                .lines()
                .map(|line| if may(line) { format!("{line} # kept\n") } else { format!("{line}\n") });
            commented.add(source.path.clone(), lines.collect::<String>());
        }
        let fixed = fix::apply(commented.clone(), judge(&commented), &judge);
        let plain = fix::apply(sources.clone(), judge(&sources), &judge);
        assert_eq!(fixed.applied, plain.applied, "{rule}/{case}");
        for file in &fixed.changed {
            let kept = |sources: &Sources| text(sources, *file).matches("# kept").count();
            assert_eq!(
                kept(&fixed.sources),
                kept(&commented),
                "{rule}/{case}: {}",
                text(&fixed.sources, *file)
            );
        }
    }
}

/// A document as JSON, one entry a line or all in one.
fn json(node: mtls_lint::syntax::yaml::Node<'_>) -> serde_json::Value {
    use mtls_lint::syntax::yaml::Kind;
    match node.kind() {
        Kind::Null => serde_json::Value::Null,
        Kind::Scalar => match (node.as_bool(), node.as_i64()) {
            (Some(value), _) => value.into(),
            (_, Some(value)) => value.into(),
            _ => node.as_str().unwrap_or_default().into(),
        },
        Kind::Sequence => node.items().map(json).collect(),
        Kind::Mapping => {
            let entries = node.entries();
            entries.map(|(key, value)| (key.as_str().unwrap_or_default().to_owned(), json(value))).collect()
        }
    }
}

#[test]
fn json_is_edited_as_json() {
    let mut edited = BTreeSet::new();
    for (rule, case, sources) in bad_fixtures() {
        for pretty in [true, false] {
            let mut as_json = Sources::default();
            for (file, source) in sources.iter() {
                let yaml = source.path.ends_with(".yaml") || source.path.ends_with(".yml");
                let documents = mtls_lint::syntax::yaml::parse(&sources.text(file).unwrap()).documents;
                let text = if yaml {
                    let print = |value: &serde_json::Value| {
                        if pretty {
                            serde_json::to_string_pretty(value)
                        } else {
                            serde_json::to_string(value)
                        }
                    };
                    let texts =
                        documents.iter().map(|document| print(&json(document.root())).unwrap() + "\n");
                    texts.collect::<String>()
                } else {
                    text(&sources, file)
                };
                as_json.add(source.path.clone(), text);
            }
            as_json.root = sources.root;
            let before = judge(&as_json);
            // what JSON cannot say in the same way is no case
            if !before.incomplete.is_empty() || before.findings.len() != 1 {
                continue;
            }
            let fixed = fix::apply(as_json.clone(), before, &judge);
            for file in &fixed.changed {
                let text = text(&fixed.sources, *file);
                if !as_json.path(*file).ends_with(".conf") && !as_json.path(*file).ends_with(".pem") {
                    let values = serde_json::Deserializer::from_str(&text).into_iter::<serde_json::Value>();
                    assert!(values.into_iter().all(|value| value.is_ok()), "{rule}/{case}: {text}");
                    edited.insert(rule.clone());
                }
            }
        }
    }
    assert!(edited.len() >= 12, "{edited:?}");
}

#[test]
fn a_chain_is_sorted_and_its_key_not_shown() {
    let pki = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/pki");
    let read = |name: &str| fs::read_to_string(pki.join(name)).unwrap();
    let chain = read("server-chain.pem");
    let (own, issuer) = chain.split_once("-----END CERTIFICATE-----\n").unwrap();
    let own = format!("{own}-----END CERTIFICATE-----\n");
    let key = read("server-chain.key");
    let server = "listen 443 ssl; server_name server.example.test; ssl_certificate all.pem; ssl_certificate_key all.pem; \
                  ssl_client_certificate ca.pem; ssl_verify_client on; return 204;";
    let folder = folder("chain");
    fs::write(folder.join("nginx.conf"), format!("events {{}}\nhttp {{ server {{ {server} }} }}\n")).unwrap();
    fs::write(folder.join("ca.pem"), read("ca.pem")).unwrap();
    // the key between them, and a word of its owner's
    let all = |first: &str, second: &str| format!("{first}{key}# ours\n{second}");
    fs::write(folder.join("all.pem"), all(issuer, &own)).unwrap();

    let body = key.lines().nth(1).unwrap();
    let (status, shown, notes) = said(&run(&["check", "--diff", "."], &folder, ""));
    assert_eq!(status, Some(1), "{shown}{notes}");
    let (_, json, _) = said(&run(&["check", "--format", "json", "."], &folder, ""));
    assert!(json.contains("-----BEGIN CERTIFICATE-----"), "{json}");
    assert!(!shown.contains(body) && !json.contains(body) && !notes.contains(body));
    said(&run(&["check", "--fix", "."], &folder, ""));
    assert_eq!(fs::read_to_string(folder.join("all.pem")).unwrap(), all(&own, issuer));
}

#[test]
fn whatever_is_damaged_a_second_time_mends_nothing_more() {
    // a generator of Marsaglia's: the same damage in every run
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below.max(1)).unwrap()).unwrap()
    };
    for (rule, case, sources) in bad_fixtures() {
        let mut damaged = Sources::default();
        damaged.root = sources.root;
        for (file, source) in sources.iter() {
            let text = text(&sources, file);
            let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
            let (one, other) = (next(lines.len()), next(lines.len()));
            match next(4) {
                0 => drop(lines.remove(one)),
                1 => lines.insert(other, lines[one]),
                2 => lines.swap(one, other),
                _ => lines[one] = lines[one].get(..next(lines[one].len())).unwrap_or_default(),
            }
            damaged.add(source.path.clone(), lines.concat());
        }
        let before = judge(&damaged);
        let (incomplete, findings) = (before.incomplete.len(), before.findings.len());
        let fixed = fix::apply(damaged, before, &judge);
        let after = judge(&fixed.sources);
        assert!(after.incomplete.len() <= incomplete, "{rule}/{case}");
        assert!(fixed.applied.is_empty() || after.findings.len() <= findings, "{rule}/{case}");
        let again = fix::apply(fixed.sources, after, &judge);
        assert!(again.changed.is_empty(), "{rule}/{case}: {:?}", again.applied);
    }
}

/// What breaks the fully mutual deployment in one place, and which rule mends it: file, text, other text.
const BROKEN: &[(&str, &str, &str, &str)] = &[
    (
        "missing-client-auth-usage",
        "2-certificates.yaml",
        "    - server auth\n    - client auth\n",
        "    - server auth\n",
    ),
    (
        "missing-server-auth-usage",
        "2-certificates.yaml",
        "    - server auth\n    - client auth\n",
        "    - client auth\n",
    ),
    ("issuer-without-ca", "1-authority.yaml", "  isCA: true\n", ""),
    (
        "unasked-client-certificate",
        "3-store.yaml",
        "            - --trusted-ca-file=/etc/etcd/tls/ca.crt\n            - --client-cert-auth=true\n",
        "",
    ),
    ("implied-client-authentication", "3-store.yaml", "--client-cert-auth=true", "--client-cert-auth=false"),
    ("mismatched-advertised-url", "3-store.yaml", "urls=https://store:2379", "urls=http://store:2379"),
    ("unknown-target-port", "3-store.yaml", "targetPort: client", "targetPort: clients"),
    (
        "missing-volume",
        "3-store.yaml",
        "- name: tls\n              mountPath",
        "- name: tsl\n              mountPath",
    ),
    ("missing-secret", "3-store.yaml", "secretName: store-tls", "secretName: store-tsl"),
    (
        "missing-key",
        "3-store.yaml",
        "--cert-file=/etc/etcd/tls/tls.crt",
        "--cert-file=/etc/etcd/tls/tls.cert",
    ),
    (
        "missing-config-map",
        "4-gateway.yaml",
        "            name: gateway-config\n",
        "            name: gateway-confg\n",
    ),
    ("plaintext-admin-api", "4-gateway.yaml", "https_admin: true", "https_admin: false"),
    ("plaintext-admin-api", "4-gateway.yaml", "        https_admin: true\n", ""),
    ("missing-issuer", "2-certificates.yaml", "kind: Issuer", "kind: ClusterIssuer"),
];

#[test]
fn what_is_broken_in_one_place_is_mended_there() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/deployments/apisix-mtls");
    let mut whole = Sources::default();
    add(&mut whole, &folder, &folder);
    for (rule, path, from, to) in BROKEN {
        let mut broken = Sources::default();
        for (file, source) in whole.iter() {
            let text = text(&whole, file);
            let here = source.path == *path;
            assert!(!here || text.contains(from), "{rule}: {from}");
            broken.add(source.path.clone(), if here { text.replacen(from, to, 1) } else { text });
        }
        let before = judge(&broken);
        assert!(before.findings.iter().any(|finding| finding.rule == *rule), "{rule}: {:?}", before.findings);
        let fixed = fix::apply(broken.clone(), before, &judge);
        assert_eq!(fixed.applied, [(*rule, (*path).to_owned())], "{}", diff(&broken, &fixed.sources));
        assert_eq!(judge(&fixed.sources).findings, Vec::new(), "{rule}: {}", diff(&broken, &fixed.sources));
    }
}

// --- the program -----------------------------------------------------------------------------

fn run(arguments: &[&str], folder: &Path, input: &str) -> Output {
    use std::io::Write as _;
    let mut child = Command::new(env!("CARGO_BIN_EXE_mtls-lint"))
        .args(arguments)
        .args(["--at", "2026-11-23T00:00:00Z"])
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// A folder of its own beneath the build's.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fix-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

const ETCD: &str = "name: m1\nlisten-client-urls: https://0.0.0.0:2379\nadvertise-client-urls: https://etcd.example.test:2379\n\
                    client-transport-security:\n  cert-file: /etc/etcd/server.crt # ours\n  key-file: /etc/etcd/server.key\n  \
                    trusted-ca-file: /etc/etcd/ca.crt\n  client-cert-auth: false\n";

#[test]
fn diff_shows_and_fix_writes() {
    let folder = folder("writes");
    let file = folder.join("etcd.conf.yml");
    fs::write(&file, ETCD).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();

    let (status, out, notes) = said(&run(&["check", "--diff", "."], &folder, ""));
    assert_eq!(status, Some(1), "{notes}");
    assert!(out.contains("-  client-cert-auth: false\n+  client-cert-auth: true\n"), "{out}");
    assert_eq!(notes, "1 finding would be fixed in 1 file: 1 implied-client-authentication\n");
    assert_eq!(fs::read_to_string(&file).unwrap(), ETCD);

    let (status, _, notes) = said(&run(&["check", "--fix", "."], &folder, ""));
    assert_eq!(status, Some(0), "{notes}");
    assert_eq!(notes, "1 finding fixed in 1 file: 1 implied-client-authentication\n");
    assert_eq!(fs::read_to_string(&file).unwrap(), ETCD.replace("false", "true"));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o640);
    assert_eq!(entries(&folder), [file]);

    let (status, out, _) = said(&run(&["check", "--diff", "."], &folder, ""));
    assert_eq!((status, out.as_str()), (Some(0), ""));
}

#[test]
fn standard_input_is_shown_and_never_written() {
    let folder = folder("input");
    let (status, out, _) = said(&run(&["check", "--diff", "-"], &folder, ETCD));
    assert_eq!(status, Some(1));
    assert!(out.starts_with("--- -\n+++ -\n"), "{out}");
    let (status, out, notes) = said(&run(&["check", "--fix", "-"], &folder, ETCD));
    assert_eq!((status, out.as_str()), (Some(2), ""));
    assert_eq!(notes, "mtls-lint: --fix has no file to write standard input to; --diff shows the edits\n");
}

#[test]
fn a_link_is_not_written_through_out_of_the_paths() {
    let folder = folder("link");
    let elsewhere = folder.join("elsewhere");
    let given = folder.join("given");
    fs::create_dir_all(&elsewhere).unwrap();
    fs::create_dir_all(&given).unwrap();
    fs::write(elsewhere.join("etcd.conf.yml"), ETCD).unwrap();
    let link = given.join("etcd.conf.yml");
    std::os::unix::fs::symlink("../elsewhere/etcd.conf.yml", &link).unwrap();

    // named itself, it is read, and what it leads to is not written
    let (status, _, notes) = said(&run(&["check", "--fix", "given/etcd.conf.yml"], &folder, ""));
    assert_eq!(status, Some(2));
    assert!(notes.contains("is a symbolic link; name the file that it leads to"), "{notes}");
    // within a folder, it is not even read
    said(&run(&["check", "--fix", "given"], &folder, ""));
    assert_eq!(fs::read_to_string(elsewhere.join("etcd.conf.yml")).unwrap(), ETCD);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());

    // a link within the paths: the file is written once, the link stays
    std::os::unix::fs::symlink("etcd.conf.yml", elsewhere.join("other.conf.yml")).unwrap();
    said(&run(&["check", "--fix", "elsewhere"], &folder, ""));
    assert_eq!(fs::read_to_string(elsewhere.join("etcd.conf.yml")).unwrap(), ETCD.replace("false", "true"));
    assert!(fs::symlink_metadata(elsewhere.join("other.conf.yml")).unwrap().is_symlink());
}

#[test]
fn what_somebody_answered_for_is_left_alone() {
    let folder = folder("allowed");
    let file = folder.join("etcd.conf.yml");
    fs::write(&file, ETCD).unwrap();
    said(&run(&["check", "--write-baseline", "known.json", "etcd.conf.yml"], &folder, ""));
    said(&run(&["check", "--fix", "--baseline", "known.json", "etcd.conf.yml"], &folder, ""));
    assert_eq!(fs::read_to_string(&file).unwrap(), ETCD);

    let allowed = "ignore:\n  - rule: implied-client-authentication\n    reason: it says so in the manual\n";
    fs::write(folder.join("mtls-lint.yaml"), allowed).unwrap();
    let (status, out, _) = said(&run(&["check", "--diff", "etcd.conf.yml"], &folder, ""));
    assert_eq!((status, out.as_str()), (Some(0), ""));
}

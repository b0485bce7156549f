//! Input that is too much: a clear word where a limit is met, and never more time and memory than it deserves.

#![expect(clippy::unwrap_used, clippy::panic, reason = "the functions around the tests are tests too")]

mod folder;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use mtls_lint::source::{FileId, Sources, Span, Text};
use mtls_lint::stack::certificate::Certificate;
use mtls_lint::stack::signatures::{Signatures, Signed};
use mtls_lint::{Options, Report};

use folder::Folder;

const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata:\n  name: a\nspec:\n  ports:\n    - port: 1\n";

/// Status, standard output and standard error of a run with at most 1 GiB of address space and 120 s of processor.
fn bounded(arguments: &[&str], input: &Path) -> (i32, String, String) {
    let output = Command::new("sh")
        .args([
            "-c",
            "ulimit -v 1048576 && ulimit -t 120 && exec \"$0\" \"$@\"",
            env!("CARGO_BIN_EXE_mtls-lint"),
        ])
        .args(arguments)
        .stdin(if input.as_os_str().is_empty() {
            Stdio::null()
        } else {
            fs::File::open(input).unwrap().into()
        })
        .output()
        .unwrap();
    let status = output.status.code().unwrap_or_else(|| panic!("{arguments:?} ended with {}", output.status));
    let [out, errors] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (status, out, errors)
}

fn check(paths: &[&str]) -> (i32, String, String) {
    bounded(&[&["check", "--at", "2026-11-23T00:00:00Z"], paths].concat(), Path::new(""))
}

fn lint(files: &[(&str, &[u8])]) -> Report {
    let mut sources = Sources::default();
    for (name, bytes) in files {
        sources.add(*name, *bytes);
    }
    let options = Options { at: 1_795_392_000, assume: Default::default(), expires_within: 0, command: None };
    mtls_lint::lint(&sources, &options)
}

/// Time of the processor that this thread has used.
fn used() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|nanoseconds| nanoseconds.parse().ok()).unwrap_or(0))
}

/// Runs within a time of the processor that even an unoptimised build keeps if nothing is quadratic.
#[track_caller]
fn within<T>(what: &str, seconds: u64, run: impl FnOnce() -> T) -> T {
    let start = used();
    let result = run();
    let took = used() - start;
    assert!(took < Duration::from_secs(seconds), "{what} took {took:?}");
    result
}

#[test]
fn a_file_that_is_too_large_is_named_wherever_it_comes_from() {
    let folder = Folder::new("large");
    let path = folder.0.join("large.yaml");
    // sparse: it takes no place on the disk
    fs::File::create(&path).unwrap().set_len((64 << 20) + 1).unwrap();
    folder.write("good.yaml", SERVICE);
    let words = "larger than the 64 MiB that are read of one file; split it";
    for paths in [vec![path.to_str().unwrap()], vec![folder.0.to_str().unwrap()]] {
        let (status, _, errors) = check(&paths);
        assert!(errors.contains(words) && errors.contains("large.yaml"), "{errors}");
        assert_eq!(status, 2);
    }
    let (status, _, errors) = bounded(&["check", "-"], &path);
    assert!(status == 2 && errors.contains(words), "{errors}");
    let (status, _, errors) = bounded(&["inspect", path.to_str().unwrap()], Path::new(""));
    assert!(status == 2 && errors.contains(words), "{errors}");
    let (status, _, errors) = bounded(&["decide", "--policy", path.to_str().unwrap()], Path::new(""));
    assert!(status == 2 && errors.contains(words), "{errors}");
}

#[test]
fn what_has_no_end_is_read_up_to_the_limit() {
    for arguments in [["check", "/dev/zero"], ["inspect", "/dev/zero"]] {
        let (status, _, errors) = bounded(&arguments, Path::new(""));
        assert!(status == 2 && errors.contains("64 MiB"), "{errors}");
    }
    let (status, _, errors) = bounded(&["check", "-"], Path::new("/dev/zero"));
    assert!(status == 2 && errors.contains("64 MiB"), "{errors}");
}

#[test]
fn nesting_aliases_and_includes_end_with_a_word() {
    let deep = "[".repeat(100_000);
    let indented: String = (0..2000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    let laughs: String = std::iter::once("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned())
        .chain((1..20).map(|level| {
            let below = format!("*a{}", level - 1);
            format!("a{level}: &a{level} [{}]\n", vec![below; 10].join(","))
        }))
        .collect();
    let merged: String = std::iter::once("a0: &a0 {k0: x}\n".to_owned())
        .chain((1..40).map(|level| {
            let below = level - 1;
            format!("a{level}: &a{level} {{<<: [*a{below}, *a{below}], k{level}: [*a{below}, *a{below}]}}\n")
        }))
        .collect();
    let circle = "a: &a\n  b: *a\n".to_owned();
    let json = format!("{}1{}", "{\"a\":".repeat(50_000), "}".repeat(50_000));
    for (what, name, text, word) in [
        ("brackets", "a.yaml", &deep, "nested"),
        ("indentation", "a.yaml", &indented, "nested deeper than 200 levels"),
        ("aliases", "a.yaml", &laughs, "alias"),
        ("merges", "a.yaml", &merged, "alias"),
        ("an alias within its anchor", "a.yaml", &circle, "a"),
        ("JSON", "a.json", &json, "nested"),
    ] {
        let report = within(what, 10, || lint(&[(name, text.as_bytes())]));
        let said: Vec<&str> = report.incomplete.iter().map(|entry| entry.message.as_str()).collect();
        assert!(said.iter().any(|message| message.contains(word)), "{what}: {said:?}");
    }
    let blocks =
        format!("events {{}}\nhttp {{ {} {} }}\n", "location /a {".repeat(50_000), "}".repeat(50_000));
    let report = within("blocks of nginx", 10, || lint(&[("nginx.conf", blocks.as_bytes())]));
    assert!(report.incomplete.iter().any(|entry| entry.message.contains("nested more than 100 deep")));
}

#[test]
fn includes_that_multiply_end_with_a_word() {
    let mut files =
        vec![("nginx.conf".to_owned(), "events {}\nhttp { include 0.conf; include 0.conf; }\n".to_owned())];
    for level in 0..14 {
        files.push((format!("{level}.conf"), format!("include {}.conf;\n", level + 1).repeat(8)));
    }
    files.push(("14.conf".to_owned(), "server { listen 8443 ssl; }\n".repeat(50)));
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
    let report = within("includes", 60, || lint(&files));
    let said: Vec<&str> = report.incomplete.iter().map(|entry| entry.message.as_str()).collect();
    assert!(said.iter().any(|message| message.contains("are not read")), "{said:?}");
    let circle =
        lint(&[("nginx.conf", b"events {}\nhttp { include a.conf; }\n"), ("a.conf", b"include a.conf;\n")]);
    assert!(
        circle.findings.iter().any(|finding| finding.message.contains("includes itself")),
        "{:?}",
        circle.findings
    );
}

/// Text of each shape that a parser could read again for each of its parts.
#[test]
fn no_shape_of_text_takes_quadratic_time() {
    const SIZE: usize = 1 << 17;
    let shapes = [
        "[",
        "{",
        "- ",
        "-",
        "a: ",
        "? ",
        "&a ",
        "*a ",
        "!t ",
        "\"",
        "'",
        "|",
        ">",
        "#",
        "%a\n",
        "---\n",
        "...\n",
        "\u{feff}",
        "a:\n",
        "a: b\n",
        "- a\n",
        "{\"a\":1}",
        "[1],",
        "\"a\":",
        "\\u0041",
        "é",
        "a: |\n b\n",
        "a: \"\n",
        "<<: *a\n",
        "{}",
        ",",
        "a",
        " ",
        "\n",
        "\t",
        "\r",
        ";",
        "a;",
        "{ }",
        "a {",
        "}",
        "$a",
        "${a",
        "\"a\";",
        "server {",
        "listen 1 ssl;",
        "map $a $b {",
        "include *;",
        "-----BEGIN ",
        "-----BEGIN A-----",
        "-----BEGIN A-----\n",
        "-----BEGIN A:-----\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----END A-----\n",
        "A",
        "A\n",
        "a:b\n",
        "\\",
        "ETCD_A=b\n",
        "password: a ",
        "key=",
        "://a:b@",
        "LS0tLS1CRUdJTi",
    ];
    for shape in shapes {
        let body = shape.repeat(SIZE / shape.len());
        for (name, start) in [
            ("a.yaml", ""),
            ("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  a: |\n    "),
            ("nginx.conf", "events {}\nhttp { server { listen 1 ssl; "),
            ("a.pem", "-----BEGIN CERTIFICATE-----\n"),
        ] {
            let text = format!("{start}{body}");
            within(&format!("{shape:?} in {name} after {start:?}"), 6, || {
                let report = lint(&[(name, text.as_bytes())]);
                // what is shown of it is looked at too
                report.files.shown(FileId(0));
                report.incomplete.len()
            });
        }
        let text = Text::whole(FileId(0), std::sync::Arc::new(body.clone().into_bytes()));
        within(&format!("inspect of {shape:?}"), 6, || {
            mtls_lint::inspect::inspect(&[("a".to_owned(), text)], 0)
        });
        let words = vec![format!("curl {body}")];
        within(&format!("a command of {shape:?}"), 6, || {
            mtls_lint::syntax::command::from_words(&words, FileId(0))
        });
    }
}

#[test]
fn ten_thousand_certificates_of_one_name_are_inspected_in_time() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/pki");
    let ca = fs::read_to_string(fixtures.join("ca.pem")).unwrap();
    let server = fs::read_to_string(fixtures.join("server.pem")).unwrap();
    let bundle = [ca.repeat(2000), server.repeat(2000)].concat();
    let text = Text::whole(FileId(0), std::sync::Arc::new(bundle.into_bytes()));
    let inspection = within("a large bundle", 60, || {
        mtls_lint::inspect::inspect(&[("a.pem".to_owned(), text)], 1_795_392_000)
    });
    assert_eq!(inspection.files[0].items.len(), 4000);
}

#[test]
fn too_many_certificates_of_one_name_are_not_all_tried_as_an_issuer() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/pki");
    let stranger = fs::read_to_string(fixtures.join("client-stranger.ca.pem")).unwrap();
    let server = fs::read_to_string(fixtures.join("server.pem")).unwrap();
    let said = |count: usize| {
        let bundle = [stranger.repeat(count), server.clone()].concat();
        let text = Text::whole(FileId(0), std::sync::Arc::new(bundle.into_bytes()));
        mtls_lint::inspect::inspect(&[("a.pem".to_owned(), text)], 1_795_392_000).text()
    };
    let words = "too many certificates bear the name of the issuer of";
    assert!(!said(10).contains(words));
    assert!(said(1002).contains(words));
}

#[test]
fn signature_checks_for_one_connection_end_with_a_word() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/pki");
    let der = |name: &str| {
        let block = mtls_lint::syntax::pem::blocks(&fs::read(fixtures.join(name)).unwrap()).remove(0);
        block.content.unwrap()
    };
    let read = |der: &[u8]| Certificate::read(der, Span { file: FileId(0), start: 0, end: 0 }).unwrap();
    let (ca, mut server) = (read(&der("ca.pem")), der("server.pem"));
    let end = server.len();
    let signatures = Signatures::default();
    // other bytes of a signature are another certificate, and another check
    let stopped = (0..u16::MAX).find_map(|number| {
        server[end - 2..].copy_from_slice(&number.to_be_bytes());
        match signatures.signed(&read(&server), &ca) {
            Signed::Unknown(why) => Some((number, why)),
            _ => None,
        }
    });
    let (number, why) = stopped.unwrap();
    assert!(number > 1000 && why.contains("too many paths"), "{number} {why}");
    signatures.renew();
    assert!(!matches!(signatures.signed(&read(&server), &ca), Signed::Unknown(_)));
}

#[test]
fn long_names_and_lines_are_cut_where_they_are_shown() {
    let name = "n".repeat(1 << 20);
    let nginx = format!(
        "events {{}}\nhttp {{ server {{ listen 8443 ssl; server_name {name}.test; ssl_certificate /{name}.pem; }} }}\n"
    );
    let pod = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec: {{containers: [{{name: c, env: [{{name: A_PASSWORD, value: x}}]}}], \
         volumes: [{{name: v, secret: {{secretName: {name}}}}}]}}\n"
    );
    let folder = Folder::new("long");
    folder.write("nginx.conf", nginx);
    folder.write("pod.yaml", pod);
    let path = folder.0.to_str().unwrap();
    for format in ["human", "json", "sarif", "github", "junit"] {
        let (status, out, _) = check(&[path, "--format", format]);
        // SARIF carries the pages of all rules
        let most = if format == "sarif" { 900_000 } else { 400_000 };
        assert!(status < 3 && out.len() < most, "{format}: {} bytes", out.len());
    }
    for format in ["human", "json", "mermaid", "svg"] {
        let (status, out, _) = bounded(&["predict", path, "--format", format], Path::new(""));
        assert!(status < 3 && out.len() < 400_000, "{format}: {} bytes", out.len());
    }
}

#[test]
fn directions_of_writing_and_escape_sequences_are_shown_escaped() {
    let name = "a\u{202e}gpj\u{2066}\u{1b}[8m\u{7}\u{200b}.test";
    let folder = Folder::new("hidden");
    folder.write(
        "nginx.conf",
        format!("events {{}}\nhttp {{ server {{ listen 8443 ssl; server_name \"{name}\"; ssl_certificate \"/{name}\"; }} }}\n"),
    );
    folder.write(&format!("{name}.yaml"), "apiVersion: v1\nkind: [Service\n");
    let path = folder.0.to_str().unwrap();
    let hidden = |text: &str| text.chars().find(|letter| mtls_lint::visible::is_hidden(*letter));
    let mut seen = 0;
    for (command, formats) in [
        ("check", ["human", "json", "sarif", "github", "junit"].as_slice()),
        ("predict", &["human", "json", "mermaid", "svg"]),
    ] {
        for format in formats {
            let (_, out, errors) = bounded(&[command, path, "--format", format], Path::new(""));
            assert_eq!((hidden(&out), hidden(&errors)), (None, None), "{command} {format}: {out}{errors}");
            seen += usize::from(out.contains("202e") || errors.contains("202e"));
        }
    }
    assert!(seen >= 5, "the name is shown in {seen} formats");
}

#[test]
fn reading_stays_beneath_the_given_paths() {
    let outside = Folder::new("outside-of");
    outside.write("secret.yaml", "apiVersion: v1\nkind: [broken\n");
    outside.write("inner/more.yaml", "apiVersion: v1\nkind: [broken\n");
    let folder = Folder::new("stays");
    folder.write("good.yaml", SERVICE);
    folder.write(
        "nginx.conf",
        format!(
            "events {{}}\nhttp {{ include {0}/secret.yaml; include ../{1}/secret.yaml; include {0}/*; }}\n",
            outside.0.display(),
            outside.0.file_name().unwrap().to_str().unwrap()
        ),
    );
    symlink(outside.0.join("secret.yaml"), folder.0.join("absolute.yaml")).unwrap();
    symlink(
        Path::new("..").join(outside.0.file_name().unwrap()).join("secret.yaml"),
        folder.0.join("upwards.yaml"),
    )
    .unwrap();
    symlink(&outside.0, folder.0.join("folder")).unwrap();
    symlink(".", folder.0.join("loop")).unwrap();
    symlink("chain-2.yaml", folder.0.join("chain-1.yaml")).unwrap();
    symlink("absolute.yaml", folder.0.join("chain-2.yaml")).unwrap();
    let (_, out, errors) = check(&[folder.0.to_str().unwrap()]);
    assert!(!errors.contains("yaml:2"), "{out}{errors}");
    // beneath --root an absolute link counts from the root, and one upwards ends there
    let (_, out, errors) = bounded(&["check", "--root", folder.0.to_str().unwrap()], Path::new(""));
    assert!(!out.contains("broken") && !errors.contains("yaml:2"), "{out}{errors}");
}

#[test]
fn base64_within_base64_is_decoded_once() {
    use base64::Engine as _;
    let mut text = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".repeat(2000);
    for _ in 0..6 {
        text = base64::engine::general_purpose::STANDARD.encode(text);
    }
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: a}}\ndata: {{tls.crt: {text}, tls.key: {text}}}\n"
    );
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: n, image: nginx}], \
               volumes: [{name: v, secret: {secretName: a}}]}\n";
    within("base64", 20, || lint(&[("a.yaml", secret.as_bytes()), ("b.yaml", pod.as_bytes())]));
}

//! The page in a real browser: what a person does with it, and what it must never do.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use mtls_tests::page::GOAL;
use mtls_tests::programs::{Program, target};
use mtls_tests::serve::POLICY;
use mtls_tests::visit::{page, page_without_headers};
use serde_json::{Value, json};

const AT: &str = "2026-11-23T00:00:00Z";

/// WebDriver's code points.
const TAB: char = '\u{e004}';
const ENTER: char = '\u{e007}';
const ESCAPE: char = '\u{e00c}';
const RIGHT: char = '\u{e014}';

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures")
}

/// The text files of a folder, by path, as the command line names them when it is run within.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(current) = waiting.pop() {
        for entry in std::fs::read_dir(current).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                files.push((path.strip_prefix(folder).unwrap().to_string_lossy().into_owned(), text));
            }
        }
    }
    // the command line walks a folder by names, folders among files
    files.sort_by(|(a, _), (b, _)| a.split('/').cmp(b.split('/')));
    files
}

/// What the command line prints for a folder.
fn command_line(folder: &Path) -> Value {
    let lint = Program::Lint.find().unwrap();
    let arguments = ["check", ".", "--at", AT, "--format", "json"];
    let output = Command::new(lint).args(arguments).current_dir(folder).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}

fn folders(within: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(within)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders
}

/// The names of all fields, at any depth.
fn names(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| names(item, into)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            into.insert(name.clone());
            names(value, into);
        }),
        _ => {}
    }
}

#[test]
fn the_findings_are_those_of_the_command_line() {
    let Some(page) = page() else { return };
    let cases: Vec<PathBuf> =
        folders(&fixtures().join("rules")).iter().flat_map(|rule| folders(rule)).collect();
    let every = (cases.len() / 50).max(1);
    let mut compared = folders(&fixtures().join("deployments"));
    compared.extend(cases.into_iter().step_by(every));
    assert!(compared.len() > 50, "{}", compared.len());
    // constants of another build are refused before anything is answered
    let other = "return import('./mtls-lint.js').then((linter) => linter.load(undefined, new Uint8Array(8))).catch((error) => error.message)";
    let refused = page.browser.run(other, &[]);
    assert!(refused.as_str().is_some_and(|error| error.contains("not of the same build")), "{refused}");
    page.browser.run("return import('./mtls-lint.js').then((linter) => linter.load().then(() => { window.linter = linter; }))", &[]);
    let mut fields = BTreeSet::new();
    for folder in &compared {
        let files: Vec<Value> =
            files(folder).into_iter().map(|(path, text)| json!({"path": path, "text": text})).collect();
        let question = json!({"files": files, "at": AT});
        let report =
            page.browser.run("return window.linter.lint(arguments[0])", std::slice::from_ref(&question));
        names(&report, &mut fields);
        // the page opens no encrypted key, and says so where it matters
        let is_encrypted = question["files"].to_string().contains("ENCRYPTED");
        if is_encrypted && report["connections"].to_string().contains("is not tried here") {
            continue;
        }
        assert_eq!(report, command_line(folder), "{}", folder.display());
    }
    let types = std::fs::read_to_string(fixtures().join("../wasm-demo/www/mtls-lint.d.ts")).unwrap();
    for field in fields {
        let typed = types.contains(&format!("{field}: ")) || types.contains(&format!("{field}?: "));
        assert!(typed, "{field} is not in the types");
    }
    page.quiet();
}

#[test]
fn what_is_dropped_is_shown_as_the_command_line_says_it() {
    let Some(page) = page() else { return };
    let folder = fixtures().join("deployments/apisix-mtls-article");
    let texts = files(&folder);
    let texts: Vec<(&str, &str)> = texts.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    page.drop_files(&texts);
    let report = command_line(&folder);
    let findings = report["findings"].as_array().unwrap();
    let by_severity =
        |severity: &'static str| findings.iter().filter(move |finding| finding["severity"] == severity);
    let expected: Vec<&str> = ["error", "warning", "advice"]
        .into_iter()
        .flat_map(|severity| by_severity(severity).map(|finding| finding["rule"].as_str().unwrap()))
        .collect();
    assert_eq!(page.rules(), expected);
    // every label can be gone to, and stands on its line
    let labels = findings.iter().flat_map(|finding| finding["labels"].as_array().unwrap());
    let text = page.browser.text("#finding-list");
    for label in labels {
        let place = format!("{}:{}", label["file"].as_str().unwrap(), label["start"]["line"]);
        assert!(text.contains(&place), "{place} is not among the findings");
        page.browser.press("#finding-list", &place);
        let message = label["message"].as_str().unwrap();
        page.browser.wait(
            message,
            &format!("[...document.querySelectorAll('.line.chosen .note')].some((note) => note.textContent.includes({}))", json!(message)),
        );
    }
    // the files say what they were taken as
    let list = page.browser.text("#file-list");
    assert!(list.contains("Certificate ×5") && list.contains("APISIX objects"), "{list}");
    page.quiet();
}

#[test]
fn a_folder_can_be_chosen_or_dropped_and_bytes_that_are_no_text_are_judged() {
    let Some(page) = page() else { return };
    let folder = target().join("page-folder");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(folder.join("tls")).unwrap();
    std::fs::write(folder.join("nginx.conf"), "events {}\nhttp { server { listen 443 ssl; ssl_certificate tls/a.der; ssl_certificate_key tls/a.key; } }\n").unwrap();
    std::fs::write(folder.join("tls/a.der"), [0x30, 0x82, 0xff, 0xfe]).unwrap();
    std::fs::write(folder.join("tls/logo.png"), [0x89, b'P', b'N', b'G']).unwrap();
    let judged = || {
        page.browser.wait(
            "the kinds",
            "document.querySelector('#file-list').textContent.includes('nginx configuration')",
        );
        let list = page.browser.text("#file-list");
        assert!(list.contains("tls/a.der") && !list.contains("logo.png"), "{list}");
    };
    page.judged(|browser| browser.type_into("#pick-folder", &folder.to_string_lossy()));
    judged();
    page.judged(|browser| browser.click("#start-over"));
    // the same folder, dragged in
    let data = json!({"items": [], "files": [folder.canonicalize().unwrap()], "dragOperationsMask": 1});
    let drag = |kind: &str| {
        let event = json!({"type": kind, "x": 400, "y": 400, "data": data});
        page.browser.devtools("Input.dispatchDragEvent", &event);
    };
    page.judged(|_| ["dragEnter", "dragOver", "drop"].into_iter().for_each(drag));
    judged();
    // a sentence where something is not understood
    page.drop_files(&[("broken.yaml", "a: [1\nb: }")]);
    let said = page.browser.text("#finding-list .incomplete");
    assert!(said.contains("not understood") && said.contains("broken.yaml") && said.len() > 40, "{said}");
    page.quiet();
}

#[test]
fn text_is_pasted_and_edited_in_place() {
    let Some(page) = page() else { return };
    page.judged(|browser| {
        browser.run(
            "const data = new DataTransfer();
             data.setData('text/plain', arguments[0]);
             document.body.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data, bubbles: true}));",
            &[json!(
                "events {}\nhttp {\n  server {\n    listen 443 ssl;\n    ssl_verify_client on;\n  }\n}\n"
            )],
        );
    });
    assert_eq!(page.browser.run("return document.getElementById('file-name').value", &[]), "nginx.conf");
    let rules = page.rules();
    assert!(rules.contains(&"missing-server-certificate".to_owned()), "{rules:?}");
    // typing, key by key, as a person does
    page.judged(|browser| {
        browser.run("const text = document.querySelector('#editor textarea'); text.focus(); text.setSelectionRange(0, 0)", &[]);
        browser.keys("}");
    });
    let text = page.browser.text("#finding-list");
    assert!(text.contains("refused-syntax") || text.contains("not understood"), "{text}");
    // the filter hides and shows
    page.browser.run("for (const chip of document.querySelectorAll('#filter button')) if (chip.getAttribute('aria-pressed') === 'true') document.querySelector(`[data-severity=${chip.dataset.severity}]`).click()", &[]);
    assert_eq!(page.rules(), Vec::<String>::new());
    page.quiet();
}

#[test]
fn every_classic_mistake_is_named() {
    let Some(page) = page() else { return };
    let examples = std::fs::read_to_string(target().join("page/site/examples.json")).unwrap();
    let examples: Value = serde_json::from_str(&examples).unwrap();
    let mut mistakes = 0;
    for example in examples["deployments"].as_array().unwrap() {
        let title = example["title"].as_str().unwrap();
        page.example(title);
        if let Some(rule) = example["rule"].as_str() {
            assert_eq!(page.rules(), [rule], "{title}");
            mistakes += 1;
        }
        page.judged(|browser| browser.click("#start-over"));
    }
    assert_eq!(mistakes, 5);
    page.quiet();
}

#[test]
fn a_certain_edit_is_made_at_a_click() {
    let Some(page) = page() else { return };
    page.example("Verification switched off");
    let offered = "[...document.querySelectorAll('#finding-list button')].some((button) => button.textContent === 'Apply: write verify: true')";
    page.browser.wait("the edit", offered);
    page.judged(|browser| browser.press("#finding-list", "Apply: "));
    assert_eq!(page.rules(), Vec::<String>::new());
    let text = page.browser.run("return document.querySelector('#editor textarea').value", &[]);
    assert!(text.as_str().unwrap().contains("          verify: true\n"));
    page.quiet();
}

#[test]
fn diagram_slider_and_certificates() {
    let Some(page) = page() else { return };
    let browser = &page.browser;
    page.example("mTLS everywhere");
    let arrows = browser.run("return document.querySelectorAll('#diagram [data-connection]').length", &[]);
    assert_eq!(arrows, 5);
    // wide enough for files, source and findings side by side
    browser.resize(1190, 820);
    page.shot("article.png");
    browser.resize(1440, 1000);
    if std::env::var_os("MTLS_UPDATE").is_some() {
        let picture = fixtures().join("../wasm-demo/screenshot.png");
        std::fs::copy(target().join("page-screenshots/article.png"), picture).unwrap();
    }
    browser.run("document.querySelector('#diagram .edge.half').dispatchEvent(new MouseEvent('click', {bubbles: true}))", &[]);
    let text = browser.text("#connection");
    assert!(
        text.contains("backend:443")
            && text.contains("Handshake")
            && text.contains("verified by the other side")
            && text.contains("does not verify who the server is, and the server authenticates no client"),
        "{text}"
    );
    page.shot("connection.png");
    browser.press("#finding-list", "unverified-server");
    browser.wait("the rule's page", "document.getElementById('page').open && document.getElementById('page').textContent.includes('How to fix')");
    page.shot("rule.png");
    browser.keys(&ESCAPE.to_string());
    browser.wait("the page to close", "!document.getElementById('page').open");

    browser.click("#tab-certificates");
    browser.wait("planned certificates", "document.querySelectorAll('.certificate.planned').length > 3");
    page.shot("certificates.png");
    browser.click("#tab-deployment");

    page.judged(|browser| browser.click("#start-over"));
    page.example("Until it expires");
    assert_eq!(page.rules(), Vec::<String>::new());
    browser.wait("a mark", "document.querySelector('.break')");
    // every connection that dates end has its mark
    let marks = browser.run(
        "return [...document.querySelectorAll('.break')].map((mark) => mark.getAttribute('aria-label').slice(0, 10))",
        &[],
    );
    assert_eq!(marks, json!(["2027-03-01", "2027-06-01"]));
    page.judged(|browser| browser.click(".break"));
    assert_eq!(page.rules(), ["expired-certificate"]);
    assert!(
        browser
            .run("return document.getElementById('moment').value", &[])
            .as_str()
            .unwrap()
            .starts_with("2027-03-01")
    );
    browser.wait("the arrow", "document.querySelector('#diagram .edge.bad')");
    page.shot("expired.png");
    // by keyboard, back to the beginning
    browser.run("document.getElementById('slider').focus()", &[]);
    page.judged(|browser| browser.keys("\u{e011}"));
    assert_eq!(page.rules(), Vec::<String>::new());
    browser.click("#tab-certificates");
    browser.wait(
        "certificates",
        "document.querySelector('#certificates').textContent.includes('DNS:backend.shop.test')",
    );
    page.quiet();
}

#[test]
fn a_command_a_log_line_and_a_policy() {
    let Some(page) = page() else { return };
    let browser = &page.browser;
    page.example("mTLS everywhere");
    browser.click("#tab-command");
    browser.type_into("#command", "curl --resolve admin:30180:127.0.0.1 https://admin:30180/apisix/admin/routes --cacert k8s:demo/person-tls/ca.crt");
    browser.press("#command-form", "What would happen");
    browser.wait("the answer", "document.getElementById('command-answer').textContent.includes('400 No required SSL certificate was sent')");
    for (line, answer) in [
        ("etcdctl --endpoints https://etcd:2379 get /", "certificate signed by unknown authority"),
        ("openssl s_client -connect backend:443 -CAfile k8s:demo/person-tls/ca.crt", "https://backend:443"),
        ("wget https://backend/", "wget is no command that is read here"),
    ] {
        browser.run("document.getElementById('command').value = arguments[0]", &[json!(line)]);
        browser.press("#command-form", "What would happen");
        browser.wait(
            line,
            &format!("document.getElementById('command-answer').textContent.includes({})", json!(answer)),
        );
    }
    browser
        .type_into("#log-line", "client SSL certificate verify error: (26:unsuitable certificate purpose)");
    browser.press("#log-form", "What does it mean");
    browser.wait(
        "the causes",
        "document.getElementById('log-answer').textContent.startsWith('missing-client-auth-usage')",
    );
    page.shot("command.png");

    browser.click("#tab-policy");
    browser.wait("the decision", "document.querySelector('#policy-answer .decision.allow')");
    assert!(browser.text("#policy-answer").contains("orders"));
    page.shot("policy.png");
    let set = |field: &str, text: &str| {
        browser.run("const field = document.getElementById(arguments[0]); field.value = arguments[1]; field.dispatchEvent(new Event('input'))", &[json!(field), json!(text)]);
    };
    set("policy-request", "DELETE https://shop.test/orders/7");
    browser.wait("the denial", "document.querySelector('#policy-answer .decision.deny')");
    set("policy", "rules: 7");
    browser.wait(
        "the error in words",
        "document.querySelector('#policy-answer .wrong')?.textContent.length > 10",
    );
    page.quiet();
}

#[test]
fn a_link_keeps_the_state_and_no_key() {
    let Some(page) = page() else { return };
    let browser = &page.browser;
    let key = std::fs::read_to_string(fixtures().join("pki/server.key")).unwrap();
    let body = key.lines().nth(1).unwrap().to_owned();
    let json_key = json!({"id": "1", "snis": ["a.test"], "cert": "x", "key": key}).to_string();
    let manifest = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData:\n  password: hunter2hunter2\n  tls.key: |\n    {}\n",
        key.replace('\n', "\n    ")
    );
    page.drop_files(&[
        ("server.key", &key),
        ("ssl.json", &json_key),
        ("secret.yaml", &manifest),
        ("nginx.conf", "http { server { listen 443 ssl; } }\n"),
    ]);
    page.judged(|browser| {
        browser.run("const field = document.getElementById('moment'); field.value = '2030-01-01T00:00:00'; field.dispatchEvent(new Event('change'))", &[]);
    });
    browser.run("document.getElementById('policy-certificate').value = arguments[0]", &[json!(key)]);
    browser.click("#share");
    browser.wait("the link", "location.hash.length > 10");
    let said = browser.text("#notice");
    assert!(said.contains("Private keys") && said.contains("asterisks"), "{said}");
    let fragment = browser.run("return location.hash", &[]).as_str().unwrap().to_owned();
    let state = browser
        .run("return import('./permalink.js').then((link) => link.decode(location.hash))", &[])
        .to_string();
    assert!(!state.contains(&body) && !state.contains("hunter2"), "{state}");
    assert!(state.contains("2030-01-01T00:00:00Z") && state.contains("listen 443"), "{state}");

    let paths = "return [...document.querySelectorAll('#file-list .path')].map((path) => path.textContent)";
    let before = browser.run(paths, &[]);
    page.load(&fragment);
    browser.wait(
        "the kinds",
        "document.querySelector('#file-list').textContent.includes('nginx configuration')",
    );
    assert_eq!(browser.run(paths, &[]), before);
    assert_eq!(browser.run("return document.getElementById('moment').value.slice(0, 10)", &[]), "2030-01-01");
    assert!(browser.text("#notice").contains("made without private keys"));
    // anybody can write a link
    for broken in ["#v1.", "#v1.AAAA", "#v1.%%%"] {
        page.load(broken);
        assert!(browser.text("#notice").contains("cannot be read"), "{broken}");
    }
    page.quiet();
}

#[test]
fn nothing_is_requested_after_loading() {
    let Some(mut page) = page() else { return };
    let asked: BTreeSet<String> = page.server.asked().into_iter().collect();
    assert!(asked.contains("/mtls_demo_bg.wasm") && asked.contains("/worker.js"), "{asked:?}");
    let meta = page.browser.run("return document.querySelector('meta[http-equiv]').content", &[]);
    assert_eq!(meta.as_str().unwrap(), POLICY.trim_end_matches("; frame-ancestors 'none'"));
    let readme = std::fs::read_to_string(fixtures().join("../README.md")).unwrap();
    assert!(
        readme.contains(&format!("Content-Security-Policy: {POLICY}\n")),
        "the README names another policy"
    );
    // no network at all from here on
    page.server.stop();
    let before = page.server.asked().len();
    page.browser.offline(true);
    page.example("mTLS everywhere");
    assert!(!page.rules().is_empty());
    for tab in ["certificates", "command", "policy", "deployment"] {
        page.browser.click(&format!("#tab-{tab}"));
    }
    page.browser.press("#finding-list", "unverified-server");
    page.browser.wait("the rule's page", "document.getElementById('page').open");
    page.browser.run("document.getElementById('page').close()", &[]);
    page.browser.click("#share");
    page.browser.wait("the link", "location.hash.length > 10");
    assert_eq!(page.server.asked().len(), before);
    let kept = page.browser.run("return [localStorage.length, sessionStorage.length, document.cookie]", &[]);
    assert_eq!(kept, json!([0, 0, ""]));
    page.quiet();
}

#[test]
fn everything_can_be_done_by_keyboard() {
    let Some(page) = page() else { return };
    let browser = &page.browser;
    let focused = || {
        let what = "const e = document.activeElement; return e.id || e.dataset.do || e.dataset.connection || e.textContent.trim().slice(0, 30)";
        browser.run(what, &[]).as_str().unwrap_or_default().to_owned()
    };
    let mut walked = Vec::new();
    for _ in 0..40 {
        browser.keys(&TAB.to_string());
        walked.push(focused());
        if walked.last().is_some_and(|name| name.starts_with("mTLS everywhere")) {
            break;
        }
    }
    for stop in ["Skip to the content", "share", "theme", "tab-deployment", "open-files", "new-file"] {
        assert!(walked.iter().any(|name| name == stop), "{stop} is not reached: {walked:?}");
    }
    // one stop for all tabs; arrow keys move within
    assert!(!walked.iter().any(|name| name == "tab-policy"), "{walked:?}");
    page.judged(|browser| browser.keys(&ENTER.to_string()));
    browser.wait("the diagram", "document.querySelector('#diagram svg')");
    browser.run("document.getElementById('tab-deployment').focus()", &[]);
    browser.keys(&RIGHT.to_string());
    assert_eq!(focused(), "tab-certificates");
    assert_eq!(browser.run("return document.getElementById('panel-certificates').hidden", &[]), false);
    browser.keys("\u{e012}");
    browser.run("document.querySelector('#diagram [data-connection]').focus()", &[]);
    browser.keys(&ENTER.to_string());
    assert_eq!(focused(), "connection");
    browser.keys(&ESCAPE.to_string());
    assert_eq!(browser.run("return document.getElementById('connection').hidden", &[]), true);
    assert_eq!(browser.run("return document.activeElement.dataset.connection", &[]), "0");
    // the field for text is no trap
    browser.run("document.querySelector('#editor textarea').focus()", &[]);
    browser.keys(&TAB.to_string());
    assert_ne!(browser.run("return document.activeElement.tagName", &[]), "TEXTAREA");
    page.quiet();
}

/// Every text has a contrast of at least 4.5 : 1 with what is behind it (3 : 1 where it is large), and everything that
/// can be operated has a name.
const READABLE: &str = r#"
  const parse = (text) => { const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number); return text.startsWith('color(srgb') ? [r * 255, g * 255, b * 255, a] : [r, g, b, a]; };
  const over = (top, under) => top.slice(0, 3).map((c, i) => c * top[3] + under[i] * (1 - top[3])).concat(1);
  const light = (c) => { const [r, g, b] = c.map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.unshift(parse(getComputedStyle(e).backgroundColor));
    return layers.reduce((under, top) => over(top, under), [255, 255, 255, 1]);
  };
  const wrong = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true })) continue;
    if (element.closest('svg, noscript, :disabled, .skip, textarea')) continue;
    const style = getComputedStyle(element);
    const under = behind(element);
    const [a, b] = [light(over(parse(style.color), under)), light(under)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) wrong.push(`${element.className || element.tagName} "${walk.currentNode.data.trim().slice(0, 30)}" ${ratio.toFixed(2)}`);
  }
  for (const element of document.querySelectorAll('button, input:not([hidden]), textarea, [role=button]')) {
    const name = element.getAttribute('aria-label') || element.textContent.trim() || [...(element.labels ?? [])].map((label) => label.textContent).join('');
    if (!name) wrong.push(`${element.outerHTML.slice(0, 80)} has no name`);
    for (const text of element.querySelectorAll('text')) if (!name.includes(text.textContent)) wrong.push(`${name} says nothing of ${text.textContent}`);
  }
  for (const child of document.querySelector('[role=tablist]').children) if (child.getAttribute('role') !== 'tab') wrong.push(`${child.id} is no tab`);
  return wrong;
"#;

#[test]
fn light_and_dark_wide_and_narrow_it_can_be_read() {
    let Some(page) = page() else { return };
    let browser = &page.browser;
    let readable = |state: &str| assert_eq!(browser.run(READABLE, &[]), json!([]), "{state}");
    for scheme in ["light", "dark"] {
        browser.prefer(scheme);
        // colours change over a moment
        std::thread::sleep(std::time::Duration::from_millis(200));
        readable(&format!("welcome, {scheme}"));
        page.shot(&format!("welcome-{scheme}.png"));
        page.example("mTLS everywhere");
        browser.run("document.querySelector('#diagram .edge.half').dispatchEvent(new MouseEvent('click', {bubbles: true}))", &[]);
        readable(&format!("article, {scheme}"));
        page.shot(&format!("article-{scheme}.png"));
        for tab in ["certificates", "command", "policy"] {
            browser.click(&format!("#tab-{tab}"));
            std::thread::sleep(std::time::Duration::from_millis(200));
            readable(&format!("{tab}, {scheme}"));
        }
        page.judged(|browser| browser.click("#start-over"));
    }
    browser.resize(420, 900);
    page.example("mTLS everywhere");
    let overflow = browser
        .run("return document.documentElement.scrollWidth - document.documentElement.clientWidth", &[]);
    assert_eq!(overflow, 0, "the page is wider than a narrow screen");
    page.shot("narrow.png");
    page.quiet();
}

/// A deployment of two thousand lines: the article's, many times, each in a namespace of its own.
fn large() -> Vec<(String, String)> {
    let folder = files(&fixtures().join("deployments/apisix-mtls"));
    let lines: usize = folder.iter().map(|(_, text)| text.lines().count()).sum();
    let copies = 2000_usize.div_ceil(lines);
    let copy = |number: usize| {
        let of = move |(path, text): &(String, String)| {
            (format!("{number}/{path}"), text.replace("edge", &format!("edge{number}")))
        };
        folder.iter().map(of).collect::<Vec<_>>()
    };
    (0..copies).flat_map(copy).collect()
}

#[test]
fn it_is_quick_and_small() {
    let Some(page) = page() else { return };
    let browser = &page.browser;
    let figure = |name: &str| {
        let entries = browser.run(
            "return performance.getEntriesByName(arguments[0]).map((entry) => entry.duration)",
            &[json!(name)],
        );
        let durations: Vec<f64> = serde_json::from_value(entries).unwrap();
        durations.last().copied().unwrap_or(f64::MAX)
    };
    page.example("mTLS everywhere");
    browser.wait("the measure", "performance.getEntriesByName('example judged').length > 0");
    let first = figure("example judged");
    page.judged(|browser| browser.click("#start-over"));

    let files = large();
    let lines: usize = files.iter().map(|(_, text)| text.lines().count()).sum();
    let texts: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    page.drop_files(&texts);
    let mut edits = Vec::new();
    for number in 0..15 {
        std::thread::sleep(std::time::Duration::from_millis(200));
        page.judged(|browser| {
            browser.run("const text = document.querySelector('#editor textarea'); text.value += arguments[0]; text.dispatchEvent(new Event('input'))", &[json!(format!("# {number}\n"))]);
        });
        edits.push(figure("judged"));
    }
    edits.sort_by(f64::total_cmp);
    let edit = edits[edits.len() / 2];
    let packed = |name: &str| {
        let script = "return fetch(arguments[0]).then((found) => \
                      new Response(found.body.pipeThrough(new CompressionStream('gzip'))).arrayBuffer()).then((bytes) => bytes.byteLength)";
        browser.run(script, &[json!(name)]).as_u64().unwrap()
    };
    let (bytes, constants) = (packed("mtls_demo_bg.wasm"), packed("mtls_demo_bg.data"));
    eprintln!(
        "first result of an example {first:.0} ms, an edit among {lines} lines judged in {edit:.0} ms (fastest {:.0}); \
         gzipped, the module has {bytes} bytes and its constants {constants}",
        edits[0]
    );
    assert!(lines >= 2000);
    // the goals are 300 ms and 100 ms on a machine with nothing else to do; tests run beside others
    assert!(first < 1500.0 && edits[0] < 400.0, "{first} ms, {edits:?}");
    // some hundred bytes hang on the order in which functions stand, which is no reason to stop a change
    assert!(bytes <= GOAL + GOAL / 100, "the module has {bytes} bytes gzipped, more than {GOAL}");
    page.quiet();
}

#[test]
fn an_edit_does_not_wait_for_what_it_outdated() {
    let Some(page) = page() else { return };
    let browser = &page.browser;
    // more than anybody edits by hand: one judgement takes a while
    let files = large();
    let texts: Vec<(String, &str)> = (0..12)
        .flat_map(|copy| files.iter().map(move |(path, text)| (format!("{copy}/{path}"), text.as_str())))
        .collect();
    let texts: Vec<(&str, &str)> = texts.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    let begun = Instant::now();
    page.drop_files(&texts);
    let whole = begun.elapsed();
    // the same question again, and while it is being answered a small one
    let begun = Instant::now();
    browser.run(
        "const text = document.querySelector('#editor textarea'); text.value += '# more\\n'; text.dispatchEvent(new Event('input'));
         return new Promise((resolve) => setTimeout(resolve, 400))",
        &[],
    );
    page.judged(|browser| browser.click("#start-over"));
    page.example("Verification switched off");
    let small = begun.elapsed();
    assert_eq!(page.rules(), ["unverified-server"]);
    eprintln!("{} files judged in {whole:.0?}, a small example begun meanwhile in {small:.0?}", texts.len());
    page.quiet();
}

#[test]
fn the_worker_is_under_the_policy_of_the_page_even_where_no_header_says_so() {
    let Some(page) = page_without_headers() else { return };
    // what a worker out of a blob may do, as the linter's is one
    let tried = page.browser.run(
        "const code = `fetch('https://example.test/').then(() => postMessage('sent'), (error) => postMessage(error.name));
                       self.addEventListener('securitypolicyviolation', ({ effectiveDirective }) => postMessage(effectiveDirective));`;
         const worker = new Worker(URL.createObjectURL(new Blob([code], { type: 'text/javascript' })), { type: 'module' });
         return new Promise((resolve) => { worker.onmessage = ({ data }) => resolve(data); })",
        &[],
    );
    assert!(tried == "connect-src" || tried == "TypeError", "{tried}");
    page.example("mTLS everywhere");
    let refused = page.browser.log("browser");
    assert!(
        refused.iter().any(|entry| entry["message"].as_str().unwrap().contains("connect-src")),
        "{refused:?}"
    );
}

#[test]
fn what_arrives_late_takes_the_focus_from_nobody() {
    let Some(page) = page() else { return };
    let browser = &page.browser;
    page.example("Verification switched off");
    browser.run("document.querySelector('#finding-list button.rule').focus()", &[]);
    browser.wait("the edit", "document.getElementById('finding-list').textContent.includes('Apply: ')");
    let focused = "return document.activeElement.textContent";
    assert_eq!(browser.run(focused, &[]), "unverified-server");
    // the list of files is drawn anew when one is opened
    browser.run("document.querySelectorAll('#file-list button')[1].focus()", &[]);
    browser.keys(&ENTER.to_string());
    assert_eq!(browser.run("return document.activeElement.dataset.key", &[]), "2-certificates.yaml");
    browser.run("document.querySelector('#diagram [data-connection=\"1\"]').focus()", &[]);
    page.judged(|browser| {
        browser.run("const text = document.querySelector('#editor textarea'); text.value += '# more\\n'; text.dispatchEvent(new Event('input'))", &[]);
    });
    std::thread::sleep(std::time::Duration::from_millis(800));
    assert_eq!(browser.run("return document.activeElement.dataset.connection", &[]), "1");
    page.quiet();
}

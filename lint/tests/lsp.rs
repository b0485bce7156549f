//! An editor's session with the program: it types, sees diagnostics change, takes a quick fix; and what is no message
//! ends nothing.

#![expect(clippy::unwrap_used, reason = "the functions around the tests are tests too")]

use std::fs;
use std::io::{BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use mtls_lint::lsp::diagnose::uri;
use mtls_lint::lsp::frame::{self, Frame};
use mtls_lint::lsp::position::{Encoding, Lines};
use serde_json::{Value, json};

/// An editor.
struct Client {
    child: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Value>,
    next: i64,
}

impl Client {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mtls-lint"))
            .args(["lsp", "--at", "2026-11-23T00:00:00Z"])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let (sender, messages) = channel();
        thread::spawn(move || {
            while let Ok(Some(Frame::Body(body))) = frame::read(&mut output) {
                if sender.send(serde_json::from_slice(&body).unwrap()).is_err() {
                    break;
                }
            }
        });
        let input = child.stdin.take();
        Self { child, input, messages, next: 0 }
    }

    fn raw(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().unwrap();
        input.write_all(bytes).unwrap();
        input.flush().unwrap();
    }

    fn tell(&mut self, method: &str, parameters: Value) {
        let message = json!({ "jsonrpc": "2.0", "method": method, "params": parameters });
        frame::write(self.input.as_mut().unwrap(), &message).unwrap();
    }

    fn wait(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.messages.recv_timeout(Duration::from_secs(60)).unwrap();
            if wanted(&message) {
                return message;
            }
        }
    }

    fn ask(&mut self, method: &str, parameters: Value) -> Value {
        self.next += 1;
        let id = self.next;
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": parameters });
        frame::write(self.input.as_mut().unwrap(), &message).unwrap();
        let mut answer = self.wait(|message| message["id"] == id);
        answer["result"].take()
    }

    /// The next diagnostics of a file that are as wanted.
    fn diagnostics(&self, path: &Path, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let is_it = |message: &Value| {
            message["method"] == "textDocument/publishDiagnostics"
                && message["params"]["uri"] == uri(path)
                && message["params"]["diagnostics"].as_array().is_some_and(|found| wanted(found))
        };
        self.wait(is_it)["params"]["diagnostics"].as_array().cloned().unwrap()
    }

    fn initialize(&mut self, folder: &Path, capabilities: Value) -> Value {
        let folders = json!([{ "uri": uri(folder), "name": "w" }]);
        let answer =
            self.ask("initialize", json!({ "capabilities": capabilities, "workspaceFolders": folders }));
        self.tell("initialized", json!({}));
        answer
    }

    fn open(&mut self, path: &Path, text: &str) {
        let document = json!({ "uri": uri(path), "languageId": "yaml", "version": 1, "text": text });
        self.tell("textDocument/didOpen", json!({ "textDocument": document }));
    }

    fn leave(mut self) {
        assert_eq!(self.ask("shutdown", Value::Null), Value::Null);
        self.tell("exit", Value::Null);
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // only where a test failed: otherwise it has ended
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("lsp-{name} é"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    fs::canonicalize(folder).unwrap()
}

const ETCD: &str = "name: m1\nlisten-client-urls: https://0.0.0.0:2379\nadvertise-client-urls: https://etcd.example.test:2379\n\
                    client-transport-security:\n  cert-file: /etc/etcd/server.crt\n  key-file: /etc/etcd/server.key\n  \
                    trusted-ca-file: /etc/etcd/ca.crt\n";

/// Edits of the protocol, made in a text.
fn edited(text: &str, edits: &[Value]) -> String {
    let lines = Lines::new(text, Encoding::Utf16);
    let mut ranges: Vec<(usize, usize, &str)> = edits
        .iter()
        .map(|edit| {
            let offset = |end: &str| lines.offset(&edit["range"][end]).unwrap();
            (offset("start"), offset("end"), edit["newText"].as_str().unwrap())
        })
        .collect();
    ranges.sort_by_key(|(start, ..)| std::cmp::Reverse(*start));
    let mut text = text.to_owned();
    for (start, end, new) in ranges {
        text.replace_range(start..end, new);
    }
    text
}

#[test]
fn an_editor_types_sees_and_mends() {
    let folder = folder("types");
    let file = folder.join("etcd.conf.yml");
    fs::write(&file, ETCD).unwrap();
    let mut client = Client::start(&folder);
    let capabilities = json!({ "workspace": { "workspaceEdit": { "documentChanges": true } } });
    let answer = client.initialize(&folder, capabilities);
    assert_eq!(answer["capabilities"]["positionEncoding"], "utf-16");
    client.open(&file, ETCD);

    // typed at the end, behind a character of two UTF-16 units and four bytes
    let line = ETCD.lines().count();
    let change = json!({
        "range": { "start": { "line": line, "character": 0 }, "end": { "line": line, "character": 0 } },
        "text": "  \"client-cert-auth\": /* 𝄞 */",
    });
    let document = json!({ "uri": uri(&file), "version": 2 });
    client.tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": [change] }));
    let change = json!({
        "range": { "start": { "line": line, "character": 22 }, "end": { "line": line, "character": 30 } },
        "text": "false # 𝄞",
    });
    let document = json!({ "uri": uri(&file), "version": 3 });
    client.tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": [change] }));
    let text = format!("{ETCD}  \"client-cert-auth\": false # 𝄞");

    let found = client
        .diagnostics(&file, |found| !found.is_empty() && found[0]["code"] == "implied-client-authentication");
    let [found] = found.as_slice() else { unreachable!("{found:?}") };
    assert_eq!(found["severity"], 2);
    assert_eq!(found["range"]["start"], json!({ "line": line, "character": 22 }));
    assert_eq!(found["range"]["end"], json!({ "line": line, "character": 27 }));
    assert!(found["codeDescription"]["href"].as_str().unwrap().ends_with("#implied-client-authentication"));
    assert_eq!(found["relatedInformation"][0]["location"]["range"]["start"]["line"], 6);

    let at = json!({ "line": line, "character": 24 });
    let hover =
        client.ask("textDocument/hover", json!({ "textDocument": { "uri": uri(&file) }, "position": at }));
    assert!(hover["contents"]["value"].as_str().unwrap().contains("## How to fix"), "{hover}");
    let nowhere = json!({ "textDocument": { "uri": uri(&file) }, "position": { "line": 0, "character": 0 } });
    assert_eq!(client.ask("textDocument/hover", nowhere), Value::Null);

    let actions = client.ask(
        "textDocument/codeAction",
        json!({ "textDocument": { "uri": uri(&file) }, "range": { "start": at, "end": at }, "context": { "diagnostics": [] } }),
    );
    let change = &actions[0]["edit"]["documentChanges"][0];
    assert_eq!(change["textDocument"], json!({ "uri": uri(&file), "version": 3 }));
    let mended = edited(&text, change["edits"].as_array().unwrap());
    assert_eq!(mended, text.replace("false", "true"));

    let document = json!({ "uri": uri(&file), "version": 4 });
    client.tell(
        "textDocument/didChange",
        json!({ "textDocument": document, "contentChanges": [{ "text": mended }] }),
    );
    client.diagnostics(&file, <[Value]>::is_empty);

    // closed without saving: what the disk holds counts again, and is in order
    client.tell("textDocument/didClose", json!({ "textDocument": { "uri": uri(&file) } }));
    client.leave();
    assert_eq!(fs::read_to_string(&file).unwrap(), ETCD);
}

#[test]
fn the_workspace_is_one_deployment() {
    let folder = folder("workspace");
    let fixture =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/rules/unknown-target-port/bad-name");
    for entry in fs::read_dir(fixture).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
    }
    let (service, web) = (folder.join("service.yaml"), folder.join("web.yaml"));
    let mut client = Client::start(&folder);
    client.initialize(&folder, json!({ "general": { "positionEncodings": ["utf-8", "utf-16"] } }));
    // nothing is open, and it is told
    let found = client.diagnostics(&service, |found| !found.is_empty());
    assert_eq!(found[0]["code"], "unknown-target-port");
    assert_eq!(found[0]["relatedInformation"][0]["location"]["uri"], uri(&web));

    // the other file is mended, in the editor alone
    let text = fs::read_to_string(&web).unwrap().replace("name: https", "name: tls");
    client.open(&web, &text);
    client.diagnostics(&service, <[Value]>::is_empty);
    // and closed without saving
    client.tell("textDocument/didClose", json!({ "textDocument": { "uri": uri(&web) } }));
    client.diagnostics(&service, |found| !found.is_empty());
    // now on the disk, behind the editor's back
    fs::write(&web, text).unwrap();
    client.tell("workspace/didChangeWatchedFiles", json!({ "changes": [] }));
    client.diagnostics(&service, <[Value]>::is_empty);
    client.leave();
}

#[test]
fn a_file_that_was_never_saved_is_judged_alone() {
    let folder = folder("unsaved");
    let file = folder.join("new.conf.yml");
    let mut client = Client::start(&folder);
    client.ask("initialize", json!({ "capabilities": {}, "rootUri": null }));
    client.tell("initialized", json!({}));
    client.open(&file, &format!("{ETCD}  client-cert-auth: false\n"));
    client.diagnostics(&file, |found| found.len() == 1);
    client.open(&file, "a: [\n");
    let found = client.diagnostics(&file, |found| !found.is_empty() && found[0]["severity"] == 1);
    assert_eq!(found[0]["source"], "mtls-lint");
    client.leave();
}

#[test]
fn the_configuration_of_the_workspace_counts() {
    let folder = folder("configuration");
    let file = folder.join("etcd.conf.yml");
    fs::write(&file, format!("{ETCD}  client-cert-auth: false\n")).unwrap();
    let mut client = Client::start(&folder);
    client.initialize(&folder, json!({}));
    client.diagnostics(&file, |found| found.len() == 1);
    let allowed = "ignore:\n  - rule: implied-client-authentication\n    reason: it says so in the manual\n";
    fs::write(folder.join("mtls-lint.yaml"), allowed).unwrap();
    client.tell("workspace/didChangeWatchedFiles", json!({ "changes": [] }));
    client.diagnostics(&file, <[Value]>::is_empty);
    // one that cannot be read is told, and what was read before counts
    fs::write(folder.join("mtls-lint.yaml"), "ignored: []\n").unwrap();
    client.tell("workspace/didChangeWatchedFiles", json!({ "changes": [] }));
    let told = client.wait(|message| message["method"] == "window/showMessage");
    assert_eq!(told["params"]["type"], 1);
    client.leave();
}

#[test]
fn hostile_frames_end_nothing() {
    let folder = folder("hostile");
    let mut client = Client::start(&folder);
    for garbage in [
        "\r\n\r\n".to_owned(),
        "Content-Length: 1\r\n\r\n{".to_owned(),
        "Content-Length: -5\r\n\r\n".to_owned(),
        format!("{}: x\r\nContent-Length: 4\r\n\r\nnull", "X".repeat(1 << 20)),
        format!("Content-Length: 40000\r\n\r\n{}", "[".repeat(40_000)),
        "Content-Length: 9\r\n\r\n{\"id\":{}}".to_owned(),
    ] {
        client.raw(garbage.as_bytes());
    }
    client.raw(b"Content-Length: 4\r\n\r\n\xff\xfe\x00\x01");
    client.initialize(&folder, json!({ "workspace": 7, "general": [] }));
    for (method, parameters) in [
        ("textDocument/didOpen", json!({ "textDocument": { "uri": 1 } })),
        ("textDocument/didOpen", json!({ "textDocument": { "uri": "file:///%", "text": "" } })),
        (
            "textDocument/didChange",
            json!({ "textDocument": { "uri": "file:///never-opened" }, "contentChanges": [] }),
        ),
        ("textDocument/didClose", json!([])),
        ("workspace/didChangeWorkspaceFolders", json!({ "event": { "added": [{ "uri": "http://x/" }] } })),
        ("$/cancelRequest", json!({ "id": 1 })),
    ] {
        client.tell(method, parameters);
    }
    client.leave();
}

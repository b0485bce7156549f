//! What an editor asks and is told, message by message.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::diagnose::{Judged, path, uri};
use super::position::{Encoding, Lines};
use crate::rules;

/// More files are not held open.
const MOST_OPEN: usize = 4096;

/// One editor, from `initialize` to `exit`.
#[derive(Debug, Default)]
pub struct Session {
    state: State,
    /// What positions are counted in.
    pub encoding: Encoding,
    /// The folders of the workspace.
    pub folders: BTreeSet<PathBuf>,
    open: BTreeMap<PathBuf, Open>,
    /// Counts every change of an open file.
    pub generation: u64,
    judged: Judged,
    /// Files about which the editor has diagnostics.
    published: BTreeSet<PathBuf>,
    versioned_edits: bool,
    watches_files: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Fresh,
    Running,
    ShutDown,
}

#[derive(Debug)]
struct Open {
    /// As the editor wrote it.
    uri: String,
    version: Option<i64>,
    text: Arc<Vec<u8>>,
}

/// What a message leads to.
#[derive(Debug, Default, PartialEq)]
pub struct Reaction {
    /// To be sent, in this order.
    pub replies: Vec<Value>,
    /// Something changed: judge once the editor rests.
    pub judge: bool,
    /// Files changed on the disk, or other folders are meant.
    pub reload: bool,
    /// The server ends with this status.
    pub exit: Option<u8>,
}

/// Error codes of JSON-RPC and the protocol.
mod code {
    pub const PARSE: i64 = -32700;
    pub const INVALID_REQUEST: i64 = -32600;
    pub const METHOD_NOT_FOUND: i64 = -32601;
    pub const INVALID_PARAMETERS: i64 = -32602;
    pub const NOT_INITIALIZED: i64 = -32002;
}

impl Session {
    /// Takes the body of a frame.
    pub fn take(&mut self, body: &[u8]) -> Reaction {
        let message: Value = match serde_json::from_slice(body) {
            Ok(message) => message,
            Err(error) => return replying(failure(&Value::Null, code::PARSE, &error.to_string())),
        };
        let id = message.get("id").filter(|id| id.is_string() || id.is_number());
        let Some(method) = message.get("method").and_then(Value::as_str) else {
            // an answer to something that we asked has no method, and needs none
            let answers = message.get("result").is_some() || message.get("error").is_some();
            return if answers {
                Reaction::default()
            } else {
                replying(failure(id.unwrap_or(&Value::Null), code::INVALID_REQUEST, "a message has a method"))
            };
        };
        let parameters = message.get("params").unwrap_or(&Value::Null);
        match id {
            Some(id) => self.request(id, method, parameters),
            None => self.notification(method, parameters),
        }
    }

    /// What a damaged frame is answered with.
    pub fn damaged(&self, why: &str) -> Reaction {
        replying(failure(&Value::Null, code::PARSE, why))
    }

    /// The open files as they are in the editor.
    pub fn open(&self) -> impl Iterator<Item = (&Path, Arc<Vec<u8>>)> {
        self.open.iter().map(|(path, open)| (path.as_path(), Arc::clone(&open.text)))
    }

    /// Takes what was found; what changed of it is told.
    pub fn judged(&mut self, judged: Judged) -> Vec<Value> {
        let mut told = Vec::new();
        let found: BTreeSet<PathBuf> = judged
            .files
            .iter()
            .filter(|(_, diagnostics)| !diagnostics.is_empty())
            .map(|(path, _)| path.clone())
            .collect();
        for path in self.published.union(&found) {
            let diagnostics = judged.files.get(path).map_or(&[][..], Vec::as_slice);
            let before = self.judged.files.get(path).map_or(&[][..], Vec::as_slice);
            let values: Vec<&Value> = diagnostics.iter().map(|diagnostic| &diagnostic.value).collect();
            if self.published.contains(path)
                && before.iter().map(|diagnostic| &diagnostic.value).eq(values.clone())
            {
                continue;
            }
            let open = self.open.get(path);
            let mut parameters = json!({
                "uri": open.map_or_else(|| uri(path), |open| open.uri.clone()),
                "diagnostics": values,
            });
            // a version that is newer than what was judged would be a lie
            if let Some(version) =
                open.and_then(|open| open.version).filter(|_| judged.generation == self.generation)
                && let Some(fields) = parameters.as_object_mut()
            {
                fields.insert("version".to_owned(), json!(version));
            }
            told.push(notification("textDocument/publishDiagnostics", &parameters));
        }
        self.published = found;
        self.judged = judged;
        told
    }

    fn request(&mut self, id: &Value, method: &str, parameters: &Value) -> Reaction {
        let answer = match (self.state, method) {
            (State::Fresh, "initialize") => Ok(self.initialize(parameters)),
            (State::Fresh, _) => Err((code::NOT_INITIALIZED, "initialize comes first".to_owned())),
            (State::Running, "shutdown") => {
                self.state = State::ShutDown;
                Ok(Value::Null)
            }
            (State::Running, "textDocument/hover") => self.hover(parameters),
            (State::Running, "textDocument/codeAction") => self.code_actions(parameters),
            (State::Running, "initialize") => {
                Err((code::INVALID_REQUEST, "initialize comes once".to_owned()))
            }
            (State::Running, other) => {
                Err((code::METHOD_NOT_FOUND, format!("{} is not known", other.escape_debug())))
            }
            (State::ShutDown, _) => {
                Err((code::INVALID_REQUEST, "after shutdown only exit is awaited".to_owned()))
            }
        };
        replying(match answer {
            Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
            Err((code, message)) => failure(id, code, &message),
        })
    }

    fn notification(&mut self, method: &str, parameters: &Value) -> Reaction {
        let mut reaction = Reaction::default();
        match (self.state, method) {
            (state, "exit") => reaction.exit = Some(u8::from(state != State::ShutDown)),
            (State::Running, "initialized") => {
                if self.watches_files {
                    let watchers = json!([{ "globPattern": "**/*" }]);
                    let registration = json!({
                        "id": "files",
                        "method": "workspace/didChangeWatchedFiles",
                        "registerOptions": { "watchers": watchers },
                    });
                    reaction.replies.push(json!({
                        "jsonrpc": "2.0",
                        "id": "register-files",
                        "method": "client/registerCapability",
                        "params": { "registrations": [registration] },
                    }));
                }
                (reaction.judge, reaction.reload) = (true, true);
            }
            (State::Running, "textDocument/didOpen") => {
                reaction.judge = self.did_open(parameters).is_some();
                // without a folder, the open files are the deployment
                reaction.reload = reaction.judge && self.folders.is_empty();
            }
            (State::Running, "textDocument/didChange") => {
                reaction.judge = self.did_change(parameters).is_some();
            }
            (State::Running, "textDocument/didClose") => {
                if let Some(path) = document(parameters) {
                    // what the disk holds counts again
                    let closed = self.open.remove(&path).is_some();
                    self.generation += u64::from(closed);
                    (reaction.judge, reaction.reload) = (closed, closed);
                }
            }
            (State::Running, "textDocument/didSave" | "workspace/didChangeWatchedFiles") => {
                (reaction.judge, reaction.reload) = (true, true);
            }
            (State::Running, "workspace/didChangeWorkspaceFolders") => {
                let event = parameters.get("event").unwrap_or(&Value::Null);
                for gone in folders(event.get("removed")) {
                    self.folders.remove(&gone);
                }
                self.folders.extend(folders(event.get("added")));
                (reaction.judge, reaction.reload) = (true, true);
            }
            // what is not known, or comes at the wrong time, means nothing
            _ => {}
        }
        reaction
    }

    fn initialize(&mut self, parameters: &Value) -> Value {
        self.state = State::Running;
        let capability =
            |pointer: &str| parameters.pointer(&format!("/capabilities{pointer}")).unwrap_or(&Value::Null);
        self.encoding = Encoding::agreed(capability("/general/positionEncodings"));
        self.versioned_edits = capability("/workspace/workspaceEdit/documentChanges") == &Value::Bool(true);
        self.watches_files =
            capability("/workspace/didChangeWatchedFiles/dynamicRegistration") == &Value::Bool(true);
        self.folders.extend(folders(parameters.get("workspaceFolders")));
        if self.folders.is_empty() {
            let root = parameters.get("rootUri").and_then(Value::as_str).and_then(path);
            let root = root.or_else(|| parameters.get("rootPath").and_then(Value::as_str).map(PathBuf::from));
            self.folders.extend(root.filter(|root| root.is_absolute()));
        }
        json!({
            "capabilities": {
                "positionEncoding": self.encoding.name(),
                "textDocumentSync": { "openClose": true, "change": 2, "save": { "includeText": false } },
                "hoverProvider": true,
                "codeActionProvider": { "codeActionKinds": ["quickfix"] },
                "workspace": { "workspaceFolders": { "supported": true, "changeNotifications": true } },
            },
            "serverInfo": { "name": "mtls-lint", "version": env!("CARGO_PKG_VERSION") },
        })
    }

    fn did_open(&mut self, parameters: &Value) -> Option<()> {
        let document = parameters.get("textDocument")?;
        let uri = document.get("uri")?.as_str()?;
        let text = document.get("text")?.as_str()?;
        let path = path(uri)?;
        if self.open.len() >= MOST_OPEN && !self.open.contains_key(&path) {
            return None;
        }
        let version = document.get("version").and_then(Value::as_i64);
        self.open
            .insert(path, Open { uri: uri.to_owned(), version, text: Arc::new(text.as_bytes().to_vec()) });
        self.generation += 1;
        Some(())
    }

    fn did_change(&mut self, parameters: &Value) -> Option<()> {
        let path = document(parameters)?;
        let encoding = self.encoding;
        let open = self.open.get_mut(&path)?;
        let mut text = String::from_utf8_lossy(&open.text).into_owned();
        for change in parameters.get("contentChanges")?.as_array()? {
            let new = change.get("text")?.as_str()?;
            match change.get("range").filter(|range| !range.is_null()) {
                None => new.clone_into(&mut text),
                Some(range) => {
                    let lines = Lines::new(&text, encoding);
                    let (start, end) = (lines.offset(range.get("start")?)?, lines.offset(range.get("end")?)?);
                    if start > end {
                        return None;
                    }
                    text.replace_range(start..end, new);
                }
            }
        }
        open.text = Arc::new(text.into_bytes());
        open.version = parameters.pointer("/textDocument/version").and_then(Value::as_i64);
        self.generation += 1;
        Some(())
    }

    /// The pages of the rules that speak at a position.
    fn hover(&self, parameters: &Value) -> Result<Value, (i64, String)> {
        let (path, position) = document(parameters)
            .zip(parameters.get("position"))
            .ok_or((code::INVALID_PARAMETERS, "a hover has a textDocument and a position".to_owned()))?;
        let diagnostics = self.judged.files.get(&path).map_or(&[][..], Vec::as_slice);
        let here = |range: &Value| {
            let (start, end) = ends(range)?;
            let at = place(position)?;
            (start <= at && at <= end).then_some(())
        };
        let found = diagnostics.iter().filter(|diagnostic| here(&diagnostic.value["range"]).is_some());
        let mut pages: Vec<String> = found
            .filter_map(|diagnostic| {
                let rule = rules::find(diagnostic.rule?)?;
                Some(format!("**{}** ({})\n\n{}", rule.id, rule.severity.name(), rule.page()))
            })
            .collect();
        pages.dedup();
        if pages.is_empty() {
            return Ok(Value::Null);
        }
        Ok(json!({ "contents": { "kind": "markdown", "value": pages.join("\n\n---\n\n") } }))
    }

    /// The quick fixes within a range; none while the file is newer than what was judged.
    fn code_actions(&self, parameters: &Value) -> Result<Value, (i64, String)> {
        let wrong = || (code::INVALID_PARAMETERS, "a code action has a textDocument and a range".to_owned());
        let path = document(parameters).ok_or_else(wrong)?;
        let (start, end) = parameters.get("range").and_then(ends).ok_or_else(wrong)?;
        let only = parameters.pointer("/context/only").and_then(Value::as_array);
        let wanted = only.is_none_or(|kinds| {
            kinds.iter().any(|kind| kind.as_str().is_some_and(|kind| kind.is_empty() || kind == "quickfix"))
        });
        if !wanted || self.judged.generation != self.generation {
            return Ok(json!([]));
        }
        let diagnostics = self.judged.files.get(&path).map_or(&[][..], Vec::as_slice);
        let actions = diagnostics.iter().filter_map(|diagnostic| {
            let (from, to) = ends(&diagnostic.value["range"])?;
            let (title, files) = diagnostic.fix.as_ref().filter(|_| from <= end && start <= to)?;
            Some(json!({
                "title": title,
                "kind": "quickfix",
                "isPreferred": true,
                "diagnostics": [diagnostic.value],
                "edit": self.workspace_edit(files),
            }))
        });
        Ok(Value::Array(actions.collect()))
    }

    fn workspace_edit(&self, files: &BTreeMap<PathBuf, Vec<Value>>) -> Value {
        let named = |path: &Path| self.open.get(path).map_or_else(|| uri(path), |open| open.uri.clone());
        if self.versioned_edits {
            let changes = files.iter().map(|(path, edits)| {
                let version = self.open.get(path).and_then(|open| open.version);
                json!({ "textDocument": { "uri": named(path), "version": version }, "edits": edits })
            });
            json!({ "documentChanges": changes.collect::<Vec<_>>() })
        } else {
            let changes: serde_json::Map<String, Value> =
                files.iter().map(|(path, edits)| (named(path), json!(edits))).collect();
            json!({ "changes": changes })
        }
    }
}

fn replying(reply: Value) -> Reaction {
    Reaction { replies: vec![reply], ..Reaction::default() }
}

fn failure(id: &Value, code: i64, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
}

/// A notification to the editor.
pub fn notification(method: &str, parameters: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "method": method, "params": parameters })
}

fn document(parameters: &Value) -> Option<PathBuf> {
    path(parameters.pointer("/textDocument/uri")?.as_str()?)
}

fn folders(list: Option<&Value>) -> Vec<PathBuf> {
    let list = list.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    list.iter().filter_map(|folder| path(folder.get("uri")?.as_str()?)).collect()
}

fn ends(range: &Value) -> Option<((u64, u64), (u64, u64))> {
    Some((place(range.get("start")?)?, place(range.get("end")?)?))
}

fn place(position: &Value) -> Option<(u64, u64)> {
    Some((position.get("line")?.as_u64()?, position.get("character")?.as_u64()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(session: &mut Session, message: &Value) -> Reaction {
        session.take(message.to_string().as_bytes())
    }

    fn error(reaction: &Reaction) -> Option<i64> {
        reaction.replies.first()?.pointer("/error/code")?.as_i64()
    }

    #[test]
    fn what_comes_at_the_wrong_time_is_refused_and_nothing_ends() {
        let mut session = Session::default();
        assert_eq!(error(&session.take(b"{")), Some(code::PARSE));
        assert_eq!(error(&session.take(&[0xff, 0x00])), Some(code::PARSE));
        assert_eq!(error(&session.take("[".repeat(10_000).as_bytes())), Some(code::PARSE));
        assert_eq!(error(&take(&mut session, &json!([]))), Some(code::INVALID_REQUEST));
        let hover = json!({ "jsonrpc": "2.0", "id": 1, "method": "textDocument/hover" });
        assert_eq!(error(&take(&mut session, &hover)), Some(code::NOT_INITIALIZED));
        let initialize = json!({ "id": "a", "method": "initialize", "params": { "rootUri": "file:///w" } });
        let reply = take(&mut session, &initialize).replies.remove(0);
        assert_eq!(reply.pointer("/result/capabilities/positionEncoding"), Some(&json!("utf-16")));
        assert_eq!(error(&take(&mut session, &initialize)), Some(code::INVALID_REQUEST));
        assert_eq!(error(&take(&mut session, &hover)), Some(code::INVALID_PARAMETERS));
        let unknown = json!({ "id": 2, "method": "textDocument/rename" });
        assert_eq!(error(&take(&mut session, &unknown)), Some(code::METHOD_NOT_FOUND));
        assert_eq!(
            take(&mut session, &json!({ "id": "register-files", "result": null })),
            Reaction::default()
        );
        assert_eq!(take(&mut session, &json!({ "method": "$/setTrace" })), Reaction::default());
        take(&mut session, &json!({ "id": 3, "method": "shutdown" }));
        assert_eq!(error(&take(&mut session, &hover)), Some(code::INVALID_REQUEST));
        assert_eq!(take(&mut session, &json!({ "method": "exit" })).exit, Some(0));
    }

    #[test]
    fn changes_are_applied_in_the_units_agreed() {
        let mut session = Session::default();
        take(&mut session, &json!({ "id": 1, "method": "initialize", "params": {} }));
        let open = json!({ "uri": "file:///a.yaml", "version": 1, "text": "a: 𝄞 # ü\nb\n" });
        take(&mut session, &json!({ "method": "textDocument/didOpen", "params": { "textDocument": open } }));
        let change = |session: &mut Session, change: Value| {
            let parameters = json!({ "textDocument": { "uri": "file:///a.yaml", "version": 2 }, "contentChanges": [change] });
            let reaction =
                take(session, &json!({ "method": "textDocument/didChange", "params": parameters }));
            let (_, text) = session.open().next().unwrap();
            (reaction.judge, String::from_utf8(text.to_vec()).unwrap())
        };
        let range = |from: (u32, u32), to: (u32, u32)| json!({ "start": { "line": from.0, "character": from.1 }, "end": { "line": to.0, "character": to.1 } });
        let (judge, text) = change(&mut session, json!({ "range": range((0, 3), (0, 5)), "text": "é" }));
        assert_eq!((judge, text.as_str()), (true, "a: é # ü\nb\n"));
        // backwards, or without a text: nothing happens
        let (judge, text) = change(&mut session, json!({ "range": range((1, 0), (0, 0)), "text": "x" }));
        assert_eq!((judge, text.as_str()), (false, "a: é # ü\nb\n"));
        assert!(!change(&mut session, json!({})).0);
        assert_eq!(change(&mut session, json!({ "text": "whole" })), (true, "whole".to_owned()));
    }
}

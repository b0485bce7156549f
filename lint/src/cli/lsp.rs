//! `mtls-lint lsp`: reads frames, judges beside, writes what changed.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use mtls_lint::lsp::diagnose::{Judged, diagnose};
use mtls_lint::lsp::frame::{self, Frame};
use mtls_lint::lsp::position::Encoding;
use mtls_lint::lsp::session::{Session, notification};
use mtls_lint::source::{FileContent, SourceFile, Sources};
use serde_json::json;

use super::{FOUND, Judge, Loaded, load_all, note};

/// After the last key the editor's text is judged.
const REST: Duration = Duration::from_millis(150);
/// Who types on and on is told something as well.
const LONGEST_REST: Duration = Duration::from_secs(1);
/// Messages that wait to be taken; beyond it the editor waits.
const MOST_WAITING: usize = 64;

#[derive(Debug, Args)]
pub struct Lsp {
    #[command(flatten)]
    judge: Judge,
    /// Speak over standard input and output, which is the only way there is
    #[arg(long, hide = true)]
    stdio: bool,
}

enum Event {
    Frame(Frame),
    End,
    Judged(Result<Judged, u8>),
}

/// What is to be judged.
struct Job {
    folders: Vec<PathBuf>,
    open: Vec<(PathBuf, Arc<Vec<u8>>)>,
    encoding: Encoding,
    generation: u64,
    /// The disk is to be read again.
    reload: bool,
}

/// The newest job: one that nobody began is replaced.
#[derive(Default)]
struct Desk {
    job: Mutex<Option<Job>>,
    arrived: Condvar,
}

pub fn run(arguments: Lsp) -> u8 {
    let (sender, inbox) = mpsc::sync_channel(MOST_WAITING);
    let desk = Arc::new(Desk::default());
    let (reader, judge) = (sender.clone(), arguments.judge);
    // neither thread is waited for: the process ends with the session
    thread::spawn(move || listen(&reader));
    let work = Arc::clone(&desk);
    thread::spawn(move || work.work(&judge, &sender));
    match serve(&inbox, &desk) {
        Ok(status) => status,
        // the editor is gone
        Err(_) => FOUND,
    }
}

fn listen(events: &SyncSender<Event>) {
    let mut input = BufReader::new(io::stdin());
    loop {
        let event = match frame::read(&mut input) {
            Ok(Some(frame)) => Event::Frame(frame),
            Ok(None) => Event::End,
            Err(error) => {
                note(&format!("mtls-lint: standard input: {error}"));
                Event::End
            }
        };
        let end = matches!(event, Event::End);
        if events.send(event).is_err() || end {
            return;
        }
    }
}

fn serve(inbox: &Receiver<Event>, desk: &Desk) -> io::Result<u8> {
    let mut out = io::stdout().lock();
    let mut session = Session::default();
    let (mut due, mut latest, mut reload): (Option<Instant>, Option<Instant>, bool) = (None, None, false);
    loop {
        let event = match due {
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => inbox.recv_timeout(due.saturating_duration_since(Instant::now())),
        };
        match event {
            Err(RecvTimeoutError::Timeout) => {
                (due, latest) = (None, None);
                desk.put(Job {
                    folders: session.folders.iter().cloned().collect(),
                    open: session.open().map(|(path, text)| (path.to_path_buf(), text)).collect(),
                    encoding: session.encoding,
                    generation: session.generation,
                    reload: std::mem::take(&mut reload),
                });
            }
            Err(RecvTimeoutError::Disconnected) | Ok(Event::End) => return Ok(FOUND),
            Ok(Event::Judged(Ok(judged))) => {
                for message in session.judged(judged) {
                    frame::write(&mut out, &message)?;
                }
            }
            Ok(Event::Judged(Err(_))) => {
                let text = "mtls-lint cannot judge this workspace; its log says why";
                frame::write(
                    &mut out,
                    &notification("window/showMessage", &json!({ "type": 1, "message": text })),
                )?;
            }
            Ok(Event::Frame(frame)) => {
                let reaction = match frame {
                    Frame::Body(body) => session.take(&body),
                    Frame::Damaged(why) => session.damaged(&why),
                };
                for reply in &reaction.replies {
                    frame::write(&mut out, reply)?;
                }
                if let Some(status) = reaction.exit {
                    return Ok(status);
                }
                reload |= reaction.reload;
                if reaction.judge {
                    let now = Instant::now();
                    let latest = *latest.get_or_insert(now + LONGEST_REST);
                    due = Some((now + REST).min(latest));
                }
            }
        }
    }
}

impl Desk {
    fn put(&self, mut job: Job) {
        let mut waiting = self.job.lock().unwrap_or_else(PoisonError::into_inner);
        job.reload |= waiting.as_ref().is_some_and(|waiting| waiting.reload);
        *waiting = Some(job);
        self.arrived.notify_one();
    }

    fn take(&self) -> Job {
        let mut waiting = self.job.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(job) = waiting.take() {
                return job;
            }
            waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn work(&self, judge: &Judge, events: &SyncSender<Event>) {
        let mut workspace: Option<Workspace> = None;
        loop {
            let job = self.take();
            if job.reload || workspace.is_none() {
                match Workspace::read(&job, judge) {
                    Ok(read) => workspace = Some(read),
                    // what was read before is better than nothing
                    Err(status) => {
                        if events.send(Event::Judged(Err(status))).is_err() {
                            return;
                        }
                    }
                }
            }
            let judged = workspace.as_ref().map_or_else(
                || Judged { generation: job.generation, ..Judged::default() },
                |workspace| workspace.judge(&job),
            );
            if events.send(Event::Judged(Ok(judged))).is_err() {
                return;
            }
        }
    }
}

/// The files of the workspace as the disk has them.
struct Workspace {
    loaded: Loaded,
    /// Where each file really is, links resolved.
    real: Vec<Option<PathBuf>>,
}

impl Workspace {
    /// Reads the folders, or without any the open files.
    fn read(job: &Job, judge: &Judge) -> Result<Self, u8> {
        let paths: Vec<PathBuf> = if job.folders.is_empty() {
            job.open.iter().map(|(path, _)| path.clone()).filter(|path| path.is_file()).collect()
        } else {
            job.folders.iter().filter(|folder| folder.is_dir()).cloned().collect()
        };
        let loaded = load_all(&paths, judge, None)?;
        let real = loaded.files.places.iter().map(|place| place.as_deref().map(real)).collect();
        Ok(Self { loaded, real })
    }

    fn judge(&self, job: &Job) -> Judged {
        let (sources, places) = self.with_open(job);
        let mut report = self.loaded.judge(&sources);
        mtls_lint::fix::attach(&sources, &mut report, &|sources| self.loaded.judge(sources));
        diagnose(&report, &places, job.encoding, job.generation)
    }

    /// The files with what is open in the editor in place of what the disk holds.
    fn with_open(&self, job: &Job) -> (Sources, Vec<Option<PathBuf>>) {
        let mut open: BTreeMap<PathBuf, (&Path, &Arc<Vec<u8>>)> =
            job.open.iter().map(|(path, text)| (real(path), (path.as_path(), text))).collect();
        let mut sources = Sources::default();
        sources.root = self.loaded.files.sources.root;
        sources.folder.clone_from(&self.loaded.files.sources.folder);
        let mut places = Vec::new();
        for (id, file) in self.loaded.files.sources.iter() {
            let index = id.0 as usize;
            let edited = self.real.get(index).and_then(Option::as_ref).and_then(|real| open.remove(real));
            let (content, place) = match edited {
                Some((path, text)) => (FileContent::Bytes(Arc::clone(text)), Some(path.to_path_buf())),
                None => (file.content.clone(), self.loaded.files.places.get(index).cloned().flatten()),
            };
            sources.push(SourceFile { path: file.path.clone(), content, mode: file.mode });
            places.push(place);
        }
        for (path, text) in open.into_values() {
            // new, and not saved yet; what the disk has and was not read is no part of the deployment
            let within = job.folders.is_empty() || job.folders.iter().any(|folder| path.starts_with(folder));
            if within && !path.exists() {
                let content = FileContent::Bytes(Arc::clone(text));
                sources.push(SourceFile { path: path.to_string_lossy().into_owned(), content, mode: None });
                places.push(Some(path.to_path_buf()));
            }
        }
        (sources, places)
    }
}

fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}

//! Progress: on standard error, for runs over a second, on terminals only.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// A run shorter than this says nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the line is written anew.
const EVERY: Duration = Duration::from_millis(200);

/// The line that says what is being done; it is gone when this is dropped.
#[derive(Debug, Default)]
pub struct Progress {
    running: Option<(Arc<State>, JoinHandle<()>)>,
}

#[derive(Debug)]
struct State {
    doing: &'static str,
    done: Mutex<bool>,
    /// Told when it is done.
    wake: Condvar,
    files: AtomicUsize,
}

impl Progress {
    /// Begins to count the time; `files` are already read.
    pub fn begin(doing: &'static str, files: usize) -> Self {
        if !io::stderr().is_terminal() {
            return Self::default();
        }
        let state = Arc::new(State {
            doing,
            done: Mutex::new(false),
            wake: Condvar::new(),
            files: AtomicUsize::new(files),
        });
        let watched = Arc::clone(&state);
        // without a thread there is no progress to see, and nothing else is lost
        let thread = std::thread::Builder::new().spawn(move || watched.show());
        Self { running: thread.ok().map(|thread| (state, thread)) }
    }

    /// One more file was read.
    pub fn file(&self) {
        if let Some((state, _)) = &self.running {
            state.files.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl State {
    fn show(&self) {
        let mut wait = PATIENCE;
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let mut shown = false;
        loop {
            let waited = self.wake.wait_timeout_while(done, wait, |done| !*done);
            done = waited.unwrap_or_else(PoisonError::into_inner).0;
            if *done {
                break;
            }
            let files = match self.files.load(Ordering::Relaxed) {
                1 => "1 file".to_owned(),
                number => format!("{number} files"),
            };
            let _ = write!(io::stderr().lock(), "\r\u{1b}[Kmtls-lint: {}, {files}", self.doing);
            shown = true;
            wait = EVERY;
        }
        if shown {
            let _ = write!(io::stderr().lock(), "\r\u{1b}[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((state, thread)) = self.running.take() {
            *state.done.lock().unwrap_or_else(PoisonError::into_inner) = true;
            state.wake.notify_all();
            // the line is taken away before anything else is printed
            let _ = thread.join();
        }
    }
}

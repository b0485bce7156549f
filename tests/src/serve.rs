//! A small web server for static files on loopback, with the headers that the page asks for.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// What the page may do. The page's own meta element says the same but for `frame-ancestors`, which only a header can.
pub const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
                          img-src 'self' data: blob:; connect-src 'self'; worker-src blob:; base-uri 'none'; \
                          form-action 'none'; frame-ancestors 'none'";

/// A running server.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves a folder; port 0 takes any.
    ///
    /// # Errors
    /// The port cannot be had.
    pub fn start(folder: &Path, port: u16) -> std::io::Result<Self> {
        Self::with_headers(folder, port, &format!("Content-Security-Policy: {POLICY}\r\n"))
    }

    /// The same with other headers than the page asks for, each with its line's end.
    ///
    /// # Errors
    /// The port cannot be had.
    pub fn with_headers(folder: &Path, port: u16, headers: &str) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        let address = listener.local_addr()?;
        let asked = Arc::new(Mutex::new(Vec::new()));
        let stopping = Arc::new(AtomicBool::new(false));
        let (log, stop, folder) = (Arc::clone(&asked), Arc::clone(&stopping), folder.to_owned());
        let headers: Arc<str> = headers.into();
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let (log, folder, headers) = (Arc::clone(&log), folder.clone(), Arc::clone(&headers));
                if let Ok(stream) = stream {
                    std::thread::spawn(move || answer(stream, &folder, &headers, &log));
                }
            }
        });
        Ok(Self { address, asked, stopping, thread: Some(thread) })
    }

    /// Where it is: `http://127.0.0.1:PORT/`.
    pub fn origin(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The paths asked for so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().map(|asked| asked.clone()).unwrap_or_default()
    }

    /// Serves until the process ends.
    pub fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }

    /// Stops listening.
    pub fn stop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        // the listener notices with the next connection
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn answer(mut stream: TcpStream, folder: &Path, headers: &str, log: &Mutex<Vec<String>>) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
    let mut reader = BufReader::new(&stream);
    let mut line = String::new();
    if reader.by_ref().take(8192).read_line(&mut line).is_err() {
        return;
    }
    let mut header = String::new();
    while reader.by_ref().take(8192).read_line(&mut header).is_ok_and(|read| read > 2) {
        header.clear();
    }
    let Some(path) = line.split(' ').nth(1).and_then(|target| target.split(['?', '#']).next()) else {
        return;
    };
    if let Ok(mut log) = log.lock() {
        log.push(path.to_owned());
    }
    let (status, kind, body) = match read(folder, path) {
        Some((kind, body)) => ("200 OK", kind, body),
        None => ("404 Not Found", "text/plain", b"not found\n".to_vec()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{headers}\
         X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nCache-Control: no-cache\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
}

/// A file of the folder itself: no path leads out of it.
fn read(folder: &Path, path: &str) -> Option<(&'static str, Vec<u8>)> {
    let name = match path.strip_prefix('/')? {
        "" => "index.html",
        name if name.contains(['/', '\\', '%']) || name.starts_with('.') => return None,
        name => name,
    };
    let file: PathBuf = folder.join(name);
    let kind = match file.extension().and_then(|ending| ending.to_str())? {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "wasm" => "application/wasm",
        "data" => "application/octet-stream",
        _ => "text/plain; charset=utf-8",
    };
    Some((kind, std::fs::read(file).ok()?))
}

//! A real Chromium, driven by the WebDriver protocol over chromedriver.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};

use crate::programs::Program;

/// The key under which WebDriver names elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// How long anything may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A browser of its own, closed when it is dropped.
#[derive(Debug)]
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    /// Where pages are taken from.
    origin: String,
}

/// An element of the page.
#[derive(Debug, Clone)]
pub struct Element(String);

impl Browser {
    /// Starts a browser that can reach `origin` and nothing else.
    ///
    /// # Errors
    /// Chromium or its driver is absent or does not start.
    pub fn start(origin: &str) -> Result<Self, String> {
        let (chromium, driver) = (Program::Chromium.find()?, Program::Chromedriver.find()?);
        let mut child = Command::new(driver)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("chromedriver does not start: {error}"))?;
        let Some(port) = child.stdout.take().and_then(|out| port_of(BufReader::new(out))) else {
            let _ = child.kill();
            let _ = child.wait();
            return Err("chromedriver names no port".to_owned());
        };
        let mut browser = Self { driver: child, port, session: String::new(), origin: origin.to_owned() };
        let answer = browser.call("POST", "/session", &capabilities(&chromium))?;
        browser.session = answer["sessionId"].as_str().ok_or("chromedriver names no session")?.to_owned();
        Ok(browser)
    }

    /// Where pages are taken from.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Opens an address.
    pub fn open(&self, url: &str) {
        self.post("/url", &json!({"url": url}));
    }

    /// Runs a script's body and gives what it returns; a promise is waited for.
    pub fn run(&self, script: &str, arguments: &[Value]) -> Value {
        self.post("/execute/sync", &json!({"script": script, "args": arguments}))
    }

    /// Waits until an expression is true; its last value otherwise fails the test.
    pub fn wait(&self, what: &str, expression: &str) -> Value {
        let begun = Instant::now();
        loop {
            let value = self.run(&format!("return ({expression})"), &[]);
            if !matches!(value, Value::Null | Value::Bool(false)) {
                return value;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "waited in vain for {what}: {expression}; {}",
                self.text("body")
            );
            std::thread::sleep(Duration::from_millis(15));
        }
    }

    /// The first element of a CSS selector.
    pub fn find(&self, selector: &str) -> Element {
        let found = self.post("/element", &json!({"using": "css selector", "value": selector}));
        Element(found[ELEMENT].as_str().unwrap_or_else(|| panic!("no element {selector}")).to_owned())
    }

    /// Clicks where a person would.
    pub fn click(&self, selector: &str) {
        let Element(id) = self.find(selector);
        self.post(&format!("/element/{id}/click"), &json!({}));
    }

    /// Clicks the first button within an element that says this; anew, where it was drawn anew in between.
    pub fn press(&self, within: &str, words: &str) {
        const BUTTON: &str = "return [...document.querySelectorAll(arguments[0] + ' button')]
            .find((button) => button.textContent.includes(arguments[1]))";
        for _ in 0..5 {
            let found = self.run(BUTTON, &[json!(within), json!(words)]);
            let id = found[ELEMENT].as_str().unwrap_or_else(|| panic!("no button {words:?} within {within}"));
            let path = format!("/session/{}/element/{id}/click", self.session);
            match self.call("POST", &path, &json!({})) {
                Ok(_) => return,
                Err(error) if error.contains("stale element") => {}
                Err(error) => panic!("{words:?} within {within}: {error}"),
            }
        }
        panic!("{words:?} within {within} never stands still");
    }

    /// Types into an element; a path into a field for files.
    pub fn type_into(&self, selector: &str, text: &str) {
        let Element(id) = self.find(selector);
        self.post(&format!("/element/{id}/value"), &json!({"text": text}));
    }

    /// Presses keys, one after the other, wherever the focus is (WebDriver's code points for the special ones).
    pub fn keys(&self, keys: &str) {
        let actions: Vec<Value> = keys
            .chars()
            .flat_map(|key| {
                [
                    json!({"type": "keyDown", "value": key.to_string()}),
                    json!({"type": "keyUp", "value": key.to_string()}),
                ]
            })
            .collect();
        self.post("/actions", &json!({"actions": [{"type": "key", "id": "keyboard", "actions": actions}]}));
    }

    /// What an element shows.
    pub fn text(&self, selector: &str) -> String {
        let text =
            self.run("return document.querySelector(arguments[0])?.innerText ?? ''", &[json!(selector)]);
        text.as_str().unwrap_or_default().to_owned()
    }

    /// The window's size.
    pub fn resize(&self, width: u32, height: u32) {
        self.post("/window/rect", &json!({"width": width, "height": height}));
    }

    /// Dark or light, as the system would ask for.
    pub fn prefer(&self, scheme: &str) {
        self.devtools(
            "Emulation.setEmulatedMedia",
            &json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]}),
        );
    }

    /// Cuts the network, or mends it.
    pub fn offline(&self, offline: bool) {
        self.devtools("Network.enable", &json!({}));
        self.devtools(
            "Network.emulateNetworkConditions",
            &json!({"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}),
        );
    }

    /// A command of Chromium's own protocol.
    pub fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.post("/goog/cdp/execute", &json!({"cmd": command, "params": parameters}))
    }

    /// What is to be seen, as PNG.
    pub fn screenshot(&self) -> Vec<u8> {
        let encoded = self.get("/screenshot");
        base64::engine::general_purpose::STANDARD
            .decode(encoded.as_str().unwrap_or_default())
            .unwrap_or_default()
    }

    /// Entries of a log (`browser`, `performance`) since it was last asked for.
    pub fn log(&self, kind: &str) -> Vec<Value> {
        self.post("/se/log", &json!({"type": kind})).as_array().cloned().unwrap_or_default()
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.call("POST", &format!("/session/{}{path}", self.session), body)
            .unwrap_or_else(|error| panic!("{path} {body}: {error}"))
    }

    fn get(&self, path: &str) -> Value {
        self.call("GET", &format!("/session/{}{path}", self.session), &Value::Null)
            .unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n",
            self.port,
            body.len()
        );
        let answer = exchange(self.port, &format!("{head}{body}")).map_err(|error| error.to_string())?;
        let (_, body) = answer.split_once("\r\n\r\n").ok_or("chromedriver gave no answer")?;
        let mut answer: Value = serde_json::from_str(body).map_err(|error| format!("{error}: {body}"))?;
        let value = answer["value"].take();
        match value["error"].as_str() {
            Some(error) => Err(format!("{error}: {}", value["message"].as_str().unwrap_or_default())),
            None => Ok(value),
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            // closes Chromium itself
            let _ = self.call("DELETE", &format!("/session/{}", self.session), &Value::Null);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn capabilities(chromium: &Path) -> Value {
    json!({"capabilities": {"alwaysMatch": {
        "browserName": "chrome",
        "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        "goog:chromeOptions": {"binary": chromium, "args": [
            "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars",
            "--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-sync",
            "--no-first-run", "--force-color-profile=srgb", "--force-device-scale-factor=1", "--window-size=1440,1000",
        ]},
    }}})
}

/// chromedriver says on which port it is.
fn port_of(mut out: BufReader<impl Read + Send + 'static>) -> Option<u16> {
    let mut line = String::new();
    while out.read_line(&mut line).ok()? > 0 {
        if let Some(port) = line.split("on port ").nth(1) {
            let port = port.trim().trim_end_matches('.').parse().ok();
            if port.is_some_and(|port: u16| port > 0) {
                // whatever it says later has to go somewhere
                std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
                return port;
            }
        }
        line.clear();
    }
    None
}

fn exchange(port: u16, request: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE * 2))?;
    stream.write_all(request.as_bytes())?;
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
        head.push_str(&line);
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(head + &String::from_utf8_lossy(&body))
}

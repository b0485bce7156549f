//! Runs a scenario's programs and reads how its connection ended.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::scenario::{Actor, Scenario};
use super::verdict::{self, End};
use crate::programs::{Program, Running, listens};

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// The contract's word, or `unclear` where the programs' words do not tell.
    pub outcome: String,
    /// `client`, `server`, or members as `m1-as-client`.
    pub rejected_by: Vec<String>,
    /// What the client said.
    pub client_says: String,
    /// What the server said.
    pub server_says: String,
    /// The programs' versions; filled in where a scenario is kept.
    #[serde(default)]
    pub assume: String,
}

/// The programs, found before /etc and PATH change.
#[derive(Debug)]
pub struct Programs {
    nginx: PathBuf,
    etcd: PathBuf,
    etcdctl: PathBuf,
    envoy: PathBuf,
    curl: PathBuf,
    openssl: PathBuf,
}

impl Programs {
    /// Finds them all.
    ///
    /// # Errors
    /// One is absent.
    pub fn find() -> Result<Self, String> {
        Ok(Self {
            nginx: Program::Nginx.find()?,
            etcd: Program::Etcd.find()?,
            etcdctl: Program::Etcdctl.find()?,
            envoy: Program::Envoy.find()?,
            curl: Program::Curl.find()?,
            openssl: Program::Openssl.find()?,
        })
    }

    /// Whether one of them would be hidden by a mount over this folder.
    pub fn lie_below(&self, folder: &Path) -> bool {
        let all = [&self.nginx, &self.etcd, &self.etcdctl, &self.envoy, &self.curl, &self.openssl];
        all.iter().any(|path| {
            path.starts_with(folder) || path.canonicalize().is_ok_and(|path| path.starts_with(folder))
        })
    }
}

const LIMIT: Duration = Duration::from_secs(20);

/// Plays the scenario.
///
/// # Errors
/// A program could not be started, or hung.
pub fn observe(scenario: &Scenario, programs: &Programs, logs: &Path) -> Result<Observed, String> {
    if scenario.edge == "E7" {
        return members(scenario, programs, logs);
    }
    let mut server = start(&scenario.server, programs, &logs.join("server.log"))?;
    let is_etcd = scenario.server.kind == "etcd";
    let ready = |running: &Running| {
        if is_etcd { etcd_serves(&running.output()) } else { listens(scenario.port) }
    };
    if !server.ready(LIMIT, ready)? {
        return Ok(observed(End::config("server"), String::new(), server.output()));
    }
    let Some(drive) = &scenario.drive else {
        let (end, said) = typed(scenario, programs, &server)?;
        return Ok(observed(end, said, server.output()));
    };
    let mut gateway = start(&scenario.client, programs, &logs.join("client.log"))?;
    let port = if scenario.client.kind == "envoy" { 10000 } else { 8080 };
    if !gateway.ready(LIMIT, |_| listens(port))? {
        return Ok(observed(End::config("client"), gateway.output(), server.output()));
    }
    let request = Command::new(&programs.curl)
        .args(["-sS", "--max-time", "8", "-w", "\nstatus=%{http_code}\n", drive])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("curl does not run: {error}"))?;
    let answer = String::from_utf8_lossy(&request.stdout).into_owned();
    // logs are written a moment after the answer
    std::thread::sleep(Duration::from_millis(50));
    let (client, server) = (gateway.output(), server.output());
    let end = match scenario.client.kind.as_str() {
        "envoy" => verdict::envoy(&answer, &client, &server),
        _ => verdict::nginx(&answer, &client, &server),
    };
    Ok(observed(end, format!("{client}\n{answer}"), server))
}

fn observed(end: End, client_says: String, server_says: String) -> Observed {
    let tail = |text: String| {
        let lines: Vec<&str> = text.lines().filter(|line| verdict::telling(line)).collect();
        lines[lines.len().saturating_sub(8)..].join("\n")
    };
    Observed {
        outcome: end.outcome.to_owned(),
        rejected_by: end.rejected_by,
        client_says: tail(client_says),
        server_says: tail(server_says),
        assume: String::new(),
    }
}

fn etcd_serves(log: &str) -> bool {
    // once for each of its two listeners
    log.matches("serving client traffic").count() >= 2
}

fn start(actor: &Actor, programs: &Programs, log: &Path) -> Result<Running, String> {
    let config = actor.config.as_deref().unwrap_or_default();
    let mut command = match actor.kind.as_str() {
        "nginx" => {
            let mut command = Command::new(&programs.nginx);
            command.args(["-c", config, "-e", "stderr", "-g", "daemon off;"]);
            command
        }
        "envoy" => {
            let mut command = Command::new(&programs.envoy);
            command.args(["-c", config, "--disable-hot-restart", "--concurrency", "1", "-l", "warning"]);
            // the transport's failure is told there and nowhere else
            command.args(["--component-log-level", "connection:debug"]);
            command
        }
        "etcd" => {
            let mut command = Command::new(&programs.etcd);
            if !config.is_empty() {
                command.args(["--config-file", config]);
            }
            command
        }
        other => return Err(format!("{other} is no server")),
    };
    environment(actor, &mut command)?;
    Running::start(&mut command, log)
}

fn environment(actor: &Actor, command: &mut Command) -> Result<(), String> {
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", "/run");
    if let Some(path) = &actor.environment {
        let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        command.envs(text.lines().filter_map(|line| line.split_once('=')));
    }
    Ok(())
}

/// Runs what a person would type.
fn typed(scenario: &Scenario, programs: &Programs, server: &Running) -> Result<(End, String), String> {
    let actor = &scenario.client;
    let (program, limit) = match actor.kind.as_str() {
        "curl" => (&programs.curl, "10"),
        "openssl" => (&programs.openssl, "4"),
        _ => (&programs.etcdctl, "10"),
    };
    let mut command = Command::new("timeout");
    command.arg(limit).arg(program).args(actor.argv.iter().skip(1));
    environment(actor, &mut command)?;
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{} does not start: {error}", program.display()))?;
    if let Some(mut input) = child.stdin.take() {
        use std::io::Write;
        // s_client asks one question; the others read nothing. A client that has ended already takes none
        let _ = input.write_all(b"GET / HTTP/1.1\r\nHost: srv.example.test\r\nConnection: close\r\n\r\n");
        if actor.kind == "openssl" {
            // without end of input until it has answered: s_client would leave at the end
            std::thread::sleep(Duration::from_millis(400));
        }
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    std::thread::sleep(Duration::from_millis(50));
    let end = match actor.kind.as_str() {
        "curl" => verdict::curl(output.status.code(), &said),
        "openssl" => verdict::openssl(&said),
        _ => verdict::etcdctl(output.status.success(), &said, &server.output()),
    };
    Ok((end, said))
}

fn members(scenario: &Scenario, programs: &Programs, logs: &Path) -> Result<Observed, String> {
    // m1 is the server, m2 the client; each dials the other
    let mut m1 = start(&scenario.server, programs, &logs.join("m1.log"))?;
    let mut m2 = start(&scenario.client, programs, &logs.join("m2.log"))?;
    let settled = |log: &str| {
        verdict::member_heard(log).is_some() || log.contains("established TCP streaming connection")
    };
    for _ in 0..40 {
        std::thread::sleep(Duration::from_millis(100));
        // where both refuse their files, the first is named
        let refuses = [(m1.ended(), "m1-as-server"), (m2.ended(), "m2-as-client")];
        if let Some((_, role)) = refuses.iter().find(|(ended, _)| ended.is_some()) {
            return Ok(observed(End::config(role), m2.output(), m1.output()));
        }
        if settled(&m1.output()) && settled(&m2.output()) {
            break;
        }
    }
    std::thread::sleep(Duration::from_millis(500));
    let (of_m1, of_m2) = (m1.output(), m2.output());
    Ok(observed(verdict::members(&of_m1, &of_m2), of_m2, of_m1))
}

//! The real programs: where they are, which version, started with their output in a file, stopped by their own number.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A program that the tests run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// nginx.
    Nginx,
    /// etcd.
    Etcd,
    /// etcdctl.
    Etcdctl,
    /// Envoy.
    Envoy,
    /// curl.
    Curl,
    /// The openssl command.
    Openssl,
    /// A Chromium.
    Chromium,
    /// What drives it.
    Chromedriver,
    /// The linter under test.
    Lint,
}

impl Program {
    /// The command's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Etcd => "etcd",
            Self::Etcdctl => "etcdctl",
            Self::Envoy => "envoy",
            Self::Curl => "curl",
            Self::Openssl => "openssl",
            Self::Chromium => "chromium",
            Self::Chromedriver => "chromedriver",
            Self::Lint => "mtls-lint",
        }
    }

    /// Where it is: `MTLS_NGINX` and so on (`MTLS_LINT` for the linter), else what `tests/run` provisioned, else the
    /// linter beside the test, else PATH and the folders of system programs.
    ///
    /// # Errors
    /// It is nowhere; the text says what to do.
    pub fn find(self) -> Result<PathBuf, String> {
        let variable = match self {
            Self::Lint => "MTLS_LINT".to_owned(),
            _ => format!("MTLS_{}", self.name().to_uppercase()),
        };
        if let Some(path) = std::env::var_os(&variable).filter(|path| !path.is_empty()) {
            let path = PathBuf::from(path);
            return if path.is_file() {
                Ok(path)
            } else {
                Err(format!("{variable} names {}, which is no file", path.display()))
            };
        }
        let built = std::env::current_exe().ok();
        let built = built.as_deref().and_then(Path::parent).into_iter();
        let beside = built.flat_map(|folder| [folder.to_owned(), folder.join("..")]);
        let provisioned = target().join("provisioned/bin");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let system =
            std::env::split_paths(&path).chain(["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from));
        let beside = beside.filter(|_| self == Self::Lint);
        beside
            .chain([provisioned])
            .chain(system)
            .map(|folder| folder.join(self.name()))
            .find(|path| path.is_file())
            .ok_or_else(|| {
                format!("{} is not installed: run ./tests/run once, or set {variable}", self.name())
            })
    }

    /// What it says of its version: `1.22.1`.
    ///
    /// # Errors
    /// It is absent, does not run, or says something else.
    pub fn version(self) -> Result<String, String> {
        self.version_after(match self {
            Self::Nginx => "nginx/",
            Self::Etcd => "etcd Version: ",
            Self::Etcdctl => "etcdctl version: ",
            Self::Envoy => "/",
            Self::Curl => "curl ",
            Self::Openssl => "OpenSSL ",
            Self::Chromium => "Chromium ",
            Self::Chromedriver => "ChromeDriver ",
            Self::Lint => "mtls-lint ",
        })
    }

    fn version_after(self, mark: &str) -> Result<String, String> {
        let path = self.find()?;
        let flag = match self {
            Self::Nginx => "-v",
            Self::Etcdctl | Self::Openssl => "version",
            _ => "--version",
        };
        let output = Command::new(&path).arg(flag).output();
        let output = output.map_err(|error| format!("{} does not run: {error}", path.display()))?;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        let number = |rest: &str| {
            let number: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
            (number.contains('.') && number.len() > 2).then_some(number)
        };
        let found = text.match_indices(mark).find_map(|(at, _)| number(&text[at + mark.len()..]));
        found.ok_or_else(|| format!("{} names no version: {}", path.display(), text.trim()))
    }
}

/// The versions of the programs on this machine, as `--assume` takes them.
///
/// # Errors
/// A program is absent.
pub fn assume() -> Result<String, String> {
    let minor = |version: String| version.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
    let openssl = minor(Program::Openssl.version()?);
    let mut words = vec![
        format!("nginx={}", Program::Nginx.version()?),
        format!("openssl-seclevel={}", security_level(&openssl)),
        format!("openssl={openssl}"),
        format!("curl={}", Program::Curl.version()?),
        format!("etcd={}", Program::Etcd.version()?),
        format!("go={}", minor(Program::Etcd.version_after("Go Version: go")?)),
    ];
    words.push(format!("envoy={}", Program::Envoy.version()?));
    Ok(words.join(","))
}

/// Debian and its children build OpenSSL with level 2; upstream moved from 1 to 2 with 3.2.
fn security_level(openssl: &str) -> u8 {
    let mut parts = openssl.split('.').filter_map(|part| part.parse::<u32>().ok());
    let upstream_2 = (parts.next(), parts.next()) >= (Some(3), Some(2));
    if upstream_2 || Path::new("/etc/debian_version").exists() { 2 } else { 1 }
}

/// The folder of what is built and provisioned.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(path) => path.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).join("target"),
    }
}

/// Whether a test may pass over absent programs with a word: not when `tests/run` provisioned them.
pub fn required() -> bool {
    std::env::var_os("MTLS_PROGRAMS").is_some_and(|value| value == "required")
}

/// A started program. Dropping it ends it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts a command with both outputs in `log`.
    ///
    /// # Errors
    /// It does not start, or the log cannot be written.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self, String> {
        let complain = |error: std::io::Error| format!("{}: {error}", log.display());
        let file = File::create(log).map_err(complain)?;
        let both = file.try_clone().map_err(complain)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(both)
            .spawn()
            .map_err(|error| format!("{} does not start: {error}", command.get_program().display()))?;
        Ok(Self { child, log: log.to_owned() })
    }

    /// What it has printed so far.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits until it is ready: Ok(true); or has ended: Ok(false).
    ///
    /// # Errors
    /// Neither happened in time.
    pub fn ready(
        &mut self,
        limit: Duration,
        mut is_ready: impl FnMut(&Self) -> bool,
    ) -> Result<bool, String> {
        let start = Instant::now();
        while start.elapsed() < limit {
            if self.ended().is_some() {
                return Ok(false);
            }
            if is_ready(self) {
                return Ok(true);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(format!("neither ready nor ended after {limit:?}; see {}", self.log.display()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // nginx ends its workers when asked politely; without unsafe code, asking means the kill command
        let asked = Command::new("kill").arg(self.child.id().to_string()).stderr(Stdio::null()).status();
        let start = Instant::now();
        while asked.is_ok() && start.elapsed() < Duration::from_secs(2) {
            if self.ended().is_some() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether somebody listens on this port of 127.0.0.1.
pub fn listens(port: u16) -> bool {
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_runs_is_ended_when_dropped() {
        let log = std::env::temp_dir().join(format!("mtls-running-{}", std::process::id()));
        let mut sleeping = Running::start(Command::new("sleep").arg("60"), &log).unwrap();
        assert_eq!(sleeping.ended(), None);
        let number = sleeping.child.id();
        drop(sleeping);
        assert!(!Path::new(&format!("/proc/{number}/exe")).exists());
        fs::remove_file(&log).unwrap();
    }

    #[test]
    fn who_ends_at_once_is_not_ready() {
        let log = std::env::temp_dir().join(format!("mtls-ended-{}", std::process::id()));
        let mut ended = Running::start(Command::new("sh").args(["-c", "echo no; exit 1"]), &log).unwrap();
        assert_eq!(ended.ready(Duration::from_secs(5), |_| false), Ok(false));
        assert_eq!(ended.output(), "no\n");
        fs::remove_file(&log).unwrap();
    }
}

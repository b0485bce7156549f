//! What the page asks, read.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mtls_lint::assume::Assume;
use mtls_lint::config::Config;
use mtls_lint::finding::Incomplete;
use mtls_lint::source::Sources;
use mtls_lint::{Options, Report, decide, lint_with, time};
use rustls_pki_types::UnixTime;
use serde::Deserialize;

/// A question about files.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// The files, in order.
    pub files: Vec<File>,
    /// RFC 3339: the page passes its own clock, or the slider's.
    pub at: String,
    /// `NAME=VALUE` items as `--assume` takes them.
    #[serde(default)]
    pub assume: Vec<String>,
    /// A duration as `--expires-within` takes it.
    #[serde(default)]
    pub expires_within: Option<String>,
    /// The words of a command line, or one word with the whole line; empty: every connection.
    #[serde(default)]
    pub command: Vec<String>,
}

/// One file: its text, or its bytes in base64.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub path: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    base64: Option<String>,
}

/// A question about one request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    policy: String,
    at: String,
    #[serde(default)]
    certificate: Option<String>,
    #[serde(default)]
    chain: Option<String>,
    #[serde(default)]
    request: Option<String>,
    #[serde(default)]
    route: Option<String>,
    #[serde(default)]
    headers: Vec<String>,
}

/// A question as the library takes it.
pub struct Asked {
    pub sources: Sources,
    pub options: Options,
    /// The mtls-lint.yaml among the files.
    config: Config,
    /// What is wrong with that.
    mistakes: Vec<Incomplete>,
}

/// How early an expiry is a warning, unless somebody says otherwise.
const THIRTY_DAYS: i64 = 30 * 86_400;

pub fn files(question: &str) -> Result<Files, String> {
    serde_json::from_str(question).map_err(|error| error.to_string())
}

pub fn request(question: &str) -> Result<Request, String> {
    serde_json::from_str(question).map_err(|error| error.to_string())
}

pub fn read(question: &str) -> Result<Asked, String> {
    let question = files(question)?;
    let mut sources = Sources::default();
    for file in &question.files {
        sources.add(file.path.clone(), file.bytes()?);
    }
    let configured = Config::find(&sources).map(|file| Config::parse(&sources, file));
    let (config, mistakes) = match configured {
        None => (Config::default(), Vec::new()),
        Some(Ok(config)) => (config, Vec::new()),
        Some(Err(mistakes)) => (Config::default(), mistakes),
    };
    let expires_within = match &question.expires_within {
        Some(text) => time::parse_duration(text)?,
        None => config.expires_within.unwrap_or(THIRTY_DAYS),
    };
    // what is said last counts
    let assume: Vec<&String> = config.assume.iter().chain(&question.assume).collect();
    let options = Options {
        at: time::parse(&question.at)?,
        assume: Assume::parse(&assume)?,
        expires_within,
        command: (!question.command.is_empty()).then_some(question.command),
    };
    Ok(Asked { sources, options, config, mistakes })
}

impl Asked {
    /// The report of these files, or of edited ones in their place.
    pub fn judge(&self, sources: &Sources) -> Report {
        let mut report = lint_with(sources, &self.options, &self.config);
        report.incomplete.extend(self.mistakes.iter().cloned());
        report
    }
}

impl File {
    pub fn bytes(&self) -> Result<Vec<u8>, String> {
        match &self.base64 {
            Some(encoded) => STANDARD.decode(encoded).map_err(|error| format!("{}: {error}", self.path)),
            None => Ok(self.text.clone().into_bytes()),
        }
    }
}

impl Request {
    /// The question, as far as it is given: an empty field is none.
    pub fn question(&self) -> decide::Question<'_> {
        fn given(text: &Option<String>) -> Option<&str> {
            text.as_deref().filter(|text| !text.trim().is_empty())
        }
        decide::Question {
            policy: &self.policy,
            certificate: given(&self.certificate).map(str::as_bytes),
            chain: given(&self.chain).map(str::as_bytes),
            request: given(&self.request),
            route: given(&self.route),
            headers: &self.headers,
        }
    }

    pub fn at(&self) -> Result<UnixTime, String> {
        let seconds = u64::try_from(time::parse(&self.at)?).unwrap_or(0);
        Ok(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

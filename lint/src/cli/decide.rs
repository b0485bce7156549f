//! `mtls-lint decide --policy FILE …`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use mtls_lint::decide::{DecideError, Question, decide};
use mtls_lint::report::tidied;
use mtls_lint::time::UnixSeconds;
use mtls_lint::visible;
use rustls_pki_types::UnixTime;

use super::{FINE, FOUND, INCOMPLETE, note, now, print};

#[derive(Debug, Args)]
pub struct Decide {
    /// The filter's policy
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// The client's certificate, PEM or DER; without it, the client has none
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// Further certificates that the gateway got, PEM or DER
    #[arg(long, value_name = "FILE")]
    chain: Option<PathBuf>,
    /// The request; default: GET /
    #[arg(long, value_name = "'GET https://host/path'")]
    request: Option<String>,
    /// The gateway's name for the route
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
    /// A header of the request
    #[arg(long, value_name = "'name: value'")]
    header: Vec<String>,
    /// The time to judge at, RFC 3339; default: now
    #[arg(long, value_name = "TIME", value_parser = mtls_lint::time::parse)]
    at: Option<UnixSeconds>,
    /// How to print
    #[arg(long, default_value = "human", value_enum)]
    format: Printed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Printed {
    Human,
    Json,
}

pub fn run(arguments: &Decide) -> u8 {
    match answer(arguments) {
        Ok((text, allowed)) => print(&text, if allowed { FINE } else { FOUND }),
        Err(message) => {
            note(&format!("mtls-lint: {message}"));
            INCOMPLETE
        }
    }
}

fn answer(arguments: &Decide) -> Result<(String, bool), String> {
    let policy = read(&arguments.policy)?;
    let policy = String::from_utf8(policy).map_err(|_| {
        format!("{}: a policy is YAML or JSON text, and this is no text", arguments.policy.display())
    })?;
    let certificate = arguments.certificate.as_deref().map(read).transpose()?;
    let chain = arguments.chain.as_deref().map(read).transpose()?;
    let question = Question {
        policy: &policy,
        certificate: certificate.as_deref(),
        chain: chain.as_deref(),
        request: arguments.request.as_deref(),
        route: arguments.route.as_deref(),
        headers: &arguments.header,
    };
    let at = arguments.at.unwrap_or_else(now);
    let at = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at).unwrap_or(0)));
    let report = decide(&question, at).map_err(|error| match error {
        DecideError::Policy(error) => format!("{}: {error}", arguments.policy.display()),
        other => other.to_string(),
    })?;
    let text = match arguments.format {
        Printed::Json => {
            let mut text = serde_json::to_string_pretty(&report).map_err(|error| error.to_string())?;
            text.push('\n');
            visible::json(text)
        }
        Printed::Human => {
            let mut text =
                format!("{}: {}\n", report.decision, visible::on_one_line(&tidied(&report.message)));
            for (name, value) in [("identity", &report.identity), ("rule", &report.rule)] {
                if let Some(value) = value {
                    text.push_str(&format!("  {name}: {}\n", visible::on_one_line(value)));
                }
            }
            if let Some(reason) = report.reason {
                text.push_str(&format!("  reason: {reason}\n"));
            }
            text
        }
    };
    Ok((text, report.decision == "allow"))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    super::load::read(path).map_err(|why| format!("{} was not read: {why}", path.display()))
}

//! `mtls-lint inspect FILE…`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use mtls_lint::inspect::inspect;
use mtls_lint::source::{FileId, Text};
use mtls_lint::time::UnixSeconds;
use mtls_lint::visible;

use super::{FINE, FOUND, INCOMPLETE, note, now, print};

#[derive(Debug, Args)]
pub struct Inspect {
    /// Files with certificates, keys, bundles or revocation lists; they are looked at together
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
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

pub fn run(arguments: &Inspect) -> u8 {
    let mut files = Vec::new();
    let mut complete = true;
    for (index, path) in arguments.files.iter().enumerate() {
        match super::load::read(path) {
            Ok(bytes) => {
                let id = FileId(u32::try_from(index).unwrap_or(u32::MAX));
                files.push((path.display().to_string(), Text::whole(id, Arc::new(bytes))));
            }
            Err(why) => {
                note(&format!("{} was not read: {why}", path.display()));
                complete = false;
            }
        }
    }
    let inspection = inspect(&files, arguments.at.unwrap_or_else(now));
    let text = match arguments.format {
        Printed::Human => inspection.text(),
        Printed::Json => visible::json(format!("{:#}\n", inspection.json())),
    };
    let status = print(&text, if inspection.is_wrong() { FOUND } else { FINE });
    // the program ends here: to give the memory back piece by piece would take a while, with many certificates
    std::mem::forget((inspection, files));
    if complete { status } else { INCOMPLETE }
}

//! `--baseline FILE` and `--write-baseline FILE`.

use std::path::{Path, PathBuf};

use clap::Args;
use mtls_lint::Report;
use mtls_lint::baseline::Baseline;
use mtls_lint::config::Folder;
use mtls_lint::report::Files;

use super::config::{folder_of, source};
use super::fix::replace;
use super::{INCOMPLETE, note, note_incomplete};

/// Which findings are known.
#[derive(Debug, Args)]
pub struct KnownFindings {
    /// Findings in FILE are not reported
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write what is found into FILE, for --baseline
    #[arg(long, value_name = "FILE", conflicts_with = "diff")]
    write_baseline: Option<PathBuf>,
}

impl KnownFindings {
    /// What takes out the findings that are known, for who judges more than once; an Err is the exit status.
    pub fn suppressor(&self, root: Option<&Path>) -> Result<impl Fn(&mut Report) + use<>, u8> {
        let known = match &self.baseline {
            Some(file) => {
                let folder = if root.is_some() { Folder::default() } else { folder_of(file) };
                Some((read(file)?, folder))
            }
            None => None,
        };
        Ok(move |report: &mut Report| {
            if let Some((baseline, folder)) = &known {
                baseline.suppress(report, folder);
            }
        })
    }

    /// Takes what is known out of the findings, and writes what is found; an Err is the exit status.
    pub fn apply(&self, report: &mut Report, root: Option<&Path>) -> Result<(), u8> {
        let folder = |file: &Path| if root.is_some() { Folder::default() } else { folder_of(file) };
        if let Some(file) = &self.baseline {
            let gone = read(file)?.suppress(report, &folder(file));
            if gone > 0 {
                let file = file.display();
                let gone = match gone {
                    1 => format!("1 finding of {file} is gone; --write-baseline {file} forgets it"),
                    number => {
                        format!("{number} findings of {file} are gone; --write-baseline {file} forgets them")
                    }
                };
                note(&format!("mtls-lint: {gone}"));
            }
        }
        if let Some(file) = &self.write_baseline {
            let baseline = Baseline::of(report, &folder(file));
            // a symbolic link stays one
            let place = if file.is_symlink() { file.canonicalize() } else { Ok(file.clone()) };
            if let Err(error) = place.and_then(|place| replace(&place, baseline.text().as_bytes())) {
                note(&format!("mtls-lint: {} was not written: {error}", file.display()));
                return Err(INCOMPLETE);
            }
            let known = match baseline.len() {
                1 => "1 finding".to_owned(),
                number => format!("{number} findings"),
            };
            note(&format!("mtls-lint: {known} written to {}", file.display()));
            baseline.suppress(report, &folder(file));
        }
        Ok(())
    }
}

fn read(file: &Path) -> Result<Baseline, u8> {
    let sources = source(file, &file.to_string_lossy())?;
    let parsed = sources.iter().next().map(|(id, _)| Baseline::parse(&sources, id));
    parsed.unwrap_or_else(|| Ok(Baseline::default())).map_err(|mistakes| {
        note_incomplete(&Files::of(&sources), &mistakes);
        INCOMPLETE
    })
}

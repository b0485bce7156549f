//! mtls-lint.yaml: found, read, and what it says where the command line says nothing.

use std::path::{Path, PathBuf};

use clap::Args;
use mtls_lint::config::{self, Config, Folder};
use mtls_lint::report::Files;
use mtls_lint::source::{FileContent, SourceFile, Sources};

use super::load::LARGEST_FILE;
use super::{INCOMPLETE, note, note_incomplete};

/// Which configuration.
#[derive(Debug, Args)]
pub struct ConfigFile {
    /// The configuration; default: the nearest mtls-lint.yaml upwards from the first PATH
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Read no mtls-lint.yaml
    #[arg(long, conflicts_with = "config")]
    no_config: bool,
}

/// The configuration in force.
#[derive(Debug, Default)]
pub struct Configuration {
    /// What it says; without a file, nothing.
    pub config: Config,
    /// Its file alone, so that findings can point into it.
    pub sources: Sources,
}

impl ConfigFile {
    /// Finds and reads the file; an Err is the exit status of a run that cannot begin.
    pub fn read(&self, paths: &[PathBuf], root: Option<&Path>) -> Result<Configuration, u8> {
        let file = match &self.config {
            Some(file) => Some(file.clone()),
            None if self.no_config => None,
            None => nearest(paths.first().map(PathBuf::as_path)),
        };
        let Some(file) = file else { return Ok(Configuration::default()) };
        let name = file.strip_prefix("./").unwrap_or(&file).to_string_lossy().into_owned();
        let sources = source(&file, &name)?;
        let parsed = sources.iter().next().map(|(id, _)| Config::parse(&sources, id));
        match parsed.unwrap_or_else(|| Ok(Config::default())) {
            Ok(mut config) => {
                config.folder = if root.is_some() { Folder::default() } else { folder_of(&file) };
                Ok(Configuration { config, sources })
            }
            Err(mistakes) => {
                note_incomplete(&Files::of(&sources), &mistakes);
                Err(INCOMPLETE)
            }
        }
    }
}

/// One file alone as sources.
pub fn source(file: &Path, name: &str) -> Result<Sources, u8> {
    let refused = |why: String| {
        note(&format!("mtls-lint: {name}: {why}"));
        INCOMPLETE
    };
    let metadata = std::fs::metadata(file).map_err(|error| refused(super::load::explain(&error)))?;
    if !metadata.is_file() || metadata.len() > LARGEST_FILE {
        return Err(refused("this is no file that can be read; name a file".to_owned()));
    }
    let bytes = std::fs::read(file).map_err(|error| refused(super::load::explain(&error)))?;
    if let Err(error) = std::str::from_utf8(&bytes) {
        return Err(refused(format!("this is no text: byte {} is not UTF-8", error.valid_up_to())));
    }
    let mut sources = Sources::default();
    sources.push(SourceFile {
        path: name.to_owned(),
        content: FileContent::Bytes(std::sync::Arc::new(bytes)),
        mode: None,
    });
    Ok(sources)
}

/// The folder of a file, seen from where the program runs.
pub fn folder_of(file: &Path) -> Folder {
    let working = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Folder::new(&parent.to_string_lossy(), &working.to_string_lossy())
}

/// The file in the folder of a path or the nearest folder above, up to the top of the repository.
fn nearest(path: Option<&Path>) -> Option<PathBuf> {
    let working = std::env::current_dir().ok()?;
    let given = path.filter(|path| *path != Path::new("-") && path.exists()).unwrap_or(Path::new("."));
    let start = std::path::absolute(given).ok()?;
    for folder in start.ancestors().skip(usize::from(!start.is_dir())) {
        let candidate = folder.join(config::FILE_NAME);
        if candidate.is_file() {
            // named as the user would name it
            let relative = candidate.strip_prefix(&working).map(Path::to_path_buf);
            return Some(relative.unwrap_or(candidate));
        }
        if folder.join(".git").exists() {
            return None;
        }
    }
    None
}

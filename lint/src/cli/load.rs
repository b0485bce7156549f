//! Paths → [`Sources`]: what is read, what is not, and why. Reading never leaves the given paths.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use mtls_lint::config::Config;
use mtls_lint::finding::{Incomplete, Note, NoteKind};
use mtls_lint::recognise::{is_called_like_a_host, may_be_configuration};
use mtls_lint::source::{FileContent, SourceFile, Sources};

use super::config::Configuration;
use super::progress::Progress;

/// A larger file is not read.
pub const LARGEST_FILE: u64 = 64 << 20;
/// Beneath folders, where nobody named the file, a larger one is no configuration unless its name says that it is.
const LARGEST_FOUND: u64 = 8 << 20;
/// A larger one that is called as programs are is one.
const LARGEST_PROGRAM: u64 = 1 << 20;
/// All files together.
const LARGEST_TOTAL: u64 = 1 << 30;
/// Symbolic links followed for one path, as Linux has it.
const MOST_LINKS: usize = 40;

/// Folders of a machine that hold neither.
const NOT_READ_OF_A_MACHINE: &[&str] = &[
    "boot",
    "dev",
    "lib",
    "lib32",
    "lib64",
    "proc",
    "sys",
    "tmp",
    "usr/bin",
    "usr/games",
    "usr/include",
    "usr/lib",
    "usr/lib32",
    "usr/lib64",
    "usr/libexec",
    "usr/sbin",
    "usr/share",
    "usr/src",
    "var/cache",
    "var/lib",
    "var/log",
    "var/spool",
    "bin",
    "sbin",
];

/// What was read.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Names and bytes; the configuration's own file stands first.
    pub sources: Sources,
    /// Where each file really is, in the order of the sources; None: standard input, or not read.
    pub places: Vec<Option<PathBuf>>,
    /// What could not be read.
    pub incomplete: Vec<Incomplete>,
    /// What was left out.
    pub notes: Vec<Note>,
}

/// Reads every path, and the tree beneath `--root`.
pub fn sources(paths: &[PathBuf], root: Option<&Path>, configuration: &Configuration) -> Loaded {
    let sources = configuration.sources.clone();
    let mut load = Load {
        config: &configuration.config,
        progress: Progress::begin("reading", 0),
        // nobody edits the configuration
        places: sources.iter().map(|_| None).collect(),
        seen: sources.iter().map(|(_, file)| file.path.clone()).collect(),
        sources,
        total: 0,
        full: false,
        output: output(),
        met: 0,
        incomplete: Vec::new(),
        notes: Vec::new(),
    };
    load.sources.root = root.is_some();
    load.sources.folder = std::env::current_dir().ok().and_then(|folder| folder.to_str().map(str::to_owned));
    // what is named comes first: the limit of all files is for the rest of a machine
    for path in paths {
        load.path(path, root);
    }
    if let Some(root) = root {
        load.machine(root);
    }
    Loaded { sources: load.sources, places: load.places, incomplete: load.incomplete, notes: load.notes }
}

struct Load<'c> {
    config: &'c Config,
    progress: Progress,
    sources: Sources,
    places: Vec<Option<PathBuf>>,
    /// Names already given: a file named twice is read once.
    seen: BTreeSet<String>,
    total: u64,
    /// The limit of all files together was told.
    full: bool,
    /// Device and inode of the file that standard output goes to.
    output: Option<(u64, u64)>,
    /// Files that may be configuration, also those that were met before.
    met: usize,
    incomplete: Vec<Incomplete>,
    notes: Vec<Note>,
}

impl Load<'_> {
    fn fail(&mut self, path: &str, message: impl Into<String>) {
        self.incomplete.push(Incomplete { file: path.to_owned(), span: None, message: message.into() });
    }

    /// The whole tree of a machine: names relative to it.
    fn machine(&mut self, root: &Path) {
        match fs::metadata(root) {
            Ok(metadata) if metadata.is_dir() => {
                self.folder(root, root, &|relative| relative.to_owned(), true)
            }
            Ok(_) => {
                self.fail(&root.to_string_lossy(), "--root names a file; name the folder that stands for /")
            }
            Err(error) => self.fail(&root.to_string_lossy(), explain(&error)),
        }
    }

    fn path(&mut self, path: &Path, root: Option<&Path>) {
        let given = path.to_string_lossy().into_owned();
        if given == "-" {
            match bounded(io::stdin().lock()) {
                Ok(bytes) => self.add("-".to_owned(), bytes, None, None),
                Err(why) => self.fail("-", why),
            }
            return;
        }
        // with --root a path may be named as the machine has it, or as we see it
        let beneath = root.map(|root| root.join(given.trim_start_matches('/')));
        let actual = match (&beneath, path.exists()) {
            (Some(beneath), false) if beneath.exists() => beneath.as_path(),
            _ => path,
        };
        let name = root
            .and_then(|root| beneath_root(actual, root))
            .map_or_else(|| given.clone(), |relative| relative.to_string_lossy().into_owned());
        let before = self.met;
        match fs::metadata(actual) {
            Ok(metadata) if metadata.is_dir() => {
                let prefix = match name.trim_end_matches('/') {
                    // the root itself
                    "" | "." if !name.starts_with('/') => String::new(),
                    name => format!("{name}/"),
                };
                let failures = self.incomplete.len();
                self.folder(actual, actual, &|relative| format!("{prefix}{relative}"), false);
                if self.met == before && self.incomplete.len() == failures {
                    self.fail(
                        &given,
                        "no file in this folder can be configuration or a certificate; name other paths",
                    );
                }
            }
            Ok(metadata) => self.file(actual, name, metadata.len(), bits(&metadata), LARGEST_FILE),
            Err(error) => self.fail(&given, explain(&error)),
        }
    }

    fn folder(&mut self, folder: &Path, top: &Path, name: &dyn Fn(&str) -> String, machine: bool) {
        let mut walk = ignore::WalkBuilder::new(folder);
        walk.standard_filters(false).follow_links(false).sort_by_file_name(Ord::cmp);
        let base = top.to_path_buf();
        walk.filter_entry(move |entry| {
            let relative = entry.path().strip_prefix(&base).unwrap_or(entry.path());
            let skipped = machine && NOT_READ_OF_A_MACHINE.iter().any(|folder| relative == Path::new(folder));
            let skipped = skipped || entry.depth() > 0 && is_kernels(entry.path());
            !skipped && entry.file_name() != ".git" && entry.file_name() != "node_modules"
        });
        for entry in walk.build() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.fail(&folder.to_string_lossy(), error.to_string());
                    continue;
                }
            };
            let relative =
                entry.path().strip_prefix(top).unwrap_or(entry.path()).to_string_lossy().into_owned();
            let Some(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                continue;
            }
            if !self.config.reads(&name(&relative)) {
                if (kind.is_file() || kind.is_symlink()) && may_be_configuration(entry.path(), machine) {
                    self.not_read(name(&relative), "mtls-lint.yaml leaves it out".to_owned(), None);
                }
                continue;
            }
            if kind.is_symlink() {
                self.link(entry.path(), top, name(&relative), machine);
                continue;
            }
            if !kind.is_file() || !may_be_configuration(entry.path(), machine) {
                continue;
            }
            match entry.metadata() {
                // `check . >report.json`: what is being written is no input
                Ok(metadata) if self.output == Some((metadata.dev(), metadata.ino())) => {}
                Ok(metadata) => {
                    self.file(entry.path(), name(&relative), metadata.len(), bits(&metadata), LARGEST_FOUND);
                }
                Err(error) => self.fail(&name(&relative), error.to_string()),
            }
        }
    }

    /// A symbolic link found in a folder: followed as far as it stays beneath the given path.
    fn link(&mut self, path: &Path, top: &Path, name: String, machine: bool) {
        if !may_be_configuration(path, machine) {
            return;
        }
        match follow(path, top, machine) {
            Ok(Some(target)) => match fs::metadata(&target) {
                Ok(metadata) if metadata.is_file() => {
                    self.file(&target, name, metadata.len(), bits(&metadata), LARGEST_FOUND);
                }
                // the folder itself is walked where it stands
                Ok(_) => {}
                // a dangling link is no file: whoever refers to it finds it missing
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => self.fail(&name, explain(&error)),
            },
            Ok(None) => {
                let message = if machine {
                    "the symbolic link leads out of the folder that stands for / and is not followed"
                } else {
                    "the symbolic link leads out of the given path and is not followed: give the path to which it \
                     leads, or --root DIR, the folder that stands for /"
                };
                self.notes.push(Note {
                    kind: NoteKind::Link,
                    file: name.clone(),
                    span: None,
                    message: message.to_owned(),
                });
                self.not_read(name, "the symbolic link leads out of the given path".to_owned(), None);
            }
            Err(why) => {
                self.fail(&name, why.clone());
                self.not_read(name, why, None);
            }
        }
    }

    fn file(&mut self, path: &Path, name: String, length: u64, mode: Option<u32>, largest: u64) {
        self.met += 1;
        if self.seen.contains(&name) {
            return;
        }
        let largest = match is_named_configuration(path) {
            true => LARGEST_FILE,
            false if largest == LARGEST_FOUND && is_called_like_a_host(&name) => LARGEST_PROGRAM,
            false => largest,
        };
        if length > largest {
            let why = too_large(largest);
            if largest == LARGEST_FILE {
                self.fail(&name, why.clone());
            }
            return self.not_read(name, why, mode);
        }
        if self.total.saturating_add(length) > LARGEST_TOTAL {
            // once: it is the same of every file that follows
            if !std::mem::replace(&mut self.full, true) {
                self.fail(
                    &name,
                    format!("the input is larger than {} MiB; name fewer paths", LARGEST_TOTAL >> 20),
                );
            }
            return self.not_read(name, "the input is too large".to_owned(), mode);
        }
        match read(path) {
            Ok(bytes) => self.add(name, bytes, mode, Some(path)),
            Err(why) => {
                self.fail(&name, why.clone());
                self.not_read(name, why, mode);
            }
        }
    }

    fn add(&mut self, name: String, bytes: Vec<u8>, mode: Option<u32>, place: Option<&Path>) {
        self.total = self.total.saturating_add(bytes.len() as u64);
        self.progress.file();
        if self.seen.insert(name.clone()) {
            let mode = mode.map(|mode| mode & 0o7777);
            self.sources.push(SourceFile { path: name, content: FileContent::Bytes(Arc::new(bytes)), mode });
            self.places.push(place.map(Path::to_path_buf));
        }
    }

    fn not_read(&mut self, name: String, why: String, mode: Option<u32>) {
        self.met += 1;
        if self.seen.insert(name.clone()) {
            let mode = mode.map(|mode| mode & 0o7777);
            self.sources.push(SourceFile { path: name, content: FileContent::NotRead(why), mode });
            self.places.push(None);
        }
    }
}

/// A path relative to the root, however the two are written.
fn beneath_root(path: &Path, root: &Path) -> Option<PathBuf> {
    if let Ok(relative) = path.strip_prefix(root)
        && !relative.components().any(|part| part == Component::ParentDir)
    {
        return Some(relative.to_path_buf());
    }
    let (path, root) = (fs::canonicalize(path).ok()?, fs::canonicalize(root).ok()?);
    path.strip_prefix(root).ok().map(Path::to_path_buf)
}

/// The file that standard output goes to.
fn output() -> Option<(u64, u64)> {
    let file = fs::File::from(io::stdout().as_fd().try_clone_to_owned().ok()?);
    let metadata = file.metadata().ok()?;
    metadata.is_file().then(|| (metadata.dev(), metadata.ino()))
}

/// The permission bits of a file of root's: who else may read it. Another owner may be the program's own user.
fn bits(metadata: &fs::Metadata) -> Option<u32> {
    (metadata.uid() == 0).then(|| metadata.permissions().mode())
}

/// A file's bytes, or why there are none. What has no length of its own (a pipe, a device) is read up to the limit.
pub fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::File::open(path).map_err(|error| explain(&error)).and_then(bounded)
}

fn bounded(from: impl Read) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    from.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(|error| explain(&error))?;
    if bytes.len() as u64 > LARGEST_FILE { Err(too_large(LARGEST_FILE)) } else { Ok(bytes) }
}

fn too_large(largest: u64) -> String {
    format!("it is larger than the {} MiB that are read of one file; split it", largest >> 20)
}

/// Folders of this machine whose files the kernel makes up: some of them never end, or wait for ever.
fn is_kernels(path: &Path) -> bool {
    let named = path.file_name().is_some_and(|name| name == "proc" || name == "sys" || name == "dev");
    named && fs::canonicalize(path).is_ok_and(|path| path.parent() == Some(Path::new("/")))
}

/// A name that promises configuration or certificates.
fn is_named_configuration(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    matches!(ending.as_deref(), Some("yaml" | "yml" | "json" | "conf" | "pem" | "crt"))
}

/// Where a link ends: None outside of `top`. Beneath `--root`, an absolute target counts from the root.
fn follow(path: &Path, top: &Path, machine: bool) -> Result<Option<PathBuf>, String> {
    let mut current = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        let Ok(target) = fs::read_link(&current) else { return Ok(confined(&current, top)) };
        let target = if target.is_absolute() && machine {
            top.join(target.strip_prefix("/").unwrap_or(&target))
        } else {
            current.parent().unwrap_or(top).join(target)
        };
        let Some(inside) = confined(&target, top) else { return Ok(None) };
        current = inside;
    }
    Err("the symbolic link leads in a circle; mend or remove it".to_owned())
}

/// The path without `..`, if it stays beneath `top`; folders on the way that are links themselves are resolved.
fn confined(path: &Path, top: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    let folder = plain.parent()?;
    // canonicalize needs the folder to exist; a dangling link is judged by its text alone
    match (fs::canonicalize(folder), fs::canonicalize(top)) {
        (Ok(folder), Ok(top)) if !folder.starts_with(&top) => None,
        _ if plain.starts_with(top) || folder.exists() => Some(plain),
        _ => None,
    }
}

/// What is wrong and what to do, without the operating system's number.
pub fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "does not exist; check the path".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "may not be read; run as a user who may, or name other paths".to_owned()
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_folders_are_known_by_where_they_are() {
        assert!(is_kernels(Path::new("/proc")) && is_kernels(Path::new("/proc/../sys")));
        assert!(!is_kernels(Path::new("/etc/proc")) && !is_kernels(Path::new("proc")));
    }

    fn empty(config: &Config) -> Load<'_> {
        Load {
            config,
            progress: Progress::begin("reading", 0),
            places: Vec::new(),
            seen: BTreeSet::new(),
            sources: Sources::default(),
            total: 0,
            full: false,
            output: None,
            met: 0,
            incomplete: Vec::new(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn all_files_together_have_a_limit_too_and_it_is_told_once() {
        let config = Config::default();
        let mut load = empty(&config);
        load.total = LARGEST_TOTAL - 1;
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        load.path(&file, None);
        load.path(&file.with_file_name("src/lib.rs"), None);
        let said: Vec<&str> = load.incomplete.iter().map(|entry| entry.message.as_str()).collect();
        assert_eq!(said, ["the input is larger than 1024 MiB; name fewer paths"]);
        assert_eq!(load.sources.iter().count(), 2);
        let unread = load.sources.iter().next().map(|(_, file)| &file.content);
        assert!(matches!(unread, Some(FileContent::NotRead(_))));
    }

    #[test]
    fn what_stands_beneath_the_root_is_read_once_however_it_is_named() {
        let config = Config::default();
        let mut load = empty(&config);
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/rules/unanswered-port/good-port");
        load.machine(&root);
        let (count, total) = (load.sources.iter().count(), load.total);
        for path in [root.clone(), root.join("etc"), root.join("etc/../etc/nginx")] {
            load.path(&path, Some(&root));
        }
        assert!(count > 0 && load.incomplete.is_empty(), "{:?}", load.incomplete);
        assert_eq!((load.sources.iter().count(), load.total), (count, total));
    }
}

//! `--fix` and `--diff`: the certain edits, made in the files or shown.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use mtls_lint::Report;
use mtls_lint::fix::{Fixed, apply};
use mtls_lint::source::{FileContent, FileId, Sources};
use mtls_lint::visible::{on_one_line, visible};
use similar::TextDiff;

use super::{FINE, FOUND, INCOMPLETE, Loaded, note, print};

/// Shows what would change.
pub fn diff(loaded: &Loaded, known: &dyn Fn(&mut Report)) -> u8 {
    let judge = |sources: &Sources| {
        let mut report = loaded.judge(sources);
        known(&mut report);
        report
    };
    let before = judge(&loaded.files.sources);
    let fixed = apply(loaded.files.sources.clone(), judge(&loaded.files.sources), &judge);
    let mut text = String::new();
    for file in &fixed.changed {
        // as everywhere, secrets are masked: in the lines around a change, too
        let (old, new) = (before.files.masked(*file), fixed.report.files.masked(*file));
        let path = on_one_line(before.files.path(*file));
        let diff = TextDiff::from_lines(&old, &new).unified_diff().header(&path, &path).to_string();
        // line ends stay as they are, so that patch takes them
        let lines: Vec<_> = diff.split("\r\n").map(visible).collect();
        text.push_str(&lines.join("\r\n"));
    }
    let status = print(&text, if fixed.changed.is_empty() { FINE } else { FOUND });
    summary(&fixed, "would be fixed");
    if fixed.report.incomplete.is_empty() { status } else { INCOMPLETE }
}

/// Makes the edits in the files; what is left to report, and whether a file could not be written. An Err is the exit
/// status of a run that could not begin.
pub fn write(loaded: &Loaded, known: &dyn Fn(&mut Report)) -> Result<(Report, bool), u8> {
    if loaded.files.sources.iter().any(|(_, file)| file.path == "-") {
        note("mtls-lint: --fix has no file to write standard input to; --diff shows the edits");
        return Err(INCOMPLETE);
    }
    // what the baseline knows is left as it is
    let judge = |sources: &Sources| {
        let mut report = loaded.judge(sources);
        known(&mut report);
        report
    };
    let fixed = apply(loaded.files.sources.clone(), judge(&loaded.files.sources), &judge);
    let planned = plan(loaded, &fixed).and_then(|planned| {
        // nothing is written before everything can be
        planned.iter().try_for_each(|(place, edit)| edit.check(place)).map(|()| planned)
    });
    let written = planned.and_then(|planned| planned.iter().try_for_each(|(place, edit)| edit.write(place)));
    match written {
        Ok(()) => {
            summary(&fixed, "fixed");
            Ok((loaded.judge(&fixed.sources), false))
        }
        Err(message) => {
            note(&format!("mtls-lint: --fix: {message}"));
            // what is there now is what is told
            Ok((loaded.judge(&loaded.files.sources), true))
        }
    }
}

/// A file's bytes before and after.
struct Rewrite<'f> {
    name: &'f str,
    old: &'f [u8],
    new: &'f [u8],
}

/// What is to be written where; an Err says what stands in the way.
fn plan<'f>(loaded: &'f Loaded, fixed: &'f Fixed) -> Result<BTreeMap<PathBuf, Rewrite<'f>>, String> {
    let mut planned: BTreeMap<PathBuf, Rewrite<'_>> = BTreeMap::new();
    let text = |sources: &'f Sources, file: FileId| match &sources.file(file)?.content {
        FileContent::Bytes(bytes) => Some(bytes.as_slice()),
        _ => None,
    };
    for file in &fixed.changed {
        let name = loaded.files.sources.path(*file);
        let place = loaded.files.places.get(file.0 as usize).and_then(Option::as_ref);
        let bytes = text(&loaded.files.sources, *file).zip(text(&fixed.sources, *file));
        let (Some(place), Some((old, new))) = (place, bytes) else { continue };
        let place = real(place).map_err(|error| format!("{name}: {error}; nothing was written"))?;
        let twice = planned.insert(place, Rewrite { name, old, new });
        // a link and what it leads to are one file
        if twice.is_some_and(|twice| twice.new != new) {
            return Err(format!("{name} was given under two names, and their edits differ; name it once"));
        }
    }
    Ok(planned)
}

/// The file itself. A folder on the way may be a link, the last name may not: what it leads to was not given.
fn real(place: &Path) -> Result<PathBuf, String> {
    if fs::symlink_metadata(place).map_err(|error| error.to_string())?.is_symlink() {
        return Err("is a symbolic link; name the file that it leads to".to_owned());
    }
    fs::canonicalize(place).map_err(|error| error.to_string())
}

impl Rewrite<'_> {
    /// The file is still what was judged.
    fn check(&self, place: &Path) -> Result<(), String> {
        let now = fs::read(place).map_err(|error| format!("{}: {error}; nothing was written", self.name))?;
        if now == self.old {
            Ok(())
        } else {
            Err(format!("{} changed while it was looked at; nothing was written, run it again", self.name))
        }
    }

    /// Whole or not at all: a new file beside it takes its place.
    fn write(&self, place: &Path) -> Result<(), String> {
        replace(place, self.new).map_err(|error| format!("{}: {error}; it is as it was", self.name))
    }
}

/// Writes a file whole or not at all, with the owner and the permissions of the one that was there.
pub fn replace(place: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    let new = folder.join(format!(".{name}.{}.new", std::process::id()));
    let written = write_new(&new, place, bytes).and_then(|()| fs::rename(&new, place));
    if written.is_err() {
        // it may not have come into being
        let _ = fs::remove_file(&new);
    }
    written?;
    // so that the new name survives a crash, where the file system can promise that
    File::open(folder).and_then(|folder| folder.sync_all()).or(Ok(()))
}

fn write_new(new: &Path, old: &Path, bytes: &[u8]) -> io::Result<()> {
    // nobody else may read it before it has the permissions of the old one
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(new)?;
    match fs::symlink_metadata(old) {
        Ok(before) => {
            let own = file.metadata()?;
            if (own.uid(), own.gid()) != (before.uid(), before.gid()) {
                chown(new, Some(before.uid()), Some(before.gid()))?;
            }
            file.set_permissions(before.permissions())?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            file.set_permissions(fs::Permissions::from_mode(0o644))?;
        }
        Err(error) => return Err(error),
    }
    file.write_all(bytes)?;
    file.sync_all()
}

/// `4 findings fixed in 2 files: 3 unsent-server-name, 1 issuer-without-ca`.
fn summary(fixed: &Fixed, verb: &str) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (rule, _) in &fixed.applied {
        *counts.entry(rule).or_default() += 1;
    }
    let plural = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    if counts.is_empty() {
        return note(&format!("no finding {verb}: none has a remedy that is one certain edit"));
    }
    let rules: Vec<String> = counts.iter().map(|(rule, count)| format!("{count} {rule}")).collect();
    note(&format!(
        "{} {verb} in {}: {}",
        plural(fixed.applied.len(), "finding"),
        plural(fixed.changed.len(), "file"),
        rules.join(", ")
    ));
}

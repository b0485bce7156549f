//! Machines: which file stands at a path, which addresses a name has, as one program sees it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::deployment::{Content, FileRef, Lookup, Missing};
use crate::source::{FileContent, FileId, Located, Sources, Span};

/// A place where programs run: a container, the tree beneath `--root`, or a folder of loose files.
#[derive(Debug, Clone)]
pub struct Machine {
    /// `Pod tls/apisix, container apisix`; empty for a root or loose files.
    pub name: String,
    /// The Kubernetes namespace, if any.
    pub namespace: Option<String>,
    /// What stands at absolute paths.
    pub files: Files,
}

/// How paths lead to files.
#[derive(Debug, Clone)]
pub enum Files {
    /// `--root`: absolute paths of the sources; what is absent is missing.
    Root,
    /// Loose files: a path is found when it leads, relative to the configuration that names it, to a source;
    /// an absolute path is unseen.
    Loose,
    /// A container: mounts, longest path first; outside of them lies the image, which is unseen.
    Container(Vec<Mount>),
}

/// A mounted volume, or one file of it.
#[derive(Debug, Clone)]
pub struct Mount {
    /// Absolute path in the container.
    pub path: String,
    /// Where the mount is written.
    pub span: Span,
    /// What is mounted.
    pub content: Lookup<Mounted>,
}

/// What a mount shows.
#[derive(Debug, Clone)]
pub enum Mounted {
    /// File name (relative, may have slashes) → content; nothing else is in the folder.
    Folder {
        /// `Secret tls/etcd-secret`.
        name: String,
        /// Where the Secret, ConfigMap or Certificate stands.
        span: Span,
        /// The keys, as file names.
        entries: BTreeMap<String, Content>,
        /// Permission bits of the files.
        mode: Option<u32>,
        /// Keys that may come besides (an optional or unread source); completes "undetermined because …".
        unseen: Option<String>,
    },
    /// One file (subPath).
    File(Content),
    /// A writable or host folder whose content nobody can see; completes "undetermined because …".
    Opaque(String),
}

/// The sources, indexed for look-ups by path.
pub struct Index<'s> {
    /// The sources.
    pub sources: &'s Sources,
    by_path: BTreeMap<String, FileId>,
}

impl<'s> Index<'s> {
    /// Indexes the sources once.
    pub fn new(sources: &'s Sources) -> Self {
        let by_path = sources.iter().map(|(id, file)| (normalise("/", &file.path), id)).collect();
        Self { sources, by_path }
    }

    /// The source at a normalised absolute path (of the root; for loose files, of the given paths).
    pub fn file(&self, path: &str) -> Option<FileId> {
        self.by_path.get(path).copied()
    }

    /// The sources beneath a folder, with their normalised paths, in order.
    pub fn beneath(&self, folder: &str) -> impl Iterator<Item = (&str, FileId)> {
        let prefix = format!("{}/", folder.trim_end_matches('/'));
        let end = prefix.clone();
        self.by_path
            .range(prefix..)
            .take_while(move |(path, _)| path.starts_with(&end))
            .map(|(path, id)| (path.as_str(), *id))
    }
}

impl Machine {
    /// What a program finds at `path`; relative paths count from `base` (an absolute folder of this machine).
    pub fn read(&self, index: &Index<'_>, path: &Located<String>, base: &str) -> FileRef {
        let full = normalise(base, &path.value);
        let mut mode = None;
        let content = match &self.files {
            Files::Root => match index.file(&full) {
                Some(id) => {
                    mode = index.sources.file(id).and_then(|file| file.mode);
                    source_content(index, id)
                }
                None if index.beneath(&full).next().is_some() => Lookup::Found(Content::Folder),
                None => missing_file(&full, "beneath --root", Vec::new()),
            },
            Files::Loose => match index.file(&full) {
                Some(id) => {
                    mode = index.sources.file(id).and_then(|file| file.mode);
                    source_content(index, id)
                }
                None => Lookup::Unseen(format!("{} is not among the given paths", path.value)),
            },
            Files::Container(mounts) => {
                let (content, bits) = read_mounts(mounts, &full, &self.name);
                mode = bits;
                content
            }
        };
        FileRef { path: path.clone(), content, mode }
    }
}

fn source_content(index: &Index<'_>, id: FileId) -> Lookup<Content> {
    match index.sources.file(id).map(|file| &file.content) {
        Some(FileContent::Bytes(_)) => match index.sources.text(id) {
            Some(text) => Lookup::Found(Content::Bytes(text)),
            None => Lookup::Unseen("the file was not read".to_owned()),
        },
        Some(FileContent::Folder) => Lookup::Found(Content::Folder),
        Some(FileContent::NotRead(why)) => {
            Lookup::Unseen(format!("{} was not read: {why}", index.sources.path(id)))
        }
        None => Lookup::Unseen("the file was not read".to_owned()),
    }
}

fn missing_file(path: &str, place: &str, labels: Vec<crate::finding::Label>) -> Lookup<Content> {
    Lookup::Missing(Missing {
        rule: "missing-file",
        message: format!("{path} does not exist {place}"),
        labels,
    })
}

/// The content at a path of a container, and its permission bits.
fn read_mounts(mounts: &[Mount], full: &str, container: &str) -> (Lookup<Content>, Option<u32>) {
    // the longest mount path wins, as the kernel has it
    let covering = mounts.iter().filter(|mount| full == mount.path || is_beneath(full, &mount.path));
    let Some(mount) = covering.max_by_key(|mount| mount.path.len()) else {
        return (Lookup::Unseen(format!("{full} lies in the image of {container}")), None);
    };
    let rest = full.get(mount.path.len()..).unwrap_or_default().trim_start_matches('/');
    match &mount.content {
        Lookup::Missing(missing) => (Lookup::Missing(missing.clone()), None),
        Lookup::Unseen(why) => (Lookup::Unseen(why.clone()), None),
        Lookup::Found(Mounted::Opaque(why)) => (Lookup::Unseen(why.clone()), None),
        Lookup::Found(Mounted::File(content)) if rest.is_empty() => (Lookup::Found(content.clone()), None),
        Lookup::Found(Mounted::File(_)) => {
            (missing_file(full, "because its folder is mounted as a file", Vec::new()), None)
        }
        Lookup::Found(Mounted::Folder { name, span, entries, mode, unseen }) => {
            let content = if rest.is_empty() {
                Lookup::Found(Content::Folder)
            } else if let Some(content) = entries.get(rest) {
                Lookup::Found(content.clone())
            } else if let Some(why) = unseen {
                Lookup::Unseen(why.clone())
            } else {
                let have: Vec<&str> = entries.keys().map(String::as_str).collect();
                Lookup::Missing(Missing {
                    rule: "missing-key",
                    message: format!(
                        "{name}, mounted at {}, has no key {rest}; it has {}",
                        mount.path,
                        list(&have)
                    ),
                    labels: vec![
                        crate::finding::Label {
                            span: mount.span,
                            message: format!("mounted here at {}", mount.path),
                        },
                        crate::finding::Label { span: *span, message: format!("{name} has {}", list(&have)) },
                    ],
                })
            };
            (content, *mode)
        }
    }
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { "no key".to_owned() } else { names.join(", ") }
}

fn is_beneath(path: &str, folder: &str) -> bool {
    folder == "/" || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// The absolute path that `path` means in the folder `base`, without `.`, `..` and doubled slashes.
pub fn normalise(base: &str, path: &str) -> String {
    let start = if path.starts_with('/') { "" } else { base };
    let mut parts: Vec<&str> = Vec::new();
    for part in start.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Addresses of names, as /etc/hosts gives them.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    /// Name in lower case → addresses.
    pub names: BTreeMap<String, Vec<IpAddr>>,
}

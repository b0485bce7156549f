//! Machines: which file stands at a path, which addresses a name has, as one program sees it.

use std::collections::BTreeMap;
use std::sync::Arc;

use mtls_identity::sorted;

use crate::deployment::{Content, FileRef, Lookup, Missing};
use crate::finding::Label;
use crate::source::{FileContent, FileId, Located, Sources, Span};

/// A place where programs run: a container, the tree beneath `--root`, or a folder of loose files.
#[derive(Debug, Clone)]
pub struct Machine {
    /// `Pod tls/apisix, container apisix`; empty for a root or loose files.
    pub name: String,
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

/// The folder of an absolute path.
pub fn folder(path: &str) -> String {
    match path.rsplit_once('/') {
        Some((folder, _)) if !folder.is_empty() => folder.to_owned(),
        _ => "/".to_owned(),
    }
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
        entries: Entries,
        /// Permission bits of the files.
        mode: Option<u32>,
        /// Keys that may come besides (an optional or unread source); completes "undetermined because …".
        unseen: Option<String>,
    },
    /// One file (subPath).
    File(Content),
    /// The files of a published image, of which we know in which folders they lie: a path elsewhere is missing.
    Image(String),
    /// A writable or host folder whose content nobody can see; completes "undetermined because …".
    Opaque(String),
}

/// The files of a folder, by name; a clone shares them.
///
/// Thousands of containers mount a handful of keys each: a sorted slice takes a tenth of a map's memory.
#[derive(Debug, Clone, Default)]
pub struct Entries(Arc<[(String, Content)]>);

impl Entries {
    /// The content of a name.
    pub fn get(&self, name: &str) -> Option<&Content> {
        let at = self.0.binary_search_by(|(own, _)| own.as_str().cmp(name)).ok()?;
        self.0.get(at).map(|(_, content)| content)
    }

    /// The names, in order.
    pub fn keys(&self) -> impl Iterator<Item = &String> {
        self.0.iter().map(|(name, _)| name)
    }

    /// Names and contents, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Content)> {
        self.0.iter().map(|(name, content)| (name, content))
    }
}

/// Of equal names the last one stays.
impl FromIterator<(String, Content)> for Entries {
    fn from_iter<I: IntoIterator<Item = (String, Content)>>(entries: I) -> Self {
        let entries: BTreeMap<String, Content> = sorted::map(entries);
        Self(entries.into_iter().collect())
    }
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
        let known = |path: &str| self.by_path.get(path).copied();
        known(path).or_else(|| {
            // a configuration names it in full, and it was given by a relative path
            let folder = self.sources.folder.as_deref().filter(|_| !self.sources.root)?;
            known(path.strip_prefix(folder).filter(|rest| rest.starts_with('/'))?)
        })
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
    /// Whether an absolute path lies in a folder that Kubernetes fills from a Secret or ConfigMap, and exchanges as a
    /// whole.
    pub fn is_exchanged(&self, path: &str) -> bool {
        let Files::Container(mounts) = &self.files else { return false };
        let full = normalise("/", path);
        let covering = mounts.iter().filter(|mount| is_beneath(&full, &mount.path));
        let mount = covering.max_by_key(|mount| mount.path.len());
        mount.is_some_and(|mount| matches!(mount.content, Lookup::Found(Mounted::Folder { .. })))
    }

    /// Where something is mounted over what images trust, or a part of it.
    pub fn mounted_trust(&self) -> Option<&str> {
        const TRUST: [&str; 3] = ["/etc/ssl", "/etc/pki", "/usr/share/ca-certificates"];
        let Files::Container(mounts) = &self.files else { return None };
        let over = |path: &str| TRUST.iter().any(|folder| is_beneath(path, folder) || path == *folder);
        mounts.iter().map(|mount| mount.path.as_str()).find(|path| over(path))
    }

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
            // who may read a checkout says nothing of the machine where its files will lie
            Files::Loose => match index.file(&full) {
                Some(id) => source_content(index, id),
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

/// The files that a pattern names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Globbed {
    /// Absolute paths, sorted.
    pub paths: Vec<String>,
    /// Why there may be others; completes "undetermined because …".
    pub unseen: Option<String>,
}

impl Machine {
    /// The files that a shell pattern (`*`, `?`, `[…]`) names; a relative one counts from `base`.
    pub fn glob(&self, index: &Index<'_>, pattern: &str, base: &str) -> Globbed {
        let full = normalise(base, pattern);
        let folder = fixed_folder(&full);
        let mut globbed = Globbed::default();
        match &self.files {
            Files::Root | Files::Loose => {
                let found = index.beneath(folder).map(|(path, _)| path);
                globbed.paths.extend(found.filter(|path| glob_matches(&full, path)).map(str::to_owned));
                if matches!(self.files, Files::Loose) && globbed.paths.is_empty() {
                    globbed.unseen = Some(format!("no file like {pattern} is among the given paths"));
                }
            }
            Files::Container(mounts) => {
                for mount in mounts {
                    match &mount.content {
                        Lookup::Found(Mounted::File(_)) => globbed.paths.push(mount.path.clone()),
                        Lookup::Found(Mounted::Folder { entries, .. }) => {
                            let entries = entries.keys().map(|entry| normalise(&mount.path, entry));
                            // another mount may lie over a part of this one
                            globbed.paths.extend(entries);
                        }
                        _ => {}
                    }
                }
                globbed.paths.retain(|path| glob_matches(&full, path));
                sorted::sort(&mut globbed.paths);
                globbed.paths.dedup();
                let covering =
                    mounts.iter().filter(|mount| folder == mount.path || is_beneath(folder, &mount.path));
                globbed.unseen =
                    match covering.max_by_key(|mount| mount.path.len()).map(|mount| &mount.content) {
                        None => Some(format!("{folder} lies in the image of {}", self.name)),
                        Some(Lookup::Found(Mounted::Folder { unseen, .. })) => unseen.clone(),
                        Some(Lookup::Found(Mounted::Image(_))) => {
                            Some(format!("{folder} lies in the image of {}", self.name))
                        }
                        Some(Lookup::Found(Mounted::Opaque(why)) | Lookup::Unseen(why)) => Some(why.clone()),
                        Some(Lookup::Found(Mounted::File(_)) | Lookup::Missing(_)) => None,
                    };
            }
        }
        globbed
    }
}

/// The folder of a pattern above its first wildcard.
fn fixed_folder(pattern: &str) -> &str {
    let fixed = pattern.find(['*', '?', '[']).and_then(|at| pattern.get(..at)).unwrap_or(pattern);
    match fixed.rfind('/') {
        Some(0) | None => "/",
        Some(slash) => fixed.get(..slash).unwrap_or("/"),
    }
}

/// Whether a path fits a pattern, as glob(7) has it: no wildcard crosses a slash or hides a leading dot.
pub fn glob_matches(pattern: &str, path: &str) -> bool {
    let patterns: Vec<&str> = pattern.split('/').collect();
    let parts: Vec<&str> = path.split('/').collect();
    patterns.len() == parts.len()
        && patterns.iter().zip(&parts).all(|(pattern, part)| {
            (!part.starts_with('.') || pattern.starts_with('.') || part == pattern)
                && part_matches(pattern.as_bytes(), part.as_bytes())
        })
}

/// One component; `*` is tried again from where it last matched, so that work stays quadratic at most.
fn part_matches(pattern: &[u8], part: &[u8]) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while read < part.len() {
        let step = match pattern.get(at) {
            Some(b'*') => {
                retry = Some((at + 1, read));
                at += 1;
                continue;
            }
            Some(b'?') => Some(1),
            Some(b'[') => part.get(read).and_then(|&byte| set_matches(pattern.get(at..)?, byte)),
            Some(byte) if part.get(read) == Some(byte) => Some(1),
            _ => None,
        };
        match (step, retry) {
            (Some(width), _) => {
                at += width;
                read += 1;
            }
            (None, Some((after, from))) => {
                at = after;
                read = from + 1;
                retry = Some((after, from + 1));
            }
            (None, None) => return false,
        }
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|&byte| byte == b'*'))
}

/// The width of a `[…]` set that has this byte.
fn set_matches(pattern: &[u8], byte: u8) -> Option<usize> {
    let negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let first = 1 + usize::from(negated);
    // a bracket right at the start is an ordinary member
    let close = first + 1 + pattern.get(first + 1..)?.iter().position(|&byte| byte == b']')?;
    let members = pattern.get(first..close)?;
    let mut has = false;
    let mut at = 0;
    while let Some(&low) = members.get(at) {
        match (members.get(at + 1), members.get(at + 2)) {
            (Some(b'-'), Some(&high)) => {
                has |= (low..=high).contains(&byte);
                at += 3;
            }
            _ => {
                has |= low == byte;
                at += 1;
            }
        }
    }
    (has != negated).then_some(close + 1)
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

fn missing_file(path: &str, place: &str, labels: Vec<Label>) -> Lookup<Content> {
    Lookup::Missing(Missing {
        rule: "missing-file",
        message: format!("{path} does not exist {place}"),
        labels,
    })
}

/// Folders in which published images keep files of their own, the system's trust store among them.
const IMAGE_FOLDERS: [&str; 22] = [
    "/bin",
    "/bitnami",
    "/dev",
    "/docker-entrypoint.d",
    "/etc/ca-certificates",
    "/etc/envoy",
    "/etc/nginx",
    "/etc/pki",
    "/etc/ssl/certs",
    "/home",
    "/lib",
    "/lib64",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/sys",
    "/tmp",
    "/usr",
    "/var",
    "/app",
];

/// Whether a published image may have a file at a path.
fn may_be_in_image(path: &str) -> bool {
    // files that stand in `/` and `/etc` themselves
    let parts = path.split('/').filter(|part| !part.is_empty()).count();
    let single = parts < 2
        || parts == 2 && path.starts_with("/etc/")
        || matches!(path, "/etc/ssl/cert.pem" | "/etc/ssl/openssl.cnf");
    single || IMAGE_FOLDERS.iter().any(|folder| path == *folder || is_beneath(path, folder))
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
        Lookup::Found(Mounted::Image(_)) if may_be_in_image(full) => {
            (Lookup::Unseen(format!("{full} lies in the image of {container}")), None)
        }
        Lookup::Found(Mounted::Image(image)) => {
            let mut labels = vec![Label {
                span: mount.span,
                message: format!("{image} has no such file, and no volume is mounted there"),
            }];
            let others = mounts.iter().filter(|other| other.path != mount.path).take(3);
            labels.extend(others.map(|other| Label {
                span: other.span,
                message: format!("this is mounted at {}", other.path),
            }));
            let message = format!("nothing is mounted at {full} in {container}");
            (Lookup::Missing(Missing { rule: "unmounted-path", message, labels }), None)
        }
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
                        Label { span: mount.span, message: format!("mounted here at {}", mount.path) },
                        Label { span: *span, message: format!("{name} has {}", list(&have)) },
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_the_shell_has_them() {
        for (pattern, path, expected) in [
            ("/etc/nginx/conf.d/*.conf", "/etc/nginx/conf.d/a.conf", true),
            ("/etc/nginx/conf.d/*.conf", "/etc/nginx/conf.d/.conf", false),
            ("/etc/nginx/conf.d/*.conf", "/etc/nginx/conf.d/sub/a.conf", false),
            ("/etc/nginx/*/*.conf", "/etc/nginx/conf.d/a.conf", true),
            ("/a/?.conf", "/a/x.conf", true),
            ("/a/?.conf", "/a/xy.conf", false),
            ("/a/[a-c]x", "/a/bx", true),
            ("/a/[!a-c]x", "/a/bx", false),
            ("/a/*b*c", "/a/xbybzc", true),
            ("/a/*b*c", "/a/xbybz", false),
            ("/a/[", "/a/[", false),
            ("/a/*", "/a/.hidden", false),
            ("/a/.*", "/a/.hidden", true),
        ] {
            assert_eq!(glob_matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn a_pattern_finds_the_sources_beneath_a_root_and_the_files_of_mounts() {
        let mut sources = Sources::default();
        for path in ["etc/nginx/conf.d/b.conf", "etc/nginx/conf.d/a.conf", "etc/nginx/conf.d/c.txt"] {
            sources.add(path, *b"x");
        }
        let index = Index::new(&sources);
        let machine = |files| Machine { name: "Pod web".to_owned(), files };
        let globbed = machine(Files::Root).glob(&index, "conf.d/*.conf", "/etc/nginx");
        assert_eq!(globbed.paths, ["/etc/nginx/conf.d/a.conf", "/etc/nginx/conf.d/b.conf"]);
        assert_eq!(globbed.unseen, None);
        let span = Span { file: FileId(0), start: 0, end: 0 };
        let folder = Mounted::Folder {
            name: "ConfigMap web".to_owned(),
            span,
            entries: Entries::from_iter([("a.conf".to_owned(), Content::Empty)]),
            mode: None,
            unseen: None,
        };
        let mount =
            |path: &str, content| Mount { path: path.to_owned(), span, content: Lookup::Found(content) };
        let mounted = machine(Files::Container(vec![mount("/etc/nginx/conf.d", folder)]));
        let globbed = mounted.glob(&index, "/etc/nginx/conf.d/*.conf", "/");
        assert_eq!((globbed.paths.len(), globbed.unseen), (1, None));
        let single =
            machine(Files::Container(vec![mount("/etc/nginx/conf.d/x.conf", Mounted::File(Content::Empty))]));
        let globbed = single.glob(&index, "/etc/nginx/conf.d/*.conf", "/");
        assert_eq!(globbed.paths, ["/etc/nginx/conf.d/x.conf"]);
        assert!(globbed.unseen.is_some());
    }
}

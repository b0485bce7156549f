//! Paths as they count from a folder, whatever folder the program was started in.

/// A folder, and the folder in which paths are given. Both are known by text alone; by default, a path counts as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folder {
    /// Its absolute path, in parts.
    own: Vec<String>,
    /// The absolute path of the folder that relative paths count from.
    working: Vec<String>,
}

impl Folder {
    /// The folder at `path`, seen from the folder `working`, which is absolute.
    pub fn new(path: &str, working: &str) -> Self {
        let working = parts(&[], working);
        Self { own: parts(&working, path), working }
    }

    /// The path of a file as it counts from this folder; of a file outside of it, the path as given.
    pub fn name(&self, path: &str) -> String {
        let plain = || path.strip_prefix("./").unwrap_or(path).to_owned();
        if path == "-" || (self.own.is_empty() && self.working.is_empty()) {
            return plain();
        }
        let absolute = parts(&self.working, path);
        match absolute.strip_prefix(self.own.as_slice()) {
            Some(rest) => rest.join("/"),
            None => plain(),
        }
    }
}

/// The parts of an absolute path, or of one that counts from `base`.
fn parts(base: &[String], path: &str) -> Vec<String> {
    let mut parts = if path.starts_with('/') { Vec::new() } else { base.to_vec() };
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part.to_owned()),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_from_the_folder_wherever_the_program_runs() {
        for (folder, working, path, expected) in [
            (".", "/home/p", "a/b.yaml", "a/b.yaml"),
            ("..", "/home/p/a", "b.yaml", "a/b.yaml"),
            ("../", "/home/p/a", "./b.yaml", "a/b.yaml"),
            ("deploy", "/home/p", "deploy/b.yaml", "b.yaml"),
            ("deploy", "/home/p", "deploy/../deploy/b.yaml", "b.yaml"),
            ("/home/p", "/elsewhere", "/home/p/a/b.yaml", "a/b.yaml"),
            ("deploy", "/home/p", "other/b.yaml", "other/b.yaml"),
            ("deploy", "/home/p", "-", "-"),
        ] {
            assert_eq!(Folder::new(folder, working).name(path), expected, "{folder} {working} {path}");
        }
        assert_eq!(Folder::default().name("./a.yaml"), "a.yaml");
    }
}

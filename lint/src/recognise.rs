//! What a file was taken as, in words: for people who wonder why it says nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::dialect::{apisix::config, kubernetes};
use crate::resolve::discover::{Form, Meaning, form, meaning};
use crate::source::{FileId, Span, Text};
use crate::stack::certificate::Certificate;
use crate::syntax::{pem, yaml};

/// Endings of files that hold no configuration and no certificate.
const NOT_CONFIGURATION: &[&str] = &[
    "a", "adoc", "avi", "bz2", "c", "class", "cpp", "css", "csv", "db", "deb", "dll", "exe", "gif", "go",
    "gz", "h", "html", "ico", "jar", "java", "jpeg", "jpg", "js", "lock", "log", "mjs", "mp4", "o", "otf",
    "pdf", "php", "png", "ps1", "pyc", "rb", "rlib", "rpm", "rst", "sarif", "snap", "sql", "svg", "tar",
    "tgz", "ts", "tsx", "ttf", "wasm", "webp", "woff", "woff2", "xz", "zst",
];
/// Endings of the same kind that are top-level domains too: a file may be called after a host (`shop.pl`).
const DOMAINS: &[&str] = &["cc", "md", "mo", "pl", "pm", "py", "rs", "sh", "so", "zip"];
/// Folders in which files are called after hosts.
const FOLDERS_OF_HOSTS: &[&str] =
    &["certs", "conf.d", "sites-available", "sites-enabled", "ssl", "tls", "vhosts", "vhosts.d"];

/// Whether a file found in a folder is worth reading, by its name; `machine`: it lies beneath `--root`, where a
/// program may refer to it.
pub fn may_be_configuration(path: &Path, machine: bool) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    let of_hosts = || {
        let folder = path.parent().and_then(Path::file_name);
        folder.is_some_and(|folder| FOLDERS_OF_HOSTS.contains(&folder.to_string_lossy().as_ref()))
    };
    ending.is_none_or(|ending| match DOMAINS.contains(&ending.as_str()) {
        true => machine || of_hosts(),
        false => NOT_CONFIGURATION.binary_search(&ending.as_str()).is_err(),
    })
}

/// Whether a name ends as programs and texts do, and as domains do: only what refers to the file says what it is.
pub fn is_called_like_a_host(path: &str) -> bool {
    let ending = path.rsplit('/').next().and_then(|name| name.rsplit_once('.')).map(|(_, ending)| ending);
    ending.is_some_and(|ending| DOMAINS.contains(&ending.to_ascii_lowercase().as_str()))
}

/// What a file is taken as, by its name and content alone.
pub fn recognise(path: &str, bytes: &[u8]) -> String {
    if path.rsplit('/').next() == Some(crate::config::FILE_NAME) {
        return "configuration of mtls-lint".to_owned();
    }
    match form(path, bytes) {
        Form::Yaml => documents(path, bytes),
        Form::Nginx(_) => "nginx configuration".to_owned(),
        Form::Environment => "etcd environment".to_owned(),
        Form::Empty => "empty".to_owned(),
        Form::NotText(_) => "not text".to_owned(),
        Form::Other => other(bytes),
    }
}

fn documents(path: &str, bytes: &[u8]) -> String {
    let text = Text::whole(FileId(0), Arc::new(bytes.to_vec()));
    let mut found = Count::default();
    let mut problems = Vec::new();
    yaml::parse_each(&text, &mut problems, |document| {
        let root = document.root();
        match meaning(root) {
            Meaning::Kubernetes => {
                for object in kubernetes::objects(root) {
                    let kind = kubernetes::group_kind(object).map_or("Kustomization", |(_, kind, _)| kind);
                    // what stands in the file goes to a narrow list
                    found.add(&kind.chars().take(40).collect::<String>());
                }
            }
            Meaning::Envoy => found.add("Envoy bootstrap"),
            Meaning::Apisix => found.add("APISIX config.yaml"),
            Meaning::ApisixObjects => found.add("APISIX objects"),
            Meaning::Etcd => found.add("etcd.conf.yml"),
            Meaning::Other if config::recognises_at(path, root) => found.add("APISIX config.yaml"),
            Meaning::Other => {}
        }
    });
    match (found.words(), problems.is_empty()) {
        (Some(words), true) => words,
        (Some(words), false) => format!("{words}; partly unreadable"),
        (None, true) => "YAML or JSON, used if something refers to it".to_owned(),
        (None, false) => "unreadable YAML or JSON".to_owned(),
    }
}

fn other(bytes: &[u8]) -> String {
    let mut found = Count::default();
    for block in pem::blocks(bytes) {
        found.add(match block.label.as_str() {
            _ if block.content.is_err() => "damaged PEM block",
            "CERTIFICATE" | "TRUSTED CERTIFICATE" | "X509 CERTIFICATE" => "certificate",
            "X509 CRL" => "revocation list",
            label if label.ends_with("PRIVATE KEY") => "private key",
            _ => "other PEM block",
        });
    }
    found.words().unwrap_or_else(|| {
        let nowhere = Span { file: FileId(0), start: 0, end: 0 };
        if Certificate::read(bytes, nowhere).is_ok() {
            "certificate, in DER".to_owned()
        } else {
            "used if something refers to it".to_owned()
        }
    })
}

/// Things by their first occurrence, each with its number.
#[derive(Default)]
struct Count {
    order: Vec<String>,
    numbers: BTreeMap<String, usize>,
}

impl Count {
    fn add(&mut self, what: &str) {
        let number = self.numbers.entry(what.to_owned()).or_default();
        *number += 1;
        if *number == 1 {
            self.order.push(what.to_owned());
        }
    }

    /// `Certificate ×3, Issuer`; None if there is nothing.
    fn words(&self) -> Option<String> {
        let one = |what: &String| match self.numbers.get(what) {
            Some(number) if *number > 1 => format!("{what} ×{number}"),
            _ => what.clone(),
        };
        let words: Vec<String> = self.order.iter().map(one).collect();
        (!words.is_empty()).then(|| words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_endings_is_sorted_for_the_search() {
        assert!(NOT_CONFIGURATION.is_sorted());
        let read = |path: &str, machine| may_be_configuration(Path::new(path), machine);
        assert!(!read("a/logo.PNG", true) && read("a/.png", false));
        for (path, machine, expected) in [
            ("etc/nginx/sites-enabled/blog.rs", false, true),
            ("etc/haproxy/shop.pl", true, true),
            ("src/main.rs", false, false),
        ] {
            assert_eq!(read(path, machine), expected, "{path}");
        }
        assert_eq!(recognise("a/README.md", b"---\na: b\n"), "used if something refers to it");
    }

    #[test]
    fn a_file_is_called_what_it_is_taken_as() {
        let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (path, text, words) in [
            (
                "a.yaml",
                "apiVersion: v1\nkind: Pod\nmetadata: {}\n---\napiVersion: v1\nkind: Pod\nmetadata: {}\n",
                "Pod ×2",
            ),
            ("a.yaml", "client-transport-security: {}\nlisten-client-urls: x\n", "etcd.conf.yml"),
            ("a.conf", "http { server { listen 443 ssl; } }", "nginx configuration"),
            ("etcd.env", "ETCD_CERT_FILE=/a\n", "etcd environment"),
            ("a.yaml", "a: [", "unreadable YAML or JSON"),
            ("a.yaml", "a: b", "YAML or JSON, used if something refers to it"),
            ("a.yaml", " ", "empty"),
            ("deploy/mtls-lint.yaml", "deny: warning", "configuration of mtls-lint"),
            ("a.pem", pem, "certificate"),
            ("notes", "hello", "used if something refers to it"),
        ] {
            assert_eq!(recognise(path, text.as_bytes()), words, "{path}: {text}");
        }
        assert_eq!(recognise("a.pem", pem.repeat(3).as_bytes()), "certificate ×3");
        assert_eq!(recognise("a.yaml", b"a: \xff"), "not text");
    }
}

//! fixtures/decisions: policy, certificate, request, time and the decision they make.

use std::path::{Path, PathBuf};

use mtls_identity::certificate::{Certificate, hexadecimal};
use serde::Deserialize;

/// The cases of one policy.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The policy; `@pem NAME@`, `@sha256 NAME@` and `@key NAME@` stand for a certificate.
    pub policy: String,
    /// What is asked of it.
    pub cases: Vec<Case>,
}

/// One question, and its answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What is particular about it.
    pub name: String,
    /// The client's certificate: a file of fixtures/pki/decisions.
    pub certificate: Option<String>,
    /// Method and URL, or method and path.
    pub request: String,
    /// The gateway's route.
    pub route: Option<String>,
    /// When.
    pub at: String,
    /// `allow IDENTITY by RULE`, `exempt by NAME` or `deny REASON`.
    pub expect: String,
}

/// fixtures.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures")
}

/// A certificate of fixtures/pki/decisions.
pub fn pem(name: &str) -> String {
    let path = fixtures().join(format!("pki/decisions/{name}.pem"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// An example of README.md: the fenced YAML that follows a marker.
pub fn example(marker: &str) -> String {
    let readme = std::fs::read_to_string(fixtures().join("../README.md")).unwrap_or_default();
    let after = readme.split_once(&format!("<!-- {marker} -->\n"));
    let fenced = after.and_then(|(_, after)| after.split_once("```yaml\n")?.1.split_once("```\n"));
    fenced.unwrap_or_else(|| panic!("README.md has no {marker}")).0.to_owned()
}

/// Every table with its name, the policies as they stand.
pub fn tables() -> Vec<(String, Table)> {
    let folder = fixtures().join("decisions");
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut tables: Vec<(String, Table)> = entries
        .map(|entry| {
            let path = entry.expect("a file").path();
            let text = std::fs::read_to_string(&path).expect("a text");
            let table =
                serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), table)
        })
        .collect();
    tables.sort_by(|one, other| one.0.cmp(&other.0));
    tables
}

impl Table {
    /// The policy with its certificates filled in; what they are says `pem`.
    pub fn filled(&self, pem: impl Fn(&str) -> String) -> String {
        let parsed =
            |name: &str| Certificate::parse_pem(&pem(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut pieces = self.policy.split('@');
        let mut filled = pieces.next().unwrap_or_default().to_owned();
        while let (Some(word), rest) = (pieces.next(), pieces.next()) {
            match word.split_once(' ') {
                Some(("pem", name)) => filled.push_str(&pem(name).replace('\n', "\\n")),
                Some(("sha256", name)) => filled.push_str(&hexadecimal(&parsed(name).sha256)),
                Some(("key", name)) => filled.push_str(&hexadecimal(&parsed(name).public_key_sha256)),
                _ => {
                    // an @ of the policy's own
                    filled.push('@');
                    filled.push_str(word);
                    if rest.is_some() {
                        filled.push('@');
                    }
                }
            }
            filled.push_str(rest.unwrap_or_default());
        }
        filled
    }
}

impl Case {
    /// When, in seconds since 1970.
    pub fn seconds(&self) -> i64 {
        mtls_lint::time::parse(&self.at).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// Method, host (or nothing) and path.
    pub fn request(&self) -> (&str, &str, &str) {
        let (method, url) = self.request.split_once(' ').unwrap_or_default();
        match url.strip_prefix("https://") {
            Some(rest) => {
                let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                (method, host, path)
            }
            None => (method, "", url),
        }
    }
}

//! The result of a run, in the order in which it is printed.

mod secrets;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use mtls_identity::sorted;

use crate::deployment::{ClientAuthMode, Connection, Deployment, Lookup, Program};
use crate::finding::{Finding, Incomplete, Note, Suppressed};
use crate::handshake::{Outcome, Prediction};
use crate::resolve::Linked;
use crate::source::{FileContent, FileId, Sources, Span, as_text};
use crate::visible::is_hidden;

/// Findings, connections and what could not be checked.
#[derive(Debug)]
pub struct Report {
    /// Sorted by file, offset, rule.
    pub findings: Vec<Finding>,
    /// What was found and is allowed; sorted as findings are.
    pub suppressed: Vec<Suppressed>,
    /// In the order of the deployment; with a command, its own first.
    pub connections: Vec<ConnectionReport>,
    /// Sorted by file and offset; not empty: exit status 2.
    pub incomplete: Vec<Incomplete>,
    /// What was left out, in the order in which it was met.
    pub notes: Vec<Note>,
    /// The files, for their text, paths and line starts.
    pub files: Files,
    /// The deployment that was judged.
    pub deployment: Deployment,
}

/// A predicted connection with the names of its sides.
#[derive(Debug)]
pub struct ConnectionReport {
    /// Who dials.
    pub client: Party,
    /// Who listens.
    pub server: Party,
    /// As shown.
    pub url: String,
    /// The port of the URL.
    pub port: u16,
    /// The SNI sent, if any.
    pub server_name: Option<String>,
    /// The server verifies certificates that come, and lets in clients without one.
    pub optional_client: bool,
    /// How it ends.
    pub prediction: Prediction,
}

/// A side of a connection, as it is named in the output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// apisix, curl, envoy, …; `any` for unknown callers, `unseen` for a server outside the sources.
    pub kind: &'static str,
    /// `Pod tls/etcd`.
    pub name: Option<String>,
    /// The path as given.
    pub file: Option<String>,
}

impl ConnectionReport {
    /// Why it is not known whether the server is authenticated to the client; None where it is known, and where the
    /// whole outcome is not.
    pub fn server_unknown_because(&self) -> Option<&'static str> {
        self.unknown(
            self.prediction.server_authenticated,
            "the callers are not seen, and whether they verify the server is theirs",
        )
    }

    /// The same of the client to the server.
    pub fn client_unknown_because(&self) -> Option<&'static str> {
        self.unknown(
            self.prediction.client_authenticated,
            "whether a client has to present a certificate depends on the name that it asks for",
        )
    }

    fn unknown(&self, known: Option<bool>, because: &'static str) -> Option<&'static str> {
        (known.is_none() && self.prediction.outcome != Outcome::Undetermined).then_some(because)
    }
}

impl Report {
    /// Names the sides and sorts.
    pub fn new(
        sources: &Sources,
        linked: Linked,
        predictions: Vec<Prediction>,
        mut findings: Vec<Finding>,
    ) -> Self {
        let Linked { deployment, mut incomplete, mut notes, command } = linked;
        let files = Files::new(sources, command, &deployment.manifests.secrets);
        let connections = deployment.connections.iter().zip(predictions);
        let connections = connections
            .map(|(connection, prediction)| describe(&files, &deployment, connection, prediction))
            .collect();
        for finding in &mut findings {
            let labels = finding.labels.iter_mut().map(|label| &mut label.message);
            labels.chain([&mut finding.message]).chain(&mut finding.help).for_each(tidy);
        }
        incomplete.iter_mut().for_each(|entry| tidy(&mut entry.message));
        sorted::sort_by(&mut findings, &by_place);
        sorted::sort_by(&mut incomplete, &|a, b| {
            (&a.file, a.span.map(|span| span.start)).cmp(&(&b.file, b.span.map(|span| span.start)))
        });
        incomplete.dedup();
        notes.iter_mut().for_each(|note| tidy(&mut note.message));
        Self { findings, suppressed: Vec::new(), connections, incomplete, notes, files, deployment }
    }
}

impl Report {
    /// Puts what is suppressed into the order of findings.
    pub fn sort_suppressed(&mut self) {
        sorted::sort_by(&mut self.suppressed, &|a, b| by_place(&a.finding, &b.finding));
    }
}

/// The order of findings: by file, offset, rule.
fn by_place(a: &Finding, b: &Finding) -> std::cmp::Ordering {
    let place = |finding: &Finding| finding.labels.first().map(|label| (label.span.file, label.span.start));
    (place(a), a.rule, &a.message).cmp(&(place(b), b.rule, &b.message))
}

fn describe(
    files: &Files,
    deployment: &Deployment,
    connection: &Connection,
    mut prediction: Prediction,
) -> ConnectionReport {
    let said = prediction.why.iter_mut().map(|why| &mut why.message);
    let said = said.chain(&mut prediction.undetermined_because);
    let said = said.chain(&mut prediction.client_sees).chain(&mut prediction.server_logs);
    said.chain(prediction.breaks_at.as_mut().map(|(_, why)| why)).for_each(tidy);
    let party = |program: &Program| Party {
        kind: program.kind.name(),
        name: Some(if program.name.is_empty() {
            program.kind.name().to_owned()
        } else {
            tidied(&program.name)
        }),
        file: program.file.map(|file| files.path(file).to_owned()),
    };
    let dialer = connection.client.and_then(|(program, dialer)| {
        let program = deployment.programs.get(program)?;
        Some((program, program.dialers.get(dialer)?))
    });
    let client = dialer.map_or(Party { kind: "any", name: None, file: None }, |(program, _)| party(program));
    let server = match &connection.server {
        Lookup::Found((program, _)) => deployment.programs.get(*program).map(party),
        Lookup::Missing(_) | Lookup::Unseen(_) => None,
    };
    let server = server.unwrap_or_else(|| Party {
        kind: "unseen",
        name: connection.server_label.as_deref().map(tidied),
        file: None,
    });
    let server_name =
        dialer.and_then(|(_, dialer)| dialer.tls.as_ref()).and_then(|tls| match &tls.server_name {
            Some(_) if tls.names_from_request => {
                let host = connection.request.as_ref().map(|request| request.host_name());
                host.filter(|host| host.parse::<std::net::IpAddr>().is_err()).map(str::to_owned)
            }
            name => name.clone(),
        });
    let listener = match connection.server {
        Lookup::Found((program, listener)) => {
            deployment.programs.get(program).and_then(|program| program.listeners.get(listener))
        }
        Lookup::Missing(_) | Lookup::Unseen(_) => None,
    };
    let mut contexts =
        listener.and_then(|listener| listener.tls.as_ref()).into_iter().flat_map(|tls| &tls.contexts);
    ConnectionReport {
        optional_client: contexts
            .any(|context| *context.client_auth.mode.value() == ClientAuthMode::Optional),
        client,
        server,
        url: tidied(&connection.url),
        port: connection.port,
        server_name,
        prediction,
    }
}

/// Names and messages quote the sources: what is longer says no more, and may be there many times over.
const LONGEST_TEXT: usize = 2000;

/// A name or message as it may be shown: without secrets, and not too long.
pub fn tidied(text: &str) -> String {
    let mut text = text.to_owned();
    tidy(&mut text);
    text
}

/// Hides secrets in a name or message, and cuts what is too long.
fn tidy(text: &mut String) {
    let mut ranges = secrets::in_message(text);
    sorted::sort_by_key(&mut ranges, |range| std::cmp::Reverse(range.start));
    let mut hidden_from = text.len();
    for range in ranges.into_iter().filter(|range| !range.is_empty()) {
        if range.end <= hidden_from {
            hidden_from = range.start;
            text.replace_range(range, "***");
        }
    }
    if text.len() > LONGEST_TEXT {
        let end = (0..=LONGEST_TEXT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let more = text.len() - end;
        text.truncate(end);
        text.push_str(&format!("… ({more} bytes more)"));
    }
}

/// Paths, texts and line starts of the files, for rendering.
#[derive(Debug, Default)]
pub struct Files {
    files: BTreeMap<FileId, Rendered>,
}

#[derive(Debug)]
struct Rendered {
    path: String,
    bytes: Arc<Vec<u8>>,
    /// Byte ranges that no output may show.
    secrets: Vec<Range<usize>>,
    /// Byte offsets of line starts; made when first asked for.
    lines: OnceCell<Vec<u32>>,
    /// The text without its secrets; made when first asked for.
    shown: OnceCell<Arc<Shown>>,
}

/// The text of a file as people see it: secrets masked, very long lines cut.
#[derive(Debug, Default)]
pub struct Shown {
    /// The text.
    pub text: String,
    /// Where the text differs from the file, in order.
    changes: Vec<Change>,
}

/// Bytes of the file that are shown otherwise, or not at all.
#[derive(Debug)]
struct Change {
    /// In the file.
    from: Range<usize>,
    /// In the text.
    to: Range<usize>,
}

impl Shown {
    /// Where a byte of the file stands in the text; a byte that was changed, where the change begins.
    pub fn at(&self, offset: usize) -> usize {
        let after = self.changes.partition_point(|change| change.from.start <= offset);
        let place = match after.checked_sub(1).and_then(|last| self.changes.get(last)) {
            None => offset,
            Some(change) if offset < change.from.end => change.to.start,
            Some(change) => change.to.end + (offset - change.from.end),
        };
        // a binary file has places and shows no text
        place.min(self.text.len())
    }

    /// Shows `text` for a range of the file.
    fn replace(&mut self, from: Range<usize>, text: &str) {
        let start = self.text.len();
        self.text.push_str(text);
        self.changes.push(Change { from, to: start..self.text.len() });
    }
}

/// A longer line is cut where it is shown: nobody reads it, and it fills the screen.
const LONGEST_LINE: usize = 160;

impl Rendered {
    fn new(path: String, bytes: Arc<Vec<u8>>) -> Self {
        Self { path, bytes, secrets: Vec::new(), lines: OnceCell::new(), shown: OnceCell::new() }
    }

    fn shown(&self) -> Shown {
        let masked = self.masked();
        let mut shown = Shown::default();
        let mut offset = 0;
        for line in masked.split_inclusive('\n') {
            let end = line.trim_end_matches(['\n', '\r']).len();
            let start = shown.text.len();
            for (at, letter) in line.char_indices() {
                let here = offset + at;
                if at >= end {
                    // the end of a line is a line feed, whatever stands before it
                    if letter == '\n' {
                        shown.text.push(letter);
                    } else {
                        shown.replace(here..here + 1, "");
                    }
                } else if shown.text.len() - start >= LONGEST_LINE {
                    let feed = line.len() - usize::from(line.ends_with('\n'));
                    shown.replace(here..offset + feed, "");
                    shown.text.push_str(line.get(feed..).unwrap_or_default());
                    break;
                } else if is_hidden(letter) {
                    let spelled: String = letter.escape_unicode().collect();
                    shown.replace(here..here + letter.len_utf8(), &spelled);
                } else {
                    shown.text.push(letter);
                }
            }
            offset += line.len();
        }
        shown
    }

    fn masked(&self) -> String {
        let text = as_text(&self.bytes);
        // a binary file has no lines to show
        if matches!(text, Cow::Owned(_)) && self.bytes.contains(&0) {
            return String::new();
        }
        let mut bytes = text.as_bytes().to_vec();
        let known = secrets::in_file(&text).into_iter().chain(encoded_keys(&text));
        for range in known.chain(self.secrets.iter().cloned()) {
            for byte in bytes.get_mut(range).into_iter().flatten().filter(|byte| !byte.is_ascii_whitespace())
            {
                *byte = b'*';
            }
        }
        // only whole values are masked; should a cut character be left over, it is replaced
        String::from_utf8(bytes).unwrap_or_else(|error| as_text(error.as_bytes()).into_owned())
    }
}

/// A place as people count: lines and columns from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Byte offset in the file.
    pub offset: u32,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl Files {
    fn new(sources: &Sources, command: Option<(FileId, String)>, secrets: &[Span]) -> Self {
        let mut files = BTreeMap::new();
        for (id, file) in sources.iter() {
            let bytes = match &file.content {
                FileContent::Bytes(bytes) => Arc::clone(bytes),
                FileContent::NotRead(_) | FileContent::Folder => Arc::default(),
            };
            files.insert(id, Rendered::new(file.path.clone(), bytes));
        }
        if let Some((id, text)) = command {
            let bytes = Arc::new(text.into_bytes());
            files.insert(id, Rendered::new("command line".to_owned(), bytes));
        }
        for span in secrets {
            if let Some(file) = files.get_mut(&span.file) {
                file.secrets.push(span.start as usize..span.end as usize);
            }
        }
        Self { files }
    }

    /// The files of sources that were not linted.
    pub fn of(sources: &Sources) -> Self {
        Self::new(sources, None, &[])
    }

    /// The path as given.
    pub fn path(&self, file: FileId) -> &str {
        self.files.get(&file).map_or("?", |file| file.path.as_str())
    }

    /// The paths of all files, as given.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.values().map(|file| file.path.as_str())
    }

    /// The bytes of a file; empty for one that was not read.
    pub fn bytes(&self, file: FileId) -> &[u8] {
        self.files.get(&file).map_or(&[], |file| file.bytes.as_slice())
    }

    /// The text of a file as it may be shown: private keys and other secrets masked, very long lines cut. Empty for a
    /// file that is no text.
    pub fn shown(&self, file: FileId) -> Arc<Shown> {
        let Some(file) = self.files.get(&file) else { return Arc::default() };
        Arc::clone(file.shown.get_or_init(|| Arc::new(file.shown())))
    }

    /// The text of a file with its secrets masked and nothing cut. Empty for a file that is no text.
    pub fn masked(&self, file: FileId) -> String {
        self.files.get(&file).map_or_else(String::new, Rendered::masked)
    }

    /// First and last place of a span.
    pub fn places(&self, span: Span) -> (Place, Place) {
        (self.place(span.file, span.start), self.place(span.file, span.end))
    }

    fn place(&self, file: FileId, offset: u32) -> Place {
        let Some(file) = self.files.get(&file) else { return Place { offset, line: 1, column: 1 } };
        let lines = file.lines.get_or_init(|| line_starts(&file.bytes));
        let line = lines.partition_point(|start| *start <= offset).max(1);
        let start = lines.get(line - 1).copied().unwrap_or(0) as usize;
        let before = file.bytes.get(start..offset as usize).unwrap_or_default();
        Place { offset, line, column: String::from_utf8_lossy(before).chars().count() + 1 }
    }
}

/// Where a PEM file begins in base64.
const ENCODED: &str = "LS0tLS1CRUdJTi";
/// Base64 that goes on after a blank or a line break is at least so long.
const WRAPPED: usize = 40;

/// PEM files with a private key that are written in base64, whatever holds them; wrapped ones too.
fn encoded_keys(text: &str) -> Vec<Range<usize>> {
    let (mut found, mut end) = (Vec::new(), 0);
    for (start, _) in text.match_indices(ENCODED) {
        // it was a part of what came before
        if start < end {
            continue;
        }
        let mut letters = Vec::new();
        let mut rest = text.get(start..).unwrap_or_default();
        loop {
            let run =
                rest.find(|letter: char| !matches!(letter, 'A'..='Z' | 'a'..='z' | '0'..='9' | '+' | '/'));
            let run = rest.get(..run.unwrap_or(rest.len())).unwrap_or_default();
            if !letters.is_empty() && run.len() < WRAPPED {
                break;
            }
            letters.extend_from_slice(run.as_bytes());
            rest = rest.get(run.len()..).unwrap_or_default();
            end = text.len() - rest.len();
            let next = rest.trim_start();
            if next.len() == rest.len() {
                break;
            }
            rest = next;
        }
        letters.truncate(letters.len() / 4 * 4);
        let decoded = STANDARD_NO_PAD.decode(letters).unwrap_or_default();
        if String::from_utf8_lossy(&decoded).contains("PRIVATE KEY-----") {
            found.push(start..end);
        }
    }
    found
}

fn line_starts(bytes: &[u8]) -> Vec<u32> {
    let breaks = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    std::iter::once(0).chain(breaks.map(|(index, _)| u32::try_from(index + 1).unwrap_or(u32::MAX))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_keys_are_masked_wherever_they_stand() {
        let text = "a\n-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n  -----BEGIN EC PRIVATE KEY-----\n  \
                    QUJD\n  -----END EC PRIVATE KEY-----\n{\"k\":\"-----BEGIN PRIVATE KEY-----\\nQUJD";
        let mut file = Rendered::new("a".to_owned(), Arc::new(text.as_bytes().to_vec()));
        file.secrets.push(0..1);
        let shown = file.masked();
        assert!(!shown.contains("QUJD"), "{shown}");
        assert!(shown.contains("AA") && shown.starts_with('*'));
        assert_eq!(shown.len(), text.len());
    }

    #[test]
    fn every_offset_of_a_binary_file_lies_in_what_is_shown() {
        let binary = Rendered::new("a.der".to_owned(), Arc::new(vec![0x30, 0x82, 0, 1])).shown();
        assert_eq!((binary.text.as_str(), binary.at(1), binary.at(4)), ("", 0, 0));
        let text = Rendered::new("a.conf".to_owned(), Arc::new(b"a\0b".to_vec())).shown();
        assert_eq!((text.text.as_str(), text.at(2)), ("a\\u{0}b", 6));
    }

    #[test]
    fn private_keys_in_base64_are_masked() {
        let key = "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\nQUJDREVG\n-----END \
                   PRIVATE KEY-----\n";
        let encoded = base64::engine::general_purpose::STANDARD.encode(key);
        let wrapped = format!("{}\n      {}", &encoded[..76], &encoded[76..]);
        let certificate = base64::engine::general_purpose::STANDARD.encode(&key[..57]);
        for text in [encoded.as_str(), wrapped.as_str()] {
            let text = format!("data:\n  a: {certificate}\n  b: {text}\n  name: web\n");
            let shown = Rendered::new("a".to_owned(), Arc::new(text.clone().into_bytes())).masked();
            assert!(!shown.contains(&encoded[80..100]), "{shown}");
            assert!(shown.contains(&certificate) && shown.ends_with("\n  name: web\n"), "{shown}");
            assert_eq!(shown.len(), text.len());
        }
    }

    #[test]
    fn long_lines_are_cut_and_places_after_them_still_found() {
        let text = format!("{}\nab{}\ncd\n", "x".repeat(3), "y".repeat(500));
        let shown = Rendered::new("a".to_owned(), Arc::new(text.clone().into_bytes())).shown();
        assert_eq!(shown.text.lines().map(str::len).collect::<Vec<_>>(), [3, LONGEST_LINE, 2]);
        let place = text.find("cd").unwrap();
        assert_eq!(shown.text.get(shown.at(place)..), Some("cd\n"));
        assert_eq!(shown.at(5), 5);
        assert_eq!(shown.at(place - 5), 4 + LONGEST_LINE);
    }

    #[test]
    fn what_would_be_obeyed_is_spelled_out_and_places_after_it_still_found() {
        let text = "a\u{202e}b: c\r\nd\u{1b}[8m: e\r\n";
        let shown = Rendered::new("a".to_owned(), Arc::new(text.as_bytes().to_vec())).shown();
        assert_eq!(shown.text, "a\\u{202e}b: c\nd\\u{1b}[8m: e\n");
        for letter in ["b", "c", "d", "e"] {
            assert_eq!(
                shown.text.get(shown.at(text.find(letter).unwrap())..).map(|rest| &rest[..1]),
                Some(letter)
            );
        }
    }
}

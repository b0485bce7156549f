//! Commands that containers and the kubelet run: clients with the container's files, names and environment.

use super::{Reader, Secrets, clients};
use crate::deployment::{ClientTls, Content, DialerPurpose, Lookup, Program, ProgramKind, Trust};
use crate::dialect::command::{is_looked_at, secrets};
use crate::resolve::World;
use crate::source::{Located, Span, Text};
use crate::syntax;
use crate::syntax::command::{Command, Document, Word};

/// A command line within a container.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// `Job demo/backup`, `a probe of Pod demo/etcd`.
    pub name: String,
    /// What it dials for.
    pub purpose: DialerPurpose,
    /// Index into [`World::machines`].
    pub machine: usize,
    /// The container's image.
    pub image: Option<Located<String>>,
    /// The program's name and its arguments.
    pub words: Vec<Word>,
    /// Those words that are scripts, with where each byte of them is written.
    pub scripts: Vec<Located<Text>>,
    /// The container's environment.
    pub environment: Vec<(String, Word)>,
    /// Why it may have other variables; completes "undetermined because …".
    pub hidden_variables: Option<String>,
    /// The image, where it is somebody's own: it may set variables too.
    pub own_image: Option<String>,
}

/// The clients that an invocation is certain to run, and the places of passwords in it.
pub fn of_container(
    world: &World<'_>,
    invocation: &Invocation,
    known: &Secrets<'_>,
) -> (Vec<Program>, Vec<Span>) {
    let Some(machine) = world.machines.get(invocation.machine) else { return Default::default() };
    let files = Reader { world, machine, secrets: known, image: invocation.image.as_ref() };
    let Some(document) = document(&files, invocation, &invocation.words, 0) else {
        return Default::default();
    };
    // a shell would not run it
    if !document.problems.is_empty() {
        return Default::default();
    }
    let (mut programs, _) = clients(&files, invocation.machine, &document);
    for program in &mut programs {
        program.name.clone_from(&invocation.name);
        program.file = program.span.map(|span| span.file);
        for dialer in &mut program.dialers {
            dialer.purpose = invocation.purpose;
        }
        program.unseen.extend(invocation.hidden_variables.clone());
        if trusts_the_system(program)
            && let Some(path) = machine.mounted_trust()
        {
            program
                .unseen
                .push(format!("what is mounted at {path} is the system's trust, which is not read"));
        }
        if let Some(image) = invocation.own_image.as_ref().filter(|_| is_bare_etcdctl(program)) {
            program.unseen.push(format!("the image {image} may set ETCDCTL_CACERT and ETCDCTL_CERT"));
        }
    }
    (programs, secrets(&document))
}

/// Whether an etcdctl is given no file for TLS.
fn is_bare_etcdctl(program: &Program) -> bool {
    let file = |trust: &Trust| matches!(trust, Trust::File { .. });
    let given = |tls: &ClientTls| tls.credential.is_some() || tls.trust.iter().any(file);
    program.kind == ProgramKind::Etcdctl
        && !program.dialers.iter().filter_map(|dialer| dialer.tls.as_ref()).any(given)
}

/// Whether it verifies with what its image trusts.
fn trusts_the_system(program: &Program) -> bool {
    let system = |trust: &Trust| matches!(trust, Trust::System(_));
    program.dialers.iter().filter_map(|dialer| dialer.tls.as_ref()).any(|tls| tls.trust.iter().any(system))
}

/// Launchers within launchers that are followed.
const DEEPEST: usize = 4;

/// The commands that words come to: their own, or those of a shell's script. None where that is not seen.
fn document(files: &Reader<'_>, invocation: &Invocation, words: &[Word], depth: usize) -> Option<Document> {
    let (first, rest) = words.split_first()?;
    let base = first.text.rsplit('/').next().unwrap_or_default();
    let given = |text: &Text| syntax::command::certain(text, &invocation.environment, is_looked_at);
    match base {
        "sh" | "bash" | "ash" | "dash" => shell(files, invocation, rest).map(|text| given(&text)),
        "tini" | "dumb-init" | "catatonit" if depth < DEEPEST => {
            let own = rest.iter().position(|word| !word.text.starts_with('-'))?;
            document(files, invocation, rest.get(own..)?, depth + 1)
        }
        _ => {
            if let Some(text) = files.script(first).filter(is_shell_script) {
                return Some(given(&text));
            }
            let looked_at = invocation.environment.iter().filter(|(name, _)| is_looked_at(name));
            let command = Command { assignments: looked_at.cloned().collect(), words: words.to_vec() };
            Some(Document { commands: vec![command], problems: Vec::new() })
        }
    }
}

/// The script that a shell is given: after `-c`, or in a file.
fn shell(files: &Reader<'_>, invocation: &Invocation, words: &[Word]) -> Option<Text> {
    let mut words = words.iter();
    let mut is_text = false;
    while let Some(word) = words.next() {
        let Some(letters) = word.text.strip_prefix(['-', '+']) else {
            return if is_text { Some(invocation.text(word)) } else { files.script(word) };
        };
        let short = !letters.starts_with('-');
        is_text |= short && letters.contains('c');
        if short && letters.ends_with('o') {
            // `pipefail`
            words.next();
        }
    }
    None
}

fn is_shell_script(text: &Text) -> bool {
    let bytes = text.bytes();
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    first.starts_with(b"#!") && first.trim_ascii_end().ends_with(b"sh")
}

impl Invocation {
    /// A word as text to parse further.
    fn text(&self, word: &Word) -> Text {
        let same = |text: &&Located<Text>| {
            text.span == word.span && text.value.as_str().is_ok_and(|text| text == word.text)
        };
        // what the kubelet filled in stands nowhere as it is
        let written = self.scripts.iter().find(same);
        written.map_or_else(|| Text::opaque(word.span, word.text.as_bytes()), |text| text.value.clone())
    }
}

impl Reader<'_> {
    /// A script that is mounted.
    fn script(&self, word: &Word) -> Option<Text> {
        if word.unseen.is_some() || !word.text.starts_with('/') {
            return None;
        }
        let path = Located::new(word.text.clone(), word.span);
        match self.machine.read(&self.world.index, &path, "/").content {
            Lookup::Found(Content::Bytes(text)) => Some(text),
            _ => None,
        }
    }
}

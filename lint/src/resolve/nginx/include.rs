//! Configuration files and what they include.

use std::collections::{BTreeSet, HashMap};

use super::{Given, configuration_text, is_loose};
use crate::deployment::{Content, Lookup, Refusal};
use crate::dialect::nginx::{Origins, Place, is_configuration, surroundings, syntax_refusal};
use crate::finding::{Incomplete, Label, Note, NoteKind};
use crate::resolve::machine::{folder, normalise};
use crate::resolve::{Launch, Notes};
use crate::source::{Located, Span, Text};
use crate::syntax::nginx::{self, Directive};

/// Files of one configuration; more are not read.
const MAX_FILES: usize = 10_000;
/// Includes within includes.
const MAX_DEPTH: usize = 16;
/// Directives that includes bring in, each as often as it is included.
const MAX_INCLUDED: usize = 500_000;

/// Files of the packages, which say nothing of TLS: where they are not seen, nothing is missed.
const STOCK_FILES: [&str; 12] = [
    "mime.types",
    "fastcgi_params",
    "fastcgi.conf",
    "uwsgi_params",
    "scgi_params",
    "proxy_params",
    "koi-utf",
    "koi-win",
    "win-utf",
    "fastcgi-php.conf",
    "50-mod-http-image-filter.conf",
    "naxsi_core.rules",
];

/// Folders whose files the stock nginx.conf includes within `http`: nginx's own image, Debian, Alpine, Bitnami.
const STOCK_INCLUDES: [&str; 4] = [
    "/etc/nginx/conf.d/*.conf",
    "/etc/nginx/sites-enabled/*",
    "/etc/nginx/http.d/*.conf",
    "/opt/bitnami/nginx/conf/server_blocks/*.conf",
];

/// Reads configuration files, each once.
pub(super) struct Loader<'g, 'n> {
    given: &'g Given<'g>,
    notes: &'n mut Notes,
    /// Which file each directive stands in.
    pub(super) origins: Origins,
    /// Files that nginx cannot read or understand.
    pub(super) refusals: Vec<Refusal>,
    /// Files read so far, include by include.
    files: usize,
    /// Directives brought in so far.
    included: usize,
    /// A limit was met, and said so.
    ended: bool,
    /// Mistakes of a file are reported once, however often it is included.
    reported: BTreeSet<String>,
    parsed: HashMap<String, Vec<Directive>>,
}

impl<'g, 'n> Loader<'g, 'n> {
    pub(super) fn new(given: &'g Given<'g>, notes: &'n mut Notes) -> Self {
        Self {
            given,
            notes,
            origins: Origins::default(),
            refusals: Vec::new(),
            files: 0,
            included: 0,
            ended: false,
            reported: BTreeSet::new(),
            parsed: HashMap::new(),
        }
    }

    /// The directives of a file, those of included files in place of their `include`.
    pub(super) fn load(&mut self, text: &Text, path: &str) -> Vec<Directive> {
        let mut stack = vec![path.to_owned()];
        let directives = self.parse(text, path);
        self.expand(directives, &mut stack)
    }

    /// Whether directives are the content of `http`, not a whole configuration.
    pub(super) fn is_snippet(&self, directives: &[Directive]) -> bool {
        let whole = |directive: &Directive| {
            matches!(directive.name.value.as_str(), "http" | "stream" | "mail" | "events")
        };
        is_configuration(directives) && !directives.iter().any(whole)
    }

    /// The other snippets of a loose snippet's folder, which the nginx.conf nobody saw includes likewise.
    pub(super) fn siblings(&mut self, text: &Text, path: &str, place: Place) -> Vec<Directive> {
        self.notes.consumed.insert(text.file());
        let Some(machine) = self.given.machine else { return Vec::new() };
        let folder = folder(path);
        let pattern = if folder == "/" { "/*".to_owned() } else { format!("{folder}/*") };
        let mut directives = Vec::new();
        for sibling in machine.glob(&self.given.world.index, &pattern, "/").paths {
            let named = sibling.ends_with(".conf") || sibling.contains("/sites-");
            if sibling == path || !named {
                continue;
            }
            let located = Located::new(sibling.clone(), text.full_span());
            let Lookup::Found(Content::Bytes(other)) = self.given.read(&located, "/").content else {
                continue;
            };
            let parsed = nginx::parse(&other).directives;
            if self.is_snippet(&parsed) && surroundings(&parsed) == Some(place) {
                self.notes.consumed.insert(other.file());
                directives.extend(self.load(&other, &sibling));
            }
        }
        directives
    }

    /// What the stock nginx.conf of an image includes, as far as it is mounted.
    pub(super) fn stock_includes(&mut self) -> Vec<Directive> {
        let Some(machine) = self.given.machine else { return Vec::new() };
        let mut directives = Vec::new();
        for pattern in STOCK_INCLUDES {
            for path in machine.glob(&self.given.world.index, pattern, "/").paths {
                let here = Span { file: crate::source::FileId(0), start: 0, end: 0 };
                let located = Located::new(path.clone(), here);
                if let Lookup::Found(Content::Bytes(text)) = self.given.read(&located, "/").content {
                    directives.extend(self.load(&text, &path));
                }
            }
        }
        directives
    }

    fn parse(&mut self, text: &Text, path: &str) -> Vec<Directive> {
        if let Some(parsed) = self.parsed.get(path) {
            return parsed.clone();
        }
        self.files += 1;
        self.origins.add(text, path);
        let parsed = nginx::parse(text);
        if self.reported.insert(path.to_owned()) {
            for problem in &parsed.problems {
                let place = format!(" in {path}:{}", problem.line);
                self.refusals.push(syntax_refusal(problem, &place));
                self.incomplete(problem.span, problem.message.clone());
            }
        }
        self.parsed.insert(path.to_owned(), parsed.directives.clone());
        parsed.directives
    }

    /// Puts the content of included files where they are included.
    fn expand(&mut self, directives: Vec<Directive>, stack: &mut Vec<String>) -> Vec<Directive> {
        let mut expanded = Vec::with_capacity(directives.len());
        for mut directive in directives {
            if let Some(block) = directive.block.take() {
                directive.block = Some(self.expand(block, stack));
                expanded.push(directive);
                continue;
            }
            match (directive.name.value.as_str(), directive.arguments.as_slice()) {
                ("include", [path]) => {
                    let path = path.clone();
                    self.include(directive, &path, stack, &mut expanded);
                }
                _ => expanded.push(directive),
            }
        }
        expanded
    }

    fn include(
        &mut self,
        directive: Directive,
        path: &Located<String>,
        stack: &mut Vec<String>,
        into: &mut Vec<Directive>,
    ) {
        let full = normalise(&self.given.prefix, &path.value);
        if stack.contains(&full) {
            self.refusals.push(Refusal {
                rule: "refused-syntax",
                message: format!("{} includes itself: nginx does not come to an end", path.value),
                labels: vec![Label { span: path.span, message: String::new() }],
                help: None,
                log: None,
            });
        } else if stack.len() > MAX_DEPTH || self.files >= MAX_FILES || self.included >= MAX_INCLUDED {
            if !std::mem::replace(&mut self.ended, true) {
                self.incomplete(
                    path.span,
                    format!(
                        "more than {MAX_DEPTH} includes within each other, {MAX_FILES} included files or {MAX_INCLUDED} \
                         included directives are not read: this one and those that follow are left out"
                    ),
                );
            }
        } else if full.contains(['*', '?', '[']) {
            self.include_pattern(directive, path, &full, stack, into);
        } else {
            self.include_file(directive, path, full, stack, into);
        }
    }

    fn include_pattern(
        &mut self,
        directive: Directive,
        path: &Located<String>,
        full: &str,
        stack: &mut Vec<String>,
        into: &mut Vec<Directive>,
    ) {
        let Some(machine) = self.given.machine else { return into.push(directive) };
        let mut globbed = machine.glob(&self.given.world.index, full, "/");
        if let (true, Some(moved)) = (globbed.paths.is_empty(), self.moved(full)) {
            globbed = machine.glob(&self.given.world.index, &moved, "/");
        }
        for found in &globbed.paths {
            let located = Located::new(found.clone(), path.span);
            if !stack.contains(found)
                && let Lookup::Found(Content::Bytes(text)) = self.given.read(&located, "/").content
            {
                self.text(&text, found, stack, into);
            }
        }
        // a pattern that matches nothing is fine; one whose files lie elsewhere stays, for the dialect to know
        if globbed.unseen.is_some() {
            self.left_out(path);
            into.push(directive);
        }
    }

    fn include_file(
        &mut self,
        directive: Directive,
        path: &Located<String>,
        full: String,
        stack: &mut Vec<String>,
        into: &mut Vec<Directive>,
    ) {
        let mut content = self.given.read(path, &self.given.prefix).content;
        let mut found = full.clone();
        if let (Lookup::Unseen(_), Some(moved)) = (&content, self.moved(&full)) {
            let located = Located::new(moved.clone(), path.span);
            if let Lookup::Found(there) = self.given.read(&located, "/").content {
                content = Lookup::Found(there);
                found = moved;
            }
        }
        match configuration_text(content, &path.value) {
            Lookup::Found(text) => self.text(&text, &found, stack, into),
            Lookup::Missing(missing) => {
                let place = self.origins.place(directive.span, directive.line);
                let mut labels = vec![Label { span: path.span, message: String::new() }];
                labels.extend(missing.labels);
                self.refusals.push(Refusal {
                    rule: missing.rule,
                    message: format!("nginx cannot include {}: {}", path.value, missing.message),
                    labels,
                    help: None,
                    log: Some(format!("open() \"{full}\" failed (2: No such file or directory){place}")),
                });
                self.incomplete(
                    path.span,
                    format!(
                        "the included file {} does not exist: write the path of one that does, or delete the line",
                        path.value
                    ),
                );
            }
            Lookup::Unseen(_) => {
                let name = full.rsplit('/').next().unwrap_or_default();
                let stock = STOCK_FILES.contains(&name);
                // beside the configuration it would stand among the given paths
                if !stock && path.value.starts_with('/') {
                    self.left_out(path);
                } else if !stock && is_loose(self.given.machine) {
                    self.incomplete(
                        path.span,
                        format!(
                            "the included file {} is not among the given paths: give it too, or correct the path",
                            path.value
                        ),
                    );
                }
                if !stock {
                    into.push(directive);
                }
            }
        }
    }

    /// What is taken for granted of a configuration that was not seen.
    pub(super) fn assumed(&mut self, launch: &Launch, message: String) {
        let Some(file) = launch.file else { return };
        let file = self.given.world.index.sources.path(file).to_owned();
        self.notes.left_out.push(Note { kind: NoteKind::Surroundings, file, span: launch.span, message });
    }

    /// An include whose files lie elsewhere on a machine of which single files were given.
    fn left_out(&mut self, path: &Located<String>) {
        if is_loose(self.given.machine) {
            self.notes.left_out.push(Note {
                kind: NoteKind::Include,
                file: self.given.world.index.sources.path(path.span.file).to_owned(),
                span: Some(path.span),
                message: format!(
                    "the include {} points outside the given paths: give --root DIR, the folder that stands for /, to \
                     follow it",
                    path.value
                ),
            });
        }
    }

    /// What could not be read, and where that is written.
    fn incomplete(&mut self, span: Span, message: String) {
        let file = self.given.world.index.sources.path(span.file).to_owned();
        self.notes.incomplete.push(Incomplete { file, span: Some(span), message });
    }

    /// For loose files: `/etc/nginx/x` where the main configuration's folder stands for `/etc/nginx`.
    fn moved(&self, full: &str) -> Option<String> {
        let rest = full.strip_prefix("/etc/nginx/").filter(|_| is_loose(self.given.machine))?;
        (self.given.prefix != "/etc/nginx")
            .then(|| format!("{}/{rest}", self.given.prefix.trim_end_matches('/')))
    }

    fn text(&mut self, text: &Text, full: &str, stack: &mut Vec<String>, into: &mut Vec<Directive>) {
        self.notes.consumed.insert(text.file());
        let directives = self.parse(text, full);
        self.files += 1;
        self.included += directives.iter().map(size).sum::<usize>();
        stack.push(full.to_owned());
        into.extend(self.expand(directives, stack));
        stack.pop();
    }
}

/// A directive and those within it.
fn size(directive: &Directive) -> usize {
    1 + directive.block.iter().flatten().map(size).sum::<usize>()
}

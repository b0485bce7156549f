//! Which sources are configurations, and of which programs.
//!
//! Kubernetes objects go to the cluster. Files that a program loads by itself (`config.yaml`, `nginx.conf`,
//! `etcd.conf.yml`, …) become launches on the machine outside the cluster: the tree beneath `--root`, or the
//! folder in which loose files stand. Everything else waits until a program refers to it.

use std::collections::{BTreeMap, BTreeSet};

use super::kubernetes::Manifests;
use super::machine::{folder, normalise};
use super::{Launch, Notes};
use crate::assume::Assume;
use crate::deployment::{OUTSIDE, ProgramKind};
use crate::dialect::apisix::values::Values;
use crate::dialect::apisix::{self, NO_ENVIRONMENT, Objects};
use crate::dialect::{envoy, etcd, kubernetes, nginx};
use crate::finding::{Incomplete, Note, NoteKind};
use crate::recognise::is_called_like_a_host;
use crate::source::{FileContent, FileId, Sources, Span, Text, as_text};
use crate::syntax::yaml::Node;
use crate::syntax::{pem, yaml};

/// What the sources hold.
#[derive(Debug, Default)]
pub struct Discovered {
    /// Objects of Kubernetes and cert-manager.
    pub manifests: Manifests,
    /// Objects of APISIX's ingress controller.
    pub apisix_ingress: apisix::ingress::Fragment,
    /// APISIX objects that stand by themselves.
    pub apisix_objects: Objects,
    /// Programs outside of containers, in the order in which they claim files.
    pub launches: Vec<Launch>,
    /// Files that are no configuration, with their paths as given.
    pub loose: Vec<(String, Text)>,
    /// Files of Envoy's discovery services.
    discovery: Vec<Text>,
}

/// Reads every source once and sorts it by what it is.
pub fn discover(sources: &Sources, assume: &Assume, notes: &mut Notes) -> Discovered {
    let mut found = Discovered::default();
    let kustomized = Kustomized::read(sources, notes);
    found.manifests.roots = kustomized.roots;
    for (id, file) in sources.iter() {
        let FileContent::Bytes(bytes) = &file.content else { continue };
        let Some(text) = sources.text(id) else { continue };
        match form(&file.path, bytes) {
            // changes to objects that stand elsewhere
            Form::Yaml if kustomized.patches.contains(&normalise("/", &file.path)) => {}
            Form::Yaml => yaml_file(&mut found, notes, sources, id, &text, assume),
            Form::Environment => found.launch(ProgramKind::Etcd, sources, id, &text),
            Form::Nginx(extent) => match template_mark(&text) {
                // nobody's business where the machine has what was made of it
                Some(_) if sources.root && has_main(sources) => {}
                Some(span) => notes.incomplete.push(Incomplete {
                    file: file.path.clone(),
                    span: Some(span),
                    message: "this is a template, which nginx never reads; give what it is rendered to"
                        .to_owned(),
                }),
                None => {
                    found.launch(ProgramKind::Nginx, sources, id, &text);
                    if let Some(launch) = found.launches.last_mut() {
                        launch.piece = extent == nginx::Extent::Piece;
                    }
                }
            },
            Form::Empty => incomplete(notes, sources, &text, "the file is empty; remove it or fill it in"),
            Form::NotText(at) => {
                let span = text.span(at..at + 1);
                notes.incomplete.push(Incomplete {
                    file: file.path.clone(),
                    span: Some(span),
                    message:
                        "this is no text: the byte here is not UTF-8; give the configuration as a text file"
                            .to_owned(),
                });
            }
            // beneath --root only what a program loads is its business
            Form::Other => {
                if !sources.root {
                    damaged_blocks(notes, sources, &text);
                }
                found.loose.push((file.path.clone(), text));
            }
        }
    }
    if !found.launches.iter().any(|launch| launch.kind == ProgramKind::Envoy) {
        notes.left_out.extend(found.discovery.drain(..).map(|text| Note {
            kind: NoteKind::Discovery,
            file: sources.path(text.file()).to_owned(),
            span: None,
            message:
                "these resources are read with the bootstrap that names this file: give it too".to_owned(),
        }));
    }
    // whole nginx configurations first: what they include is no configuration of its own
    found.launches.sort_by_cached_key(|launch| match &launch.configuration {
        Some((path, _)) if launch.kind == ProgramKind::Nginx => {
            (true, launch.piece, !path.ends_with("/nginx.conf"))
        }
        _ => (false, false, false),
    });
    found
}

/// What the kustomizations among the sources say of other files.
struct Kustomized {
    /// Files that are patches, by their normalised paths.
    patches: BTreeSet<String>,
    /// Files that one kustomization puts together, each with the kustomization's own file.
    roots: BTreeMap<FileId, FileId>,
}

impl Kustomized {
    fn read(sources: &Sources, notes: &mut Notes) -> Self {
        let mut found = Self { patches: BTreeSet::new(), roots: BTreeMap::new() };
        let mut resources: BTreeMap<String, FileId> = BTreeMap::new();
        for (id, file) in sources.iter() {
            let name = file.path.rsplit('/').next().unwrap_or_default();
            if !matches!(name, "kustomization.yaml" | "kustomization.yml" | "Kustomization") {
                continue;
            }
            let Some(text) = sources.text(id) else { continue };
            let base = folder(&normalise("/", &file.path));
            // what is wrong with it is told where it is read
            yaml::parse_each(&text, &mut Vec::new(), |document| {
                let (patches, objects) = kubernetes::kustomized_files(document.root());
                notes.left_out.extend(kubernetes::patched(document.root()).map(|span| Note {
                    kind: NoteKind::Patch,
                    file: file.path.clone(),
                    span: Some(span),
                    message: "patches are not merged: the objects are checked as their files have them; pipe what \
                              `kustomize build` prints into mtls-lint check - to check what is deployed"
                        .to_owned(),
                }));
                found.patches.extend(patches.iter().map(|path| normalise(&base, path)));
                resources.extend(objects.iter().map(|path| (normalise(&base, path), id)));
            });
        }
        if !resources.is_empty() {
            let files = sources.iter().map(|(id, file)| (id, normalise("/", &file.path)));
            found.roots = files.filter_map(|(id, path)| Some((id, *resources.get(&path)?))).collect();
        }
        found
    }
}

/// What a file is, by its name and its first look.
pub(crate) enum Form {
    Yaml,
    Nginx(nginx::Extent),
    /// `NAME=value` lines of an etcd.
    Environment,
    /// A configuration file without a byte in it.
    Empty,
    /// A configuration file that is no text, from this byte on.
    NotText(usize),
    /// Something else: PEM, a page, an included piece.
    Other,
}

pub(crate) fn form(path: &str, bytes: &[u8]) -> Form {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let yaml = matches!(ending, "yaml" | "yml" | "json") || path == "-";
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return if yaml || ending == "conf" { Form::Empty } else { Form::Other };
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // nginx reads bytes
        Err(error) => {
            return match nginx::extent(path, &as_text(bytes)).filter(|_| !yaml) {
                Some(extent) => Form::Nginx(extent),
                None if yaml || ending == "conf" => Form::NotText(error.valid_up_to()),
                None => Form::Other,
            };
        }
    };
    if yaml {
        return Form::Yaml;
    }
    if is_called_like_a_host(path) {
        return Form::Other;
    }
    if etcd::recognises_environment(text) {
        return Form::Environment;
    }
    if let Some(extent) = nginx::extent(path, text) {
        return Form::Nginx(extent);
    }
    let start = text.trim_start();
    if start.starts_with("apiVersion:") || start.starts_with("---\n") || start.starts_with("kind:") {
        return Form::Yaml;
    }
    if is_manifest(start) {
        return Form::Yaml;
    }
    Form::Other
}

/// A manifest whose name does not say so (`etcd.manifest`): JSON, or YAML below comments.
fn is_manifest(text: &str) -> bool {
    // a template is what somebody renders
    if text.contains("{{") {
        return false;
    }
    if text.starts_with('{') {
        return text.contains("\"apiVersion\"") && text.contains("\"kind\"");
    }
    let first = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#'));
    text.starts_with('#')
        && first.is_some_and(|line| {
            line.starts_with("apiVersion:") || line.starts_with("kind:") || line.trim_end() == "---"
        })
        && text.contains("\nkind:")
}

/// What a YAML or JSON document is.
pub(crate) enum Meaning {
    Kubernetes,
    Envoy,
    Apisix,
    ApisixObjects,
    Etcd,
    /// No configuration by itself.
    Other,
}

pub(crate) fn meaning(root: Node<'_>) -> Meaning {
    if kubernetes::recognises(root) {
        Meaning::Kubernetes
    } else if envoy::recognises(root) {
        Meaning::Envoy
    } else if apisix::config::recognises(root) {
        Meaning::Apisix
    } else if apisix::objects::recognises(root) {
        Meaning::ApisixObjects
    } else if etcd::recognises(root) {
        Meaning::Etcd
    } else {
        Meaning::Other
    }
}

fn yaml_file(
    found: &mut Discovered,
    notes: &mut Notes,
    sources: &Sources,
    id: FileId,
    text: &Text,
    assume: &Assume,
) {
    let mut problems = Vec::new();
    let mut programs = Vec::new();
    yaml::parse_each(text, &mut problems, |document| {
        let root = document.root();
        match meaning(root) {
            Meaning::Kubernetes => {
                for object in
                    kubernetes::objects(root).into_iter().filter(|object| !kubernetes::is_patch(*object))
                {
                    found.manifests.take(object, assume);
                    found.apisix_ingress.read(object);
                }
            }
            Meaning::Envoy => programs.push(ProgramKind::Envoy),
            Meaning::Apisix => programs.push(ProgramKind::Apisix),
            Meaning::ApisixObjects => found.apisix_objects.add(&Values::new(NO_ENVIRONMENT), root),
            Meaning::Etcd => programs.push(ProgramKind::Etcd),
            Meaning::Other if apisix::config::recognises_at(&normalise("/", sources.path(id)), root) => {
                programs.push(ProgramKind::Apisix);
            }
            Meaning::Other if envoy::is_dump(root) => incomplete(
                notes,
                sources,
                text,
                "these are resources as a running Envoy lists them, which are not read; give its bootstrap",
            ),
            Meaning::Other if envoy::is_discovery(root) => found.discovery.push(text.clone()),
            Meaning::Other => {}
        }
    });
    let template = text.as_str().is_ok_and(|text| text.contains("{{"));
    for problem in problems {
        let hint = if template {
            "; if this is a Helm template, give the output of helm template instead"
        } else {
            ""
        };
        notes.incomplete.push(Incomplete {
            file: sources.path(id).to_owned(),
            span: Some(problem.span),
            message: format!("{}{hint}", problem.message),
        });
    }
    for kind in programs {
        found.launch(kind, sources, id, text);
    }
}

impl Discovered {
    fn launch(&mut self, kind: ProgramKind, sources: &Sources, id: FileId, text: &Text) {
        self.launches.push(Launch {
            kind,
            name: String::new(),
            file: Some(id),
            span: Some(text.span(0..0)),
            machine: OUTSIDE,
            image: None,
            arguments: Vec::new(),
            environment: Vec::new(),
            configuration: Some((normalise("/", sources.path(id)), text.clone())),
            piece: false,
        });
    }
}

/// Where a text that nginx could not parse has the mark of a template: of Jinja, Go or ERB; or one that it could parse,
/// of `envsubst`.
fn template_mark(text: &Text) -> Option<Span> {
    let bytes = text.bytes();
    let at = |marks: &[&[u8]]| bytes.windows(2).position(|pair| marks.contains(&pair));
    let mark = at(&[b"{{", b"{%", b"<%"]);
    if mark.is_none() && at(&[b"${"]).is_none() {
        return None;
    }
    let parsed = crate::syntax::nginx::parse(text);
    match mark {
        Some(at) if !parsed.problems.is_empty() => Some(text.span(at..at + 2)),
        _ => substituted(&parsed.directives),
    }
}

/// `${NAME}` in a directive of nginx that takes no variables.
fn substituted(directives: &[crate::syntax::nginx::Directive]) -> Option<Span> {
    const PLAIN: [&str; 9] = [
        "listen",
        "server_name",
        "ssl_verify_client",
        "ssl_verify_depth",
        "ssl_client_certificate",
        "ssl_trusted_certificate",
        "ssl_protocols",
        "resolver",
        "worker_processes",
    ];
    directives.iter().find_map(|directive| {
        let name = directive.name.value.as_str();
        let plain = PLAIN.contains(&name) || (name == "server" && directive.block.is_none());
        let marked = directive.arguments.iter().find(|argument| {
            argument.value.split("${").skip(1).any(|rest| {
                let name = rest.split('}').next().unwrap_or_default();
                let upper = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
                !name.is_empty() && name.len() < rest.len() && name.bytes().all(upper)
            })
        });
        match (plain, marked) {
            (true, Some(marked)) => Some(marked.span),
            _ => substituted(directive.block.as_deref().unwrap_or_default()),
        }
    })
}

/// Whether a machine has an nginx.conf in its usual place.
fn has_main(sources: &Sources) -> bool {
    sources.iter().any(|(_, file)| normalise("/", &file.path) == "/etc/nginx/nginx.conf")
}

/// PEM blocks that no program could read; what else a file holds waits until a program refers to it.
fn damaged_blocks(notes: &mut Notes, sources: &Sources, text: &Text) {
    let alone = sources.file(FileId(1)).is_none();
    let blocks = pem::blocks(text.bytes());
    if blocks.is_empty() && alone {
        let message = "this is neither configuration that is read here nor PEM; inspect FILE says what a \
                       certificate in another form is";
        incomplete(notes, sources, text, message);
    }
    for block in blocks {
        let Err(damage) = block.content else { continue };
        let message = match damage {
            pem::Damage::NoEnd => format!(
                "the {} block has no END line of its own: the file is cut off, or lines are glued; copy it again",
                block.label
            ),
            pem::Damage::Base64 => {
                format!("the body of the {} block is not base64; copy it again", block.label)
            }
        };
        let file = sources.path(text.file()).to_owned();
        let first_line = block.range.start..block.range.end.min(block.range.start + "-----BEGIN".len());
        notes.incomplete.push(Incomplete { file, span: Some(text.span(first_line)), message });
    }
}

fn incomplete(notes: &mut Notes, sources: &Sources, text: &Text, message: &str) {
    let file = sources.path(text.file()).to_owned();
    notes.incomplete.push(Incomplete { file, span: None, message: message.to_owned() });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_of_a_configuration_is_told_once_and_accuses_nobody() {
        let template = "events {}\nhttp { server { listen {{ port }} ssl; {% if x %} ssl_verify_client on; {% endif %} } }\n";
        let lua = "events {}\nhttp { init_by_lua_block { local x = {{1}} } }\n";
        let substituted = "server { listen ${PORT} ssl; }\n";
        let variable = "server { listen 80; server_name a; set $x \"${HOST}\"; }\n";
        for (text, expected) in
            [(template, Some(33..35)), (lua, None), (substituted, Some(16..23)), (variable, None)]
        {
            let text = Text::whole(FileId(0), std::sync::Arc::new(text.as_bytes().to_vec()));
            let mark = template_mark(&text).map(|span| span.start..span.end);
            assert_eq!(mark, expected);
        }
    }

    #[test]
    fn a_comment_in_latin_1_stops_no_reader_of_bytes() {
        let nginx = b"# caf\xe9\nevents {}\nhttp { server { listen 443 ssl; } }\n";
        assert!(matches!(form("conf.d/shop.conf", nginx), Form::Nginx(nginx::Extent::Whole)));
        // YAML must be UTF-8
        assert!(matches!(form("etcd.yaml", b"# caf\xe9\nname: a\n"), Form::NotText(5)));
        assert!(matches!(form("etcd.conf", b"# caf\xe9\nname: a\n"), Form::NotText(5)));
    }

    #[test]
    fn a_manifest_is_known_by_its_text() {
        for (text, expected) in [
            ("{\n\"apiVersion\": \"v1\",\n\"kind\": \"Pod\"}", true),
            ("# a comment\n\napiVersion: v1\nkind: Pod\n", true),
            ("{\"a\": 1}", false),
            ("{\n\"apiVersion\": \"v1\",\n\"kind\": \"Pod\", {{ more }}}", false),
            ("# kind: nothing\nname = 1\n", false),
        ] {
            assert_eq!(matches!(form("etcd.manifest", text.as_bytes()), Form::Yaml), expected, "{text}");
        }
    }
}

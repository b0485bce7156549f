//! Which program a container runs, by its command or its image.

use super::environment::Environment;
use crate::deployment::{Lookup, ProgramKind};
use crate::dialect::kubernetes::Container;
use crate::resolve::machine::{Mount, Mounted};
use crate::resolve::{Launch, Variable};
use crate::source::{Located, Text};
use crate::syntax;
use crate::syntax::command::Word;

/// The launch of a container's program, if it is one that we know; of init containers, only clients.
pub(super) fn recognise(
    container: &Container,
    init: bool,
    environment: &Environment,
    name: String,
    machine: usize,
) -> Option<Launch> {
    let expand = |words: &[Located<String>]| -> Vec<Located<String>> {
        let expand = |word: &Located<String>| match environment.expanded(word).0 {
            Lookup::Found(word) => word,
            // what cannot be known stays as it is written
            Lookup::Missing(_) | Lookup::Unseen(_) => word.clone(),
        };
        words.iter().map(expand).collect()
    };
    let by_image = container.image.as_ref().and_then(|image| image_program(&image.value));
    let mut words = expand(&container.command);
    let given = !words.is_empty();
    words.extend(expand(&container.args));
    let mut variables = environment.variables.clone();
    let (kind, arguments) = match command_program(&words, &container.scripts) {
        Some(found) => {
            // what a script sets wins
            variables.retain(|old| !found.environment.iter().any(|new| new.name.value == old.name.value));
            variables.extend(found.environment);
            (found.kind, found.arguments)
        }
        // a command that we do not know may start anything
        None if given => return None,
        None => {
            let kind = by_image?;
            let is_command = words.first().is_some_and(|word| !word.value.starts_with('-'));
            if is_command && kind != ProgramKind::Curl {
                // `docker-start`, a start script, …: the image decides
                words.clear();
            }
            (kind, words)
        }
    };
    let client = matches!(kind, ProgramKind::Curl | ProgramKind::Etcdctl | ProgramKind::Openssl);
    if init && !client {
        return None;
    }
    Some(Launch {
        kind,
        name,
        file: Some(container.span.file),
        span: Some(container.name.span),
        machine,
        image: container.image.clone(),
        arguments,
        environment: variables,
        configuration: None,
        piece: false,
    })
}

/// Repositories of images that hold their program and no credentials of anybody.
const PUBLISHED: [&str; 20] = [
    "nginx",
    "library/nginx",
    "nginxinc/nginx-unprivileged",
    "bitnami/nginx",
    "bitnamilegacy/nginx",
    "openresty/openresty",
    "bitnami/etcd",
    "bitnamilegacy/etcd",
    "coreos/etcd",
    "etcd-development/etcd",
    "etcd",
    "apache/apisix",
    "bitnami/apisix",
    "bitnamilegacy/apisix",
    "envoyproxy/envoy",
    "envoyproxy/envoy-distroless",
    "envoyproxy/envoy-contrib",
    "envoyproxy/envoy-debug",
    "envoyproxy/envoy-dev",
    "curlimages/curl",
];
/// Registries that publish them.
const REGISTRIES: [&str; 8] = [
    "docker.io",
    "index.docker.io",
    "registry-1.docker.io",
    "quay.io",
    "gcr.io",
    "registry.k8s.io",
    "k8s.gcr.io",
    "public.ecr.aws",
];

/// What a published image brings, as a mount beneath all others; None where the image is somebody's own, or where
/// something may write files before the program starts.
pub(super) fn image_files(container: &Container) -> Option<Mount> {
    let image = container.image.as_ref()?;
    if container.has_hooks || !is_published(&image.value) {
        return None;
    }
    let mut words = container.command.iter().chain(&container.args);
    let starts =
        words.next().is_none_or(|word| word.value.starts_with('-') || program(&word.value).is_some())
            || container.command.is_empty() && image.value.contains("apisix");
    let content = Lookup::Found(Mounted::Image(image.value.clone()));
    starts.then(|| Mount { path: "/".to_owned(), span: image.span, content })
}

/// Whether an image is a published one, by its registry and repository.
pub(super) fn is_published(image: &str) -> bool {
    let bare = image.split('@').next().unwrap_or(image);
    let (registry, path) = match bare.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (Some(first), rest),
        _ => (None, bare),
    };
    let repository = path.split(':').next().unwrap_or(path);
    registry.is_none_or(|registry| REGISTRIES.contains(&registry)) && PUBLISHED.contains(&repository)
}

/// The program of an image that nobody gives a command.
fn image_program(image: &str) -> Option<ProgramKind> {
    let name = image.split('@').next()?;
    let name = name.rsplit('/').next()?;
    let name = name.split(':').next()?;
    Some(match name {
        "etcd" => ProgramKind::Etcd,
        "nginx" | "nginx-unprivileged" | "nginx-slim" | "nginx-debug" | "openresty" => ProgramKind::Nginx,
        "apisix" => ProgramKind::Apisix,
        "envoy" | "envoy-distroless" | "envoy-contrib" | "envoy-debug" | "envoy-dev" | "envoy-alpine"
        | "envoy-tools" => ProgramKind::Envoy,
        "curl" => ProgramKind::Curl,
        name if name.ends_with("coreos-etcd") => ProgramKind::Etcd,
        _ => return None,
    })
}

/// The program that a word names.
fn program(word: &str) -> Option<ProgramKind> {
    Some(match word.rsplit('/').next()? {
        "etcd" => ProgramKind::Etcd,
        "nginx" | "openresty" | "nginx-debug" => ProgramKind::Nginx,
        "apisix" => ProgramKind::Apisix,
        "envoy" => ProgramKind::Envoy,
        "curl" => ProgramKind::Curl,
        "etcdctl" => ProgramKind::Etcdctl,
        "openssl" => ProgramKind::Openssl,
        _ => return None,
    })
}

/// A program with its arguments and what its script sets in the environment.
struct Command {
    kind: ProgramKind,
    arguments: Vec<Located<String>>,
    environment: Vec<Variable>,
}

/// The program and arguments of a command line, through `sh -c` and launchers such as `tini --`.
fn command_program(words: &[Located<String>], scripts: &[Located<Text>]) -> Option<Command> {
    let first = words.first()?;
    if is_shell(&first.value) {
        let at = words.iter().position(|word| {
            word.value.starts_with('-') && !word.value.starts_with("--") && word.value.ends_with('c')
        })?;
        return shell(words.get(at + 1)?, scripts);
    }
    let base = first.value.rsplit('/').next().unwrap_or_default();
    match base {
        "tini" | "dumb-init" | "exec" | "docker-entrypoint.sh" | "entrypoint.sh" | "env" => {
            let known = |word: &Located<String>| program(&word.value).is_some() || is_shell(&word.value);
            let next = words.iter().skip(1).position(known)?;
            command_program(words.get(next + 1..)?, scripts)
        }
        _ => {
            let kind = program(&first.value)?;
            let arguments = words.get(1..).unwrap_or_default().to_vec();
            Some(Command { kind, arguments, environment: Vec::new() })
        }
    }
}

fn is_shell(word: &str) -> bool {
    matches!(word.rsplit('/').next(), Some("sh" | "bash" | "ash" | "dash"))
}

/// The last program that we know in a shell script: servers run in the foreground at its end.
///
/// None where it is started in several ways, or in one that the script's text does not tell.
fn shell(script: &Located<String>, scripts: &[Located<Text>]) -> Option<Command> {
    let written = scripts
        .iter()
        .find(|text| text.span == script.span && text.value.as_str().is_ok_and(|text| text == script.value));
    // what the kubelet filled in stands nowhere as it is
    let text =
        written.map_or_else(|| Text::opaque(script.span, script.value.as_bytes()), |t| t.value.clone());
    let document = syntax::command::script(&text);
    if !document.problems.is_empty() {
        return None;
    }
    let mut found: Option<Command> = None;
    let mut environment = Vec::new();
    let mut sourced = None;
    for command in document.commands {
        let assigned = command.assignments.iter().map(|(name, word)| variable(name, word.text.clone(), word));
        let mut own: Vec<Variable> = assigned.collect();
        let mut words = command.words.into_iter().skip_while(|word| KEYWORDS.contains(&word.text.as_str()));
        let mut first = words.next();
        while let Some((name, value)) = first.as_ref().and_then(|word| assignment(&word.text)) {
            own.extend(first.as_ref().map(|word| variable(name, value.to_owned(), word)));
            first = words.next();
        }
        let Some(first) = first else {
            environment.extend(own);
            continue;
        };
        match first.text.as_str() {
            "export" => {
                environment.extend(words.filter_map(|word| {
                    let (name, value) = assignment(&word.text)?;
                    Some(variable(name, value.to_owned(), &word))
                }));
                continue;
            }
            // another file, or a text made at run time, may set what it likes
            "." | "source" | "eval" | "set" => sourced = Some(first.span),
            _ => {}
        }
        let Some(kind) = program(&first.text) else { continue };
        let mut arguments: Vec<Located<String>> =
            words.map(|word| Located::new(word.text, word.span)).collect();
        if found.as_ref().is_some_and(|before| {
            before.kind == kind && before.arguments.len() > 1 && before.arguments.len() + arguments.len() > 2
        }) {
            return None;
        }
        if let Some(span) = sourced {
            arguments.push(Located::new("$@".to_owned(), span));
        }
        let environment = environment.iter().cloned().chain(own).collect();
        found = Some(Command { kind, arguments, environment });
    }
    found
}

/// What may stand before a command.
const KEYWORDS: [&str; 12] =
    ["exec", "nohup", "then", "do", "if", "elif", "else", "while", "until", "!", "{", "time"];

/// `NAME=value`.
fn assignment(word: &str) -> Option<(&str, &str)> {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    word.split_once('=').filter(|(name, _)| is_name(name))
}

fn variable(name: &str, value: String, word: &Word) -> Variable {
    Variable {
        name: Located::new(name.to_owned(), word.span),
        value: Lookup::Found(Located::new(value, word.span)),
        secret: false,
    }
}

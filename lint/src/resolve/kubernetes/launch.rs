//! Which program a container runs, by its command or its image.

use super::environment::Environment;
use crate::deployment::{Lookup, ProgramKind};
use crate::dialect::kubernetes::Container;
use crate::resolve::Launch;
use crate::resolve::machine::{Mount, Mounted};
use crate::source::Located;

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
    let (kind, arguments) = match command_program(&words) {
        Some(found) => found,
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
        environment: environment.variables.clone(),
        configuration: None,
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
    let bare = image.value.split('@').next()?;
    let (registry, path) = match bare.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (Some(first), rest),
        _ => (None, bare),
    };
    let repository = path.split(':').next()?;
    if container.has_hooks
        || registry.is_some_and(|registry| !REGISTRIES.contains(&registry))
        || !PUBLISHED.contains(&repository)
    {
        return None;
    }
    let mut words = container.command.iter().chain(&container.args);
    let starts =
        words.next().is_none_or(|word| word.value.starts_with('-') || program(&word.value).is_some())
            || container.command.is_empty() && path.contains("apisix");
    let content = Lookup::Found(Mounted::Image(image.value.clone()));
    starts.then(|| Mount { path: "/".to_owned(), span: image.span, content })
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

/// The program and arguments of a command line, through `sh -c` and launchers such as `tini --`.
fn command_program(words: &[Located<String>]) -> Option<(ProgramKind, Vec<Located<String>>)> {
    let first = words.first()?;
    let base = first.value.rsplit('/').next().unwrap_or_default();
    match base {
        "sh" | "bash" | "ash" | "dash" => {
            let at = words.iter().position(|word| {
                word.value.starts_with('-') && !word.value.starts_with("--") && word.value.ends_with('c')
            })?;
            shell(words.get(at + 1)?)
        }
        "tini" | "dumb-init" | "exec" | "docker-entrypoint.sh" | "entrypoint.sh" | "env" => {
            let next = words.iter().skip(1).position(|word| program(&word.value).is_some())?;
            command_program(words.get(next + 1..)?)
        }
        _ => {
            let kind = program(&first.value)?;
            Some((kind, words.get(1..).unwrap_or_default().to_vec()))
        }
    }
}

/// The last program that we know in a shell script: servers run in the foreground at its end.
fn shell(script: &Located<String>) -> Option<(ProgramKind, Vec<Located<String>>)> {
    let mut found = None;
    for command in commands(&script.value) {
        let mut words = command.iter().skip_while(|word| {
            let assignment = word.split_once('=').is_some_and(|(name, _)| {
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            });
            assignment
                || matches!(word.as_str(), "exec" | "nohup" | "then" | "do" | "if" | "while" | "until" | "!")
        });
        let Some(kind) = words.next().and_then(|word| program(word)) else { continue };
        let arguments = words.map(|word| Located::new(word.clone(), script.span)).collect();
        found = Some((kind, arguments));
    }
    found
}

/// The simple commands of a shell script, as words without quotes; nothing is expanded.
fn commands(script: &str) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = script.chars().peekable();
    let mut quote: Option<char> = None;
    while let Some(character) = characters.next() {
        if let Some(open) = quote {
            if character == open {
                quote = None;
            } else if open == '"' && character == '\\' && matches!(characters.peek(), Some('"' | '\\' | '$'))
            {
                word.get_or_insert_default().extend(characters.next());
            } else {
                word.get_or_insert_default().push(character);
            }
            continue;
        }
        match character {
            '\'' | '"' => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            '\\' => match characters.next() {
                Some('\n') | None => {}
                Some(escaped) => word.get_or_insert_default().push(escaped),
            },
            '#' if word.is_none() => {
                while characters.peek().is_some_and(|next| *next != '\n') {
                    characters.next();
                }
            }
            ' ' | '\t' => words.extend(word.take()),
            // a brace within a word is part of it (`${NAME}`)
            '{' | '}' if word.is_some() => word.get_or_insert_default().push(character),
            '\n' | ';' | '|' | '&' | '(' | ')' | '{' | '}' => {
                words.extend(word.take());
                if !words.is_empty() {
                    all.push(std::mem::take(&mut words));
                }
            }
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    if !words.is_empty() {
        all.push(words);
    }
    all
}

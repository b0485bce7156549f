//! A launched APISIX → its program: config.yaml, the objects it serves, its ports and whom it dials.

mod etcd;
pub mod ingress;
mod listeners;
mod objects;
#[cfg(test)]
mod tests;
mod upstreams;

use super::machine::{self, normalise};
use super::{Launch, Notes, World};
use crate::deployment::{
    Configuration, Content, FileRef, KnownFrom, Lookup, Program, Refusal, Setting, Trust, TrustLoader,
    Version,
};
use crate::dialect::apisix::config::Trusted;
use crate::dialect::apisix::{Config, Facts, config};
use crate::finding::Label;
use crate::source::{Located, Span, Text};
use crate::syntax::yaml;

/// Where APISIX keeps its files in every image and package.
const HOME: &str = "/usr/local/apisix";

/// What the parts of this module share.
struct Given<'w> {
    world: &'w World<'w>,
    launch: &'w Launch,
    /// The folder of config.yaml.
    folder: String,
    /// The folder from which APISIX is started, where most relative paths count from.
    home: String,
    version: Version,
}

/// Turns one launched APISIX into its program.
pub fn link(world: &World<'_>, launch: &Launch, notes: &mut Notes) -> Vec<Program> {
    let mut versions = world.assume.apisix(launch.image.as_ref());
    let mut program = launch.program(versions.clone());
    if program.name.is_empty() {
        program.name = "apisix".to_owned();
    }
    let (path, text) = match configuration(world, launch) {
        Lookup::Found(found) => found,
        Lookup::Unseen(why) => {
            program.unseen.push(why);
            return vec![program];
        }
        Lookup::Missing(missing) => {
            program.refusals.push(Refusal {
                rule: missing.rule,
                message: missing.message,
                labels: missing.labels,
                help: None,
                log: Some("failed to read local yaml config of apisix: failed to open file".to_owned()),
            });
            return vec![program];
        }
    };
    let parsed = yaml::parse(&text);
    notes.not_yaml(world, &parsed);
    let Some(document) = parsed.documents.first() else {
        program.unseen.push(format!("{path} holds no configuration that can be read"));
        return vec![program];
    };
    let root = document.root();
    // a file in 2.x's shape tells the version where nothing else does
    let old_shape = root.get("deployment").is_none()
        && (root.at(&["etcd", "host"]).is_some() || root.at(&["apisix", "config_center"]).is_some());
    if matches!(versions.known_from, KnownFrom::Default) && old_shape {
        versions.program = Version(2, 15, 3);
        program.versions = versions.clone();
    }
    let environment = |name: &str| variable(launch, name);
    let mut config = config::read(root, versions.program, &environment);
    reserved_variables(launch, &mut config);
    let folder = machine::folder(&path);
    let home = if folder.ends_with("/conf") { machine::folder(&folder) } else { folder.clone() };
    let given = Given { world, launch, folder, home, version: versions.program };

    let found = objects::read(&given, &config, &environment, notes);
    program.refusals.extend(config.refusals.iter().cloned());
    program.unseen.extend(
        config.unseen.iter().filter(|(area, _)| *area == config::Area::Rest).map(|(_, why)| why.clone()),
    );
    program.bundles = trusted(&given, &config, &mut program.refusals);
    program.listeners = listeners::listeners(&given, &config, &found);
    program.dialers = etcd::dialers(&given, &config, &program.bundles);
    upstreams::add(&given, &config, &found.objects, &mut program);
    let files = config.wasm.iter().filter_map(|module| module.file.as_ref());
    let modules = files.map(|file| given.read(file, &given.home)).collect();
    let facts = Facts { config, objects: found.objects, modules };
    program.configuration = Configuration::Apisix(Box::new(facts));
    vec![program]
}

/// config.yaml's path and text.
fn configuration(world: &World<'_>, launch: &Launch) -> Lookup<(String, Text)> {
    if let Some((path, text)) = &launch.configuration {
        return Lookup::Found((path.clone(), text.clone()));
    }
    let Some(machine) = world.machines.get(launch.machine) else {
        return Lookup::Unseen("the machine it runs on was not seen".to_owned());
    };
    let span = launch.span.unwrap_or(Span {
        file: launch.file.unwrap_or(crate::source::FileId(0)),
        start: 0,
        end: 0,
    });
    let path = match named_by_arguments(&launch.arguments) {
        Some(path) => path,
        None => {
            // core/profile.lua: config-NAME.yaml under a profile
            let profile = match variable(launch, "APISIX_PROFILE") {
                Some(Lookup::Found(profile)) if !profile.is_empty() => format!("-{profile}"),
                _ => String::new(),
            };
            Located::new(format!("{HOME}/conf/config{profile}.yaml"), span)
        }
    };
    let file = machine.read(&world.index, &path, HOME);
    let full = normalise(HOME, &path.value);
    match file.content {
        Lookup::Found(Content::Bytes(text)) => Lookup::Found((full, text)),
        Lookup::Found(_) => Lookup::Unseen(format!("{full} is no file that can be read here")),
        Lookup::Missing(missing) => Lookup::Missing(missing),
        Lookup::Unseen(why) => Lookup::Unseen(why),
    }
}

/// `apisix start -c FILE`.
fn named_by_arguments(arguments: &[Located<String>]) -> Option<Located<String>> {
    let at = arguments.iter().position(|argument| matches!(argument.value.as_str(), "-c" | "--config"))?;
    arguments.get(at + 1).cloned()
}

/// `APISIX_DEPLOYMENT_ETCD_HOST`, a JSON list, replaces `deployment.etcd.host` (cli/file.lua).
fn reserved_variables(launch: &Launch, config: &mut Config) {
    const NAME: &str = "APISIX_DEPLOYMENT_ETCD_HOST";
    let Some(variable) = launch.environment.iter().rev().find(|variable| variable.name.value == NAME) else {
        return;
    };
    match &variable.value {
        Lookup::Found(value) => {
            // what is no list is told and ignored
            if let Ok(hosts) = serde_json::from_str::<Vec<String>>(&value.value) {
                let hosts = hosts.into_iter().map(|host| Located::new(host, value.span)).collect();
                config.etcd.hosts = Setting::Given(Located::new(hosts, value.span));
            }
        }
        Lookup::Unseen(why) => config.unseen.push((config::Area::Etcd, why.clone())),
        Lookup::Missing(missing) => config.unseen.push((config::Area::Etcd, missing.message.clone())),
    }
}

/// What the sources set a variable to.
fn variable(launch: &Launch, name: &str) -> Option<Lookup<String>> {
    let variable = launch.environment.iter().rev().find(|variable| variable.name.value == name)?;
    Some(variable.value.clone().map(|value| value.value))
}

/// `ssl_trusted_certificate`, which every start of APISIX opens.
fn trusted(given: &Given<'_>, config: &Config, refusals: &mut Vec<Refusal>) -> Vec<Trust> {
    let span = config.ssl.trusted.span();
    match config.ssl.trusted.value() {
        None => Vec::new(),
        Some(Trusted::System) => vec![Trust::System(span)],
        Some(Trusted::File(path)) => {
            let file = given.read(&Located::new(path.clone(), span), &given.home);
            if let Lookup::Missing(missing) = &file.content {
                let full = normalise(&given.home, path);
                let mut labels = vec![Label { span, message: String::new() }];
                labels.extend(missing.labels.iter().cloned());
                refusals.push(Refusal {
                    rule: missing.rule,
                    message: missing.message.clone(),
                    labels,
                    help: None,
                    log: Some(format!("certificate path {full} doesn't exist")),
                });
            }
            vec![Trust::File { file, loader: TrustLoader::Anchors }]
        }
    }
}

impl Given<'_> {
    /// A file as APISIX's machine has it; a relative path counts from a folder.
    fn read(&self, path: &Located<String>, base: &str) -> FileRef {
        match self.world.machines.get(self.launch.machine) {
            Some(machine) => machine.read(&self.world.index, path, base),
            None => FileRef {
                path: path.clone(),
                content: Lookup::Unseen("the machine it runs on was not seen".to_owned()),
                mode: None,
            },
        }
    }
}

//! Fragments → [`Deployment`](crate::deployment::Deployment): the only code that follows a reference.
//!
//! `machine` finds files, `kubernetes` builds machines out of Pods and mounts; one module per vendor turns
//! a program's configuration into listeners and dialers; `connect` lets dialers meet listeners.

pub mod apisix;
pub mod command;
pub mod connect;
pub mod discover;
pub mod envoy;
pub mod etcd;
pub mod kubernetes;
pub mod machine;
pub mod nginx;
mod routing;

use crate::assume::Assume;
use crate::deployment::{Deployment, FileRef, Lookup, Missing, OUTSIDE, Program, ProgramKind, Versions};
use crate::dialect::apisix::ingress::{ApisixTls, Reference};
use crate::finding::{Incomplete, Label, Note, NoteKind};
use crate::source::{FileId, Located, Sources, Span, Text};
use crate::syntax::{self, yaml};
use connect::Switchboard;
use kubernetes::Cluster;
use machine::{Files, Index, Machine};

/// What every vendor's resolver is given to read from.
pub struct World<'s> {
    /// The sources by path.
    pub index: Index<'s>,
    /// What the user says of versions.
    pub assume: &'s Assume,
    /// Where programs run.
    pub machines: Vec<Machine>,
    /// APISIX objects among the sources that no configuration names: what the Admin API returned, and what the
    /// ingress controller will write.
    pub apisix_objects: crate::dialect::apisix::Objects,
}

/// How one program is started, as far as the sources tell.
#[derive(Debug, Clone)]
pub struct Launch {
    /// What it is.
    pub kind: ProgramKind,
    /// `Pod tls/etcd`; empty where the vendor's resolver names it by its configuration (`etcd m1`).
    pub name: String,
    /// The file that defines it (the manifest, the configuration, `-`).
    pub file: Option<FileId>,
    /// Where it is defined: the container, or the configuration.
    pub span: Option<Span>,
    /// Index into [`World::machines`].
    pub machine: usize,
    /// The container's image.
    pub image: Option<Located<String>>,
    /// The program's arguments, without the program's name, as far as they are written.
    pub arguments: Vec<Located<String>>,
    /// The environment. A value can lie in a Secret or ConfigMap that is missing or unseen.
    pub environment: Vec<Variable>,
    /// The configuration file, when discovery (and not the arguments) names it: its absolute path on the machine
    /// and its text.
    pub configuration: Option<(String, Text)>,
    /// That file is a piece of a configuration, which another one may include (nginx).
    pub piece: bool,
}

impl Launch {
    /// The program that is started, its configuration still unread.
    fn program(&self, versions: Versions) -> Program {
        Program {
            file: self.file,
            span: self.span,
            ..Program::new(self.kind, self.name.clone(), versions, self.machine)
        }
    }
}

/// One environment variable.
#[derive(Debug, Clone)]
pub struct Variable {
    /// Its name.
    pub name: Located<String>,
    /// Its value.
    pub value: Lookup<Located<String>>,
    /// The value came from a Secret: it is never printed.
    pub secret: bool,
}

/// What a resolver reports beside the programs.
#[derive(Debug, Default)]
pub struct Notes {
    /// What is left out of the check.
    pub left_out: Vec<Note>,
    /// Input that could not be understood.
    pub incomplete: Vec<Incomplete>,
    /// Sources that a program includes or loads as configuration: discovery does not take them for programs of their own.
    pub consumed: std::collections::BTreeSet<FileId>,
}

impl Notes {
    /// Tells of text that YAML does not allow.
    fn not_yaml(&mut self, world: &World<'_>, parsed: &yaml::Parsed) {
        self.incomplete.extend(parsed.problems.iter().map(|problem| Incomplete {
            file: world.index.sources.path(problem.span.file).to_owned(),
            span: Some(problem.span),
            message: problem.message.clone(),
        }));
    }
}

/// The deployment, and what could not be understood on the way.
#[derive(Debug, Default)]
pub struct Linked {
    /// Every reference followed.
    pub deployment: Deployment,
    /// Input that could not be read or understood.
    pub incomplete: Vec<Incomplete>,
    /// What is left out of the check.
    pub notes: Vec<Note>,
    /// The command line as text, under an id beyond those of the sources, for its spans.
    pub command: Option<(FileId, String)>,
}

/// Finds every program in the sources, reads its configuration and lets dialers meet listeners.
pub fn link(sources: &Sources, assume: &Assume, command: Option<&[String]>) -> Linked {
    let mut notes = Notes::default();
    let mut discovered = discover::discover(sources, assume, &mut notes);
    let files = if sources.root { Files::Root } else { Files::Loose };
    let mut machines = vec![Machine { name: String::new(), files }];
    let built = kubernetes::build(discovered.manifests, sources, assume, machines.len());
    machines.extend(built.machines);
    notes.incomplete.extend(built.incomplete);
    let cluster = built.cluster;
    apisix::ingress::add(&mut discovered.apisix_objects, &discovered.apisix_ingress, &|reference, keys| {
        secret_file(&cluster, reference, keys)
    });
    let mut facts = built.facts;
    facts
        .missing
        .extend(discovered.apisix_ingress.tls.iter().flat_map(|tls| unusable_secrets(&cluster, tls)));
    let world =
        World { index: Index::new(sources), assume, machines, apisix_objects: discovered.apisix_objects };

    let mut deployment = Deployment {
        planned: built.planned,
        programs: built.probes,
        manifests: facts,
        loose: discovered.loose,
        ..Deployment::default()
    };
    for launch in built.launches.iter().chain(&discovered.launches) {
        // what a program includes is no program of its own
        let included =
            launch.machine == OUTSIDE && launch.file.is_some_and(|file| notes.consumed.contains(&file));
        if !included {
            deployment.programs.extend(programs(&world, launch, &mut notes));
        }
    }
    if !deployment.programs.iter().any(|program| program.kind == ProgramKind::Apisix) {
        let objects = &world.apisix_objects;
        let ssls = objects.ssls.iter().map(|object| object.span);
        let spans = ssls.chain(objects.routes.iter().map(|route| route.span));
        notes.left_out.extend(spans.take(1).map(|span| Note {
            kind: NoteKind::Discovery,
            file: sources.path(span.file).to_owned(),
            span: Some(span),
            message: "objects of APISIX are judged with the gateway that loads them: give its configuration too".to_owned(),
        }));
    }
    for program in deployment.programs.iter_mut().filter(|program| program.kind == ProgramKind::Etcd) {
        program.reverse_names = cluster.reverse_names(program.machine);
    }
    let secrets = |namespace: &str, name: &str, key: &str| cluster.stores.secret_key(namespace, name, key);
    for invocation in &built.commands {
        let (clients, hidden) = command::of_container(&world, invocation, &secrets);
        deployment.programs.extend(clients);
        deployment.manifests.secrets.extend(hidden);
    }
    deployment.manifests.control_planes =
        kubernetes::control_planes(&discovered.apisix_ingress.proxies, &cluster, &deployment.programs);
    // the command's own text comes after the sources
    let file = FileId(u32::try_from(sources.iter().count()).unwrap_or(u32::MAX));
    let command = command.map(|words| syntax::command::from_words(words, file));
    let first = deployment.programs.len();
    if let Some((document, _)) = &command {
        deployment.programs.extend(command::link(&world, OUTSIDE, document, &secrets, &mut notes));
        deployment.manifests.secrets.extend(crate::dialect::command::secrets(document));
    }
    deployment.hosts = sources.root.then(|| connect::hosts_file(&world));
    let switchboard = Switchboard::new(&world, &deployment, &cluster);
    deployment.connections = match command {
        Some(_) => switchboard.of_command(first..deployment.programs.len()),
        None => switchboard.all(),
    };
    Linked {
        deployment,
        incomplete: notes.incomplete,
        notes: notes.left_out,
        command: command.map(|(_, text)| (file, text)),
    }
}

/// Secrets of an ApisixTls that are there and have none of the keys that the controller looks for: it writes no ssl
/// object then.
fn unusable_secrets(cluster: &Cluster, tls: &ApisixTls) -> Vec<Missing> {
    let authority = tls.client.as_ref().and_then(|client| client.ca.as_ref());
    let wanted: [(Option<&Reference>, &[&str]); 3] = [
        (tls.secret.as_ref(), &apisix::ingress::CERTIFICATE),
        (tls.secret.as_ref(), &apisix::ingress::KEY),
        (authority, &apisix::ingress::CA),
    ];
    let mut unusable: Vec<Missing> = Vec::new();
    for (reference, keys) in wanted {
        let Some(reference) = reference else { continue };
        let file = secret_file(cluster, reference, keys);
        let Lookup::Missing(missing) = file.content else { continue };
        let told =
            unusable.iter().any(|other| other.labels.first().is_some_and(|own| own.span == file.path.span));
        if missing.rule != "missing-key" || told {
            continue;
        }
        let own = Label { span: file.path.span, message: format!("{} names it", tls.name.value) };
        let labels = std::iter::once(own).chain(missing.labels).collect();
        let first = format!("no key {}", keys.first().copied().unwrap_or_default());
        let none = missing.message.replace(&first, &format!("none of the keys {}", keys.join(", ")));
        let message = format!("{} gets no ssl object: {none}", tls.name.value);
        unusable.push(Missing { rule: missing.rule, message, labels });
    }
    unusable
}

/// The first of a Secret's keys that it has, as a file.
fn secret_file(cluster: &Cluster, reference: &Reference, keys: &[&str]) -> FileRef {
    let namespace = reference.namespace.as_deref().unwrap_or("default");
    let name = &reference.name.value;
    let mut contents = keys.iter().map(|key| (*key, cluster.stores.secret_key(namespace, name, key)));
    let (key, content) = match contents.next() {
        Some((key, Lookup::Missing(missing))) => contents
            .find(|(_, content)| !matches!(content, Lookup::Missing(_)))
            .unwrap_or((key, Lookup::Missing(missing))),
        Some(first) => first,
        None => ("", Lookup::Unseen(format!("no key of Secret {namespace}/{name} is asked for"))),
    };
    let path = format!("k8s:{namespace}/{name}/{key}");
    FileRef { path: Located::new(path, reference.name.span), content, mode: None }
}

fn programs(world: &World<'_>, launch: &Launch, notes: &mut Notes) -> Vec<Program> {
    match launch.kind {
        ProgramKind::Apisix => apisix::link(world, launch, notes),
        ProgramKind::Envoy => envoy::link(world, launch, notes),
        ProgramKind::Etcd => etcd::link(world, launch, notes),
        ProgramKind::Nginx => nginx::link(world, launch, notes),
        // clients are commands (`command::of_container`), and the kubelet is no configuration
        ProgramKind::Curl | ProgramKind::Etcdctl | ProgramKind::Openssl | ProgramKind::Kubelet => Vec::new(),
    }
}

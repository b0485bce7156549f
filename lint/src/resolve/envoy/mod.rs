//! Envoy: bootstrap and discovery files → listeners and dialers.
//!
//! Whatever a static resource gets wrong stops Envoy altogether; what a discovery file gets wrong costs that
//! listener, cluster or secret. Texts and behaviour observed with Envoy 1.40.0 unless a comment says otherwise.

mod client;
mod dialer;
mod listener;
mod refusal;
mod routes;
mod secret;

use std::collections::BTreeMap;

use super::machine::{Files, Machine};
use super::{Launch, Notes, World};
use crate::deployment::{
    Bind, Configuration, Content, FileRef, Listener, ListenerPurpose, Lookup, Program, Refusal, Trust,
    Version, Versions,
};
use crate::dialect::envoy::check::ProblemKind;
use crate::dialect::envoy::{self, Address, ConfigSource, EnvoyConfig, Resources, SCHEMA_VERSION};
use crate::finding::{Incomplete, Label};
use crate::source::{Located, Span, Text};
use crate::syntax::yaml;

/// Where the official image keeps its configuration.
const DEFAULT_PATH: &str = "/etc/envoy/envoy.yaml";
/// Who asks its discovery sources is not in the bootstrap.
const UNSEEN_NODE: &str = "its discovery sources need node.id and node.cluster, which are not in the bootstrap, and whether \
                           --service-node and --service-cluster give them is not seen; write them into the bootstrap";
const ROUTES: &str = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";

/// Turns one launched Envoy into programs with endpoints.
pub fn link(world: &World<'_>, launch: &Launch, notes: &mut Notes) -> Vec<Program> {
    let Some(machine) = world.machines.get(launch.machine) else { return Vec::new() };
    let arguments = Arguments::read(&launch.arguments);
    let mut program = launch.program(world.assume.envoy(launch.image.as_ref()));
    program.refusals.extend(arguments.refusal.clone());
    let Some((path, text)) = bootstrap(world, machine, launch, &arguments.path, &mut program) else {
        // --config-yaml alone is a whole configuration
        return match &arguments.inline {
            Some(text) if arguments.path.is_none() => {
                let mut loader = Loader {
                    world,
                    launch,
                    machine,
                    folder: "/".to_owned(),
                    notes,
                    resources: BTreeMap::new(),
                };
                if let Some(config) = loader.parse(text, &mut program) {
                    loader.build(config, &arguments, &mut program);
                }
                vec![program]
            }
            _ => vec![program],
        };
    };
    // the working directory is not known beneath a root or in a container; the image's is /
    let folder = match machine.files {
        Files::Loose => path.rsplit_once('/').map_or("/", |(folder, _)| folder).to_owned(),
        Files::Root | Files::Container(_) => "/".to_owned(),
    };
    notes.consumed.insert(text.file());
    if program.span.is_none() {
        program.span = Some(text.span(0..0));
    }
    program.file = program.file.or(Some(text.file()));
    let mut loader = Loader { world, launch, machine, folder, notes, resources: BTreeMap::new() };
    let mut config = loader.parse(&text, &mut program);
    if let Some(inline) = &arguments.inline {
        let added = loader.parse(inline, &mut program);
        config = match (config, added) {
            (Some(config), Some(added)) => Some(merge(config, added)),
            (config, added) => config.or(added),
        };
    }
    if let Some(config) = config {
        loader.build(config, &arguments, &mut program);
    }
    vec![program]
}

/// What the command line says.
struct Arguments {
    path: Option<Located<String>>,
    inline: Option<Text>,
    /// `--service-node` and `--service-cluster`.
    node: (bool, bool),
    /// `--allow-unknown-static-fields`: what the bootstrap has too much is passed over.
    allows_unknown: bool,
    refusal: Option<Refusal>,
}

impl Arguments {
    fn read(arguments: &[Located<String>]) -> Self {
        let mut read =
            Self { path: None, inline: None, node: (false, false), allows_unknown: false, refusal: None };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match word.value.as_str() {
                "-c" | "--config-path" => read.path = words.next().cloned(),
                "--config-yaml" => {
                    read.inline = words.next().map(|text| Text::opaque(text.span, text.value.as_bytes()));
                }
                "--allow-unknown-static-fields" | "--allow-unknown-fields" => read.allows_unknown = true,
                "--service-node" => read.node.0 = words.next().is_some(),
                "--service-cluster" => read.node.1 = words.next().is_some(),
                // TCLAP takes values as words of their own
                other if other.starts_with("--config-path=") || other.starts_with("--config-yaml=") => {
                    let (name, value) = other.split_once('=').unwrap_or((other, ""));
                    read.refusal = Some(refusal::refuse(
                        format!("envoy does not take {name} with an equals sign"),
                        word.span,
                        format!("write {name} and {value} as two arguments"),
                        None,
                    ));
                }
                _ => {}
            }
        }
        read
    }
}

/// The configuration file and its text; what is wrong with it goes to the program.
fn bootstrap(
    world: &World<'_>,
    machine: &Machine,
    launch: &Launch,
    given: &Option<Located<String>>,
    program: &mut Program,
) -> Option<(String, Text)> {
    if let Some((path, text)) = &launch.configuration {
        return Some((path.clone(), text.clone()));
    }
    let Some(path) = given else {
        let has_inline = launch.arguments.iter().any(|word| word.value == "--config-yaml");
        if has_inline {
            return None;
        }
        let span = launch.span?;
        if !launch.arguments.is_empty() && is_official(launch) {
            // arguments replace the image's `-c /etc/envoy/envoy.yaml`
            program.refusals.push(refusal::refuse(
                "the arguments replace those of the image, and name no configuration".to_owned(),
                launch.arguments.first().map_or(span, |word| word.span),
                format!("add -c {DEFAULT_PATH}"),
                Some(
                    "At least one of --config-path or --config-yaml or Options::configProto() should be non-empty"
                        .to_owned(),
                ),
            ));
            return None;
        }
        let path = Located::new(DEFAULT_PATH.to_owned(), span);
        return read_bootstrap(world, machine, path, program);
    };
    read_bootstrap(world, machine, path.clone(), program)
}

fn read_bootstrap(
    world: &World<'_>,
    machine: &Machine,
    path: Located<String>,
    program: &mut Program,
) -> Option<(String, Text)> {
    match machine.read(&world.index, &path, "/").content {
        Lookup::Found(Content::Bytes(text)) => return Some((path.value, text)),
        Lookup::Found(Content::Folder) => program.refusals.push(refusal::refuse(
            format!("the configuration {} is a folder", path.value),
            path.span,
            String::new(),
            Some(format!("Invalid path: {}", path.value)),
        )),
        Lookup::Found(_) => program.unseen.push(format!("{} holds a certificate", path.value)),
        Lookup::Missing(missing) => {
            let mut labels = vec![Label { span: path.span, message: "named here".to_owned() }];
            labels.extend(missing.labels);
            program.refusals.push(Refusal {
                rule: missing.rule,
                message: missing.message,
                labels,
                help: None,
                log: Some(format!("Invalid path: {}", path.value)),
            });
        }
        Lookup::Unseen(why) => program.unseen.push(why),
    }
    None
}

/// Whether the image is Envoy's own, whose entry point is known.
fn is_official(launch: &Launch) -> bool {
    launch.image.as_ref().is_some_and(|image| image.value.contains("envoyproxy/envoy"))
}

/// `--config-yaml` is merged over the file: lists are joined, the rest replaced.
fn merge(mut config: EnvoyConfig, added: EnvoyConfig) -> EnvoyConfig {
    config.listeners.extend(added.listeners);
    config.clusters.extend(added.clusters);
    config.secrets.extend(added.secrets);
    config.listener_discovery = added.listener_discovery.or(config.listener_discovery);
    config.cluster_discovery = added.cluster_discovery.or(config.cluster_discovery);
    config.admin = added.admin.or(config.admin);
    config.node = added.node.or(config.node);
    config.has_node = (config.has_node.0 || added.has_node.0, config.has_node.1 || added.has_node.1);
    config.problems.extend(added.problems);
    config
}

/// Reads one Envoy's files.
struct Loader<'a, 'w, 'n> {
    world: &'a World<'w>,
    launch: &'a Launch,
    machine: &'a Machine,
    /// From where relative paths count.
    folder: String,
    notes: &'n mut Notes,
    /// Discovery files by path: many secrets lie in one.
    resources: BTreeMap<String, Lookup<Resources>>,
}

impl Loader<'_, '_, '_> {
    /// A bootstrap out of its text.
    fn parse(&mut self, text: &Text, program: &mut Program) -> Option<EnvoyConfig> {
        let parsed = yaml::parse(text);
        self.note(&parsed.problems);
        if let Some(lost) = parsed.problems.iter().find(|problem| problem.document_lost) {
            program.refusals.push(refusal::refuse(
                format!("Envoy cannot parse its configuration: {}", lost.message),
                lost.span,
                None,
                None,
            ));
        }
        // yaml-cpp loads the first document and leaves the others
        let Some(document) = parsed.documents.first() else {
            if parsed.problems.is_empty() {
                program.refusals.push(refusal::refuse(
                    "the configuration is empty".to_owned(),
                    text.full_span(),
                    None,
                    Some("Unable to convert YAML as JSON: ".to_owned()),
                ));
            }
            return None;
        };
        Some(envoy::read(document.root()))
    }

    fn note(&mut self, problems: &[yaml::Problem]) {
        for problem in problems {
            let file = self.world.index.sources.path(problem.span.file).to_owned();
            // yaml-cpp takes the last of two equal keys (seen with 1.40.0)
            let message = problem.message.replace("kubectl refuses both or takes", "Envoy takes");
            let incomplete = Incomplete { file, span: Some(problem.span), message };
            if !self.notes.incomplete.contains(&incomplete) {
                self.notes.incomplete.push(incomplete);
            }
        }
    }

    /// Fills a program from its configuration.
    fn build(&mut self, mut config: EnvoyConfig, arguments: &Arguments, program: &mut Program) {
        let node = arguments.node;
        if arguments.allows_unknown {
            config.problems.retain(|problem| problem.kind != ProblemKind::Unknown);
        }
        let version = program.versions.program;
        config.has_node = (config.has_node.0 || node.0, config.has_node.1 || node.1);
        // of a bootstrap that lies there, the command line is not seen
        if self.launch.configuration.is_some() && needs_node(&config) && !config.sources().is_empty() {
            config.has_node = (true, true);
            program.unseen.push(UNSEEN_NODE.to_owned());
        }
        for problem in &config.problems {
            if problem.kind == ProblemKind::Unknown && version > SCHEMA_VERSION {
                program.unseen.push(format!(
                    "{}; Envoy {version} may know what {SCHEMA_VERSION} does not",
                    problem.message
                ));
            } else {
                program.refusals.push(refusal::from_problem(problem));
            }
        }
        if program.name.is_empty() {
            let name = config.node.as_ref().map(|node| node.value.as_str());
            let listener = || config.listeners.first()?.name.as_ref().map(|name| name.value.as_str());
            program.name =
                name.or_else(listener).map_or_else(|| "envoy".to_owned(), |name| format!("envoy {name}"));
        }
        let static_listeners = config.listeners.len();
        let static_clusters = config.clusters.len();
        self.discover(&mut config, program);
        self.fetch_routes_and_endpoints(&mut config, program);
        refusal::static_mistakes(&config, static_listeners, static_clusters, program);
        self.wasm_files(&config, static_listeners, program);
        self.listeners(&config, static_listeners, program);
        self.dialers(&config, static_clusters, program);
        // every static context is loaded at start, whichever connection is asked about
        program.bundles = bundles(program);
        if let Some(admin) = &config.admin
            && let Some(bind) = bind(admin)
        {
            program.listeners.push(Listener::new(ListenerPurpose::Metrics, vec![bind], admin.span));
        }
        config.unwatched = self.unwatched(&config);
        program.configuration = Configuration::Envoy(Box::new(config));
    }

    /// Discovery files that lie in a folder which Kubernetes exchanges, and are watched by their own path only.
    fn unwatched(&self, config: &EnvoyConfig) -> Vec<Located<String>> {
        let mut found: Vec<Located<String>> = Vec::new();
        for source in config.sources() {
            let ConfigSource::Path { path, watched_directory: None } = source else { continue };
            let told = found.iter().any(|other| other.value == path.value);
            if self.machine.is_exchanged(&path.value) && !told {
                found.push(path.clone());
            }
        }
        found
    }

    /// Adds the listeners and clusters of discovery files.
    fn discover(&mut self, config: &mut EnvoyConfig, program: &mut Program) {
        let sources = [
            (config.cluster_discovery.clone(), "clusters", "envoy.config.cluster.v3.Cluster"),
            (config.listener_discovery.clone(), "listeners", "envoy.config.listener.v3.Listener"),
        ];
        for (source, what, type_name) in sources {
            let Some(source) = source else { continue };
            if needs_node(config) {
                program.refusals.push(nodeless(&source, &format!("type.googleapis.com/{type_name}")));
            }
            match self.fetch(&source) {
                Lookup::Found(found) => {
                    program.refusals.extend(
                        found
                            .problems
                            .iter()
                            .filter(|problem| problem.kind != ProblemKind::Unknown)
                            .map(refusal::from_problem),
                    );
                    config.listeners.extend(found.listeners);
                    config.clusters.extend(found.clusters);
                }
                Lookup::Missing(missing) => program.refusals.push(refusal::missing_path(missing, &source)),
                // a route that leads to an unseen cluster leads nowhere that we show
                Lookup::Unseen(_) if what == "clusters" => {}
                Lookup::Unseen(_) if matches!(source, ConfigSource::Remote(_)) => {
                    program.hidden_listeners =
                        Some(format!("a management server gives {} more listeners", program.name));
                }
                Lookup::Unseen(why) => program.unseen.push(format!("more {what} come from elsewhere: {why}")),
            }
        }
    }

    /// Follows RDS and EDS files, so that routes and endpoints stand where static ones would.
    fn fetch_routes_and_endpoints(&mut self, config: &mut EnvoyConfig, program: &mut Program) {
        let mut refused = Vec::new();
        let unnamed = needs_node(config);
        for chain in config.listeners.iter_mut().flat_map(|listener| {
            listener.filter_chains.iter_mut().chain(listener.default_filter_chain.as_mut())
        }) {
            for filter in &mut chain.filters {
                let envoy::NetworkFilterKind::Http(manager) = &mut filter.kind else { continue };
                let Some((name, Some(source))) = &manager.route_discovery else { continue };
                if unnamed {
                    refused.push(nodeless(source, ROUTES));
                }
                match self.fetch(source) {
                    Lookup::Found(found) => {
                        let wanted = name.as_ref().map(|name| name.value.as_str());
                        manager.routes = found.routes.into_iter().find(|routes| {
                            wanted.is_none() || routes.name.as_ref().map(|n| n.value.as_str()) == wanted
                        });
                    }
                    Lookup::Missing(missing) => refused.push(refusal::missing_path(missing, source)),
                    Lookup::Unseen(_) => {}
                }
            }
        }
        let type_url = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
        let mut fetched = Vec::new();
        for (index, cluster) in config.clusters.iter().enumerate() {
            let envoy::Discovery::Eds { service_name, source: Some(source) } = &cluster.discovery else {
                continue;
            };
            if unnamed {
                refused.push(nodeless(source, type_url));
            }
            match self.fetch(source) {
                Lookup::Found(found) => {
                    let name = service_name.as_ref().or(cluster.name.as_ref());
                    let endpoints = found
                        .endpoints
                        .into_iter()
                        .find(|(key, _)| name.is_some_and(|name| name.value == key.value))
                        .map(|(_, endpoints)| endpoints);
                    fetched.push((index, endpoints.unwrap_or_default()));
                }
                Lookup::Missing(missing) => refused.push(refusal::missing_path(missing, source)),
                Lookup::Unseen(_) => {}
            }
        }
        for (index, endpoints) in fetched {
            if let Some(cluster) = config.clusters.get_mut(index) {
                cluster.endpoints.extend(endpoints);
            }
        }
        program.refusals.extend(refused);
    }

    /// The resources of a discovery source.
    fn fetch(&mut self, source: &ConfigSource) -> Lookup<Resources> {
        let ConfigSource::Path { path, .. } = source else {
            return Lookup::Unseen("a management server gives it".to_owned());
        };
        if let Some(known) = self.resources.get(&path.value) {
            return known.clone();
        }
        let file = self.machine.read(&self.world.index, path, &self.folder);
        let read = match file.content {
            Lookup::Found(Content::Bytes(text)) => {
                self.notes.consumed.insert(text.file());
                let parsed = yaml::parse(&text);
                self.note(&parsed.problems);
                Lookup::Found(
                    parsed
                        .documents
                        .first()
                        .map(|document| envoy::read_resources(document.root()))
                        .unwrap_or_default(),
                )
            }
            Lookup::Found(_) => {
                Lookup::Unseen(format!("{} holds no configuration that can be read", path.value))
            }
            Lookup::Missing(missing) => Lookup::Missing(missing),
            Lookup::Unseen(why) => Lookup::Unseen(why),
        };
        self.resources.insert(path.value.clone(), read.clone());
        read
    }

    /// The modules of static wasm filters are loaded at start.
    fn wasm_files(&self, config: &EnvoyConfig, fixed: usize, program: &mut Program) {
        let plugins = config.listeners.iter().take(fixed).flat_map(envoy::EnvoyListener::plugins);
        let code = plugins.filter_map(|plugin| plugin.code.as_ref());
        program.refusals.extend(code.filter_map(|code| self.missing_file(code)));
    }

    /// What Envoy finds at a data source.
    fn open(&self, data: &envoy::DataSource) -> FileRef {
        // Envoy's own name for what no file holds
        let inline =
            |content| FileRef { path: Located::new("<inline>".to_owned(), data.span), content, mode: None };
        match &data.kind {
            envoy::DataSourceKind::File(path) => self.machine.read(&self.world.index, path, &self.folder),
            envoy::DataSourceKind::Inline(text) => inline(Lookup::Found(Content::Bytes(text.clone()))),
            envoy::DataSourceKind::Environment(name) => {
                match self.launch.environment.iter().find(|variable| variable.name.value == name.value) {
                    Some(variable) => inline(
                        variable
                            .value
                            .clone()
                            .map(|value| Content::Bytes(Text::opaque(value.span, value.value.into_bytes()))),
                    ),
                    None => inline(Lookup::Unseen(format!(
                        "the environment variable {} is not set in the sources",
                        name.value
                    ))),
                }
            }
            envoy::DataSourceKind::Undecodable(span) => {
                inline(Lookup::Unseen(format!("inline_bytes at byte {} is no base64", span.start)))
            }
        }
    }
}

/// The trust bundles of all contexts, as far as they can be seen.
fn bundles(program: &Program) -> Vec<Trust> {
    let contexts = program.listeners.iter().filter_map(|listener| listener.tls.as_ref());
    let servers = contexts.flat_map(|tls| &tls.contexts).flat_map(|context| &context.client_auth.trust);
    let clients = program.dialers.iter().filter_map(|dialer| dialer.tls.as_ref()).flat_map(|tls| &tls.trust);
    servers
        .chain(clients)
        .filter(
            |trust| matches!(trust, Trust::File { file, .. } if !matches!(file.content, Lookup::Unseen(_))),
        )
        .cloned()
        .collect()
}

/// Who asks a discovery source is not said.
fn needs_node(config: &EnvoyConfig) -> bool {
    config.has_node != (true, true)
}

/// A file of clusters, routes, secrets or endpoints needs to know who asks.
fn nodeless(source: &ConfigSource, what: &str) -> Refusal {
    refusal::refuse(
        "a discovery source is used, and the node has no id and cluster".to_owned(),
        source.span(),
        "write node: {id: …, cluster: …} at the top of the bootstrap".to_owned(),
        Some(format!(
            "{what}: node 'id' and 'cluster' are required. Set it either in 'node' config or via --service-node and --service-cluster options."
        )),
    )
}

/// A listener's address as a bound socket; None where the port is named or the kernel's choice.
fn bind(address: &Address) -> Option<Bind> {
    let port = address.port.filter(|port| *port != 0)?;
    // another network namespace has a loopback interface and addresses of its own
    if address.namespace.is_some() {
        return None;
    }
    let ip: std::net::IpAddr = address.host.value.parse().ok()?;
    Some(Bind { address: (!ip.is_unspecified()).then_some(ip), port, span: address.span })
}

/// The version and TLS library of an Envoy.
pub(super) fn is_before(versions: &Versions, major: u32, minor: u32) -> bool {
    versions.program < Version(major, minor, 0)
}

/// The name of a listener or cluster for a message.
fn shown(name: Option<&Located<String>>, span: Span) -> String {
    name.map_or_else(|| format!("at byte {}", span.start), |name| name.value.clone())
}

#[cfg(test)]
mod tests;

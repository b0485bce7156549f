//! etcd: settings → client, peer and metrics ports, the other members it dials, and its gateway's dial to itself.

mod configuration;
mod image;
mod side;

use std::net::{IpAddr, Ipv4Addr};

use super::machine::{Files, folder};
use super::{Launch, Notes, World};
use crate::deployment::{Bind, Configuration, Gate, Listener, ListenerPurpose, ListenerTls, Lookup, Program};
use crate::dialect::etcd::{self, EtcdConfig, Start, Variable};
use crate::source::{FileId, Located, Span};
use crate::syntax::url::Url;
use configuration::ConfigurationFile;
use mtls_identity::sorted;
use side::{Reader, Side, is_tls};

/// Turns one launched etcd into a program with endpoints.
pub fn link(world: &World<'_>, launch: &Launch, notes: &mut Notes) -> Vec<Program> {
    let Some(machine) = world.machines.get(launch.machine) else { return Vec::new() };
    let mut program = launch.program(world.assume.etcd(launch.image.as_ref()));
    // a discovered file is either the configuration or the environment
    let discovered = launch.configuration.as_ref();
    let environment_file = discovered
        .filter(|(_, text)| text.as_str().is_ok_and(etcd::recognises_environment))
        .map(|(_, text)| etcd::environment(text))
        .unwrap_or_default();
    let file_variables: Vec<(Located<String>, Lookup<Located<String>>)> =
        environment_file.into_iter().map(|(name, value)| (name, Lookup::Found(value))).collect();
    let mut environment: Vec<Variable<'_>> = launch
        .environment
        .iter()
        .map(|variable| Variable { name: &variable.name, value: &variable.value })
        .collect();
    environment.extend(file_variables.iter().map(|(name, value)| Variable { name, value }));
    if let Some((_, text)) = discovered {
        notes.consumed.insert(text.file());
        program.file = program.file.or(Some(text.file()));
        program.span = program.span.or(Some(text.span(0..0)));
    }
    let parent =
        program.span.unwrap_or(Span { file: program.file.unwrap_or(FileId(u32::MAX)), start: 0, end: 0 });
    let bitnami = launch.image.as_ref().is_some_and(|image| image::is_bitnami(&image.value));
    let configuration = if file_variables.is_empty() && discovered.is_some() {
        discovered.map(|(path, text)| (Located::new(path.clone(), parent), text.clone()))
    } else {
        let file = ConfigurationFile::of(launch, &environment, bitnami, parent);
        match file.map_or(Ok(None), |file| file.read(world, machine, &mut program)) {
            Ok(configuration) => configuration,
            Err(()) => return vec![program],
        }
    };
    let document = match &configuration {
        None => None,
        Some((_, text)) => {
            notes.consumed.insert(text.file());
            // discovery has told what is wrong with a file that it found
            let told = discovered.is_some();
            match configuration::parse(world, text, (!told).then_some(&mut *notes), &mut program) {
                Some(document) => Some(document),
                None => return vec![program],
            }
        }
    };
    let mut config = etcd::read(&Start {
        arguments: &launch.arguments,
        environment,
        file: configuration
            .as_ref()
            .zip(document.as_ref())
            .map(|((path, _), document)| (path.clone(), document.root())),
        version: program.versions.program,
        supplied: if bitnami { etcd::BITNAMI } else { &[] },
        parent,
    });
    let base = match (&machine.files, &configuration, discovered) {
        // files beside a loose configuration are named relative to it
        (Files::Loose, Some((path, _)), _) => folder(&path.value),
        (Files::Loose, None, Some((path, _))) => folder(path),
        _ => "/".to_owned(),
    };
    if launch.image.as_ref().is_some_and(|image| !bitnami && !image::is_stock(&image.value)) {
        image::leave_to_start_script(&mut config, launch);
    }
    let files = Reader { world, machine, base };
    fill(&mut program, config, &files);
    vec![program]
}

fn fill(program: &mut Program, config: EtcdConfig, files: &Reader<'_>) {
    if program.name.is_empty() {
        program.name = format!("etcd {}", config.name.value());
    }
    program.refusals.extend(config.refusals.iter().cloned());
    program.unseen.extend(config.unseen.iter().cloned());
    program.aliases = aliases(&config);
    let client = Side { security: &config.client, files, config: &config };
    let peer = Side { security: &config.peer, files, config: &config };
    let client_urls = config.listen_client_urls.value().iter().map(|url| (url, false));
    for (url, http_only) in client_urls.chain(config.listen_client_http_urls.iter().map(|url| (url, true))) {
        let tls = is_tls(&url.value).then(|| client.server_tls(false));
        // the gateway dials the port it belongs to, over TLS where that port has it
        let gateway_dialer =
            (*config.enable_grpc_gateway.value() && tls.is_some() && !http_only).then(|| {
                program.dialers.push(client.gateway(url));
                program.dialers.len() - 1
            });
        let gate = Gate::Etcd { gateway: config.enable_grpc_gateway.clone(), gateway_dialer };
        program.listeners.extend(listener(ListenerPurpose::Clients, url, tls, gate));
    }
    for url in config.listen_peer_urls.value() {
        let tls = is_tls(&url.value).then(|| peer.server_tls(true));
        program.listeners.extend(listener(ListenerPurpose::Peers, url, tls, Gate::Open));
    }
    for url in &config.listen_metrics_urls {
        // unlike the client port, the metrics port compares names with addresses (transport.NewListener)
        let tls = is_tls(&url.value).then(|| client.server_tls(true));
        program.listeners.extend(listener(ListenerPurpose::Metrics, url, tls, Gate::Open));
    }
    if config.discovery.is_none() {
        for member in config.initial_cluster.value() {
            if member.name.value != *config.name.value() {
                program.dialers.extend(peer.dialer(&member.url));
            }
        }
    }
    // otherwise they come with the peers' listeners
    if !config.listen_peer_urls.value().iter().any(|url| is_tls(&url.value)) {
        let (pair, bundles) = peer.at_start();
        program.credentials.extend(pair);
        program.bundles.extend(bundles);
    }
    program.configuration = Configuration::Etcd(Box::new(config));
}

/// Names of the URLs that it advertises.
fn aliases(config: &EtcdConfig) -> Vec<String> {
    let mut names: Vec<String> = config
        .advertise_client_urls
        .value()
        .iter()
        .chain(config.initial_advertise_peer_urls.value())
        .filter(|url| url.value.address().is_none() && url.value.host != "localhost")
        .map(|url| url.value.host.to_ascii_lowercase())
        .collect();
    sorted::sort(&mut names);
    names.dedup();
    names
}

fn listener(
    purpose: ListenerPurpose,
    url: &Located<Url>,
    tls: Option<ListenerTls>,
    gate: Gate,
) -> Option<Listener> {
    let bind = Bind { address: bound(&url.value)?, port: url.value.port?, span: url.span };
    Some(Listener { tls, gate, ..Listener::new(purpose, vec![bind], url.span) })
}

/// The address that a URL binds: inner None is every address; outer None is a Unix socket, or a name, which is refused.
fn bound(url: &Url) -> Option<Option<IpAddr>> {
    if !matches!(url.scheme.as_str(), "http" | "https") {
        return None;
    }
    if url.host == "localhost" {
        return Some(Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    }
    let address = url.address()?;
    Some((!address.is_unspecified()).then_some(address))
}

/// What Go sends as server name: host names without a final dot, no addresses (crypto/tls, `hostnameInSNI`).
pub(super) fn sni(host: &str) -> Option<String> {
    let name = host.trim_end_matches('.');
    let is_address = name.split('%').next().is_some_and(|text| text.parse::<IpAddr>().is_ok());
    (!name.is_empty() && !is_address).then(|| name.to_owned())
}

#[cfg(test)]
mod tests;

//! Where a name leads: to machines and addresses, as the dialing program's machine resolves it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mtls_identity::sorted;

use super::Switchboard;
use crate::deployment::{ExposedPort, Lookup, Program, ProgramId};
use crate::finding::Label;
use crate::resolve::World;
use crate::resolve::kubernetes::{Cluster, Forward, Route};
use crate::resolve::machine::Files;

/// A place that a name led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) machine: usize,
    /// None: any address of the machine.
    pub(super) address: Option<IpAddr>,
    pub(super) port: u16,
}

/// How a name led to places.
#[derive(Debug, Default)]
pub(super) struct Way {
    pub(super) labels: Vec<Label>,
    /// The port of a Service that it led through.
    pub(super) forward: Option<Forward>,
}

impl Switchboard<'_> {
    /// The machines and addresses that a name leads to.
    pub(super) fn places(&self, from: &Program, host: &str, port: u16, way: &mut Way) -> Lookup<Vec<Place>> {
        let files = self.world.machines.get(from.machine).map(|machine| &machine.files);
        match files {
            Some(Files::Container(_)) => self.places_in_cluster(from.machine, host, port, way),
            Some(Files::Root) => self.places_by_hosts(from.machine, host, port),
            Some(Files::Loose) | None => self.places_outside(from.machine, host, port, way),
        }
    }

    fn places_in_cluster(&self, machine: usize, host: &str, port: u16, way: &mut Way) -> Lookup<Vec<Place>> {
        match self.cluster.resolve(host, port, Some(machine)) {
            Some(route) => places(route, way),
            None => Lookup::Unseen(format!(
                "{host} is no name of this cluster: what answers there cannot be seen"
            )),
        }
    }

    fn places_by_hosts(&self, machine: usize, host: &str, port: u16) -> Lookup<Vec<Place>> {
        let literal: Option<IpAddr> = host.parse().ok();
        let addresses = match literal {
            Some(address) => vec![address],
            None => match self.hosts.get(&host.to_ascii_lowercase()) {
                Some(addresses) => addresses.clone(),
                None if host.eq_ignore_ascii_case("localhost") => loopback(),
                None => {
                    return Lookup::Unseen(format!(
                        "{host} is not in /etc/hosts: its addresses come from DNS"
                    ));
                }
            },
        };
        let place = |address| Place { machine, address: Some(address), port };
        Lookup::Found(addresses.into_iter().map(place).collect())
    }

    /// From a command or a loose file: a node's port, a Service as seen from within, or a name that a listener bears.
    fn places_outside(&self, machine: usize, host: &str, port: u16, way: &mut Way) -> Lookup<Vec<Place>> {
        if let Some(Lookup::Found(route)) = self.cluster.resolve_node_port(port) {
            return places(Lookup::Found(route), way);
        }
        if let Some(route) = self.cluster.resolve(host, port, None) {
            return places(route, way);
        }
        if let Ok(address) = host.parse() {
            return Lookup::Found(vec![Place { machine, address: Some(address), port }]);
        }
        if is_loopback(host) {
            let place = |address| Place { machine, address: Some(address), port };
            return Lookup::Found(loopback().into_iter().map(place).collect());
        }
        let mut listeners = self.listeners_on(machine, port);
        match listeners.any(|(program, index)| self.bears(program, index, host)) {
            true => Lookup::Found(vec![Place { machine, address: None, port }]),
            false => Lookup::Unseen(format!("what {host}:{port} is cannot be seen from the given paths")),
        }
    }

    /// Whether a listener says of itself that it answers to a name.
    fn bears(&self, program: ProgramId, listener: usize, host: &str) -> bool {
        let Some(program) = self.programs.get(program) else { return false };
        let own = program.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(host));
        let tls = program.listeners.get(listener).and_then(|listener| listener.tls.as_ref());
        let named = tls.is_some_and(|tls| {
            let mut names = tls.contexts.iter().flat_map(|context| &context.names);
            names.any(|name| covers(&name.value, host))
        });
        own || named
    }
}

/// The places of a route, and how the name led there.
fn places(route: Lookup<Route>, way: &mut Way) -> Lookup<Vec<Place>> {
    route.map(|route| {
        way.labels.extend(route.path);
        way.forward = route.forward;
        let backends = route.backends.iter();
        backends
            .flat_map(|backend| {
                backend.machines.iter().map(|machine| Place {
                    machine: *machine,
                    address: None,
                    port: backend.port,
                })
            })
            .collect()
    })
}

/// Ports of machines to which a Service leads, by machine and port.
pub fn exposed(cluster: &Cluster) -> Vec<((usize, u16), ExposedPort)> {
    let mut exposed = Vec::new();
    // whatever the order of the documents: by name, and one with an address of its own before a headless one
    let mut services: Vec<_> = cluster.services().iter().collect();
    sorted::sort_by_key(&mut services, |service| (service.is_headless(), service.metadata.path()));
    for service in services {
        let name = &service.metadata.name.value;
        for port in service.ports.iter().map(|port| &port.port) {
            let Some(Lookup::Found(route)) =
                cluster.resolve_from(name, port.value, service.metadata.namespace())
            else {
                continue;
            };
            for backend in route.backends {
                for machine in backend.machines {
                    let by = ExposedPort { service: name.clone(), port: port.clone() };
                    exposed.push(((machine, backend.port), by));
                }
            }
        }
    }
    // of several Services the first stays
    sorted::sort_by_key(&mut exposed, |(place, _)| *place);
    exposed.dedup_by_key(|(place, _)| *place);
    exposed
}

/// Whether a name of a configuration (exact, or with a leading `*.`) covers a host.
fn covers(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(parent) => {
            let rest = host.len().checked_sub(parent.len()).and_then(|at| host.get(at..));
            rest.is_some_and(|rest| rest.eq_ignore_ascii_case(parent)) && host.len() > parent.len() + 1
        }
        None => pattern.eq_ignore_ascii_case(host),
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn loopback() -> Vec<IpAddr> {
    vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]
}

/// Addresses of names in the machine's /etc/hosts, by name in lower case.
pub fn hosts_file(world: &World<'_>) -> BTreeMap<String, Vec<IpAddr>> {
    let mut hosts: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
    let text = world.index.file("/etc/hosts").and_then(|id| world.index.sources.text(id));
    let Some(text) = text.filter(|_| world.index.sources.root) else { return hosts };
    for line in String::from_utf8_lossy(text.bytes()).lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let Some(address) = words.next().and_then(|word| word.parse::<IpAddr>().ok()) else { continue };
        for name in words {
            hosts.entry(name.to_ascii_lowercase()).or_default().push(address);
        }
    }
    hosts
}

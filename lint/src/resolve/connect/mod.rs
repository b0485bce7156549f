//! Dialers meet listeners: which program answers at the host and port that another one dials.

mod listeners;
mod places;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use mtls_identity::sorted;

use super::World;
use super::kubernetes::Cluster;
use super::routing;
use crate::deployment::{
    Configuration, Connection, Deployment, Dialer, DialerPurpose, Gate, ListenerPurpose, Lookup,
    ManifestFacts, Program, ProgramId, Request, Speaks, Target,
};
use crate::dialect::envoy::NetworkFilterKind;
use crate::finding::Label;
use crate::syntax::url::bracketed;
use places::Way;
pub use places::{exposed, hosts_file};

/// Onward connections of one request: gateway → upstream → …
const MOST_HOPS: usize = 8;

/// Where programs listen, by machine.
pub struct Switchboard<'a> {
    world: &'a World<'a>,
    programs: &'a [Program],
    cluster: &'a Cluster,
    /// Which Services lead to which ports.
    facts: &'a ManifestFacts,
    hosts: BTreeMap<String, Vec<IpAddr>>,
    /// Listeners by machine and port, in the order of the programs.
    by_port: Vec<((usize, u16), (ProgramId, usize))>,
}

impl<'a> Switchboard<'a> {
    /// Indexes every listener once.
    pub fn new(world: &'a World<'a>, deployment: &'a Deployment, cluster: &'a Cluster) -> Self {
        let programs = &deployment.programs;
        let mut by_port = Vec::new();
        for (id, program) in programs.iter().enumerate() {
            for (index, listener) in program.listeners.iter().enumerate() {
                let ports: BTreeSet<u16> = sorted::set(listener.binds.iter().map(|bind| bind.port));
                for port in ports {
                    by_port.push(((program.machine, port), (id, index)));
                }
            }
        }
        sorted::sort_by_key(&mut by_port, |(place, _)| *place);
        let facts = &deployment.manifests;
        Self { world, programs, cluster, facts, hosts: hosts_file(world), by_port }
    }

    /// Every connection of the deployment; listeners that nobody among the sources dials wait for any client.
    pub fn all(&self) -> Vec<Connection> {
        let mut connections = Vec::new();
        // a port is one place, however many addresses of the program it is bound on
        let mut called: BTreeSet<(ProgramId, u16)> = BTreeSet::new();
        let mut own_gateways = BTreeSet::new();
        for (id, program) in self.programs.iter().enumerate() {
            for (index, dialer) in program.dialers.iter().enumerate() {
                // bytes passed on belong to the connections of those who sent them
                if is_relay(program, dialer) {
                    continue;
                }
                let gateway = dialer.purpose == DialerPurpose::Gateway;
                if gateway && !own_gateways.insert((id, dialer.target.port)) {
                    continue;
                }
                let connection = self.connection(id, index, None);
                if let Lookup::Found((server, listener)) = connection.server {
                    // a member that dials itself is no caller, nor is a probe: for whom the port is, is not known by it
                    let calls = !gateway && dialer.purpose != DialerPurpose::Probe;
                    let ports = calls.then(|| self.ports(server, listener)).into_iter().flatten();
                    called.extend(ports.map(|port| (server, port)));
                }
                connections.push(connection);
            }
        }
        connections.retain(|connection| self.is_shown(connection));
        // what a program says to itself comes last
        let (own, mut connections): (Vec<_>, Vec<_>) =
            connections.into_iter().partition(|connection| self.is_own(connection));
        for (id, program) in self.programs.iter().enumerate() {
            for (index, listener) in program.listeners.iter().enumerate() {
                let waits = listener.tls.is_some()
                    && matches!(listener.purpose, ListenerPurpose::Clients | ListenerPurpose::Admin);
                for port in self.ports(id, index).filter(|_| waits) {
                    if called.insert((id, port)) {
                        connections.extend(self.waiting(id, index, port));
                    }
                }
            }
        }
        connections.extend(own);
        connections
    }

    /// The listeners on a port of a machine.
    fn listeners_on(&self, machine: usize, port: u16) -> impl Iterator<Item = (ProgramId, usize)> {
        let wanted = (machine, port);
        let first = self.by_port.partition_point(|(place, _)| *place < wanted);
        let from = self.by_port.get(first..).unwrap_or_default();
        from.iter().take_while(move |(place, _)| *place == wanted).map(|(_, found)| *found)
    }

    fn is_own(&self, connection: &Connection) -> bool {
        let dialer =
            connection.client.and_then(|(program, index)| self.programs.get(program)?.dialers.get(index));
        dialer.is_some_and(|dialer| dialer.purpose == DialerPurpose::Gateway)
    }

    fn ports(&self, program: ProgramId, listener: usize) -> impl Iterator<Item = u16> {
        let listener = self.programs.get(program).and_then(|program| program.listeners.get(listener));
        listener.into_iter().flat_map(|listener| &listener.binds).map(|bind| bind.port)
    }

    /// The connections that a command opens, then those that its request makes the servers open.
    pub fn of_command(&self, commands: std::ops::Range<ProgramId>) -> Vec<Connection> {
        let mut connections = Vec::new();
        let mut seen = BTreeSet::new();
        let mut waiting: Vec<(Connection, usize)> = Vec::new();
        for command in commands {
            let dialers = self.programs.get(command).map_or(0, |program| program.dialers.len());
            for index in 0..dialers {
                let connection = self.connection(command, index, None);
                waiting.push((connection.clone(), 0));
                connections.push(connection);
            }
        }
        // the first URL's onward connections first
        waiting.reverse();
        while let Some((connection, hops)) = waiting.pop() {
            let (Lookup::Found((server, listener)), Some(request)) =
                (&connection.server, &connection.request)
            else {
                continue;
            };
            let Some(program) = self.programs.get(*server).filter(|_| hops < MOST_HOPS) else { continue };
            // what the next server gets to see is what this one sent
            let sender = connection.client.and_then(|(id, index)| self.programs.get(id)?.dialers.get(index));
            let sent_host = sender.and_then(|dialer| dialer.sends_host.clone());
            let request =
                &Request { host: sent_host.unwrap_or_else(|| request.host.clone()), ..request.clone() };
            for onward in routing::onward(program, *listener, request) {
                if seen.insert((*server, onward)) {
                    let mut next = self.connection(*server, onward, Some(request));
                    if let Some(sent) = next.request.as_mut() {
                        sent.from = None;
                    }
                    waiting.push((next.clone(), hops + 1));
                    connections.push(next);
                }
            }
        }
        connections
    }

    /// Plaintext between two programs of which neither speaks TLS there is no TLS connection.
    fn is_shown(&self, connection: &Connection) -> bool {
        let dialer =
            connection.client.and_then(|(program, index)| self.programs.get(program)?.dialers.get(index));
        let listener = match connection.server {
            Lookup::Found((program, index)) => {
                self.programs.get(program).and_then(|program| program.listeners.get(index))
            }
            Lookup::Missing(_) | Lookup::Unseen(_) => None,
        };
        let speaks = dialer.is_some_and(|dialer| dialer.tls.is_some());
        speaks || listener.is_some_and(|listener| listener.tls.is_some())
    }

    fn connection(&self, client: ProgramId, index: usize, request: Option<&Request>) -> Connection {
        let Some((program, dialer)) =
            self.programs.get(client).and_then(|program| Some((program, program.dialers.get(index)?)))
        else {
            return Connection {
                client: None,
                server: Lookup::Unseen("the dialer is gone".to_owned()),
                url: String::new(),
                port: 0,
                request: None,
                server_label: None,
                path: Vec::new(),
            };
        };
        let target = &dialer.target;
        let mut way = Way::default();
        let server = if dialer.purpose == DialerPurpose::Gateway {
            self.own_listener(client, target)
        } else {
            self.relayed(self.answering(program, dialer, &mut way), &mut way)
        };
        Connection {
            client: Some((client, index)),
            server,
            url: target.url.clone(),
            port: target.port,
            request: request.or(dialer.request.as_ref()).cloned().map(|request| Request {
                from: request.from.or_else(|| self.caller(program, target)),
                ..request
            }),
            // the addresses of an upstream have one URL
            server_label: Some(match &target.connect_to {
                Some((host, port)) => format!("{}:{port}", bracketed(host)),
                None => format!("{}:{}", bracketed(&target.host.value), target.port),
            }),
            path: way.labels,
        }
    }

    /// The server behind those that pass bytes on as they come (nginx's `stream`, APISIX's stream routes).
    fn relayed(&self, mut server: Lookup<(ProgramId, usize)>, way: &mut Way) -> Lookup<(ProgramId, usize)> {
        for _ in 0..MOST_HOPS {
            let Lookup::Found((id, listener)) = server else { return server };
            let Some(program) = self.programs.get(id) else { return server };
            let mut relays = program.dialers.iter().filter(|dialer| {
                is_relay(program, dialer)
                    && dialer.routes.iter().any(|route| route.listener == Some(listener))
            });
            let Some(relay) = relays.next() else { return server };
            if let Some(why) = relay.unseen.first() {
                return Lookup::Unseen(why.clone());
            }
            way.labels.push(Label {
                span: relay.span,
                message: format!("{} passes the bytes on to {}", program.name, relay.target.url),
            });
            server = self.answering(program, relay, way);
        }
        Lookup::Unseen("the connection is passed on in a circle".to_owned())
    }

    /// The address from which a connection within one machine comes: that of the machine to which it goes.
    fn caller(&self, from: &Program, target: &Target) -> Option<IpAddr> {
        let (host, port) = reached(target);
        let Lookup::Found(places) = self.places(from, host, port, &mut Way::default()) else { return None };
        let place = places.iter().find(|place| self.listener_at(**place).is_some())?;
        let address = place.address.filter(|_| place.machine == from.machine)?;
        Some(match address {
            IpAddr::V4(address) if address.is_loopback() => Ipv4Addr::LOCALHOST.into(),
            address => address,
        })
    }

    /// A port whose callers are unknown.
    fn waiting(&self, id: ProgramId, index: usize, port: u16) -> Option<Connection> {
        let program = self.programs.get(id)?;
        let (host, port) = self.known_as(program, index, port);
        Some(Connection {
            client: None,
            server: Lookup::Found((id, index)),
            url: format!("{}://{}:{port}", scheme(program, index), bracketed(&host)),
            port,
            request: None,
            server_label: None,
            path: Vec::new(),
        })
    }

    /// The name and port under which clients may know a listener: its Service's, a name of its contexts, its address.
    fn known_as(&self, program: &Program, listener: usize, port: u16) -> (String, u16) {
        let service = self.facts.exposed_at(program.machine, port);
        let service = service.map(|exposed| (exposed.service.clone(), exposed.port.value));
        let listener = program.listeners.get(listener);
        let contexts =
            listener.and_then(|listener| listener.tls.as_ref()).into_iter().flat_map(|tls| &tls.contexts);
        let contexts = contexts.filter(|context| !context.rejects_handshake);
        let mut names = contexts.flat_map(|context| &context.names).map(|name| &name.value);
        let mut named = || names.find(|name| !name.contains(['*', '~']) && name.len() > 1).cloned();
        let binds = listener.into_iter().flat_map(|listener| &listener.binds);
        let address = || {
            let mut bound = binds.filter(|bind| bind.port == port).filter_map(|bind| bind.address);
            bound.find(|address| !address.is_unspecified()).map(|address| address.to_string())
        };
        service.unwrap_or_else(|| (named().or_else(address).unwrap_or_else(|| "localhost".to_owned()), port))
    }

    /// The program's own listener on a port (etcd's gateway dials its own client port).
    fn own_listener(&self, id: ProgramId, target: &Target) -> Lookup<(ProgramId, usize)> {
        let own = self.programs.get(id).and_then(|program| {
            program
                .listeners
                .iter()
                .position(|listener| listener.binds.iter().any(|bind| bind.port == target.port))
        });
        match own {
            Some(index) => Lookup::Found((id, index)),
            None => Lookup::Unseen(format!("{} does not listen on {}", "the program itself", target.port)),
        }
    }
}

/// Whether a dialer passes on what its listeners receive: TLS is then spoken between the sender and the target.
fn is_relay(program: &Program, dialer: &Dialer) -> bool {
    let listeners = || dialer.routes.iter().filter_map(|route| program.listeners.get(route.listener?));
    dialer.speaks == Speaks::Stream
        && dialer.tls.is_none()
        && listeners().next().is_some()
        && listeners().all(|listener| listener.tls.is_none() && !matches!(listener.gate, Gate::NginxHttp))
}

/// Host and port to which a connection really goes.
fn reached(target: &Target) -> (&str, u16) {
    match &target.connect_to {
        Some((host, port)) => (host, *port),
        None => (&target.host.value, target.port),
    }
}

/// What is shown before the address of a listener that speaks TLS: `tls` where nothing within it is HTTP.
fn scheme(program: &Program, listener: usize) -> &'static str {
    // nginx's `stream` and `mail`
    if program.listeners.get(listener).is_some_and(|listener| matches!(listener.gate, Gate::NginxConnection))
    {
        return "tls";
    }
    let Configuration::Envoy(config) = &program.configuration else { return "https" };
    let Some(listener) = config.listeners.get(listener) else { return "https" };
    let kinds = || listener.chains().flat_map(|chain| &chain.filters).map(|filter| &filter.kind);
    let hands_on = kinds().any(|kind| matches!(kind, NetworkFilterKind::TcpProxy(_)));
    let speaks_http = kinds().any(|kind| matches!(kind, NetworkFilterKind::Http(_)));
    if hands_on && !speaks_http { "tls" } else { "https" }
}

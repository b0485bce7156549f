//! Dialers meet listeners: which program answers at the host and port that another one dials.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mtls_identity::sorted;

use super::World;
use super::kubernetes::{Cluster, Forward, Route};
use super::machine::Files;
use super::routing;
use crate::deployment::{
    Bind, Configuration, Connection, Deployment, Dialer, DialerPurpose, ExposedPort, Gate, ListenerPurpose,
    Lookup, Missing, Program, ProgramId, ProgramKind, Request, Speaks, Target,
};
use crate::dialect::envoy::NetworkFilterKind;
use crate::finding::Label;
use crate::syntax::url::bracketed;

/// Onward connections of one request: gateway → upstream → …
const MOST_HOPS: usize = 8;

/// Where programs listen, by machine.
pub struct Switchboard<'a> {
    world: &'a World<'a>,
    programs: &'a [Program],
    cluster: &'a Cluster,
    /// (machine, port) → the first Service that leads there.
    exposed: &'a BTreeMap<(usize, u16), ExposedPort>,
    hosts: BTreeMap<String, Vec<IpAddr>>,
    /// (machine, port) → listeners, in the order of the programs.
    by_port: BTreeMap<(usize, u16), Vec<(ProgramId, usize)>>,
}

/// A place that a name led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    machine: usize,
    /// None: any address of the machine.
    address: Option<IpAddr>,
    port: u16,
}

/// How a name led to places.
#[derive(Debug, Default)]
struct Way {
    labels: Vec<Label>,
    /// The port of a Service that it led through.
    forward: Option<Forward>,
}

impl<'a> Switchboard<'a> {
    /// Indexes every listener once.
    pub fn new(world: &'a World<'a>, deployment: &'a Deployment, cluster: &'a Cluster) -> Self {
        let programs = &deployment.programs;
        let mut by_port: BTreeMap<(usize, u16), Vec<(ProgramId, usize)>> = BTreeMap::new();
        for (id, program) in programs.iter().enumerate() {
            for (index, listener) in program.listeners.iter().enumerate() {
                let ports: BTreeSet<u16> = sorted::set(listener.binds.iter().map(|bind| bind.port));
                for port in ports {
                    by_port.entry((program.machine, port)).or_default().push((id, index));
                }
            }
        }
        let exposed = &deployment.manifests.exposed;
        Self { world, programs, cluster, exposed, hosts: hosts_file(world), by_port }
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
        let service = self.exposed.get(&(program.machine, port));
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

    /// The listener that answers a target, as the dialing program's machine resolves it.
    fn answering(&self, from: &Program, dialer: &Dialer, way: &mut Way) -> Lookup<(ProgramId, usize)> {
        let (host, port) = reached(&dialer.target);
        let places = match self.places(from, host, port, way) {
            Lookup::Found(places) => places,
            Lookup::Missing(missing) => return Lookup::Missing(missing),
            Lookup::Unseen(why) => return Lookup::Unseen(why),
        };
        // one connection for a name, whatever number of addresses it has: the first that answers
        let answers = |place: &Place| self.listener_at(*place).map(|found| (*place, found));
        if let Some((place, found)) = places.iter().find_map(answers) {
            // a program that listens on every address seldom dials itself: the address is rather another machine's
            if self.programs.get(found.0).is_some_and(|program| std::ptr::eq(program, from))
                && place.address.is_some_and(|address| !address.is_loopback())
                && !self.is_bound_to(found, place)
            {
                return Lookup::Unseen(format!(
                    "whether {} is an address of {} itself is not seen",
                    bracketed(host),
                    from.name
                ));
            }
            return Lookup::Found(found);
        }
        self.nobody_listens(from, dialer, &places, way.forward.as_ref())
    }

    fn listener_at(&self, place: Place) -> Option<(ProgramId, usize)> {
        let listeners = self.by_port.get(&(place.machine, place.port))?;
        let mut best: Option<((ProgramId, usize), u8)> = None;
        for &(program, index) in listeners {
            let listener = self.programs.get(program).and_then(|program| program.listeners.get(index));
            let binds = listener.into_iter().flat_map(|listener| &listener.binds);
            let Some(rank) =
                binds.filter(|bind| accepts(bind, place)).map(|bind| nearness(bind, place)).max()
            else {
                continue;
            };
            // the socket bound to the very address gets the connection, whatever else takes every address
            if best.is_none_or(|(_, known)| rank > known) {
                best = Some(((program, index), rank));
            }
        }
        best.map(|(found, _)| found)
    }

    /// Whether a listener is bound to the very address.
    fn is_bound_to(&self, (program, index): (ProgramId, usize), place: Place) -> bool {
        let listener = self.programs.get(program).and_then(|program| program.listeners.get(index));
        let mut binds = listener.into_iter().flat_map(|listener| &listener.binds);
        binds.any(|bind| bind.port == place.port && bind.address == place.address)
    }

    /// Where no listener of ours answers: provably nobody does, or something unseen may.
    fn nobody_listens(
        &self,
        from: &Program,
        dialer: &Dialer,
        places: &[Place],
        forward: Option<&Forward>,
    ) -> Lookup<(ProgramId, usize)> {
        let (host, port) = reached(&dialer.target);
        let shown = format!("{}:{port}", bracketed(host));
        let mut servers: Vec<&Program> = Vec::new();
        for place in places {
            match self.only_servers(from, dialer, *place, &shown) {
                Ok(found) => {
                    for program in found {
                        if !servers.iter().any(|known| std::ptr::eq(*known, program)) {
                            servers.push(program);
                        }
                    }
                }
                Err(why) => return Lookup::Unseen(why),
            }
        }
        let elsewhere: Vec<String> = servers.iter().filter_map(|program| listens_on(program)).collect();
        if elsewhere.is_empty() {
            return Lookup::Unseen(format!("what listens at {shown} is not among the sources"));
        }
        let elsewhere = elsewhere.join(", ");
        let dials = Label { span: dialer.target.host.span, message: format!("dials {shown}") };
        let Some(forward) = forward else {
            return Lookup::Missing(Missing {
                rule: "unanswered-port",
                message: format!("nothing listens on {shown}; {elsewhere}"),
                labels: vec![dials],
            });
        };
        let Forward { service, port, target, span } = forward;
        let ports: Vec<String> = client_ports(&servers, *port).iter().map(u16::to_string).collect();
        Lookup::Missing(Missing {
            rule: "unanswered-port",
            message: format!(
                "nothing listens where {service} leads: its port {port} has targetPort {target}, and {elsewhere}"
            ),
            labels: vec![
                Label { span: *span, message: format!("write targetPort: {}", ports.join(" or ")) },
                dials,
            ],
        })
    }

    /// The programs of which one would have to listen at a place where none does, if they are all that may.
    fn only_servers(
        &self,
        from: &Program,
        dialer: &Dialer,
        place: Place,
        shown: &str,
    ) -> Result<Vec<&'a Program>, String> {
        let here: Vec<&Program> =
            self.programs.iter().filter(|program| program.machine == place.machine).collect();
        let machine = self.world.machines.get(place.machine);
        let known = match machine.map(|machine| &machine.files) {
            // something that is no file of ours may listen there
            Some(Files::Loose) | None => {
                return Err(format!("no program among the given paths listens on {shown}"));
            }
            Some(Files::Root) => {
                if !self.is_own_address(&here, place) {
                    return Err(format!(
                        "{shown} is not known to be an address of this machine: what listens there is not among the sources"
                    ));
                }
                // which processes run is on no disk; but who dials etcd means etcd
                let means_etcd =
                    dialer.purpose == DialerPurpose::Configuration || from.kind == ProgramKind::Etcdctl;
                let etcd = here.into_iter().filter(|program| program.kind == ProgramKind::Etcd);
                let etcd: Vec<&Program> = etcd.filter(|_| means_etcd).collect();
                if etcd.is_empty() {
                    return Err(format!(
                        "no program among the sources listens on {shown}, and another one of this machine may"
                    ));
                }
                etcd
            }
            Some(Files::Container(_)) => {
                if self.cluster.pod_of(place.machine).is_some_and(|pod| pod.may_have_others) {
                    return Err(format!(
                        "programs that are not among the sources share the network in which {shown} leads"
                    ));
                }
                // a command may be run in a container of anything
                if !here.iter().any(|program| is_server(program)) {
                    let name = machine.map_or("a container", |machine| machine.name.as_str());
                    return Err(format!(
                        "{name} runs a program that is not known here, which may listen on {shown}"
                    ));
                }
                here
            }
        };
        match known.iter().find_map(|program| may_listen_elsewhere(program)) {
            Some(why) => Err(why),
            None => Ok(known),
        }
    }

    /// Whether an address is known to be that of the machine it led to: its loopback, or one that its programs are
    /// bound to or advertise.
    fn is_own_address(&self, here: &[&Program], place: Place) -> bool {
        let Some(address) = place.address else { return true };
        let bound = |program: &&Program| {
            let mut binds = program.listeners.iter().flat_map(|listener| &listener.binds);
            binds.any(|bind| bind.address == Some(address))
        };
        let advertised = |program: &&Program| {
            program.aliases.iter().any(|alias| {
                let named = self.hosts.get(&alias.to_ascii_lowercase());
                alias.parse().is_ok_and(|own: IpAddr| own == address)
                    || named.is_some_and(|addresses| addresses.contains(&address))
            })
        };
        address.is_loopback() || here.iter().any(|program| bound(program) || advertised(program))
    }

    /// The machines and addresses that a name leads to.
    fn places(&self, from: &Program, host: &str, port: u16, way: &mut Way) -> Lookup<Vec<Place>> {
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
        let bears = |&&(program, index): &&(ProgramId, usize)| self.bears(program, index, host);
        let listeners = self.by_port.get(&(machine, port)).map_or(&[][..], Vec::as_slice);
        match listeners.iter().find(bears) {
            Some(_) => Lookup::Found(vec![Place { machine, address: None, port }]),
            None => Lookup::Unseen(format!("what {host}:{port} is cannot be seen from the given paths")),
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

/// Whether a dialer passes on what its listeners receive: TLS is then spoken between the sender and the target.
fn is_relay(program: &Program, dialer: &Dialer) -> bool {
    let listeners = || dialer.routes.iter().filter_map(|route| program.listeners.get(route.listener?));
    dialer.speaks == Speaks::Stream
        && dialer.tls.is_none()
        && listeners().next().is_some()
        && listeners().all(|listener| listener.tls.is_none() && !matches!(listener.gate, Gate::NginxHttp))
}

/// How closely a bind that accepts a place fits it.
fn nearness(bind: &Bind, place: Place) -> u8 {
    match (bind.address, place.address) {
        (Some(bound), Some(dialed)) if bound == dialed => 3,
        (Some(bound), Some(dialed)) if bound.is_unspecified() && bound.is_ipv4() == dialed.is_ipv4() => 2,
        // an address that we do not know is hardly loopback
        (Some(bound), None) if bound.is_loopback() => 0,
        (None, _) => 2,
        _ => 1,
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
pub fn exposed(cluster: &Cluster) -> BTreeMap<(usize, u16), ExposedPort> {
    let mut by_place = BTreeMap::new();
    for service in cluster.services() {
        let name = &service.metadata.name.value;
        for port in service.ports.iter().map(|port| &port.port) {
            let Some(Lookup::Found(route)) =
                cluster.resolve_from(name, port.value, service.metadata.namespace())
            else {
                continue;
            };
            for backend in route.backends {
                for machine in backend.machines {
                    by_place
                        .entry((machine, backend.port))
                        .or_insert_with(|| ExposedPort { service: name.clone(), port: port.clone() });
                }
            }
        }
    }
    by_place
}

/// Host and port to which a connection really goes.
fn reached(target: &Target) -> (&str, u16) {
    match &target.connect_to {
        Some((host, port)) => (host, *port),
        None => (&target.host.value, target.port),
    }
}

fn accepts(bind: &Bind, place: Place) -> bool {
    if bind.port != place.port {
        return false;
    }
    match (bind.address, place.address) {
        (None, _) | (_, None) => true,
        (Some(bound), Some(dialed)) if bound.is_unspecified() => {
            // [::] usually takes IPv4 as well, 0.0.0.0 never IPv6
            bound.is_ipv6() || dialed.is_ipv4()
        }
        (Some(bound), Some(dialed)) => bound == dialed,
    }
}

/// Why a program may listen where its listeners do not tell; None: they are all.
fn may_listen_elsewhere(program: &Program) -> Option<String> {
    if let Some(why) = program.unseen.first().or(program.hidden_listeners.as_ref()) {
        return Some(why.clone());
    }
    let Configuration::Apisix(facts) = &program.configuration else { return None };
    let snippet = facts.config.nginx.snippets.iter().find(|snippet| snippet.unread || snippet.has_servers)?;
    Some(format!("{} of {} has servers of its own", snippet.place.key(), program.name))
}

fn is_server(program: &Program) -> bool {
    matches!(program.kind, ProgramKind::Apisix | ProgramKind::Envoy | ProgramKind::Etcd | ProgramKind::Nginx)
}

/// Ports for clients, the dialled one alone if it is among them.
fn client_ports(servers: &[&Program], dialled: u16) -> BTreeSet<u16> {
    let listeners = servers.iter().flat_map(|program| &program.listeners);
    let clients = listeners.filter(|listener| listener.purpose == ListenerPurpose::Clients);
    let ports: BTreeSet<u16> =
        sorted::set(clients.flat_map(|listener| &listener.binds).map(|bind| bind.port));
    if ports.contains(&dialled) { BTreeSet::from([dialled]) } else { ports }
}

/// Where a server listens; None: it is none.
fn listens_on(program: &Program) -> Option<String> {
    let binds = program.listeners.iter().flat_map(|listener| &listener.binds);
    let ports: BTreeSet<u16> = sorted::set(binds.map(|bind| bind.port));
    let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
    (!ports.is_empty()).then(|| format!("{} listens on {}", program.name, ports.join(", ")))
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

/// Names and addresses of /etc/hosts beneath the root.
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

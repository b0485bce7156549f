//! Who answers at a place, and whether it is known that nobody does.

use std::collections::BTreeSet;
use std::net::IpAddr;

use mtls_identity::sorted;

use super::places::{Place, Way};
use super::{Switchboard, reached};
use crate::deployment::{
    Bind, Configuration, Dialer, DialerPurpose, ListenerPurpose, Lookup, Missing, Program, ProgramId,
    ProgramKind,
};
use crate::finding::Label;
use crate::resolve::kubernetes::Forward;
use crate::resolve::machine::Files;
use crate::syntax::url::bracketed;

impl<'a> Switchboard<'a> {
    /// The listener that answers a target, as the dialing program's machine resolves it.
    pub(super) fn answering(
        &self,
        from: &Program,
        dialer: &Dialer,
        way: &mut Way,
    ) -> Lookup<(ProgramId, usize)> {
        if let Some(why) = &dialer.unseen_target {
            return Lookup::Unseen(why.clone());
        }
        let (host, port) = reached(&dialer.target);
        let places = match self.places(from, host, port, way) {
            Lookup::Found(places) => places,
            Lookup::Missing(missing) => return Lookup::Missing(missing),
            Lookup::Unseen(why) => return Lookup::Unseen(why),
        };
        // one connection for a name, whatever number of addresses it has: the first that answers
        let answers = |place: &Place| self.listener_at(*place).map(|found| (*place, found));
        if let Some((place, found)) = places.iter().find_map(answers) {
            return match self.not_its_own(from, found, place) {
                None => Lookup::Found(found),
                Some(of) => {
                    Lookup::Unseen(format!("whether {} is an address of {of} is not seen", bracketed(host)))
                }
            };
        }
        self.nobody_listens(from, dialer, &places, way.forward.as_ref())
    }

    pub(super) fn listener_at(&self, place: Place) -> Option<(ProgramId, usize)> {
        let mut best: Option<((ProgramId, usize), u8)> = None;
        for (program, index) in self.listeners_on(place.machine, place.port) {
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

    /// Whose address one that was dialled is not known to be, where a listener answers at every address of its machine.
    fn not_its_own(&self, from: &Program, found: (ProgramId, usize), place: Place) -> Option<String> {
        let program = self.programs.get(found.0)?;
        place.address.filter(|address| !address.is_loopback())?;
        // a program that listens on every address seldom dials itself: the address is rather another machine's
        if std::ptr::eq(program, from) {
            return (!self.is_bound_to(found, place)).then(|| format!("{} itself", program.name));
        }
        // who asks what a command does gives the files of whom it dials
        let asked = matches!(from.kind, ProgramKind::Curl | ProgramKind::Etcdctl | ProgramKind::Openssl);
        (!asked && !self.is_own_address(&[program], place)).then(|| program.name.clone())
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
        let written = |program: &&Program| match &program.configuration {
            Configuration::Etcd(config) => {
                let urls = [config.advertise_client_urls.value(), config.initial_advertise_peer_urls.value()];
                urls.into_iter().flatten().any(|url| url.value.address() == Some(address))
            }
            _ => false,
        };
        let own = |program: &&Program| bound(program) || advertised(program) || written(program);
        address.is_loopback() || here.iter().any(own)
    }
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

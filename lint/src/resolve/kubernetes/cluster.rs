//! Names and ports of a cluster: Service and Pod DNS names in all their forms, node ports, cluster addresses.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use mtls_identity::sorted;

use super::PodIdentity;
use super::stores::Stores;
use crate::deployment::{Lookup, Missing};
use crate::dialect::kubernetes::{Container, Pair, PortName, Service, ServicePort, Workload};
use crate::finding::Label;
use crate::source::Span;

/// Everything that names lead through; answers look-ups in the time of an index.
#[derive(Debug, Default)]
pub struct Cluster {
    /// `cluster.local`.
    domain: String,
    services: Vec<Service>,
    pods: Vec<PodInstance>,
    /// Secrets and ConfigMaps.
    pub stores: Stores,
    service_by_name: HashMap<(String, String), usize>,
    service_by_address: HashMap<IpAddr, usize>,
    node_ports: HashMap<u16, (usize, usize)>,
    host_ports: HashMap<u16, usize>,
    pods_by_label: HashMap<(String, String, String), Vec<usize>>,
    pods_by_namespace: HashMap<String, Vec<usize>>,
    pod_by_machine: HashMap<usize, usize>,
    services_by_bare_name: HashMap<String, Vec<usize>>,
}

/// A Pod (or the Pods of a workload that need not be told apart).
#[derive(Debug, Clone)]
pub struct PodInstance {
    /// `Deployment tls/apisix`.
    pub title: String,
    /// Its namespace.
    pub namespace: String,
    /// The machines of its containers: they share one network.
    pub machines: Vec<usize>,
    /// Programs beside its containers may listen in its network: the node's, or those of sidecars that start first.
    pub may_have_others: bool,
    /// Its name within a headless Service, and that Service.
    host: Option<(Option<String>, String)>,
    labels: Vec<Pair>,
    ports: Vec<(Option<String>, u16)>,
    host_ports: Vec<u16>,
    /// Names from `hostAliases`, in lower case.
    aliases: Vec<(String, String)>,
    span: Span,
}

/// Where a name and port lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// What the name stands for: `Service tls/etcd`, `Deployment tls/apisix`.
    pub name: String,
    /// The Pods behind it, and the port on each.
    pub backends: Vec<Backend>,
    /// How the name led there: the Service's port, its selector.
    pub path: Vec<Label>,
    /// The port of a Service, where it went through one.
    pub forward: Option<Forward>,
}

/// A port of a Service that leads to another by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// `Service tls/etcd`.
    pub service: String,
    /// `port`.
    pub port: u16,
    /// `targetPort`.
    pub target: u16,
    /// Where `targetPort` is written, or else `port`.
    pub span: Span,
}

/// A Pod and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    /// `Deployment tls/apisix`.
    pub pod: String,
    /// The machines of its containers; the program that listens runs on one of them.
    pub machines: Vec<usize>,
    /// The port in the Pod.
    pub port: u16,
}

impl PodInstance {
    pub(super) fn new(
        workload: &Workload,
        identity: &PodIdentity,
        containers: &[(usize, &Container)],
    ) -> Self {
        let pod = &workload.pod;
        let hostname = pod.hostname.as_ref().map(|name| name.value.clone()).or_else(|| identity.name.clone());
        let subdomain = pod.subdomain.as_ref().or(workload.service_name.as_ref());
        let ports = containers.iter().flat_map(|(_, container)| &container.ports);
        let tcp: Vec<_> = ports.filter(|port| port.tcp).collect();
        let host_ports = tcp
            .iter()
            .filter_map(|port| if pod.host_network { Some(port.number.value) } else { port.host_port });
        let aliases = pod.host_aliases.iter().flat_map(|alias| {
            alias.names.iter().map(|name| (name.value.to_ascii_lowercase(), alias.ip.value.clone()))
        });
        Self {
            title: identity.owner.clone(),
            namespace: identity.namespace.clone(),
            machines: containers.iter().map(|(machine, _)| *machine).collect(),
            may_have_others: pod.host_network
                || pod.init_containers.iter().any(|container| container.restarts),
            host: subdomain.map(|subdomain| (hostname, subdomain.value.clone())),
            labels: workload.pod_labels.clone(),
            ports: tcp
                .iter()
                .map(|port| (port.name.as_ref().map(|name| name.value.clone()), port.number.value))
                .collect(),
            host_ports: host_ports.collect(),
            aliases: aliases.collect(),
            span: workload.metadata.name.span,
        }
    }

    /// Where its labels are written, or else its name.
    fn labels_span(&self) -> Span {
        match (self.labels.first(), self.labels.last()) {
            (Some(first), Some(last)) => Span {
                file: first.key.span.file,
                start: first.key.span.start.min(last.key.span.start),
                end: last.value.span.end.max(first.value.span.end),
            },
            _ => self.span,
        }
    }
}

impl Cluster {
    pub(super) fn new(
        domain: String,
        services: Vec<Service>,
        pods: Vec<PodInstance>,
        stores: Stores,
    ) -> Self {
        let mut cluster = Self { domain: domain.to_ascii_lowercase(), stores, ..Self::default() };
        for (index, service) in services.iter().enumerate() {
            let key = (service.metadata.namespace().to_owned(), service.metadata.name.value.clone());
            cluster.services_by_bare_name.entry(key.1.clone()).or_default().push(index);
            cluster.service_by_name.insert(key, index);
            let addresses = service.cluster_ip.iter().chain(&service.external_addresses);
            for address in addresses.filter_map(|address| address.value.parse().ok()) {
                cluster.service_by_address.insert(address, index);
            }
            for (port_index, port) in service.ports.iter().enumerate() {
                if let Some(node_port) = &port.node_port {
                    cluster.node_ports.entry(node_port.value).or_insert((index, port_index));
                }
            }
        }
        for (index, pod) in pods.iter().enumerate() {
            for pair in &pod.labels {
                let key = (pod.namespace.clone(), pair.key.value.clone(), pair.value.value.clone());
                cluster.pods_by_label.entry(key).or_default().push(index);
            }
            cluster.pods_by_namespace.entry(pod.namespace.clone()).or_default().push(index);
            for machine in &pod.machines {
                cluster.pod_by_machine.insert(*machine, index);
            }
            for port in &pod.host_ports {
                cluster.host_ports.entry(*port).or_insert(index);
            }
        }
        cluster.services = services;
        cluster.pods = pods;
        cluster
    }

    /// The Services, in order.
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// The Pod that a machine belongs to.
    pub fn pod_of(&self, machine: usize) -> Option<&PodInstance> {
        self.pod_by_machine.get(&machine).and_then(|index| self.pods.get(*index))
    }

    /// Names that DNS gives in reverse for the address from which a container dials, even before its Pod is ready: that
    /// of each headless Service which publishes it so. Under the Service that governs the Pod it has its host name,
    /// under another a label made of its address, for which `?` stands here.
    ///
    /// Source: CoreDNS, plugin kubernetes.
    pub fn reverse_names(&self, machine: usize) -> Vec<String> {
        let Some(index) = self.pod_by_machine.get(&machine) else { return Vec::new() };
        let Some(pod) = self.pods.get(*index) else { return Vec::new() };
        let publishes = |service: &&Service| {
            service.publishes_not_ready
                && service.is_headless()
                && service.metadata.namespace() == pod.namespace
                && self.matching(service).is_some_and(|pods| pods.contains(index))
        };
        let name = |service: &Service| {
            let own = pod.host.as_ref().filter(|(_, subdomain)| *subdomain == service.metadata.name.value);
            let host = own.and_then(|(host, _)| host.as_deref()).unwrap_or("?");
            format!("{host}.{}.{}.svc.{}", service.metadata.name.value, pod.namespace, self.domain)
        };
        self.services.iter().filter(publishes).map(name).collect()
    }

    /// Where a host and port lead, dialled from a container (`from`: its machine), or from outside the cluster.
    ///
    /// None: the host is no name of this cluster, as far as the sources tell. From outside, only full names,
    /// addresses of Services and names that just one Service has lead anywhere.
    pub fn resolve(&self, host: &str, port: u16, from: Option<usize>) -> Option<Lookup<Route>> {
        let pod = from.and_then(|machine| self.pod_of(machine));
        if let Some(pod) = pod {
            let lower = host.to_ascii_lowercase();
            let loopback =
                lower == "localhost" || lower.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
            if loopback {
                return Some(Lookup::Found(pod.route(port)));
            }
            if let Some((_, address)) = pod.aliases.iter().find(|(name, _)| *name == lower) {
                return self.resolve_in(address, port, Some(&pod.namespace), 0).or_else(|| {
                    Some(Lookup::Unseen(format!(
                        "hostAliases of {} give {host} the address {address}",
                        pod.title
                    )))
                });
            }
        }
        let found = self.resolve_in(host, port, pod.map(|pod| pod.namespace.as_str()), 0);
        if found.is_some() || pod.is_some() {
            return found;
        }
        let bare = host.trim_end_matches('.').to_ascii_lowercase();
        match self.services_by_bare_name.get(&bare)?.as_slice() {
            [only] => Some(self.service_port(self.services.get(*only)?, port, 0)),
            _ => Some(Lookup::Unseen(format!("several namespaces have a Service {bare}"))),
        }
    }

    /// Where a host and port lead from a namespace.
    pub fn resolve_from(&self, host: &str, port: u16, namespace: &str) -> Option<Lookup<Route>> {
        self.resolve_in(host, port, Some(namespace), 0)
    }

    /// Where a port of the nodes leads: a Service's node port, or a Pod's host port.
    pub fn resolve_node_port(&self, port: u16) -> Option<Lookup<Route>> {
        if let Some((service, index)) = self.node_ports.get(&port) {
            let service = self.services.get(*service)?;
            return Some(self.through(service, service.ports.get(*index)?));
        }
        let pod = self.pods.get(*self.host_ports.get(&port)?)?;
        Some(Lookup::Found(pod.route(port)))
    }

    fn resolve_in(&self, host: &str, port: u16, namespace: Option<&str>, hops: u8) -> Option<Lookup<Route>> {
        if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            let service = self.services.get(*self.service_by_address.get(&address)?)?;
            return Some(self.service_port(service, port, hops));
        }
        let absolute = host.ends_with('.');
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let suffix = format!(".svc.{}", self.domain);
        if let Some(inner) = host.strip_suffix(&suffix) {
            return Some(self.named(inner, &host, port, hops));
        }
        if absolute {
            return None;
        }
        if let Some(inner) = host.strip_suffix(".svc") {
            return Some(self.named(inner, &host, port, hops));
        }
        // the search list: NAMESPACE.svc.DOMAIN, then svc.DOMAIN
        if let Some(namespace) = namespace {
            let candidate = format!("{host}.{namespace}");
            if self.knows(&candidate) {
                return Some(self.named(&candidate, &host, port, hops));
            }
        }
        if self.knows(&host) {
            return Some(self.named(&host, &host, port, hops));
        }
        if host.contains('.') {
            return None;
        }
        // from outside, a bare name is somebody's hosts file
        let namespace = namespace?;
        Some(Lookup::Unseen(format!("no Service {host} in namespace {namespace} is among the sources")))
    }

    /// Whether `SERVICE.NAMESPACE` or `HOST.SERVICE.NAMESPACE` names a Service of the sources.
    fn knows(&self, inner: &str) -> bool {
        let labels: Vec<&str> = inner.split('.').collect();
        match labels.as_slice() {
            [service, namespace] | [_, service, namespace] => {
                self.service_by_name.contains_key(&((*namespace).to_owned(), (*service).to_owned()))
            }
            _ => false,
        }
    }

    /// `SERVICE.NAMESPACE` or `HOST.SERVICE.NAMESPACE`.
    fn named(&self, inner: &str, shown: &str, port: u16, hops: u8) -> Lookup<Route> {
        let labels: Vec<&str> = inner.split('.').collect();
        let (host, service, namespace) = match labels.as_slice() {
            [service, namespace] => (None, *service, *namespace),
            [host, service, namespace] => (Some(*host), *service, *namespace),
            _ => return Lookup::Unseen(format!("{shown} has a form that names no Service")),
        };
        let key = (namespace.to_owned(), service.to_owned());
        let Some(service) = self.service_by_name.get(&key).and_then(|index| self.services.get(*index)) else {
            return Lookup::Unseen(format!(
                "no Service {service} in namespace {namespace} is among the sources"
            ));
        };
        match host {
            None => self.service_port(service, port, hops),
            Some(host) => self.pod_host(service, host, port),
        }
    }

    /// A Pod's own name within a headless Service.
    fn pod_host(&self, service: &Service, host: &str, port: u16) -> Lookup<Route> {
        let selected = match self.selected(service) {
            Lookup::Found(selected) => selected,
            Lookup::Missing(missing) => return Lookup::Missing(missing),
            Lookup::Unseen(why) => return Lookup::Unseen(why),
        };
        let title = title(service);
        for index in &selected {
            let Some(pod) = self.pods.get(*index) else { continue };
            let Some((name, subdomain)) = &pod.host else { continue };
            if *subdomain != service.metadata.name.value {
                continue;
            }
            // replicas that need not be told apart are numbered all the same
            let ordinal = || {
                let workload = pod.title.rsplit('/').next().unwrap_or_default();
                let rest = host.strip_prefix(workload).and_then(|rest| rest.strip_prefix('-'));
                rest.is_some_and(|rest| rest.parse::<u32>().is_ok())
            };
            if name.as_deref().map_or_else(ordinal, |name| name.eq_ignore_ascii_case(host)) {
                let mut route = pod.route(port);
                route
                    .path
                    .push(Label { span: service.selector_span, message: format!("{title} selects it") });
                return Lookup::Found(route);
            }
        }
        let first = selected.first().and_then(|index| self.pods.get(*index));
        Lookup::Missing(Missing {
            rule: "unmatched-selector",
            message: format!("no Pod of {title} has the name {host}"),
            labels: first
                .map(|pod| {
                    let governing = pod.host.as_ref().map(|(_, subdomain)| subdomain.as_str());
                    let called = match governing.filter(|name| *name != service.metadata.name.value) {
                        Some(name) => format!(", and gets its name from Service {name}"),
                        None => String::new(),
                    };
                    Label { span: pod.span, message: format!("{} is selected{called}", pod.title) }
                })
                .into_iter()
                .collect(),
        })
    }

    fn service_port(&self, service: &Service, port: u16, hops: u8) -> Lookup<Route> {
        let title = title(service);
        if service.is_external_name() {
            let Some(name) = &service.external_name else {
                return Lookup::Unseen(format!("{title} is an ExternalName without a name"));
            };
            let namespace = service.metadata.namespace();
            if hops < 8
                && let Some(found) = self.resolve_in(&name.value, port, Some(namespace), hops + 1)
            {
                return found;
            }
            return Lookup::Unseen(format!("{title} stands for {}, outside the sources", name.value));
        }
        if service.is_headless() {
            // a headless Service's name stands for the Pods' addresses: its ports play no part
            return match self.selected(service) {
                Lookup::Found(selected) => {
                    let number = PortName::Number(port);
                    self.backends(service, &selected, &number, service.selector_span, Vec::new())
                }
                Lookup::Missing(missing) => Lookup::Missing(missing),
                Lookup::Unseen(why) => Lookup::Unseen(why),
            };
        }
        match service.ports.iter().find(|own| own.tcp && own.port.value == port) {
            Some(own) => self.through(service, own),
            None => {
                let have: BTreeSet<u16> = sorted::set(service.ports.iter().map(|port| port.port.value));
                let have: Vec<String> = have.iter().map(u16::to_string).collect();
                let have = if have.is_empty() { "none".to_owned() } else { have.join(", ") };
                let ports = service.ports.iter().take(3);
                let mut labels: Vec<Label> = ports
                    .map(|port| Label { span: port.port.span, message: format!("{title} has this port") })
                    .collect();
                if labels.is_empty() {
                    let span = service.metadata.name.span;
                    labels.push(Label { span, message: "has no ports".to_owned() });
                }
                Lookup::Missing(Missing {
                    rule: "unknown-service-port",
                    message: format!("{title} has no port {port}; it has {have}"),
                    labels,
                })
            }
        }
    }

    /// Through a port of a Service to its Pods.
    fn through(&self, service: &Service, port: &ServicePort) -> Lookup<Route> {
        match self.selected(service) {
            Lookup::Found(selected) => {
                let place = port.target.as_ref().map_or(port.port.span, |target| target.span);
                let message = match port.target() {
                    PortName::Number(target) => {
                        format!("{} leads to port {target} of its Pods", title(service))
                    }
                    PortName::Name(target) => format!("{} leads to their port {target}", title(service)),
                };
                let path = vec![Label { span: place, message }];
                let forward = match port.target() {
                    PortName::Number(target) => {
                        let service = title(service);
                        Some(Forward { service, port: port.port.value, target, span: place })
                    }
                    PortName::Name(_) => None,
                };
                let route = self.backends(service, &selected, &port.target(), place, path);
                route.map(|route| Route { forward, ..route })
            }
            Lookup::Missing(missing) => Lookup::Missing(missing),
            Lookup::Unseen(why) => Lookup::Unseen(why),
        }
    }

    fn backends(
        &self,
        service: &Service,
        selected: &[usize],
        target: &PortName,
        place: Span,
        mut path: Vec<Label>,
    ) -> Lookup<Route> {
        let mut backends = Vec::new();
        for pod in selected.iter().filter_map(|index| self.pods.get(*index)) {
            if let Some(port) = pod.port(target) {
                backends.push(Backend { pod: pod.title.clone(), machines: pod.machines.clone(), port });
            }
        }
        let title = title(service);
        if let (true, PortName::Name(name)) = (backends.is_empty(), target) {
            let first = selected.first().and_then(|index| self.pods.get(*index));
            let mut labels =
                vec![Label { span: place, message: format!("{title} leads to a port named {name}") }];
            labels.extend(first.map(|pod| Label {
                span: pod.span,
                message: format!("{} has no port of that name", pod.title),
            }));
            return Lookup::Missing(Missing {
                rule: "unknown-target-port",
                message: format!("no Pod of {title} has a port named {name}"),
                labels,
            });
        }
        path.push(Label { span: service.selector_span, message: format!("{title} selects these Pods") });
        Lookup::Found(Route { name: title, backends, path, forward: None })
    }

    /// The Pods that a Service's selector matches; None: it has no selector.
    fn matching(&self, service: &Service) -> Option<Vec<usize>> {
        let selector = service.selector.as_ref()?;
        let namespace = service.metadata.namespace();
        let bucket = |pair: &Pair| {
            let key = (namespace.to_owned(), pair.key.value.clone(), pair.value.value.clone());
            self.pods_by_label.get(&key).map_or(&[][..], Vec::as_slice)
        };
        let smallest = selector.iter().map(bucket).min_by_key(|pods| pods.len()).unwrap_or_default();
        let selects = |pod: &PodInstance| {
            selector.iter().all(|pair| {
                let same = |own: &&Pair| own.key.value == pair.key.value;
                pod.labels.iter().find(same).is_some_and(|own| own.value.value == pair.value.value)
            })
        };
        let found: Vec<usize> =
            smallest.iter().copied().filter(|index| self.pods.get(*index).is_some_and(selects)).collect();
        Some(found)
    }

    /// The Pods that a Service selects; never an empty list.
    fn selected(&self, service: &Service) -> Lookup<Vec<usize>> {
        let title = title(service);
        let Some(selector) = &service.selector else {
            return Lookup::Unseen(format!("{title} has no selector; its endpoints come from elsewhere"));
        };
        let namespace = service.metadata.namespace();
        let found = self.matching(service).unwrap_or_default();
        if !found.is_empty() {
            return Lookup::Found(found);
        }
        let shown: Vec<String> =
            selector.iter().map(|pair| format!("{}={}", pair.key.value, pair.value.value)).collect();
        let shown = shown.join(",");
        let neighbours = self.pods_by_namespace.get(namespace).map_or(&[][..], Vec::as_slice);
        if neighbours.is_empty() {
            return Lookup::Unseen(format!(
                "{title} selects {shown}, and no Pod of namespace {namespace} is among the sources"
            ));
        }
        if let Some(maker) = self.stores.maker_in(namespace) {
            return Lookup::Unseen(format!("{title} selects {shown}, and {maker} may make such Pods"));
        }
        let mut labels = vec![Label { span: service.selector_span, message: format!("selects {shown}") }];
        labels.extend(self.nearest(selector, neighbours).map(|pod| {
            let own: Vec<String> =
                pod.labels.iter().map(|pair| format!("{}={}", pair.key.value, pair.value.value)).collect();
            let own = if own.is_empty() { "no labels".to_owned() } else { own.join(",") };
            Label { span: pod.labels_span(), message: format!("{} has {own}", pod.title) }
        }));
        Lookup::Missing(Missing {
            rule: "unmatched-selector",
            message: format!("{title} selects {shown}, which no Pod of namespace {namespace} has"),
            labels,
        })
    }

    /// The Pod whose labels are most like a selector.
    fn nearest(&self, selector: &[Pair], neighbours: &[usize]) -> Option<&PodInstance> {
        const LOOKED_AT: usize = 100;
        let likeness = |pod: &&PodInstance| {
            let score = |pair: &Pair| {
                let value = |own: &&Pair| own.value.value == pair.value.value;
                let key = |own: &&Pair| own.key.value == pair.key.value;
                usize::from(pod.labels.iter().any(|own| key(&own)))
                    + 2 * usize::from(pod.labels.iter().any(|own| key(&own) && value(&own)))
            };
            selector.iter().map(score).sum::<usize>()
        };
        let pods = neighbours.iter().take(LOOKED_AT).filter_map(|index| self.pods.get(*index));
        // of equals the first
        pods.rev().max_by_key(likeness)
    }
}

impl PodInstance {
    /// The number of a port.
    fn port(&self, port: &PortName) -> Option<u16> {
        match port {
            PortName::Number(number) => Some(*number),
            PortName::Name(name) => {
                let named = self.ports.iter().find(|(own, _)| own.as_deref() == Some(name));
                named.map(|(_, number)| *number)
            }
        }
    }

    fn route(&self, port: u16) -> Route {
        let backend = Backend { pod: self.title.clone(), machines: self.machines.clone(), port };
        Route { name: self.title.clone(), backends: vec![backend], path: Vec::new(), forward: None }
    }
}

fn title(service: &Service) -> String {
    format!("Service {}", service.metadata.path())
}

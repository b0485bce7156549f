//! Kubernetes: Pods become machines with mounted files and environments, Certificates become planned credentials,
//! Services become names that lead to Pods.
//!
//! ```text
//! documents ─ Manifests::take ─▶ Manifests ─ build ─▶ Built { machines, launches, commands, planned, cluster, … }
//! ```
//! Every reference is looked up in an index by namespace and name, or by label; nothing scans all objects per object.
//!
//! What is missing and what is unseen: a Secret, ConfigMap or issuer that no object of the sources makes is missing,
//! unless something in the sources makes objects that are not among them (an operator's resource, a HelmRelease, a Job
//! that names it) or its name is one that clusters make themselves; or it stands under another namespace and one of
//! the two objects names none; or no object of its kind (for a Secret: none with certificates) stands in that namespace
//! among the sources, so that they are kept elsewhere (by hand, by another repository).

mod cluster;
mod commands;
mod controller;
mod environment;
mod gates;
mod gateways;
mod ingress;
mod issue;
mod launch;
mod lost;
mod mounts;
mod probe;
mod secrets;
mod stores;

use std::collections::BTreeMap;

use crate::assume::Assume;
use crate::deployment::{ManifestFacts, NginxIngress, PlannedCertificate, Program};
use crate::dialect::{cert_manager, gateway_api, kubernetes};
use crate::finding::Incomplete;
use crate::resolve::command::Invocation;
use crate::resolve::machine::{Files, Machine};
use crate::resolve::{Launch, connect};
use crate::source::{FileId, Sources};
use crate::syntax::yaml::Node;

pub use cluster::{Cluster, Forward, PodInstance, Route};
pub use ingress::control_planes;
pub use secrets::names_a_password;
pub use stores::Stores;

use kubernetes::{Container, Pair, Workload};

/// Every object of the sources that Kubernetes or cert-manager gives a meaning.
#[derive(Debug, Default)]
pub struct Manifests {
    /// Kubernetes' own, and the names of all others.
    pub kubernetes: kubernetes::Fragment,
    /// cert-manager's.
    pub cert_manager: cert_manager::Fragment,
    /// The Gateway API's, as far as it speaks of TLS.
    pub gateway_api: gateway_api::Fragment,
    /// Files that one kustomization puts together, each with the kustomization's own file.
    pub roots: BTreeMap<FileId, FileId>,
}

impl Manifests {
    /// Takes in one object, an item of [`kubernetes::objects`]; its tree is not needed afterwards.
    ///
    /// Objects of other vendors are kept by name only: their dialects read the same node.
    pub fn take(&mut self, object: Node<'_>, assume: &Assume) {
        if !self.cert_manager.read(object, assume.cert_manager) {
            self.gateway_api.read(object);
            self.kubernetes.read(object);
        }
        self.kubernetes.note_retired(object);
    }
}

/// What the manifests come to.
#[derive(Debug)]
pub struct Built {
    /// One machine per container (and replica, where replicas differ); their indices count from the `first_machine`
    /// given to [`build`].
    pub machines: Vec<Machine>,
    /// The containers whose program is known.
    pub launches: Vec<Launch>,
    /// The command lines that containers and probes run, of which some are clients.
    pub commands: Vec<Invocation>,
    /// The kubelet as a client: one program per container with probes over HTTP; its dialers dial `127.0.0.1` on
    /// the container's own machine, standing for the Pod's address.
    pub probes: Vec<Program>,
    /// For [`Deployment::planned`](crate::deployment::Deployment::planned): first one for each Certificate.
    pub planned: Vec<PlannedCertificate>,
    /// Names and ports of the cluster, and its Secrets and ConfigMaps.
    pub cluster: Cluster,
    /// What the rules of Kubernetes and cert-manager look at.
    pub facts: ManifestFacts,
    /// Values that could not be understood.
    pub incomplete: Vec<Incomplete>,
}

/// Follows every reference between the manifests.
pub fn build(manifests: Manifests, sources: &Sources, assume: &Assume, first_machine: usize) -> Built {
    let Manifests { kubernetes: mut own, cert_manager: mut issued, gateway_api: routes, roots } = manifests;
    let incomplete = std::mem::take(&mut own.problems)
        .into_iter()
        .map(|problem| Incomplete {
            file: sources.path(problem.span.file).to_owned(),
            span: Some(problem.span),
            message: problem.message,
        })
        .collect();
    let secrets = secrets::places(&own);
    let mut refusals = std::mem::take(&mut own.refusals);
    refusals.extend(issued.certificates.iter_mut().flat_map(|certificate| certificate.refusals.drain(..)));
    refusals.extend(gateways::refusals(&own, &routes, &issued.certificates));
    refusals.extend(gates::refusals(&issued.certificates, &own.workloads));
    let bundles = own.others.iter().filter(|other| {
        let group = other.api_version.split('/').next().unwrap_or_default();
        matches!(other.kind.as_str(), "Bundle" | "ClusterBundle")
            && matches!(group, "trust.cert-manager.io" | "trust-manager.io")
    });
    let bundles = bundles.map(|bundle| bundle.metadata.name.clone()).collect();
    let stored = own.secrets.clone();
    let config_maps = own.config_maps.clone();
    let ingresses = std::mem::take(&mut own.ingresses);
    let creators = stores::Creators::new(&own, &ingresses, &issued.certificates, &routes.gateways);
    let mut stores = Stores::new(own.secrets, own.config_maps, creators);
    let cluster_resources = controller::cluster_resources(&own.workloads);
    let mut planning = issue::Planning::new(&issued.issuers, cluster_resources.clone());
    planning.certificates(&issued.certificates, &mut stores);
    drop(std::mem::take(&mut own.others));

    let mut machines = Vec::new();
    let mut launches = Vec::new();
    let mut commands = Vec::new();
    let mut lost = Vec::new();
    let mut probes = Vec::new();
    let mut pods = Vec::new();
    for workload in &own.workloads {
        for replica in replicas(workload) {
            let identity = PodIdentity::new(workload, replica);
            let mut own_machines = Vec::new();
            for (container, init) in workload.pod.all() {
                let environment = environment::resolve(container, &identity, &stores);
                let mut mounts =
                    mounts::resolve(workload, container, &identity, &environment, &stores, &mut planning);
                lost.extend(lost::volumes(workload, &mounts));
                // an injector mounts what no manifest has
                mounts.extend(launch::image_files(container).filter(|_| !is_injected(workload)));
                let machine = first_machine + machines.len();
                let several = workload.pod.containers.len() > 1 || init;
                let title = identity.title(several.then_some(container));
                machines.push(Machine {
                    name: format!("{}, container {}", identity.title(None), container.name.value),
                    files: Files::Container(mounts),
                });
                probes.extend(probe::program(container, &workload.pod, &title, machine));
                lost.extend(lost::references(workload, container, &identity, &stores));
                commands.extend(commands::of(container, &environment, &title, machine));
                launches.extend(launch::recognise(container, init, &environment, title, machine));
                if !init {
                    own_machines.push((machine, container));
                }
            }
            pods.push(PodInstance::new(workload, &identity, &own_machines));
        }
    }
    let domain = assume.cluster_domain.clone().unwrap_or_else(|| "cluster.local".to_owned());
    let planned = planning.finish();
    let nginx_ingresses = ingress::nginx(&ingresses, &stores, &assume.nginx(None));
    let cluster = Cluster::new(domain, own.services, pods, stores);
    let facts = ManifestFacts {
        workloads: own.workloads,
        ingresses,
        control_planes: Vec::new(),
        lost,
        exposed: connect::exposed(&cluster),
        missing: nginx_ingresses.iter().flat_map(NginxIngress::missing).collect(),
        nginx_ingresses,
        certificates: issued.certificates,
        issuers: issued.issuers,
        secrets,
        stored,
        config_maps,
        bundles,
        cluster_resources,
        injected: own.injected,
        roots,
        retired: own.retired,
        refusals,
    };
    Built { machines, launches, commands, probes, planned, cluster, facts, incomplete }
}

/// Whether somebody else puts volumes and containers into the Pods: Vault's agent, a mesh.
fn is_injected(workload: &Workload) -> bool {
    let mut pairs = workload.pod_annotations.iter().chain(&workload.pod_labels);
    pairs.any(|pair| {
        pair.key.value.contains("inject") && !matches!(pair.value.value.as_str(), "false" | "disabled")
    })
}

/// The replicas that have to be told apart: those of a StatefulSet whose Pods ask for their own name.
fn replicas(workload: &Workload) -> Vec<Option<u32>> {
    const MOST: u32 = 9;
    if workload.kind != "StatefulSet" {
        return vec![None];
    }
    let count = workload.replicas.and_then(|count| u32::try_from(count).ok()).unwrap_or(1).min(MOST);
    let asks = |container: &Container| {
        container.env.iter().any(|variable| {
            matches!(&variable.value, kubernetes::EnvironmentValue::Field(path)
                if path.value == "metadata.name")
        })
    };
    if !workload.pod.containers.iter().any(asks) {
        return vec![None];
    }
    let first = workload.first_ordinal.and_then(|first| u32::try_from(first).ok()).unwrap_or(0);
    (first..first.saturating_add(count)).map(Some).collect()
}

/// Who a Pod is, as far as its manifest determines it.
#[derive(Debug, Clone)]
pub(super) struct PodIdentity {
    /// `Deployment tls/apisix`.
    owner: String,
    /// The Pod's own name, where it is known.
    name: Option<String>,
    namespace: String,
    /// It is written, not assumed.
    namespace_written: bool,
    annotations: Vec<Pair>,
    labels: Vec<Pair>,
}

impl PodIdentity {
    fn new(workload: &Workload, replica: Option<u32>) -> Self {
        let own = &workload.metadata.name.value;
        let name = match (workload.kind.as_str(), replica) {
            ("Pod", _) => Some(own.clone()),
            (_, Some(ordinal)) => Some(format!("{own}-{ordinal}")),
            _ => None,
        };
        let path = workload.metadata.path();
        let owner = match replica {
            Some(ordinal) => format!("{} {path}-{ordinal}", workload.kind),
            None => format!("{} {path}", workload.kind),
        };
        Self {
            owner,
            name,
            namespace: workload.metadata.namespace().to_owned(),
            namespace_written: workload.metadata.namespace.is_some(),
            annotations: workload.pod_annotations.clone(),
            labels: workload.pod_labels.clone(),
        }
    }

    fn title(&self, container: Option<&Container>) -> String {
        match container {
            Some(container) => format!("{}, container {}", self.owner, container.name.value),
            None => self.owner.clone(),
        }
    }
}

#[cfg(test)]
mod tests;

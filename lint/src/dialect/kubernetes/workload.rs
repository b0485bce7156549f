//! Workloads: the Pods that they make, their containers, volumes, environment and probes.

use super::{Metadata, Pair};
use crate::source::{Located, Span, Text};

/// A Pod, or whatever makes Pods.
#[derive(Debug, Clone)]
pub struct Workload {
    /// `Pod`, `Deployment`, …
    pub kind: String,
    /// Its own name and namespace.
    pub metadata: Metadata,
    /// The labels of its Pods.
    pub pod_labels: Vec<Pair>,
    /// The annotations of its Pods.
    pub pod_annotations: Vec<Pair>,
    /// `spec.replicas`.
    pub replicas: Option<i64>,
    /// `spec.ordinals.start` of a StatefulSet: the number of its first Pod.
    pub first_ordinal: Option<i64>,
    /// It says which Pods are its own, as a patch does not.
    pub has_selector: bool,
    /// A StatefulSet's `spec.serviceName`.
    pub service_name: Option<Located<String>>,
    /// The Pod that runs.
    pub pod: Pod,
}

/// A Pod's spec.
#[derive(Debug, Clone)]
pub struct Pod {
    /// `containers`.
    pub containers: Vec<Container>,
    /// `initContainers`.
    pub init_containers: Vec<Container>,
    /// `volumes`.
    pub volumes: Vec<Volume>,
    /// It shares the node's addresses.
    pub host_network: bool,
    /// `hostname`.
    pub hostname: Option<Located<String>>,
    /// `subdomain`: with a headless Service of that name, the Pod has a DNS name.
    pub subdomain: Option<Located<String>>,
    /// Lines that the kubelet adds to /etc/hosts.
    pub host_aliases: Vec<HostAlias>,
    /// Its programs may be unable to read files that only root may read.
    pub run_as_user: Option<i64>,
    /// The group that volumes are given to.
    pub fs_group: Option<i64>,
    /// The spec.
    pub span: Span,
}

/// One of `hostAliases`.
#[derive(Debug, Clone)]
pub struct HostAlias {
    /// The address.
    pub ip: Located<String>,
    /// Its names.
    pub names: Vec<Located<String>>,
}

/// A container.
#[derive(Debug, Clone)]
pub struct Container {
    /// Its name.
    pub name: Located<String>,
    /// Its image.
    pub image: Option<Located<String>>,
    /// `command`: replaces the image's entry point; empty: the image's own.
    pub command: Vec<Located<String>>,
    /// `args`: replaces the image's arguments.
    pub args: Vec<Located<String>>,
    /// Those words of both that are longer than one line, as text to parse further.
    pub scripts: Vec<Located<Text>>,
    /// `env`, in order.
    pub env: Vec<EnvironmentVariable>,
    /// `envFrom`, in order.
    pub env_from: Vec<EnvironmentSource>,
    /// `ports`; a container may listen on others.
    pub ports: Vec<ContainerPort>,
    /// `volumeMounts`.
    pub mounts: Vec<VolumeMount>,
    /// Its probes.
    pub probes: Vec<Probe>,
    /// `lifecycle`: it runs commands of its own when it starts or stops.
    pub has_hooks: bool,
    /// `restartPolicy: Always`: an init container that stays, as a sidecar.
    pub restarts: bool,
    /// `securityContext.runAsUser`.
    pub run_as_user: Option<i64>,
    /// The container.
    pub span: Span,
}

/// One of `env`.
#[derive(Debug, Clone)]
pub struct EnvironmentVariable {
    /// Its name.
    pub name: Located<String>,
    /// Where its value comes from.
    pub value: EnvironmentValue,
}

/// An environment variable's value.
#[derive(Debug, Clone)]
pub enum EnvironmentValue {
    /// Written here (empty when neither value nor valueFrom is).
    Text(Located<String>),
    /// `secretKeyRef`.
    SecretKey(KeyReference),
    /// `configMapKeyRef`.
    ConfigMapKey(KeyReference),
    /// `fieldRef`: the path.
    Field(Located<String>),
    /// Anything else (`resourceFieldRef`, …): its name.
    Other(Located<String>),
}

/// A key of a Secret or ConfigMap.
#[derive(Debug, Clone)]
pub struct KeyReference {
    /// The object's name.
    pub name: Located<String>,
    /// The key.
    pub key: Located<String>,
    /// It may be absent.
    pub optional: bool,
}

/// One of `envFrom`.
#[derive(Debug, Clone)]
pub struct EnvironmentSource {
    /// Put before each name.
    pub prefix: String,
    /// The Secret (or else the ConfigMap).
    pub secret: bool,
    /// Its name.
    pub name: Located<String>,
    /// It may be absent.
    pub optional: bool,
}

/// One of a container's `ports`.
#[derive(Debug, Clone)]
pub struct ContainerPort {
    /// Its name, if any.
    pub name: Option<Located<String>>,
    /// Its number.
    pub number: Located<u16>,
    /// `hostPort`.
    pub host_port: Option<u16>,
    /// TCP unless it says UDP or SCTP.
    pub tcp: bool,
}

/// One of `volumeMounts`.
#[derive(Debug, Clone)]
pub struct VolumeMount {
    /// The volume's name.
    pub volume: Located<String>,
    /// Where it is mounted.
    pub path: Located<String>,
    /// A file or folder of the volume.
    pub sub_path: Option<Located<String>>,
    /// The same, with $(VAR) in it.
    pub sub_path_expr: Option<Located<String>>,
    /// The mount.
    pub span: Span,
}

/// A volume.
#[derive(Debug, Clone)]
pub struct Volume {
    /// Its name.
    pub name: Located<String>,
    /// What it holds.
    pub source: VolumeSource,
    /// The volume.
    pub span: Span,
}

/// What a volume holds.
#[derive(Debug, Clone)]
pub enum VolumeSource {
    /// A Secret's keys.
    Secret(Keys),
    /// A ConfigMap's keys.
    ConfigMap(Keys),
    /// Several sources in one folder.
    Projected {
        /// In order; later ones overwrite.
        sources: Vec<Projection>,
        /// `defaultMode`.
        mode: Option<u32>,
    },
    /// cert-manager's CSI driver: a certificate issued for the Pod.
    CertManager {
        /// `volumeAttributes`.
        attributes: Vec<Pair>,
    },
    /// An empty folder that containers share.
    EmptyDir,
    /// A folder or file of the node.
    HostPath(Located<String>),
    /// Any other kind: its name.
    Other(String),
}

/// A Secret or ConfigMap as a folder.
#[derive(Debug, Clone)]
pub struct Keys {
    /// The object's name; None: it was not written.
    pub name: Option<Located<String>>,
    /// Only these keys, under these names; None: all.
    pub items: Option<Vec<Item>>,
    /// It may be absent.
    pub optional: bool,
    /// `defaultMode` (0644 where it is not written).
    pub mode: Option<u32>,
    /// Where `defaultMode` is written.
    pub mode_place: Option<Span>,
    /// Where it is written.
    pub span: Span,
}

/// One of `items`.
#[derive(Debug, Clone)]
pub struct Item {
    /// The key.
    pub key: Located<String>,
    /// The file, relative to the mount.
    pub path: Located<String>,
    /// Its own mode.
    pub mode: Option<u32>,
}

/// One source of a projected volume.
#[derive(Debug, Clone)]
pub enum Projection {
    /// A Secret.
    Secret(Keys),
    /// A ConfigMap.
    ConfigMap(Keys),
    /// Files that the kubelet writes (a token, downward API): their paths, and what they are.
    Written {
        /// Relative to the mount.
        paths: Vec<String>,
        /// `serviceAccountToken`, `downwardAPI`, …
        kind: String,
    },
}

/// A probe of the kubelet.
#[derive(Debug, Clone)]
pub struct Probe {
    /// Which.
    pub purpose: ProbePurpose,
    /// What it does.
    pub action: ProbeAction,
    /// The probe.
    pub span: Span,
}

/// Which probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbePurpose {
    /// `livenessProbe`.
    Liveness,
    /// `readinessProbe`.
    Readiness,
    /// `startupProbe`.
    Startup,
}

/// What a probe does.
#[derive(Debug, Clone)]
pub enum ProbeAction {
    /// `httpGet`.
    Http {
        /// HTTPS (the kubelet verifies nothing and has no certificate).
        https: Option<Located<bool>>,
        /// The host; None: the Pod's address.
        host: Option<Located<String>>,
        /// The path.
        path: String,
        /// Number or name.
        port: Option<Located<String>>,
        /// The Host header, if one is set.
        host_header: Option<Located<String>>,
    },
    /// `tcpSocket`: number or name of the port.
    Tcp(Option<Located<String>>),
    /// `grpc` (plaintext): the port.
    Grpc(Option<Located<String>>),
    /// `exec`
    Exec {
        /// The command line.
        command: Vec<Located<String>>,
        /// Those of its words that may be scripts.
        scripts: Vec<Located<Text>>,
    },
}

impl Pod {
    /// All containers, init containers first, with whether they are such.
    pub fn all(&self) -> impl Iterator<Item = (&Container, bool)> {
        let init = self.init_containers.iter().map(|container| (container, true));
        init.chain(self.containers.iter().map(|container| (container, false)))
    }

    /// The volume of a name.
    pub fn volume(&self, name: &str) -> Option<&Volume> {
        self.volumes.iter().find(|volume| volume.name.value == name)
    }
}

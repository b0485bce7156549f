//! Workloads: the Pods that they make, their containers, volumes, environment and probes.

use super::{Metadata, Pair, flag, list, pairs, scalar, text, texts};
use crate::source::{Located, Span};
use crate::syntax::yaml::{Kind, Node};

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
    /// `exec`: the command line.
    Exec(Vec<Located<String>>),
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

/// Reads a workload; None if it has no Pod spec.
pub(super) fn read(object: Node<'_>, metadata: Metadata) -> Option<Workload> {
    let kind = object.get("kind")?.as_str()?.to_owned();
    let spec = object.get("spec")?;
    let (holder, pod_metadata) = match kind.as_str() {
        "Pod" => (object, object.get("metadata")),
        "CronJob" => {
            let template = spec.at(&["jobTemplate", "spec", "template"])?;
            (template, template.get("metadata"))
        }
        _ => {
            let template = spec.get("template")?;
            (template, template.get("metadata"))
        }
    };
    let labels = |key: &str| pod_metadata.and_then(|node| node.get(key)).map(pairs).unwrap_or_default();
    Some(Workload {
        pod_labels: labels("labels"),
        pod_annotations: labels("annotations"),
        replicas: spec.get("replicas").and_then(Node::as_i64),
        service_name: text(spec, "serviceName"),
        pod: pod(holder.get("spec").filter(|spec| spec.kind() == Kind::Mapping)?),
        kind,
        metadata,
    })
}

fn pod(spec: Node<'_>) -> Pod {
    let each = |key: &str| spec.get(key).into_iter().flat_map(Node::items);
    Pod {
        containers: list(each("containers").map(container)),
        init_containers: list(each("initContainers").map(container)),
        volumes: list(each("volumes").filter_map(volume)),
        host_network: flag(spec, "hostNetwork").unwrap_or(false),
        hostname: text(spec, "hostname"),
        subdomain: text(spec, "subdomain"),
        host_aliases: each("hostAliases")
            .filter_map(|alias| Some(HostAlias { ip: text(alias, "ip")?, names: texts(alias, "hostnames") }))
            .collect(),
        run_as_user: spec.at(&["securityContext", "runAsUser"]).and_then(Node::as_i64),
        fs_group: spec.at(&["securityContext", "fsGroup"]).and_then(Node::as_i64),
        span: spec.span(),
    }
}

fn container(node: Node<'_>) -> Container {
    let each = |key: &str| node.get(key).into_iter().flat_map(Node::items);
    let probes = [
        ("livenessProbe", ProbePurpose::Liveness),
        ("readinessProbe", ProbePurpose::Readiness),
        ("startupProbe", ProbePurpose::Startup),
    ];
    Container {
        name: text(node, "name").unwrap_or_else(|| Located::new(String::new(), node.span())),
        image: text(node, "image"),
        command: texts(node, "command"),
        args: texts(node, "args"),
        env: list(each("env").filter_map(variable)),
        env_from: list(each("envFrom").flat_map(environment_sources)),
        ports: list(each("ports").filter_map(container_port)),
        mounts: list(each("volumeMounts").filter_map(mount)),
        probes: list(probes.into_iter().filter_map(|(key, purpose)| {
            let probe = node.get(key)?;
            Some(Probe { purpose, action: action(probe)?, span: probe.span() })
        })),
        has_hooks: node.get("lifecycle").is_some(),
        run_as_user: node.at(&["securityContext", "runAsUser"]).and_then(Node::as_i64),
        span: node.span(),
    }
}

fn variable(node: Node<'_>) -> Option<EnvironmentVariable> {
    let name = text(node, "name")?;
    let reference = |node: Node<'_>| {
        Some(KeyReference {
            name: text(node, "name")?,
            key: text(node, "key")?,
            optional: flag(node, "optional").unwrap_or(false),
        })
    };
    let value = match (node.get("valueFrom"), node.get("value")) {
        (Some(from), _) if from.kind() == Kind::Mapping => {
            let (kind, source) = from.entries().next()?;
            let other = || Located::new(kind.as_str().unwrap_or_default().to_owned(), from.span());
            match kind.as_str()? {
                "secretKeyRef" => EnvironmentValue::SecretKey(reference(source)?),
                "configMapKeyRef" => EnvironmentValue::ConfigMapKey(reference(source)?),
                "fieldRef" => text(source, "fieldPath")
                    .map_or_else(|| EnvironmentValue::Other(other()), EnvironmentValue::Field),
                _ => EnvironmentValue::Other(other()),
            }
        }
        (_, Some(value)) => {
            EnvironmentValue::Text(scalar(value).unwrap_or_else(|| Located::new(String::new(), value.span())))
        }
        _ => EnvironmentValue::Text(Located::new(String::new(), name.span)),
    };
    Some(EnvironmentVariable { name, value })
}

fn environment_sources(node: Node<'_>) -> Vec<EnvironmentSource> {
    let prefix = node.get("prefix").and_then(Node::as_str).unwrap_or_default();
    [("secretRef", true), ("configMapRef", false)]
        .into_iter()
        .filter_map(|(key, secret)| {
            let source = node.get(key)?;
            Some(EnvironmentSource {
                prefix: prefix.to_owned(),
                secret,
                name: text(source, "name")?,
                optional: flag(source, "optional").unwrap_or(false),
            })
        })
        .collect()
}

fn container_port(node: Node<'_>) -> Option<ContainerPort> {
    let number = node.get("containerPort")?;
    Some(ContainerPort {
        name: text(node, "name"),
        number: Located::new(u16::try_from(number.as_i64()?).ok()?, number.span()),
        host_port: node.get("hostPort").and_then(Node::as_i64).and_then(|port| u16::try_from(port).ok()),
        tcp: node.get("protocol").and_then(Node::as_str).is_none_or(|protocol| protocol == "TCP"),
    })
}

fn mount(node: Node<'_>) -> Option<VolumeMount> {
    Some(VolumeMount {
        volume: text(node, "name")?,
        path: text(node, "mountPath")?,
        sub_path: text(node, "subPath").filter(|path| !path.value.is_empty()),
        sub_path_expr: text(node, "subPathExpr").filter(|path| !path.value.is_empty()),
        span: node.span(),
    })
}

fn volume(node: Node<'_>) -> Option<Volume> {
    let name = text(node, "name")?;
    let source = node.entries().find(|(key, _)| key.as_str().is_some_and(|key| key != "name"));
    let source = match source.and_then(|(key, value)| Some((key.as_str()?, value))) {
        Some(("secret", source)) => VolumeSource::Secret(keys(source, "secretName")),
        Some(("configMap", source)) => VolumeSource::ConfigMap(keys(source, "name")),
        Some(("projected", source)) => VolumeSource::Projected {
            sources: source.get("sources").into_iter().flat_map(Node::items).flat_map(projections).collect(),
            mode: mode(source, "defaultMode"),
        },
        Some(("csi", source))
            if source.get("driver").and_then(Node::as_str) == Some("csi.cert-manager.io") =>
        {
            let attributes = source.get("volumeAttributes").map(pairs).unwrap_or_default();
            VolumeSource::CertManager { attributes }
        }
        Some(("csi", source)) => {
            let driver = source.get("driver").and_then(Node::as_str).unwrap_or("unknown");
            VolumeSource::Other(format!("csi driver {driver}"))
        }
        // a volume of no kind is an emptyDir
        None | Some(("emptyDir", _)) => VolumeSource::EmptyDir,
        Some(("hostPath", source)) => match text(source, "path") {
            Some(path) => VolumeSource::HostPath(path),
            None => VolumeSource::Other("hostPath".to_owned()),
        },
        Some((kind, _)) => VolumeSource::Other(kind.to_owned()),
    };
    Some(Volume { name, source, span: node.span() })
}

fn keys(node: Node<'_>, name: &str) -> Keys {
    Keys {
        name: text(node, name),
        items: node.get("items").filter(|items| items.kind() == Kind::Sequence).map(|items| {
            let item = |node: Node<'_>| {
                Some(Item { key: text(node, "key")?, path: text(node, "path")?, mode: mode(node, "mode") })
            };
            list(items.items().filter_map(item))
        }),
        optional: flag(node, "optional").unwrap_or(false),
        mode: mode(node, "defaultMode"),
        span: node.span(),
    }
}

fn mode(node: Node<'_>, key: &str) -> Option<u32> {
    node.get(key).and_then(Node::as_i64).and_then(|mode| u32::try_from(mode).ok())
}

fn projections(node: Node<'_>) -> Vec<Projection> {
    let one = |(key, source): (Node<'_>, Node<'_>)| {
        let kind = key.as_str()?;
        Some(match kind {
            "secret" => Projection::Secret(keys(source, "name")),
            "configMap" => Projection::ConfigMap(keys(source, "name")),
            _ => {
                let items = source.get("items").into_iter().flat_map(Node::items);
                let mut paths: Vec<String> =
                    items.filter_map(|item| text(item, "path")).map(|path| path.value).collect();
                paths.extend(text(source, "path").map(|path| path.value));
                Projection::Written { paths, kind: kind.to_owned() }
            }
        })
    };
    node.entries().filter_map(one).collect()
}

fn action(probe: Node<'_>) -> Option<ProbeAction> {
    if let Some(http) = probe.get("httpGet") {
        let header = |node: &Node<'_>| {
            node.get("name").and_then(Node::as_str).is_some_and(|name| name.eq_ignore_ascii_case("host"))
        };
        let headers = http.get("httpHeaders").into_iter().flat_map(Node::items);
        return Some(ProbeAction::Http {
            https: text(http, "scheme").map(|scheme| scheme.map(|scheme| scheme == "HTTPS")),
            host: text(http, "host").filter(|host| !host.value.is_empty()),
            path: http.get("path").and_then(Node::as_str).unwrap_or("/").to_owned(),
            port: text(http, "port"),
            host_header: headers.filter(header).find_map(|node| text(node, "value")),
        });
    }
    if let Some(tcp) = probe.get("tcpSocket") {
        return Some(ProbeAction::Tcp(text(tcp, "port")));
    }
    if let Some(grpc) = probe.get("grpc") {
        return Some(ProbeAction::Grpc(text(grpc, "port")));
    }
    probe.get("exec").map(|exec| ProbeAction::Exec(texts(exec, "command")))
}

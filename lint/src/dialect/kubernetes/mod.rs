//! Kubernetes' own objects: what a manifest says, each value with its place.
//!
//! Nothing is looked up here: a Secret's name stays a name. Objects of other groups are kept by name, and
//! their dialects read them from the same [`Node`], so that a manifest is parsed once and its tree dropped.

mod pod;
mod retired;
mod service;
mod store;
mod workload;

use crate::deployment::Refusal;
use crate::source::{Located, Span};
use crate::syntax::yaml::{Kind, Node, Problem};

pub use retired::Retired;
pub use service::{Ingress, PortName, Service, ServicePort};
pub use store::{ConfigMap, Datum, Secret};
pub use workload::{
    Container, EnvironmentValue, KeyReference, Keys, Pod, ProbeAction, Projection, Volume, VolumeMount,
    VolumeSource, Workload,
};

/// Everything of Kubernetes' own that the manifests hold.
#[derive(Debug, Default)]
pub struct Fragment {
    /// Pod, Deployment, StatefulSet, DaemonSet, Job, CronJob, ReplicaSet.
    pub workloads: Vec<Workload>,
    /// Service.
    pub services: Vec<Service>,
    /// Secret.
    pub secrets: Vec<Secret>,
    /// ConfigMap.
    pub config_maps: Vec<ConfigMap>,
    /// Namespace.
    pub namespaces: Vec<Metadata>,
    /// Ingress.
    pub ingresses: Vec<Ingress>,
    /// Every other kind, by name.
    pub others: Vec<Other>,
    /// Certificates whose CA cert-manager writes into webhooks (`cert-manager.io/inject-ca-from`), as they are named.
    pub injected: Vec<String>,
    /// Workloads of which only a part is written (`replicas`), to be merged into the whole: namespace and title.
    pub parts: Vec<(String, String)>,
    /// What could not be understood of them.
    pub problems: Vec<Problem>,
    /// Objects of API versions that are no longer served.
    pub retired: Vec<Retired>,
    /// Values that could not be decoded, whatever they are: no output may show them.
    pub hidden: Vec<Span>,
    /// What the API server refuses, or no program can use.
    pub refusals: Vec<Refusal>,
}

/// An object's `metadata`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// `metadata.name`; the object's kind as placed if it has none (`generateName`).
    pub name: Located<String>,
    /// `metadata.namespace`; None: whichever the object is applied to.
    pub namespace: Option<Located<String>>,
    /// `metadata.labels`.
    pub labels: Vec<Pair>,
    /// `metadata.annotations`.
    pub annotations: Vec<Pair>,
    /// The whole object.
    pub span: Span,
}

/// A key and its value, as in labels, annotations and selectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The key.
    pub key: Located<String>,
    /// The value.
    pub value: Located<String>,
}

/// An object of a kind that this dialect does not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    /// `external-secrets.io/v1`.
    pub api_version: String,
    /// `ExternalSecret`.
    pub kind: String,
    /// Its name and place; labels and annotations are left out.
    pub metadata: Metadata,
    /// Names that it gives to Secrets or ConfigMaps which its controller will write (`spec.target.name`, …).
    pub writes: Vec<String>,
}

/// Whether a document is a Kubernetes object (or a list of them).
pub fn recognises(document: Node<'_>) -> bool {
    if is_kustomization(document) {
        return true;
    }
    let word = |key: &str| document.get(key).and_then(Node::as_str).is_some_and(|text| !text.is_empty());
    word("apiVersion")
        && word("kind")
        && (document.get("metadata").is_some() || document.get("items").is_some())
}

/// Whether a document is a kustomization, which often says nothing of its kind.
fn is_kustomization(document: Node<'_>) -> bool {
    let kind = document.get("kind").and_then(Node::as_str);
    let own =
        ["secretGenerator", "configMapGenerator", "patches", "patchesStrategicMerge", "patchesJson6902"];
    let has_own =
        || own.iter().any(|key| document.get(key).is_some_and(|node| node.kind() == Kind::Sequence));
    kind == Some("Kustomization") || kind.is_none() && has_own()
}

/// Whether an object says which one to change and how, and is none itself (`$patch: delete`).
pub fn is_patch(object: Node<'_>) -> bool {
    object.get("$patch").is_some()
}

/// The files that a kustomization applies as patches, and those that it takes objects from, as it names them.
pub fn kustomized_files(document: Node<'_>) -> (Vec<String>, Vec<String>) {
    let items = |key: &str| document.get(key).into_iter().flat_map(Node::items);
    let file = |node: Node<'_>| node.as_str().filter(|name| !name.contains('\n')).map(str::to_owned);
    let by_path = |key: &str| items(key).filter_map(|node| file(node.get("path")?)).collect::<Vec<_>>();
    let mut patches = by_path("patches");
    patches.extend(by_path("patchesJson6902"));
    patches.extend(items("patchesStrategicMerge").filter_map(file));
    (patches, items("resources").filter_map(file).collect())
}

/// Where a kustomization changes its objects, in files or in place.
pub fn patched(document: Node<'_>) -> Option<Span> {
    let keys = ["patches", "patchesStrategicMerge", "patchesJson6902"];
    let mut lists =
        keys.iter().filter(|key| document.get(key).is_some_and(|list| list.items().next().is_some()));
    document.key_span(lists.next()?)
}

/// The objects of a document: itself, or the items of a `List` (nested ones too).
pub fn objects(document: Node<'_>) -> Vec<Node<'_>> {
    let mut found = Vec::new();
    let mut waiting = vec![(document, 0)];
    while let Some((node, depth)) = waiting.pop() {
        let list = node.get("kind").and_then(Node::as_str).is_some_and(|kind| kind.ends_with("List"));
        match node.get("items") {
            Some(items) if list && items.kind() == Kind::Sequence && depth < 8 => {
                waiting.extend(items.items().rev().map(|item| (item, depth + 1)));
            }
            _ => found.push(node),
        }
    }
    found
}

/// The group, kind and version of an object: `("cert-manager.io", "Certificate", "v1")`; the group of the core is empty.
pub fn group_kind<'d>(object: Node<'d>) -> Option<(&'d str, &'d str, &'d str)> {
    let api_version = object.get("apiVersion")?.as_str()?;
    let kind = object.get("kind")?.as_str()?;
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    Some((group, kind, version))
}

/// A spec that says something, and nothing of a Pod.
fn has_spec(object: Node<'_>) -> bool {
    object
        .get("spec")
        .is_some_and(|spec| spec.entries().next().is_some() && spec.get("jobTemplate").is_none())
}

impl Fragment {
    /// Takes in one object (not a list), whatever its kind.
    pub fn read(&mut self, object: Node<'_>) {
        let metadata = Metadata::read(object);
        if is_kustomization(object) {
            let api_version = text(object, "apiVersion").map(|version| version.value);
            self.others.push(Other {
                api_version: api_version.unwrap_or_else(|| "kustomize.config.k8s.io/v1beta1".to_owned()),
                kind: "Kustomization".to_owned(),
                metadata,
                writes: Vec::new(),
            });
            return;
        }
        let Some((group, kind, _)) = group_kind(object) else { return };
        match (group, kind) {
            (
                "" | "apps" | "extensions" | "batch",
                "Pod"
                | "Deployment"
                | "StatefulSet"
                | "DaemonSet"
                | "Job"
                | "CronJob"
                | "ReplicaSet"
                | "ReplicationController",
            ) => match pod::workload(object, metadata.clone()) {
                Some(workload) => self.workloads.push(workload),
                // a part of one, to be merged into the whole
                None if kind != "Pod" && object.at(&["spec", "template"]).is_none() && has_spec(object) => {
                    self.parts.push((metadata.namespace().to_owned(), format!("{kind} {}", metadata.path())));
                }
                None => self.problems.push(problem(
                    object.span(),
                    format!("this {kind} has no Pod to run: write its spec with containers"),
                )),
            },
            ("", "Service") => self.services.push(service::read(object, metadata)),
            ("", "Secret") => {
                let secret =
                    store::secret(object, metadata, &mut self.problems, &mut self.refusals, &mut self.hidden);
                self.secrets.push(secret);
            }
            ("", "ConfigMap") => {
                let config_map = store::config_map(
                    object,
                    metadata,
                    &mut self.problems,
                    &mut self.refusals,
                    &mut self.hidden,
                );
                self.config_maps.push(config_map);
            }
            ("", "Namespace") => self.namespaces.push(metadata),
            ("networking.k8s.io" | "extensions", "Ingress") => {
                self.ingresses.push(service::ingress(object, metadata));
            }
            _ => {
                let writes = written_names(object, &metadata);
                let injected = metadata.annotation("cert-manager.io/inject-ca-from");
                self.injected.extend(injected.map(|name| name.value.clone()));
                let metadata = Metadata { labels: Vec::new(), annotations: Vec::new(), ..metadata };
                self.others.push(Other {
                    api_version: text(object, "apiVersion").map(|text| text.value).unwrap_or_default(),
                    kind: kind.to_owned(),
                    metadata,
                    writes,
                });
            }
        }
    }
}

impl Fragment {
    /// Takes note of an object whose API version is no longer served.
    pub fn note_retired(&mut self, object: Node<'_>) {
        self.retired.extend(retired::retired(object));
    }
}

impl Metadata {
    /// Reads an object's metadata.
    pub fn read(object: Node<'_>) -> Self {
        let metadata = object.get("metadata");
        let field = |key: &str| metadata.and_then(|metadata| text(metadata, key));
        let name = field("name").or_else(|| field("generateName").map(|name| name.map(|name| name + "…")));
        Self {
            name: name.unwrap_or_else(|| {
                let place = metadata.map_or_else(|| object.span(), Node::span);
                Located::new("(unnamed)".to_owned(), place)
            }),
            namespace: field("namespace").filter(|namespace| !namespace.value.is_empty()),
            labels: metadata.and_then(|metadata| metadata.get("labels")).map(pairs).unwrap_or_default(),
            annotations: metadata
                .and_then(|metadata| metadata.get("annotations"))
                .map(pairs)
                .unwrap_or_default(),
            span: object.span(),
        }
    }

    /// The namespace in force; `default` where none is written.
    pub fn namespace(&self) -> &str {
        self.namespace.as_ref().map_or("default", |namespace| namespace.value.as_str())
    }

    /// `tls/etcd`.
    pub fn path(&self) -> String {
        format!("{}/{}", self.namespace(), self.name.value)
    }

    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&Located<String>> {
        self.labels.iter().find(|pair| pair.key.value == key).map(|pair| &pair.value)
    }

    /// The value of an annotation.
    pub fn annotation(&self, key: &str) -> Option<&Located<String>> {
        self.annotations.iter().find(|pair| pair.key.value == key).map(|pair| &pair.value)
    }
}

/// Names that an object of another vendor gives to the Secrets and ConfigMaps which its controller writes.
fn written_names(object: Node<'_>, metadata: &Metadata) -> Vec<String> {
    let at = |keys: &[&str]| object.at(keys).and_then(Node::as_str).map(str::to_owned);
    let mut names: Vec<String> = [
        at(&["spec", "target", "name"]),
        at(&["spec", "secretName"]),
        at(&["spec", "template", "metadata", "name"]),
        at(&["spec", "tlsSecretName"]),
        at(&["spec", "output", "name"]),
        at(&["spec", "destination", "name"]),
        at(&["spec", "managedSecretReference", "secretName"]),
        at(&["spec", "externalSecretSpec", "target", "name"]),
        at(&["spec", "externalSecretName"]),
        at(&["spec", "secretTemplate", "metadata", "name"]),
    ]
    .into_iter()
    .flatten()
    .collect();
    names.push(metadata.name.value.clone());
    names
}

/// Whether annotations have a controller copy the object into other namespaces, under its own name.
pub fn is_copied(annotations: &[Pair]) -> bool {
    const COPIERS: [&str; 5] = [
        "reflector.v1.k8s.emberstack.com/reflection-",
        "replicator.v1.mittwald.de/replicat",
        "replicator.v1.kubernetes-replicator.olli.com/",
        "kubed.appscode.com/sync",
        "config-syncer.appscode.com/",
    ];
    annotations.iter().any(|pair| COPIERS.iter().any(|copier| pair.key.value.starts_with(copier)))
}

/// Who fills an object with keys that are not written in it, by its annotations or labels.
pub fn filler(metadata: &Metadata) -> Option<&'static str> {
    let pairs = || metadata.annotations.iter().chain(&metadata.labels);
    let has = |key: &str| pairs().any(|pair| pair.key.value == key && pair.value.value != "false");
    if has("replicator.v1.mittwald.de/replicate-from") || has("reflector.v1.k8s.emberstack.com/reflects") {
        Some("a controller that copies it from another namespace")
    } else if has("service.beta.openshift.io/inject-cabundle")
        || has("service.alpha.openshift.io/inject-cabundle")
        || has("config.openshift.io/inject-trusted-cabundle")
    {
        Some("OpenShift")
    } else {
        None
    }
}

/// A key's scalar with its place.
pub(crate) fn text(node: Node<'_>, key: &str) -> Option<Located<String>> {
    scalar(node.get(key)?)
}

/// A scalar with its place.
pub(crate) fn scalar(node: Node<'_>) -> Option<Located<String>> {
    node.as_str().map(|text| Located::new(text.to_owned(), node.span()))
}

/// A key's sequence of scalars.
pub(crate) fn texts(node: Node<'_>, key: &str) -> Vec<Located<String>> {
    list(node.get(key).into_iter().flat_map(Node::items).filter_map(scalar))
}

/// Items in a vector of just their number: ten thousand manifests are mostly lists of one.
fn list<T>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.collect();
    items.shrink_to_fit();
    items
}

/// A mapping of scalars.
pub(crate) fn pairs(node: Node<'_>) -> Vec<Pair> {
    let pair = |(key, value): (Node<'_>, Node<'_>)| Some(Pair { key: scalar(key)?, value: scalar(value)? });
    list(node.entries().filter_map(pair))
}

/// A key's boolean.
fn flag(node: Node<'_>, key: &str) -> Option<bool> {
    node.get(key)?.as_bool()
}

fn problem(span: Span, message: String) -> Problem {
    Problem { span, message, related: None, document_lost: false }
}

#[cfg(test)]
mod tests;

//! Secrets and ConfigMaps by name: those in the sources, those that cert-manager will write, those that are missing.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::deployment::{Content, Lookup, Missing};
use crate::dialect::cert_manager::Certificate;
use crate::dialect::gateway_api::Gateway;
use crate::dialect::kubernetes::{ConfigMap, Datum, Fragment, Ingress, Secret, filler, is_copied};
use crate::dialect::placeholder::is_placeholder;
use crate::finding::Label;
use crate::resolve::machine::Entries;
use crate::source::Span;

/// A Secret or ConfigMap as far as it is known.
#[derive(Debug, Clone)]
pub struct Store {
    /// `Secret tls/etcd-secret`.
    pub title: String,
    /// Where it (or the Certificate that fills it) is named.
    pub span: Span,
    /// Key → content.
    pub entries: Entries,
    /// Keys that may come besides; completes "undetermined because …".
    pub unseen: Option<String>,
    /// Its namespace is written, not assumed.
    namespace_written: bool,
}

/// Every Secret and ConfigMap, by namespace and name.
#[derive(Debug, Default)]
pub struct Stores {
    secrets: Shelf,
    config_maps: Shelf,
    creators: Creators,
}

#[derive(Debug, Default)]
struct Shelf {
    /// What mounts and references find; a Secret that will never be written is missing.
    found: HashMap<(String, String), Lookup<Store>>,
    /// The namespaces in which a name is found.
    namespaces: HashMap<String, Vec<String>>,
    /// The names of a namespace.
    names: HashMap<String, Vec<String>>,
    /// Namespaces with an object of certificates or keys, or one that a Certificate makes.
    with_certificates: HashSet<String>,
}

/// How many names are compared with one that is missing.
const LOOKED_AT: usize = 200;

/// What in the sources makes Secrets and ConfigMaps that are not among them.
#[derive(Debug, Default)]
pub(super) struct Creators {
    /// Namespace and name → who writes it.
    named: HashMap<(String, String), String>,
    /// Objects that make any number of others.
    anything: Option<String>,
    /// Jobs and their command lines.
    jobs: Vec<(String, String)>,
    /// Name → who writes or copies one of it into any namespace.
    everywhere: HashMap<String, String>,
    /// Namespace and name of an operator's resources, whose Secrets begin with that name.
    prefixes: Vec<(String, String, String)>,
    /// Namespace → an object of an operator, which may make Pods.
    operated: HashMap<String, String>,
}

/// Kinds that stand for whole applications.
const APPLICATIONS: [&str; 6] =
    ["HelmRelease", "HelmChart", "HelmChartConfig", "Application", "ApplicationSet", "Kustomization"];

impl Creators {
    pub(super) fn new(
        fragment: &Fragment,
        ingresses: &[Ingress],
        certificates: &[Certificate],
        gateways: &[Gateway],
    ) -> Self {
        let mut creators = Self::default();
        for other in &fragment.others {
            let group = other.api_version.split_once('/').map_or("", |(group, _)| group);
            if APPLICATIONS.contains(&other.kind.as_str()) && group.contains('.') {
                let unnamed = other.metadata.name.value.starts_with('(');
                let title = match unnamed {
                    true => format!("a {}", other.kind),
                    false => format!("{} {}", other.kind, other.metadata.path()),
                };
                creators.anything.get_or_insert(title);
            }
            // Kubernetes' own kinds write no Secrets; those of operators may
            if !group.contains('.') || group.ends_with(".k8s.io") || group == "apisix.apache.org" {
                continue;
            }
            let makes_pods = !matches!(
                other.kind.as_str(),
                "ExternalSecret"
                    | "SealedSecret"
                    | "SecretStore"
                    | "ClusterSecretStore"
                    | "Bundle"
                    | "ServiceMonitor"
                    | "PodMonitor"
                    | "PrometheusRule"
                    | "VirtualService"
                    | "DestinationRule"
                    | "PeerAuthentication"
            );
            if makes_pods {
                let title = format!("{} {}", other.kind, other.metadata.path());
                let namespace = other.metadata.namespace().to_owned();
                let prefix = format!("{}-", other.metadata.name.value);
                creators.prefixes.push((namespace.clone(), prefix, title.clone()));
                creators.operated.entry(namespace).or_insert(title);
            }
            // trust-manager's bundles and external secrets of the cluster are written into many namespaces
            let spreads = other.metadata.namespace.is_none()
                && (other.kind.starts_with("Cluster") || other.kind == "Bundle");
            for name in other.writes.iter().filter(|_| spreads) {
                let title = format!("{} {}", other.kind, other.metadata.name.value);
                creators.everywhere.insert(name.clone(), title);
            }
            for name in &other.writes {
                let key = (other.metadata.namespace().to_owned(), name.clone());
                creators.named.insert(key, format!("{} {}", other.kind, other.metadata.path()));
            }
        }
        for ingress in ingresses {
            let shim = ["cert-manager.io/issuer", "cert-manager.io/cluster-issuer"]
                .iter()
                .any(|key| ingress.metadata.annotation(key).is_some());
            for secret in ingress.tls.iter().filter_map(|tls| tls.secret.as_ref()).filter(|_| shim) {
                let key = (ingress.metadata.namespace().to_owned(), secret.value.clone());
                let title = format!("cert-manager, for Ingress {}", ingress.metadata.path());
                creators.named.insert(key, title);
            }
        }
        for gateway in gateways {
            let shim = ["cert-manager.io/issuer", "cert-manager.io/cluster-issuer"]
                .iter()
                .any(|key| gateway.metadata.annotation(key).is_some());
            let listeners = gateway.listeners.iter().filter_map(|listener| listener.tls.as_ref());
            for reference in listeners.flat_map(|tls| &tls.certificates).filter(|_| shim) {
                let namespace = reference.namespace.as_ref().map(|namespace| namespace.value.as_str());
                let namespace = namespace.unwrap_or(gateway.metadata.namespace());
                let key = (namespace.to_owned(), reference.name.value.clone());
                let title = format!("cert-manager, for Gateway {}", gateway.metadata.path());
                creators.named.insert(key, title);
            }
        }
        creators.copied(fragment, certificates);
        for (namespace, title) in &fragment.parts {
            let title = format!("{title}, of which a part is seen");
            creators.operated.entry(namespace.clone()).or_insert(title);
        }
        for service in &fragment.services {
            let annotation = "service.beta.openshift.io/serving-cert-secret-name";
            if let Some(secret) = service.metadata.annotation(annotation) {
                let key = (service.metadata.namespace().to_owned(), secret.value.clone());
                creators.named.insert(key, format!("OpenShift, for Service {}", service.metadata.path()));
            }
        }
        for workload in fragment.workloads.iter().filter(|workload| workload.kind.ends_with("Job")) {
            let mut words = String::new();
            for (container, _) in workload.pod.all() {
                let env = container.env.iter().filter_map(|variable| match &variable.value {
                    crate::dialect::kubernetes::EnvironmentValue::Text(text) => Some(&text.value),
                    _ => None,
                });
                for word in container.command.iter().chain(&container.args).map(|word| &word.value).chain(env)
                {
                    words.push_str(word);
                    words.push('\n');
                }
            }
            creators.jobs.push((format!("{} {}", workload.kind, workload.metadata.path()), words));
        }
        creators
    }

    /// Objects that a controller copies into other namespaces, as their annotations say.
    fn copied(&mut self, fragment: &Fragment, certificates: &[Certificate]) {
        let secrets = fragment.secrets.iter().map(|secret| ("Secret", &secret.metadata));
        let maps = fragment.config_maps.iter().map(|map| ("ConfigMap", &map.metadata));
        for (kind, metadata) in secrets.chain(maps).filter(|(_, metadata)| is_copied(&metadata.annotations)) {
            let title = format!("what copies {kind} {}", metadata.path());
            self.everywhere.insert(metadata.name.value.clone(), title);
        }
        for certificate in certificates.iter().filter(|certificate| certificate.is_copied) {
            if let Some(secret) = &certificate.secret_name {
                let title = format!("what copies the Secret of Certificate {}", certificate.metadata.path());
                self.everywhere.insert(secret.value.clone(), title);
            }
        }
    }

    /// Why an object of this name may exist although it is not among the sources.
    fn excuse(&self, kind: &str, namespace: &str, name: &str) -> Option<String> {
        if let Some(writer) = self.named.get(&(namespace.to_owned(), name.to_owned())) {
            return Some(format!("{kind} {namespace}/{name} is written by {writer}"));
        }
        if is_placeholder(name) {
            return Some(format!("the name {name} is filled in before it is applied"));
        }
        if let Some(writer) = self.everywhere.get(name) {
            return Some(format!("{kind} {namespace}/{name} may be written by {writer}"));
        }
        let operator =
            self.prefixes.iter().find(|(space, prefix, _)| space == namespace && name.starts_with(prefix));
        if let Some((_, _, operator)) = operator {
            return Some(format!("{kind} {namespace}/{name} may be written by the operator of {operator}"));
        }
        if matches!(name, "kube-root-ca.crt" | "openshift-service-ca.crt" | "istio-ca-root-cert")
            || name.starts_with("sh.helm.release.")
            || name.contains("-token-")
        {
            return Some(format!("{kind} {namespace}/{name} is one that the cluster makes"));
        }
        if let Some(writer) = &self.anything {
            return Some(format!("{kind} {namespace}/{name} may be made by {writer}"));
        }
        let job = self.jobs.iter().find(|(_, words)| words.contains(name));
        job.map(|(job, _)| format!("{kind} {namespace}/{name} may be made by {job}, which names it"))
    }
}

impl Stores {
    pub(super) fn new(secrets: Vec<Secret>, config_maps: Vec<ConfigMap>, creators: Creators) -> Self {
        let mut stores = Self { creators, ..Self::default() };
        for secret in secrets {
            let store = store("Secret", &secret.metadata, secret.data);
            stores.secrets.put(
                secret.metadata.namespace(),
                &secret.metadata.name.value,
                Lookup::Found(store),
            );
        }
        for map in config_maps {
            let store = store("ConfigMap", &map.metadata, map.data);
            stores.config_maps.put(map.metadata.namespace(), &map.metadata.name.value, Lookup::Found(store));
        }
        stores
    }

    /// A Secret; `written`: whether the namespace of whoever asks is written, not assumed.
    pub fn secret(&self, namespace: &str, name: &str, written: bool) -> Lookup<&Store> {
        let found = self.secret_of_issuer(namespace, name, written);
        kept(self.secrets.with_certificates.contains(namespace), found)
    }

    /// A Secret that an issuer signs with, asked for before those of the Certificates stand beside it.
    pub(super) fn secret_of_issuer(&self, namespace: &str, name: &str, written: bool) -> Lookup<&Store> {
        self.look(&self.secrets, "Secret", "missing-secret", namespace, name, written)
    }

    /// A ConfigMap.
    pub fn config_map(&self, namespace: &str, name: &str, written: bool) -> Lookup<&Store> {
        let found = self.look(&self.config_maps, "ConfigMap", "missing-config-map", namespace, name, written);
        kept(self.config_maps.names.contains_key(namespace), found)
    }

    /// A key of a Secret, as `k8s:NAMESPACE/SECRET/KEY` names it.
    pub fn secret_key(&self, namespace: &str, name: &str, key: &str) -> Lookup<Content> {
        match self.secret(namespace, name, true) {
            Lookup::Found(store) => store.key(key),
            Lookup::Missing(missing) => Lookup::Missing(missing),
            Lookup::Unseen(why) => Lookup::Unseen(why),
        }
    }

    /// An object that may make Pods of a namespace which are not among the sources.
    pub(super) fn maker_in(&self, namespace: &str) -> Option<&str> {
        let creators = &self.creators;
        creators.operated.get(namespace).or(creators.anything.as_ref()).map(String::as_str)
    }

    /// A Secret that stands in the sources (or that was put there before).
    pub(super) fn present(&self, namespace: &str, name: &str) -> Option<&Lookup<Store>> {
        self.secrets.found.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// Puts down what a Certificate makes of a Secret; keys that the sources give bytes for stay.
    pub(super) fn plan(&mut self, namespace: &str, name: &str, planned: Lookup<Store>, written: bool) {
        self.secrets.with_certificates.insert(namespace.to_owned());
        let planned = planned.map(|store| Store { namespace_written: written, ..store });
        let key = (namespace.to_owned(), name.to_owned());
        match (self.secrets.found.get_mut(&key), planned) {
            (Some(Lookup::Found(real)), Lookup::Found(planned)) => {
                let entries = planned.entries.iter().chain(real.entries.iter());
                real.entries = entries.map(|(key, content)| (key.clone(), content.clone())).collect();
            }
            // the bytes are there already; that a renewal will fail is the Certificate's own mistake
            (Some(Lookup::Found(_)), _) => {}
            (_, planned) => self.secrets.put(namespace, name, planned),
        }
    }

    fn look<'s>(
        &'s self,
        shelf: &'s Shelf,
        kind: &str,
        rule: &'static str,
        namespace: &str,
        name: &str,
        written: bool,
    ) -> Lookup<&'s Store> {
        match shelf.found.get(&(namespace.to_owned(), name.to_owned())) {
            Some(Lookup::Found(store)) => return Lookup::Found(store),
            Some(Lookup::Missing(missing)) => return Lookup::Missing(missing.clone()),
            Some(Lookup::Unseen(why)) => return Lookup::Unseen(why.clone()),
            None => {}
        }
        if let Some(why) = self.creators.excuse(kind, namespace, name) {
            return Lookup::Unseen(why);
        }
        let elsewhere = shelf.namespaces.get(name).map_or(&[][..], Vec::as_slice);
        let mut labels = Vec::new();
        for other in elsewhere.iter().take(2) {
            let Some(Lookup::Found(store)) = shelf.found.get(&(other.clone(), name.to_owned())) else {
                continue;
            };
            if !written || !store.namespace_written {
                return Lookup::Unseen(format!(
                    "{} stands in the sources, and one of the two objects names no namespace",
                    store.title
                ));
            }
            labels.push(Label {
                span: store.span,
                message: format!("this one is in namespace {other}, where Pods of {namespace} cannot use it"),
            });
        }
        let similar = shelf.names.get(namespace).map_or(&[][..], Vec::as_slice).iter().take(LOOKED_AT);
        // `etcd-1` and `etcd-2` are siblings
        let unnumbered = |name: &str| name.replace(|digit: char| digit.is_ascii_digit(), "");
        let similar = similar
            .map(|other| (distance(name, other), other))
            .filter(|(distance, other)| *distance <= 2 && unnumbered(name) != unnumbered(other))
            .min_by_key(|(distance, _)| *distance);
        if let Some((_, other)) = similar
            && let Some(Lookup::Found(store)) = shelf.found.get(&(namespace.to_owned(), other.clone()))
        {
            labels.push(Label { span: store.span, message: format!("{} has a similar name", store.title) });
        }
        Lookup::Missing(Missing {
            rule,
            message: format!("no {kind} {name} in namespace {namespace} is made by anything in the sources"),
            labels,
        })
    }
}

impl Store {
    /// A store that cert-manager fills.
    pub(super) fn planned(title: String, span: Span, entries: Entries, unseen: Option<String>) -> Self {
        Self { title, span, entries, unseen, namespace_written: true }
    }

    /// The content of a key.
    pub fn key(&self, key: &str) -> Lookup<Content> {
        match (self.entries.get(key), &self.unseen) {
            (Some(content), _) => Lookup::Found(content.clone()),
            (None, Some(why)) => Lookup::Unseen(why.clone()),
            (None, None) => Lookup::Missing(self.missing_key(key)),
        }
    }

    /// That it has no such key.
    pub(super) fn missing_key(&self, key: &str) -> Missing {
        let have: Vec<&str> = self.entries.keys().map(String::as_str).collect();
        let have = if have.is_empty() { "no key".to_owned() } else { have.join(", ") };
        Missing {
            rule: "missing-key",
            message: format!("{} has no key {key}; it has {have}", self.title),
            labels: vec![Label { span: self.span, message: format!("has {have}") }],
        }
    }
}

impl Shelf {
    fn put(&mut self, namespace: &str, name: &str, store: Lookup<Store>) {
        let of_certificates = match &store {
            Lookup::Found(store) => store.entries.keys().any(|key| holds_certificates(key)),
            // a Certificate that is not issued
            Lookup::Missing(_) | Lookup::Unseen(_) => true,
        };
        if of_certificates {
            self.with_certificates.insert(namespace.to_owned());
        }
        let before = self.found.insert((namespace.to_owned(), name.to_owned()), store);
        if before.is_none() {
            self.names.entry(namespace.to_owned()).or_default().push(name.to_owned());
        }
        let namespaces = self.namespaces.entry(name.to_owned()).or_default();
        if !namespaces.iter().any(|other| other == namespace) {
            namespaces.push(namespace.to_owned());
        }
    }
}

/// What is missing, unless such objects of that namespace are kept elsewhere: by hand, in another repository.
fn kept(here: bool, found: Lookup<&Store>) -> Lookup<&Store> {
    match found {
        Lookup::Missing(missing) if missing.labels.is_empty() && !here => Lookup::Unseen(missing.message),
        found => found,
    }
}

/// Whether a key is called as files of certificates and keys are.
fn holds_certificates(key: &str) -> bool {
    let ending = key.rsplit_once('.').map_or("", |(_, ending)| ending);
    matches!(ending, "crt" | "pem" | "cer" | "cert" | "key" | "p12" | "pfx" | "jks")
}

/// How many characters have to be put in, taken out or changed; more than 2 count as 3.
pub(super) fn distance(one: &str, other: &str) -> usize {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len().abs_diff(other.len()) > 2 {
        return 3;
    }
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, byte) in one.iter().enumerate() {
        let mut diagonal = at;
        let mut left = at + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, with) in row.iter_mut().skip(1).zip(other) {
            let best = (diagonal + usize::from(byte != with)).min(left + 1).min(*cell + 1);
            diagonal = *cell;
            *cell = best;
            left = best;
        }
    }
    row.last().copied().unwrap_or(3)
}

fn store(kind: &str, metadata: &crate::dialect::kubernetes::Metadata, data: Vec<Datum>) -> Store {
    let mut unread = BTreeSet::new();
    let mut entries = Vec::with_capacity(data.len());
    for datum in data {
        match datum.value {
            // an empty value is filled in by whoever owns the Secret
            Ok(text) if kind == "Secret" && text.bytes().is_empty() => {
                entries.push((datum.key.value, Content::Empty));
            }
            Ok(text) => {
                entries.push((datum.key.value, Content::Bytes(text)));
            }
            Err(why) => {
                unread.insert(why);
            }
        }
    }
    let unseen = unread.into_iter().next().map(|why| format!("{why} in {kind} {}", metadata.path()));
    let filled = || filler(metadata).map(|who| format!("{kind} {} is filled by {who}", metadata.path()));
    let unseen = unseen.or_else(filled);
    Store {
        title: format!("{kind} {}", metadata.path()),
        span: metadata.name.span,
        entries: entries.into_iter().collect(),
        unseen,
        namespace_written: metadata.namespace.is_some(),
    }
}

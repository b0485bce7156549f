//! References of Pods that lead nowhere, whatever their programs are: the kubelet starts no such container.
//!
//! A Secret or ConfigMap that is not among the sources is often made by hand, or by another repository. It is said to be
//! missing where one of almost the same name, or the same name in another namespace, stands there.

use super::PodIdentity;
use super::stores::{Store, Stores};
use crate::deployment::{Lookup, Missing};
use crate::dialect::kubernetes::{
    Container, EnvironmentValue, KeyReference, Keys, Projection, VolumeSource, Workload,
};
use crate::finding::Label;
use crate::resolve::machine::Mount;
use crate::source::Located;

/// What a container's volumes and variables name in vain; the place comes first among the labels.
pub(super) fn references(
    workload: &Workload,
    container: &Container,
    pod: &PodIdentity,
    stores: &Stores,
) -> Vec<Missing> {
    let mut found = Vec::new();
    let store = |secret: bool, name: &Located<String>| match secret {
        true => stores.secret(&pod.namespace, &name.value, pod.namespace_written),
        false => stores.config_map(&pod.namespace, &name.value, pod.namespace_written),
    };
    for mount in &container.mounts {
        let Some(volume) = workload.pod.volume(&mount.volume.value) else { continue };
        let sources: Vec<(bool, &Keys)> = match &volume.source {
            VolumeSource::Secret(keys) => vec![(true, keys)],
            VolumeSource::ConfigMap(keys) => vec![(false, keys)],
            VolumeSource::Projected { sources, .. } => sources.iter().filter_map(projected).collect(),
            _ => continue,
        };
        for (secret, keys) in sources.into_iter().filter(|(_, keys)| !keys.optional) {
            let Some(name) = &keys.name else { continue };
            let items = || keys.items.iter().flatten().map(|item| &item.key);
            match store(secret, name) {
                Lookup::Missing(missing) if !missing.labels.is_empty() => {
                    found.extend(absent(missing, name, "this is mounted"));
                }
                Lookup::Found(store) => {
                    found.extend(items().filter_map(|key| without(store, key, "this key is mounted")));
                }
                _ => {}
            }
        }
    }
    for variable in &container.env {
        let (secret, KeyReference { name, key, optional }) = match &variable.value {
            EnvironmentValue::SecretKey(reference) => (true, reference),
            EnvironmentValue::ConfigMapKey(reference) => (false, reference),
            _ => continue,
        };
        if *optional {
            continue;
        }
        let what = format!("{} takes its value from it", variable.name.value);
        match store(secret, name) {
            Lookup::Missing(missing) if !missing.labels.is_empty() => {
                found.extend(absent(missing, name, &what))
            }
            Lookup::Found(store) => found.extend(without(store, key, &what)),
            _ => {}
        }
    }
    for source in container.env_from.iter().filter(|source| !source.optional) {
        if let Lookup::Missing(missing) = store(source.secret, &source.name)
            && !missing.labels.is_empty()
        {
            found.extend(absent(missing, &source.name, "variables are taken from it"));
        }
    }
    found
}

/// Mounts of volumes that the Pod does not have. A patch may well name those of what it changes.
pub(super) fn volumes(workload: &Workload, mounts: &[Mount]) -> Vec<Missing> {
    let whole = workload.has_selector
        || !matches!(workload.kind.as_str(), "Deployment" | "StatefulSet" | "DaemonSet");
    let missing = mounts.iter().filter_map(|mount| match &mount.content {
        Lookup::Missing(missing) => Some(missing.clone()),
        _ => None,
    });
    missing.filter(|missing| whole && missing.rule == "missing-volume").collect()
}

fn projected(source: &Projection) -> Option<(bool, &Keys)> {
    match source {
        Projection::Secret(keys) => Some((true, keys)),
        Projection::ConfigMap(keys) => Some((false, keys)),
        Projection::Written { .. } => None,
    }
}

/// An object that is not there; what keeps a Certificate from filling it is told elsewhere.
fn absent(mut missing: Missing, name: &Located<String>, what: &str) -> Option<Missing> {
    missing.labels.insert(0, Label { span: name.span, message: what.to_owned() });
    matches!(missing.rule, "missing-secret" | "missing-config-map").then_some(missing)
}

/// A key that an object does not have; one without any key is filled by somebody.
fn without(store: &Store, key: &Located<String>, what: &str) -> Option<Missing> {
    let Lookup::Missing(mut missing) = store.key(&key.value) else { return None };
    missing.labels.insert(0, Label { span: key.span, message: what.to_owned() });
    store.entries.keys().next().is_some().then_some(missing)
}

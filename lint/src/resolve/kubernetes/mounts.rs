//! Volumes and mounts: what stands at which path of a container.

use super::PodIdentity;
use super::environment::Environment;
use super::issue::Planning;
use super::stores::{Store, Stores};
use crate::deployment::{Content, Lookup, Missing};
use crate::dialect::cert_manager;
use crate::dialect::kubernetes::{
    Container, Keys, Pair, Projection, Volume, VolumeMount, VolumeSource, Workload,
};
use crate::finding::Label;
use crate::resolve::machine::{Entries, Mount, Mounted, normalise};
use crate::source::{Located, Span};

/// Permission bits of files in Secrets and ConfigMaps where none are written.
const DEFAULT_MODE: u32 = 0o644;

/// The mounts of a container.
pub(super) fn resolve(
    workload: &Workload,
    container: &Container,
    pod: &PodIdentity,
    environment: &Environment,
    stores: &Stores,
    planning: &mut Planning<'_>,
) -> Vec<Mount> {
    let mut mounts = Vec::with_capacity(container.mounts.len());
    for mount in &container.mounts {
        let path = normalise("/", &mount.path.value);
        let content = match workload.pod.volume(&mount.volume.value) {
            Some(volume) => {
                let folder = volume_content(volume, pod, stores, planning);
                let folder = group_readable(folder, workload.pod.fs_group);
                sub_path(folder, mount, environment, &path)
            }
            None => Lookup::Missing(Missing {
                rule: "missing-volume",
                message: format!(
                    "{} mounts the volume {}, which its Pod does not have",
                    container.name.value, mount.volume.value
                ),
                labels: vec![Label {
                    span: mount.volume.span,
                    message: "no volume has this name".to_owned(),
                }],
            }),
        };
        mounts.push(Mount { path, span: mount.path.span, content });
    }
    mounts
}

fn volume_content(
    volume: &Volume,
    pod: &PodIdentity,
    stores: &Stores,
    planning: &mut Planning<'_>,
) -> Lookup<Mounted> {
    match &volume.source {
        VolumeSource::Secret(keys) => folder(keys, true, None, pod, stores),
        VolumeSource::ConfigMap(keys) => folder(keys, false, None, pod, stores),
        VolumeSource::Projected { sources, mode } => projected(volume, sources, *mode, pod, stores),
        VolumeSource::CertManager { attributes } => csi(volume, attributes, pod, stores, planning),
        VolumeSource::EmptyDir => Lookup::Found(Mounted::Opaque(format!(
            "the emptyDir volume {} is filled while the Pod runs",
            volume.name.value
        ))),
        VolumeSource::HostPath(path) => {
            Lookup::Found(Mounted::Opaque(format!("{} lies on the node", path.value)))
        }
        VolumeSource::Other(kind) => Lookup::Found(Mounted::Opaque(format!(
            "the volume {} ({kind}) lies outside the sources",
            volume.name.value
        ))),
    }
}

/// A Secret or ConfigMap as a folder.
fn folder(
    keys: &Keys,
    secret: bool,
    default_mode: Option<u32>,
    pod: &PodIdentity,
    stores: &Stores,
) -> Lookup<Mounted> {
    let kind = if secret { "Secret" } else { "ConfigMap" };
    let Some(name) = &keys.name else {
        return Lookup::Missing(Missing {
            rule: if secret { "missing-secret" } else { "missing-config-map" },
            message: format!("this volume names no {kind}"),
            labels: vec![Label { span: keys.span, message: format!("no {kind} is named") }],
        });
    };
    let store = if secret {
        stores.secret(&pod.namespace, &name.value, pod.namespace_written)
    } else {
        stores.config_map(&pod.namespace, &name.value, pod.namespace_written)
    };
    let mode = Some(keys.mode.or(default_mode).unwrap_or(DEFAULT_MODE));
    let store = match store {
        Lookup::Found(store) => store,
        Lookup::Missing(_) if keys.optional => {
            return Lookup::Found(Mounted::Folder {
                name: format!("{kind} {}/{}", pod.namespace, name.value),
                span: name.span,
                entries: Entries::default(),
                mode,
                unseen: Some(format!("{kind} {} is optional and not among the sources", name.value)),
            });
        }
        Lookup::Missing(mut missing) => {
            let message = format!("this {kind} is mounted");
            missing.labels.insert(0, Label { span: name.span, message });
            return Lookup::Missing(missing);
        }
        Lookup::Unseen(why) => return Lookup::Unseen(why),
    };
    let mut unseen = store.unseen.clone();
    let mut item_mode = None;
    let entries = match &keys.items {
        None => store.entries.clone(),
        Some(items) => {
            let mut entries = Vec::with_capacity(items.len());
            for item in items {
                match store.key(&item.key.value) {
                    Lookup::Found(content) => {
                        let path = normalise("/", &item.path.value);
                        entries.push((path.trim_start_matches('/').to_owned(), content));
                        item_mode = item_mode.max(item.mode);
                    }
                    Lookup::Missing(_) if keys.optional => {}
                    Lookup::Missing(mut missing) => {
                        let message = "this key is mounted".to_owned();
                        missing.labels.insert(0, Label { span: item.key.span, message });
                        return Lookup::Missing(missing);
                    }
                    Lookup::Unseen(why) => unseen = Some(why),
                }
            }
            // only the listed keys are there, so nothing else can come
            if items.iter().all(|item| store.entries.get(&item.key.value).is_some()) {
                unseen = None;
            }
            entries.into_iter().collect()
        }
    };
    Lookup::Found(Mounted::Folder {
        name: store.title.clone(),
        span: store.span,
        entries,
        mode: item_mode.or(mode),
        unseen,
    })
}

/// Several sources in one folder.
fn projected(
    volume: &Volume,
    sources: &[Projection],
    mode: Option<u32>,
    pod: &PodIdentity,
    stores: &Stores,
) -> Lookup<Mounted> {
    let mut names: Vec<String> = Vec::new();
    let mut all = Vec::new();
    let mut place: Option<Span> = None;
    let mut later: Option<String> = None;
    for source in sources {
        let one = match source {
            Projection::Secret(keys) => folder(keys, true, mode, pod, stores),
            Projection::ConfigMap(keys) => folder(keys, false, mode, pod, stores),
            Projection::Written { kind, .. } => {
                later.get_or_insert(format!("{kind} is written while the Pod runs"));
                continue;
            }
        };
        match one {
            Lookup::Found(Mounted::Folder { name, span, entries, unseen, .. }) => {
                names.push(name);
                place.get_or_insert(span);
                all.extend(entries.iter().map(|(name, content)| (name.clone(), content.clone())));
                if let Some(why) = unseen {
                    later.get_or_insert(why);
                }
            }
            Lookup::Found(_) => {}
            Lookup::Missing(missing) => return Lookup::Missing(missing),
            Lookup::Unseen(why) => {
                later.get_or_insert(why);
            }
        }
    }
    let name = if names.is_empty() { format!("volume {}", volume.name.value) } else { names.join(" with ") };
    let span = place.unwrap_or(volume.name.span);
    let mode = Some(mode.unwrap_or(DEFAULT_MODE));
    Lookup::Found(Mounted::Folder { name, span, entries: all.into_iter().collect(), mode, unseen: later })
}

/// A certificate that cert-manager's CSI driver has issued for the Pod.
fn csi(
    volume: &Volume,
    attributes: &[Pair],
    pod: &PodIdentity,
    stores: &Stores,
    planning: &mut Planning<'_>,
) -> Lookup<Mounted> {
    let mut known = Vec::with_capacity(attributes.len());
    for pair in attributes {
        let mut value = pair.value.value.replace("${POD_NAMESPACE}", &pod.namespace);
        if let Some(name) = &pod.name {
            value = value.replace("${POD_NAME}", name);
        }
        if value.contains("${") {
            return Lookup::Found(Mounted::Opaque(format!(
                "{} of volume {} is known only once the Pod runs",
                pair.key.value, volume.name.value
            )));
        }
        known.push(Pair { key: pair.key.clone(), value: Located::new(value, pair.value.span) });
    }
    let place = volume.name.span;
    let request = cert_manager::csi_request(&known, &pod.namespace, pod.namespace_written, place);
    let title = format!("volume {} of {}", volume.name.value, pod.owner);
    match planning.volume(&request.certificate, title, stores) {
        Lookup::Found(Store { title, span, entries, unseen, .. }) => {
            let renamed = entries.iter().map(|(key, content)| {
                let name = match key.as_str() {
                    "tls.crt" => request.certificate_file.clone(),
                    "tls.key" => request.key_file.clone(),
                    "ca.crt" => request.ca_file.clone(),
                    _ => key.clone(),
                };
                (name, content.clone())
            });
            let entries = renamed.collect();
            Lookup::Found(Mounted::Folder { name: title, span, entries, mode: None, unseen })
        }
        Lookup::Missing(missing) => Lookup::Missing(missing),
        Lookup::Unseen(why) => Lookup::Unseen(why),
    }
}

/// `fsGroup` lets the group read what the owner reads.
fn group_readable(content: Lookup<Mounted>, fs_group: Option<i64>) -> Lookup<Mounted> {
    content.map(|mounted| match mounted {
        Mounted::Folder { name, span, entries, mode, unseen } if fs_group.is_some() => {
            Mounted::Folder { name, span, entries, mode: mode.map(|mode| mode | 0o040), unseen }
        }
        other => other,
    })
}

/// A file or folder within a volume.
fn sub_path(
    folder: Lookup<Mounted>,
    mount: &VolumeMount,
    environment: &Environment,
    path: &str,
) -> Lookup<Mounted> {
    let wanted = match (&mount.sub_path, &mount.sub_path_expr) {
        (Some(wanted), _) => wanted.clone(),
        (None, Some(expression)) => match environment.expanded(expression).0 {
            Lookup::Found(wanted) => wanted,
            Lookup::Missing(missing) => return Lookup::Missing(missing),
            Lookup::Unseen(why) => return Lookup::Unseen(why),
        },
        (None, None) => return folder,
    };
    let Lookup::Found(Mounted::Folder { name, span, entries, mode, unseen }) = folder else { return folder };
    let key = normalise("/", &wanted.value);
    let key = key.trim_start_matches('/');
    if key.is_empty() {
        return Lookup::Found(Mounted::Folder { name, span, entries, mode, unseen });
    }
    if let Some(content) = entries.get(key) {
        return match content {
            Content::Folder => Lookup::Unseen(format!("{} is a folder", wanted.value)),
            content => Lookup::Found(Mounted::File(content.clone())),
        };
    }
    let prefix = format!("{key}/");
    let beneath: Entries = entries
        .iter()
        .filter_map(|(name, content)| Some((name.strip_prefix(&prefix)?.to_owned(), content.clone())))
        .collect();
    if beneath.keys().next().is_some() {
        return Lookup::Found(Mounted::Folder { name, span, entries: beneath, mode, unseen });
    }
    if let Some(why) = unseen {
        return Lookup::Unseen(why);
    }
    let have: Vec<&str> = entries.keys().map(String::as_str).collect();
    let have = if have.is_empty() { "no key".to_owned() } else { have.join(", ") };
    Lookup::Missing(Missing {
        rule: "missing-key",
        message: format!("{name} has no key {key}, so an empty folder is mounted at {path}; it has {have}"),
        labels: vec![
            Label { span: wanted.span, message: "this subPath leads to nothing".to_owned() },
            Label { span, message: format!("has {have}") },
        ],
    })
}

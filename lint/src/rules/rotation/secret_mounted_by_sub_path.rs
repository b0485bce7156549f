use super::is_restarted;
use crate::dialect::kubernetes::{Keys, Projection, VolumeSource, Workload};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::source::Span;

rule! {
    /// A Secret that is renewed is mounted by subPath, and the container never sees the new one.
    ///
    /// ## Why it matters
    ///
    /// The kubelet updates the files of a mounted Secret (or of a ConfigMap that a Bundle of trust-manager fills) within a
    /// minute or two, but not those mounted by `subPath`:
    /// they stay as they were when the container started. The certificate in the container expires while the Secret
    /// holds a good one.
    ///
    /// ## How to fix
    ///
    /// Mount the folder, and name the file in the configuration:
    ///
    /// ```yaml
    /// volumeMounts:
    ///   - name: tls
    ///     mountPath: /etc/tls
    ///     readOnly: true
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - `certificate has expired`, although the cluster's Secret is a new one
    ///
    /// ## Reference
    ///
    /// <https://kubernetes.io/docs/concepts/storage/volumes/#using-subpath>
    "secret-mounted-by-sub-path", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for workload in &subject.deployment.manifests.workloads {
        // a Job ends before that, and what is restarted sees the new one
        if workload.kind.ends_with("Job") || is_restarted(workload) {
            continue;
        }
        for (container, init) in workload.pod.all() {
            for mount in container.mounts.iter().filter(|_| !init || container.restarts) {
                let Some(sub_path) = mount.sub_path.as_ref().or(mount.sub_path_expr.as_ref()) else {
                    continue;
                };
                let Some(volume) = workload.pod.volume(&mount.volume.value) else { continue };
                let Some(renewed) = renewed(subject, workload, &volume.source, &sub_path.value) else {
                    continue;
                };
                findings.push(RULE.finding(
                    format!(
                        "container {} of {} {} mounts {} of {} by subPath, and never sees it renewed",
                        container.name.value,
                        workload.kind,
                        workload.metadata.path(),
                        sub_path.value,
                        renewed.title
                    ),
                    Some("mount the whole volume in a folder of its own, without subPath".to_owned()),
                    vec![
                        Label {
                            span: sub_path.span,
                            message: "stays as it was when the container started".to_owned(),
                        },
                        Label { span: renewed.place, message: format!("renewed by {}", renewed.by) },
                    ],
                ));
            }
        }
    }
}

/// An object that somebody renews.
struct Renewed {
    /// `Secret web-tls`
    title: String,
    /// `Certificate web`
    by: String,
    place: Span,
}

/// The renewed object that a file of a volume comes from.
fn renewed(subject: &Subject<'_>, workload: &Workload, source: &VolumeSource, path: &str) -> Option<Renewed> {
    let secret = |keys: &Keys| secret(subject, workload.metadata.namespace(), &keys.name.as_ref()?.value);
    let config_map = |keys: &Keys| config_map(subject, &keys.name.as_ref()?.value);
    match source {
        VolumeSource::Secret(keys) => secret(keys),
        VolumeSource::ConfigMap(keys) => config_map(keys),
        // of several sources with a file of one name the last is there
        VolumeSource::Projected { sources, .. } => sources.iter().rev().find_map(|source| match source {
            Projection::Secret(keys) if has(keys, path) => secret(keys),
            Projection::ConfigMap(keys) if keys.items.is_some() && has(keys, path) => config_map(keys),
            _ => None,
        }),
        _ => None,
    }
}

/// Whether a source has a file of this name; where it lists none, those of a Certificate's Secret.
fn has(keys: &Keys, path: &str) -> bool {
    match &keys.items {
        Some(items) => items.iter().any(|item| item.path.value.trim_start_matches("./") == path),
        None => matches!(path, "tls.crt" | "tls.key" | "ca.crt"),
    }
}

fn secret(subject: &Subject<'_>, namespace: &str, name: &str) -> Option<Renewed> {
    subject.deployment.manifests.certificates.iter().find_map(|certificate| {
        let secret = certificate.secret_name.as_ref()?;
        let same = certificate.metadata.namespace() == namespace && secret.value == name;
        same.then(|| Renewed {
            title: format!("Secret {name}"),
            by: format!("Certificate {}", certificate.metadata.name.value),
            place: secret.span,
        })
    })
}

/// trust-manager writes a ConfigMap under the name of its Bundle into every namespace.
fn config_map(subject: &Subject<'_>, name: &str) -> Option<Renewed> {
    let manifests = &subject.deployment.manifests;
    let bundle = manifests.bundles.iter().find(|bundle| bundle.value == name)?;
    if manifests.config_maps.iter().any(|map| map.metadata.name.value == name) {
        return None;
    }
    let (title, by) = (format!("ConfigMap {name}"), format!("Bundle {name}"));
    Some(Renewed { title, by, place: bundle.span })
}

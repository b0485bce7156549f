use crate::dialect::kubernetes::{Projection, VolumeSource};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A Secret that is renewed is mounted by subPath, and the container never sees the new one.
    ///
    /// ## Why it matters
    ///
    /// The kubelet updates the files of a mounted Secret within a minute or two, but not those mounted by `subPath`:
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
    let manifests = &subject.deployment.manifests;
    for workload in &manifests.workloads {
        let namespace = workload.metadata.namespace();
        for (container, init) in workload.pod.all() {
            for mount in &container.mounts {
                let Some(sub_path) = mount.sub_path.as_ref().filter(|_| !init) else { continue };
                let Some(volume) = workload.pod.volume(&mount.volume.value) else { continue };
                let secrets: Vec<&str> = match &volume.source {
                    VolumeSource::Secret(keys) => keys.name.iter().map(|name| name.value.as_str()).collect(),
                    VolumeSource::Projected { sources, .. } => sources
                        .iter()
                        .filter_map(|source| match source {
                            Projection::Secret(keys) => keys.name.as_ref().map(|name| name.value.as_str()),
                            _ => None,
                        })
                        .collect(),
                    _ => continue,
                };
                let mut certificates = manifests.certificates.iter();
                let renewed = certificates.find_map(|certificate| {
                    let secret = certificate.secret_name.as_ref()?;
                    let same = certificate.metadata.namespace() == namespace
                        && secrets.contains(&secret.value.as_str());
                    same.then_some((certificate, secret))
                });
                let Some((certificate, secret)) = renewed else { continue };
                findings.push(RULE.finding(
                    format!(
                        "container {} of {} {} mounts {} of Secret {} by subPath, and never sees it renewed",
                        container.name.value,
                        workload.kind,
                        workload.metadata.path(),
                        sub_path.value,
                        secret.value
                    ),
                    Some("mount the whole Secret in a folder of its own, without subPath".to_owned()),
                    vec![
                        Label {
                            span: sub_path.span,
                            message: "stays as it was when the container started".to_owned(),
                        },
                        Label {
                            span: secret.span,
                            message: format!("renewed by Certificate {}", certificate.metadata.name.value),
                        },
                    ],
                ));
            }
        }
    }
}

use crate::dialect::kubernetes::VolumeSource;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A volume is mounted over the folder of the system's certificates.
    ///
    /// `/etc/ssl/certs` holds the bundle of public CAs. A volume mounted there hides it from every program of the
    /// container.
    ///
    /// ## Why it matters
    ///
    /// The program's own CA works, but everything else that trusts public CAs fails: plugins that call an identity
    /// provider, package managers, `curl` in the container. The cause stands far from the symptom.
    ///
    /// ## How to fix
    ///
    /// Mount the volume in a folder of its own, and name that folder in the configuration:
    ///
    /// ```yaml
    /// volumeMounts:
    ///   - name: etcd-client
    ///     mountPath: /etc/apisix/etcd-client
    ///     readOnly: true
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// `unable to get local issuer certificate`, `error setting certificate verify locations`, for public hosts.
    ///
    /// ## Reference
    ///
    /// <https://kubernetes.io/docs/concepts/storage/volumes/>
    "shadowed-system-trust", Warning, check
}

/// Folders in which the usual images keep the system's bundle.
const SYSTEM: [&str; 5] =
    ["/etc/ssl", "/etc/ssl/certs", "/etc/pki/tls/certs", "/etc/pki/ca-trust", "/usr/share/ca-certificates"];

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for workload in &subject.deployment.manifests.workloads {
        for (container, _) in workload.pod.all() {
            for mount in container.mounts.iter().filter(|mount| mount.sub_path.is_none()) {
                let folder = mount.path.value.trim_end_matches('/');
                if !SYSTEM.contains(&folder) {
                    continue;
                }
                let volume =
                    workload.pod.volumes.iter().find(|volume| volume.name.value == mount.volume.value);
                // a bundle of the operator's own may well come here: only a Secret surely is none
                let secret = volume.filter(|volume| matches!(volume.source, VolumeSource::Secret { .. }));
                let Some(volume) = secret else { continue };
                findings.push(RULE.finding(
                    format!(
                        "container {} of {} {} mounts a Secret over {folder}, where the system keeps its trust bundle",
                        container.name.value,
                        workload.kind,
                        workload.metadata.path()
                    ),
                    Some("mount the Secret in a folder of its own, for instance /etc/tls".to_owned()),
                    vec![
                        Label { span: mount.path.span, message: "hides the system's trust bundle".to_owned() },
                        Label { span: volume.name.span, message: "this Secret's files are all that is left".to_owned() },
                    ],
                ));
            }
        }
    }
}

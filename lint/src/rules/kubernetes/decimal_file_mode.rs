use crate::dialect::kubernetes::{Keys, Projection, VolumeSource};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// The permissions of mounted files are written in decimal.
    ///
    /// ## Why it matters
    ///
    /// Permissions are thought of in octal: `400`, without the zero in front, is 0620 and lets the group write; from
    /// `512` on the API server refuses the object. A program that insists on a private key for its owner alone refuses
    /// to start.
    ///
    /// ## How to fix
    ///
    /// Write the zero, or in JSON the decimal number (0400 is 256, 0440 is 288):
    ///
    /// ```yaml
    /// defaultMode: 0400
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - `defaultMode: Invalid value: …: must be a number between 0 and 0777 (octal), both inclusive`
    /// - `Permissions … for "…" are too open`
    ///
    /// ## Reference
    ///
    /// <https://kubernetes.io/docs/concepts/configuration/secret/#secret-files-permissions>
    "decimal-file-mode", Warning, check
}

/// What people write when they mean octal.
const MEANT: [u32; 12] = [400, 440, 444, 500, 550, 555, 600, 640, 644, 660, 750, 755];

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for workload in &subject.deployment.manifests.workloads {
        for volume in &workload.pod.volumes {
            let keys: Vec<&Keys> = match &volume.source {
                VolumeSource::Secret(keys) | VolumeSource::ConfigMap(keys) => vec![keys],
                VolumeSource::Projected { sources, .. } => sources
                    .iter()
                    .filter_map(|source| match source {
                        Projection::Secret(keys) | Projection::ConfigMap(keys) => Some(keys),
                        Projection::Written { .. } => None,
                    })
                    .collect(),
                _ => continue,
            };
            for keys in keys {
                let (Some(mode), Some(span)) =
                    (keys.mode.filter(|mode| MEANT.contains(mode)), keys.mode_place)
                else {
                    continue;
                };
                let becomes = if mode > 0o777 {
                    "more than there is".to_owned()
                } else {
                    format!("0{mode:o} in octal")
                };
                findings.push(RULE.finding(
                    format!(
                        "volume {} of {} {} has the mode {mode} in decimal, which is {becomes}",
                        volume.name.value,
                        workload.kind,
                        workload.metadata.path()
                    ),
                    Some(format!("write 0{mode}")),
                    vec![Label { span, message: becomes }],
                ));
            }
        }
    }
}

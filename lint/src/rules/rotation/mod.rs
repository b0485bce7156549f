//! Mistakes that show when a certificate is renewed.

pub mod rekeyed_authority;
pub mod renewal_loop;
pub mod renewed_after_issuer_expires;
pub mod reused_key;
pub mod secret_mounted_by_sub_path;
pub mod unreloaded_certificate;

use crate::dialect::kubernetes::Workload;

/// Beginnings of the annotations by which a workload is restarted.
const RESTARTED: [&str; 6] = [
    "reloader.stakater.com/",
    "secret.reloader.stakater.com/",
    "wave.pusher.com/",
    "k8s.trilium.io/",
    "checksum/",
    "configmap.reloader.stakater.com/",
];

/// Whether something restarts the Pods of a workload when what they mount changes.
fn is_restarted(workload: &Workload) -> bool {
    let annotations = workload.metadata.annotations.iter().chain(&workload.pod_annotations);
    let mut keys = annotations.map(|pair| pair.key.value.as_str());
    keys.any(|key| RESTARTED.iter().any(|start| key.starts_with(start)))
}

//! Images of etcd: some start it by a script of their own.

use crate::deployment::Refusal;
use crate::dialect::etcd::{self, EtcdConfig};
use crate::resolve::Launch;

/// `bitnami/etcd`, `docker.io/bitnamilegacy/etcd:3.5`, `public.ecr.aws/bitnami/etcd@sha256:…`.
pub(super) fn is_bitnami(image: &str) -> bool {
    let name = image.split('@').next().unwrap_or_default();
    let mut parts = name.rsplit('/');
    let is_etcd = parts.next().is_some_and(|last| last.split(':').next() == Some("etcd"));
    is_etcd && parts.next().is_some_and(|owner| owner.starts_with("bitnami"))
}

/// Images that start etcd itself, without a script before it.
pub(super) fn is_stock(image: &str) -> bool {
    let name = image.split('@').next().unwrap_or_default();
    [
        "coreos/etcd",
        "etcd-development/etcd",
        "registry.k8s.io/etcd",
        "k8s.gcr.io/etcd",
        "google_containers/etcd",
    ]
    .iter()
    .any(|known| name.contains(known))
}

/// In an image that nobody knows, a start script may give what etcd demands beside the environment.
pub(super) fn leave_to_start_script(config: &mut EtcdConfig, launch: &Launch) {
    let by_flags = launch.arguments.iter().any(|word| word.value.contains("listen-client-urls"));
    let demanded = |refusal: &Refusal| refusal.message == etcd::ADVERTISE_MISSING;
    if !by_flags && config.refusals.iter().any(demanded) {
        config.refusals.retain(|refusal| !demanded(refusal));
        config.unseen.push(
            "etcd demands advertise-client-urls, and whether the image sets it was not seen".to_owned(),
        );
    }
}

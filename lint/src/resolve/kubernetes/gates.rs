//! What cert-manager's webhook refuses because a feature gate is off, where its own Deployment is among the sources.
//!
//! Source: cert-manager `internal/webhook/feature/features.go`: NameConstraints came with 1.14, and is off unless it is
//! asked for (read as far as 1.17).

use crate::assume::image_version;
use crate::deployment::{Refusal, Version};
use crate::dialect::cert_manager::Certificate;
use crate::dialect::kubernetes::{Container, Workload};
use crate::finding::Label;
use crate::source::Span;

/// Certificates with name constraints beside a webhook that does not take them.
pub(super) fn refusals(certificates: &[Certificate], workloads: &[Workload]) -> Vec<Refusal> {
    let containers = workloads.iter().flat_map(|workload| &workload.pod.containers);
    let webhooks: Vec<(&Container, Span)> =
        containers.filter_map(|container| Some((container, webhook(container)?))).collect();
    let (Some((_, image)), true) = (webhooks.first(), webhooks.iter().all(|(it, _)| is_off(it))) else {
        return Vec::new();
    };
    let constrained = certificates.iter().filter(|certificate| *certificate.is_ca.value());
    let refused = constrained.filter_map(|certificate| {
        let place = certificate.name_constraints.as_ref()?.0;
        Some(Refusal {
            rule: "gated-name-constraints",
            message: format!(
                "Certificate {} has name constraints, and the webhook of cert-manager does not take them",
                certificate.metadata.path()
            ),
            labels: vec![
                Label { span: place, message: "refused where the feature gate is off".to_owned() },
                Label { span: *image, message: "this webhook is started without the gate".to_owned() },
            ],
            help: None,
            log: Some("feature gate NameConstraints must be enabled".to_owned()),
        })
    });
    refused.collect()
}

/// The image of a webhook of a version that has the gate off by default.
fn webhook(container: &Container) -> Option<Span> {
    let image = container.image.as_ref()?;
    let name = image.value.split('@').next()?.rsplit('/').next()?.split(':').next()?;
    let gated = Version(1, 14, 0)..Version(1, 18, 0);
    (name == "cert-manager-webhook" && gated.contains(&image_version(&image.value)?)).then_some(image.span)
}

/// Whether the gate is off: nothing on the command line speaks of gates, nor of a file that may.
fn is_off(container: &Container) -> bool {
    let mut words = container.command.iter().chain(&container.args);
    !words.any(|word| ["--feature-gates", "--config"].iter().any(|flag| word.value.starts_with(flag)))
}

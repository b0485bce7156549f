//! Where cert-manager's controller looks for the Secrets of ClusterIssuers (`--cluster-resource-namespace`).

use crate::dialect::kubernetes::{Container, EnvironmentValue, Workload};

/// Its chart installs it here, and names its own namespace by the flag.
const USUAL: &str = "cert-manager";
/// The flag's own default.
const WITHOUT_FLAG: &str = "kube-system";
const FLAG: &str = "--cluster-resource-namespace";

/// The namespace: as the controller among the sources is told, else the usual one.
pub(super) fn cluster_resources(workloads: &[Workload]) -> String {
    let told = workloads.iter().find_map(|workload| {
        let mut containers = workload.pod.containers.iter();
        told(containers.find(|container| is_controller(container))?, workload)
    });
    told.unwrap_or_else(|| USUAL.to_owned())
}

fn is_controller(container: &Container) -> bool {
    let image = container.image.as_ref().and_then(|image| image.value.split('@').next());
    let name = image.and_then(|image| image.rsplit('/').next()).and_then(|name| name.split(':').next());
    name == Some("cert-manager-controller")
}

/// None where a file may say it, or the value is not seen.
fn told(container: &Container, workload: &Workload) -> Option<String> {
    let words: Vec<&str> =
        container.command.iter().chain(&container.args).map(|word| word.value.as_str()).collect();
    if words.iter().any(|word| word.starts_with("--config")) {
        return None;
    }
    let Some(at) = words.iter().position(|word| word.starts_with(FLAG)) else {
        return Some(WITHOUT_FLAG.to_owned());
    };
    let value = match words.get(at)?.split_once('=') {
        Some((_, value)) => value,
        None => words.get(at + 1)?,
    };
    let Some(name) = value.strip_prefix("$(").and_then(|rest| rest.strip_suffix(')')) else {
        return Some(value.to_owned());
    };
    let variable = container.env.iter().find(|variable| variable.name.value == name)?;
    match &variable.value {
        EnvironmentValue::Text(text) => Some(text.value.clone()),
        EnvironmentValue::Field(path) if path.value == "metadata.namespace" => {
            workload.metadata.namespace.as_ref().map(|namespace| namespace.value.clone())
        }
        _ => None,
    }
}

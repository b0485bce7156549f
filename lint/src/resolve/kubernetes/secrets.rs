//! Which values of manifests no output may show.

use crate::dialect::kubernetes;
use crate::source::{Span, Text};

/// The places whose text must not be shown.
pub(super) fn places(own: &kubernetes::Fragment) -> Vec<Span> {
    let data = own.secrets.iter().flat_map(|secret| &secret.data);
    // certificates are public, whatever they lie in
    let hidden = data.filter(|datum| !matches!(datum.key.value.as_str(), "tls.crt" | "ca.crt"));
    let hidden = hidden.filter_map(|datum| datum.value.as_ref().ok());
    // nothing is hidden by what is not there
    let hidden = hidden.filter(|text| !text.bytes().is_empty()).map(Text::full_span);
    let containers = own.workloads.iter().flat_map(|workload| workload.pod.all());
    let variables = containers.flat_map(|(container, _)| &container.env);
    let passwords = variables.filter_map(|variable| match &variable.value {
        kubernetes::EnvironmentValue::Text(text)
            if names_a_password(&variable.name.value)
                // ETCDCTL_USER=root:word
                || (variable.name.value.ends_with("_USER") && text.value.contains(':')) =>
        {
            Some(text.span)
        }
        _ => None,
    });
    let keys = own.config_maps.iter().flat_map(|map| &map.data).filter(|datum| datum.holds_private_key());
    let keys = keys.filter_map(|datum| datum.value.as_ref().ok()).map(Text::full_span);
    hidden.chain(passwords).chain(keys).chain(own.hidden.iter().copied()).collect()
}

/// Whether a variable of this name holds a password, token or key (and not the path of one).
pub fn names_a_password(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let path = ["_FILE", "_PATH", "_DIR"].iter().any(|ending| name.ends_with(ending));
    let words = ["PASSWORD", "PASSWD", "TOKEN", "SECRET", "API_KEY", "APIKEY", "ADMIN_KEY", "PRIVATE_KEY"];
    // etcd's cluster token only tells clusters apart
    !path && name != "ETCD_INITIAL_CLUSTER_TOKEN" && words.iter().any(|word| name.contains(word))
}

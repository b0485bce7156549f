//! Mistakes of the plumbing: mounts, Secrets, environments.

pub mod decimal_file_mode;
pub mod double_encoded_secret;
pub mod empty_tls_secret;
pub mod folded_configuration;
pub mod issuer_without_ca;
pub mod literal_password;
pub mod missing_config_map;
pub mod missing_issuer;
pub mod missing_key;
pub mod missing_secret;
pub mod missing_volume;
pub mod private_key_in_config_map;
pub mod probe_without_client_certificate;
pub mod retired_api_version;
pub mod shadowed_system_trust;
pub mod tls_secret_without_pair;
pub mod undecodable_secret;
pub mod unknown_service_port;
pub mod unknown_target_port;
pub mod unmatched_selector;
pub mod unmounted_path;

use std::collections::BTreeSet;

use mtls_identity::sorted;

use super::{Rule, Subject};
use crate::deployment::{Missing, PlannedIssuer};
use crate::finding::{Finding, Label};
use crate::source::Span;

/// References that lead nowhere, on the way of a prediction or of a program's start, with what to write.
fn lost(subject: &Subject<'_>, rule: &Rule, help: &str, findings: &mut Vec<Finding>) {
    let mut found = Vec::new();
    subject.named(rule, &mut found);
    nobody_starts(subject, rule, &mut found);
    // what keeps a Certificate from being issued is told once, where it stands
    let told: BTreeSet<Span> =
        sorted::set(unissued(subject).flat_map(|(_, missing)| &missing.labels).map(|label| label.span));
    found.retain(|finding| !finding.labels.iter().any(|label| told.contains(&label.span)));
    for finding in &mut found {
        finding.help.get_or_insert_with(|| help.to_owned());
    }
    findings.append(&mut found);
}

/// What Pods name in vain and no prediction speaks of: one finding for each object or key.
fn nobody_starts(subject: &Subject<'_>, rule: &Rule, found: &mut Vec<Finding>) {
    const MOST_PLACES: usize = 3;
    let told: BTreeSet<Span> =
        sorted::set(found.iter().flat_map(|finding| &finding.labels).map(|label| label.span));
    let first = found.len();
    for missing in subject.deployment.manifests.lost.iter().filter(|missing| missing.rule == rule.id) {
        let Some(place) = missing.labels.first().filter(|place| !told.contains(&place.span)) else {
            continue;
        };
        let mut others = found.iter_mut().skip(first);
        match others.find(|finding| finding.message == missing.message) {
            None => found.push(rule.finding(missing.message.clone(), None, missing.labels.clone())),
            Some(finding)
                if finding.labels.len() < missing.labels.len() + MOST_PLACES
                    && !finding.labels.iter().any(|label| label.span == place.span) =>
            {
                finding.labels.push(place.clone());
            }
            Some(_) => {}
        }
    }
}

/// Certificates that will not be issued, each for what keeps it from being issued, with what to write.
fn never_issued(subject: &Subject<'_>, rule: &Rule, help: &str, findings: &mut Vec<Finding>) {
    let mut places = BTreeSet::new();
    for (name, missing) in unissued(subject).filter(|(_, missing)| missing.rule == rule.id) {
        if places.insert(missing.labels.first().map(|label| label.span)) {
            let message = format!("{name} cannot be issued: {}", missing.message);
            let labels: Vec<Label> = missing.labels.clone();
            findings.push(rule.finding(message, Some(help.to_owned()), labels));
        }
    }
}

fn unissued<'a>(subject: &Subject<'a>) -> impl Iterator<Item = (&'a str, &'a Missing)> {
    subject.deployment.planned.iter().filter_map(|planned| match &planned.issuer {
        PlannedIssuer::Nobody(missing) => Some((planned.name.as_str(), missing)),
        _ => None,
    })
}

//! Fixes: where the remedy of a finding is one certain edit, the edit.
//!
//! A remedy works on the text that the user wrote, so comments and formatting stay; what it proposes counts only after
//! the edited sources were judged again: the finding is gone, nothing new is found, nothing that was read before is
//! unreadable, and no connection completes less. A remedy that would need knowledge beyond the sources stays help text.

mod allowance;
mod apisix;
mod cert_manager;
mod edit;
mod envoy;
mod etcd;
mod kubernetes;
mod nginx;
mod pem;
mod policy;
mod site;
mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::finding::{Edit, Fix};
use crate::report::Report;
use crate::source::{FileContent, FileId, Sources};
use crate::suggestion::is_one_slip_away;
use mtls_identity::sorted;
use site::{Site, Texts};
use verify::holds;

/// What a rule's remedy is: the edit for one of its findings, if it is certain.
type Remedy = fn(&Site<'_>) -> Option<Fix>;

/// The rules that have a remedy, by id.
const REMEDIES: &[(&str, Remedy)] = &[
    ("accepted-expired-certificate", envoy::reject_expired),
    ("accepted-untrusted-certificate", envoy::verify_trust_chain),
    ("decimal-file-mode", kubernetes::octal_mode),
    ("disabled-filter", envoy::enable_filter),
    ("dropped-inherited-setting", nginx::repeat_setting),
    ("duplicate-directive", nginx::remove_duplicate),
    ("fail-open-filter", envoy::reload_on_failure),
    ("folded-configuration", kubernetes::keep_lines),
    ("forgeable-client-certificate-header", envoy::sanitize_header),
    ("gateway-disabled", etcd::enable_gateway),
    ("implied-client-authentication", etcd::say_client_authentication),
    ("ineffective-setting", etcd::move_into_block),
    ("insecure-client-fallback", kubernetes::valid_clients_only),
    ("issuer-without-ca", cert_manager::make_authority),
    ("kept-client-certificate-header", envoy::sanitize_header),
    ("loose-common-name-pattern", kubernetes::end_pattern),
    ("loose-name-pattern", envoy::tighten_pattern),
    ("mismatched-advertised-url", etcd::advertise_scheme),
    ("misordered-chain", pem::sort_chain),
    ("missing-client-auth-usage", cert_manager::add_client_auth),
    ("missing-config-map", kubernetes::correct_reference),
    ("missing-intermediate", pem::append_intermediate),
    ("missing-issuer", cert_manager::correct_issuer_kind),
    ("missing-key", kubernetes::correct_key),
    ("missing-secret", kubernetes::correct_reference),
    ("missing-server-auth-usage", cert_manager::add_server_auth),
    ("missing-volume", kubernetes::correct_volume),
    ("plaintext-admin-api", apisix::https_admin),
    ("refused-policy", policy::correct_key),
    ("refused-setting", envoy::correct_cluster),
    ("root-in-chain", pem::remove_block),
    ("shadowed-policy-rule", policy::put_first),
    ("shared-upstream-session", nginx::keep_sessions_apart),
    ("spoofable-identity-header", nginx::empty_header),
    ("unasked-client-certificate", nginx::ask_clients),
    ("unchecked-server-name", envoy::compare_name),
    ("uninspected-server-name", envoy::inspect_tls),
    ("unknown-certificate-usage", cert_manager::correct_usage),
    ("unknown-target-port", kubernetes::correct_target_port),
    ("unqualified-secret-name", kubernetes::qualify_secret),
    ("unreachable-issuer", nginx::deepen),
    ("unrequired-client-certificate", envoy::require_client_certificate),
    ("unsent-server-name", nginx::send_server_name),
    ("unused-allowance", allowance::remove_comment),
    ("unverified-server", nginx::verify_server),
    ("unwatched-discovery-file", envoy::watch_folder),
    ("verify-depth-exceeded", nginx::deepen_for_peer),
];

/// Rounds of edits, each of which may uncover the next mistake.
const MOST_ROUNDS: usize = 10;
/// Judgements spent on finding out which fixes of a group hold.
const MOST_TRIALS: usize = 24;
/// Groups of fixes that touch the same text, each judged apart.
const MOST_GROUPS: usize = 4;

/// The sources after every certain edit.
#[derive(Debug)]
pub struct Fixed {
    /// As edited.
    pub sources: Sources,
    /// What is found in them.
    pub report: Report,
    /// Findings that were remedied, in the order of the edits: rule, and path of the file edited first.
    pub applied: Vec<(&'static str, String)>,
    /// Files whose bytes changed.
    pub changed: BTreeSet<FileId>,
}

/// How many findings have a remedy, of which some may not hold once they are judged.
pub fn proposed(sources: &Sources, report: &Report) -> usize {
    proposals(sources, report).len()
}

/// Gives each finding its fix, where there is one that holds.
pub fn attach(sources: &Sources, report: &mut Report, judge: &dyn Fn(&Sources) -> Report) {
    let mut open = proposals(sources, report);
    for _ in 0..MOST_GROUPS {
        if open.is_empty() {
            return;
        }
        let (group, rest) = apart(open);
        open = rest;
        for (index, fix) in group_that_holds(sources, report, &group, judge).0 {
            if let Some(finding) = report.findings.get_mut(index) {
                finding.fix = Some(fix);
            }
        }
    }
}

/// Applies fixes until there is none left.
pub fn apply(sources: Sources, report: Report, judge: &dyn Fn(&Sources) -> Report) -> Fixed {
    let mut fixed = Fixed { sources, report, applied: Vec::new(), changed: BTreeSet::new() };
    // what did not hold once is not tried again
    let mut refused: BTreeSet<(&'static str, String)> = BTreeSet::new();
    for _ in 0..MOST_ROUNDS {
        let mut open = proposals(&fixed.sources, &fixed.report);
        open.retain(|(index, _)| {
            let finding = fixed.report.findings.get(*index);
            finding.is_some_and(|finding| !refused.contains(&(finding.rule, finding.message.clone())))
        });
        let (group, _) = apart(open);
        let (held, after) = group_that_holds(&fixed.sources, &fixed.report, &group, judge);
        for (index, _) in group.iter().filter(|(index, _)| !held.iter().any(|(held, _)| held == index)) {
            if let Some(finding) = fixed.report.findings.get(*index) {
                refused.insert((finding.rule, finding.message.clone()));
            }
        }
        let Some((sources, report)) = after else { break };
        for (index, fix) in &held {
            let file = fix.edits.first().map(|edit| fixed.sources.path(edit.span.file).to_owned());
            let rule = fixed.report.findings.get(*index).map(|finding| finding.rule);
            fixed.applied.extend(rule.zip(file));
            fixed.changed.extend(fix.edits.iter().map(|edit| edit.span.file));
        }
        fixed.sources = sources;
        fixed.report = report;
    }
    fixed
}

/// Sources with the edits made; None if they overlap or leave their file.
pub fn edited<'e>(sources: &Sources, edits: impl IntoIterator<Item = &'e Edit>) -> Option<Sources> {
    let mut by_file: BTreeMap<FileId, Vec<&Edit>> = BTreeMap::new();
    for edit in edits {
        by_file.entry(edit.span.file).or_default().push(edit);
    }
    let mut out = Sources::default();
    out.root = sources.root;
    for (id, file) in sources.iter() {
        let mut file = file.clone();
        if let Some(edits) = by_file.remove(&id) {
            let FileContent::Bytes(bytes) = &file.content else { return None };
            file.content = FileContent::Bytes(Arc::new(replaced(bytes, edits)?));
        }
        out.push(file);
    }
    by_file.is_empty().then_some(out)
}

/// Text with edits made.
fn replaced(bytes: &[u8], mut edits: Vec<&Edit>) -> Option<Vec<u8>> {
    sorted::sort_by_key(&mut edits, |edit| (edit.span.start, edit.span.end));
    let mut out = Vec::with_capacity(bytes.len() + edits.iter().map(|edit| edit.text.len()).sum::<usize>());
    let mut at = 0;
    for edit in edits {
        out.extend_from_slice(bytes.get(at..edit.span.start as usize)?);
        out.extend_from_slice(edit.text.as_bytes());
        at = edit.span.end as usize;
        if edit.span.end < edit.span.start {
            return None;
        }
    }
    out.extend_from_slice(bytes.get(at..)?);
    Some(out)
}

/// What the remedies propose, by index of the finding.
fn proposals(sources: &Sources, report: &Report) -> Vec<(usize, Fix)> {
    let texts = Texts::default();
    let proposed = report.findings.iter().enumerate().filter_map(|(index, finding)| {
        let fix = propose(&Site::new(sources, report, finding, &texts)?)?;
        Some((index, fix))
    });
    proposed.collect()
}

fn propose(site: &Site<'_>) -> Option<Fix> {
    let (_, remedy) = REMEDIES.iter().find(|(id, _)| *id == site.finding.rule)?;
    let fix = remedy(site)?;
    // an edit changes something, lies in a file, and never carries a private key along
    let sound = |edit: &Edit| {
        site.written(edit.span).is_some_and(|written| written != edit.text)
            && !edit.text.contains("PRIVATE KEY")
    };
    (!fix.edits.is_empty() && fix.edits.iter().all(sound)).then_some(fix)
}

/// Parts proposals into some that can be made together and those that would touch the same text.
fn apart(open: Vec<(usize, Fix)>) -> (Vec<(usize, Fix)>, Vec<(usize, Fix)>) {
    let mut taken: BTreeMap<FileId, BTreeMap<u32, u32>> = BTreeMap::new();
    let (mut group, mut rest) = (Vec::new(), Vec::new());
    for (index, fix) in open {
        let free = fix.edits.iter().all(|edit| {
            let Some(ranges) = taken.get(&edit.span.file) else { return true };
            let before = ranges.range(..=edit.span.end).next_back();
            before.is_none_or(|(_, end)| *end < edit.span.start)
        });
        if !free {
            rest.push((index, fix));
            continue;
        }
        for edit in &fix.edits {
            let end = taken.entry(edit.span.file).or_default().entry(edit.span.start).or_default();
            *end = edit.span.end.max(*end);
        }
        group.push((index, fix));
    }
    (group, rest)
}

/// Sources after edits, and what is found in them.
type After = Option<(Sources, Report)>;

/// The fixes of a group that hold together, and what the sources are with them.
fn group_that_holds(
    sources: &Sources,
    report: &Report,
    group: &[(usize, Fix)],
    judge: &dyn Fn(&Sources) -> Report,
) -> (Vec<(usize, Fix)>, After) {
    let mut sieve = Sieve { sources, report, judge, held: Vec::new(), after: None, trials: MOST_TRIALS };
    sieve.take(group);
    (sieve.held, sieve.after)
}

/// Finds the fixes that hold: all at once where they do, else half by half.
struct Sieve<'s> {
    sources: &'s Sources,
    report: &'s Report,
    judge: &'s dyn Fn(&Sources) -> Report,
    held: Vec<(usize, Fix)>,
    after: After,
    trials: usize,
}

impl Sieve<'_> {
    fn take(&mut self, candidates: &[(usize, Fix)]) {
        let Some(left) = self.trials.checked_sub(1).filter(|_| !candidates.is_empty()) else { return };
        self.trials = left;
        let chosen = [self.held.as_slice(), candidates].concat();
        let after = edited(self.sources, chosen.iter().flat_map(|(_, fix)| &fix.edits))
            .map(|sources| ((self.judge)(&sources), sources))
            .filter(|(after, _)| holds(self.report, after, &chosen));
        if let Some((report, sources)) = after {
            self.held = chosen;
            self.after = Some((sources, report));
        } else if candidates.len() > 1 {
            let (one, other) = candidates.split_at(candidates.len() / 2);
            self.take(one);
            self.take(other);
        }
    }
}

/// The only name that is one slip of the keyboard away: a letter more, less or other, or two in the wrong order.
fn nearest<'n>(written: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let mut near = names.filter(|name| is_one_slip_away(written, name));
    let first = near.next()?;
    near.all(|other| other == first).then_some(first)
}

/// A fix of some edits.
fn fix(title: impl Into<String>, edits: impl IntoIterator<Item = Edit>) -> Option<Fix> {
    Some(Fix { title: title.into(), edits: edits.into_iter().collect() })
}

#[cfg(test)]
mod tests;

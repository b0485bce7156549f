//! What holds for every input: policies, spans, predictions.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mtls_identity::certificate::{Certificate, SubjectName};
use mtls_identity::policy::{Decision, Policy, Request};
use mtls_lint::handshake::Outcome;
use mtls_lint::source::Sources;
use mtls_lint::{Options, Report, fix, lint};
use mtls_tests::fuzzed::{MOMENT, TARGETS};
use mtls_tests::generate::deployment;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use rustls_pki_types::UnixTime;

fn certificate(name: &str) -> Certificate {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../fixtures/pki/decisions/{name}.pem"));
    Certificate::parse_pem(&fs::read_to_string(path).unwrap()).unwrap()
}

const CERTIFICATES: &[&str] = &[
    "web",
    "cart",
    "dns",
    "dns-second",
    "email",
    "ip",
    "many-names",
    "no-names",
    "expired",
    "spiffe-second-uri",
    "serial",
];

/// Certificates of the fixtures that are there, so that renaming one is no failure here.
fn certificates() -> Vec<Certificate> {
    let there = |name: &&&str| {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../fixtures/pki/decisions/{name}.pem")).is_file()
    };
    let found: Vec<Certificate> = CERTIFICATES.iter().filter(there).map(|name| certificate(name)).collect();
    assert!(found.len() > 7, "the fixtures have other names now");
    found
}

/// A certificate with any names of any others, in any order.
fn mixed() -> impl Strategy<Value = (Certificate, Vec<SubjectName>, Vec<SubjectName>)> {
    let all = certificates();
    let names: Vec<SubjectName> = all.iter().flat_map(|certificate| certificate.names.clone()).collect();
    (select(all), vec(select(names), 0..6)).prop_flat_map(|(certificate, names)| {
        (Just(certificate), Just(names.clone()), Just(names).prop_shuffle())
    })
}

fn with(certificate: &Certificate, names: Vec<SubjectName>) -> Certificate {
    let mut changed = certificate.clone();
    changed.names = names;
    changed
}

const IDENTITIES: &[&str] = &[
    "{spiffe: 'spiffe://example.test/**'}",
    "{spiffe: spiffe://example.test/ns/shop/sa/web}",
    "{dns: '*.example.test'}",
    "{dns: web.example.test}",
    "{email: '*@example.test'}",
    "{ip: [10.0.0.0/8]}",
];
const SCOPES: &[&str] =
    &["", "path: /orders/**, ", "path: /orders, method: GET, ", "method: [POST], ", "host: shop.test, "];
const PATHS: &[&str] = &["/", "/orders", "/orders/7", "/healthz", "/a/../b"];

/// A policy without its `deny`.
fn policy() -> impl Strategy<Value = String> {
    let rule = (select(SCOPES), btree_set(0..IDENTITIES.len(), 1..4));
    (vec(rule, 1..5), any::<bool>(), any::<bool>()).prop_map(|(rules, exempt, lenient)| {
        let mut text = "certificate: {from: envoy}\nidentities:\n".to_owned();
        for (number, identity) in IDENTITIES.iter().enumerate() {
            text.push_str(&format!("  i{number}: {identity}\n"));
        }
        text.push_str("rules:\n");
        for (number, (scope, allowed)) in rules.iter().enumerate() {
            let allowed: Vec<String> = allowed.iter().map(|identity| format!("i{identity}")).collect();
            text.push_str(&format!("  - {{name: r{number}, {scope}allow: [{}]}}\n", allowed.join(", ")));
        }
        if exempt {
            text.push_str("exempt: [{name: health, path: /healthz}]\n");
        }
        if lenient {
            text.push_str("usage: {certificate-authority: allow}\n");
        }
        text
    })
}

fn deny() -> impl Strategy<Value = String> {
    let hexadecimal = |bytes: &[u8]| mtls_identity::certificate::hexadecimal(bytes);
    let one = select(certificates()).prop_flat_map(move |certificate| {
        select(vec![
            format!("certificates: ['{}']", hexadecimal(&certificate.sha256)),
            format!("public-keys: ['{}']", hexadecimal(&certificate.public_key_sha256)),
            format!("serials: [{{serial: '{}'}}]", certificate.serial_text()),
        ])
    });
    one.prop_map(|one| format!("deny: {{{one}}}\n"))
}

/// "allow IDENTITY by RULE", "exempt NAME", or the reason's name.
fn answer(policy: &Policy, certificate: &Certificate, path: &str) -> String {
    let standing = policy.recognise(certificate, &[]);
    let request = Request { method: "GET", host: "shop.test", path, route: None };
    let at = UnixTime::since_unix_epoch(Duration::from_secs(1_780_000_000));
    match policy.decide(&request, Ok(&standing), at) {
        Decision::Allow(allowed) => format!("allow {} by {}", allowed.identity, allowed.rule),
        Decision::Exempt(name) => format!("exempt {name}"),
        Decision::Deny(reason) => format!("deny {}", reason.name()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn decisions_do_not_depend_on_the_order_of_names(
        policy in policy(), (certificate, names, shuffled) in mixed(), path in select(PATHS),
    ) {
        let policy = Policy::parse(&policy).unwrap();
        let (one, other) = (with(&certificate, names), with(&certificate, shuffled));
        prop_assert_eq!(answer(&policy, &one, path), answer(&policy, &other, path));
    }

    #[test]
    fn a_further_denial_allows_nothing_more(
        policy in policy(), deny in deny(), (certificate, names, _) in mixed(), path in select(PATHS),
    ) {
        let certificate = with(&certificate, names);
        let before = answer(&Policy::parse(&policy).unwrap(), &certificate, path);
        let after = answer(&Policy::parse(&format!("{policy}{deny}")).unwrap(), &certificate, path);
        prop_assert!(after == before || after.starts_with("deny "), "{} became {}", before, after);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    /// Targets look at spans and every format.
    #[test]
    fn spans_lie_in_their_file_whatever_is_spliced(
        one in any::<Index>(), other in any::<Index>(), cut in any::<Index>(), joined in any::<Index>(), target in 0..TARGETS.len(),
    ) {
        let seeds = (TARGETS[target].seeds)();
        let (one, other) = (one.get(&seeds), other.get(&seeds));
        let (cut, joined) = (cut.index(one.len() + 1), joined.index(other.len() + 1));
        (TARGETS[target].run)(&[&one[..cut], &other[joined..]].concat());
    }

    #[test]
    fn nothing_panics_on_any_bytes(bytes in vec(any::<u8>(), 0..200), target in 0..TARGETS.len()) {
        (TARGETS[target].run)(&bytes);
    }

    /// Documents of one deployment in other files, other orders and one heap predict the same.
    #[test]
    fn predictions_do_not_depend_on_files(
        names in Just((0..64).collect::<Vec<usize>>()).prop_shuffle(), heap in any::<bool>(),
    ) {
        let whole = deployment(2);
        let texts = whole.iter().flat_map(|(_, text)| documents(text));
        let files = scattered(&texts.collect::<Vec<_>>(), &names, heap);
        prop_assert_eq!(predictions(&files), predictions(&whole));
    }

    /// Fixtures side by side in one deployment: no connection is lost, and fixing what was fixed changes nothing.
    #[test]
    fn fixes_are_idempotent(cases in vec(any::<Index>(), 1..4)) {
        let all = fixtures();
        let mut sources = Sources::default();
        for (number, case) in cases.iter().enumerate() {
            for (name, text) in &case.get(&all).1 {
                sources.add(format!("{number}/{name}"), text.as_str());
            }
        }
        let before = judge(&sources);
        let (completed, unread) = (completing(&before), before.incomplete.len());
        let once = fix::apply(sources, before, &judge);
        let after = judge(&once.sources);
        prop_assert!(completing(&after) >= completed && after.incomplete.len() <= unread);
        let twice = fix::apply(once.sources, after, &judge);
        prop_assert!(twice.applied.is_empty() && twice.changed.is_empty(), "{:?} once more", twice.applied);
    }
}

/// The manifests of each fixture, a file each under other names, and in one heap the other way round.
#[test]
fn predictions_of_fixtures_do_not_depend_on_files() {
    let mut compared = 0;
    for (case, files) in fixtures() {
        let (manifests, rest): (Vec<_>, Vec<_>) =
            files.iter().cloned().partition(|(name, text)| name.ends_with(".yaml") && is_manifest(text));
        let texts: Vec<&str> = manifests.iter().flat_map(|(_, text)| documents(text)).collect();
        if texts.len() < 2 {
            continue;
        }
        let whole = predictions(&files);
        let backwards: Vec<usize> = (0..texts.len()).rev().collect();
        for heap in [false, true] {
            let split = [scattered(&texts, &backwards, heap), rest.clone()].concat();
            assert_eq!(predictions(&split), whole, "{case}");
        }
        compared += usize::from(!whole.is_empty());
    }
    assert!(compared > 50, "{compared} fixtures have manifests and connections");
}

/// Every fixture of the rules: its name, and its files.
fn fixtures() -> Vec<(String, Vec<(String, String)>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/rules");
    let entries = |folder: &Path| {
        let mut found: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        found.sort();
        found
    };
    let cases = entries(&root).into_iter().filter(|path| path.is_dir()).flat_map(|rule| entries(&rule));
    let read = |case: PathBuf| {
        let mut files = Vec::new();
        let mut open = vec![case.clone()];
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(entries(&path));
            } else if let Ok(text) = fs::read_to_string(&path) {
                files.push((path.strip_prefix(&case).unwrap().display().to_string(), text));
            }
        }
        files.sort();
        (case.strip_prefix(&root).unwrap().display().to_string(), files)
    };
    cases.map(read).collect()
}

fn is_manifest(text: &str) -> bool {
    documents(text).iter().all(|document| document.lines().any(|line| line.starts_with("apiVersion:")))
}

/// The documents of a stream. A line of three dashes parts them wherever it stands.
fn documents(text: &str) -> Vec<&str> {
    let text = text.strip_prefix("---\n").unwrap_or(text);
    let parts = text.split_inclusive("\n---\n").map(|part| part.strip_suffix("---\n").unwrap_or(part));
    parts.filter(|part| part.lines().any(|line| !line.is_empty() && !line.starts_with('#'))).collect()
}

/// Documents in files of these numbers, or in one file in the order of the numbers.
fn scattered(documents: &[&str], names: &[usize], heap: bool) -> Vec<(String, String)> {
    let named =
        documents.iter().zip(names).map(|(text, name)| (format!("{name:03}.yaml"), (*text).to_owned()));
    let mut files: Vec<(String, String)> = named.collect();
    files.sort();
    if heap {
        let texts: Vec<String> = files.into_iter().map(|(_, text)| text).collect();
        files = vec![("all.yaml".to_owned(), texts.join("---\n"))];
    }
    files
}

fn judge(sources: &Sources) -> Report {
    let options =
        Options { at: MOMENT, assume: Default::default(), expires_within: 30 * 86_400, command: None };
    lint(sources, &options)
}

fn completing(report: &Report) -> usize {
    let outcomes = report.connections.iter().map(|connection| &connection.prediction.outcome);
    outcomes.filter(|outcome| **outcome == Outcome::Completes).count()
}

/// Every connection without the names of files, in no order.
fn predictions(files: &[(String, String)]) -> BTreeSet<String> {
    let mut sources = Sources::default();
    for (path, text) in files {
        sources.add(path.as_str(), text.as_str());
    }
    let report = judge(&sources);
    let shown = report.connections.iter().map(|connection| {
        let prediction = &connection.prediction;
        format!(
            "{} {:?} → {} {:?} {} {:?} {:?} {:?} {:?} {:?}",
            connection.client.kind,
            connection.client.name,
            connection.server.kind,
            connection.server.name,
            connection.url,
            connection.server_name,
            prediction.outcome,
            prediction.server_authenticated,
            prediction.client_authenticated,
            prediction.why.iter().map(|why| why.rule).collect::<Vec<_>>(),
        )
    });
    shown.collect()
}

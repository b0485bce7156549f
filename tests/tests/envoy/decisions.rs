//! fixtures/decisions in a real Envoy: every case over a handshake of its own.
//!
//! Envoy's clock cannot be set, so the certificates are moved instead: each is minted anew, as far from its dates now
//! as it is in the case. Every policy stands on two listeners. One verifies clients as usual; some certificates of the
//! fixtures never get past its handshake. The other accepts any certificate (ACCEPT_UNTRUSTED) and its policy leaves
//! the verification to the listener, so that each certificate meets the policy.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mtls_tests::cases::{self, Case, tables};
use mtls_tests::client::{Client, request};
use mtls_tests::envoy::{Envoy, Listener, absent, guard};
use mtls_tests::mint::{self, decisions};

use super::{now, seen, words};

/// Requests that Envoy itself refuses before any filter sees them.
const REFUSED_BY_ENVOY: &[&str] = &[
    "paths: a fragment",
    "paths: letters outside ASCII",
    "paths: the asterisk",
    "rules: a method in lower case",
    "rules: a method in lower case on an exempt path",
    "rules: no method that is known",
];

/// Certificates that a verifying Envoy refuses in the handshake.
const REFUSED_IN_HANDSHAKE: &[&str] = &[
    "any-eku",
    "by-intermediate",
    "code-signing",
    "ed25519",
    "encipherment-only",
    "expired, out of date",
    "impostor",
    "not-yet, out of date",
    "partner-impostor",
    "server-auth",
    "unknown-critical",
    "web, out of date",
];

/// Certificates with which even an Envoy that accepts any completes no handshake: BoringSSL offers no Ed25519, and takes
/// no signature by a key that is not for signing.
const NEVER_PRESENTED: &[&str] = &["ed25519", "encipherment-only"];

struct Place {
    file: String,
    at: i64,
    cases: Vec<Case>,
}

#[test]
fn envoy_decides_as_the_fixtures_say() {
    if absent() {
        return;
    }
    let begun = now();
    let mut places = Vec::new();
    let mut listeners = Vec::new();
    for (file, table) in tables() {
        let mut moments = BTreeMap::<i64, Vec<Case>>::new();
        for case in &table.cases {
            moments.entry(case.seconds()).or_default().push(case.clone());
        }
        for (at, cases) in moments {
            let policy = table.filled(|name| match decisions::client(name, begun - at) {
                Some((der, _)) => mint::pem("CERTIFICATE", &der),
                None => cases::pem(name),
            });
            let policy = format!("{policy}\nforward: {{x-client: identity, x-rule: rule}}\n");
            let trusting = policy.replace("{from: envoy}", "{from: envoy, verification: listener}");
            assert_ne!(policy, trusting, "{file}");
            listeners.push(Listener {
                authorities: Some(["ca", "partner-ca"].map(cases::pem).concat()),
                ..Listener::guarded(&policy)
            });
            listeners.push(Listener {
                filters: vec![guard(&trusting)],
                accept_untrusted: true,
                ..Listener::default()
            });
            places.push(Place { file: file.clone(), at, cases });
        }
    }
    let envoy = Envoy::start("decisions", &listeners, 1);
    // side by side: some wait for a certain second
    let found: Vec<Vec<Found>> = std::thread::scope(|scope| {
        let ask = |(place, ports)| scope.spawn(move || ask_all(place, ports, begun));
        let all: Vec<_> = std::iter::zip(&places, envoy.ports.chunks(2)).map(ask).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let mut wrong = Vec::new();
    let (mut in_handshake, mut by_envoy, mut never) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut decided = [0; 2];
    for Found { case, certificate, turn, expect, answer } in found.into_iter().flatten() {
        match answer {
            Ok(words) if words == expect => decided[turn] += 1,
            Ok(words) if words.starts_with("Envoy 4") => {
                by_envoy.insert(case);
            }
            Ok(words) => wrong.push(format!("{case}: {words} instead of {expect} ({turn})")),
            Err(_) if turn == 0 => {
                in_handshake.insert(certificate);
            }
            Err(_) => {
                never.insert(certificate);
            }
        }
    }
    eprintln!("decided by the policy: {} verified, {} unverified", decided[0], decided[1]);
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), envoy.log());
    let same = |found: BTreeSet<String>, known: &[&str], what: &str| {
        assert_eq!(found, known.iter().map(|name| (*name).to_owned()).collect(), "{what}");
    };
    same(by_envoy, REFUSED_BY_ENVOY, "Envoy itself refuses the request");
    same(in_handshake, REFUSED_IN_HANDSHAKE, "a verifying Envoy refuses the certificate");
    same(never, NEVER_PRESENTED, "no Envoy takes the certificate");
}

/// The answer to one case at one of its two listeners.
struct Found {
    case: String,
    certificate: String,
    turn: usize,
    expect: String,
    answer: std::io::Result<String>,
}

fn ask_all(place: &Place, ports: &[u16], begun: i64) -> Vec<Found> {
    let mut found = Vec::new();
    for case in &place.cases {
        for (turn, port) in ports.iter().enumerate() {
            // an exemption has no name that the upstream sees
            let expect = if case.expect.starts_with("exempt") { "exempt" } else { case.expect.as_str() };
            found.push(Found {
                case: format!("{}: {}", place.file, case.name),
                certificate: known(case),
                turn,
                expect: expect.to_owned(),
                answer: decision(*port, case, begun - place.at),
            });
        }
    }
    found
}

/// The certificate, and whether it is out of date in this case.
fn known(case: &Case) -> String {
    let Some(name) = &case.certificate else { return "none".to_owned() };
    let (from, until) = decisions::validity(name).unwrap();
    // to BoringSSL the last second is over (RFC 5280 counts it in, and so does the policy)
    let late = if (from..until).contains(&case.seconds()) { "" } else { ", out of date" };
    format!("{name}{late}")
}

/// What is decided about a case, or why no connection was made.
fn decision(port: u16, case: &Case, later: i64) -> std::io::Result<String> {
    let Some(name) = &case.certificate else { return ask(&Client::new(None, None, false), port, case) };
    let (from, until) = decisions::validity(name).unwrap();
    if (case.seconds() - from).abs().min((case.seconds() - until).abs()) > 600 {
        return ask(&Client::of(name, later), port, case);
    }
    // it counts to the second: asked within the very one
    for _ in 0..20 {
        let second = now() + 1;
        let client = Client::of(name, second - case.seconds());
        let start = UNIX_EPOCH + Duration::from_secs(second.unsigned_abs());
        std::thread::sleep(
            start.duration_since(SystemTime::now()).unwrap_or_default() + Duration::from_millis(20),
        );
        let found = ask(&client, port, case);
        if now() == second {
            return found;
        }
    }
    panic!("{}: not asked within a second", case.name)
}

fn ask(client: &Client, port: u16, case: &Case) -> std::io::Result<String> {
    let (method, host, path) = case.request();
    let host = if host.is_empty() { "none.test" } else { host };
    let route = case.route.as_ref().map(|route| format!("x-route: {route}\r\n")).unwrap_or_default();
    let answer = client.connect(port)?.ask(&request(method, host, path, &route))?;
    let words = words(&answer);
    let rule = seen(&answer, "x-rule").join(",");
    Ok(if words.starts_with("allow") { format!("{words} by {rule}") } else { words })
}

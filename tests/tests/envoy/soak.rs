//! The filter under load: identities and hostile certificates mixed, sessions resumed, policies exchanged under way,
//! noise at the port. Every answer is the one that `Policy::decide` gives, the counters add up exactly, nothing grows.
//!
//! A short one runs with the other tests. `MTLS_SOAK=long cargo test -p mtls-tests --test envoy -- --ignored soak` asks
//! for longer; `MTLS_SOAK=2000000` for so many requests.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mtls_identity::certificate::Certificate;
use mtls_identity::policy::{Absence, Decision, Policy, Request, Standing};
use mtls_tests::client::{Client, Version, request};
use mtls_tests::envoy::{Envoy, Listener, absent, free_port, guard};
use mtls_tests::mint::decisions;
use mtls_tests::seeded::Seeded;
use rustls_pki_types::UnixTime;

use super::configuration::{hand, watching};
use super::{later, now, seen, words};

/// They differ in who may read orders and in who is known.
const POLICIES: [&str; 2] = [
    "certificate: {from: envoy}\n\
     identities:\n  web: {spiffe: spiffe://example.test/ns/shop/sa/web}\n  cart: {spiffe: spiffe://example.test/ns/shop/sa/cart}\n  \
     mail: {email: '*@example.test'}\n\
     rules:\n  - {name: orders, path: /orders/**, allow: web}\n  - {name: cart, path: '/cart/{id}', method: [GET], allow: [cart, web]}\n  \
     - {name: shop, host: shop.test, path: /shop/**, allow: any-identity}\n\
     exempt: [{name: health, path: /healthz}]\nforward: {x-client: identity, x-rule: rule}\n",
    "certificate: {from: envoy}\n\
     identities:\n  web: {spiffe: 'spiffe://example.test/ns/**'}\n  mail: {email: alice@example.test}\n\
     rules:\n  - {name: orders, path: /orders/**, allow: mail}\n  - {name: everything, path: /**, allow: web}\n\
     exempt: [{name: health, path: /healthz}]\nforward: {x-client: identity, x-rule: rule}\n",
];

/// Whom Envoy lets through its handshake, and after them whom it does not.
const CLIENTS: [&str; 16] = [
    "web",
    "web-dns",
    "cart",
    "two-spiffe",
    "injection",
    "injection-quote",
    "many-names",
    "email",
    "no-names",
    "cn-lies",
    "dns-nul",
    "ip-broken",
    "p384",
    "impostor",
    "server-auth",
    "unknown-critical",
];
const REFUSED: &[&str] = &["impostor", "server-auth", "unknown-critical"];

const REQUESTS: [(&str, &str, &str); 8] = [
    ("GET", "shop.test", "/orders/7"),
    ("GET", "shop.test", "/cart/1"),
    ("POST", "shop.test", "/cart/1"),
    ("GET", "shop.test", "/shop/a/b"),
    ("GET", "other.test", "/shop/a/b"),
    ("GET", "shop.test", "/orders/%2e%2e/admin"),
    ("GET", "shop.test", "/healthz"),
    ("GET", "shop.test", "/nowhere?a=/../b"),
];

/// Connections at a time.
const THREADS: usize = 8;
/// Most requests of a connection.
const MOST: usize = 400;

#[test]
fn soak_short() {
    if absent() {
        return;
    }
    soak(20_000, Duration::from_secs(9));
}

#[test]
#[ignore = "takes minutes: MTLS_SOAK=long"]
fn soak_long() {
    if absent() {
        return;
    }
    let wanted = std::env::var("MTLS_SOAK").ok().and_then(|text| text.parse().ok());
    soak(wanted.unwrap_or(200_000), Duration::from_secs(3600));
}

/// A certificate as each policy knows it.
struct Known {
    name: &'static str,
    client: Client,
    certificate: Option<Certificate>,
    standings: Option<[Standing; 2]>,
}

#[derive(Default)]
struct Tally {
    /// What Envoy must have counted.
    counted: BTreeMap<String, u64>,
    refused: BTreeMap<&'static str, u64>,
    connections: u64,
    resumed: u64,
    /// Under a policy that was being exchanged.
    between: u64,
    wrong: Vec<String>,
}

fn soak(requests: u64, limit: Duration) {
    let policies = POLICIES.map(|text| Policy::parse(text).unwrap());
    let known: Vec<Known> =
        [None].into_iter().chain(CLIENTS.map(Some)).map(|name| known(name, &policies)).collect();
    let port = free_port();
    let listener =
        |index: usize| Listener { port, filters: vec![guard(POLICIES[index])], ..Listener::default() };
    let envoy = watching("soak", &listener(0), 2);
    // even: the policy number version / 2 % 2 is at work; odd: it is being exchanged
    let version = AtomicU64::new(0);
    let sent = AtomicU64::new(0);
    let over = AtomicBool::new(false);
    let began = Instant::now();
    let mut memory = Vec::new();
    let mut scraped = Scraped::default();
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let work = |thread: usize| {
            let (known, policies, version, sent, over) = (&known, &policies, &version, &sent, &over);
            scope.spawn(move || {
                let mut source = Seeded::new(&format!("soak {thread}"));
                let mut tally = Tally::default();
                while !over.load(Ordering::Relaxed) {
                    let who = &known[source.below(known.len())];
                    let before = version.load(Ordering::SeqCst);
                    connection(port, who, policies, (before, version), &mut source, &mut tally, sent);
                }
                tally
            })
        };
        let workers: Vec<_> = (0..THREADS).map(work).collect();
        let mut turn = 0;
        while (sent.load(Ordering::Relaxed) < requests || turn < 3) && began.elapsed() < limit {
            std::thread::sleep(Duration::from_millis(1500));
            noise(port);
            turn += 1;
            version.fetch_add(1, Ordering::SeqCst);
            assert!(hand(&envoy, &listener(turn % 2)), "{}", envoy.log());
            // until every worker has it
            std::thread::sleep(Duration::from_millis(500));
            version.fetch_add(1, Ordering::SeqCst);
            memory.push(resident(envoy.process()));
            scraped.scrape(&envoy);
        }
        over.store(true, Ordering::Relaxed);
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    let mut tally = Tally::default();
    for one in tallies {
        for (name, count) in one.counted {
            *tally.counted.entry(name).or_default() += count;
        }
        for (name, count) in one.refused {
            *tally.refused.entry(name).or_default() += count;
        }
        tally.connections += one.connections;
        tally.resumed += one.resumed;
        tally.between += one.between;
        tally.wrong.extend(one.wrong);
    }
    scraped.totals = envoy.counters_adding_up_to(tally.counted.values().sum());
    let report = format!(
        "{} requests, {} connections ({} resumed), {} policies exchanged, {} requests meanwhile, {} s; refused in the \
         handshake: {:?}; decisions: {:?}; resident MB: {:?}",
        tally.counted.values().sum::<u64>(),
        tally.connections,
        tally.resumed,
        memory.len(),
        tally.between,
        began.elapsed().as_secs(),
        tally.refused,
        tally.counted,
        memory.iter().map(|bytes| bytes >> 20).collect::<Vec<_>>()
    );
    eprintln!("{report}");
    assert!(tally.wrong.is_empty(), "{}\n{report}\n{}", tally.wrong.join("\n"), envoy.log());
    assert!(tally.connections > 20 && tally.resumed > 0, "{report}");
    assert!(tally.refused.keys().all(|name| REFUSED.contains(name)), "{report}");
    assert_eq!(scraped.totals, tally.counted, "the counters do not add up: {report}");
    // warm after a third; what follows may not climb
    let (warm, last) = (memory[memory.len() / 3], memory[memory.len() - 1]);
    if memory.len() > 8 {
        assert!(last < warm + warm / 5, "memory grows: {report}");
    }
    assert!(!envoy.log().contains("panicked"), "{}", envoy.log());
}

fn known(name: Option<&'static str>, policies: &[Policy; 2]) -> Known {
    let Some(name) = name else {
        let client = Client::new(None, None, true);
        return Known { name: "none", client, certificate: None, standings: None };
    };
    let (der, key) = decisions::client(name, later()).unwrap();
    let pem = mtls_tests::mint::pem("CERTIFICATE", &der);
    let certificate = Certificate::parse_pem(&pem).ok();
    let standings = certificate
        .as_ref()
        .map(|certificate| [0, 1].map(|index: usize| policies[index].recognise(certificate, &[])));
    let version = if name.len() % 2 == 0 { Version::Tls12 } else { Version::Tls13 };
    Known { name, client: Client::new(Some((der, key)), Some(version), true), certificate, standings }
}

/// One connection: some requests, then it is closed.
fn connection(
    port: u16,
    who: &Known,
    policies: &[Policy; 2],
    (before, version): (u64, &AtomicU64),
    source: &mut Seeded,
    tally: &mut Tally,
    sent: &AtomicU64,
) {
    let Ok(mut connection) = who.client.connect(port) else {
        *tally.refused.entry(who.name).or_default() += 1;
        return;
    };
    tally.connections += 1;
    tally.resumed += u64::from(connection.resumed());
    // a listener is chosen when the connection is accepted; its policy stays for the connection's life
    let stable = before % 2 == 0 && version.load(Ordering::SeqCst) == before;
    for turn in 0..1 + source.below(MOST) {
        let (method, host, path) = REQUESTS[source.below(REQUESTS.len())];
        let answer = match connection.ask(&request(method, host, path, "x-client: admin\r\n")) {
            Ok(answer) => answer,
            // in TLS 1.3 a refusal shows with the first answer
            Err(_) if turn == 0 => {
                *tally.refused.entry(who.name).or_default() += 1;
                return;
            }
            Err(error) => {
                tally.wrong.push(format!("{} {path}: {error}", who.name));
                return;
            }
        };
        sent.fetch_add(1, Ordering::Relaxed);
        let mut found = words(&answer);
        if let [rule] = seen(&answer, "x-rule").as_slice() {
            found = format!("{found} by {rule}");
        }
        let expected = [0, 1].map(|index| expected(&policies[index], who, index, (method, host, path)));
        let right = if stable {
            found == expected[usize::from(before % 4 == 2)]
        } else {
            tally.between += 1;
            expected.contains(&found)
        };
        if !right {
            tally
                .wrong
                .push(format!("{} {method} {host} {path} ({before}): {found}, {expected:?}", who.name));
        }
        let counter = match found.split(' ').collect::<Vec<_>>().as_slice() {
            ["allow", ..] => "allow".to_owned(),
            ["deny", reason, ..] => format!("deny.{reason}"),
            _ => found,
        };
        *tally.counted.entry(counter).or_default() += 1;
        // the listener is being replaced
        if answer.closes() {
            return;
        }
    }
}

fn expected(policy: &Policy, who: &Known, index: usize, (method, host, path): (&str, &str, &str)) -> String {
    let at = UnixTime::since_unix_epoch(Duration::from_secs(now().unsigned_abs()));
    let standing = match (&who.certificate, &who.standings) {
        (Some(_), Some(standings)) => Ok(&standings[index]),
        _ => Err(&Absence::NoCertificate),
    };
    match policy.decide(&Request { method, host, path, route: None }, standing, at) {
        Decision::Allow(allowed) => format!("allow {} by {}", allowed.identity, allowed.rule),
        Decision::Exempt(_) => "exempt".to_owned(),
        Decision::Deny(reason) => format!("deny {}", reason.name()),
    }
}

/// What else knocks at a port: no TLS at all, half a handshake, and nothing.
fn noise(port: u16) {
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x16\x03\x01\x40\x00\x01\x00", &[0xff; 2000], b""] {
        if let Ok(mut socket) = std::net::TcpStream::connect(("127.0.0.1", port)) {
            let _ = socket.write_all(bytes);
        }
    }
}

/// Bytes of a process in memory.
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) * 1024
}

/// Counters as a monitoring system sees them.
#[derive(Default)]
struct Scraped {
    totals: BTreeMap<String, u64>,
}

impl Scraped {
    fn scrape(&mut self, envoy: &Envoy) {
        self.totals = envoy.counters();
    }
}

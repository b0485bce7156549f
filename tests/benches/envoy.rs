//! What a request costs in a real Envoy: the filter beside what a user would take instead.
//!
//! `cargo run -p mtls-tests --bin dist && cargo bench --profile dev -p mtls-tests --bench envoy [-- ROUNDS]`
//! (only Envoy's time counts, so that the client need not be optimised)
//!
//! One Envoy with one worker, pinned to a core, has a listener for each variant. The client, on another core, holds
//! eight mTLS connections to each and asks them in turn. The variants take turns in short windows; what counts is the
//! CPU time of the worker's thread (its schedstat) by request, and its difference to the window without a filter
//! of the same round. So whoever else uses the machine disturbs all variants alike; medians are shown, with the
//! quarter and the three quarters.
//!
//! The SDK's filter that does nothing is measured with each host call by itself: what is left of the cost when our own
//! instructions are taken away, and what no filter can do without, path and digest, stands there.

use std::path::{Path, PathBuf};
use std::process::Command;

use mtls_tests::client::{Client, Connection, request};
use mtls_tests::envoy::{Envoy, Listener, absent, guard, lua, wasm};
use mtls_tests::programs::target;
use serde_json::{Value, json};

const SPIFFE: &str = "spiffe://example.test/ns/shop/sa/web";
const CONNECTIONS: usize = 8;
const REQUESTS: usize = 30;
const ROUNDS: usize = 200;

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        // run as a test: nothing to test
        return;
    }
    if absent() {
        return;
    }
    let rounds = std::env::args().skip(1).find_map(|text| text.parse().ok()).unwrap_or(ROUNDS);
    let noop = noop();
    let trimmed = trimmed(&noop);
    let variants: Vec<(&str, Vec<Value>)> = vec![
        ("no filter", vec![]),
        ("native RBAC, principal_name", vec![rbac()]),
        ("Lua, uriSanPeerCertificate", vec![compares_in_lua()]),
        ("Rust SDK, no-op", vec![wasm("noop", &noop, "")]),
        ("the same, unused callbacks trimmed", vec![wasm("trimmed", &trimmed, "")]),
        ("the same, asking for the path", vec![wasm("trimmed", &trimmed, "path")]),
        ("the same, asking for the digest", vec![wasm("trimmed", &trimmed, "digest")]),
        ("the same, asking for the time", vec![wasm("trimmed", &trimmed, "time")]),
        ("the same, counting", vec![wasm("trimmed", &trimmed, "count")]),
        ("the same, path and digest", vec![wasm("trimmed", &trimmed, "path digest")]),
        ("the same, all four", vec![wasm("trimmed", &trimmed, "path digest time count")]),
        ("mtls-guard, 1 rule", vec![guard(&policy(1, 1))]),
        ("mtls-guard, 100 rules, 1,000 identities", vec![guard(&policy(100, 1000))]),
    ];
    let listeners: Vec<Listener> = variants
        .iter()
        .map(|(_, filters)| Listener { filters: filters.clone(), silent: true, ..Listener::default() })
        .collect();
    let envoy = Envoy::start("bench", &listeners, 1);
    let worker = worker(envoy.process());
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    pin(&worker.1, 0);
    pin("self", cores.min(2) - 1);
    let schedstat = worker.0.join("schedstat");
    let client = Client::of("web", later());
    let mut connections: Vec<Vec<Connection>> = envoy
        .ports
        .iter()
        .map(|port| (0..CONNECTIONS).map(|_| client.connect(*port).expect("a connection")).collect())
        .collect();
    // the first windows compile, fill caches and are not counted
    let mut costs = vec![Vec::new(); variants.len()];
    for round in 0..rounds + 10 {
        for offset in 0..variants.len() {
            let variant = (offset + round) % variants.len();
            let cost = window(&mut connections[variant], &schedstat);
            if round >= 10 {
                costs[variant].push(cost);
            }
        }
    }
    report(&variants.iter().map(|(name, _)| *name).collect::<Vec<_>>(), &costs);
}

/// Microseconds of the worker by request.
fn window(connections: &mut [Connection], schedstat: &PathBuf) -> f64 {
    let ask = request("GET", "shop.test", "/orders/7", "");
    let before = spent(schedstat);
    for _ in 0..REQUESTS {
        for connection in &mut *connections {
            connection.send(&ask).expect("an open connection");
        }
        for connection in &mut *connections {
            let answer = connection.answer().expect("an answer");
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
    (spent(schedstat) - before) / 1000.0 / (REQUESTS * connections.len()) as f64
}

/// Nanoseconds that the thread has run.
fn spent(schedstat: &PathBuf) -> f64 {
    let text = std::fs::read_to_string(schedstat).expect("a kernel that counts");
    text.split(' ').next().and_then(|text| text.parse().ok()).expect("a number")
}

fn report(names: &[&str], costs: &[Vec<f64>]) {
    let quartiles = |values: &[f64]| {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        [1, 2, 3].map(|quarter| sorted[(sorted.len() - 1) * quarter / 4])
    };
    let added: Vec<[f64; 3]> = costs
        .iter()
        .map(|of| {
            quartiles(&std::iter::zip(of, &costs[0]).map(|(cost, none)| cost - none).collect::<Vec<_>>())
        })
        .collect();
    println!("| variant | CPU µs per request | added | quarter to three quarters | added, as Lua's |");
    println!("| --- | --- | --- | --- | --- |");
    for ((name, of), added_here) in std::iter::zip(std::iter::zip(names, costs), &added) {
        let [low, median, high] = added_here;
        println!(
            "| {name} | {:.1} | {median:.1} | {low:.1} to {high:.1} | {:.2} |",
            quartiles(of)[1],
            median / added[2][1]
        );
    }
    let [.., one, last] = added.as_slice() else { return };
    println!("100 rules and 1,000 identities as 1 rule: {:.2}", last[1] / one[1]);
}

fn rbac() -> Value {
    json!({"name": "rbac", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
        "rules": {"action": "ALLOW", "policies": {"web": {
            "permissions": [{"any": true}],
            "principals": [{"authenticated": {"principal_name": {"exact": SPIFFE}}}]}}}}})
}

fn compares_in_lua() -> Value {
    lua(&format!(
        "function envoy_on_request(handle)\n\
           local tls = handle:streamInfo():downstreamSslConnection()\n\
           if tls == nil or tls:uriSanPeerCertificate()[1] ~= '{SPIFFE}' then\n\
             handle:respond({{[':status'] = '403'}}, '')\n\
           end\n\
         end"
    ))
}

/// So many rules and identities; the last of either is the one that is asked for.
fn policy(rules: usize, identities: usize) -> String {
    let mut text = "certificate: {from: envoy}\nidentities:\n".to_owned();
    for index in 1..identities {
        text.push_str(&format!("  i{index}: {{spiffe: spiffe://example.test/ns/other/sa/s{index}}}\n"));
    }
    text.push_str(&format!("  web: {{spiffe: {SPIFFE}}}\nrules:\n"));
    for index in 1..rules {
        text.push_str(&format!("  - {{path: /other/{index}/**, allow: [i{index}, i{}]}}\n", index + 1));
    }
    text.push_str("  - {path: /orders/**, allow: web}\n");
    text
}

/// The SDK's filter that does nothing, as the SDK makes it.
fn noop() -> PathBuf {
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--profile", "wasm", "--target", "wasm32-unknown-unknown"])
        .args(["-p", "mtls-guard", "--example", "noop", "--target-dir"])
        .arg(target())
        .status()
        .expect("cargo");
    assert!(status.success());
    target().join("wasm32-unknown-unknown/wasm/examples/noop.wasm")
}

/// The same without the callbacks that do nothing, as the finished filter is made: a host calls what it finds by name.
fn trimmed(module: &Path) -> PathBuf {
    const UNUSED: [&str; 7] = [
        "proxy_on_request_body",
        "proxy_on_request_trailers",
        "proxy_on_response_headers",
        "proxy_on_response_body",
        "proxy_on_response_trailers",
        "proxy_on_log",
        "proxy_on_done",
    ];
    let mut bytes = std::fs::read(module).expect("a module");
    for name in UNUSED {
        let found = bytes.windows(name.len()).position(|window| window == name.as_bytes());
        let at = found.unwrap_or_else(|| panic!("the SDK exports no {name}"));
        // of the same length, so that nothing moves
        bytes[at..at + "proxy".len()].copy_from_slice(b"never");
    }
    let path = module.with_extension("trimmed.wasm");
    std::fs::write(&path, bytes).expect("a file");
    path
}

fn later() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time after 1970");
    let middle = mtls_lint::time::parse("2026-06-01T00:00:00Z").expect("a time");
    i64::try_from(now.as_secs()).expect("a time before the stars go out") - middle
}

/// The folder and number of the thread that serves.
fn worker(process: u32) -> (PathBuf, String) {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).expect("threads");
    let folders = threads.map(|thread| thread.expect("a thread").path());
    let found = folders.into_iter().find(|folder| {
        std::fs::read_to_string(folder.join("comm")).is_ok_and(|name| name.starts_with("wrk:worker_0"))
    });
    let folder = found.expect("a worker");
    let number = folder.file_name().expect("a number").to_string_lossy().into_owned();
    (folder, number)
}

/// Keeps a thread on one core; "self" is this one.
fn pin(thread: &str, core: usize) {
    let own = || {
        let link = std::fs::read_link("/proc/thread-self").expect("a thread");
        link.file_name().expect("a number").to_string_lossy().into_owned()
    };
    let thread = if thread == "self" { own() } else { thread.to_owned() };
    let status = Command::new("taskset")
        .args(["-pc", &core.to_string(), &thread])
        .stdout(std::process::Stdio::null())
        .status();
    if !status.is_ok_and(|status| status.success()) {
        eprintln!("thread {thread} is not pinned: there is no taskset");
    }
}

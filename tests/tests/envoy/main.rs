//! The finished module in a real Envoy, asked by real clients over mTLS.
//!
//! Needs `cargo run -p mtls-tests --bin dist` before; `tests/run` does so.

mod clients;
mod configuration;
mod decisions;
mod proxies;
mod readme;
mod requests;
mod soak;
mod spoofing;

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use mtls_tests::cases::pem;
use mtls_tests::client::{Answer, Client, request};
use mtls_tests::envoy::Listener;

/// Who may do what, in most of these tests.
const WHO: &str = "identities: {web: {spiffe: spiffe://example.test/ns/shop/sa/web}}\n\
                   rules: [{name: all, path: /**, allow: web}]\nexempt: [{name: health, path: /healthz}]\n\
                   forward: {x-client: identity, x-name: name}\n";

fn guarded(head: &str) -> Listener {
    Listener::guarded(&format!("{head}\n{WHO}"))
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// Seconds by which the fixtures' certificates are moved, so that they are in the middle of their validity today. The
/// same all along: another second is another certificate.
fn later() -> i64 {
    static LATER: OnceLock<i64> = OnceLock::new();
    *LATER.get_or_init(|| now() - mtls_lint::time::parse("2026-06-01T00:00:00Z").unwrap())
}

/// A certificate of the fixtures, or none.
fn client(name: Option<&str>) -> Client {
    name.map_or_else(|| Client::new(None, None, false), |name| Client::of(name, later()))
}

fn get(port: u16, name: Option<&str>, path: &str, headers: &str) -> Answer {
    let mut connection = client(name).connect(port).unwrap();
    connection.ask(&request("GET", "shop.test", path, headers)).unwrap()
}

/// `allow IDENTITY`, `exempt`, `deny REASON`, or what Envoy answered by itself.
fn words(answer: &Answer) -> String {
    let details = answer.header("x-details");
    match (answer.status, details.split_once("mtls_guard_")) {
        (403, Some((_, reason))) => {
            let reason = reason.split(|letter: char| !letter.is_ascii_lowercase() && letter != '_').next();
            format!("deny {}", reason.unwrap_or_default().replace('_', "-"))
        }
        (200, _) => match seen(answer, "x-client").as_slice() {
            [] => "exempt".to_owned(),
            [name] => format!("allow {name}"),
            several => format!("several headers {several:?}"),
        },
        (status, _) => format!("Envoy {status} {details}"),
    }
}

/// The values of a header that an upstream would have got.
fn seen(answer: &Answer, name: &str) -> Vec<String> {
    if answer.body.is_empty() {
        return answer
            .headers
            .iter()
            .filter(|(found, _)| found == name)
            .map(|(_, value)| value.clone())
            .collect();
    }
    let prefix = format!("{name}: ");
    answer.body.lines().filter_map(|line| line.strip_prefix(&prefix)).map(ToOwned::to_owned).collect()
}

/// Percent-escapes everything.
fn escaped(name: &str) -> String {
    pem(name).bytes().map(|byte| format!("%{byte:02X}")).collect()
}

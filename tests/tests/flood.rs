//! A client with ever new certificates: what the filter remembers stays bounded, and others pay at most for being seen
//! as if for the first time.

use mtls_guard::config::Config;
use mtls_guard::filter::{Guard, Verdict};
use mtls_identity::certificate::Certificate;
use mtls_tests::hosts::{Gateway, Scripted};
use mtls_tests::mint;
use mtls_tests::mint::decisions;

const AT: u64 = 1_780_000_000;
const POLICY: &str = "certificate: {from: envoy}\n\
                      identities: {web: {spiffe: spiffe://example.test/ns/shop/sa/web}}\n\
                      rules: [{name: all, allow: web}]\nforward: {x-client: identity, client-cert: client-cert}\n";

/// How many host calls a request with this certificate takes, and what becomes of it.
fn ask(guard: &Guard, der: &[u8]) -> (usize, Verdict) {
    let pem = mint::pem("CERTIFICATE", der);
    let digest = Certificate::parse_pem(&pem).unwrap().sha256;
    let headers = [(":method", "GET"), (":authority", "shop.test"), (":path", "/orders")];
    let host = Scripted::new(Gateway::Envoy, AT, &headers).with_certificate(&pem, &digest);
    let verdict = guard.on_request(&host);
    let calls = host.calls.borrow().len();
    (calls, verdict)
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_flood_of_certificates_costs_others_one_fetch_and_no_memory() {
    let guard = Guard::new(Config::parse(POLICY.as_bytes()).unwrap());
    let (web, _) = decisions::client("web", 0).unwrap();
    let (first, _) = ask(&guard, &web);
    let (known, _) = ask(&guard, &web);
    assert!(known < first, "{known} {first}");
    // the signature is the gateway's to check; other bytes of it are another certificate
    let (cart, _) = decisions::client("cart", 0).unwrap();
    let mut after = Vec::new();
    for round in 0..4u8 {
        for number in 0..5000u16 {
            let mut other = cart.clone();
            let end = other.len();
            other[end - 3..].copy_from_slice(&[round, number.to_be_bytes()[0], number.to_be_bytes()[1]]);
            let (calls, verdict) = ask(&guard, &other);
            assert_eq!(verdict, Verdict::Answered);
            assert!(calls <= first + 1, "a denial takes {calls} calls");
        }
        after.push(resident());
        assert_eq!(ask(&guard, &web), (first, Verdict::Continue), "as if for the first time");
        assert_eq!(ask(&guard, &web), (known, Verdict::Continue), "and known again");
    }
    // the first two rounds fill what is kept
    assert!(after[3] < after[1] + 2048, "kB after each round: {after:?}");
}

//! Bad configurations: at the start, and through a file of listeners that Envoy watches.

use std::path::Path;
use std::time::{Duration, Instant};

use mtls_tests::envoy::{Envoy, Listener, absent, free_port};
use serde_json::{Value, json};

use super::{get, guarded, words};

#[test]
fn envoy_does_not_start_with_a_bad_policy() {
    if absent() {
        return;
    }
    let mut listener = guarded("certificate: {from: envoi}").configuration("bad");
    listener.as_object_mut().unwrap().remove("@type");
    let mut envoy = Envoy::launch("bad", json!({"static_resources": {"listeners": [listener]}}), 1);
    let began = Instant::now();
    while !envoy.ended() {
        assert!(began.elapsed() < Duration::from_secs(120), "{}", envoy.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(envoy.log().contains("did you mean envoy?"), "{}", envoy.log());
}

/// An Envoy that watches a file of listeners.
pub fn watching(name: &str, first: &Listener, workers: u32) -> Envoy {
    let folder = std::env::temp_dir().join(format!("mtls-guard-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("listeners.json");
    write(&file, first);
    let source = json!({"path_config_source": {"path": file, "watched_directory": {"path": folder}}});
    let bootstrap = json!({
        "node": {"id": "n", "cluster": "c"},
        "dynamic_resources": {"lds_config": source},
    });
    let mut envoy = Envoy::launch(name, bootstrap, workers);
    envoy.wait(1);
    envoy
}

fn write(file: &Path, listener: &Listener) {
    let document: Value = json!({"resources": [listener.configuration("watched")]});
    let beside = file.with_extension("new");
    std::fs::write(&beside, document.to_string()).unwrap();
    std::fs::rename(&beside, file).unwrap();
}

/// Hands it another listener, and waits until that is taken or refused.
pub fn hand(envoy: &Envoy, listener: &Listener) -> bool {
    let counts = || {
        ["update_success", "update_rejected"].map(|name| envoy.stat(&format!("listener_manager.lds.{name}")))
    };
    let before = counts();
    write(&envoy.folder().join("listeners.json"), listener);
    let began = Instant::now();
    loop {
        let after = counts();
        if after != before {
            return after[0] > before[0];
        }
        assert!(began.elapsed() < Duration::from_secs(60), "no update: {}", envoy.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_bad_update_leaves_the_old_policy_at_work() {
    if absent() {
        return;
    }
    let port = free_port();
    let with = |head: &str| Listener { port, ..guarded(head) };
    let envoy = watching("lds", &with("certificate: {from: envoy}"), 1);
    assert_eq!(words(&get(port, Some("web"), "/orders", "")), "allow web");
    assert!(!hand(&envoy, &with("certificate: {from: envoi}")));
    assert!(envoy.log().contains("did you mean envoy?"), "{}", envoy.log());
    assert_eq!(words(&get(port, Some("web"), "/orders", "")), "allow web");
    assert_eq!(words(&get(port, Some("cart"), "/orders", "")), "deny unknown-identity");
    // and a good one afterwards is taken
    let mut other = with("certificate: {from: envoy}");
    other.filters = vec![mtls_tests::envoy::guard(
        "certificate: {from: envoy}\nidentities: {cart: {spiffe: spiffe://example.test/ns/shop/sa/cart}}\n\
         rules: [{name: all, path: /**, allow: cart}]\nforward: {x-client: identity}\n",
    )];
    assert!(hand(&envoy, &other));
    let began = Instant::now();
    while words(&get(port, Some("cart"), "/orders", "")) != "allow cart" {
        assert!(began.elapsed() < Duration::from_secs(10), "{}", envoy.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(words(&get(port, Some("web"), "/orders", "")), "deny unknown-identity");
}

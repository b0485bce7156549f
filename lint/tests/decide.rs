//! `mtls-lint decide` answers as the filter would, with the exit status of the contract.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]

use std::path::Path;
use std::process::Command;

const POLICY: &str = "certificate: {from: envoy}\nidentities:\n  web: {spiffe: spiffe://example.test/ns/shop/sa/web}\n\
                      rules: [{name: all, allow: web}]\n";

fn decide(name: &str, policy: &str, arguments: &[&str]) -> (i32, String, String) {
    let file = std::env::temp_dir().join(format!("mtls-lint-decide-{}-{name}.yaml", std::process::id()));
    std::fs::write(&file, policy).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_mtls-lint"))
        .args(["decide", "--at", "2026-11-23T00:00:00Z", "--policy"])
        .arg(&file)
        .args(arguments)
        .output()
        .unwrap();
    std::fs::remove_file(&file).unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn an_identity_with_a_rule_is_allowed() {
    let certificate = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/pki/decisions/web.pem");
    let certificate = certificate.to_str().unwrap();
    let arguments =
        ["--certificate", certificate, "--request", "GET https://shop.test/orders", "--format", "json"];
    let (status, out, errors) = decide("allow", POLICY, &arguments);
    let answer: serde_json::Value =
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {errors}"));
    assert_eq!((status, &answer["version"], &answer["decision"]), (0, &1.into(), &"allow".into()));
    assert_eq!((&answer["identity"], &answer["rule"]), (&"web".into(), &"all".into()));
}

#[test]
fn a_client_without_a_certificate_is_denied() {
    let (status, out, _) = decide("deny", POLICY, &["--format", "json"]);
    assert_eq!(status, 1);
    assert!(out.contains("\"reason\": \"no-certificate\""), "{out}");
}

#[test]
fn a_wrong_policy_is_named_with_its_place() {
    let (status, out, errors) = decide("wrong", &POLICY.replace("rules:", "rulez:"), &[]);
    assert_eq!((status, out.as_str()), (2, ""));
    assert!(errors.contains("rulez") && errors.contains("rules"), "{errors}");
}

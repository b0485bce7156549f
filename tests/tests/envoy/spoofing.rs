//! What a client claims by headers: X-Forwarded-Client-Cert in each forwarding mode, and the headers that carry the
//! identity upstream.

use std::process::Command;

use mtls_tests::client::request;
use mtls_tests::envoy::{Envoy, Listener, absent, pki};
use mtls_tests::programs::Program;

use super::{client, escaped, get, guarded, seen, words};

const MODES: [&str; 5] =
    ["SANITIZE_SET", "APPEND_FORWARD", "SANITIZE", "FORWARD_ONLY", "ALWAYS_FORWARD_ONLY"];

#[test]
fn a_forged_xfcc_is_worth_nothing_in_any_forwarding_mode() {
    if absent() {
        return;
    }
    let with = |from: &str| {
        let from = format!("certificate: {{from: {from}}}");
        MODES.map(|mode| Listener { forward: Some(mode), ..guarded(&from) })
    };
    let envoy = Envoy::start("xfcc", &[with("envoy-xfcc"), with("envoy")].concat(), 1);
    let uri = "URI=spiffe://example.test/ns/shop/sa/web";
    let web = format!("Cert=\"{}\"", escaped("web"));
    let forged = [
        format!("x-forwarded-client-cert: {web};{uri}\r\n"),
        format!("X-Forwarded-Client-Cert: {uri}\r\nx-forwarded-client-cert: {web}\r\n"),
        format!("x-forwarded-client-cert: Hash=00;Cert=\"\";Subject=\"\\\";{web};\"\r\n"),
        format!("x-forwarded-client-cert: By=spiffe://x,{web},{uri}\r\n"),
        format!("x_forwarded_client_cert: {web}\r\n"),
    ];
    for (index, port) in envoy.ports.iter().enumerate() {
        for header in &forged {
            for name in [Some("cart"), None] {
                let words = words(&get(*port, name, "/orders", header));
                assert!(words.starts_with("deny "), "{} {index} {name:?}: {words}", MODES[index % 5]);
            }
        }
    }
    // by XFCC where Envoy sets it; by the property always, whatever the header says
    for (index, port) in envoy.ports.iter().enumerate().filter(|(index, _)| ![2, 3, 4].contains(index)) {
        assert_eq!(words(&get(*port, Some("web"), "/orders", "")), "allow web", "{index}: {}", envoy.log());
        if index > 4 {
            assert_eq!(words(&get(*port, Some("web"), "/orders", &forged[0])), "allow web", "{index}");
        }
    }
}

#[test]
fn names_that_look_like_fields_of_xfcc_are_names() {
    if absent() {
        return;
    }
    let head = "certificate: {from: envoy-xfcc}";
    let envoy = Envoy::start("fields", &[Listener { forward: Some("SANITIZE_SET"), ..guarded(head) }], 1);
    for name in ["injection", "injection-quote", "injection-dns"] {
        let words = words(&get(envoy.ports[0], Some(name), "/orders", ""));
        assert!(words.starts_with("deny "), "{name}: {words}");
    }
}

#[test]
fn what_a_client_says_of_itself_never_gets_upstream() {
    if absent() {
        return;
    }
    let envoy = Envoy::start("spoofed", &[guarded("certificate: {from: envoy}")], 1);
    let forged = "x_client: admin\r\nX-Client: admin\r\nx-client: root\r\nX_cLIENT: root\r\nx-name: a\r\nx-name: b\r\n";
    let mut connection = client(Some("web")).connect(envoy.ports[0]).unwrap();
    let answer = connection.ask(&request("GET", "shop.test", "/orders", forged)).unwrap();
    assert_eq!(words(&answer), "allow web");
    assert_eq!(seen(&answer, "x-name"), ["spiffe:spiffe://example.test/ns/shop/sa/web"]);
    assert!(!answer.body.contains("x_client") && !answer.body.contains("admin"), "{}", answer.body);
    // an exempt request carries no identity at all
    let answer = connection.ask(&request("GET", "shop.test", "/healthz", forged)).unwrap();
    assert_eq!(words(&answer), "exempt");
    assert!(!answer.body.contains("x-name") && !answer.body.contains("admin"), "{}", answer.body);
}

#[test]
fn two_hosts_are_none() {
    if absent() {
        return;
    }
    let policy = "certificate: {from: envoy}\nidentities: {web: {spiffe: spiffe://example.test/ns/shop/sa/web}}\n\
                  rules: [{host: admin.test, allow: []}, {path: /**, allow: web}]\nforward: {x-client: identity}\n";
    let envoy = Envoy::start("hosts", &[Listener::guarded(policy)], 1);
    for (target, hosts, expected) in [
        ("/orders", "Host: shop.test\r\n", &["allow web"][..]),
        ("/orders", "Host: admin.test\r\n", &["deny identity-not-allowed-here"]),
        ("/orders", "Host: shop.test\r\nHost: admin.test\r\n", &["deny ambiguous-host", "Envoy 400"]),
        ("/orders", "Host: shop.test,admin.test\r\n", &["deny ambiguous-host", "Envoy 400"]),
        ("/orders", "Host: shop.test@admin.test\r\n", &["deny ambiguous-host", "Envoy 400"]),
        ("http://admin.test/orders", "Host: shop.test\r\n", &["deny identity-not-allowed-here"]),
        ("http://shop.test/orders", "Host: admin.test\r\n", &["allow web"]),
    ] {
        let bytes = format!("GET {target} HTTP/1.1\r\n{hosts}\r\n");
        let answer = client(Some("web")).connect(envoy.ports[0]).unwrap().ask(bytes.as_bytes()).unwrap();
        let words = words(&answer);
        assert!(expected.iter().any(|expected| words.starts_with(expected)), "{target} {hosts}: {words}");
        // what goes upstream is the host that was judged
        assert!(!words.starts_with("allow") || !answer.body.contains("admin.test"), "{}", answer.body);
    }
}

#[test]
fn http_2_is_judged_alike() {
    if absent() {
        return;
    }
    let envoy = Envoy::start("http2", &[guarded("certificate: {from: envoy}")], 1);
    let port = envoy.ports[0];
    let folder = envoy.folder();
    for (name, path, status) in [
        (Some("web"), "/orders", "200"),
        (Some("web"), "/a%2fb", "403"),
        (Some("cart"), "/orders", "403"),
        (Some("many-names"), "/orders", "403"),
        (None, "/orders", "403"),
        (None, "/healthz", "200"),
    ] {
        let mut curl = Command::new(Program::Curl.find().unwrap());
        curl.args(["-sS", "--http2", "--path-as-is", "--cacert", &pki("ca.pem")])
            .args(["-w", "\n%{http_version} %{http_code}"])
            .args(["--resolve", &format!("server.example.test:{port}:127.0.0.1")])
            .args(["-H", "x_client: admin", "-H", "x-client: admin"]);
        if let Some(name) = name {
            let (der, key) = mtls_tests::mint::decisions::client(name, super::later()).unwrap();
            let files = [("CERTIFICATE", der), ("PRIVATE KEY", key.pkcs8())].map(|(label, der)| {
                let path = folder.join(label.replace(' ', "-"));
                std::fs::write(&path, mtls_tests::mint::pem(label, &der)).unwrap();
                path
            });
            curl.arg("--cert").arg(&files[0]).arg("--key").arg(&files[1]);
        }
        let output = curl.arg(format!("https://server.example.test:{port}{path}")).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let (body, found) = text.rsplit_once('\n').unwrap();
        assert_eq!(found, format!("2 {status}"), "{name:?} {path}: {body}");
        assert!(!body.contains("admin"), "{body}");
    }
}

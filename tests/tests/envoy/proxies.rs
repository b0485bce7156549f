//! Behind another proxy: the certificate comes in a header, and counts from a trusted peer alone.

use base64::Engine as _;
use mtls_identity::certificate::{Certificate, hexadecimal};
use mtls_tests::client::{Answer, Client, request};
use mtls_tests::envoy::{Envoy, Listener, absent};
use mtls_tests::mint::certificate::{Draft, Extension, General, Name, purpose};
use mtls_tests::mint::key::{Key, KeyKind};
use mtls_tests::mint::{self, decisions};

use super::{client, get, guarded, later, words};

fn by_header(more: &str) -> Listener {
    // the address is the connection's, whatever X-Forwarded-For says
    Listener { remote_address: true, ..guarded(&format!("certificate: {{from: header, {more}}}")) }
}

#[test]
fn a_header_counts_from_a_trusted_peer_alone() {
    if absent() {
        return;
    }
    let der = |name: &str| decisions::client(name, later()).unwrap().0;
    let pem = mint::pem("CERTIFICATE", &der("web"));
    let escaped: String = pem.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let peer = Certificate::parse_pem(&mint::pem("CERTIFICATE", &der("cart"))).unwrap();
    let certificates = format!("trusted-peers: {{certificates: [\"{}\"]}}", hexadecimal(&peer.sha256));
    let near = "trusted-peers: {addresses: [127.0.0.0/8]}";
    let far = "trusted-peers: {addresses: [10.0.0.0/8]}";
    let forwards = |listener| Listener { forward: Some("ALWAYS_FORWARD_ONLY"), ..listener };
    let listeners = [
        by_header(&format!("format: rfc9440, {near}")),
        by_header(&format!("format: rfc9440, {far}")),
        by_header(&format!("format: rfc9440, {certificates}")),
        by_header(&format!("header: x-cert, format: escaped-pem, {near}")),
        forwards(by_header(&format!("format: xfcc, {near}"))),
        Listener { forward: Some("SANITIZE"), ..guarded("certificate: {from: envoy-xfcc}") },
    ];
    let envoy = Envoy::start("proxies", &listeners, 1);
    let base64 = base64::engine::general_purpose::STANDARD.encode(der("web"));
    let rfc9440 = format!("client-cert: :{base64}:\r\n");
    let xfcc = format!("x-forwarded-client-cert: Cert=\"{escaped}\"\r\n");
    let forged = format!("{rfc9440}x-forwarded-for: 10.0.0.1\r\n");
    let twice = format!("{rfc9440}Client-Cert: :{base64}:\r\n");
    let table: &[(usize, Option<&str>, &str, &str)] = &[
        (0, None, &rfc9440, "allow web"),
        (0, None, "", "deny no-certificate"),
        (0, None, &twice, "deny malformed-certificate"),
        (0, None, "client-cert: :AAAA:\r\n", "deny malformed-certificate"),
        (0, None, "client_cert: :AAAA:\r\n", "deny no-certificate"),
        (1, None, &rfc9440, "deny untrusted-peer"),
        (1, Some("web"), &forged, "deny untrusted-peer"),
        (2, Some("cart"), &rfc9440, "allow web"),
        (2, Some("web"), &rfc9440, "deny untrusted-peer"),
        (2, None, &rfc9440, "deny untrusted-peer"),
        (3, None, &format!("x-cert: {escaped}\r\n"), "allow web"),
        (4, None, &xfcc, "allow web"),
        (4, None, &format!("{},{}", xfcc.trim_end(), &xfcc[25..]), "deny malformed-certificate"),
        // this Envoy was told to set none
        (5, Some("web"), "", "deny host-error"),
        (5, Some("web"), &xfcc, "deny host-error"),
        (5, None, &xfcc, "deny no-certificate"),
    ];
    for (row, (index, name, headers, expected)) in table.iter().enumerate() {
        let answer: Answer = get(envoy.ports[*index], *name, "/orders", headers);
        assert_eq!(words(&answer), *expected, "row {row}: {}", envoy.log());
    }
    // the peer's own certificate is nobody's identity here
    let mut connection = client(Some("web")).connect(envoy.ports[0]).unwrap();
    let ask = request("GET", "shop.test", "/orders", "");
    assert_eq!(words(&connection.ask(&ask).unwrap()), "deny no-certificate");
}

#[test]
fn no_client_is_a_trusted_peer_by_x_forwarded_for() {
    if absent() {
        return;
    }
    let far = "certificate: {from: header, trusted-peers: {addresses: [10.0.0.0/8]}}";
    let listeners = [
        guarded(far),
        Listener { remote_address: true, ..guarded(far) },
        Listener { remote_address: true, trusted_hops: 1, ..guarded(far) },
        Listener { trusted_hops: 1, ..guarded(far) },
    ];
    let envoy = Envoy::start("forwarded-for", &listeners, 1);
    let base64 =
        base64::engine::general_purpose::STANDARD.encode(decisions::client("web", later()).unwrap().0);
    for (index, port) in envoy.ports.iter().enumerate() {
        for forged in
            ["10.0.0.1", "10.0.0.1:4711", "10.0.0.1, 10.0.0.2", "[10.0.0.1]:4711", "10.0.0.1,,10.0.0.1:1"]
        {
            let headers = format!("client-cert: :{base64}:\r\nx-forwarded-for: {forged}\r\n");
            let words = words(&get(*port, Some("web"), "/orders", &headers));
            assert_eq!(words, "deny untrusted-peer", "{index} {forged}: {}", envoy.log());
        }
    }
}

/// A client of the fixtures' authority with this common name and these URIs.
fn named(common_name: &str, uris: &[&str]) -> Client {
    let key = Key::new(KeyKind::Ec(256), "decisions odd names");
    let uris: Vec<General> = uris.iter().map(|uri| General::Uri((*uri).to_owned())).collect();
    let draft = Draft {
        version_1: false,
        serial: vec![0x52],
        issuer: Name::of("ca"),
        subject: Name::of(common_name),
        validity: ((2026, 1, 1), (2027, 1, 1)),
        later: later(),
        extensions: vec![Extension::purposes(&[purpose::CLIENT]), Extension::names(&uris)],
        hash: None,
        corrupt: false,
    };
    let der = draft.sign(&key.public(), &Key::new(KeyKind::Ec(256), "decisions ca"));
    Client::new(Some((der, key)), None, false)
}

#[test]
fn quotes_in_a_clients_names_hide_no_element_that_envoy_appends() {
    if absent() {
        return;
    }
    let near = "certificate: {from: header, format: xfcc, trusted-peers: {addresses: [127.0.0.0/8]}}";
    let append = |head: &str| Listener { forward: Some("APPEND_FORWARD"), ..guarded(head) };
    let envoy = Envoy::start("quotes", &[append(near), append("certificate: {from: envoy-xfcc}")], 1);
    let victim: String = {
        let pem = mint::pem("CERTIFICATE", &decisions::client("web", later()).unwrap().0);
        pem.bytes().map(|byte| format!("%{byte:02X}")).collect()
    };
    let clients = [
        ("a\"b", vec!["urn:x"]),
        ("a", vec!["urn:x\""]),
        ("a\"b", vec!["urn:x\""]),
        ("a\"b\"c", vec!["urn:\"", "urn:y\";z=\""]),
        ("a\\\"b", vec!["urn:x"]),
    ];
    let forged = ["x=\"", "Subject=\"", "x=\"\\", "\"", "x", "Chain=\"\";x=\""];
    for (name, uris) in clients {
        for forged in forged {
            let headers = format!("x-forwarded-client-cert: Cert=\"{victim}\";{forged}\r\n");
            let ask = request("GET", "shop.test", "/orders", &headers);
            let answer = named(name, &uris).connect(envoy.ports[0]).unwrap().ask(&ask).unwrap();
            assert_eq!(words(&answer), "deny malformed-certificate", "{name} {uris:?} {forged}");
        }
    }
    // whose header Envoy itself sets is found by its digest, whatever else is in it
    for (name, headers) in [
        ("a\"b", String::new()),
        ("a\"b", format!("x-forwarded-client-cert: Cert=\"{victim}\";x=\"\r\n")),
        ("a", "x-forwarded-client-cert: x=\"\r\n".to_owned()),
    ] {
        let web = named(name, &["spiffe://example.test/ns/shop/sa/web"]);
        let ask = request("GET", "shop.test", "/orders", &headers);
        let answer = web.connect(envoy.ports[1]).unwrap().ask(&ask).unwrap();
        assert_eq!(words(&answer), "allow web", "{name} {headers}: {}", envoy.log());
    }
}

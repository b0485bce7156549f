//! The finished modules in imitated wasm hosts, APISIX's above all: there is no real one to install here.
//!
//! Needs `cargo run --release -p mtls-tests --bin dist` before; `tests/run` does so.

#[path = "wasm_host/mod.rs"]
mod wasm_host;

use mtls_identity::certificate::{Certificate, hexadecimal};
use mtls_tests::cases::{Case, example, pem, tables};
use mtls_tests::seeded::Seeded;
use serde_yaml::Value;
use wasm_host::{Fault, Gateway, Request, Worker, module, serialized};

const AT: u64 = 1_780_000_000;
const GATEWAYS: [Gateway; 2] = [Gateway::Apisix, Gateway::Envoy];

fn load(gateway: Gateway) -> Worker {
    Worker::load(gateway, false).unwrap()
}

fn policy(gateway: Gateway, more: &str) -> String {
    let from = match gateway {
        Gateway::Apisix => "apisix",
        Gateway::Envoy => "envoy",
    };
    format!(
        "certificate: {{from: {from}}}\nidentities: {{web: {{spiffe: spiffe://example.test/ns/shop/sa/web}}}}\n\
         rules: [{{name: all, allow: web}}]\n{more}"
    )
}

fn request(at: u64, path: &str) -> Request {
    Request {
        method: "GET".to_owned(),
        host: "shop.test".to_owned(),
        path: path.into(),
        at,
        ..Request::default()
    }
}

/// A request whose client authenticated with this certificate, or with none.
fn with_certificate(gateway: Gateway, mut request: Request, pem: Option<&str>) -> Request {
    let mut set = |name: &str, value: &[u8]| {
        request.properties.insert(name.replace('.', "\0").into_bytes(), value.to_vec());
    };
    match (gateway, pem) {
        (Gateway::Apisix, None) => set("ssl_client_verify", b"NONE"),
        (Gateway::Apisix, Some(pem)) => {
            set("ssl_client_verify", b"SUCCESS");
            set("ssl_client_raw_cert", pem.as_bytes());
        }
        (Gateway::Envoy, None) => set("connection.mtls", &[0]),
        (Gateway::Envoy, Some(pem)) => {
            let digest =
                Certificate::parse_pem(pem).map(|certificate| certificate.sha256).unwrap_or_default();
            set("connection.mtls", &[1]);
            set("connection.peer_certificate_valid", &[1]);
            set("connection.sha256_peer_certificate_digest", hexadecimal(&digest).as_bytes());
            set("connection.peer_certificate", pem.as_bytes());
        }
    }
    request
}

fn hit(gateway: Gateway) -> Request {
    with_certificate(gateway, request(AT, "/orders"), Some(&pem("web")))
}

/// What APISIX makes of a policy that is given as an object: JSON, its keys in any order, `{}` for an empty list
/// and for null.
fn handed_on(policy: &str, order: &mut Seeded) -> String {
    fn written(value: &Value, order: &mut Seeded) -> String {
        let quoted = |text: &str| serde_json::to_string(text).unwrap().replace('/', "\\/");
        match value {
            Value::Null => "{}".to_owned(),
            Value::Bool(_) | Value::Number(_) => serde_json::to_string(value).unwrap(),
            Value::String(text) => quoted(text),
            Value::Sequence(list) if list.is_empty() => "{}".to_owned(),
            Value::Sequence(list) => {
                let list: Vec<String> = list.iter().map(|value| written(value, order)).collect();
                format!("[{}]", list.join(","))
            }
            Value::Mapping(mapping) => {
                let mut entries: Vec<(u8, String)> = Vec::new();
                for (key, value) in mapping {
                    let place = order.bytes(1)[0];
                    entries.push((
                        place,
                        format!("{}:{}", quoted(key.as_str().unwrap()), written(value, order)),
                    ));
                }
                entries.sort();
                let entries: Vec<String> = entries.into_iter().map(|(_, entry)| entry).collect();
                format!("{{{}}}", entries.join(","))
            }
            Value::Tagged(_) => panic!("a tag"),
        }
    }
    written(&serde_yaml::from_str(policy).unwrap(), order)
}

#[test]
fn every_decision_is_the_fixtures() {
    let mut order = Seeded::new("order of keys");
    for gateway in GATEWAYS {
        let mut worker = load(gateway);
        let mut asked = 0;
        for (file, table) in tables() {
            // APISIX has no route names
            if gateway == Gateway::Apisix && file == "routes" {
                continue;
            }
            let mut text = table.filled(pem).replace("forward:", "forwards:");
            text.push_str("\nforward: {x-client: identity, x-rule: rule}\nremove-headers: []\nmode: null\n");
            if gateway == Gateway::Apisix {
                text = text.replace("{from: envoy}", "{from: apisix}");
            }
            for text in [text.clone(), handed_on(&text, &mut order)] {
                let (root, logged) = worker.configure(text.as_bytes());
                let root = root.unwrap_or_else(|| panic!("{file}: {logged:?}\n{text}"));
                // twice: the second time the certificate is known
                for case in table.cases.iter().chain(&table.cases) {
                    decides(&mut worker, gateway, root, case, &format!("{gateway:?}: {file}: {}", case.name));
                    asked += 1;
                }
                worker.end(root);
            }
        }
        assert!(asked > 600, "{asked}");
    }
}

fn decides(worker: &mut Worker, gateway: Gateway, root: i32, case: &Case, name: &str) {
    let (method, host, path) = case.request();
    // without the forged ones the gateway may choose another route, so that a request that brings them is denied
    let forged = [("X-Client", "admin"), ("x_client", "admin"), ("x-RULE", "forged")];
    let forged = forged.iter().filter(|_| case.route.is_none());
    let headers = forged.chain(&[("other", "stays")]);
    let mut request = Request {
        method: method.to_owned(),
        host: host.to_owned(),
        path: path.into(),
        headers: headers.map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        at: u64::try_from(case.seconds()).unwrap(),
        ..Request::default()
    };
    if let Some(route) = &case.route {
        request.properties.insert(b"xds\0route_name".to_vec(), route.clone().into_bytes());
    }
    let request =
        with_certificate(gateway, request, case.certificate.as_ref().map(|name| pem(name)).as_deref());
    let answer = worker.ask(root, &request).unwrap_or_else(|error| panic!("{name}: {error}"));
    if let Some(reason) = case.expect.strip_prefix("deny ") {
        assert_eq!(answer.word(), reason, "{name}");
        assert_eq!(answer.response.unwrap().status, 403, "{name}");
        assert_eq!(answer.logged.len(), 1, "{name}");
        assert!(answer.logged[0].contains(&format!("reason={reason} ")), "{name}: {}", answer.logged[0]);
        return;
    }
    assert_eq!(answer.word(), "allow", "{name}: {:?}", answer.logged);
    assert_eq!(answer.upstream("x_client"), [""; 0], "{name}");
    assert_eq!(answer.upstream("other"), ["stays"], "{name}");
    let (client, rule) = (answer.upstream("x-client").join(" "), answer.upstream("x-rule").join(" "));
    match case.expect.strip_prefix("allow ") {
        Some(expected) => assert_eq!(format!("{client} by {rule}"), expected, "{name}"),
        None => assert_eq!((client, rule), (String::new(), String::new()), "{name}"),
    }
    if gateway == Gateway::Envoy {
        let counted = if case.expect.starts_with("allow") { "mtls_guard.allow" } else { "mtls_guard.exempt" };
        assert_eq!(answer.counted, [counted], "{name}");
    }
}

#[test]
fn a_host_function_that_fails_denies_and_never_traps() {
    let calls = [
        "proxy_get_property",
        "proxy_get_header_map_pairs",
        "proxy_get_header_map_value",
        "proxy_replace_header_map_value",
        "proxy_remove_header_map_value",
        "proxy_get_current_time_nanoseconds",
        "proxy_get_shared_data",
        "proxy_send_local_response",
    ];
    for gateway in GATEWAYS {
        let mut worker = load(gateway);
        let (root, _) = worker.configure(policy(gateway, "forward: {x-client: identity}").as_bytes());
        let root = root.unwrap();
        let mut request = hit(gateway);
        request.headers.push((b"x_client".to_vec(), b"admin".to_vec()));
        for call in calls {
            for status in (1..=13).chain([99, -1]) {
                worker.fault(Some(Fault::Status(call, status)));
                let answer =
                    worker.ask(root, &request).unwrap_or_else(|error| panic!("{call} {status}: {error}"));
                let harmless = match call {
                    // APISIX takes its time from a property, and nothing here asks for these two
                    "proxy_get_current_time_nanoseconds" => gateway == Gateway::Apisix,
                    "proxy_get_header_map_value" | "proxy_get_shared_data" | "proxy_send_local_response" => {
                        true
                    }
                    // there was no such header
                    "proxy_remove_header_map_value" => status == 1,
                    _ => false,
                };
                assert_eq!(
                    answer.word() == "allow",
                    harmless,
                    "{gateway:?} {call} {status}: {}",
                    answer.word()
                );
            }
            worker.fault(None);
            let answer = worker.ask(root, &request).unwrap();
            assert_eq!(
                (answer.word(), answer.upstream("x_client").len()),
                ("allow".to_owned(), 0),
                "after {call}"
            );
        }
        // a denial that cannot be sent lets nothing pass
        worker.fault(Some(Fault::Status("proxy_send_local_response", 2)));
        let stranger = with_certificate(gateway, self::request(AT, "/"), None);
        assert_eq!(worker.ask(root, &stranger).unwrap().word(), "stuck");
    }
}

#[test]
fn whatever_a_host_hands_over_denies_in_bounded_work() {
    let mut bytes = Seeded::new("a host's bytes");
    for gateway in GATEWAYS {
        let mut worker = Worker::load(gateway, true).unwrap();
        let (root, _) = worker.configure(policy(gateway, "forward: {x-client: identity}").as_bytes());
        let root = root.unwrap();
        let mut most = (0, String::new());
        let mut denied = |worker: &mut Worker, request: &Request, what: &str| {
            let answer =
                worker.ask(root, request).unwrap_or_else(|error| panic!("{gateway:?} {what}: {error}"));
            assert!(!["allow", "stuck"].contains(&answer.word().as_str()), "{gateway:?} {what}");
            if answer.instructions > most.0 {
                most = (answer.instructions, what.to_owned());
            }
        };
        let good =
            serialized(&[(b":path".to_vec(), b"/orders".to_vec()), (b"x_client".to_vec(), b"a".to_vec())]);
        let mut maps: Vec<Vec<u8>> = (0..good.len() - 2).map(|length| good[..length].to_vec()).collect();
        maps.extend((0..200).map(|round| bytes.bytes(round)));
        // sizes and counts beyond everything, a million empty headers, one of a megabyte
        for at in (0..20).step_by(4) {
            for size in [u32::MAX, 1 << 31, 1 << 20, 255] {
                let mut map = good.clone();
                map[at..at + 4].copy_from_slice(&size.to_le_bytes());
                if at > 0 {
                    maps.push(map);
                }
            }
        }
        maps.push([&1_000_000u32.to_le_bytes()[..], &vec![0; 10_000_000]].concat());
        maps.push(serialized(&[(vec![b'x'; 1 << 20], vec![b'y'; 1 << 20])]));
        for (index, map) in maps.into_iter().enumerate() {
            worker.fault(Some(Fault::Bytes("proxy_get_header_map_pairs", map)));
            // cut behind the path, a map is whole enough to judge by: no certificate then
            denied(
                &mut worker,
                &with_certificate(gateway, request(AT, "/orders"), None),
                &format!("map {index}"),
            );
        }
        worker.fault(None);
        let pem = pem("cart");
        let mut certificates: Vec<Vec<u8>> =
            (0..pem.len()).step_by(13).map(|length| pem.as_bytes()[..length].to_vec()).collect();
        certificates.extend((0..pem.len()).step_by(11).map(|at| {
            let mut broken = pem.clone().into_bytes();
            broken[at] ^= 1;
            broken
        }));
        certificates.extend((0..200).map(|round| bytes.bytes(round * 3)));
        certificates.extend([vec![b'%'; 1 << 20], pem.repeat(2000).into_bytes(), vec![b'-'; 1 << 20]]);
        for (index, text) in certificates.into_iter().enumerate() {
            let mut request = hit(gateway);
            for name in ["ssl_client_raw_cert", "connection\0peer_certificate"] {
                request.properties.insert(name.into(), text.clone());
            }
            let digest = format!("{index:064x}");
            request
                .properties
                .insert(b"connection\0sha256_peer_certificate_digest".to_vec(), digest.into_bytes());
            denied(&mut worker, &request, &format!("certificate {index}"));
        }
        for path in ["/../x", "/%2f", "/%", "\u{1}", "x", "/a//b", "/\u{fc}"] {
            denied(&mut worker, &with_certificate(gateway, request(AT, path), Some(&pem)), path);
        }
        let long = format!("/{}", "%41".repeat(300_000));
        denied(&mut worker, &with_certificate(gateway, request(AT, &long), Some(&pem)), "a long path");
        println!("{gateway:?}: the costliest: {most:?}");
        // a second has some 10^9 of them, and no gateway lets ten megabytes of headers in
        assert!(most.0 < 400_000_000, "{gateway:?}: {most:?}");
    }
}

#[test]
fn memory_does_not_grow() {
    for gateway in GATEWAYS {
        let mut worker = load(gateway);
        let (root, _) = worker.configure(policy(gateway, "forward: {x-client: identity}").as_bytes());
        let root = root.unwrap();
        let names = ["web", "cart", "expired", "impostor", "p384", "serial", "partner", "cn-only"];
        let requests: Vec<Request> = names
            .iter()
            .map(|name| with_certificate(gateway, request(AT, "/orders"), Some(&pem(name))))
            .chain([with_certificate(gateway, request(AT, "/orders"), None), request(AT, "/../x")])
            .collect();
        let mut allowed = 0;
        let mut round = |worker: &mut Worker, requests: &[Request], times: usize| {
            for request in requests.iter().cycle().take(times) {
                allowed += usize::from(worker.ask(root, request).unwrap().word() == "allow");
            }
        };
        round(&mut worker, &requests, 1_000);
        let warm = worker.memory();
        round(&mut worker, &requests, 10_000);
        assert_eq!(worker.memory(), warm, "{gateway:?}: bytes after 10,000 requests");
        // four of the ten bear that identity
        assert_eq!(allowed, 4 * 1_100, "{gateway:?}");
        // nor by reloading, with good policies and with bad ones
        let mut reload = |times: usize| {
            for turn in 0..times {
                let (again, _) = worker.configure(policy(gateway, &format!("# {turn}\n")).as_bytes());
                let again = again.unwrap();
                assert_eq!(worker.ask(again, &requests[0]).unwrap().word(), "allow");
                worker.end(again);
                let (refused, logged) = worker.configure(b"certificate: {from: nowhere}\n");
                assert!(refused.is_none() && logged.len() == 1, "{logged:?}");
            }
            worker.memory()
        };
        let warm = reload(50);
        let after = reload(300);
        // a refused plugin context is never ended by its host: what is left of each is a few bytes
        assert!(after <= warm + 128 * 1024, "{gateway:?}: {warm} and then {after} bytes");
    }
}

#[test]
fn a_worker_keeps_policies_and_certificates_apart() {
    for gateway in GATEWAYS {
        let mut worker = load(gateway);
        let mut configure = |text: &str| worker.configure(text.as_bytes()).0.unwrap();
        let open = configure(&policy(gateway, "exempt: [{path: /orders}]"));
        let closed =
            configure(&policy(gateway, "rules: []").replacen("rules: [{name: all, allow: web}]\n", "", 1));
        let audit = configure(&policy(gateway, "mode: audit\nremove-headers: [x-client]"));
        let none = with_certificate(gateway, request(AT, "/orders"), None);
        let mut spoofed = none.clone();
        spoofed.headers.push((b"X_Client".to_vec(), b"admin".to_vec()));
        for _ in 0..3 {
            assert_eq!(worker.ask(open, &none).unwrap().word(), "allow");
            assert_eq!(worker.ask(closed, &none).unwrap().word(), "no-certificate");
            assert_eq!(worker.ask(closed, &hit(gateway)).unwrap().word(), "no-rule");
            assert_eq!(worker.ask(open, &hit(gateway)).unwrap().word(), "allow");
            let answer = worker.ask(audit, &spoofed).unwrap();
            assert_eq!((answer.word(), answer.upstream("x_client").len()), ("allow".to_owned(), 0));
            assert!(answer.logged[0].contains("would deny reason=no-certificate"), "{:?}", answer.logged);
        }
        // a plugin context that was refused, or never configured, denies
        let (refused, _) = worker.configure(b"[");
        assert_eq!(refused, None);
    }
}

#[test]
fn apisix_alone() {
    let gateway = Gateway::Apisix;
    // its host has no metrics: the module for Envoy does not even load there
    let error = Worker::with_module(gateway, &module(Gateway::Envoy), false).err().unwrap();
    assert!(format!("{error:?}").contains("_metric"), "{error:?}");

    let mut worker = load(gateway);
    let (root, _) = worker.configure(policy(gateway, "").as_bytes());
    let root = root.unwrap();
    let mut ask = |verify: Option<&str>, at: u64| {
        let mut request = hit(gateway);
        request.at = at;
        match verify {
            Some(verify) => request.properties.insert(b"ssl_client_verify".to_vec(), verify.into()),
            None => request.properties.remove(&b"ssl_client_verify"[..]),
        };
        worker.ask(root, &request).unwrap().word()
    };
    let table = [
        (Some("SUCCESS"), "allow"),
        (Some("NONE"), "no-certificate"),
        (Some("FAILED:self-signed certificate"), "unverified-certificate"),
        (Some("success"), "unverified-certificate"),
        (Some(""), "no-certificate"),
        // over plain HTTP
        (None, "no-certificate"),
        (Some("SUCCESS"), "allow"),
    ];
    for (verify, word) in table {
        assert_eq!(ask(verify, AT), word, "{verify:?}");
    }
    assert_eq!(ask(Some("SUCCESS"), 1_900_000_000), "expired");
    // the host that routes is judged, and no other beside it
    let hosts = policy(gateway, "forward: {x-client: identity}")
        .replace("{name: all, allow: web}", "{host: admin.test, allow: []}, {name: all, allow: web}");
    let (by_host, _) = worker.configure(hosts.as_bytes());
    let by_host = by_host.unwrap();
    for (sent, routed, word) in [
        ("shop.test:8443", "shop.test", "allow"),
        ("admin.test", "admin.test", "identity-not-allowed-here"),
        // GET http://admin.test/orders with Host: shop.test
        ("shop.test", "admin.test", "ambiguous-host"),
    ] {
        let mut request = hit(gateway);
        request.host = sent.to_owned();
        request.properties.insert(b"host".to_vec(), routed.into());
        assert_eq!(worker.ask(by_host, &request).unwrap().word(), word, "{sent} {routed}");
    }
    let mut crowded = hit(gateway);
    crowded.headers = (0..100).map(|at| (format!("f{at}").into_bytes(), b"1".to_vec())).collect();
    crowded.headers.push((b"X_Client".to_vec(), b"admin".to_vec()));
    assert_eq!(worker.ask(by_host, &crowded).unwrap().word(), "too-many-headers");
    crowded.headers.drain(..10);
    let answer = worker.ask(by_host, &crowded).unwrap();
    assert_eq!((answer.word().as_str(), answer.upstream("x_client").len()), ("allow", 0));
    // without its clock nothing is decided: the host function for the time answers that there is none
    let mut request = hit(gateway);
    request.properties.insert(b"msec".to_vec(), b"not a time".to_vec());
    assert_eq!(worker.ask(root, &request).unwrap().word(), "host-error");
}

#[test]
fn the_readmes_example_lets_the_shop_in_and_nobody_else() {
    let config: Value = serde_yaml::from_str(&example("apisix config.yaml")).unwrap();
    let route: Value = serde_yaml::from_str(&example("apisix route")).unwrap();
    let plugin = &config["wasm"]["plugins"][0];
    assert!(plugin["file"].as_str().unwrap().ends_with("/mtls_guard_apisix.wasm"));
    assert!(plugin["priority"].is_i64());
    let policy = route["plugins"][plugin["name"].as_str().unwrap()]["conf"].as_str().unwrap();
    // as text, and as the Admin API's users may write it since APISIX 3.5: as an object
    for text in [policy.to_owned(), handed_on(policy, &mut Seeded::new("order of keys"))] {
        let mut worker = load(Gateway::Apisix);
        let (root, logged) = worker.configure(text.as_bytes());
        let root = root.unwrap_or_else(|| panic!("{logged:?}"));
        let mut ask = |certificate: Option<&str>, path: &str| {
            let certificate = certificate.map(pem);
            let request = with_certificate(Gateway::Apisix, request(AT, path), certificate.as_deref());
            worker.ask(root, &request).unwrap().word()
        };
        let table = [
            (Some("web"), "/orders/7", "allow"),
            (Some("web"), "/other", "no-rule"),
            (Some("web"), "/orders/../other", "ambiguous-path"),
            (Some("cart"), "/orders/7", "unknown-identity"),
            (None, "/orders/7", "no-certificate"),
        ];
        for (certificate, path, word) in table {
            assert_eq!(ask(certificate, path), word, "{certificate:?} {path}");
        }
    }
}

/// Nanoseconds of CPU that this thread has had.
fn cpu() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn it_starts_quickly_and_a_hit_costs_little() {
    for gateway in GATEWAYS {
        // as code that nobody optimised, which a gateway's own is
        let mut worker = load(gateway);
        let began = cpu();
        let (root, _) = worker.configure(policy(gateway, "").as_bytes());
        assert!(root.is_some());
        let took = cpu() - began;
        println!("{gateway:?}: {} ms of CPU to configure", took / 1_000_000);
        assert!(took < 1_000_000_000, "{gateway:?}: {took} ns to configure");
        let request = hit(gateway);
        let mut counting = Worker::load(gateway, true).unwrap();
        let (root, _) = counting.configure(policy(gateway, "").as_bytes());
        let root = root.unwrap();
        let first = counting.ask(root, &request).unwrap();
        let second = counting.ask(root, &request).unwrap();
        println!("{gateway:?}: {} instructions at first, {} a hit", first.instructions, second.instructions);
        let calls: &[&str] = match gateway {
            Gateway::Apisix => &[
                "proxy_get_header_map_value",
                "proxy_get_property",
                "proxy_get_property",
                "proxy_get_property",
            ],
            Gateway::Envoy => {
                &["proxy_get_header_map_value", "proxy_get_property", "proxy_get_current_time_nanoseconds"]
            }
        };
        assert_eq!(second.calls, calls, "{gateway:?}");
        assert!(second.instructions < 20_000, "{gateway:?}: {} instructions a hit", second.instructions);
    }
}

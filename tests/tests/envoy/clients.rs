//! Who comes: with which certificate, over which session, at what time.

use std::time::Duration;

use mtls_tests::cases::pem;
use mtls_tests::client::{Client, Version, request};
use mtls_tests::envoy::{Envoy, Listener, absent};
use mtls_tests::mint::decisions;

use super::{client, get, guarded, later, now, seen, words};

#[test]
fn eight_workers_let_through_whom_the_policy_allows() {
    if absent() {
        return;
    }
    let envoy = Envoy::start("workers", &[guarded("certificate: {from: envoy}")], 8);
    let port = envoy.ports[0];
    let table: &[(Option<&str>, &str, &str)] = &[
        (Some("web"), "/orders", "allow web"),
        (Some("web-dns"), "/orders", "allow web"),
        (Some("rsa2048"), "/orders", "allow web"),
        (Some("cart"), "/orders", "deny unknown-identity"),
        (Some("two-spiffe"), "/orders", "deny ambiguous-identity"),
        (Some("injection"), "/orders", "deny unknown-identity"),
        (Some("injection-quote"), "/orders", "deny unknown-identity"),
        // 36 KB with 401 names
        (Some("many-names"), "/orders", "deny unknown-identity"),
        (Some("web"), "/a/../b", "deny ambiguous-path"),
        (Some("web"), "/a%2fb", "deny ambiguous-path"),
        (None, "/orders", "deny no-certificate"),
        (None, "/healthz", "exempt"),
        (Some("cart"), "/healthz", "exempt"),
    ];
    // connections at once, so that they spread over the workers
    let ask = |(name, path, expected): &(Option<&str>, &str, &str)| {
        for _ in 0..4 {
            assert_eq!(words(&get(port, *name, path, "")), *expected, "{name:?} {path}");
        }
    };
    std::thread::scope(|scope| {
        for row in table {
            scope.spawn(move || ask(row));
        }
    });
    let counters = envoy.counters_adding_up_to(4 * 13);
    let expected = [("allow", 12), ("exempt", 8), ("deny.no-certificate", 4), ("deny.ambiguous-identity", 4)];
    for (counter, count) in expected {
        assert_eq!(counters.get(counter), Some(&count), "{counter}: {counters:?}");
    }
    assert_eq!(counters.values().sum::<u64>(), 4 * 13, "{counters:?}");
    assert!(envoy.log().contains("deny reason=unknown-identity"), "{}", envoy.log());
    let prometheus = envoy.ask_admin("stats/prometheus?filter=mtls_guard").body;
    assert!(prometheus.contains("mtls_guard_allow{} 12"), "{prometheus}");
}

#[test]
fn a_stranger_whom_envoy_accepts_is_not_vouched_for() {
    if absent() {
        return;
    }
    let untrusted = Listener { accept_untrusted: true, ..guarded("certificate: {from: envoy}") };
    let envoy = Envoy::start("untrusted", &[untrusted], 1);
    let port = envoy.ports[0];
    assert_eq!(words(&get(port, Some("impostor"), "/orders", "")), "deny unverified-certificate");
    assert_eq!(words(&get(port, Some("web"), "/orders", "")), "allow web");
    assert_eq!(words(&get(port, Some("impostor"), "/orders", "")), "deny unverified-certificate");
    // nor by a session resumed
    for version in [Version::Tls12, Version::Tls13] {
        let stranger = Client::new(decisions::client("impostor", later()), Some(version), true);
        let resumed: Vec<bool> = (0..3)
            .map(|_| {
                let mut connection = stranger.connect(port).unwrap();
                let answer = connection.ask(&request("GET", "shop.test", "/orders", "")).unwrap();
                assert_eq!(words(&answer), "deny unverified-certificate", "{version:?}");
                connection.resumed()
            })
            .collect();
        assert_eq!(resumed, [false, true, true], "{version:?}");
    }
}

#[test]
fn where_strangers_are_accepted_an_authority_that_is_withdrawn_counts_for_whom_it_vouched_before() {
    if absent() {
        return;
    }
    let folder = std::env::temp_dir().join(format!("mtls-guard-withdrawn-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("clients.json");
    let listener = Listener {
        accept_untrusted: true,
        discovery: Some(file.clone()),
        ..guarded("certificate: {from: envoy}")
    };
    let put = |text: &str| {
        std::fs::write(folder.join("new"), text).unwrap();
        std::fs::rename(folder.join("new"), &file).unwrap();
    };
    put(&listener.discovered());
    let envoy = Envoy::start("withdrawn", std::slice::from_ref(&listener), 1);
    let port = envoy.ports[0];
    let web = Client::new(decisions::client("web", later()), Some(Version::Tls13), true);
    let ask = |client: &Client| {
        let mut connection = client.connect(port).unwrap();
        let answer = connection.ask(&request("GET", "shop.test", "/orders", "")).unwrap();
        (words(&answer), connection.resumed())
    };
    assert_eq!(ask(&web), ("allow web".to_owned(), false));
    assert_eq!(ask(&web), ("allow web".to_owned(), true));

    let updates = || envoy.ask_admin("stats?filter=server_ssl_socket_factory.ssl_context_update_by_sds").body;
    let before = updates();
    assert!(before.contains("ssl_context_update_by_sds"), "{before}");
    put(&Listener { authorities: Some(pem("impostor-ca")), ..listener }.discovered());
    let began = std::time::Instant::now();
    while updates() == before {
        assert!(began.elapsed() < Duration::from_secs(20), "{}", envoy.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    // Envoy resumes no session that began under other authorities, and says of the new handshake what it says of a
    // resumed session, that nothing was verified: the filter cannot tell them apart (seven days, the policy's reference)
    assert_eq!(ask(&web), ("allow web".to_owned(), false));
    assert_eq!(ask(&client(Some("web-dns"))).0, "deny unverified-certificate");
    assert_eq!(ask(&client(Some("impostor"))).0, "allow web");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn sessions_resumed_in_either_version_are_believed() {
    if absent() {
        return;
    }
    let envoy = Envoy::start("resumed", &[guarded("certificate: {from: envoy}")], 2);
    for version in [Version::Tls12, Version::Tls13] {
        let web = Client::new(decisions::client("web", later()), Some(version), true);
        let mut resumptions = 0;
        for turn in 0..8 {
            let mut connection = web.connect(envoy.ports[0]).unwrap();
            let answer = connection.ask(&request("GET", "shop.test", "/orders", "")).unwrap();
            assert_eq!(words(&answer), "allow web", "{version:?} {turn}: {}", envoy.log());
            resumptions += usize::from(connection.resumed());
        }
        assert_eq!(resumptions, 7, "{version:?}");
    }
}

#[test]
fn a_certificate_expires_between_two_requests_of_a_connection_and_in_a_resumed_session() {
    if absent() {
        return;
    }
    let envoy = Envoy::start("expiry", &[guarded("certificate: {from: envoy}")], 1);
    let expires = |version| {
        let (_, until) = decisions::validity("web").unwrap();
        let last = now() + 4;
        let web = Client::new(decisions::client("web", last - until), Some(version), true);
        let ask = request("GET", "shop.test", "/orders", "");
        let mut connection = web.connect(envoy.ports[0]).unwrap();
        assert_eq!(words(&connection.ask(&ask).unwrap()), "allow web", "{version:?}");
        while now() <= last {
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(words(&connection.ask(&ask).unwrap()), "deny expired", "{version:?}");
        // Envoy resumes the session all the same, without looking at the dates
        let mut again = web.connect(envoy.ports[0]).unwrap();
        assert_eq!(words(&again.ask(&ask).unwrap()), "deny expired", "{version:?}");
        assert!(again.resumed(), "{version:?}");
    };
    std::thread::scope(|scope| {
        for version in [Version::Tls12, Version::Tls13] {
            scope.spawn(move || expires(version));
        }
    });
}

#[test]
fn audit_mode_lets_everyone_through_without_identity() {
    if absent() {
        return;
    }
    let envoy = Envoy::start("audit", &[guarded("mode: audit\ncertificate: {from: envoy}")], 1);
    let table = [
        (Some("cart"), "unknown-identity"),
        (None, "no-certificate"),
        (Some("two-spiffe"), "ambiguous-identity"),
    ];
    for (name, reason) in table {
        let answer = get(envoy.ports[0], name, "/orders", "x-client: admin\r\nX_Client: admin\r\n");
        assert_eq!(answer.status, 200, "{name:?}");
        assert!(!answer.body.contains("admin"), "{}", answer.body);
        assert!(envoy.log().contains(&format!("would deny reason={reason}")), "{}", envoy.log());
    }
    let counters = envoy.counters_adding_up_to(3);
    for (_, reason) in table {
        assert_eq!(counters.get(&format!("audit.{reason}")), Some(&1), "{counters:?}");
    }
    assert_eq!(words(&get(envoy.ports[0], Some("web"), "/orders", "x-client: admin\r\n")), "allow web");
}

#[test]
fn one_connection_keeps_its_identity_whatever_it_asks() {
    if absent() {
        return;
    }
    let envoy = Envoy::start("kept", &[guarded("certificate: {from: envoy}")], 1);
    let mut connection = client(Some("web-dns")).connect(envoy.ports[0]).unwrap();
    for (path, expected) in
        [("/a", "allow web"), ("/healthz", "exempt"), ("/a/./b", "deny ambiguous-path"), ("/a", "allow web")]
    {
        let answer = connection.ask(&request("GET", "shop.test", path, "")).unwrap();
        assert_eq!(words(&answer), expected, "{path}");
        if expected == "allow web" {
            assert_eq!(seen(&answer, "x-name"), ["spiffe:spiffe://example.test/ns/shop/sa/web"]);
        }
    }
}

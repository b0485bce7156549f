//! The filter under imitated gateways: where certificates come from, what hosts answer, what clients try.

use std::path::Path;

use mtls_guard::config::Config;
use mtls_guard::filter::{Guard, Verdict};
use mtls_identity::certificate::Certificate;
use mtls_tests::hosts::{Gateway, Scripted};
use mtls_tests::seeded::Seeded;

const AT: u64 = 1_780_000_000;
const GET: [(&str, &str); 3] = [(":method", "GET"), (":authority", "shop.test"), (":path", "/orders")];
const WHO: &str = "identities: {web: {spiffe: spiffe://example.test/ns/shop/sa/web}}\n\
                   rules: [{name: all, allow: web}]\nforward: {x-client: identity, client-cert: client-cert}\n";

fn pem(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../fixtures/pki/decisions/{name}.pem"));
    std::fs::read_to_string(path).unwrap()
}

fn digest(name: &str) -> [u8; 32] {
    Certificate::parse_pem(&pem(name)).unwrap().sha256
}

fn guard(certificate: &str) -> Guard {
    Guard::new(Config::parse(format!("certificate: {{{certificate}}}\n{WHO}").as_bytes()).unwrap())
}

/// "allow", or the reason.
fn ask(guard: &Guard, host: &Scripted) -> String {
    match guard.on_request(host) {
        Verdict::Continue => "allow".to_owned(),
        Verdict::Answered => {
            let (_, details) = host.response.borrow().clone().unwrap();
            details.strip_prefix("mtls_guard_").unwrap().replace('_', "-")
        }
    }
}

fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

fn rfc9440(name: &str) -> String {
    let body: String = pem(name).lines().filter(|line| !line.starts_with('-')).collect();
    format!(":{body}:")
}

#[test]
fn a_known_certificate_costs_one_property_and_one_header() {
    let config = "certificate: {from: envoy}\nidentities: {web: {spiffe: spiffe://example.test/ns/shop/sa/web}}\n\
                  rules: [{path: /orders, allow: web}]\n";
    let guard = Guard::new(Config::parse(config.as_bytes()).unwrap());
    let request = || Scripted::new(Gateway::Envoy, AT, &GET).with_certificate(&pem("web"), &digest("web"));
    assert_eq!(ask(&guard, &request()), "allow");
    let host = request();
    assert_eq!(ask(&guard, &host), "allow");
    let calls = host.calls.borrow();
    assert_eq!(*calls, ["proxy_get_header_map_value", "proxy_get_property", "now"]);
}

#[test]
fn an_exempt_path_costs_one_header() {
    let config = "certificate: {from: envoy}\nidentities: {web: {spiffe: spiffe://example.test/ns/shop/sa/web}}\n\
                  exempt: [{path: /orders}]\nrules: []\n";
    let guard = Guard::new(Config::parse(config.as_bytes()).unwrap());
    let mut host = Scripted::new(Gateway::Envoy, AT, &GET).with_certificate(&pem("web"), &digest("web"));
    assert_eq!(ask(&guard, &host), "allow");
    assert_eq!(*host.calls.borrow(), ["proxy_get_header_map_value"]);
    // nobody's certificate is a reason to fail
    host.broken = Some(("proxy_get_property", 10));
    assert_eq!(ask(&guard, &host), "allow");
    assert_eq!(host.counts.borrow().get("exempt"), Some(&2));
}

#[test]
fn envoy_vouches_in_a_handshake_and_resumed_sessions_are_believed_after_it() {
    let guard = guard("from: envoy");
    let unverified = |name: &str| {
        Scripted::new(Gateway::Envoy, AT, &GET)
            .with_certificate(&pem(name), &digest(name))
            .with("connection.peer_certificate_valid", [0])
    };
    assert_eq!(ask(&guard, &unverified("web")), "unverified-certificate");
    let verified = Scripted::new(Gateway::Envoy, AT, &GET).with_certificate(&pem("web"), &digest("web"));
    assert_eq!(ask(&guard, &verified), "allow");
    assert_eq!(ask(&guard, &unverified("web")), "allow");
    assert_eq!(ask(&guard, &unverified("impostor")), "unverified-certificate");
    // another worker finds what this one verified, and no other certificate there
    let other = self::guard("from: envoy");
    let mut resumed = unverified("web");
    resumed.shared = verified.shared;
    assert_eq!(ask(&other, &resumed), "allow");
    let mut stranger = unverified("impostor");
    stranger.shared = resumed.shared;
    assert_eq!(ask(&other, &stranger), "unverified-certificate");
    assert_eq!(ask(&self::guard("from: envoy, verification: listener"), &unverified("web")), "allow");
}

#[test]
fn a_verified_handshake_counts_as_long_as_its_sessions_can_be_resumed() {
    const HOUR: u64 = 3600;
    const DAY: u64 = 24 * HOUR;
    let guard = guard("from: envoy");
    let at = |seconds: u64, valid: u8| {
        Scripted::new(Gateway::Envoy, AT + seconds, &GET)
            .with_certificate(&pem("web"), &digest("web"))
            .with("connection.peer_certificate_valid", [valid])
    };
    let mut shared = std::collections::BTreeMap::new();
    for (seconds, valid, answer, asks) in [
        (0, 1, "allow", true),
        (10, 0, "allow", false),
        (2 * HOUR, 0, "allow", true),
        (2 * HOUR + 1, 0, "allow", false),
        // a full handshake in between counts anew
        (3 * DAY, 1, "allow", true),
        (9 * DAY, 0, "allow", true),
        (10 * DAY + 1, 0, "unverified-certificate", true),
        (10 * DAY + 2, 0, "unverified-certificate", true),
        (11 * DAY, 1, "allow", true),
        (11 * DAY + 1, 0, "allow", false),
    ] {
        let host = at(seconds, valid);
        host.shared.replace(shared);
        assert_eq!(ask(&guard, &host), answer, "{seconds}");
        let asked = host.calls.borrow().iter().filter(|call| **call == "proxy_get_property").count() > 1;
        assert_eq!(asked, asks, "{seconds}: {:?}", host.calls.borrow());
        shared = host.shared.take();
    }
    // nor is it believed by a worker that never saw it
    let host = at(20 * DAY, 0);
    host.shared.replace(shared);
    assert_eq!(ask(&self::guard("from: envoy"), &host), "unverified-certificate");
}

#[test]
fn what_one_connections_intermediates_could_not_prove_is_no_other_connections_answer() {
    let anchor = pem("ca").replace('\n', "\\n");
    let config = format!(
        "certificate: {{from: envoy-xfcc}}\ntrust-anchors: {{ca: \"{anchor}\"}}\n\
         identities: {{web: {{spiffe: spiffe://example.test/ns/shop/sa/web, issued-under: ca}}}}\n\
         rules: [{{name: all, allow: web}}]\n"
    );
    let guard = Guard::new(Config::parse(config.as_bytes()).unwrap());
    let request = |chain: Option<&str>| {
        let own = escaped(&pem("by-intermediate"));
        let chain = chain.map(|name| format!(";Chain=\"{own}{}\"", escaped(&pem(name)))).unwrap_or_default();
        let xfcc = format!("Hash=00;Cert=\"{own}\"{chain};URI=x");
        let headers = [&GET[..], &[("x-forwarded-client-cert", xfcc.as_str())]].concat();
        Scripted::new(Gateway::Envoy, AT, &headers).with_certificate("", &digest("by-intermediate"))
    };
    for (chain, answer) in [
        (None, "unknown-identity"),
        (Some("stranger-ca"), "unknown-identity"),
        (Some("stranger-ca"), "unknown-identity"),
        (Some("intermediate"), "allow"),
        // what was proved once is so
        (None, "allow"),
    ] {
        assert_eq!(ask(&guard, &request(chain)), answer, "{chain:?}");
    }
}

#[test]
fn a_route_is_not_judged_by_a_header_that_has_to_go() {
    let config = "certificate: {from: envoy}\nidentities: {web: {spiffe: spiffe://example.test/ns/shop/sa/web}}\n\
                  rules: [{route: a, allow: web}]\nforward: {x-client: identity}\nremove-headers: [x-tenant]\n";
    let guard = Guard::new(Config::parse(config.as_bytes()).unwrap());
    for (extra, answer) in [
        (vec![], "allow"),
        (vec![("other", "1")], "allow"),
        (vec![("x-client", "web")], "ambiguous-route"),
        (vec![("X_Tenant", "7")], "ambiguous-route"),
    ] {
        let headers = [&GET[..], &extra].concat();
        let host = Scripted::new(Gateway::Envoy, AT, &headers)
            .with_certificate(&pem("web"), &digest("web"))
            .with("xds.route_name", "a");
        assert_eq!(ask(&guard, &host), answer, "{extra:?}");
    }
}

#[test]
fn dates_are_judged_for_a_known_certificate_too() {
    let guard = guard("from: envoy");
    for (at, answer) in [(AT, "allow"), (1_900_000_000, "expired"), (AT, "allow")] {
        let host = Scripted::new(Gateway::Envoy, at, &GET).with_certificate(&pem("web"), &digest("web"));
        assert_eq!(ask(&guard, &host), answer);
    }
}

#[test]
fn envoy_hands_the_certificate_on_as_pem_plain_or_escaped() {
    for text in [pem("web"), escaped(&pem("web"))] {
        let host = Scripted::new(Gateway::Envoy, AT, &GET).with_certificate(&text, &digest("web"));
        assert_eq!(ask(&guard("from: envoy"), &host), "allow");
        assert_eq!(host.upstream("client-cert"), [rfc9440("web")]);
    }
    let table = [
        (pem("web"), digest("cart"), "host-error"),
        (String::new(), digest("web"), "malformed-certificate"),
        ("-----BEGIN CERTIFICATE-----\n".to_owned(), digest("web"), "malformed-certificate"),
        ("%zz".to_owned(), digest("web"), "malformed-certificate"),
    ];
    for (text, digest, answer) in table {
        let host = Scripted::new(Gateway::Envoy, AT, &GET).with_certificate(&text, &digest);
        assert_eq!(ask(&guard("from: envoy"), &host), answer, "{text}");
    }
}

#[test]
fn envoys_xfcc_counts_only_for_the_connections_own_certificate() {
    let cert =
        |name: &str| format!("Hash=00;Cert=\"{}\";Subject=\"CN=\\\"a,b;c\";URI=x", escaped(&pem(name)));
    let table = [
        (vec![cert("web")], "allow"),
        (vec![format!("{},{}", cert("cart"), cert("web"))], "allow"),
        (vec![format!("{},{}", cert("web"), cert("cart"))], "allow"),
        (vec![cert("cart")], "unverified-certificate"),
        (vec!["Hash=00;URI=spiffe://example.test/ns/shop/sa/web".to_owned()], "unverified-certificate"),
        (vec![cert("web"), cert("web")], "malformed-certificate"),
        (vec!["Cert=\"open".to_owned()], "unverified-certificate"),
        // what a client opens or closes before its own element hides nothing, nor do odd names after it
        (vec![format!("x=\",{}", cert("web"))], "allow"),
        (vec![format!("Cert=\"\"\";,{};URI=urn:a\",b;DNS=\"", cert("web"))], "allow"),
        (vec![format!("{};x=\",{};URI=a\"b", cert("web"), cert("cart"))], "allow"),
        (vec![format!("{};x=\"", cert("cart"))], "unverified-certificate"),
        (vec![], "host-error"),
    ];
    for (values, answer) in table {
        let mut headers = GET.to_vec();
        headers.extend(values.iter().map(|value| ("X-Forwarded-Client-Cert", value.as_str())));
        let host = Scripted::new(Gateway::Envoy, AT, &headers).with_certificate("", &digest("web"));
        assert_eq!(ask(&guard("from: envoy-xfcc"), &host), answer, "{values:?}");
    }
}

#[test]
fn a_header_counts_only_from_a_trusted_peer() {
    let peers = "trusted-peers: {addresses: [10.0.0.0/8]}";
    let (nginx, xfcc) = (escaped(&pem("web")), format!("Cert=\"{}\"", escaped(&pem("web"))));
    let cart = format!("Cert=\"{}\"", escaped(&pem("cart")));
    let injected = format!("{xfcc};URI=x,{cart}");
    // a client of a proxy that appends: its own header opens a quote, its certificate's names close it
    let subject = "Subject=\"CN=a\\\"b\"";
    let swallowed = [
        format!("{xfcc};x=\",Hash=00;{cart};Chain=\"a\";{subject};URI=u"),
        format!("{xfcc};x=\",Hash=00;{cart};{subject};URI=u\""),
        format!("{xfcc};x=a\",Hash=00;{cart}"),
        format!("\"{xfcc};URI=u"),
        format!("{xfcc};URI=\"u\"v"),
    ];
    let subject = format!("Hash=00;{xfcc};{subject};URI=urn:a?b=c");
    let base64 = rfc9440("web");
    let table = [
        ("", vec![("client-cert", base64.as_str())], "10.1.2.3", "allow"),
        ("", vec![("client-cert", base64.as_str())], "11.1.2.3", "untrusted-peer"),
        ("", vec![("client-cert", base64.as_str())], "", "untrusted-peer"),
        ("", vec![], "10.1.2.3", "no-certificate"),
        ("", vec![("client-cert", &base64), ("Client-Cert", &base64)], "10.1.2.3", "malformed-certificate"),
        ("", vec![("client-cert", ":AAAA:")], "10.1.2.3", "malformed-certificate"),
        ("", vec![("client-cert", "web")], "10.1.2.3", "malformed-certificate"),
        ("header: x-cert, format: escaped-pem, ", vec![("x-cert", nginx.as_str())], "10.1.2.3", "allow"),
        ("format: xfcc, ", vec![("x-forwarded-client-cert", xfcc.as_str())], "10.1.2.3", "allow"),
        ("format: xfcc, ", vec![("x-forwarded-client-cert", &injected)], "10.1.2.3", "malformed-certificate"),
        ("format: xfcc, ", vec![("x-forwarded-client-cert", &subject)], "10.1.2.3", "allow"),
    ];
    let swallowed = swallowed.iter().map(|value| {
        (
            "format: xfcc, ",
            vec![("x-forwarded-client-cert", value.as_str())],
            "10.1.2.3",
            "malformed-certificate",
        )
    });
    for (format, extra, peer, answer) in table.into_iter().chain(swallowed) {
        let guard = guard(&format!("from: header, {format}{peers}"));
        let headers = [&GET[..], &extra].concat();
        let host = Scripted::new(Gateway::Apisix, AT, &headers).with("realip_remote_addr", peer);
        assert_eq!(ask(&guard, &host), answer, "{format} {extra:?} {peer}");
        let host = Scripted::new(Gateway::Envoy, AT, &headers).with("source.address", format!("{peer}:4711"));
        assert_eq!(ask(&guard, &host), answer, "{format} {extra:?} {peer} in Envoy");
    }
}

#[test]
fn apisix_vouches_with_success_alone() {
    let guard = guard("from: apisix");
    let request = |verify: &str| {
        Scripted::new(Gateway::Apisix, AT, &GET)
            .with("ssl_client_verify", verify)
            .with("ssl_client_raw_cert", pem("web"))
    };
    for (verify, answer) in [
        ("SUCCESS", "allow"),
        ("NONE", "no-certificate"),
        ("", "no-certificate"),
        ("FAILED:self-signed certificate", "unverified-certificate"),
        ("success", "unverified-certificate"),
        ("SUCCESS", "allow"),
    ] {
        assert_eq!(ask(&guard, &request(verify)), answer, "{verify}");
    }
    // over plain HTTP the variables are absent
    let mut plain = request("SUCCESS");
    plain.properties.retain(|name, _| !name.starts_with("ssl_"));
    assert_eq!(ask(&guard, &plain), "no-certificate");
}

/// A request with so many headers between the first ones and the last ones.
fn crowded(gateway: Gateway, fillers: usize, last: &[(&str, &str)]) -> Scripted {
    let fill: Vec<(String, String)> = (0..fillers).map(|at| (format!("f{at}"), "1".to_owned())).collect();
    let fill = fill.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let headers: Vec<(&str, &str)> = GET.iter().copied().chain(fill).chain(last.iter().copied()).collect();
    Scripted::new(gateway, AT, &headers).with_certificate(&pem("web"), &digest("web"))
}

#[test]
fn a_header_behind_those_that_the_gateway_hands_over_passes_nobody() {
    let spoofed = [("X_Client", "admin"), ("x-client", "admin")];
    let exempting = "exempt: [{path: /orders}]\n";
    for (gateway, from) in [(Gateway::Apisix, "from: apisix"), (Gateway::Kong, "from: kong")] {
        for more in ["", exempting] {
            let policy = format!("certificate: {{{from}}}\n{WHO}{more}");
            let guard = Guard::new(Config::parse(policy.as_bytes()).unwrap());
            assert_eq!(ask(&guard, &crowded(gateway, 100, &spoofed)), "too-many-headers");
            let host = crowded(gateway, 90, &spoofed);
            assert_eq!(ask(&guard, &host), "allow");
            assert_eq!(host.upstream("X_Client").len(), 0);
        }
        // in audit mode nothing breaks; the names as they are configured go, the unseen spelling stays
        let policy = format!("mode: audit\ncertificate: {{{from}}}\n{WHO}");
        let guard = Guard::new(Config::parse(policy.as_bytes()).unwrap());
        let host = crowded(gateway, 100, &[("x-client", "admin"), ("client-cert-chain", ":AAAA:")]);
        assert_eq!(ask(&guard, &host), "allow");
        assert_eq!(host.upstream("x-client").len() + host.upstream("client-cert-chain").len(), 0);
        assert!(host.logged.borrow()[0].contains("would deny reason=too-many-headers"));
    }
    // Envoy hands over all of them
    let host = crowded(Gateway::Envoy, 120, &spoofed);
    assert_eq!(ask(&guard("from: envoy"), &host), "allow");
    assert_eq!((host.upstream("x-client"), host.upstream("x_client").len()), (vec!["web".to_owned()], 0));
}

#[test]
fn an_unreadable_map_in_audit_mode_takes_the_known_names_along() {
    for gateway in [Gateway::Envoy, Gateway::Apisix] {
        let from = if gateway == Gateway::Envoy { "envoy" } else { "apisix" };
        let config = format!("mode: audit\ncertificate: {{from: {from}}}\n{WHO}");
        let guard = Guard::new(Config::parse(config.as_bytes()).unwrap());
        let headers = [&GET[..], &[("x-client", "admin"), ("client-cert", ":AAAA:")]].concat();
        let mut host = Scripted::new(gateway, AT, &headers);
        host.broken = Some(("proxy_get_header_map_pairs", 10));
        assert_eq!(ask(&guard, &host), "allow");
        assert_eq!(host.upstream("x-client").len() + host.upstream("client-cert").len(), 0);
    }
}

#[test]
fn the_host_that_nginx_routes_by_is_the_one_that_is_judged() {
    let rules = "identities: {web: {spiffe: spiffe://example.test/ns/shop/sa/web}}\nrules:\n\
                 - {host: admin.internal, allow: []}\n- {path: /**, allow: web}\n";
    for (gateway, from, prefix) in [(Gateway::Apisix, "apisix", ""), (Gateway::Kong, "kong", "ngx.")] {
        let config = format!("certificate: {{from: {from}}}\n{rules}");
        let guard = Guard::new(Config::parse(config.as_bytes()).unwrap());
        let request = |routed: &str, sent: &str| {
            Scripted::new(gateway, AT, &GET)
                .with_certificate(&pem("web"), &digest("web"))
                .with(&format!("{prefix}host"), routed)
                .with(&format!("{prefix}http_host"), sent)
        };
        for (routed, sent, answer) in [
            ("shop.test", "shop.test", "allow"),
            ("shop.test", "Shop.Test:8443", "allow"),
            ("shop.test", "shop.test.", "allow"),
            // HTTP/3 has no such header
            ("shop.test", "", "allow"),
            ("admin.internal", "admin.internal", "identity-not-allowed-here"),
            // GET http://admin.internal/x with Host: shop.test, and the other way round
            ("admin.internal", "shop.test", "ambiguous-host"),
            ("shop.test", "admin.internal", "ambiguous-host"),
        ] {
            assert_eq!(ask(&guard, &request(routed, sent)), answer, "{from}: {routed} {sent}");
        }
        let mut without = request("shop.test", "shop.test");
        without.properties.remove(&format!("{prefix}host"));
        assert_eq!(ask(&guard, &without), "host-error");
    }
}

#[test]
fn kongs_path_is_the_one_that_the_client_sent() {
    let config = "certificate: {from: kong}\nidentities: {web: {spiffe: spiffe://example.test/ns/shop/sa/web}}\n\
                  rules: [{path: /orders, allow: web}]\n";
    let guard = Guard::new(Config::parse(config.as_bytes()).unwrap());
    let request = |sent: &str| {
        Scripted::new(Gateway::Kong, AT, &GET)
            .with_certificate(&pem("web"), &digest("web"))
            .with("ngx.request_uri", sent)
    };
    // its :path is /orders for all of them
    for (sent, answer) in [
        ("/orders", "allow"),
        ("/orders?a=b", "allow"),
        ("/a%2f..%2forders", "ambiguous-path"),
        ("/other", "no-rule"),
    ] {
        assert_eq!(ask(&guard, &request(sent)), answer, "{sent}");
    }
    let mut without = request("");
    without.properties.remove("ngx.request_uri");
    assert_eq!(ask(&guard, &without), "host-error");
}

#[test]
fn kong_vouches_under_its_own_prefix() {
    let guard = guard("from: kong");
    let request = |prefix: &str, verify: &str| {
        Scripted::new(Gateway::Kong, AT, &GET)
            .with(&format!("{prefix}ssl_client_verify"), verify)
            .with(&format!("{prefix}ssl_client_raw_cert"), pem("web"))
    };
    for (prefix, verify, answer) in [
        ("ngx.", "SUCCESS", "allow"),
        ("ngx.", "NONE", "no-certificate"),
        ("ngx.", "FAILED:certificate has expired", "unverified-certificate"),
        ("", "SUCCESS", "no-certificate"),
    ] {
        assert_eq!(ask(&guard, &request(prefix, verify)), answer, "{prefix}{verify}");
    }
}

#[test]
fn a_peers_address_is_the_connections_and_not_what_a_header_claims() {
    let guard = guard("from: header, trusted-peers: {addresses: [10.0.0.0/8]}");
    let base64 = rfc9440("web");
    let headers = [&GET[..], &[("client-cert", base64.as_str())]].concat();
    for (gateway, properties, answer) in [
        (Gateway::Envoy, vec![("source.address", "10.1.2.3:4711")], "allow"),
        // what Envoy makes of X-Forwarded-For without use_remote_address
        (Gateway::Envoy, vec![("source.address", "10.1.2.3:0")], "untrusted-peer"),
        (Gateway::Envoy, vec![("source.address", "10.1.2.3")], "untrusted-peer"),
        (Gateway::Envoy, vec![("source.address", "[::ffff:10.1.2.3]:4711")], "allow"),
        (Gateway::Envoy, vec![("realip_remote_addr", "10.1.2.3")], "untrusted-peer"),
        (Gateway::Apisix, vec![("realip_remote_addr", "10.1.2.3")], "allow"),
        (Gateway::Apisix, vec![("remote_addr", "10.1.2.3")], "untrusted-peer"),
        (Gateway::Kong, vec![("ngx.realip_remote_addr", "10.1.2.3")], "allow"),
        (
            Gateway::Kong,
            vec![("source.address", "10.1.2.3:4711"), ("ngx.realip_remote_addr", "11.0.0.1")],
            "untrusted-peer",
        ),
    ] {
        let mut host = Scripted::new(gateway, AT, &headers);
        for (name, value) in &properties {
            host = host.with(name, value);
        }
        assert_eq!(ask(&guard, &host), answer, "{gateway:?} {properties:?}");
    }
    // a trusted certificate is Kong's under its prefix
    let trusted = digest("cart").iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let guard = self::guard(&format!("from: header, trusted-peers: {{certificates: ['{trusted}']}}"));
    for (peer, answer) in [("cart", "allow"), ("web", "untrusted-peer")] {
        for gateway in [Gateway::Envoy, Gateway::Apisix, Gateway::Kong] {
            let host = Scripted::new(gateway, AT, &headers).with_certificate(&pem(peer), &digest(peer));
            assert_eq!(ask(&guard, &host), answer, "{gateway:?} {peer}");
        }
    }
}

#[test]
fn a_certificate_in_a_header_passes_only_with_the_identity_it_made() {
    let headers =
        [&GET[..], &[("client-cert", ":AAAA:"), ("Client_Cert_Chain", ":AAAA:"), ("x.client", "admin")]]
            .concat();
    let left = |host: &Scripted| {
        ["client-cert", "client_cert_chain", "x.client"].map(|name| host.upstream(name).len())
    };
    let from = "from: header, trusted-peers: {addresses: [10.0.0.0/8]}";
    for (more, answer) in [("exempt: [{path: /orders}]\n", "allow"), ("mode: audit\n", "allow")] {
        let rest = WHO.replace(", client-cert: client-cert", "");
        let config = format!("certificate: {{{from}}}\n{rest}{more}");
        let guard = Guard::new(Config::parse(config.as_bytes()).unwrap());
        let host = Scripted::new(Gateway::Envoy, AT, &headers).with("source.address", "11.1.2.3:4711");
        assert_eq!(ask(&guard, &host), answer, "{more}");
        assert_eq!(left(&host), [0, 0, 0], "{more}");
    }
    // a chain beside a certificate that we set is a client's own (RFC 9440 section 2.4)
    let host = Scripted::new(Gateway::Envoy, AT, &headers).with_certificate(&pem("web"), &digest("web"));
    assert_eq!(ask(&guard("from: envoy"), &host), "allow");
    assert_eq!(left(&host), [1, 0, 0]);
    assert_eq!(host.upstream("client-cert"), [rfc9440("web")]);
}

#[test]
fn a_denied_client_gets_what_the_policy_says_and_never_the_reason() {
    let config = format!(
        "certificate: {{from: envoy}}\n{WHO}denial: {{status: 404, body: \"nothing here\\n\", \
         headers: {{content-type: text/plain, cache-control: no-store}}}}\n"
    );
    let guard = Guard::new(Config::parse(config.as_bytes()).unwrap());
    let host = Scripted::new(Gateway::Envoy, AT, &GET);
    assert_eq!(ask(&guard, &host), "no-certificate");
    assert_eq!(host.response.borrow().as_ref().unwrap().0, 404);
    let (mut headers, body) = host.answer.borrow().clone();
    headers.sort();
    assert_eq!(body, "nothing here\n");
    let expected = [("cache-control", "no-store"), ("content-type", "text/plain")];
    assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn every_error_of_the_host_denies() {
    for gateway in [Gateway::Envoy, Gateway::Apisix] {
        let from = if gateway == Gateway::Envoy { "from: envoy" } else { "from: apisix" };
        for call in [
            "proxy_get_property",
            "proxy_get_header_map_pairs",
            "proxy_replace_header_map_value",
            "proxy_remove_header_map_value",
            "now",
        ] {
            for status in [2, 3, 4, 7, 10, 12, 99] {
                let headers = [&GET[..], &[("x_client", "admin")]].concat();
                let mut host =
                    Scripted::new(gateway, AT, &headers).with_certificate(&pem("web"), &digest("web"));
                host.broken = Some((call, status));
                assert_eq!(ask(&guard(from), &host), "host-error", "{gateway:?} {call} {status}");
            }
        }
    }
    // a denial that cannot be sent does not pass either
    let mut host = Scripted::new(Gateway::Envoy, AT, &GET);
    host.broken = Some(("proxy_send_local_response", 10));
    assert_eq!(guard("from: envoy").on_request(&host), Verdict::Answered);
}

#[test]
fn audit_mode_lets_pass_without_identity() {
    let config = format!("mode: audit\ncertificate: {{from: envoy}}\n{WHO}");
    let guard = Guard::new(Config::parse(config.as_bytes()).unwrap());
    let headers =
        [&GET[..], &[("x-client", "admin"), ("X_CLIENT", "admin"), ("client-cert", ":forged:")]].concat();
    let host = Scripted::new(Gateway::Envoy, AT, &headers);
    assert_eq!(ask(&guard, &host), "allow");
    assert_eq!(
        host.upstream("x-client").len()
            + host.upstream("x_client").len()
            + host.upstream("client-cert").len(),
        0
    );
    assert_eq!(host.counts.borrow().keys().collect::<Vec<_>>(), ["audit.no-certificate"]);
    assert!(host.logged.borrow()[0].contains("would deny reason=no-certificate"));
}

#[test]
fn arbitrary_bytes_never_pass_and_never_panic() {
    let mut source = Seeded::new("arbitrary bytes");
    let guards = [
        guard("from: envoy"),
        guard("from: envoy-xfcc"),
        guard("from: apisix"),
        guard("from: header, format: xfcc, trusted-peers: {addresses: [10.0.0.0/8]}"),
        guard("from: header, trusted-peers: {addresses: [10.0.0.0/8]}"),
    ];
    let good = pem("web");
    for round in 0..3000usize {
        let bytes = source.bytes(round % 300);
        // half of them a certificate with something broken in it
        let mut text = good.clone().into_bytes();
        if let (true, Some(byte)) = (round % 2 == 0, bytes.first()) {
            let at = round * 7 % text.len();
            text[at] = *byte;
        } else {
            text.clone_from(&bytes);
        }
        for (index, guard) in guards.iter().enumerate() {
            let gateway = if index == 2 { Gateway::Apisix } else { Gateway::Envoy };
            let host = Scripted::new(gateway, AT, &GET)
                .with_certificate("", &digest("cart"))
                .with("connection.peer_certificate", &text)
                .with("ssl_client_raw_cert", &bytes)
                .with("source.address", "10.0.0.1:1");
            for name in ["x-forwarded-client-cert", "client-cert", "x_client"] {
                host.headers.borrow_mut().push((name.as_bytes().to_vec(), text.clone()));
            }
            host.headers.borrow_mut()[2].1 = [b"/", &bytes[..]].concat();
            assert_ne!(ask(guard, &host), "allow", "round {round}");
        }
    }
}

#[test]
fn what_a_client_says_stays_within_one_log_line() {
    let long = "x".repeat(100_000);
    for said in ["FAILED:\nmtls-guard: allow", "FAILED:\r\u{1b}[2J\u{85}", &long] {
        let host = Scripted::new(Gateway::Apisix, AT, &GET)
            .with("ssl_client_verify", said)
            .with("ssl_client_raw_cert", pem("web"));
        assert_eq!(ask(&guard("from: apisix"), &host), "unverified-certificate");
        let logged = host.logged.borrow();
        let [line] = logged.as_slice() else { panic!("{logged:?}") };
        assert!(!line.contains(char::is_control) && line.chars().count() <= 2048, "{line:?}");
    }
}

#[test]
fn the_threat_model_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let sources: String = [
        "plugin/src/host.rs",
        "plugin/identity/src/policy/path.rs",
        "tests/tests/apisix_host.rs",
        "tests/tests/decisions.rs",
        "tests/tests/envoy/clients.rs",
        "tests/tests/filter.rs",
    ]
    .map(read)
    .concat();
    let docs = read("plugin/src/lib.rs");
    let (_, model) = docs.split_once("## What an attacker can write").unwrap();
    let named: Vec<&str> = model
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with("//!"))
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .filter(|word| word.matches('_').count() > 2)
        .collect();
    assert!(named.len() > 15, "{named:?}");
    for name in named {
        assert!(sources.contains(&format!("fn {name}()")), "there is no test {name}");
    }
}

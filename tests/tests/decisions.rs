//! fixtures/decisions: each case asked of the policy itself, of the filter under an imitated Envoy, of the filter
//! under an imitated APISIX, and of `decide`. All must answer alike.

use mtls_guard::config::Config;
use mtls_guard::filter::{Guard, Verdict};
use mtls_identity::certificate::Certificate;
use mtls_identity::policy::{Absence, Decision, Policy, Request};
use mtls_lint::decide::{Question, decide};
use mtls_tests::cases::{self, Case, Table, pem};
use mtls_tests::hosts::{Gateway, Scripted};
use mtls_tests::mint::certificate::{Day, Draft, Extension, General, Name, purpose, usage};
use mtls_tests::mint::key::{Key, KeyKind};
use rustls_pki_types::UnixTime;

/// Every table with its policy as it is to be parsed.
fn tables() -> Vec<(String, Table)> {
    let filled = |(name, table): (String, Table)| {
        let policy = table.filled(pem);
        (name, Table { policy, ..table })
    };
    cases::tables().into_iter().map(filled).collect()
}

fn at(case: &Case) -> u64 {
    u64::try_from(case.seconds()).unwrap()
}

fn words(decision: &Decision<'_>) -> String {
    match decision {
        Decision::Allow(allowed) => format!("allow {} by {}", allowed.identity, allowed.rule),
        Decision::Exempt(name) => format!("exempt by {name}"),
        Decision::Deny(reason) => format!("deny {}", reason.name()),
    }
}

#[test]
fn the_policy_decides_as_the_fixtures_say() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (file, table) in tables() {
        let policy = Policy::parse(&table.policy).unwrap_or_else(|error| panic!("{file}: {error}"));
        for case in &table.cases {
            count += 1;
            let certificate =
                case.certificate.as_ref().map(|name| Certificate::parse_pem(&pem(name)).unwrap());
            let standing = certificate.as_ref().map(|certificate| policy.recognise(certificate, &[]));
            let (method, host, path) = case.request();
            let request = Request { method, host, path, route: case.route.as_deref() };
            let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(at(case)));
            let decision = policy.decide(&request, standing.as_ref().ok_or(&Absence::NoCertificate), at);
            if words(&decision) != case.expect {
                wrong.push(format!("{file}: {}: {} instead of {}", case.name, words(&decision), case.expect));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 150, "{count} cases");
}

#[test]
fn decide_answers_as_the_fixtures_say() {
    for (file, table) in tables() {
        for case in &table.cases {
            let certificate = case.certificate.as_ref().map(|name| pem(name));
            let question = Question {
                policy: &table.policy,
                certificate: certificate.as_deref().map(str::as_bytes),
                request: Some(&case.request),
                route: case.route.as_deref(),
                ..Question::default()
            };
            let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(at(case)));
            let report =
                decide(&question, at).unwrap_or_else(|error| panic!("{file}: {}: {error}", case.name));
            let answer = match (report.reason, &report.identity) {
                (Some(reason), _) => format!("deny {reason}"),
                (None, Some(identity)) => format!("allow {identity} by {}", report.rule.unwrap()),
                (None, None) => format!("exempt by {}", report.rule.unwrap()),
            };
            assert_eq!(answer, case.expect, "{file}: {}", case.name);
        }
    }
}

#[test]
fn the_filter_acts_as_the_fixtures_say_under_either_gateway() {
    for (file, table) in tables() {
        for gateway in [Gateway::Envoy, Gateway::Apisix] {
            let mut policy = table.policy.replace("forward:", "forwards:");
            policy.push_str("\nforward: {x-client: identity, x-rule: rule, x-serial: serial}\n");
            if gateway == Gateway::Apisix {
                policy = policy.replace("{from: envoy}", "{from: apisix}");
            }
            let guard = Guard::new(
                Config::parse(policy.as_bytes()).unwrap_or_else(|error| panic!("{file}: {error}")),
            );
            for case in &table.cases {
                // Envoy alone has route names
                if gateway == Gateway::Apisix && file == "routes" {
                    continue;
                }
                // twice: the second time the certificate is known
                for turn in ["first", "again"] {
                    act(&guard, gateway, case, &format!("{file}: {} ({gateway:?}, {turn})", case.name));
                }
            }
        }
    }
}

fn act(guard: &Guard, gateway: Gateway, case: &Case, name: &str) {
    let (method, host, path) = case.request();
    let request = [(":method", method), (":authority", host), (":path", path), ("other", "stays")];
    // without these the gateway may choose another route, so that a request that brings them is denied
    let forged: &[_] = match case.route {
        Some(_) => &[],
        None => &[("X-Client", "admin"), ("x_client", "admin"), ("x-RULE", "forged")],
    };
    let headers = [&request[..], forged].concat();
    let mut scripted = Scripted::new(gateway, at(case), &headers);
    if let Some(route) = &case.route {
        scripted = scripted.with("xds.route_name", route);
    }
    if let Some(certificate) = &case.certificate {
        let pem = pem(certificate);
        let digest = Certificate::parse_pem(&pem).unwrap().sha256;
        scripted = scripted.with_certificate(&pem, &digest);
    }
    let verdict = guard.on_request(&scripted);
    let response = scripted.response.borrow().clone();
    let counted: Vec<String> = scripted.counts.borrow().keys().cloned().collect();
    if let Some(reason) = case.expect.strip_prefix("deny ") {
        assert_eq!(verdict, Verdict::Answered, "{name}");
        let details = format!("mtls_guard_{}", reason.replace('-', "_"));
        assert_eq!(response, Some((403, details)), "{name}");
        assert_eq!(counted, [format!("deny.{reason}")], "{name}");
        let logged = scripted.logged.borrow();
        assert_eq!(logged.len(), 1, "{name}");
        assert!(logged[0].contains(&format!("reason={reason} ")), "{name}: {}", logged[0]);
        return;
    }
    assert_eq!((verdict, response), (Verdict::Continue, None), "{name}");
    assert_eq!(scripted.upstream("x_client"), [""; 0], "{name}");
    assert_eq!(scripted.upstream("other"), ["stays"], "{name}");
    match case.expect.strip_prefix("allow ") {
        Some(expected) => {
            let (client, rule) = (scripted.upstream("x-client"), scripted.upstream("x-rule"));
            assert_eq!(format!("{} by {}", client.join(" "), rule.join(" ")), expected, "{name}");
            assert_eq!(counted, ["allow"], "{name}");
        }
        None => {
            assert_eq!(scripted.upstream("x-client"), [""; 0], "{name}");
            assert_eq!(scripted.upstream("x-rule"), [""; 0], "{name}");
            assert_eq!(counted, ["exempt"], "{name}");
        }
    }
}

/// A certificate authority, or what is beneath one.
fn minted(subject: &str, issuer: &str, validity: (Day, Day), extensions: Vec<Extension>) -> Certificate {
    let key = |name: &str| Key::new(KeyKind::Ec(256), &format!("issued-under {name}"));
    let draft = Draft {
        version_1: false,
        serial: vec![7],
        issuer: Name::of(issuer),
        subject: Name::of(subject),
        validity,
        later: 0,
        extensions,
        hash: None,
        corrupt: false,
    };
    Certificate::parse(&draft.sign(&key(subject).public(), &key(issuer))).unwrap()
}

const LONG: (Day, Day) = ((2020, 1, 1), (2040, 1, 1));

fn authority(more: Vec<Extension>) -> Vec<Extension> {
    let plain = [Extension::basic_constraints(true, None), Extension::key_usage(&[usage::KEY_CERT_SIGN])];
    plain.into_iter().chain(more).collect()
}

fn leaf() -> Certificate {
    let web = General::Uri("spiffe://example.test/ns/shop/sa/web".to_owned());
    minted(
        "web",
        "intermediate",
        LONG,
        vec![Extension::purposes(&[purpose::CLIENT]), Extension::names(&[web])],
    )
}

#[test]
fn an_intermediate_counts_as_far_as_it_says_that_it_may() {
    let anchor = minted("root", "root", LONG, authority(Vec::new()));
    let pem = mtls_tests::mint::pem("CERTIFICATE", &anchor.der).replace('\n', "\\n");
    let policy = Policy::parse(&format!(
        "certificate: {{from: envoy}}\ntrust-anchors: {{root: \"{pem}\"}}\n\
         identities: {{web: {{spiffe: 'spiffe://example.test/**', issued-under: root}}}}\nrules: [{{allow: web}}]\n"
    ))
    .unwrap();
    let intermediate = |validity, more| minted("intermediate", "root", validity, authority(more));
    let dns = |name: &str| General::Dns(name.to_owned());
    let (past, future) = (((2020, 1, 1), (2021, 1, 1)), ((2035, 1, 1), (2040, 1, 1)));
    let good = intermediate(LONG, Vec::new());
    let table = [
        (vec![], "unknown-identity"),
        (vec![good.clone()], "allow"),
        (vec![intermediate(LONG, vec![Extension::purposes(&[purpose::CLIENT, purpose::SERVER])])], "allow"),
        (vec![intermediate(LONG, vec![Extension::purposes(&[purpose::ANY])])], "allow"),
        (vec![intermediate(LONG, vec![Extension::purposes(&[purpose::SERVER])])], "unknown-identity"),
        (vec![intermediate(LONG, vec![Extension::unknown(false)])], "allow"),
        (vec![intermediate(LONG, vec![Extension::unknown(true)])], "unknown-identity"),
        (
            vec![intermediate(LONG, vec![Extension::constraints(&[dns("example.test")], &[])])],
            "unknown-identity",
        ),
        (vec![intermediate(past, Vec::new())], "issuer-out-of-date"),
        (vec![intermediate(future, Vec::new())], "issuer-out-of-date"),
        // one that was issued anew counts, in whichever order they come
        (vec![intermediate(past, Vec::new()), good.clone()], "allow"),
        (vec![good.clone(), intermediate(future, Vec::new())], "allow"),
        (vec![anchor.clone(), good], "allow"),
    ];
    let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_780_000_000));
    for (row, (presented, expected)) in table.iter().enumerate() {
        let standing = policy.recognise(&leaf(), presented);
        let request = Request { method: "GET", path: "/", ..Request::default() };
        let answer = match policy.decide(&request, Ok(&standing), at) {
            Decision::Allow(_) => "allow",
            Decision::Deny(reason) => reason.name(),
            Decision::Exempt(_) => "exempt",
        };
        assert_eq!(answer, *expected, "row {row}");
        assert_eq!(standing.incomplete, answer != "allow", "row {row}");
        assert!(standing.size() > 0, "row {row}");
    }
    let constrained = authority(vec![Extension::constraints(&[dns("example.test")], &[])]);
    let pem = mtls_tests::mint::pem("CERTIFICATE", &minted("root", "root", LONG, constrained).der);
    let refused = Policy::parse(&format!(
        "certificate: {{from: envoy}}\ntrust-anchors: {{root: \"{}\"}}\n",
        pem.replace('\n', "\\n")
    ));
    assert!(
        refused.unwrap_err().to_string().contains("trust-anchors.root: name constraints are not honoured")
    );
}

#[test]
fn a_second_uri_that_cannot_be_read_is_a_second_uri() {
    let web = Extension::names(&[General::Uri("spiffe://example.test/ns/shop/sa/web".to_owned())]);
    let mut value = web.value.clone();
    // a uniformResourceIdentifier of one byte that is no IA5String
    value.extend([0x86, 0x01, 0xff]);
    value[1] += 3;
    let with = |value| minted("web", "ca", LONG, vec![Extension { value, ..web.clone() }]);
    assert!(mtls_identity::identity::identities(&with(web.value.clone())).is_ok());
    assert_eq!(mtls_identity::identity::identities(&with(value)).unwrap_err().uris, 2);
}

#[test]
fn bytes_behind_an_extensions_value_refuse_the_certificate() {
    let names = Extension::names(&[General::Dns("web.test".to_owned())]);
    for extension in [
        Extension::basic_constraints(false, None),
        Extension::purposes(&[purpose::CLIENT]),
        Extension::key_usage(&[usage::DIGITAL_SIGNATURE]),
        names,
    ] {
        let key = Key::new(KeyKind::Ec(256), "trailing");
        let sign = |extension: Extension| {
            let draft = Draft {
                version_1: false,
                serial: vec![7],
                issuer: Name::of("ca"),
                subject: Name::of("web"),
                validity: LONG,
                later: 0,
                extensions: vec![extension],
                hash: None,
                corrupt: false,
            };
            Certificate::parse(&draft.sign(&key.public(), &key))
        };
        assert!(sign(extension.clone()).is_ok(), "{extension:?}");
        let mut trailing = extension.clone();
        trailing.value.extend([0x05, 0x00]);
        assert!(sign(trailing).is_err(), "{extension:?}");
    }
}

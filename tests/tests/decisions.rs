//! fixtures/decisions: each case asked of the policy itself, of the filter under an imitated Envoy, of the filter
//! under an imitated APISIX, and of `decide`. All must answer alike.

use mtls_guard::config::Config;
use mtls_guard::filter::{Guard, Verdict};
use mtls_identity::certificate::Certificate;
use mtls_identity::policy::{Absence, Decision, Policy, Request};
use mtls_lint::decide::{Question, decide};
use mtls_tests::cases::{self, Case, Table, pem};
use mtls_tests::hosts::{Gateway, Scripted};
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
    let headers = [
        (":method", method),
        (":authority", host),
        (":path", path),
        ("X-Client", "admin"),
        ("x_client", "admin"),
        ("x-RULE", "forged"),
        ("other", "stays"),
    ];
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

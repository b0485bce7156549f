use super::*;

fn refusal(text: &str) -> String {
    Policy::parse(text).unwrap_err().to_string()
}

#[test]
fn mistakes_are_named_where_they_stand() {
    let table = [
        (
            "certificate: {from: envoy}\nruls: []\n",
            "line 2 column 1: unknown key `ruls`",
            "did you mean rules?",
        ),
        (
            "certificate: {from: envoi}\n",
            "line 1 column 21: certificate.from: unknown value 'envoi'",
            "did you mean envoy?",
        ),
        (
            "certificate: {from: envoy}\nidentities:\n  web: {spife: 'spiffe://a/b'}\n",
            "line 3 column 9: identities.web: unknown key `spife`",
            "did you mean spiffe?",
        ),
        (
            "certificate: {from: envoy}\nidentities:\n  web:\n    spiffe: spiffe://Example.org/b\n",
            "line 4 column 13: identities.web.spiffe: 'Example.org' is no trust domain",
            "",
        ),
        (
            "certificate: {from: envoy}\nidentities:\n  web: {dns: web.example.org}\nrules:\n- path: /a\n  allow: wed\n",
            "line 6 column 10: rules[0].allow: there is no identity 'wed'",
            "did you mean web?",
        ),
        ("rules: []\n", "missing key `certificate`", ""),
        (
            "certificate: {from: envoy}\nrules:\n- {path: orders, allow: []}\n",
            "line 3 column 10: rules[0].path: 'orders' is no path",
            "",
        ),
        ("certificate: {from: envoy}\nrules:\n- {path: /orders}\n", "missing key `allow`", ""),
        (
            "certificate: {from: envoy}\nidentities: {a: {}}\n",
            "identities.a: an identity without a name would be everybody",
            "",
        ),
        (
            "certificate: {from: envoy}\nidentities: {a: {dns: x.test}, a: {dns: y.test}}\n",
            "duplicate key `a`",
            "",
        ),
        ("certificate: {from: envoy}\nmode: audit\nmode: enforce\n", "duplicate key `mode`", ""),
        ("certificate: {from: header}\n", "a header counts only from trusted peers", ""),
        (
            "certificate: {from: apisix, verification: listener}\n",
            "certificate.verification: belongs to from: envoy",
            "",
        ),
        ("certificate: {from: envoy}\nusage: {maximum-lifetime: 90}\n", "usage.maximum-lifetime", ""),
        (
            "certificate: {from: envoy}\ndenial: {status: 200}\n",
            "denial.status: a denial's status is 400 to 599",
            "",
        ),
        ("certificate: {from: envoy}\nexempt: [{path: []}]\n", "exempt[0]: an exemption without a path", ""),
        (
            "certificate: {from: envoy}\nrules:\n- {path: [], allow: []}\n",
            "line 3 column 10: rules[0].path: nothing is written here: write a value, or leave the key out",
            "",
        ),
        (
            "certificate: {from: envoy}\nrules: [{path: , allow: []}]\n",
            "rules[0].path: nothing is written",
            "",
        ),
        ("certificate: {from: envoy}\nrules: [{method: {}, allow: []}]\n", "rules[0].method: nothing", ""),
        ("certificate: {from: envoy}\nrules: [{host: ~, allow: []}]\n", "rules[0].host: nothing", ""),
        ("certificate: {from: envoy}\nrules: [{route: null, allow: []}]\n", "rules[0].route: nothing", ""),
        ("certificate: {from: envoy}\nexempt: [{path: /a, method: []}]\n", "exempt[0].method: nothing", ""),
        (
            "certificate: {from: envoy}\nidentities: {a: {dns: a.test, issued-under: []}}\n",
            "identities.a.issued-under: nothing is written here",
            "",
        ),
        (
            "certificate: {from: envoy}\nidentities: {a: {dns: a.test, issuer: }}\n",
            "identities.a.issuer: nothing",
            "",
        ),
        (
            "certificate: {from: envoy}\nidentities: {a: {spiffe: [], issuer: CN=x}}\n",
            "identities.a.spiffe: nothing",
            "",
        ),
        (
            "certificate: {from: envoy}\nremove-headers: [content_length]\n",
            "remove-headers[0]: this header belongs to the request",
            "",
        ),
        (
            "certificate: {from: envoy}\ndenial: {headers: {Content-Length: 5}}\n",
            "denial.headers.Content-Length: the gateway writes this header",
            "",
        ),
        ("certificate: {from: envoy}\nforward: {a.b: identity, a-b: name}\n", "the same header", ""),
        (
            "certificate: {from: envoy}\ntrust-anchors: {a: nothing}\n",
            "trust-anchors.a: there is no PEM block",
            "",
        ),
        (
            "certificate: {from: envoy}\nforward: {host: identity}\n",
            "forward.host: this header belongs to the request",
            "",
        ),
        ("certificate: {from: envoy}\nforward: {a-b: identity, a_b: name}\n", "the same header", ""),
        ("certificate: {from: envoy}\nversion: 2\n", "line 2 column 10: version: only version 1", ""),
        (
            "certificate: {from: envoy}\nidentities: {any-identity: {dns: x.test}}\n",
            "stands for all identities",
            "",
        ),
        ("certificate: [", "", ""),
        ("", "missing key `certificate`", ""),
    ];
    for (text, message, help) in table {
        let found = refusal(text);
        assert!(found.contains(message), "{text}\n  said: {found}\n  not:  {message}");
        assert!(found.contains(help), "{text}\n  said: {found}\n  not:  {help}");
    }
}

#[test]
fn an_anchor_whose_signatures_are_not_verified_is_refused() {
    let openssl = include_str!("../../../../fixtures/signatures/openssl.pem");
    let policy = |name: &str| {
        let (_, rest) = openssl.split_once(&format!("# {name}\n")).unwrap();
        let (pem, _) = rest.split_once("# ").unwrap();
        let pem = pem.replace('\n', "\\n");
        Policy::parse(&format!("certificate: {{from: envoy}}\ntrust-anchors: {{ca: \"{pem}\"}}\n"))
    };
    assert!(policy("P-384 ecdsa sha384").is_ok());
    let refused = policy("P-521 ecdsa sha512").unwrap_err().to_string();
    assert!(refused.contains("line 2 column 21: trust-anchors.ca: signatures on P-521"), "{refused}");
}

#[test]
fn a_number_is_read_as_it_was_written_where_text_is_due() {
    let policy = Policy::parse(
        "certificate: {from: envoy}\ndeny: {serials: [{serial: 0x1F}, {serial: 1e5}, {serial: 07}]}\n\
         identities: {a: {legacy-common-name: 7.0}, b: {legacy-common-name: [8, true]}}\n",
    )
    .unwrap();
    let serials: Vec<_> = policy.deny.serials.iter().map(|denied| denied.serial.0.clone()).collect();
    assert_eq!(serials, [vec![0x1f], vec![0x01, 0xe5], vec![0x07]]);
    assert_eq!(policy.identities[0].legacy_common_name, ["7.0"]);
    assert_eq!(policy.identities[1].legacy_common_name, ["8", "true"]);
}

#[test]
fn what_apisix_makes_of_an_object_is_the_same_policy() {
    let written = Policy::parse(
        "version: 1\ncertificate: {from: apisix}\nidentities: {a: {dns: a.test}}\nusage: null\ndeny: {serials: []}\n\
         rules: [{path: /a/b, allow: a}]\nexempt: []\nmode: null\n",
    );
    // cjson escapes slashes, orders keys as it likes and has one value for every kind of nothing
    let handed_on = Policy::parse(
        r#"{"rules":[{"allow":"a","path":"\/a\/b"}],"exempt":{},"mode":{},"deny":{"serials":{}},
	"usage":{},"identities":{"a":{"dns":"a.test"}},"certificate":{"from":"apisix"},"version":1}"#,
    );
    assert_eq!(written.unwrap(), handed_on.unwrap());
}

#[test]
fn a_policy_that_nests_or_repeats_without_end_is_refused() {
    let deep = format!("certificate: {{from: {}", "[".repeat(10_000));
    assert!(Policy::parse(&deep).is_err());
    let mut bomb = String::from("a: &a [x, x, x, x, x, x, x, x, x]\n");
    for index in 1..20 {
        let last = if index == 1 { "a".to_owned() } else { format!("a{}", index - 1) };
        bomb.push_str(&format!(
            "a{index}: &a{index} [*{last}, *{last}, *{last}, *{last}, *{last}, *{last}]\n"
        ));
    }
    assert!(Policy::parse(&bomb).is_err());
}

#[test]
fn every_reason_has_a_name_of_its_own() {
    let mut names = Reason::NAMES.to_vec();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Reason::NAMES.len());
}

#[test]
fn a_scope_that_includes_another_shadows_it() {
    let policy = Policy::parse(
        "certificate: {from: envoy}\nrules:\n- {path: /a/**, allow: []}\n- {path: /a/b, method: GET, allow: []}\n\
         - {host: x.test, allow: []}\n- {allow: []}\n",
    )
    .unwrap();
    let scope = |index: usize| &policy.rules[index].scope;
    assert!(scope(0).includes(scope(1)) && !scope(1).includes(scope(0)));
    assert!(scope(3).includes(scope(2)) && !scope(0).includes(scope(2)) && !scope(2).includes(scope(3)));
}

#[test]
fn a_route_leads_to_its_position() {
    let text = "certificate: {from: envoy}\nrules:\n  - path: /a\n    allow: []\n  - allow: []\n";
    let at = position(text, &[Step::Key("rules".into()), Step::Index(1)]).unwrap();
    assert_eq!((at.line, at.column), (5, 5));
    assert_eq!(position(text, &[Step::Key("rules".into()), Step::Index(2)]), None);
}

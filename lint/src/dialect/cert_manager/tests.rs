use super::*;
use crate::source::Sources;
use crate::syntax::yaml;

fn read(spec: &str, version: Version) -> (Certificate, Vec<String>) {
    let text = format!(
        "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {{name: c}}\nspec: {{secretName: s, {spec}}}\n"
    );
    let mut sources = Sources::default();
    let file = sources.add("a.yaml", text.as_bytes());
    let parsed = yaml::parse(&sources.text(file).unwrap());
    let mut fragment = Fragment::default();
    assert!(fragment.read(parsed.documents[0].root(), Some(version)));
    let certificate = fragment.certificates.remove(0);
    let refused = certificate.refusals.iter().map(|refusal| refusal.rule.to_owned());
    let refused = refused.filter(|rule| rule != "certificate-without-names").collect();
    (certificate, refused)
}

#[test]
fn usages_become_two_extensions() {
    let client = "1.3.6.1.5.5.7.3.2";
    for (spec, key_usage, extended) in [
        ("", vec!["digitalSignature", "keyEncipherment"], vec![]),
        ("usages: []", vec!["digitalSignature", "keyEncipherment"], vec![]),
        ("usages: [client auth]", vec![], vec![client]),
        ("isCA: true", vec!["digitalSignature", "keyEncipherment", "keyCertSign"], vec![]),
        ("isCA: true, usages: [client auth]", vec!["keyCertSign"], vec![client]),
        ("usages: [signing, digital signature, client auth]", vec!["digitalSignature"], vec![client]),
    ] {
        let (certificate, problems) = read(spec, Version(1, 18, 0));
        assert_eq!(certificate.usages.key_usage.value(), &key_usage, "{spec}");
        assert_eq!(certificate.usages.extended_key_usage.value(), &extended, "{spec}");
        assert!(problems.is_empty(), "{problems:?}");
    }
    let (_, problems) = read("usages: [client-auth]", Version(1, 18, 0));
    assert_eq!(problems, ["unknown-certificate-usage"]);
}

#[test]
fn lifetimes_and_keys_have_the_defaults_of_the_version() {
    let hour = 3600;
    for (spec, version, duration, renew, rotates, key) in [
        ("", Version(1, 18, 0), 2160 * hour, 720 * hour, true, PlannedKey::Rsa(2048)),
        ("", Version(1, 17, 4), 2160 * hour, 720 * hour, false, PlannedKey::Rsa(2048)),
        (
            "duration: 24h, renewBefore: 1h30m, privateKey: {algorithm: ECDSA}",
            Version(1, 18, 0),
            24 * hour,
            5400,
            true,
            PlannedKey::Ecdsa(256),
        ),
        (
            "duration: 100h, renewBeforePercentage: 25, privateKey: {rotationPolicy: Never, size: 4096}",
            Version(1, 18, 0),
            100 * hour,
            25 * hour,
            false,
            PlannedKey::Rsa(4096),
        ),
    ] {
        let (certificate, problems) = read(spec, version);
        assert!(problems.is_empty(), "{spec}: {problems:?}");
        assert_eq!(*certificate.duration.value(), duration, "{spec}");
        assert_eq!(*certificate.renew_before.value(), renew, "{spec}");
        assert_eq!(*certificate.rotates_key.value(), rotates, "{spec}");
        assert_eq!(certificate.key, key, "{spec}");
    }
    let (_, problems) = read("duration: 90d", Version(1, 18, 0));
    assert_eq!(problems, ["invalid-certificate-duration"]);
}

#[test]
fn a_percentage_means_what_the_release_makes_of_it() {
    let spec = "duration: 100h, renewBeforePercentage: 25";
    for (version, hours) in [
        (Version(1, 15, 4), 100.0 / 3.0),
        (Version(1, 16, 0), 75.0),
        (Version(1, 16, 2), 75.0),
        (Version(1, 16, 3), 25.0),
        (Version(1, 18, 0), 25.0),
    ] {
        let (certificate, problems) = read(spec, version);
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(*certificate.renew_before.value(), (hours * 3600.0) as i64, "{version}");
    }
    // ten years in nanoseconds, fifty times: more than 64 bits hold
    let long = "duration: 87600h, renewBeforePercentage: 50";
    // 95 percent of an hour: 3 minutes are left, or 57
    let short = "duration: 1h, renewBeforePercentage: 95";
    for (spec, version, refused) in [
        (long, Version(1, 20, 0), true),
        (long, Version(1, 21, 0), false),
        (short, Version(1, 21, 0), true),
        (short, Version(1, 22, 0), false),
    ] {
        let (_, problems) = read(spec, version);
        assert_eq!(problems == ["duration-too-short"], refused, "{spec} {version}: {problems:?}");
    }
}

#[test]
fn durations_are_those_of_go() {
    for (text, seconds) in [
        ("2160h", Some(7_776_000)),
        ("1h30m", Some(5400)),
        ("1.5h", Some(5400)),
        ("90m", Some(5400)),
        ("500ms", Some(0)),
        ("0", Some(0)),
        ("90d", None),
        ("90", None),
        ("", None),
        ("h", None),
        ("999999999999h", None),
    ] {
        assert_eq!(go_duration(text), seconds, "{text}");
    }
}

#[test]
fn the_subject_is_rfc_4514_text() {
    for (spec, subject, name) in [
        ("dnsNames: [a]", "", None),
        ("commonName: a", "CN=a", Some("a")),
        (
            "commonName: 'a,b', subject: {organizations: [o, p], countries: [CH]}",
            "CN=a\\,b,O=o+O=p,C=CH",
            Some("a,b"),
        ),
        ("literalSubject: 'CN=x,O=y'", "CN=x,O=y", Some("x")),
    ] {
        let (certificate, _) = read(spec, Version(1, 18, 0));
        assert_eq!(certificate.subject.value(), subject);
        assert_eq!(certificate.common_name.map(|name| name.value).as_deref(), name);
    }
}

//! fixtures/pki/decisions: client certificates that fixtures/decisions asks a policy about.

use std::collections::BTreeMap;

use super::certificate::{Day, Draft, Extension, General, Name, purpose, usage};
use super::der::seconds;
use super::key::{Key, KeyKind};
use super::pem;

const VALID: (Day, Day) = ((2026, 1, 1), (2027, 1, 1));

/// One certificate: what is different about it.
struct Client {
    names: Vec<General>,
    subject: Name,
    issuer: &'static str,
    key: KeyKind,
    validity: (Day, Day),
    purposes: Option<Vec<&'static str>>,
    key_usage: Option<Vec<u8>>,
    authority: bool,
    serial: Vec<u8>,
    unknown_critical: bool,
}

/// Every file with its text.
pub fn all() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for issuer in ["ca", "partner-ca", "stranger-ca"] {
        files.insert(format!("{issuer}.pem"), pem("CERTIFICATE", &authority(issuer, issuer, None)));
    }
    // the same name as ca, another key: names prove nothing
    files.insert("impostor-ca.pem".to_owned(), pem("CERTIFICATE", &authority("ca", "impostor-ca", None)));
    files.insert(
        "intermediate.pem".to_owned(),
        pem("CERTIFICATE", &authority("intermediate", "intermediate", Some("ca"))),
    );
    for (name, client) in clients() {
        let key = Key::new(client.key, &format!("decisions {name}"));
        files.insert(format!("{name}.pem"), pem("CERTIFICATE", &client.sign(&key, 0)));
        files.insert(format!("{name}.key"), pem("PRIVATE KEY", &key.pkcs8()));
    }
    files
}

/// One client's certificate as DER, with its key; valid so many seconds later than the file says.
pub fn client(name: &str, later: i64) -> Option<(Vec<u8>, Key)> {
    let (_, client) = clients().into_iter().find(|(found, _)| *found == name)?;
    let key = Key::new(client.key, &format!("decisions {name}"));
    Some((client.sign(&key, later), key))
}

/// When a client's certificate begins and ends to be valid, in seconds since 1970.
pub fn validity(name: &str) -> Option<(i64, i64)> {
    let (_, client) = clients().into_iter().find(|(found, _)| *found == name)?;
    Some((seconds(client.validity.0), seconds(client.validity.1)))
}

fn authority_key(label: &str) -> Key {
    Key::new(KeyKind::Ec(256), &format!("decisions {label}"))
}

fn authority(name: &str, label: &str, issuer: Option<&str>) -> Vec<u8> {
    let key = authority_key(label);
    let draft = Draft {
        version_1: false,
        serial: vec![1],
        issuer: Name::of(issuer.unwrap_or(name)),
        subject: Name::of(name),
        validity: ((2020, 1, 1), (2040, 1, 1)),
        later: 0,
        extensions: vec![
            Extension::basic_constraints(true, None),
            Extension::key_usage(&[usage::KEY_CERT_SIGN, usage::CRL_SIGN]),
        ],
        hash: None,
        corrupt: false,
    };
    draft.sign(&key.public(), &authority_key(issuer.unwrap_or(label)))
}

fn clients() -> Vec<(&'static str, Client)> {
    let uri = |text: &str| General::Uri(text.to_owned());
    let dns = |text: &str| General::Dns(text.to_owned());
    let email = |text: &str| General::Email(text.to_owned());
    let web = || uri("spiffe://example.test/ns/shop/sa/web");
    let with = |names: Vec<General>, change: fn(&mut Client)| {
        let mut client = Client::new(names);
        change(&mut client);
        client
    };
    let plain = |names: Vec<General>| Client::new(names);
    let many: Vec<General> =
        (0..400).map(|index| dns(&format!("host-{index:03}.{}.example.test", "a".repeat(50)))).collect();
    vec![
        ("web", plain(vec![web()])),
        ("web-dns", plain(vec![web(), dns("web.example.test")])),
        ("cart", plain(vec![uri("spiffe://example.test/ns/shop/sa/cart")])),
        ("other-namespace", plain(vec![uri("spiffe://example.test/ns/shopping/sa/web")])),
        ("other-domain", plain(vec![uri("spiffe://example.test.evil.test/ns/shop/sa/web")])),
        ("trust-domain", plain(vec![uri("spiffe://example.test")])),
        ("two-spiffe", plain(vec![web(), uri("spiffe://example.test/ns/shop/sa/admin")])),
        ("two-spiffe-turned", plain(vec![uri("spiffe://example.test/ns/shop/sa/admin"), web()])),
        ("spiffe-and-uri", plain(vec![uri("urn:example:web"), web()])),
        ("injection", plain(vec![uri("spiffe://evil.test/x;URI=spiffe://example.test/ns/shop/sa/web")])),
        ("injection-dns", plain(vec![dns("evil.test;DNS=web.example.test")])),
        ("injection-quote", plain(vec![uri("urn:x\",Hash=00;URI=spiffe://example.test/ns/shop/sa/web")])),
        ("spiffe-upper", plain(vec![uri("SPIFFE://example.test/ns/shop/sa/web")])),
        ("spiffe-dots", plain(vec![uri("spiffe://example.test/ns/shop/sa/x/../web")])),
        ("dns", plain(vec![dns("web.example.test")])),
        ("dns-upper", plain(vec![dns("WEB.Example.Test")])),
        ("dns-sub", plain(vec![dns("a.web.example.test")])),
        ("dns-wildcard", plain(vec![dns("*.example.test")])),
        ("dns-nul", plain(vec![dns("web.example.test\0.evil.test")])),
        ("dns-second", plain(vec![dns("first.example.test"), dns("web.example.test")])),
        ("email", plain(vec![email("alice@example.test")])),
        ("email-domain-upper", plain(vec![email("alice@EXAMPLE.test")])),
        ("email-local-upper", plain(vec![email("Alice@example.test")])),
        ("email-sub", plain(vec![email("alice@sub.example.test")])),
        ("ip", plain(vec![General::Ip(vec![10, 1, 2, 3])])),
        ("ip6", plain(vec![General::Ip([&[0x20, 1, 0x0d, 0xb8][..], &[0; 11], &[7]].concat())])),
        ("ip-broken", plain(vec![General::Ip(vec![10, 1, 2])])),
        ("uri", plain(vec![uri("urn:example:meter:7")])),
        ("no-names", plain(Vec::new())),
        ("cn-only", with(Vec::new(), |client| client.subject = Name::of("batch-7"))),
        (
            "cn-twice",
            with(Vec::new(), |client| {
                let mut name = Name::of("batch-7");
                name.0.extend(Name::of("other").0.into_iter().skip(1));
                client.subject = name;
            }),
        ),
        (
            "cn-lies",
            with(vec![dns("evil.example.test")], |client| client.subject = Name::of("web.example.test")),
        ),
        ("empty-subject", with(vec![email("alice@example.test")], |client| client.subject = Name::default())),
        ("expired", with(vec![web()], |client| client.validity = ((2024, 1, 1), (2025, 1, 1)))),
        ("not-yet", with(vec![web()], |client| client.validity = ((2030, 1, 1), (2031, 1, 1)))),
        ("long-lived", with(vec![web()], |client| client.validity = ((2020, 1, 1), (2040, 1, 1)))),
        ("server-auth", with(vec![web()], |client| client.purposes = Some(vec![purpose::SERVER]))),
        (
            "both-auth",
            with(vec![web()], |client| client.purposes = Some(vec![purpose::SERVER, purpose::CLIENT])),
        ),
        ("any-eku", with(vec![web()], |client| client.purposes = Some(vec![purpose::ANY]))),
        ("no-eku", with(vec![web()], |client| client.purposes = None)),
        ("code-signing", with(vec![web()], |client| client.purposes = Some(vec![purpose::CODE]))),
        ("no-key-usage", with(vec![web()], |client| client.key_usage = None)),
        (
            "encipherment-only",
            with(vec![web()], |client| client.key_usage = Some(vec![usage::KEY_ENCIPHERMENT])),
        ),
        ("is-ca", with(vec![web()], |client| client.authority = true)),
        ("rsa1024", with(vec![web()], |client| client.key = KeyKind::Rsa(1024))),
        ("rsa2048", with(vec![web()], |client| client.key = KeyKind::Rsa(2048))),
        ("p384", with(vec![web()], |client| client.key = KeyKind::Ec(384))),
        ("ed25519", with(vec![web()], |client| client.key = KeyKind::Ed25519)),
        ("unknown-critical", with(vec![web()], |client| client.unknown_critical = true)),
        ("serial", with(vec![web()], |client| client.serial = vec![0x0a, 0x1b, 0x2c])),
        ("partner", with(vec![dns("api.partner.test")], |client| client.issuer = "partner-ca")),
        ("partner-by-ca", plain(vec![dns("api.partner.test")])),
        ("partner-impostor", with(vec![dns("api.partner.test")], |client| client.issuer = "stranger-ca")),
        ("impostor", with(vec![web()], |client| client.issuer = "impostor-ca")),
        ("by-intermediate", with(vec![web()], |client| client.issuer = "intermediate")),
        ("many-names", plain([many, vec![dns("web.example.test")]].concat())),
    ]
}

impl Client {
    fn new(names: Vec<General>) -> Self {
        Client {
            names,
            subject: Name::of("client"),
            issuer: "ca",
            key: KeyKind::Ec(256),
            validity: VALID,
            purposes: Some(vec![purpose::CLIENT]),
            key_usage: Some(vec![usage::DIGITAL_SIGNATURE]),
            authority: false,
            serial: vec![0x51],
            unknown_critical: false,
        }
    }

    fn sign(&self, key: &Key, later: i64) -> Vec<u8> {
        let mut extensions = vec![Extension::basic_constraints(self.authority, None)];
        extensions.extend(self.key_usage.as_ref().map(|bits| Extension::key_usage(bits)));
        extensions.extend(self.purposes.as_ref().map(|purposes| Extension::purposes(purposes)));
        if !self.names.is_empty() {
            extensions.push(Extension::names(&self.names));
        }
        if self.unknown_critical {
            extensions.push(Extension::unknown(true));
        }
        let issuer = if self.issuer == "impostor-ca" { "ca" } else { self.issuer };
        let draft = Draft {
            version_1: false,
            serial: self.serial.clone(),
            issuer: Name::of(issuer),
            subject: self.subject.clone(),
            validity: self.validity,
            later,
            extensions,
            hash: None,
            corrupt: false,
        };
        draft.sign(&key.public(), &authority_key(self.issuer))
    }
}

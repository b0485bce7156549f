//! The filter and what it is made of.

use std::sync::LazyLock;
use std::time::Duration;

use mtls_guard::config::Config;
use mtls_guard::filter::{Guard, Verdict};
use mtls_identity::certificate::Certificate;
use mtls_identity::policy::{Absence, Decision, PathParameters, Policy, Request, normalise};
use rustls_pki_types::UnixTime;

use super::seeds::{decisions_certificate, header_policy};
use crate::hosts::{Gateway, Scripted};

const AT: u64 = 1_780_000_000;

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(AT))
}

/// DER: the filter's certificate and the linter's, what they say of themselves, and a policy's answer.
pub(super) fn certificate(data: &[u8]) {
    static POLICY: LazyLock<Policy> = LazyLock::new(|| {
        Policy::parse(
            "certificate: {from: envoy}\nidentities: {a: {spiffe: 'spiffe://example.test/**'}, b: {dns: '*.example.test'}, \
             c: {email: '*@example.test'}, d: {ip: [10.0.0.0/8]}, e: {uri: urn:a}}\nrules: [{allow: any-identity}]\n",
        )
        .unwrap_or_else(|error| panic!("{error}"))
    });
    if let Ok(read) = Certificate::parse(data) {
        let _ =
            (read.signed(), read.signed_by(&read), read.is_ca(), read.is_self_issued(), read.serial_text());
        let _ = format!("{read:?} {}", read.subject);
        assert!(read.subject.common_names().count() <= data.len());
        let standing = POLICY.recognise(&read, std::slice::from_ref(&read));
        let _ = format!("{:?}", POLICY.decide(&request("/"), Ok(&standing), now()));
    }
    let span = mtls_lint::source::Span { file: mtls_lint::source::FileId(0), start: 0, end: 0 };
    if let Ok(read) = mtls_lint::stack::certificate::Certificate::read(data, span) {
        let _ = (read.shown_names(), read.is_self_issued(), read.is_ca(), read.dns_names().count());
        let signatures = mtls_lint::stack::signatures::Signatures::default();
        let _ = signatures.signed(&read, &read);
    }
    let _ = mtls_lint::stack::private_key::PrivateKey::read_any(data);
    let _ = mtls_lint::stack::crl::RevocationList::read(data, span);
}

fn request(path: &str) -> Request<'_> {
    Request { method: "GET", host: "shop.test", path, route: Some("all") }
}

/// A policy, and its answers for a few certificates and paths.
pub(super) fn policy(data: &[u8]) {
    static CERTIFICATES: LazyLock<Vec<Certificate>> = LazyLock::new(|| {
        ["web", "dns", "email", "expired", "no-usage"]
            .iter()
            .filter_map(|name| Certificate::parse_pem(&decisions_certificate(name)?).ok())
            .collect()
    });
    let Ok(text) = std::str::from_utf8(data) else { return };
    let policy = match Policy::parse(text) {
        Ok(policy) => policy,
        Err(error) => {
            let _ = error.to_string();
            return;
        }
    };
    let _ = policy.asks_for_route();
    for path in ["/", "/orders/7", "/healthz", "/a/../b"] {
        let without = policy.decide(&request(path), Err(&Absence::NoCertificate), now());
        assert!(!matches!(without, Decision::Allow(_)), "allowed without a certificate");
        for certificate in CERTIFICATES.iter() {
            let standing = policy.recognise(certificate, &CERTIFICATES);
            if let Decision::Allow(allowed) = policy.decide(&request(path), Ok(&standing), now()) {
                assert!(policy.identity(allowed.identity).is_some());
            }
        }
    }
}

/// A normalised path has one reading: it stays as it is, and no segment leads upwards.
pub(super) fn path(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(once) = normalise(&text, PathParameters::Allow) else { return };
    assert_eq!(normalise(&once, PathParameters::Allow).as_deref(), Ok(&*once), "normalised twice");
    assert!(once.is_ascii() && !once.contains(['\\', '?', '#']));
    assert!(once == "*" || !once.split('/').any(|segment| matches!(segment, "." | "..")), "{once}");
}

/// X-Forwarded-Client-Cert, as a header of a trusted proxy and as Envoy's own.
pub(super) fn xfcc(data: &[u8]) {
    static GUARDS: LazyLock<[Config; 2]> =
        LazyLock::new(|| [config(&header_policy("xfcc")), config("certificate: {from: envoy-xfcc}\n")]);
    let [header, own] = &*GUARDS;
    ask(header, with_header("x-forwarded-client-cert", data));
    let digest = decisions_certificate("web").and_then(|pem| Certificate::parse_pem(&pem).ok());
    let host = with_header("x-forwarded-client-cert", data);
    ask(own, host.with_certificate("", &digest.map_or([0; 32], |read| read.sha256)));
}

/// Client-Cert and Client-Cert-Chain, parted by the first line break.
pub(super) fn rfc9440(data: &[u8]) {
    static GUARD: LazyLock<Config> = LazyLock::new(|| config(&header_policy("rfc9440")));
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let host = with_header("client-cert", parts.next().unwrap_or_default());
    if let Some(chain) = parts.next() {
        host.headers.borrow_mut().push((b"client-cert-chain".to_vec(), chain.to_vec()));
    }
    ask(&GUARD, host);
}

/// The whole filter: a configuration, an empty line, then a property or header a line (`name=value`, `name: value`).
pub(super) fn filter(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (configuration, rest) = text.split_once("\n\n").unwrap_or((&text, ""));
    let Ok(config) = Config::parse(configuration.as_bytes()) else { return };
    for gateway in [Gateway::Envoy, Gateway::Apisix] {
        let mut host = Scripted::new(gateway, AT, &[]);
        for line in rest.split('\n') {
            // PEM stands on one line, as in a header
            if let Some((name, value)) = line.split_once(": ") {
                host.headers.borrow_mut().push((name.as_bytes().to_vec(), value.as_bytes().to_vec()));
            } else if let Some((name, value)) = line.split_once('=') {
                let value = if value == "\\x01" { "\x01".to_owned() } else { value.replace("\\n", "\n") };
                host.properties.insert(name.to_owned(), value.into_bytes());
            }
        }
        ask(&config, host);
    }
}

fn config(policy: &str) -> Config {
    let rest = "identities: {web: {spiffe: spiffe://example.test/ns/shop/sa/web}, any: {dns: '*.example.test'}}\n\
                rules: [{name: all, allow: [web, any]}]\nforward: {x-client: identity, x-subject: subject, \
                x-cert: client-cert}\n";
    Config::parse(format!("{policy}{rest}").as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

fn with_header(name: &str, value: &[u8]) -> Scripted {
    let host = Scripted::new(
        Gateway::Envoy,
        AT,
        &[(":method", "GET"), (":authority", "shop.test"), (":path", "/a")],
    )
    .with("source.address", "10.0.0.7:4711");
    host.headers.borrow_mut().push((name.as_bytes().to_vec(), value.to_vec()));
    host
}

/// Asks twice, so that the second answer comes from the cache: it is the same, and what passes bears only what the
/// filter says.
fn ask(config: &Config, host: Scripted) {
    let names: Vec<String> = config.policy.forward.iter().map(|(name, _)| name.clone()).collect();
    let headers = host.headers.borrow().clone();
    let audit = config.policy.mode == mtls_identity::policy::Mode::Audit;
    // what a gateway on nginx does not hand over stays unseen, and passes in audit mode alone
    let unseen = audit && host.gateway != Gateway::Envoy && headers.len() >= 100;
    let guard = Guard::new(reparsed(config));
    let mut answers = Vec::new();
    for _ in 0..2 {
        *host.headers.borrow_mut() = headers.clone();
        *host.response.borrow_mut() = None;
        host.counts.borrow_mut().clear();
        let verdict = guard.on_request(&host);
        let allowed = host.counts.borrow().contains_key("allow");
        if verdict == Verdict::Continue {
            assert!(
                allowed || audit || host.counts.borrow().contains_key("exempt"),
                "passed without a reason"
            );
            for name in names.iter().filter(|_| !unseen) {
                let spelled = host.headers.borrow().iter().filter(|(found, _)| folds(found, name)).count();
                let expected = usize::from(allowed);
                assert_eq!(spelled, expected, "{name} upstream");
            }
        } else {
            assert!(host.response.borrow().is_some(), "answered, and nothing was");
        }
        for line in host.logged.borrow().iter() {
            assert!(!line.contains(char::is_control), "{line:?}");
        }
        answers.push((verdict, host.response.borrow().clone()));
    }
    assert_eq!(answers.first(), answers.get(1), "the cache answers otherwise");
}

/// A configuration is used up by its guard.
fn reparsed(config: &Config) -> Config {
    Config {
        policy: config.policy.clone(),
        asks: config.asks,
        inbound: config.inbound.clone(),
        claims: config.claims.clone(),
        scope: config.scope.clone(),
    }
}

fn folds(found: &[u8], name: &str) -> bool {
    let folded = |byte: &u8| if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' };
    found.iter().map(folded).eq(name.as_bytes().iter().map(folded))
}

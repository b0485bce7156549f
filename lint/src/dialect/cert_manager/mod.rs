//! cert-manager's Certificate, Issuer and ClusterIssuer: what will be issued, by whom, with which defaults.
//!
//! Defaults are those of cert-manager's API types (`pkg/apis/certmanager/v1`, release 1.18): 90 days, renewal
//! after two thirds, RSA 2048, `digital signature` and `key encipherment` without extended key usage.

mod csi;
mod refuse;
mod usage;

use crate::deployment::{PlannedConstraints, PlannedKey, Refusal, Setting, Version};
use crate::dialect::kubernetes::{self, Metadata};
use crate::source::{Located, Span};
use crate::syntax::yaml::Node;

pub use csi::csi_request;
pub(crate) use refuse::hours;
pub use usage::{Usages, usages};

/// Certificates without `duration` live 90 days.
pub const DEFAULT_DURATION: i64 = 90 * 24 * 3600;
/// `privateKey.rotationPolicy` became Always in this release.
const ROTATES_SINCE: Version = Version(1, 18, 0);
/// Directories of ACME servers whose certificates public trust stores accept.
const PUBLIC_ACME: [&str; 8] = [
    "acme-v02.api.letsencrypt.org",
    "acme.zerossl.com",
    "dv.acme-v02.api.pki.goog",
    "api.buypass.com",
    "acme.ssl.com",
    "acme.sectigo.com",
    "acme.digicert.com",
    "emea.acme.atlas.globalsign.com",
];

/// Everything of cert-manager's that the manifests hold.
#[derive(Debug, Default)]
pub struct Fragment {
    /// Certificate.
    pub certificates: Vec<Certificate>,
    /// Issuer and ClusterIssuer.
    pub issuers: Vec<Issuer>,
}

/// A Certificate.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// Its name and namespace.
    pub metadata: Metadata,
    /// `spec.secretName`.
    pub secret_name: Option<Located<String>>,
    /// The subject as RFC 4514 text; empty: an empty subject.
    pub subject: Setting<String>,
    /// The common name, from `commonName` or `literalSubject`.
    pub common_name: Option<Located<String>>,
    /// `dnsNames`.
    pub dns_names: Vec<Located<String>>,
    /// `ipAddresses`.
    pub ip_addresses: Vec<Located<String>>,
    /// `uris`.
    pub uris: Vec<Located<String>>,
    /// `emailAddresses`.
    pub email_addresses: Vec<Located<String>>,
    /// `isCA`.
    pub is_ca: Setting<bool>,
    /// `usages`, as the two extensions have them.
    pub usages: Usages,
    /// `duration` in seconds.
    pub duration: Setting<i64>,
    /// Seconds before the end at which it is renewed, from `renewBefore` or `renewBeforePercentage`.
    pub renew_before: Setting<i64>,
    /// Algorithm and size of the key.
    pub key: PlannedKey,
    /// Whether a renewal makes a new key.
    pub rotates_key: Setting<bool>,
    /// `issuerRef`.
    pub issuer: IssuerReference,
    /// A controller copies the Secret into other namespaces (`secretTemplate.annotations`).
    pub is_copied: bool,
    /// Keys that the Secret has beside tls.crt, tls.key and ca.crt.
    pub extra_keys: Vec<&'static str>,
    /// `nameConstraints`, and its key.
    pub name_constraints: Option<(Span, PlannedConstraints)>,
    /// What cert-manager's webhook refuses of it.
    pub refusals: Vec<Refusal>,
    /// The `spec`.
    pub span: Span,
}

/// `issuerRef`.
#[derive(Debug, Clone)]
pub struct IssuerReference {
    /// The issuer's name; None: none is written.
    pub name: Option<Located<String>>,
    /// `Issuer` unless written.
    pub kind: Setting<String>,
    /// `cert-manager.io` unless written.
    pub group: Setting<String>,
}

/// An Issuer or ClusterIssuer.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// `Issuer` or `ClusterIssuer`.
    pub cluster: bool,
    /// Its name and namespace.
    pub metadata: Metadata,
    /// How it issues.
    pub source: IssuerSource,
}

impl Issuer {
    /// `ClusterIssuer selfsigned-issuer`, `Issuer tls/ca-issuer`.
    pub fn title(&self) -> String {
        if self.cluster {
            format!("ClusterIssuer {}", self.metadata.name.value)
        } else {
            format!("Issuer {}", self.metadata.path())
        }
    }
}

/// How an issuer issues.
#[derive(Debug, Clone)]
pub enum IssuerSource {
    /// Each certificate signs itself.
    SelfSigned,
    /// With the key pair of a Secret.
    Ca {
        /// `ca.secretName`; None: none is written.
        secret: Option<Located<String>>,
    },
    /// An ACME server.
    Acme {
        /// Its directory.
        server: Option<Located<String>>,
        /// Whether public trust stores hold its CA.
        public: bool,
    },
    /// Another system: `vault`, `venafi`, …
    Other(String),
    /// Nothing is written.
    Nothing,
}

impl Fragment {
    /// Takes in one object; false if it is none of cert-manager's. `version`: where it is stated.
    pub fn read(&mut self, object: Node<'_>, version: Option<Version>) -> bool {
        match kubernetes::group_kind(object) {
            Some(("cert-manager.io", "Certificate", _)) => {
                let certificate = certificate(object, version);
                self.certificates.push(certificate);
            }
            Some(("cert-manager.io", kind @ ("Issuer" | "ClusterIssuer"), _)) => {
                self.issuers.push(issuer(object, kind == "ClusterIssuer"));
            }
            _ => return false,
        }
        true
    }
}

/// The release whose defaults hold where nothing else is said.
const USUAL_VERSION: Version = Version(1, 18, 0);

fn certificate(object: Node<'_>, stated: Option<Version>) -> Certificate {
    let version = stated.unwrap_or(USUAL_VERSION);
    let spec = object.get("spec").unwrap_or(object);
    let field = |key: &str| kubernetes::text(spec, key).filter(|text| !text.value.is_empty());
    let list = |key: &str| kubernetes::texts(spec, key);
    let is_ca = flag(spec, "isCA");
    let duration = match duration(spec, "duration") {
        Some(duration) => Setting::Given(duration),
        None => Setting::Default { value: DEFAULT_DURATION, parent: spec.span() },
    };
    let (subject, common_name) = subject(spec);
    let mut certificate = Certificate {
        metadata: Metadata::read(object),
        secret_name: field("secretName"),
        subject,
        common_name,
        dns_names: list("dnsNames"),
        ip_addresses: list("ipAddresses"),
        uris: list("uris"),
        email_addresses: list("emailAddresses"),
        usages: usages(spec, *is_ca.value()),
        is_ca,
        renew_before: renew_before(spec, *duration.value(), version),
        duration,
        key: key(spec),
        rotates_key: rotates_key(spec, version),
        issuer: issuer_reference(spec),
        is_copied: spec
            .at(&["secretTemplate", "annotations"])
            .is_some_and(|annotations| kubernetes::is_copied(&kubernetes::pairs(annotations))),
        extra_keys: extra_keys(spec),
        name_constraints: spec.key_span("nameConstraints").zip(spec.get("nameConstraints").map(constraints)),
        refusals: Vec::new(),
        span: spec.span(),
    };
    certificate.refusals = refuse::refusals(&certificate, spec, stated);
    certificate
}

fn constraints(node: Node<'_>) -> PlannedConstraints {
    let mut found = PlannedConstraints {
        critical: node.get("critical").and_then(Node::as_bool).unwrap_or_default(),
        ..PlannedConstraints::default()
    };
    for (key, subtrees) in [("permitted", &mut found.permitted), ("excluded", &mut found.excluded)] {
        let Some(lists) = node.get(key) else { continue };
        for list in ["dnsDomains", "ipRanges", "emailAddresses", "uriDomains"] {
            for text in kubernetes::texts(lists, list) {
                subtrees.push((list, text.value));
            }
        }
    }
    found
}

fn flag(spec: Node<'_>, key: &str) -> Setting<bool> {
    match spec.get(key).and_then(|node| Some(Located::new(node.as_bool()?, node.span()))) {
        Some(given) => Setting::Given(given),
        None => Setting::Default { value: false, parent: spec.span() },
    }
}

fn duration(spec: Node<'_>, key: &str) -> Option<Located<i64>> {
    let node = spec.get(key)?;
    Some(Located::new(go_duration(node.as_str()?)?, node.span()))
}

/// `renewBeforePercentage` came with 1.16, which took it for the part of the life before the renewal until 1.16.3 (pull
/// requests 6987 and 7421).
fn renew_before(spec: Node<'_>, lifetime: i64, version: Version) -> Setting<i64> {
    if let Some(given) = duration(spec, "renewBefore") {
        return Setting::Given(given);
    }
    if let Some(node) = spec.get("renewBeforePercentage")
        && let Some(percentage) = node.as_i64().filter(|percentage| (1..100).contains(percentage))
        && version >= Version(1, 16, 0)
    {
        let percentage = if version < Version(1, 16, 3) { 100 - percentage } else { percentage };
        return Setting::Given(Located::new(lifetime / 100 * percentage, node.span()));
    }
    Setting::Default { value: lifetime / 3, parent: spec.span() }
}

fn key(spec: Node<'_>) -> PlannedKey {
    let key = spec.get("privateKey");
    let size =
        key.and_then(|key| key.get("size")).and_then(Node::as_i64).and_then(|size| u32::try_from(size).ok());
    match key.and_then(|key| key.get("algorithm")).and_then(Node::as_str) {
        Some("ECDSA") => PlannedKey::Ecdsa(size.filter(|size| *size > 0).unwrap_or(256)),
        Some("Ed25519") => PlannedKey::Ed25519,
        _ => PlannedKey::Rsa(size.filter(|size| *size > 0).unwrap_or(2048)),
    }
}

fn rotates_key(spec: Node<'_>, version: Version) -> Setting<bool> {
    match spec.at(&["privateKey", "rotationPolicy"]).and_then(|node| Some((node.as_str()?, node.span()))) {
        Some((policy, span)) => Setting::Given(Located::new(policy == "Always", span)),
        None => {
            let parent = spec.get("privateKey").unwrap_or(spec).span();
            Setting::Default { value: version >= ROTATES_SINCE, parent }
        }
    }
}

fn issuer_reference(spec: Node<'_>) -> IssuerReference {
    let node = spec.get("issuerRef");
    let parent = node.unwrap_or(spec).span();
    let field = |key: &str, default: &str| {
        let given = node.and_then(|node| kubernetes::text(node, key)).filter(|text| !text.value.is_empty());
        match given {
            Some(given) => Setting::Given(given),
            None => Setting::Default { value: default.to_owned(), parent },
        }
    };
    IssuerReference {
        name: node.and_then(|node| kubernetes::text(node, "name")).filter(|name| !name.value.is_empty()),
        kind: field("kind", "Issuer"),
        group: field("group", "cert-manager.io"),
    }
}

fn extra_keys(spec: Node<'_>) -> Vec<&'static str> {
    let mut keys = Vec::new();
    let created =
        |store: &str| spec.at(&["keystores", store, "create"]).and_then(Node::as_bool).unwrap_or(false);
    if created("jks") {
        keys.extend(["keystore.jks", "truststore.jks"]);
    }
    if created("pkcs12") {
        keys.extend(["keystore.p12", "truststore.p12"]);
    }
    for format in spec.get("additionalOutputFormats").into_iter().flat_map(Node::items) {
        match format.get("type").and_then(Node::as_str) {
            Some("CombinedPEM") => keys.push("tls-combined.pem"),
            Some("DER") => keys.push("key.der"),
            _ => {}
        }
    }
    keys
}

/// The subject as text, and the common name in it.
fn subject(spec: Node<'_>) -> (Setting<String>, Option<Located<String>>) {
    if let Some(literal) = kubernetes::text(spec, "literalSubject").filter(|text| !text.value.is_empty()) {
        let common_name = literal.value.split(',').find_map(|part| {
            let (name, value) = part.trim().split_once('=')?;
            name.trim().eq_ignore_ascii_case("CN").then(|| value.trim().to_owned())
        });
        let common_name = common_name.map(|name| Located::new(name, literal.span));
        return (Setting::Given(literal), common_name);
    }
    let common_name = kubernetes::text(spec, "commonName").filter(|text| !text.value.is_empty());
    // Go writes country first; RFC 4514 text is read from the end
    let fields = [
        ("C", "countries"),
        ("O", "organizations"),
        ("OU", "organizationalUnits"),
        ("L", "localities"),
        ("ST", "provinces"),
        ("STREET", "streetAddresses"),
        ("2.5.4.17", "postalCodes"),
    ];
    let node = spec.get("subject");
    let mut parts: Vec<String> = Vec::new();
    for (name, key) in fields {
        let values = node.map(|node| kubernetes::texts(node, key)).unwrap_or_default();
        if !values.is_empty() {
            let values: Vec<String> =
                values.iter().map(|value| format!("{name}={}", escaped(&value.value))).collect();
            parts.push(values.join("+"));
        }
    }
    if let Some(name) = &common_name {
        parts.push(format!("CN={}", escaped(&name.value)));
    }
    if let Some(serial) = node.and_then(|node| kubernetes::text(node, "serialNumber")) {
        parts.push(format!("2.5.4.5={}", escaped(&serial.value)));
    }
    parts.reverse();
    let value = parts.join(",");
    let place = node.map(Node::span).or(common_name.as_ref().map(|name| name.span));
    let subject = match place {
        Some(span) => Setting::Given(Located::new(value, span)),
        None => Setting::Default { value, parent: spec.span() },
    };
    (subject, common_name)
}

fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for (at, character) in value.chars().enumerate() {
        if matches!(character, ',' | '+' | '"' | '\\' | '<' | '>' | ';') || at == 0 && character == '#' {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

fn issuer(object: Node<'_>, cluster: bool) -> Issuer {
    let spec = object.get("spec").unwrap_or(object);
    let source = if spec.get("selfSigned").is_some() {
        IssuerSource::SelfSigned
    } else if let Some(ca) = spec.get("ca") {
        IssuerSource::Ca { secret: kubernetes::text(ca, "secretName") }
    } else if let Some(acme) = spec.get("acme") {
        let server = kubernetes::text(acme, "server");
        let host = server.as_ref().and_then(|server| {
            let rest = server.value.strip_prefix("https://")?;
            rest.split(['/', ':']).next()
        });
        let public = host.is_some_and(|host| PUBLIC_ACME.contains(&host));
        IssuerSource::Acme { server, public }
    } else {
        let named = spec.entries().find_map(|(key, _)| key.as_str());
        named.map_or(IssuerSource::Nothing, |kind| IssuerSource::Other(kind.to_owned()))
    };
    Issuer { cluster, metadata: Metadata::read(object), source }
}

/// Whole seconds of a duration as Go writes it (`2160h`, `1h30m`, `1.5h`).
pub fn go_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut nanoseconds: i128 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|end| *end > 0)?;
        let (number, tail) = rest.split_at(digits);
        let end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let unit: i128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || whole.len() > 18 {
            return None;
        }
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        nanoseconds += whole * unit;
        let mut place = unit;
        for digit in fraction.bytes() {
            place /= 10;
            nanoseconds += i128::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?) * place;
        }
        rest = tail;
    }
    // Go's durations end at 292 years
    let nanoseconds = i64::try_from(nanoseconds).ok()?;
    let seconds = nanoseconds / 1_000_000_000;
    Some(if negative { -seconds } else { seconds })
}

#[cfg(test)]
mod tests;

//! What cert-manager's webhook refuses of a Certificate (`internal/apis/certmanager/validation/certificate.go`).

use std::net::IpAddr;

use crate::deployment::{Refusal, Version};
use crate::dialect::kubernetes;
use crate::dialect::placeholder::is_placeholder;
use crate::finding::Label;
use crate::source::{Located, Span};
use crate::syntax::yaml::Node;

use super::Certificate;

/// RFC 5280, appendix A.1, ub-common-name.
const LONGEST_COMMON_NAME: usize = 64;
/// `MinimumCertificateDuration`.
const SHORTEST_DURATION: i64 = 3600;
/// `MinimumRenewBefore`.
const SHORTEST_RENEW_BEFORE: i64 = 300;

/// Everything the webhook refuses, in the order in which it looks.
pub(super) fn refusals(certificate: &Certificate, spec: Node<'_>, stated: Option<Version>) -> Vec<Refusal> {
    let mut found = Vec::new();
    let name = format!("Certificate {}", certificate.metadata.path());
    secret_name(certificate, &name, &mut found);
    subject(certificate, spec, &name, &mut found);
    names(certificate, spec, &name, &mut found);
    key(spec, &name, &mut found);
    validity(certificate, spec, stated, &name, &mut found);
    constraints(certificate, spec, &name, &mut found);
    found
}

fn refuse(
    found: &mut Vec<Refusal>,
    rule: &'static str,
    message: String,
    places: Vec<(Span, &str)>,
    log: &str,
) {
    let labels = places.into_iter().map(|(span, text)| Label { span, message: text.to_owned() }).collect();
    found.push(Refusal { rule, message, labels, help: None, log: Some(log.to_owned()) });
}

fn secret_name(certificate: &Certificate, name: &str, found: &mut Vec<Refusal>) {
    if let Some(secret) = &certificate.secret_name
        && !is_subdomain(&secret.value)
        && !is_placeholder(&secret.value)
    {
        let message = format!("{name} is written into {:?}, which no Secret can be called", secret.value);
        let place = vec![(secret.span, "write lower-case letters, digits, - and . only")];
        let log = "spec.secretName: Invalid value: a lowercase RFC 1123 subdomain must consist of lower case \
                   alphanumeric characters, '-' or '.'";
        refuse(found, "certificate-without-secret-name", message, place, log);
    }
    if certificate.secret_name.is_none() {
        let place = vec![(certificate.metadata.name.span, "its spec has no secretName")];
        let message = format!("{name} does not say into which Secret it is written");
        refuse(found, "certificate-without-secret-name", message, place, "spec.secretName: Required value");
    }
}

/// A name as Kubernetes wants it (`NameIsDNSSubdomain`).
fn is_subdomain(name: &str) -> bool {
    let is_end =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        let within = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
        is_end(bytes.first()) && is_end(bytes.last()) && bytes.iter().all(within)
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

fn subject(certificate: &Certificate, spec: Node<'_>, name: &str, found: &mut Vec<Refusal>) {
    let literal = kubernetes::text(spec, "literalSubject").filter(|text| !text.value.is_empty());
    if let Some(literal) = &literal {
        let common_name = kubernetes::text(spec, "commonName").filter(|text| !text.value.is_empty());
        let says = |value: Node<'_>| value.items().len() > 0 || value.as_str().is_some_and(|t| !t.is_empty());
        let fields = spec.get("subject").filter(|subject| subject.entries().any(|(_, value)| says(value)));
        let other = match (common_name, fields) {
            (Some(common_name), _) => Some(("commonName", common_name.span)),
            (None, Some(_)) => spec.key_span("subject").map(|span| ("subject", span)),
            (None, None) => None,
        };
        if let Some((field, span)) = other {
            let message = format!("{name} gives its subject twice: literalSubject stands beside {field}");
            let places = vec![(span, "this subject"), (literal.span, "and this one")];
            let log = "When providing a `LiteralSubject` no `commonName` may be provided.";
            refuse(found, "conflicting-subject", message, places, log);
        }
    }
    if let Some(common_name) = &certificate.common_name
        && common_name.value.len() > LONGEST_COMMON_NAME
        && !is_placeholder(&common_name.value)
    {
        let message = format!(
            "the common name of {name} has {} bytes, and a common name has {LONGEST_COMMON_NAME} at most",
            common_name.value.len()
        );
        let places = vec![(common_name.span, "too long")];
        let log = "spec.commonName: Too long: may not be longer than 64";
        refuse(found, "common-name-too-long", message, places, log);
    }
    let other_names = spec.get("otherNames").is_some_and(|names| names.items().len() > 0);
    let lists =
        [&certificate.dns_names, &certificate.ip_addresses, &certificate.uris, &certificate.email_addresses];
    let unnamed = certificate.common_name.is_none() && lists.iter().all(|list| list.is_empty());
    // what else a literal subject may hold is not known here
    if unnamed && !other_names && literal.is_none() {
        let message = format!("{name} has no name at all");
        let places = vec![(certificate.metadata.name.span, "neither a common name nor an alternative one")];
        let log = "at least one of commonName (from the commonName field or from a literalSubject), dnsNames, \
                   emailSANs, ipAddresses, otherNames, or uriSANs must be set";
        refuse(found, "certificate-without-names", message, places, log);
    }
}

fn names(certificate: &Certificate, spec: Node<'_>, name: &str, found: &mut Vec<Refusal>) {
    for address in &certificate.ip_addresses {
        if address.value.parse::<IpAddr>().is_err() && !is_placeholder(&address.value) {
            let message = format!("{} in ipAddresses of {name} is no IP address", address.value);
            let places = vec![(address.span, "no IP address")];
            refuse(found, "invalid-alternative-name", message, places, "invalid IP address");
        }
    }
    for email in &certificate.email_addresses {
        if let Some(what) = no_mailbox(&email.value) {
            let message = format!("{} in emailAddresses of {name} {what}", email.value);
            let places = vec![(email.span, "no bare e-mail address")];
            let log =
                "invalid email address: make sure the supplied value only contains the email address itself";
            refuse(found, "invalid-alternative-name", message, places, log);
        }
    }
    for usage in spec.get("usages").into_iter().flat_map(Node::items) {
        let word = usage.as_str().unwrap_or_default();
        if !super::usage::is_known(word) && !is_placeholder(word) {
            let message = format!("{name} asks for the usage {word}, which cert-manager does not know");
            let places = vec![(usage.span(), "no name of a usage")];
            refuse(found, "unknown-certificate-usage", message, places, "unknown keyusage");
        }
    }
}

/// What keeps a text from being the address alone, where that is certain.
fn no_mailbox(text: &str) -> Option<&'static str> {
    if text.contains('<') && text.contains('@') {
        return Some("is more than the e-mail address itself");
    }
    if is_placeholder(text) {
        return None;
    }
    match text.rsplit_once('@') {
        Some((local, domain)) if !local.is_empty() && !domain.is_empty() => None,
        _ => Some("is no e-mail address"),
    }
}

fn key(spec: Node<'_>, name: &str, found: &mut Vec<Refusal>) {
    let key = spec.get("privateKey");
    let algorithm = key
        .and_then(|key| kubernetes::text(key, "algorithm"))
        .filter(|algorithm| !algorithm.value.is_empty());
    let size = key.and_then(|key| key.get("size")).and_then(|node| Some((node.as_i64()?, node.span())));
    if algorithm.as_ref().is_some_and(|algorithm| is_placeholder(&algorithm.value)) {
        return;
    }
    let written = algorithm.as_ref().map_or("RSA", |algorithm| algorithm.value.as_str());
    let allowed: &[&str] = match written {
        "RSA" => &["SHA256WithRSA", "SHA384WithRSA", "SHA512WithRSA"],
        "ECDSA" => &["ECDSAWithSHA256", "ECDSAWithSHA384", "ECDSAWithSHA512"],
        "Ed25519" => &["PureEd25519"],
        _ => {
            if let Some(algorithm) = &algorithm {
                let message = format!("{name} asks for a key of the algorithm {written}");
                let places = vec![(algorithm.span, "neither RSA, ECDSA nor Ed25519")];
                let log = "Unsupported value: supported values: \"RSA\", \"ECDSA\", \"Ed25519\"";
                refuse(found, "invalid-key-parameters", message, places, log);
            }
            return;
        }
    };
    if let Some((bits, span)) = size.filter(|(bits, _)| *bits != 0) {
        let (fits, choice) = match written {
            "RSA" => ((2048..=8192).contains(&bits), "2048 to 8192"),
            "ECDSA" => (matches!(bits, 256 | 384 | 521), "256, 384 or 521"),
            _ => (true, ""),
        };
        if !fits {
            let message =
                format!("{name} asks for a key of {bits} bits, and {written} keys have {choice} here");
            let log = "must be between 2048 and 8192 for rsa keyAlgorithm";
            refuse(found, "invalid-key-parameters", message, vec![(span, "not possible")], log);
        }
    }
    if let Some(signature) = kubernetes::text(spec, "signatureAlgorithm")
        && !signature.value.is_empty()
        && !is_placeholder(&signature.value)
        && !allowed.contains(&signature.value.as_str())
    {
        let message =
            format!("{name} asks for a signature with {}, but its key is {written}", signature.value);
        let mut places = vec![(signature.span, "of another kind of key")];
        if let Some(algorithm) = &algorithm {
            places.push((algorithm.span, "the key"));
        }
        let log = "for key algorithm RSA the allowed signature algorithms are [SHA256WithRSA SHA384WithRSA \
                   SHA512WithRSA]";
        refuse(found, "signature-algorithm-of-another-key", message, places, log);
    }
}

fn validity(
    certificate: &Certificate,
    spec: Node<'_>,
    stated: Option<Version>,
    name: &str,
    found: &mut Vec<Refusal>,
) {
    for field in ["duration", "renewBefore"] {
        if let Some(node) = spec.get(field)
            && let Some(text) = node.as_str()
            && super::go_duration(text).is_none()
            && !is_placeholder(text)
        {
            let message = format!("{field} of {name} is {text}, which is no duration");
            let places = vec![(node.span(), "hours are the largest unit: 2160h")];
            let log = "time: unknown unit in duration";
            refuse(found, "invalid-certificate-duration", message, places, log);
        }
    }
    let given = |field: &str| {
        let node = spec.get(field)?;
        Some(Located::new(super::go_duration(node.as_str()?)?, node.span()))
    };
    let duration = *certificate.duration.value();
    let renew_before = given("renewBefore");
    if let Some(given) = given("duration").filter(|given| given.value < SHORTEST_DURATION) {
        let message = format!("{name} shall live less than an hour, the least that cert-manager issues");
        let log = "certificate duration must be greater than 1h0m0s";
        refuse(found, "duration-too-short", message, vec![(given.span, "too short")], log);
    }
    if let Some(given) = renew_before.as_ref().filter(|given| given.value < SHORTEST_RENEW_BEFORE) {
        let message = format!("{name} shall be renewed less than 5 minutes before it expires");
        let log = "certificate renewBefore must be greater than 5m0s";
        refuse(found, "duration-too-short", message, vec![(given.span, "too short")], log);
    }
    let percentage = spec.get("renewBeforePercentage").and_then(|node| Some((node.as_i64()?, node.span())));
    match (&renew_before, percentage) {
        (Some(before), Some((_, percentage))) => {
            let message = format!("{name} says twice when it is to be renewed");
            let places = vec![(percentage, "this"), (before.span, "and this")];
            let log = "renewBefore and renewBeforePercentage are mutually exclusive and cannot both be set";
            refuse(found, "conflicting-renewal", message, places, log);
        }
        (Some(before), None) if before.value >= duration => {
            let message = format!(
                "{name} lives {}, and shall be renewed {} before its end",
                hours(duration),
                hours(before.value)
            );
            let places = vec![
                (before.span, "no less than the whole life"),
                (
                    certificate.duration.span(),
                    if certificate.duration.is_given() {
                        "this long"
                    } else {
                        "90 days, since it has no duration"
                    },
                ),
            ];
            let log = "certificate duration must be greater than renewBefore";
            refuse(found, "renew-before-exceeds-duration", message, places, log);
        }
        // without duration the webhook does not look at it, and the default is in force
        (None, Some((percent, span))) if !(1..100).contains(&percent) && given("duration").is_some() => {
            let message = format!("{name} shall be renewed {percent} percent of its life before its end");
            let log = "certificate renewBeforePercentage must result in a renewBefore less than duration";
            refuse(found, "renew-before-exceeds-duration", message, vec![(span, "1 to 99 is possible")], log);
        }
        (None, Some((percent, span)))
            if given("duration").is_some()
                && before_end(duration, percent, stated) < SHORTEST_RENEW_BEFORE * SECOND =>
        {
            let overflows = duration.checked_mul(SECOND * (100 - percent)).is_none();
            let (message, advice) = if overflows {
                (
                    format!(
                        "{name} lives {}, of which cert-manager cannot work out {percent} percent before 1.21",
                        hours(duration)
                    ),
                    "write renewBefore with a duration",
                )
            } else {
                (
                    format!(
                        "{name} lives {}, and {percent} percent leave less than the 5 minutes that the webhook wants",
                        hours(duration)
                    ),
                    if counts_from_end(stated) {
                        "write a larger percentage"
                    } else {
                        "write a smaller percentage"
                    },
                )
            };
            let log = "certificate renewBeforePercentage must result in a renewBefore greater than 5m0s";
            refuse(found, "duration-too-short", message, vec![(span, advice)], log);
        }
        _ => {}
    }
}

/// Nanoseconds, in which Go counts.
const SECOND: i64 = 1_000_000_000;

/// Whether the webhook counts as the controller does (on the main branch since August 2026).
fn counts_from_end(stated: Option<Version>) -> bool {
    stated.is_some_and(|version| version >= Version(1, 22, 0))
}

/// What the webhook makes of a percentage: until 1.22 it takes it from the whole, unlike the controller (pull request
/// 9129), and until 1.21 it counts beyond what 64 bits hold (pull request 8947).
fn before_end(duration: i64, percent: i64, stated: Option<Version>) -> i64 {
    let part = if counts_from_end(stated) { percent } else { 100 - percent };
    let overflows = stated.is_some_and(|version| version < Version(1, 21, 0));
    match duration.checked_mul(SECOND).and_then(|whole| whole.checked_mul(part)) {
        Some(product) => product / 100,
        None if overflows => duration.wrapping_mul(SECOND).wrapping_mul(part) / 100,
        None => (duration / 100).saturating_mul(part).saturating_mul(SECOND),
    }
}

/// Whether the feature gate NameConstraints is on is not seen.
fn constraints(certificate: &Certificate, spec: Node<'_>, name: &str, found: &mut Vec<Refusal>) {
    let Some(place) = spec.key_span("nameConstraints") else { return };
    if !certificate.is_ca.value() {
        let message = format!("{name} has name constraints and is no CA");
        let places = vec![(place, "only a CA has them"), (certificate.is_ca.span(), "isCA is not true")];
        let log = "isCa should be true when nameConstraints is set";
        refuse(found, "name-constraints-without-ca", message, places, log);
    }
}

/// Seconds as people write them: `90 days`, `36 hours`, `10 minutes`.
pub(crate) fn hours(seconds: i64) -> String {
    let (count, unit) = match seconds {
        seconds if seconds % 86_400 == 0 && seconds != 0 || seconds > 864_000 => (seconds / 86_400, "day"),
        seconds if seconds % 3_600 == 0 => (seconds / 3_600, "hour"),
        seconds => (seconds / 60, "minute"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

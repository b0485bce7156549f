//! One side judges the other's certificate, by the stack of its program.

use std::net::IpAddr;
use std::sync::Arc;

use super::outcome::{Step, unknown};
use super::shelf::{Lists, Loaded, Shelf};
use crate::deployment::{NameCheck, PathChecks, Program, ProgramKind, Stack, Version};
use crate::stack::signatures::{Knowledge, decide};
use crate::stack::{
    Anchors, Certificate, Fault, KeyUsage, Mistake, Purpose, Question, boringssl, go, openssl, say,
};
use crate::time::UnixSeconds;

/// What is judged, by whom.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// Whose program judges.
    pub verifier: &'a Program,
    /// What the peer presents.
    pub presented: &'a Loaded,
    /// Only the end-entity certificate is sent.
    pub end_entity_only: bool,
    /// Whom the verifier trusts.
    pub anchors: &'a Anchors,
    /// Its further checks.
    pub checks: &'a PathChecks,
    /// Its revocation lists.
    pub lists: &'a Lists,
    /// What the certificate is used for.
    pub purpose: Purpose,
    /// OpenSSL's security level in force.
    pub security_level: u8,
    /// OpenSSL stops at the first fault, whoever asks: nothing tells it to go on.
    pub stops: bool,
    /// The handshake is one of TLS 1.3.
    pub is_tls13: bool,
    /// When.
    pub at: UnixSeconds,
}

/// A verdict.
#[derive(Debug, Clone, Default)]
pub struct Judgement {
    /// What the program reports; None: accepted.
    pub fault: Option<Fault>,
}

impl Shelf<'_> {
    /// Builds and validates a path as the verifier's stack does; names are judged elsewhere.
    ///
    /// # Errors
    /// What would have to be known.
    pub fn judge(&self, case: &Case<'_>) -> Step<Judgement> {
        let presented: &[Arc<Certificate>] = if case.end_entity_only {
            case.presented.certificates.get(..1).unwrap_or_default()
        } else {
            &case.presented.certificates
        };
        if !case.lists.unseen.is_empty() {
            return Err(unknown(case.lists.unseen.clone()));
        }
        let ask = |knowledge: &Knowledge<'_>| ask(case, presented, knowledge);
        let same = |a: &Judgement, b: &Judgement| match (&a.fault, &b.fault) {
            (None, None) => true,
            (Some(a), Some(b)) => a.mistake == b.mistake,
            _ => false,
        };
        let mut judgement = decide(&self.signatures, ask, same).map_err(unknown)?;
        judgement.fault = judgement.fault.map(|fault| self.nearest_cause(case, fault));
        Ok(judgement)
    }
}

fn ask(case: &Case<'_>, presented: &[Arc<Certificate>], knowledge: &Knowledge<'_>) -> Judgement {
    let question = Question {
        presented,
        anchors: case.anchors,
        purpose: case.purpose,
        at: case.at,
        crls: (!case.checks.crls.is_empty()).then_some(case.lists.lists.as_slice()),
    };
    match case.verifier.versions.stack {
        Stack::OpenSsl { .. } => openssl_case(case, &question, knowledge),
        Stack::Go(_) => Judgement { fault: go_case(case, &question, knowledge) },
        Stack::BoringSsl => Judgement { fault: envoy_case(case, &question, knowledge) },
    }
}

fn openssl_case(case: &Case<'_>, question: &Question<'_>, knowledge: &Knowledge<'_>) -> Judgement {
    let curl = case.verifier.kind == ProgramKind::Curl;
    let settings = openssl::Settings {
        security_level: case.security_level,
        depth: case.checks.depth.as_ref().map(|depth| *depth.value()),
        partial_paths: curl || case.checks.partial_path,
    };
    let faults = openssl::validate(question, &settings, knowledge).faults;
    let stops = case.stops || matches!(case.verifier.kind, ProgramKind::Curl | ProgramKind::Openssl);
    Judgement { fault: if stops { faults.first().cloned() } else { faults.last().cloned() } }
}

fn go_case(case: &Case<'_>, question: &Question<'_>, knowledge: &Knowledge<'_>) -> Option<Fault> {
    let broken = |mistake, text: &str, certificate: &Arc<Certificate>, message: String| Fault {
        mistake,
        number: None,
        text: text.to_owned(),
        depth: 0,
        message,
        certificate: Some(Arc::clone(certificate)),
    };
    // Go parses every certificate that it is sent before it looks at any
    for certificate in question.presented {
        if let Some(wrong) = go::parse_error(certificate) {
            let message = format!("Go does not parse the certificate {}: {wrong}", certificate.shown);
            return Some(broken(Mistake::MalformedCertificate, &wrong, certificate, message));
        }
    }
    let first = question.presented.first()?;
    if case.presented.junk && !case.end_entity_only {
        let message =
            "a block in the peer's certificate file is no certificate, and is sent along".to_owned();
        return Some(broken(Mistake::MalformedCertificate, "x509: malformed certificate", first, message));
    }
    if let Err(fault) = go::validate(question, knowledge) {
        return Some(fault);
    }
    // etcd looks at the serial number of the end-entity certificate alone, and at no date of the list
    let serial = |list: &crate::stack::crl::RevocationList| list.lists(first);
    if let Some(refused) = &case.lists.broken {
        return Some(Fault {
            mistake: Mistake::UnusableRevocationList,
            number: None,
            text: refused.words.clone(),
            depth: 0,
            message: refused.message.clone(),
            certificate: None,
        });
    }
    case.lists.lists.iter().any(serial).then(|| {
        broken(
            Mistake::RevokedCertificate,
            &format!("transport: certificate serial {} revoked", hexadecimal(&first.serial)),
            first,
            format!("{} is on etcd's revocation list", first.shown),
        )
    })
}

fn envoy_case(case: &Case<'_>, question: &Question<'_>, knowledge: &Knowledge<'_>) -> Option<Fault> {
    let first = question.presented.first()?;
    // an upstream context's depth has no effect (observed)
    let depth = match case.purpose {
        Purpose::Client => case.checks.depth.as_ref().map(|depth| *depth.value()),
        Purpose::Server => None,
    };
    let settings = boringssl::Settings {
        depth,
        allow_expired: case.checks.allow_expired.is_some(),
        only_end_entity_crl: case.checks.only_end_entity_crl,
    };
    // TLS 1.3 looks at the key usage before anything else, TLS 1.2 when the path is built (ssl_cert_check_key_usage)
    if case.is_tls13
        && let Some(fault) = key_usage(first)
    {
        return Some(fault);
    }
    let verifies =
        !case.anchors.certificates.is_empty() || case.anchors.system || !case.anchors.unseen.is_empty();
    if verifies && case.checks.accept_untrusted.is_none() {
        if let Err(fault) = boringssl::validate(question, &settings, knowledge) {
            return Some(fault);
        }
        if let Some(fault) = named(case.checks, first, knowledge) {
            return Some(fault);
        }
    }
    pinned(case.checks, first).or_else(|| key_usage(first))
}

/// Every suite that is left needs a signature.
fn key_usage(first: &Arc<Certificate>) -> Option<Fault> {
    (!first.may(KeyUsage::DIGITAL_SIGNATURE)).then(|| Fault {
        mistake: Mistake::UnsuitableKeyUsage,
        number: None,
        text: "KEY_USAGE_BIT_INCORRECT".to_owned(),
        depth: 0,
        message: format!(
            "{} has the key usage {}, but BoringSSL needs digitalSignature",
            say::which(0, first),
            KeyUsage::names(first.key_usage.unwrap_or(0))
        ),
        certificate: Some(Arc::clone(first)),
    })
}

/// Envoy's `match_typed_subject_alt_names`: one of them is enough.
fn named(checks: &PathChecks, certificate: &Arc<Certificate>, knowledge: &Knowledge<'_>) -> Option<Fault> {
    let mut wanted = Vec::new();
    for check in &checks.names {
        let NameCheck::San { kind, matcher } = &check.value else { continue };
        match boringssl::host::matches(certificate, kind, matcher) {
            Some(true) => return None,
            Some(false) => {}
            None if knowledge
                .hope(format!("the name matcher {} cannot be evaluated here", matcher.shown())) =>
            {
                return None;
            }
            None => {}
        }
        let kind = if kind.is_empty() { "a name" } else { kind };
        wanted.push(format!("{kind} {}", matcher.shown()));
    }
    if wanted.is_empty() {
        return None;
    }
    Some(Fault {
        mistake: Mistake::NameNotAllowed,
        number: None,
        text: "verify SAN list".to_owned(),
        depth: 0,
        message: format!(
            "{} bears {}, but {} is demanded",
            say::which(0, certificate),
            certificate.shown_names(),
            wanted.join(" or ")
        ),
        certificate: Some(Arc::clone(certificate)),
    })
}

/// `verify_certificate_hash` and `verify_certificate_spki`: one of them is enough.
fn pinned(checks: &PathChecks, certificate: &Arc<Certificate>) -> Option<Fault> {
    use base64::Engine as _;
    if checks.pins.is_empty() {
        return None;
    }
    let hex: String = certificate.digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let spki = base64::engine::general_purpose::STANDARD.encode(certificate.key.digest);
    let fits = checks.pins.iter().any(|pin| {
        let plain: String = pin.value.chars().filter(|c| *c != ':').collect();
        plain.eq_ignore_ascii_case(&hex) || pin.value == spki
    });
    (!fits).then(|| Fault {
        mistake: Mistake::PinMismatch,
        number: None,
        text: "cert hash and spki".to_owned(),
        depth: 0,
        message: format!(
            "{} matches none of the pins; they would have to hold {}",
            say::which(0, certificate),
            if checks.pins.iter().any(|pin| pin.value.ends_with('=')) {
                format!("the verify_certificate_spki {spki}")
            } else {
                format!("the verify_certificate_hash {hex}")
            }
        ),
        certificate: Some(Arc::clone(certificate)),
    })
}

/// etcd's allowed-cn and allowed-hostname.
pub fn allowed(checks: &PathChecks, certificate: &Arc<Certificate>, go_version: Version) -> Option<Fault> {
    let mut wanted = Vec::new();
    for check in &checks.names {
        let fits = match &check.value {
            NameCheck::CommonName(name) => {
                wanted.push(format!("the common name {name}"));
                certificate.subject.common_names.last() == Some(name)
            }
            NameCheck::Hostname(name) => {
                wanted.push(format!("the host name {name}"));
                go::host::verify(certificate, name, go_version).is_ok()
            }
            NameCheck::San { .. } => true,
        };
        if fits {
            return None;
        }
    }
    (!wanted.is_empty()).then(|| Fault {
        mistake: Mistake::NameNotAllowed,
        number: None,
        text: "client certificate authentication failed".to_owned(),
        depth: 0,
        message: format!(
            "{} bears {} and the common name {}, but etcd demands {}",
            say::which(0, certificate),
            certificate.shown_names(),
            certificate.subject.common_names.last().map_or("none", String::as_str),
            wanted.join(" or ")
        ),
        certificate: Some(Arc::clone(certificate)),
    })
}

/// Whether the certificate bears the name that a client expects.
///
/// # Errors
/// It does not; Go's words for it, and nothing for other libraries, which leave words to the program.
pub fn bears_name(verifier: &Program, certificate: &Certificate, name: &str) -> Result<(), String> {
    let bears = match (verifier.versions.stack, verifier.kind) {
        (Stack::Go(version), _) => return go::host::verify(certificate, name, version),
        (_, ProgramKind::Curl) => openssl::host::curl(certificate, name),
        (_, ProgramKind::Openssl) => {
            let address = name.parse::<IpAddr>();
            address.is_ok_and(|address| openssl::host::check_ip(certificate, address))
                || openssl::host::check_host(certificate, name)
        }
        (Stack::BoringSsl, _) => boringssl_exact(certificate, name),
        (Stack::OpenSsl { .. }, _) => openssl::host::check_host(certificate, name),
    };
    if bears { Ok(()) } else { Err(String::new()) }
}

/// nginx from 1.31.0 on compares an address with the addresses of a certificate (docs/xml/nginx/changes.xml): whether
/// that is another answer than that of its names.
pub fn address_decides(verifier: &Program, certificate: &Certificate, name: &str) -> bool {
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    verifier.versions.program >= Version(1, 31, 0)
        && bare.parse::<IpAddr>().is_ok_and(|address| {
            openssl::host::check_ip(certificate, address) != openssl::host::check_host(certificate, name)
        })
}

/// auto_sni_san_validation: an exact matcher of the kind that the name is.
fn boringssl_exact(certificate: &Certificate, name: &str) -> bool {
    let kind = if name.parse::<IpAddr>().is_ok() { "IP_ADDRESS" } else { "DNS" };
    boringssl::host::matches(certificate, kind, &crate::deployment::StringMatcher::Exact(name.to_owned()))
        == Some(true)
}

/// As etcd prints a serial number: its octets without leading zeros.
fn hexadecimal(serial: &[u8]) -> String {
    serial.iter().skip_while(|byte| **byte == 0).map(|byte| format!("{byte:02x}")).collect()
}

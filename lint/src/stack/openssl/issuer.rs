//! Who can have issued a certificate, by names, key identifiers and algorithms.

use mtls_identity::signature::KeyKind;

use crate::stack::certificate::{Certificate, KeyType, Origin, Signer};
use crate::stack::{Mistake, Question};

/// ossl_x509_likely_issued: names, key identifiers and algorithms fit. The signature is not looked at.
pub(crate) fn likely_issued(issuer: &Certificate, subject: &Certificate) -> bool {
    issuer.subject.canonical == subject.issuer.canonical
        && issuer.duplicate_extension.is_none()
        && subject.duplicate_extension.is_none()
        && fits_key_ids(issuer, subject)
        && fits_algorithm(issuer, subject)
}

/// EXFLAG_SS: self-issued, its own key identifiers agree and its key can have made its signature.
pub fn self_signed(certificate: &Certificate) -> bool {
    certificate.is_self_issued()
        && fits_key_ids(certificate, certificate)
        && fits_algorithm(certificate, certificate)
}

/// X509_check_akid.
fn fits_key_ids(issuer: &Certificate, subject: &Certificate) -> bool {
    let Some(wanted) = &subject.authority_key_id else { return true };
    if let (Some(wanted), Some(has)) = (&wanted.key_id, &issuer.subject_key_id)
        && wanted != has
    {
        return false;
    }
    if wanted.serial.as_ref().is_some_and(|serial| *serial != issuer.serial) {
        return false;
    }
    wanted.issuer.as_ref().is_none_or(|name| name.canonical == issuer.issuer.canonical)
}

/// check_sig_alg_match.
fn fits_algorithm(issuer: &Certificate, subject: &Certificate) -> bool {
    let Some(algorithm) = subject.algorithm else { return true };
    matches!(
        (algorithm.key, issuer.key.kind),
        (KeyKind::Rsa, KeyType::Rsa(_))
            | (KeyKind::Ecdsa, KeyType::Ec(_))
            | (KeyKind::Ed25519, KeyType::Ed25519)
    )
}

/// Why an issuer is not found: it is missing, or its key is another.
pub(crate) fn unknown_issuer_kind(certificate: &Certificate, question: &Question<'_>) -> Mistake {
    if certificate.duplicate_extension.is_some() {
        return Mistake::MalformedCertificate;
    }
    let mut candidates = question.anchors.certificates.iter().chain(question.presented.iter());
    if candidates.any(|other| other.subject.canonical == certificate.issuer.canonical) {
        return Mistake::IssuerWithOtherKey;
    }
    Mistake::UnknownIssuer
}

/// A certificate whose issuer's name is that of a well-known public CA: the system's store may know it.
pub(crate) fn is_public(certificate: &Certificate) -> bool {
    if matches!(&certificate.origin, Origin::Planned { signer: Signer::Public, .. }) {
        return true;
    }
    // organisations of the roots in Mozilla's programme that issue most certificates
    const KNOWN: [&str; 17] = [
        "o=let's encrypt",
        "o=internet security research group",
        "o=digicert inc",
        "o=google trust services",
        "o=google trust services llc",
        "o=sectigo limited",
        "o=the usertrust network",
        "o=comodo ca limited",
        "o=globalsign nv-sa",
        "o=globalsign",
        "o=amazon",
        "o=godaddy.com, inc.",
        "o=starfield technologies, inc.",
        "o=entrust, inc.",
        "o=identrust",
        "o=zerossl",
        "o=buypass as-983163327",
    ];
    let issuer = certificate.issuer.text.to_ascii_lowercase();
    KNOWN.iter().any(|known| issuer.contains(known))
}

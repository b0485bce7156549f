//! What a certificate may be used for: key usage, extended key usage, being a CA, lifetime, strength.

use std::fmt;

use x509_parser::asn1_rs::{Oid, Sequence};
use x509_parser::prelude::FromDer;

use crate::certificate::{Certificate, CertificateError, Key};

/// A purpose named by extendedKeyUsage (RFC 5280 section 4.2.1.12).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyPurpose {
    /// id-kp-serverAuth.
    ServerAuth,
    /// id-kp-clientAuth.
    ClientAuth,
    /// anyExtendedKeyUsage.
    Any,
    /// id-kp-codeSigning.
    CodeSigning,
    /// id-kp-emailProtection.
    EmailProtection,
    /// id-kp-timeStamping.
    TimeStamping,
    /// id-kp-OCSPSigning.
    OcspSigning,
    /// Any other, as dotted OID.
    Other(String),
}

/// What a certificate must be, so that it may authenticate a client; the policy's `usage` section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRequirements {
    /// A certificate without extendedKeyUsage will do.
    pub absent_extended_key_usage: bool,
    /// anyExtendedKeyUsage stands for clientAuth.
    pub any_extended_key_usage: bool,
    /// What keyUsage must say.
    pub key_usage: KeyUsageRequirement,
    /// A CA certificate will do.
    pub certificate_authority: bool,
    /// Longest lifetime in seconds.
    pub maximum_lifetime: Option<u64>,
    /// Smallest RSA modulus in bits.
    pub minimum_rsa_bits: usize,
    /// Smallest elliptic curve in bits.
    pub minimum_ecdsa_bits: usize,
    /// How many seconds clocks may differ.
    pub clock_skew: u64,
}

/// What keyUsage must say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyUsageRequirement {
    /// digitalSignature, if the extension is there: RFC 5280 restricts nothing without it.
    DigitalSignatureIfPresent,
    /// digitalSignature, and the extension has to be there.
    DigitalSignature,
    /// Anything.
    Unchecked,
}

/// Why a certificate is not usable to authenticate a client; each has both halves of the disagreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsageProblem {
    /// It is a CA certificate.
    CertificateAuthority,
    /// extendedKeyUsage does not say clientAuth; what it says, `None` if it is absent.
    NotForClientAuthentication(Option<Vec<KeyPurpose>>),
    /// keyUsage does not say digitalSignature; what it says, `None` if it is absent.
    NoDigitalSignature(Option<Vec<&'static str>>),
    /// It is valid for longer than allowed, in seconds.
    LifetimeTooLong {
        /// notAfter minus notBefore.
        lifetime: i64,
        /// What the policy allows.
        maximum: u64,
    },
    /// Its key is weaker than allowed.
    WeakKey {
        /// The key.
        key: Key,
        /// What the policy asks for, in words.
        minimum: String,
    },
    /// It has a critical extension that is not understood (RFC 5280 section 4.2), as dotted OID.
    UnknownCriticalExtension(String),
}

impl Default for UsageRequirements {
    /// clientAuth, digitalSignature if keyUsage is present, no CA, RSA with 2048 bits, ECDSA with 256.
    fn default() -> Self {
        UsageRequirements {
            absent_extended_key_usage: false,
            any_extended_key_usage: false,
            key_usage: KeyUsageRequirement::DigitalSignatureIfPresent,
            certificate_authority: false,
            maximum_lifetime: None,
            minimum_rsa_bits: 2048,
            minimum_ecdsa_bits: 256,
            clock_skew: 0,
        }
    }
}

/// Whether a certificate may authenticate a client, dates apart; the first problem found.
pub fn client_authentication(
    certificate: &Certificate,
    required: &UsageRequirements,
) -> Result<(), UsageProblem> {
    if let Some(oid) = certificate.unknown_critical_extensions.first() {
        return Err(UsageProblem::UnknownCriticalExtension(oid.clone()));
    }
    if certificate.is_ca() && !required.certificate_authority {
        return Err(UsageProblem::CertificateAuthority);
    }
    let purposes = certificate.extended_key_usage.as_deref();
    let serves = match purposes {
        None => required.absent_extended_key_usage,
        Some(purposes) => {
            purposes.contains(&KeyPurpose::ClientAuth)
                || required.any_extended_key_usage && purposes.contains(&KeyPurpose::Any)
        }
    };
    if !serves {
        return Err(UsageProblem::NotForClientAuthentication(purposes.map(<[_]>::to_vec)));
    }
    let signs = match (required.key_usage, certificate.key_usage) {
        (KeyUsageRequirement::Unchecked, _) | (KeyUsageRequirement::DigitalSignatureIfPresent, None) => true,
        (KeyUsageRequirement::DigitalSignature, None) => false,
        (_, Some(usage)) => usage.digital_signature(),
    };
    if !signs {
        return Err(UsageProblem::NoDigitalSignature(certificate.key_usage.map(|usage| usage.words())));
    }
    if let Some(maximum) = required.maximum_lifetime {
        let lifetime = certificate.validity.lifetime();
        if u64::try_from(lifetime).unwrap_or(0) > maximum {
            return Err(UsageProblem::LifetimeTooLong { lifetime, maximum });
        }
    }
    let (strong, minimum) = match &certificate.key {
        Key::Rsa { bits } => {
            (*bits >= required.minimum_rsa_bits, format!("RSA with {} bits", required.minimum_rsa_bits))
        }
        Key::Ec { bits, .. } => (
            *bits >= required.minimum_ecdsa_bits,
            format!("an elliptic curve with {} bits", required.minimum_ecdsa_bits),
        ),
        Key::Ed25519 => (true, String::new()),
        Key::Other(_) => (false, "RSA, ECDSA or Ed25519".to_owned()),
    };
    if strong { Ok(()) } else { Err(UsageProblem::WeakKey { key: certificate.key.clone(), minimum }) }
}

// === impl KeyPurpose ===

impl KeyPurpose {
    /// Reads the value of an extendedKeyUsage extension in its order.
    pub(crate) fn read_all(value: &[u8]) -> Result<Vec<Self>, CertificateError> {
        let unreadable = || CertificateError::new("extendedKeyUsage cannot be read");
        let Ok(([], list)) = Sequence::from_der(value) else { return Err(unreadable()) };
        let mut rest: &[u8] = &list.content;
        let mut purposes = Vec::new();
        while !rest.is_empty() {
            let (after, oid) = Oid::from_der(rest).map_err(|_| unreadable())?;
            purposes.push(KeyPurpose::named(&oid.to_id_string()));
            rest = after;
        }
        Ok(purposes)
    }

    /// The purpose with a dotted OID.
    pub fn named(oid: &str) -> Self {
        match oid {
            "1.3.6.1.5.5.7.3.1" => KeyPurpose::ServerAuth,
            "1.3.6.1.5.5.7.3.2" => KeyPurpose::ClientAuth,
            "1.3.6.1.5.5.7.3.3" => KeyPurpose::CodeSigning,
            "1.3.6.1.5.5.7.3.4" => KeyPurpose::EmailProtection,
            "1.3.6.1.5.5.7.3.8" => KeyPurpose::TimeStamping,
            "1.3.6.1.5.5.7.3.9" => KeyPurpose::OcspSigning,
            "2.5.29.37.0" => KeyPurpose::Any,
            other => KeyPurpose::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for KeyPurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyPurpose::ServerAuth => "serverAuth",
            KeyPurpose::ClientAuth => "clientAuth",
            KeyPurpose::Any => "anyExtendedKeyUsage",
            KeyPurpose::CodeSigning => "codeSigning",
            KeyPurpose::EmailProtection => "emailProtection",
            KeyPurpose::TimeStamping => "timeStamping",
            KeyPurpose::OcspSigning => "OCSPSigning",
            KeyPurpose::Other(oid) => oid,
        })
    }
}

// === impl UsageProblem ===

impl fmt::Display for UsageProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UsageProblem::CertificateAuthority => {
                f.write_str("the certificate is a CA's, an end-entity certificate is required")
            }
            UsageProblem::NotForClientAuthentication(None) => {
                f.write_str("the certificate has no extended key usage, clientAuth is required")
            }
            UsageProblem::NotForClientAuthentication(Some(purposes)) => {
                let purposes: Vec<String> = purposes.iter().take(8).map(KeyPurpose::to_string).collect();
                write!(f, "the extended key usage is {}, clientAuth is required", purposes.join(", "))
            }
            UsageProblem::NoDigitalSignature(None) => {
                f.write_str("the certificate has no key usage, digitalSignature is required")
            }
            UsageProblem::NoDigitalSignature(Some(words)) => {
                write!(f, "the key usage is {}, digitalSignature is required", words.join(", "))
            }
            UsageProblem::LifetimeTooLong { lifetime, maximum } => {
                let days = |seconds: i64| seconds / 86400;
                let maximum = days(i64::try_from(*maximum).unwrap_or(i64::MAX));
                write!(f, "the certificate lives {} days, at most {maximum} are allowed", days(*lifetime))
            }
            UsageProblem::WeakKey { key, minimum } => {
                write!(f, "the key is {key}, at least {minimum} is required")
            }
            UsageProblem::UnknownCriticalExtension(oid) => {
                write!(f, "the critical extension {oid} is not understood")
            }
        }
    }
}

//! Why a request is denied: the names that logs, metrics and tests use, and the sentences.

use std::fmt;

use super::path::Ambiguity;
use crate::certificate::{Validity, hexadecimal};
use crate::identity::Identity;
use crate::usage::UsageProblem;

/// Why there is no certificate to judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Absence {
    /// The client sent none.
    NoCertificate,
    /// There is one, and the gateway did not verify it; what the gateway says.
    Unverified(String),
    /// The peer that hands the certificate on is none of the trusted ones; who it is.
    UntrustedPeer(String),
    /// There is something that is no certificate.
    Malformed(String),
    /// The gateway answered with an error.
    HostError(String),
}

/// Why a request is denied; [`Reason::name`] is what logs, metrics and tests use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// There is no certificate to judge.
    Absent(Absence),
    /// The gateway hands over a part of the headers only: what stands in the others, nobody knows.
    TooManyHeaders,
    /// The host has two readings, or is none that a name or an address could be.
    AmbiguousHost,
    /// A rule asks for the route, and removing a header that the request brings makes the gateway choose a route anew.
    AmbiguousRoute,
    /// The method has lower-case letters: some servers take it for the one in upper case.
    AmbiguousMethod,
    /// The path has two readings.
    AmbiguousPath(Ambiguity),
    /// The certificate is denied by its SHA-256.
    DeniedFingerprint([u8; 32]),
    /// The public key is denied by its SHA-256.
    DeniedPublicKey([u8; 32]),
    /// The serial number is denied.
    DeniedSerial(String),
    /// notAfter has passed.
    Expired {
        /// notAfter, seconds since 1970.
        not_after: i64,
        /// The time of the request.
        at: u64,
    },
    /// notBefore is yet to come.
    NotYetValid {
        /// notBefore, seconds since 1970.
        not_before: i64,
        /// The time of the request.
        at: u64,
    },
    /// An intermediate between it and the trust anchor that its identity is pinned to is out of date.
    IssuerOutOfDate {
        /// When the path is valid.
        validity: Validity,
        /// The time of the request.
        at: u64,
    },
    /// It may not be used to authenticate a client.
    Usage(UsageProblem),
    /// A SPIFFE ID stands beside other URI names; how many there are in all.
    AmbiguousIdentity {
        /// How many URI names.
        uris: usize,
    },
    /// It is no identity of the policy; what it is.
    UnknownIdentity {
        /// Its names, at most eight.
        names: Vec<Identity>,
    },
    /// No rule is about this request.
    NoRule,
    /// The rule about this request allows other identities.
    IdentityNotAllowedHere {
        /// Who it is.
        identity: String,
        /// The rule's name.
        rule: String,
    },
}

// === impl Reason ===

impl Reason {
    /// The name that logs, metrics and tests use.
    pub fn name(&self) -> &'static str {
        match self {
            Reason::Absent(Absence::NoCertificate) => "no-certificate",
            Reason::Absent(Absence::Unverified(_)) => "unverified-certificate",
            Reason::Absent(Absence::UntrustedPeer(_)) => "untrusted-peer",
            Reason::Absent(Absence::Malformed(_)) => "malformed-certificate",
            Reason::Absent(Absence::HostError(_)) => "host-error",
            Reason::TooManyHeaders => "too-many-headers",
            Reason::AmbiguousHost => "ambiguous-host",
            Reason::AmbiguousMethod => "ambiguous-method",
            Reason::AmbiguousRoute => "ambiguous-route",
            Reason::AmbiguousPath(_) => "ambiguous-path",
            Reason::DeniedFingerprint(_) => "denied-fingerprint",
            Reason::DeniedPublicKey(_) => "denied-public-key",
            Reason::DeniedSerial(_) => "denied-serial",
            Reason::Expired { .. } => "expired",
            Reason::NotYetValid { .. } => "not-yet-valid",
            Reason::IssuerOutOfDate { .. } => "issuer-out-of-date",
            Reason::Usage(UsageProblem::CertificateAuthority) => "certificate-authority",
            Reason::Usage(UsageProblem::NotForClientAuthentication(_)) => "not-for-client-authentication",
            Reason::Usage(UsageProblem::NoDigitalSignature(_)) => "not-for-digital-signature",
            Reason::Usage(UsageProblem::LifetimeTooLong { .. }) => "lifetime-too-long",
            Reason::Usage(UsageProblem::WeakKey { .. }) => "weak-key",
            Reason::Usage(UsageProblem::UnknownCriticalExtension(_)) => "unknown-critical-extension",
            Reason::AmbiguousIdentity { .. } => "ambiguous-identity",
            Reason::UnknownIdentity { .. } => "unknown-identity",
            Reason::NoRule => "no-rule",
            Reason::IdentityNotAllowedHere { .. } => "identity-not-allowed-here",
        }
    }

    /// Every name that [`Reason::name`] may answer.
    pub const NAMES: [&str; 26] = [
        "no-certificate",
        "unverified-certificate",
        "untrusted-peer",
        "malformed-certificate",
        "host-error",
        "too-many-headers",
        "ambiguous-host",
        "ambiguous-method",
        "ambiguous-route",
        "ambiguous-path",
        "denied-fingerprint",
        "denied-public-key",
        "denied-serial",
        "expired",
        "not-yet-valid",
        "certificate-authority",
        "not-for-client-authentication",
        "not-for-digital-signature",
        "lifetime-too-long",
        "weak-key",
        "unknown-critical-extension",
        "ambiguous-identity",
        "unknown-identity",
        "no-rule",
        "issuer-out-of-date",
        "identity-not-allowed-here",
    ];
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Absent(absence) => write!(f, "{absence}"),
            Reason::TooManyHeaders => f.write_str(
                "the request has more headers than the gateway hands over: those behind are unseen",
            ),
            Reason::AmbiguousHost => f.write_str(
                "the host is no name and no address, or the gateway routes by another than the Host header's",
            ),
            Reason::AmbiguousMethod => f.write_str("the method is not written in upper case"),
            Reason::AmbiguousRoute => {
                f.write_str("a header has to be removed, and the route may be another one without it")
            }
            Reason::AmbiguousPath(why) => write!(f, "{why}"),
            Reason::DeniedFingerprint(digest) => {
                write!(f, "the certificate with SHA-256 {} is denied", hexadecimal(digest))
            }
            Reason::DeniedPublicKey(digest) => {
                write!(f, "the public key with SHA-256 {} is denied", hexadecimal(digest))
            }
            Reason::DeniedSerial(serial) => write!(f, "the serial number {serial} is denied"),
            Reason::Expired { not_after, at } => {
                write!(
                    f,
                    "the certificate was valid until {}, the request came at {}",
                    Date(*not_after),
                    date(*at)
                )
            }
            Reason::NotYetValid { not_before, at } => {
                write!(
                    f,
                    "the certificate is valid from {} on, the request came at {}",
                    Date(*not_before),
                    date(*at)
                )
            }
            Reason::IssuerOutOfDate { validity, at } => {
                write!(
                    f,
                    "the path to the trust anchor is valid from {} until {}, the request came at {}",
                    Date(validity.not_before),
                    Date(validity.not_after),
                    date(*at)
                )
            }
            Reason::Usage(problem) => write!(f, "{problem}"),
            Reason::AmbiguousIdentity { uris } => {
                write!(
                    f,
                    "the certificate has a SPIFFE ID among {uris} URI names, an X.509-SVID has exactly one"
                )
            }
            Reason::UnknownIdentity { names } if names.is_empty() => f.write_str(
                "the certificate has no name that identifies anybody, the policy names identities",
            ),
            Reason::UnknownIdentity { names } => {
                let names: Vec<String> = names.iter().map(|name| format!("{} {name}", name.kind())).collect();
                write!(f, "no identity of the policy is {}", names.join(", "))
            }
            Reason::NoRule => f.write_str("no rule is about this request"),
            Reason::IdentityNotAllowedHere { identity, rule } => {
                write!(f, "the rule {rule} does not allow {identity}")
            }
        }
    }
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Absence::NoCertificate => f.write_str("the client sent no certificate"),
            Absence::Unverified(why) => write!(f, "the gateway did not verify the certificate: {why}"),
            Absence::UntrustedPeer(peer) => {
                write!(f, "{peer} is no trusted peer, its certificate header counts nothing")
            }
            Absence::Malformed(why) => f.write_str(why),
            Absence::HostError(why) => write!(f, "the gateway could not be asked: {why}"),
        }
    }
}

/// Seconds since 1970 as RFC 3339.
struct Date(i64);

fn date(at: u64) -> Date {
    Date(i64::try_from(at).unwrap_or(i64::MAX))
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // days to civil date, Howard Hinnant's algorithm; certificates reach from 0000 to 9999
        let days = self.0.div_euclid(86400);
        let second = self.0.rem_euclid(86400);
        if !(-719_468..=2_932_896).contains(&days) {
            return write!(f, "{} s after 1970", self.0);
        }
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
            second / 3600,
            second / 60 % 60,
            second % 60
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_rfc_3339() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_454_184, "2026-11-23T17:16:24Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(Date(seconds).to_string(), text);
        }
    }
}

//! TLS alerts: which one a side sends when it refuses the other, and what the other then prints.
//!
//! Everything here was observed with the versions that the stacks name; between two of them, where the words changed,
//! nothing is said.

use crate::deployment::{DialerPurpose, Program, ProgramKind, Protocol, Stack, Version};
use crate::stack::{Fault, Mistake, Purpose};

/// An alert's number (RFC 8446 section 6, RFC 5246 section 7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alert(u8);

impl Alert {
    pub const UNEXPECTED_MESSAGE: Self = Self(10);
    pub const HANDSHAKE_FAILURE: Self = Self(40);
    pub const BAD_CERTIFICATE: Self = Self(42);
    pub const UNSUPPORTED_CERTIFICATE: Self = Self(43);
    pub const CERTIFICATE_REVOKED: Self = Self(44);
    pub const CERTIFICATE_EXPIRED: Self = Self(45);
    pub const CERTIFICATE_UNKNOWN: Self = Self(46);
    pub const ILLEGAL_PARAMETER: Self = Self(47);
    pub const UNKNOWN_CA: Self = Self(48);
    pub const DECODE_ERROR: Self = Self(50);
    pub const DECRYPT_ERROR: Self = Self(51);
    pub const PROTOCOL_VERSION: Self = Self(70);
    pub const INTERNAL_ERROR: Self = Self(80);
    pub const UNRECOGNIZED_NAME: Self = Self(112);
    pub const BAD_CERTIFICATE_HASH_VALUE: Self = Self(114);
    pub const CERTIFICATE_REQUIRED: Self = Self(116);

    /// The alert's name in the specifications, with spaces.
    fn name(self) -> &'static str {
        match self {
            Self::UNEXPECTED_MESSAGE => "unexpected message",
            Self::HANDSHAKE_FAILURE => "handshake failure",
            Self::BAD_CERTIFICATE => "bad certificate",
            Self::UNSUPPORTED_CERTIFICATE => "unsupported certificate",
            Self::CERTIFICATE_REVOKED => "certificate revoked",
            Self::CERTIFICATE_EXPIRED => "certificate expired",
            Self::CERTIFICATE_UNKNOWN => "certificate unknown",
            Self::ILLEGAL_PARAMETER => "illegal parameter",
            Self::UNKNOWN_CA => "unknown ca",
            Self::DECODE_ERROR => "decode error",
            Self::DECRYPT_ERROR => "decrypt error",
            Self::PROTOCOL_VERSION => "protocol version",
            Self::INTERNAL_ERROR => "internal error",
            Self::UNRECOGNIZED_NAME => "unrecognized name",
            Self::BAD_CERTIFICATE_HASH_VALUE => "bad certificate hash value",
            _ => "certificate required",
        }
    }

    /// SSL 3 knew it already.
    fn is_old(self) -> bool {
        self.0 <= 47
    }

    /// What OpenSSL calls it when it receives it; None between 3.0 and 3.5, where the older alerts got a new name.
    fn openssl(self, version: Version) -> Option<String> {
        let family = match self {
            _ if !self.is_old() => match self {
                Self::CERTIFICATE_REQUIRED => "tlsv13 alert ",
                Self::UNRECOGNIZED_NAME | Self::BAD_CERTIFICATE_HASH_VALUE => "tlsv1 ",
                _ => "tlsv1 alert ",
            },
            _ if version >= Version(3, 5, 0) => "ssl/tls alert ",
            _ if version < Version(3, 1, 0) => "sslv3 alert ",
            _ => return None,
        };
        Some(format!("error:{:08X}:SSL routines::{family}{}", 0x0a00_03e8 + u32::from(self.0), self.name()))
    }

    /// The same with what nginx adds.
    fn nginx(self, version: Version) -> Option<String> {
        Some(format!("{}:SSL alert number {}", self.openssl(version)?, self.0))
    }

    fn go(self) -> String {
        let name = match self {
            Self::CERTIFICATE_REVOKED => "revoked certificate",
            Self::CERTIFICATE_EXPIRED => "expired certificate",
            Self::CERTIFICATE_UNKNOWN => "unknown certificate",
            Self::UNKNOWN_CA => "unknown certificate authority",
            Self::DECODE_ERROR => "error decoding message",
            Self::DECRYPT_ERROR => "error decrypting message",
            Self::PROTOCOL_VERSION => "protocol version not supported",
            other => other.name(),
        };
        format!("remote error: tls: {name}")
    }

    fn boringssl(self) -> String {
        let family = if self.is_old() { "SSLV3_ALERT" } else { "TLSV1_ALERT" };
        let name = self.name().replace(' ', "_").to_ascii_uppercase();
        format!("{}:SSL routines:OPENSSL_internal:{family}_{name}", 0x1000_03e8 + u32::from(self.0))
    }
}

/// The alert with which a side refuses the other's certificate; None where it sends none, or it is not known.
pub fn for_fault(verifier: &Program, fault: &Fault, purpose: Purpose) -> Option<Alert> {
    match (verifier.versions.stack, purpose) {
        (Stack::OpenSsl { .. }, Purpose::Server) if comes_late(verifier) => None,
        // these look at the result when the handshake is over
        (Stack::OpenSsl { .. }, Purpose::Server)
            if matches!(verifier.kind, ProgramKind::Nginx | ProgramKind::Apisix) =>
        {
            None
        }
        // a library error beside it decides
        _ if super::extension_twice(verifier, fault) => None,
        (Stack::OpenSsl { .. }, _) => Some(of_openssl(fault.number?)),
        (Stack::BoringSsl, _) => of_boringssl(fault),
        (Stack::Go(version), Purpose::Client) => Some(of_go_server(version, fault)),
        (Stack::Go(version), Purpose::Server) => of_go_client(version, fault),
    }
}

/// Whether a client judges the server's path when the handshake is over, too late for an alert: curl 8.14 does not yet,
/// 8.23 does.
pub fn comes_late(client: &Program) -> bool {
    client.kind == ProgramKind::Curl && client.versions.program >= Version(8, 15, 0)
}

/// The alert with which a client turns away from a server of another name; None where it sends none.
pub fn for_name(client: &Program) -> Option<Alert> {
    match (client.kind, client.versions.stack) {
        (ProgramKind::Openssl, _) | (_, Stack::Go(_)) => Some(Alert::BAD_CERTIFICATE),
        (_, Stack::BoringSsl) => Some(Alert::CERTIFICATE_UNKNOWN),
        _ => None,
    }
}

/// ssl_x509err2alert (ssl/statem/statem_lib.c).
fn of_openssl(number: u32) -> Alert {
    match number {
        10 | 12 => Alert::CERTIFICATE_EXPIRED,
        23 => Alert::CERTIFICATE_REVOKED,
        7 | 8 | 4 | 5 => Alert::DECRYPT_ERROR,
        26 => Alert::UNSUPPORTED_CERTIFICATE,
        2 | 3 | 18 | 19 | 20 | 21 | 22 | 25 | 33 | 44 | 79 => Alert::UNKNOWN_CA,
        6 | 9 | 11 | 13..=16 | 27 | 28 | 29 | 62..=68 | 94 => Alert::BAD_CERTIFICATE,
        _ => Alert::CERTIFICATE_UNKNOWN,
    }
}

/// SSL_alert_from_verify_result, and Envoy's own checks.
fn of_boringssl(fault: &Fault) -> Option<Alert> {
    match fault.number {
        Some(9..=12) => Some(Alert::CERTIFICATE_EXPIRED),
        Some(number) => Some(of_openssl(number)),
        None if fault.mistake == Mistake::PinMismatch => Some(Alert::BAD_CERTIFICATE_HASH_VALUE),
        None if fault.mistake == Mistake::NameNotAllowed => Some(Alert::CERTIFICATE_UNKNOWN),
        // and TLS 1.2 ends without one
        None => None,
    }
}

/// crypto/tls, processCertsFromClient.
fn of_go_server(version: Version, fault: &Fault) -> Alert {
    let text = fault.text.as_str();
    if version < crate::stack::go::WRAPS_VERIFICATION_ERRORS {
        Alert::BAD_CERTIFICATE
    } else if text.starts_with("x509: certificate signed by unknown authority") {
        Alert::UNKNOWN_CA
    } else if text.starts_with("x509: certificate has expired") {
        Alert::CERTIFICATE_EXPIRED
    } else {
        Alert::BAD_CERTIFICATE
    }
}

/// crypto/tls, verifyServerCertificate: 1.26 tells more than 1.24.
fn of_go_client(version: Version, fault: &Fault) -> Option<Alert> {
    let tells_more = if version >= Version(1, 26, 0) {
        true
    } else if version < Version(1, 25, 0) {
        false
    } else {
        return None;
    };
    Some(match fault.mistake {
        Mistake::MalformedCertificate if tells_more => Alert::DECODE_ERROR,
        Mistake::ExpiredCertificate if tells_more && fault.depth == 0 => Alert::CERTIFICATE_EXPIRED,
        _ => Alert::BAD_CERTIFICATE,
    })
}

/// How far a handshake is when an alert arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It answers the ClientHello.
    Hello,
    /// The handshake is under way.
    Handshake,
    /// The client of TLS 1.3 is done with it, and learns from the alert that the server is not.
    Done,
}

/// An alert on its way.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// What arrives.
    pub alert: Alert,
    /// Who sends it.
    pub sender: &'a Program,
    /// When.
    pub moment: Moment,
    /// What both speak, once that is settled.
    pub version: Option<Protocol>,
}

/// What a server logs when its client sends an alert; None where that is not known.
pub fn server_hears(server: &Program, arrival: &Arrival<'_>) -> Option<String> {
    let Arrival { alert, sender, version, .. } = *arrival;
    // OpenSSL's client sends it unencrypted, and only OpenSSL's server forgives that
    let garbled = version == Some(Protocol::Tls13) && matches!(sender.versions.stack, Stack::OpenSsl { .. });
    match server.versions.stack {
        Stack::OpenSsl { version, .. } => {
            Some(format!("SSL_do_handshake() failed (SSL: {}) while SSL handshaking", alert.nginx(version)?))
        }
        Stack::Go(_) if garbled => Some("local error: tls: bad record MAC".to_owned()),
        Stack::Go(_) => Some(alert.go()),
        Stack::BoringSsl if garbled => Some(
            "TLS_error:|268435568:SSL routines:OPENSSL_internal:BAD_PACKET_LENGTH|268435595:SSL routines:OPENSSL_internal:DECRYPTION_FAILED_OR_BAD_RECORD_MAC:TLS_error_end"
                .to_owned(),
        ),
        Stack::BoringSsl => Some(format!("TLS_error:|{}:TLS_error_end", alert.boringssl())),
    }
}

/// What a client prints when its server sends an alert; None where that is not known or varies from run to run.
pub fn client_hears(client: &Program, purpose: DialerPurpose, arrival: &Arrival<'_>) -> Option<String> {
    let Arrival { alert, sender, moment, .. } = *arrival;
    match (client.kind, client.versions.stack) {
        // whether its request or the alert is first on the wire decides what it prints
        (ProgramKind::Curl, _)
            if moment == Moment::Done && !matches!(sender.versions.stack, Stack::OpenSsl { .. }) =>
        {
            None
        }
        (ProgramKind::Curl, Stack::OpenSsl { version, .. }) => {
            let words = alert.openssl(version)?;
            // before 8 the version of OpenSSL stands between the two
            Some(if moment != Moment::Done && client.versions.program >= Version(8, 14, 0) {
                format!("curl: (35) TLS connect error: {words}")
            } else {
                words
            })
        }
        (ProgramKind::Openssl, _) => Some(format!("SSL alert number {}", alert.0)),
        (ProgramKind::Nginx | ProgramKind::Apisix, Stack::OpenSsl { version, .. }) => {
            let words = alert.nginx(version)?;
            let configuration = client.kind == ProgramKind::Apisix && purpose == DialerPurpose::Configuration;
            let (call, doing) = match (moment, configuration) {
                // `closed` or `Broken pipe`
                (Moment::Done, true) => return None,
                (Moment::Done, false) => ("SSL_read", " while reading response header from upstream"),
                (_, true) => ("SSL_do_handshake", ""),
                (_, false) => ("SSL_do_handshake", " while SSL handshaking to upstream"),
            };
            Some(format!("{call}() failed (SSL: {words}){doing}"))
        }
        (_, Stack::BoringSsl) => {
            let answer = if moment == Moment::Hello && alert == Alert::HANDSHAKE_FAILURE {
                "|268435610:SSL routines:OPENSSL_internal:HANDSHAKE_FAILURE_ON_CLIENT_HELLO"
            } else {
                ""
            };
            Some(format!("TLS_error:|{}{answer}:TLS_error_end", alert.boringssl()))
        }
        // gRPC tells of it only where it still waits
        (ProgramKind::Etcdctl, _) if moment == Moment::Done => Some("context deadline exceeded".to_owned()),
        (_, Stack::Go(_)) => Some(alert.go()),
        _ => None,
    }
}

//! What each program prints when a connection fails, as observed: the essential part of its line, as one would search for
//! it.

pub mod alert;
pub mod files;

use super::Outcome;
use crate::deployment::{DialerPurpose, Program, ProgramKind, Stack, Version};
use crate::stack::{Certificate, Fault, Mistake, go};

/// What a client that refuses the server's certificate prints; None where its line is not known.
pub fn client_refuses(client: &Program, purpose: DialerPurpose, fault: &Fault) -> Option<String> {
    let number = fault.number.unwrap_or(0);
    let text = library_text(client, fault);
    if extension_twice(client, fault) {
        return Some("error:1100009E:X509 V3 routines::invalid certificate".to_owned());
    }
    match (client.kind, client.versions.stack) {
        // a broken signature is an alert of its own, not exit code 60
        (ProgramKind::Curl, _) if number == 7 => Some(format!("SSL certificate problem: {text}")),
        (ProgramKind::Curl, _) => match Curl::of(client)? {
            Curl::Old | Curl::Middle => Some(format!("curl: (60) SSL certificate problem: {text}")),
            Curl::New => Some(format!("curl: (60) SSL certificate OpenSSL verify result: {text} ({number})")),
        },
        (ProgramKind::Openssl, _) => Some(format!("verify error:num={number}:{text}")),
        // its own client of etcd is a cosocket, its upstreams are nginx's
        (ProgramKind::Apisix, _) if purpose == DialerPurpose::Configuration => {
            Some(format!("{number}: {text}"))
        }
        (ProgramKind::Nginx | ProgramKind::Apisix, _) => Some(format!(
            "upstream SSL certificate verify error: ({number}:{text}) while SSL handshaking to upstream"
        )),
        (_, Stack::Go(version)) => {
            let wrap = match fault.mistake {
                _ if version < go::WRAPS_VERIFICATION_ERRORS => "",
                Mistake::MalformedCertificate => "tls: failed to parse certificate from server: ",
                _ => "tls: failed to verify certificate: ",
            };
            // members speak HTTP, everybody else gRPC
            let transport = match purpose {
                DialerPurpose::Peer => "",
                _ => "transport: authentication handshake failed: ",
            };
            Some(format!("{transport}{wrap}{text}"))
        }
        (_, Stack::BoringSsl) => Some(envoy(client, fault)),
        _ => None,
    }
}

/// Whether a client compares names before it looks at what became of the path.
pub fn tells_name_first(client: &Program) -> bool {
    client.kind == ProgramKind::Curl && Curl::of(client) == Some(Curl::New)
}

/// What a client prints that does not find the name it expects; None where its line is not known.
pub fn name_mismatch(
    client: &Program,
    purpose: DialerPurpose,
    certificate: &Certificate,
    name: &str,
    library: &str,
) -> Option<String> {
    match (client.kind, client.versions.stack) {
        (ProgramKind::Curl, _) => curl_mismatch(Curl::of(client)?, certificate, name),
        (ProgramKind::Openssl, _) => Some("verify error:num=62:hostname mismatch".to_owned()),
        (ProgramKind::Apisix, _) if purpose == DialerPurpose::Configuration => {
            Some("certificate host mismatch".to_owned())
        }
        (ProgramKind::Nginx | ProgramKind::Apisix, _) => {
            Some(format!("upstream SSL certificate does not match \"{name}\""))
        }
        (_, Stack::Go(version)) if version >= go::WRAPS_VERIFICATION_ERRORS => {
            Some(format!("tls: failed to verify certificate: {library}"))
        }
        (_, Stack::Go(_)) => Some(library.to_owned()),
        (_, Stack::BoringSsl) => Some(envoy_names(client, certificate)),
        _ => None,
    }
}

/// What a server that refuses the client's certificate logs.
pub fn server_refuses(server: &Program, fault: &Fault, outcome: Outcome) -> String {
    let text = library_text(server, fault);
    match (server.kind, server.versions.stack) {
        // what is judged with the request is judged by nginx itself
        (ProgramKind::Nginx, _) | (ProgramKind::Apisix, _) if outcome == Outcome::RequestRejected => format!(
            "client SSL certificate verify error: ({}:{text}) while reading client request headers",
            fault.number.unwrap_or(0),
        ),
        // a broken signature leaves errors of its own before this one
        (ProgramKind::Apisix, _) if fault.number == Some(7) => {
            "error:0A000086:SSL routines::certificate verify failed) while SSL handshaking".to_owned()
        }
        (ProgramKind::Apisix, _) => {
            "SSL_do_handshake() failed (SSL: error:0A000086:SSL routines::certificate verify failed) while SSL handshaking"
                .to_owned()
        }
        (_, Stack::Go(version)) if text.starts_with("x509: ") => {
            let whose = if version >= go::WRAPS_VERIFICATION_ERRORS { "" } else { "client " };
            format!("tls: failed to verify {whose}certificate: {text}")
        }
        (_, Stack::BoringSsl) => envoy(server, fault),
        (_, Stack::Go(_) | Stack::OpenSsl { .. }) => text,
    }
}

/// What a client sees when a server judges its certificate with the request.
pub fn client_is_answered(missing: bool) -> &'static str {
    if missing { "400 No required SSL certificate was sent" } else { "400 The SSL certificate error" }
}

/// A library's words for a fault, in its version.
fn library_text(program: &Program, fault: &Fault) -> String {
    match program.versions.stack {
        Stack::OpenSsl { version, .. } if fault.number == Some(9) && version >= Version(3, 6, 0) => {
            format!("{} or the system clock is incorrect", fault.text)
        }
        // the hint went with the setting
        Stack::Go(version) if version >= Version(1, 18, 0) && version < Version(1, 24, 0) => {
            let hint = "(temporarily override with GODEBUG=x509sha1=1)\" while trying";
            fault
                .text
                .replace("SHA1-RSA\" while trying", &format!("SHA1-RSA {hint}"))
                .replace("ECDSA-SHA1\" while trying", &format!("ECDSA-SHA1 {hint}"))
        }
        _ => fault.text.clone(),
    }
}

/// The same extension twice is an error of its own before OpenSSL 3.6.
fn extension_twice(program: &Program, fault: &Fault) -> bool {
    let old = matches!(program.versions.stack, Stack::OpenSsl { version, .. } if version < Version(3, 6, 0));
    old && fault.mistake == Mistake::MalformedCertificate
        && fault.certificate.as_ref().is_some_and(|certificate| certificate.duplicate_extension.is_some())
}

/// Releases of curl by the words they use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Curl {
    /// Up to 7.88.
    Old,
    /// 8.14.
    Middle,
    /// From 8.23 on.
    New,
}

impl Curl {
    /// None between the releases that were looked at.
    fn of(program: &Program) -> Option<Self> {
        match program.versions.program {
            version if version < Version(7, 89, 0) => Some(Self::Old),
            Version(8, 14, _) => Some(Self::Middle),
            version if version >= Version(8, 23, 0) => Some(Self::New),
            _ => None,
        }
    }
}

fn curl_mismatch(curl: Curl, certificate: &Certificate, name: &str) -> Option<String> {
    let address: Option<std::net::IpAddr> = name.parse().ok();
    let target = match (curl, address) {
        (Curl::Old, _) => "host name",
        (_, None) => "hostname",
        (Curl::Middle, Some(address)) if address.is_ipv4() => "ipv4 address",
        (Curl::Middle, Some(_)) => "ipv6 address",
        (Curl::New, Some(address)) if address.is_ipv4() => "IPv4 address",
        (Curl::New, Some(_)) => "IPv6 address",
    };
    let has_names = certificate.dns_names().next().is_some() || certificate.addresses().next().is_some();
    if has_names {
        return Some(format!(
            "curl: (60) SSL: no alternative certificate subject name matches target {target} '{name}'"
        ));
    }
    Some(match certificate.subject.common_names.last() {
        Some(common) => {
            format!(
                "curl: (60) SSL: certificate subject name '{common}' does not match target {target} '{name}'"
            )
        }
        None => "curl: (60) SSL: unable to obtain common name from peer certificate".to_owned(),
    })
}

fn envoy(program: &Program, fault: &Fault) -> String {
    let Some(number) = fault.number else {
        return match (fault.mistake, &fault.certificate) {
            (Mistake::UnsuitableKeyUsage, _) => {
                "TLS_error:|268435758:SSL routines:OPENSSL_internal:KEY_USAGE_BIT_INCORRECT:TLS_error_end"
                    .to_owned()
            }
            (Mistake::NameNotAllowed, Some(certificate)) => envoy_names(program, certificate),
            // 1.40 dropped a word before it
            _ if program.versions.program < Version(1, 40, 0) => fault.text.clone(),
            _ => envoy_says(&fault.text),
        };
    };
    let revocation = match number {
        3 | 11 | 12 | 23 => "certificate revocation check against provided CRLs failed: ",
        _ => "",
    };
    let says = envoy_says(&format!(
        "X509_verify_cert: certificate verification error at depth {}: {revocation}{}",
        fault.depth, fault.text
    ));
    // a broken signature leaves errors of its own before this one
    match says.strip_prefix("TLS_error:|") {
        Some(rest) if number == 7 => rest.to_owned(),
        _ => says,
    }
}

fn envoy_says(detail: &str) -> String {
    format!("{ENVOY_REFUSES}: {detail}:TLS_error_end")
}

const ENVOY_REFUSES: &str =
    "TLS_error:|268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:verify cert failed";

/// Envoy's words for a certificate whose names fit no matcher: 1.40 lists them.
fn envoy_names(program: &Program, certificate: &Certificate) -> String {
    if program.versions.program < Version(1, 40, 0) {
        return ENVOY_REFUSES.to_owned();
    }
    let list = format!("{ENVOY_REFUSES}: SAN matcher, certificate SANs are [");
    match certificate.names() {
        [] => format!("{list}]:TLS_error_end"),
        [only] => match only.text() {
            Some(text) => format!("{list}{text}]:TLS_error_end"),
            None => list,
        },
        // what stands between two was not seen
        [first, ..] => format!("{list}{}", first.text().unwrap_or_default()),
    }
}

//! What each program prints when a certificate is refused, as observed.

use super::Outcome;
use crate::deployment::{Program, ProgramKind, Stack};
use crate::stack::{Fault, Purpose, go};

/// What a client that refuses the server's certificate prints; None where its line is not known.
pub fn client_refuses(client: &Program, fault: &Fault) -> Option<String> {
    let number = fault.number.unwrap_or(0);
    match (client.kind, client.versions.stack) {
        (ProgramKind::Curl, _) => {
            // a broken signature is an alert of its own, not exit code 60
            let code = if number == 7 { 35 } else { 60 };
            Some(format!("curl: ({code}) SSL certificate problem: {}", fault.text))
        }
        (ProgramKind::Openssl, _) => Some(format!("verify error:num={number}:{}", fault.text)),
        (ProgramKind::Nginx, _) => Some(format!(
            "upstream SSL certificate verify error: ({number}:{}) while SSL handshaking to upstream",
            fault.text
        )),
        (ProgramKind::Apisix, _) => Some(format!("{number}: {}", fault.text)),
        (_, Stack::Go(version)) => {
            let wrap = if version >= go::WRAPS_VERIFICATION_ERRORS {
                "tls: failed to verify certificate: "
            } else {
                ""
            };
            Some(format!("transport: authentication handshake failed: {wrap}{}", fault.text))
        }
        (_, Stack::BoringSsl) => Some(envoy(fault, Purpose::Server)),
        _ => None,
    }
}

/// What a server that refuses the client's certificate logs.
pub fn server_refuses(server: &Program, fault: &Fault, outcome: Outcome) -> String {
    match (server.kind, server.versions.stack) {
        // what is judged with the request is judged by nginx itself
        (ProgramKind::Nginx, _) | (ProgramKind::Apisix, _) if outcome == Outcome::RequestRejected => format!(
            "client SSL certificate verify error: ({}:{}) while reading client request headers",
            fault.number.unwrap_or(0),
            fault.text
        ),
        (ProgramKind::Apisix, _) => {
            "[crit] SSL_do_handshake() failed (SSL: error:0A000086:SSL routines::certificate verify failed)"
                .to_owned()
        }
        (_, Stack::Go(_)) if fault.text.starts_with("x509: ") => {
            format!("tls: failed to verify client certificate: {}", fault.text)
        }
        (_, Stack::Go(_)) => fault.text.clone(),
        (_, Stack::BoringSsl) => envoy(fault, Purpose::Client),
        (_, Stack::OpenSsl { .. }) => fault.text.clone(),
    }
}

fn envoy(fault: &Fault, _: Purpose) -> String {
    let detail = match fault.number {
        Some(23 | 3 | 11 | 12) if fault.number == Some(23) => format!(
            "X509_verify_cert: certificate verification error at depth {}: certificate revocation check against provided CRLs failed: {}",
            fault.depth, fault.text
        ),
        Some(_) => {
            format!(
                "X509_verify_cert: certificate verification error at depth {}: {}",
                fault.depth, fault.text
            )
        }
        None if fault.text == "KEY_USAGE_BIT_INCORRECT" => {
            return "TLS_error:|268435600:SSL routines:OPENSSL_internal:KEY_USAGE_BIT_INCORRECT:TLS_error_end".to_owned();
        }
        None => fault.text.clone(),
    };
    format!(
        "TLS_error:|268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:verify cert failed: {detail}:TLS_error_end"
    )
}

/// What a client sees when a server of this kind refuses its certificate; None where it varies.
pub fn client_is_refused(
    client: &Program,
    server: &Program,
    missing: bool,
    outcome: Outcome,
) -> Option<String> {
    match (server.kind, client.kind) {
        (ProgramKind::Nginx | ProgramKind::Apisix, _) if outcome == Outcome::RequestRejected => {
            Some(if missing {
                "400 No required SSL certificate was sent".to_owned()
            } else {
                "400 The SSL certificate error".to_owned()
            })
        }
        (ProgramKind::Etcd, ProgramKind::Etcdctl) => Some("context deadline exceeded".to_owned()),
        (ProgramKind::Etcd, ProgramKind::Etcd) => Some("remote error: tls: bad certificate".to_owned()),
        (ProgramKind::Apisix, ProgramKind::Curl) if missing => {
            Some("curl: (56) tlsv13 alert certificate required".to_owned())
        }
        _ => None,
    }
}

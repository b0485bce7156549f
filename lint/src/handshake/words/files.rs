//! What each program prints of a file that it does not load: its own words around the library's.

use crate::deployment::{DialerPurpose, Program, ProgramKind, Stack, Version};
use crate::handshake::shelf::{FileUse, Refused, Unfit};
use crate::stack::load::EMPTY;

/// The line for a file that stops a program. `dials` says what for, where a client's file does.
pub fn refused(program: &Program, dials: Option<DialerPurpose>, refused: &Refused) -> String {
    let words = refused.words.as_str();
    let Some((used, path)) = &refused.file else { return words.to_owned() };
    match (program.kind, program.versions.stack) {
        (ProgramKind::Nginx, _) => nginx(keeps_objects(program), *used, path, words),
        (ProgramKind::Apisix, _) => match (used, dials) {
            (FileUse::Certificate, Some(DialerPurpose::Configuration)) => {
                luasec("error loading certificate", words)
            }
            (FileUse::Key, Some(DialerPurpose::Configuration)) => luasec("error loading private key", words),
            // it is set with every request
            (FileUse::Certificate, Some(_)) => "failed to set upstream: PEM_read_bio_X509".to_owned(),
            (FileUse::Key, Some(_)) => "failed to set upstream: PEM_read_bio_PrivateKey() failed".to_owned(),
            _ => nginx(keeps_objects(program), *used, path, words),
        },
        (ProgramKind::Curl, _) => curl(program.versions.program, *used, path, words),
        (_, Stack::BoringSsl) => envoy(*used, path, words),
        _ => words.to_owned(),
    }
}

/// The line for a certificate and a key that are read and not taken.
pub fn unfit(program: &Program, dials: Option<DialerPurpose>, unfit: &Unfit) -> String {
    let words = unfit.words.as_str();
    let (used, path) = (unfit.file.0, unfit.file.1.as_str());
    match (program.kind, program.versions.stack) {
        (ProgramKind::Apisix, _) if dials == Some(DialerPurpose::Configuration) => match used {
            FileUse::Key => "private key does not match public key".to_owned(),
            _ => luasec("error loading certificate", words),
        },
        (ProgramKind::Nginx | ProgramKind::Apisix, _) => {
            let call = match used {
                FileUse::Key => "SSL_CTX_use_PrivateKey",
                FileUse::Issuer => "SSL_CTX_set0_chain",
                _ => "SSL_CTX_use_certificate",
            };
            format!("{call}(\"{path}\") failed (SSL: {words}")
        }
        // each kind of key has a place of its own; what stands in them is compared at the end
        (ProgramKind::Curl, _) if used == FileUse::Key && unfit.other_kind => {
            "curl: (58) Private key does not match the certificate public key".to_owned()
        }
        (ProgramKind::Curl, _) => curl(program.versions.program, used, path, words),
        (_, Stack::Go(_)) if unfit.other_kind => {
            "tls: private key type does not match public key type".to_owned()
        }
        (_, Stack::BoringSsl) if unfit.other_kind => "KEY_TYPE_MISMATCH".to_owned(),
        _ => words.to_owned(),
    }
}

/// nginx 1.27.2 and later read trust and revocation lists themselves, to keep them between reloads; seen in 1.30 and in
/// APISIX 3.18.
fn keeps_objects(program: &Program) -> bool {
    let since = if program.kind == ProgramKind::Nginx { Version(1, 27, 2) } else { Version(3, 18, 0) };
    program.versions.program >= since
}

/// ngx_event_openssl.c, ngx_event_openssl_cache.c.
fn nginx(keeps_objects: bool, used: FileUse, path: &str, words: &str) -> String {
    let missing = words.starts_with("error:80000002");
    let (object, reads) = match used {
        FileUse::Key => ("certificate key", "PEM_read_bio_PrivateKey()"),
        FileUse::RevocationList if keeps_objects => ("CRL", "PEM_read_bio_X509_CRL()"),
        FileUse::Certificate | FileUse::Issuer => ("certificate", "PEM_read_bio_X509_AUX()"),
        FileUse::Trust if keeps_objects => ("certificate", "PEM_read_bio_X509_AUX()"),
        FileUse::Trust | FileUse::RevocationList | FileUse::ClientCaList => {
            let call = match used {
                FileUse::Trust => "SSL_CTX_load_verify_locations",
                FileUse::ClientCaList => "SSL_load_client_CA_file",
                _ => "X509_LOOKUP_load_file",
            };
            let line = format!("{call}(\"{path}\") failed");
            return first_error(words).map_or_else(|| line.clone(), |first| format!("{line} (SSL: {first}"));
        }
    };
    if missing {
        return format!("cannot load {object} \"{path}\": BIO_new_file() failed (SSL: {words}");
    }
    // that a file holds nothing is said of what was looked for
    let first = match (used, words.contains("no certificate or crl found")) {
        (FileUse::RevocationList, true) => {
            Some("error:0480006C:PEM routines::no start line:Expecting: X509 CRL")
        }
        (_, true) => Some(crate::stack::openssl::load::NO_START_LINE),
        _ => first_error(words),
    };
    match first {
        Some(first) => format!("cannot load {object} \"{path}\": {reads} failed (SSL: {first}"),
        // the first block is read by another function than those after it
        None => format!("cannot load {object} \"{path}\": {}", reads.trim_end_matches("_AUX()")),
    }
}

/// The library's words, if they are the first that it noted: others come before these.
fn first_error(words: &str) -> Option<&str> {
    let later = ["nested asn1 error", "problems getting password"];
    (!later.iter().any(|other| words.contains(other))).then_some(words)
}

/// LuaSec gives the reason of the first error alone.
fn luasec(what: &str, words: &str) -> String {
    if words.starts_with("error:80000002") {
        return format!("{what} ((null))");
    }
    if words.contains("problems getting password") {
        return format!("{what} (processing error)");
    }
    match first_error(words).and_then(|first| first.split("::").nth(1)) {
        Some(reason) => format!("{what} ({})", reason.split(':').next().unwrap_or(reason)),
        None => what.to_owned(),
    }
}

/// lib/vtls/openssl.c.
fn curl(version: Version, used: FileUse, path: &str, words: &str) -> String {
    match used {
        FileUse::Certificate | FileUse::Issuer => {
            let line = format!("curl: (58) could not load PEM client certificate from {path}, OpenSSL error");
            match first_error(words) {
                Some(first) => format!("{line} {}", first.split(":Expecting").next().unwrap_or(first)),
                None => line,
            }
        }
        // exit code 58, and 43 in 8.23
        FileUse::Key => format!("unable to set private key file: '{path}' type PEM"),
        FileUse::Trust | FileUse::ClientCaList => {
            if version < Version(8, 15, 0) {
                format!("curl: (77) error setting certificate file: {path}")
            } else if version >= Version(8, 23, 0) {
                format!("curl: (77) error adding trust anchors from file: {path}")
            } else {
                "curl: (77)".to_owned()
            }
        }
        FileUse::RevocationList => format!("curl: (82) error loading CRL file: {path}"),
    }
}

/// source/common/tls/context_impl.cc, and what reads its sources before.
fn envoy(used: FileUse, path: &str, words: &str) -> String {
    let empty = words == EMPTY;
    match used {
        _ if words.starts_with("Invalid TLS context") => words.to_owned(),
        FileUse::Certificate | FileUse::Issuer if empty => {
            format!("Failed to load incomplete certificate from {path}: certificate chain not set")
        }
        FileUse::Key if words.starts_with("Invalid path") => {
            format!("Failed to load incomplete private key from path: {path}")
        }
        _ if words.starts_with("Invalid path") => words.to_owned(),
        FileUse::Trust if empty => format!("file {path} is empty"),
        FileUse::Certificate | FileUse::Issuer => format!("Failed to load certificate chain from {path}"),
        FileUse::Key => format!("Failed to load private key from {path}"),
        FileUse::Trust | FileUse::ClientCaList => {
            format!("Failed to load trusted CA certificates from {path}")
        }
        FileUse::RevocationList => format!("Failed to load CRL from {path}"),
    }
}

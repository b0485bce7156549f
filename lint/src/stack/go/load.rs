//! Files as etcd and etcdctl load them: tls.X509KeyPair, and etcd's own loop over the blocks of a CA file
//! (client/pkg/tlsutil/tlsutil.go).

use super::super::Mistake;
use super::super::load::{Certificates, Problem, ReadOnce, looks_like, without_trust_settings};
use super::super::private_key::PrivateKey;
use super::{parse_error, pem};
use crate::source::Text;

/// The certificates of a key pair's file: blocks labelled CERTIFICATE; only the first is parsed.
///
/// The second value lists blocks behind the first that are no certificates: the peer stumbles over them.
///
/// # Errors
/// Why tls.X509KeyPair refuses it.
pub fn chain(text: &Text, once: &ReadOnce) -> Result<(Certificates, bool), Problem> {
    let blocks = pem::blocks(text.bytes());
    let mut skipped: Vec<&str> = Vec::new();
    let mut certificates: Certificates = Vec::new();
    let mut junk = false;
    for block in &blocks {
        if block.label != "CERTIFICATE" {
            skipped.push(&block.label);
            continue;
        }
        let span = text.span(block.range.clone());
        match once.certificate(&block.der, span) {
            Ok(read) => {
                if certificates.is_empty()
                    && !junk
                    && let Some(wrong) = parse_error(&read)
                {
                    return Err(Problem {
                        mistake: Mistake::MalformedCertificate,
                        message: format!("holds a certificate that Go does not parse: {wrong}"),
                        words: wrong,
                        span,
                    });
                }
                certificates.push(without_trust_settings(read));
            }
            Err(_) if certificates.is_empty() => {
                return Err(Problem {
                    mistake: Mistake::UnreadableFile,
                    message: "has a block labelled CERTIFICATE that holds something else".to_owned(),
                    words: "x509: malformed certificate".to_owned(),
                    span,
                });
            }
            Err(_) => junk = true,
        }
    }
    if !certificates.is_empty() {
        return Ok((certificates, junk));
    }
    let words = if skipped.is_empty() {
        "tls: failed to find any PEM data in certificate input".to_owned()
    } else if skipped.iter().all(|label| label.ends_with("PRIVATE KEY")) {
        "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched".to_owned()
    } else {
        format!(
            "tls: failed to find \"CERTIFICATE\" PEM block in certificate input after skipping PEM blocks of the following types: {skipped:?}"
        )
    };
    let message = if skipped.is_empty() {
        looks_like(text.bytes()).to_owned()
    } else {
        format!("has blocks labelled {}, but none labelled CERTIFICATE", skipped.join(", "))
    };
    Err(Problem::whole(Mistake::UnreadableFile, text, message, words))
}

/// The private key of a key pair: the first block whose label ends with PRIVATE KEY.
///
/// # Errors
/// Why tls.X509KeyPair refuses it.
pub fn private_key(text: &Text) -> Result<PrivateKey, Problem> {
    for block in pem::blocks(text.bytes()) {
        if block.label != "PRIVATE KEY" && !block.label.ends_with(" PRIVATE KEY") {
            continue;
        }
        if block.label == "ENCRYPTED PRIVATE KEY" || block.has_headers {
            return Err(Problem::part(
                Mistake::EncryptedKey,
                text,
                block.range,
                "is encrypted, which Go does not read",
                "tls: failed to parse private key",
            ));
        }
        return PrivateKey::read_any(&block.der).ok_or_else(|| {
            Problem::part(
                Mistake::UnreadableFile,
                text,
                block.range,
                "holds a private key block that is none",
                "tls: failed to parse private key",
            )
        });
    }
    Err(Problem::whole(
        Mistake::UnreadableFile,
        text,
        looks_like(text.bytes()),
        "tls: failed to find any PEM data in key input",
    ))
}

/// A CA file as etcd reads it: every block must be a certificate, whatever its label; no block at all is fine.
///
/// # Errors
/// Why etcd refuses it.
pub fn anchors(text: &Text, once: &ReadOnce) -> Result<Certificates, Problem> {
    let mut certificates: Certificates = Vec::new();
    for block in pem::blocks(text.bytes()) {
        let span = text.span(block.range.clone());
        let wrong = match once.certificate(&block.der, span) {
            Ok(read) => match parse_error(&read) {
                None => {
                    certificates.push(without_trust_settings(read));
                    continue;
                }
                Some(wrong) => wrong,
            },
            Err(_) if block.label.ends_with("PRIVATE KEY") => "x509: malformed tbs certificate".to_owned(),
            Err(_) => "x509: malformed certificate".to_owned(),
        };
        return Err(Problem {
            mistake: Mistake::UnreadableFile,
            message: format!("has a block labelled {} that etcd cannot parse as a certificate", block.label),
            words: wrong,
            span,
        });
    }
    Ok(certificates)
}

//! Protocol version, and which certificates are usable in it.

use super::outcome::{End, Step, Stop, why};
use super::shelf::Pair;
use super::words::alert::Alert;
use super::{Outcome, Side};
use crate::deployment::{ClientTls, Program, Protocol, ServerContext, Stack, Version};
use crate::finding::Label;
use crate::source::Span;
use crate::stack::certificate::{KeyType, KeyUsage};
use crate::stack::openssl::ciphers::{self, Authentication};
use crate::stack::{Certificate, Mistake};

/// A side of the negotiation.
#[derive(Debug, Clone, Copy)]
pub struct Party<'a> {
    /// Its program.
    pub program: &'a Program,
    /// OpenSSL's security level.
    pub security_level: u8,
    /// Cipher list as written.
    pub ciphers: Option<&'a str>,
}

impl Party<'_> {
    fn is_openssl(&self) -> Option<Version> {
        match self.program.versions.stack {
            Stack::OpenSsl { version, .. } => Some(version),
            Stack::Go(_) | Stack::BoringSsl => None,
        }
    }

    fn is_envoy(&self) -> bool {
        self.program.versions.stack == Stack::BoringSsl
    }

    /// How a server of this stack says that nothing it has suits the client, from OpenSSL's words.
    fn logs(&self, openssl: &'static str) -> &'static str {
        match (self.program.versions.stack, openssl) {
            (Stack::Go(_), "no suitable signature algorithm") => {
                "tls: peer doesn't support any of the certificate's signature algorithms"
            }
            (Stack::Go(_), "no shared cipher") => "tls: no cipher suite supported by both client and server",
            (Stack::BoringSsl, "no shared cipher") => "NO_SHARED_CIPHER",
            _ => openssl,
        }
    }

    fn is_go(&self) -> bool {
        matches!(self.program.versions.stack, Stack::Go(_))
    }
}

/// The protocol version that both sides choose: the highest in common.
///
/// # Errors
/// The end of the handshake where there is none.
pub fn protocol(
    (client, client_tls): (Party<'_>, &ClientTls),
    (server, context): (Party<'_>, &ServerContext),
) -> Step<Protocol> {
    let offered = &client_tls.protocols.value().versions;
    let spoken = &context.protocols.value().versions;
    let labels = vec![
        Label { span: client_tls.protocols.span(), message: format!("the client offers {}", list(offered)) },
        Label { span: context.protocols.span(), message: format!("the server speaks {}", list(spoken)) },
    ];
    let reason = |message: String| why(Mistake::NoCommonProtocol, message, labels.clone());
    let old = |version: Protocol| version < Protocol::Tls12;
    // OpenSSL 3.5 offers nothing below TLS 1.2 above level 0 (observed; 3.0 does, and the server refuses)
    let hidden = |version: Protocol| {
        version == Protocol::Ssl3
            || (old(version)
                && client.security_level > 0
                && client.is_openssl().is_some_and(|openssl| openssl >= Version(3, 5, 0)))
    };
    let usable: Vec<Protocol> = offered.iter().copied().filter(|version| !hidden(*version)).collect();
    if usable.is_empty() {
        let message = format!("the client's own settings leave it no protocol version: {}", list(offered));
        let end = End::new(Outcome::HandshakeFails, Side::Client, reason(message));
        return Err(end.seen("no protocols available").stop());
    }
    let common = usable.iter().copied().filter(|version| spoken.contains(version)).max();
    let Some(version) = common.filter(|version| *version != Protocol::Ssl3) else {
        let message = format!("the client offers {}, but the server speaks {}", list(&usable), list(spoken));
        let end = End::new(Outcome::HandshakeFails, Side::Server, reason(message));
        let log = match server.program.versions.stack {
            Stack::OpenSsl { .. } => {
                "SSL_do_handshake() failed (SSL: error:0A000102:SSL routines::unsupported protocol) while SSL handshaking"
            }
            Stack::Go(_) => "tls: client offered only unsupported versions",
            Stack::BoringSsl => {
                "TLS_error:|268435696:SSL routines:OPENSSL_internal:UNSUPPORTED_PROTOCOL:TLS_error_end"
            }
        };
        return Err(end.alerting(Alert::PROTOCOL_VERSION).logged(log).stop());
    };
    if old(version) {
        let name = shown(version);
        // MD5 and SHA-1 sign these handshakes: 3.0 and later forbid them above level 0; Envoy has no cipher for them
        if server.is_openssl().is_some() && server.security_level > 0 {
            let message = format!(
                "{name} signs with SHA-1, which OpenSSL's security level {} at the server forbids",
                server.security_level
            );
            let end = End::new(Outcome::HandshakeFails, Side::Server, reason(message));
            return Err(end.alerting(Alert::INTERNAL_ERROR).logged("no suitable signature algorithm").stop());
        }
        if server.is_envoy() {
            let message = format!("Envoy's default cipher suites have none for {name}");
            return Err(End::new(Outcome::HandshakeFails, Side::Server, reason(message))
                .logged("NO_SHARED_CIPHER")
                .alerting(Alert::HANDSHAKE_FAILURE)
                .stop());
        }
        if client.is_openssl().is_some() && client.security_level > 0 {
            let message = format!(
                "{name} signs with SHA-1, which OpenSSL's security level {} at the client forbids",
                client.security_level
            );
            return Err(End::new(Outcome::HandshakeFails, Side::Client, reason(message)).stop());
        }
    }
    Ok(version)
}

fn shown(version: Protocol) -> &'static str {
    match version {
        Protocol::Ssl3 => "SSL 3",
        Protocol::Tls10 => "TLS 1.0",
        Protocol::Tls11 => "TLS 1.1",
        Protocol::Tls12 => "TLS 1.2",
        Protocol::Tls13 => "TLS 1.3",
    }
}

fn list(versions: &[Protocol]) -> String {
    if versions.is_empty() {
        return "nothing".to_owned();
    }
    versions.iter().map(|version| shown(*version)).collect::<Vec<_>>().join(", ")
}

/// Which of the server's certificates it shows to this client.
///
/// # Errors
/// The end of the handshake where none is usable.
pub fn server_pair<'p>(
    client: Party<'_>,
    server: Party<'_>,
    pairs: &'p [Pair],
    version: Protocol,
    span: Span,
) -> Step<&'p Pair> {
    let mut refused: Option<Stop> = None;
    // one slot for each kind of key: the last one loaded stays (SSL_CTX_use_certificate)
    let mut slots: Vec<&Pair> = Vec::new();
    for pair in pairs {
        let kind = pair.chain.certificates.first().map(|certificate| certificate.key.kind);
        slots.retain(|known| {
            let other = known.chain.certificates.first().map(|certificate| certificate.key.kind);
            !matches!((kind, other), (Some(a), Some(b)) if a.same_kind(b))
        });
        slots.push(pair);
    }
    for pair in slots {
        match usable(client, server, pair, version) {
            Ok(()) => return Ok(pair),
            Err(stop) => {
                refused.get_or_insert(stop);
            }
        }
    }
    Err(refused.unwrap_or_else(|| {
        let label = Label { span, message: "no certificate is configured here".to_owned() };
        let reason = why(Mistake::NoCommonAlgorithm, "the server has no certificate to show", vec![label]);
        let end = End::new(Outcome::HandshakeFails, Side::Server, reason);
        end.logged(server.logs("no shared cipher")).alerting(Alert::HANDSHAKE_FAILURE).stop()
    }))
}

fn usable(client: Party<'_>, server: Party<'_>, pair: &Pair, version: Protocol) -> Step {
    let Some(first) = pair.chain.certificates.first() else { return Ok(()) };
    let fail = |side: Side, mistake: Mistake, message: String, log: &'static str| {
        let label = Label { span: first.span, message: message.clone() };
        let end = End::new(Outcome::HandshakeFails, side, why(mistake, message, vec![label]));
        match side {
            // a server's key on another curve than the client takes
            Side::Client => end.seen(log).alerting(Alert::ILLEGAL_PARAMETER).stop(),
            Side::Server => end.logged(server.logs(log)).alerting(Alert::HANDSHAKE_FAILURE).stop(),
        }
    };
    if let Some(unfit) = &pair.unfit {
        let end = End::new(Outcome::HandshakeFails, Side::Server, unfit.clone().into());
        let log =
            if version == Protocol::Tls13 { "no suitable signature algorithm" } else { "no shared cipher" };
        return Err(end.logged(server.logs(log)).alerting(Alert::HANDSHAKE_FAILURE).stop());
    }
    let tls13 = version == Protocol::Tls13;
    if server.is_openssl().is_some() && !tls13 && !signs(first) && matches!(first.key.kind, KeyType::Ec(_)) {
        let (mistake, message) = match &first.duplicate_extension {
            Some(oid) => (
                Mistake::MalformedCertificate,
                format!(
                    "{} has the extension {oid} twice; OpenSSL loads it and finds no use for it in TLS 1.2",
                    first.shown
                ),
            ),
            None => (
                Mistake::UnsuitableKeyUsage,
                format!(
                    "{} has the key usage {}, but an EC certificate needs digitalSignature in TLS 1.2",
                    first.shown,
                    KeyUsage::names(first.key_usage.unwrap_or(0))
                ),
            ),
        };
        return Err(fail(Side::Server, mistake, message, "no shared cipher"));
    }
    if !tls13 {
        for (party, side) in [(server, Side::Server), (client, Side::Server)] {
            if party.is_openssl().is_none() {
                continue;
            }
            let allowed =
                ciphers::authentication(party.ciphers).unwrap_or(Authentication { ecdsa: false, rsa: false });
            let fits = match first.key.kind {
                KeyType::Rsa(_) => allowed.rsa,
                KeyType::Ec(_) | KeyType::Ed25519 => allowed.ecdsa,
                KeyType::Other => true,
            };
            if !fits {
                let message = format!(
                    "the cipher list {} has no suite for {}, which has the key {}",
                    party.ciphers.unwrap_or_default(),
                    first.shown,
                    first.key.kind
                );
                return Err(fail(side, Mistake::NoCommonAlgorithm, message, "no shared cipher"));
            }
        }
    }
    if client.is_envoy() {
        // Envoy's curves are X25519 and P-256, its signature algorithms P-256, P-384 and RSA (observed)
        let side = match first.key.kind {
            KeyType::Ec(256) | KeyType::Rsa(_) => None,
            KeyType::Ec(384) if tls13 => None,
            KeyType::Ec(_) if !tls13 && server.is_go() => Some((Side::Client, "BAD_ECC_CERT")),
            _ if tls13 => Some((Side::Server, "no suitable signature algorithm")),
            _ => Some((Side::Server, "no shared cipher")),
        };
        if let Some((side, log)) = side {
            let message = format!(
                "{} has the key {}, which an upstream context of Envoy does not take in {}",
                first.shown,
                first.key.kind,
                shown(version)
            );
            return Err(fail(side, Mistake::NoCommonAlgorithm, message, log));
        }
    }
    Ok(())
}

/// digitalSignature is allowed. X509_get_key_usage has none where the extensions cannot be read.
fn signs(certificate: &Certificate) -> bool {
    certificate.may(KeyUsage::DIGITAL_SIGNATURE) && certificate.duplicate_extension.is_none()
}

/// OpenSSL's client checks that an EC certificate may sign, in TLS 1.2, whoever the server is
/// (ssl_check_srvr_ecc_cert_and_alg).
pub fn openssl_client_refuses(client: Party<'_>, certificate: &Certificate, version: Protocol) -> bool {
    client.is_openssl().is_some()
        && version != Protocol::Tls13
        && matches!(certificate.key.kind, KeyType::Ec(_))
        && !signs(certificate)
}

/// Why a client's certificate never gets across.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotSent {
    /// The client has none, or leaves it out; what is to blame.
    Nothing(String),
    /// The handshake ends at this side.
    Fails(Side, String),
}

/// Whether a client can present this certificate to this server.
pub fn presents(
    client: Party<'_>,
    server: Party<'_>,
    certificate: &Certificate,
    version: Protocol,
) -> Result<(), NotSent> {
    let key = certificate.key.kind;
    let tls13 = version == Protocol::Tls13;
    let weak = certificate
        .algorithm
        .is_some_and(|algorithm| algorithm.digest == mtls_identity::signature::Digest::Md5);
    // a Go server of 1.24 lists the algorithms of certificates it takes, and MD5 is not among them; the certificate
    // cannot be loaded before OpenSSL 3.5
    if weak && tls13 && server.is_go() && client.is_openssl().is_some() {
        return Err(NotSent::Nothing(format!(
            "{} is signed with MD5, for which the client finds no signature algorithm in TLS 1.3, so it sends no certificate",
            certificate.shown
        )));
    }
    if server.is_envoy() {
        let taken = match key {
            KeyType::Rsa(_) | KeyType::Ec(256 | 384) => true,
            KeyType::Ec(521) => !tls13,
            KeyType::Ec(_) | KeyType::Ed25519 | KeyType::Other => false,
        };
        if !taken {
            return Err(NotSent::Nothing(format!(
                "{} has the key {key}, for which Envoy offers no signature algorithm in {}, so the client sends no certificate",
                certificate.shown,
                shown(version)
            )));
        }
    }
    // an OpenSSL server holds the client's curve against the curves the client listed (tls1_check_cert_param)
    if client.is_envoy() && server.is_openssl().is_some() && !tls13 && matches!(key, KeyType::Ec(384 | 521)) {
        return Err(NotSent::Fails(
            Side::Server,
            format!(
                "{} has the key {key}, a curve that Envoy does not list in TLS 1.2: wrong curve",
                certificate.shown
            ),
        ));
    }
    Ok(())
}

//! Protocol version, and which certificates are usable in it.

mod envoy;
mod exchange;

pub use envoy::SHARE;
pub use exchange::exchange;

use super::outcome::{End, Step, Stop, unknown, why};
use super::shelf::Pair;
use super::words::alert::Alert;
use super::{Outcome, Side};
use crate::deployment::{Algorithms, ClientTls, Program, Protocol, ServerContext, Stack, Version};
use crate::finding::Label;
use crate::source::{Located, Span};
use crate::stack::boringssl::algorithms::{self, Admits};
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
    pub ciphers: Option<&'a Located<String>>,
    /// Groups and signature algorithms as written.
    pub algorithms: &'a Algorithms,
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
            (Stack::BoringSsl, "no shared cipher") => envoy::NO_SHARED_CIPHER,
            (Stack::BoringSsl, "no suitable signature algorithm") => envoy::NO_COMMON_SIGNATURE_ALGORITHMS,
            _ => openssl,
        }
    }

    fn is_go(&self) -> bool {
        matches!(self.program.versions.stack, Stack::Go(_))
    }

    fn cipher_list(&self) -> Option<&str> {
        self.ciphers.map(|list| list.value.as_str())
    }

    /// The configuration says something about algorithms.
    fn settles(&self) -> bool {
        self.ciphers.is_some() || *self.algorithms != Algorithms::default()
    }

    fn admits(&self) -> Admits {
        if self.is_envoy() {
            Admits::envoy(self.algorithms, self.cipher_list(), self.program.versions.program)
        } else {
            Admits::other(self.cipher_list())
        }
    }

    /// Where its algorithms are settled, for labels.
    pub fn settings(&self, side: &str) -> Vec<Label> {
        let lists = self.algorithms.groups.first().into_iter().chain(self.algorithms.signatures.first());
        self.ciphers
            .into_iter()
            .chain(lists)
            .chain(&self.algorithms.suites)
            .chain(&self.algorithms.policy)
            .map(|written| Label {
                span: written.span,
                message: format!("the {side}'s algorithms are set here"),
            })
            .collect()
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
        let left = if offered.is_empty() && client.is_envoy() {
            "its lowest is above its highest, and where one is not set it is TLS 1.2".to_owned()
        } else if offered.is_empty() {
            "its lowest is above its highest".to_owned()
        } else {
            list(offered)
        };
        let message = format!("the client's own settings leave it no protocol version: {left}");
        let end = End::new(Outcome::HandshakeFails, Side::Client, reason(message));
        let words = if client.is_envoy() { envoy::NO_SUPPORTED_VERSIONS } else { "no protocols available" };
        return Err(end.seen(words).stop());
    }
    if server.is_envoy() && spoken.is_empty() {
        let message =
            "the server's own settings leave it no protocol version: its lowest, TLS 1.2 where none is set, is above its highest"
                .to_owned();
        let end = End::new(Outcome::HandshakeFails, Side::Server, reason(message));
        return Err(end.logged(envoy::NO_SUPPORTED_VERSIONS).stop());
    }
    if client.is_envoy() && usable.iter().all(|version| old(*version)) && envoy::has_no_old_suite(client) {
        let message = format!("{}, and none of its cipher suites is that old", labels_of(&usable));
        let end = End::new(Outcome::HandshakeFails, Side::Client, reason(message));
        return Err(end.seen(envoy::NO_CIPHERS_AVAILABLE).stop());
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
        if server.is_envoy() && envoy::has_no_old_suite(server) {
            let message = match server.ciphers {
                None => format!("Envoy's default cipher suites have none for {name}"),
                Some(list) => format!("the cipher suites {} have none for {name}", list.value),
            };
            return Err(End::new(Outcome::HandshakeFails, Side::Server, reason(message))
                .logged(envoy::NO_SHARED_CIPHER)
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

/// `the client offers TLS 1.0, TLS 1.1`.
fn labels_of(versions: &[Protocol]) -> String {
    format!("the client offers {}", list(versions))
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

/// The client's hello, as far as it chooses a certificate.
#[derive(Debug, Clone, Copy)]
pub struct Hello<'a> {
    /// The server name, if it sends one.
    pub server_name: Option<&'a str>,
    /// It offers TLS 1.3, whether or not the server speaks it.
    pub offers_tls13: bool,
    /// What both speak.
    pub version: Protocol,
}

/// Which of the server's certificates it shows to this client.
///
/// # Errors
/// The end of the handshake where none is usable.
pub fn server_pair<'p>(
    client: Party<'_>,
    server: Party<'_>,
    pairs: &'p [Pair],
    hello: Hello<'_>,
    span: Span,
) -> Step<&'p Pair> {
    let version = hello.version;
    if server.is_envoy() && pairs.len() > 1 {
        let pair = envoy::chosen(client, server, pairs, hello)?;
        return usable(client, server, pair, version).map(|()| pair);
    }
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
    let mut fitting: Vec<&Pair> = Vec::new();
    for pair in slots {
        match usable(client, server, pair, version) {
            Ok(()) => fitting.push(pair),
            Err(stop) => {
                refused.get_or_insert(stop);
            }
        }
    }
    if let Some(first) = fitting.first() {
        return preferred(client, server, &fitting).map_or_else(
            || match fitting.iter().all(|pair| alike(first, pair)) {
                true => Ok(*first),
                false => Err(unknown(vec![
                    "which of the server's certificates it shows hangs on the algorithms of both sides"
                        .to_owned(),
                ])),
            },
            Ok,
        );
    }
    Err(refused.unwrap_or_else(|| {
        let label = Label { span, message: "no certificate is configured here".to_owned() };
        let reason = why(Mistake::NoCommonAlgorithm, "the server has no certificate to show", vec![label]);
        let end = End::new(Outcome::HandshakeFails, Side::Server, reason);
        end.logged(server.logs("no shared cipher")).alerting(Alert::HANDSHAKE_FAILURE).stop()
    }))
}

/// Whether it matters to nobody which of two pairs is shown.
fn alike(one: &Pair, other: &Pair) -> bool {
    let first = |pair: &Pair| pair.chain.certificates.first().cloned();
    match (first(one), first(other)) {
        (Some(one), Some(other)) => {
            one.issuer.canonical == other.issuer.canonical && one.alternative_names == other.alternative_names
        }
        (one, other) => one.is_none() && other.is_none(),
    }
}

/// The pair that OpenSSL shows to OpenSSL where neither is told what to prefer: ECDSA stands before RSA in its cipher
/// list and its signature algorithms.
fn preferred<'p>(client: Party<'_>, server: Party<'_>, fitting: &[&'p Pair]) -> Option<&'p Pair> {
    let untold = |party: Party<'_>| {
        party.is_openssl().is_some() && party.ciphers.is_none() && *party.algorithms == Algorithms::default()
    };
    let ec = |pair: &&&Pair| {
        let first = pair.chain.certificates.first();
        first.is_some_and(|certificate| matches!(certificate.key.kind, KeyType::Ec(_)))
    };
    if !untold(client) || !untold(server) {
        return None;
    }
    fitting.iter().find(ec).copied()
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
            let allowed = ciphers::authentication(party.cipher_list())
                .unwrap_or(Authentication { ecdsa: false, rsa: false });
            let fits = match first.key.kind {
                KeyType::Rsa(_) => allowed.rsa,
                KeyType::Ec(_) | KeyType::Ed25519 => allowed.ecdsa,
                KeyType::Other => true,
            };
            if !fits {
                let message = format!(
                    "the cipher list {} has no suite for {}, which has the key {}",
                    party.cipher_list().unwrap_or_default(),
                    first.shown,
                    first.key.kind
                );
                return Err(fail(side, Mistake::NoCommonAlgorithm, message, "no shared cipher"));
            }
        }
    }
    match exchange::lists_curve(client, first.key.kind, version) {
        Some(true) => envoy::agreed(client, server, first, version),
        Some(false) if server.is_openssl().is_some() => {
            let message = format!(
                "{} has the key {}, a curve that the client does not list in {}",
                first.shown,
                first.key.kind,
                shown(version)
            );
            Err(fail(Side::Server, Mistake::NoCommonAlgorithm, message, "no shared cipher"))
        }
        _ => Err(unknown(vec![exchange::unknown_groups(client, server)])),
    }
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
    /// It cannot be told.
    Unknown(String),
    /// The handshake ends at this side; why, and its words.
    Fails(Side, String, &'static str),
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
    // a client holds its own certificate against its groups (tls1_check_cert_param)
    if exchange::lists_curve(client, key, version) != Some(true) {
        return Err(NotSent::Unknown(exchange::unknown_groups(client, server)));
    }
    if client.is_envoy() || server.is_envoy() {
        let named = !matches!(key, KeyType::Ec(0) | KeyType::Other);
        match algorithms::shared_signature(&client.admits(), &server.admits(), key, version) {
            Some(true) if named => {}
            None => return Err(NotSent::Unknown(envoy::NOT_COMPARED.to_owned())),
            // BoringSSL's client does not go on without the certificate that it was given
            Some(false) if client.is_envoy() && named => {
                let message = format!(
                    "{} has the key {key}, for which the two sides have no signature algorithm in common in {}",
                    certificate.shown,
                    shown(version)
                );
                return Err(NotSent::Fails(Side::Client, message, envoy::NO_COMMON_SIGNATURE_ALGORITHMS));
            }
            Some(_) if server.is_envoy() => {
                return Err(NotSent::Nothing(format!(
                    "{} has the key {key}, for which Envoy offers no signature algorithm in {}, so the client sends no certificate",
                    certificate.shown,
                    shown(version)
                )));
            }
            Some(_) => {}
        }
    }
    // an OpenSSL server holds the client's curve against the curves the client listed (tls1_check_cert_param)
    if client.is_envoy() && server.is_openssl().is_some() && !tls13 && !client.admits().lists_curve(key) {
        return Err(NotSent::Fails(
            Side::Server,
            format!(
                "{} has the key {key}, a curve that Envoy does not list in TLS 1.2: wrong curve",
                certificate.shown
            ),
            "wrong curve",
        ));
    }
    Ok(())
}

//! Envoy among the two: what both admit, and which certificate it shows.

use super::{Hello, Party, shown};
use crate::deployment::Protocol;
use crate::finding::Label;
use crate::handshake::outcome::{End, Step, unknown, why};
use crate::handshake::shelf::Pair;
use crate::handshake::words::alert::Alert;
use crate::handshake::{Outcome, Side};
use crate::stack::boringssl::algorithms::{self, Admits, Wanted};
use crate::stack::boringssl::choice;
use crate::stack::certificate::KeyType;
use crate::stack::{Certificate, Mistake};

/// BoringSSL's errors as Envoy logs them.
pub(super) const NO_SHARED_CIPHER: &str =
    "TLS_error:|268435640:SSL routines:OPENSSL_internal:NO_SHARED_CIPHER:TLS_error_end";
pub(super) const NO_SHARED_GROUP: &str =
    "TLS_error:|268435722:SSL routines:OPENSSL_internal:NO_SHARED_GROUP:TLS_error_end";
pub(super) const WRONG_CURVE: &str =
    "TLS_error:|268435699:SSL routines:OPENSSL_internal:WRONG_CURVE:TLS_error_end";
pub(super) const NO_COMMON_SIGNATURE_ALGORITHMS: &str =
    "TLS_error:|268435709:SSL routines:OPENSSL_internal:NO_COMMON_SIGNATURE_ALGORITHMS:TLS_error_end";
pub(super) const NO_CIPHERS_AVAILABLE: &str =
    "TLS_error:|268435631:SSL routines:OPENSSL_internal:NO_CIPHERS_AVAILABLE:TLS_error_end";
pub(super) const NO_SUPPORTED_VERSIONS: &str =
    "TLS_error:|268435736:SSL routines:OPENSSL_internal:NO_SUPPORTED_VERSIONS_ENABLED:TLS_error_end";

/// What to do about lists that have nothing in common.
pub const SHARE: &str = "write lists that have an algorithm for this key in common, or leave them out";

/// Envoy keeps all certificates of a context and chooses one by the server name.
pub(super) fn chosen<'p>(
    client: Party<'_>,
    server: Party<'_>,
    pairs: &'p [Pair],
    hello: Hello<'_>,
) -> Step<&'p Pair> {
    let mut certificates: Vec<&Certificate> = Vec::new();
    for pair in pairs {
        match pair.chain.certificates.first() {
            Some(first) => certificates.push(first),
            None => return Err(unknown(pair.unseen.clone())),
        }
    }
    let (us, them) = (client.admits(), server.admits());
    let takes = |key: KeyType| {
        if hello.offers_tls13 {
            return us.verifies.is_none()
                || algorithms::shared_signature(&them, &us, key, Protocol::Tls13) == Some(true);
        }
        let version = hello.version;
        let wanted = Wanted { key, signs: true, exchanges: true, version };
        us.lists_curve(key) && algorithms::shared_suite(&us, &them, wanted) != Some(false)
    };
    let index = choice::choose(&certificates, hello.server_name, takes);
    index.and_then(|index| pairs.get(index)).ok_or_else(|| {
        unknown(vec!["which of the server's certificates is shown depends on the order of a map".to_owned()])
    })
}

/// What Envoy and its peer have in common serves for this certificate.
pub(super) fn agreed(client: Party<'_>, server: Party<'_>, first: &Certificate, version: Protocol) -> Step {
    let settled = client.settles() || server.settles();
    if !(client.is_envoy() || server.is_envoy() && settled) {
        return Ok(());
    }
    let key = first.key.kind;
    let tls13 = version == Protocol::Tls13;
    let (us, them) = (client.admits(), server.admits());
    let fail = |side: Side, message: String, log: &'static str| {
        let mut labels = client.settings("client");
        labels.extend(server.settings("server"));
        labels.push(Label { span: first.span, message: format!("the key is {key}") });
        let mut reason = why(Mistake::NoCommonAlgorithm, message, labels);
        reason.help = settled.then(|| SHARE.to_owned());
        let end = End::new(Outcome::HandshakeFails, side, reason);
        Err(match side {
            Side::Client => end.seen(log).alerting(Alert::ILLEGAL_PARAMETER).stop(),
            Side::Server => end.logged(server.logs(log)).alerting(Alert::HANDSHAKE_FAILURE).stop(),
        })
    };
    let not_taken = || {
        if settled {
            format!(
                "{} has the key {key}, and no signature algorithm of both sides serves for it in {}",
                first.shown,
                shown(version)
            )
        } else {
            format!(
                "{} has the key {key}, which an upstream context of Envoy does not take in {}",
                first.shown,
                shown(version)
            )
        }
    };
    let exchanges = algorithms::shared_group(&us, &them, version);
    let signs = algorithms::shared_signature(&them, &us, key, version);
    if tls13 {
        return match (exchanges, signs) {
            (Some(false), _) => fail(Side::Server, no_group(&us, &them), NO_SHARED_GROUP),
            (_, Some(false)) => fail(Side::Server, not_taken(), "no suitable signature algorithm"),
            (Some(true), Some(true)) => Ok(()),
            _ => Err(unknown(vec![NOT_COMPARED.to_owned()])),
        };
    }
    // what is not known is tried as both
    let suite =
        |signs, exchanges| algorithms::shared_suite(&us, &them, Wanted { key, signs, exchanges, version });
    let best = suite(signs != Some(false), exchanges != Some(false));
    if best == Some(false) {
        let message = if signs == Some(false) && suite(true, true) != Some(false) {
            not_taken()
        } else if exchanges == Some(false) && suite(true, true) != Some(false) {
            no_group(&us, &them)
        } else {
            format!(
                "no cipher suite of both sides serves for {}, which has the key {key}: the client offers {}, the server takes {}",
                first.shown,
                suites(client),
                suites(server)
            )
        };
        return fail(Side::Server, message, "no shared cipher");
    }
    if !us.lists_curve(key) {
        let (side, log) = if server.is_go() {
            (Side::Client, "BAD_ECC_CERT")
        } else if server.is_envoy() {
            (Side::Server, WRONG_CURVE)
        } else {
            (Side::Server, "no shared cipher")
        };
        let message = if settled {
            format!(
                "{} has the key {key}, a curve that the client does not list in {}",
                first.shown,
                shown(version)
            )
        } else {
            not_taken()
        };
        return fail(side, message, log);
    }
    // an alias in the list of another library is taken as it was before Envoy's lists were compared
    let known = best.is_some() || ![client, server].iter().any(|party| party.is_envoy() && party.settles());
    if known && signs.is_some() && exchanges.is_some() {
        Ok(())
    } else {
        Err(unknown(vec![NOT_COMPARED.to_owned()]))
    }
}

pub(super) const NOT_COMPARED: &str = "whether the algorithms that are set have one in common is not known";

pub(super) fn suites(party: Party<'_>) -> String {
    match (party.cipher_list(), &party.algorithms.policy) {
        (_, Some(policy)) => format!("those of {}", policy.value),
        (Some(list), None) => list.to_owned(),
        (None, None) => "those of its default".to_owned(),
    }
}

pub(super) fn no_group(client: &Admits, server: &Admits) -> String {
    let list = |admits: &Admits| admits.groups.as_ref().map(|groups| groups.join(", ")).unwrap_or_default();
    format!(
        "no group for the exchange of keys is common to both: the client offers {}, the server takes {}",
        list(client),
        list(server)
    )
}

/// Envoy's suites have none for TLS 1.0 and 1.1.
pub(super) fn has_no_old_suite(party: Party<'_>) -> bool {
    match party.admits().suites {
        algorithms::Suites::Listed(names) => !names.iter().any(|name| name.ends_with("-SHA")),
        algorithms::Suites::All | algorithms::Suites::Opaque => false,
    }
}

//! Groups for the exchange of keys, and suites of TLS 1.3, where a side that runs OpenSSL has lists of its own.

use super::{Party, shown};
use crate::deployment::{Protocol, Stack};
use crate::handshake::outcome::{End, Step, Stop, unknown, why};
use crate::handshake::words::alert::Alert;
use crate::handshake::{Outcome, Side};
use crate::source::Located;
use crate::stack::Mistake;
use crate::stack::certificate::KeyType;

/// Groups by the names that TLS has for them; the bits of [`Taken`] count from the first.
const GROUPS: [&str; 13] = [
    "X25519",
    "P-256",
    "P-384",
    "P-521",
    "X448",
    "ffdhe2048",
    "ffdhe3072",
    "ffdhe4096",
    "ffdhe6144",
    "ffdhe8192",
    "X25519MLKEM768",
    "SecP256r1MLKEM768",
    "SecP384r1MLKEM1024",
];
/// What OpenSSL has on by itself in every release since 1.1.1; the others in some, or up to TLS 1.2 only.
const OF_OPENSSL: u16 = 0b1_1111;
const ALL_GROUPS: u16 = 0x1fff;
/// What Go has on by itself, and what in some releases.
const OF_GO: u16 = 0b1111;
const OF_SOME_GO: u16 = 1 << 10;
/// The groups with ML-KEM.
const HYBRID: u16 = 0b111 << 10;
/// Suites of TLS 1.3: the first three every library has on by itself, OpenSSL knows the others besides.
const SUITES: [&str; 5] = [
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_128_CCM_SHA256",
    "TLS_AES_128_CCM_8_SHA256",
];
const USUAL_SUITES: u16 = 0b111;
/// Up to this level OpenSSL forbids none of the groups and suites above.
const HARMLESS_LEVEL: u8 = 2;

/// What a side takes, as bits of a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Taken {
    /// For certain.
    surely: u16,
    /// Perhaps.
    perhaps: u16,
    /// Others may come besides.
    open: bool,
}

impl Taken {
    fn may(self, bits: u16) -> bool {
        self.open || (self.surely | self.perhaps) & bits != 0
    }

    /// Whether both take one; None where that is not known.
    fn shares(self, other: Self) -> Option<bool> {
        if self.surely & other.surely != 0 {
            return Some(true);
        }
        let own = self.surely | self.perhaps;
        (!(self.open || own != 0 && other.may(own))).then_some(false)
    }

    /// Nothing is certain where a security level may forbid it.
    fn at_level(self, level: u8) -> Self {
        match level > HARMLESS_LEVEL {
            true => Self { surely: 0, perhaps: self.surely | self.perhaps, ..self },
            false => self,
        }
    }
}

/// Both sides have a group in common, and in TLS 1.3 a suite.
///
/// # Errors
/// The end of the handshake where they have none.
pub fn exchange(client: Party<'_>, server: Party<'_>, version: Protocol) -> Step {
    let tls13 = version == Protocol::Tls13;
    let own_suites = |party: Party<'_>| party.algorithms.suites.is_some();
    if tls13 && (own_suites(client) || own_suites(server)) {
        match suites(client).shares(suites(server)) {
            Some(true) => {}
            Some(false) => {
                let message = format!(
                    "no cipher suite of {} is common to both: the client offers {}, the server takes {}",
                    shown(version),
                    shown_suites(client),
                    shown_suites(server)
                );
                return Err(nothing_common(client, server, message, "no shared cipher"));
            }
            None => {
                return Err(unknown(vec![format!(
                    "whether both sides have a cipher suite of TLS 1.3 in common is not known: the client offers {}, the server takes {}",
                    shown_suites(client),
                    shown_suites(server)
                )]));
            }
        }
    }
    if !(has_groups(client) || has_groups(server)) {
        return Ok(());
    }
    match groups(client).shares(groups(server)) {
        Some(true) => Ok(()),
        // up to TLS 1.2 a suite may do without
        Some(false) if tls13 => {
            let lists = format!(
                "the client offers {}, the server takes {}",
                shown_groups(client),
                shown_groups(server)
            );
            let message = format!("no group for the exchange of keys is common to both: {lists}");
            Err(nothing_common(client, server, message, "no suitable key share"))
        }
        _ => Err(unknown(vec![unknown_groups(client, server)])),
    }
}

/// Whether a client takes a certificate's curve in TLS 1.2, where it has to be among its own groups; None where that is
/// not known.
pub(super) fn lists_curve(client: Party<'_>, key: KeyType, version: Protocol) -> Option<bool> {
    let KeyType::Ec(bits) = key else { return Some(true) };
    if version == Protocol::Tls13 || !has_groups(client) {
        return Some(true);
    }
    let curve = match bits {
        256 => 1 << 1,
        384 => 1 << 2,
        521 => 1 << 3,
        _ => 0,
    };
    let groups = groups(client);
    if groups.surely & curve != 0 {
        return Some(true);
    }
    (!groups.may(curve)).then_some(false)
}

/// Why nothing is said of groups.
pub(super) fn unknown_groups(client: Party<'_>, server: Party<'_>) -> String {
    format!(
        "whether both sides have a group for the exchange of keys in common is not known: the client offers {}, the server takes {}",
        shown_groups(client),
        shown_groups(server)
    )
}

fn nothing_common(client: Party<'_>, server: Party<'_>, message: String, log: &'static str) -> Stop {
    let mut labels = client.settings("client");
    labels.extend(server.settings("server"));
    let mut reason = why(Mistake::NoCommonAlgorithm, message, labels);
    reason.help = Some("write lists that have one in common, or leave them out".to_owned());
    let end = End::new(Outcome::HandshakeFails, Side::Server, reason).alerting(Alert::HANDSHAKE_FAILURE);
    match server.program.versions.stack {
        // Go's words for groups changed from release to release
        Stack::Go(_) if log == "no suitable key share" => end.stop(),
        Stack::BoringSsl if log == "no suitable key share" => {
            end.logged(super::envoy::NO_SHARED_GROUP).stop()
        }
        _ => end.logged(server.logs(log)).stop(),
    }
}

fn has_groups(party: Party<'_>) -> bool {
    party.is_openssl().is_some() && !party.algorithms.groups.is_empty()
}

fn groups(party: Party<'_>) -> Taken {
    match party.program.versions.stack {
        Stack::OpenSsl { .. } if party.algorithms.groups.is_empty() => {
            Taken { surely: OF_OPENSSL, perhaps: ALL_GROUPS & !OF_OPENSSL, open: false }
        }
        Stack::OpenSsl { .. } => {
            let mut taken = listed(party.algorithms.groups.iter(), group);
            // some releases lack what lies beyond those that all have
            taken.perhaps = taken.surely & !OF_OPENSSL;
            taken.surely &= OF_OPENSSL;
            taken
        }
        Stack::Go(_) => Taken { surely: OF_GO, perhaps: OF_SOME_GO, open: false },
        Stack::BoringSsl => match party.admits().groups {
            Some(groups) => {
                let taken = groups.iter().filter_map(|name| group(name)).fold(0, |taken, bit| taken | bit);
                let open = groups.iter().any(|name| group(name).is_none());
                Taken { surely: taken & !HYBRID, perhaps: taken & HYBRID, open }
            }
            None => Taken { open: true, ..Taken::default() },
        },
    }
    .at_level(party.security_level)
}

fn suites(party: Party<'_>) -> Taken {
    match &party.algorithms.suites {
        None => Taken { surely: USUAL_SUITES, ..Taken::default() },
        Some(list) => listed(std::iter::once(list), |name| {
            SUITES.iter().position(|known| *known == name).map(|at| 1 << at)
        }),
    }
    .at_level(party.security_level)
}

/// The names of a list; what is not known by its name leaves the list open.
fn listed<'l>(
    written: impl Iterator<Item = &'l Located<String>>,
    known: impl Fn(&str) -> Option<u16>,
) -> Taken {
    let mut taken = Taken::default();
    let names = written.flat_map(|list| list.value.split([':', '/', ',', ' ']));
    for name in names.filter(|name| !name.is_empty()) {
        // OpenSSL 3.5 marks what it may leave out, and of what it sends a key share
        match known(name.trim_start_matches(['?', '*'])) {
            Some(bit) => taken.surely |= bit,
            None => taken.open = true,
        }
    }
    taken.open |= taken.surely == 0;
    taken
}

/// The bit of a group, by one name of several.
fn group(written: &str) -> Option<u16> {
    const OTHER_NAMES: [(&str, usize); 4] =
        [("prime256v1", 1), ("secp256r1", 1), ("secp384r1", 2), ("secp521r1", 3)];
    let at = GROUPS.iter().position(|name| name.eq_ignore_ascii_case(written));
    let other = || OTHER_NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(written));
    at.or_else(|| Some(other()?.1)).map(|at| 1 << at)
}

fn shown_groups(party: Party<'_>) -> String {
    let names: Vec<&str> = party.algorithms.groups.iter().map(|list| list.value.as_str()).collect();
    if names.is_empty() { "those of its default".to_owned() } else { names.join(":") }
}

fn shown_suites(party: Party<'_>) -> String {
    party.algorithms.suites.as_ref().map_or("those of its default".to_owned(), |list| list.value.clone())
}

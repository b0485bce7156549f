//! Groups for the exchange of keys, and suites of TLS 1.3, where a side that runs OpenSSL has lists of its own.

use super::{Party, shown};
use crate::deployment::{Protocol, Stack};
use crate::handshake::outcome::{End, Step, Stop, unknown, why};
use crate::handshake::words::alert::Alert;
use crate::handshake::{Outcome, Side};
use crate::source::Located;
use crate::stack::Mistake;
use crate::stack::certificate::KeyType;

/// What OpenSSL has on by itself, in every release since 1.1.1.
const GROUPS: [&str; 5] = ["X25519", "P-256", "X448", "P-521", "P-384"];
/// What it has on in some releases, or up to TLS 1.2 only.
const SOMETIMES: [&str; 8] = [
    "ffdhe2048",
    "ffdhe3072",
    "ffdhe4096",
    "ffdhe6144",
    "ffdhe8192",
    "X25519MLKEM768",
    "SecP256r1MLKEM768",
    "SecP384r1MLKEM1024",
];
/// What Go has on by itself.
const OF_GO: [&str; 4] = ["X25519", "P-256", "P-384", "P-521"];
/// The suites of TLS 1.3 that every library has on by itself.
const SUITES: [&str; 3] =
    ["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"];
/// Those that OpenSSL knows besides.
const CCM: [&str; 2] = ["TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256"];
/// Up to this level OpenSSL forbids none of the groups and suites above.
const HARMLESS_LEVEL: u8 = 2;

/// What a side takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Taken {
    /// For certain.
    surely: Vec<String>,
    /// Perhaps.
    perhaps: Vec<String>,
    /// Others may come besides.
    open: bool,
}

impl Taken {
    fn of(surely: &[&str], perhaps: &[&str]) -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self { surely: owned(surely), perhaps: owned(perhaps), open: false }
    }

    fn may(&self, name: &str) -> bool {
        self.open || self.surely.iter().chain(&self.perhaps).any(|own| own == name)
    }

    /// Whether both take one; None where that is not known.
    fn shares(&self, other: &Self) -> Option<bool> {
        if self.surely.iter().any(|name| other.surely.contains(name)) {
            return Some(true);
        }
        let common = self.surely.iter().chain(&self.perhaps).any(|name| other.may(name));
        (!self.open && !common).then_some(false)
    }

    /// Nothing is certain where a security level may forbid it.
    fn at_level(mut self, level: u8) -> Self {
        if level > HARMLESS_LEVEL {
            self.perhaps.append(&mut self.surely);
        }
        self
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
        match suites(client).shares(&suites(server)) {
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
    match groups(client).shares(&groups(server)) {
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
    let curve = format!("P-{bits}");
    let groups = groups(client);
    if groups.surely.contains(&curve) {
        return Some(true);
    }
    (!groups.may(&curve)).then_some(false)
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
        Stack::OpenSsl { .. } if party.algorithms.groups.is_empty() => Taken::of(&GROUPS, &SOMETIMES),
        Stack::OpenSsl { .. } => listed(&party.algorithms.groups, group),
        Stack::Go(_) => Taken::of(&OF_GO, &["X25519MLKEM768"]),
        Stack::BoringSsl => match party.admits().groups {
            Some(groups) => {
                let (perhaps, surely) = groups.into_iter().partition(|name| name.contains("MLKEM"));
                Taken { surely, perhaps, open: false }
            }
            None => Taken { open: true, ..Taken::default() },
        },
    }
    .at_level(party.security_level)
}

fn suites(party: Party<'_>) -> Taken {
    match &party.algorithms.suites {
        None => Taken::of(&SUITES, &[]),
        Some(list) => listed(std::slice::from_ref(list), |name| {
            SUITES.iter().chain(&CCM).find(|known| **known == name).map(|known| (*known, true))
        }),
    }
    .at_level(party.security_level)
}

/// The names of a list; what is not known by its name leaves the list open.
fn listed(written: &[Located<String>], known: impl Fn(&str) -> Option<(&'static str, bool)>) -> Taken {
    let mut taken = Taken::default();
    let names = written.iter().flat_map(|list| list.value.split([':', '/', ',', ' ']));
    for name in names.filter(|name| !name.is_empty()) {
        // OpenSSL 3.5 marks what it may leave out, and of what it sends a key share
        match known(name.trim_start_matches(['?', '*'])) {
            Some((name, true)) => taken.surely.push(name.to_owned()),
            Some((name, false)) => taken.perhaps.push(name.to_owned()),
            None => taken.open = true,
        }
    }
    taken.open |= taken.surely.is_empty() && taken.perhaps.is_empty();
    taken
}

/// A group by one name of several, and whether every release has it.
fn group(written: &str) -> Option<(&'static str, bool)> {
    let name = match written.to_ascii_lowercase().as_str() {
        "prime256v1" | "secp256r1" | "p-256" => "P-256",
        "secp384r1" | "p-384" => "P-384",
        "secp521r1" | "p-521" => "P-521",
        "x25519" => "X25519",
        "x448" => "X448",
        lower => {
            let name = SOMETIMES.iter().find(|name| name.eq_ignore_ascii_case(lower))?;
            return Some((*name, false));
        }
    };
    Some((name, true))
}

fn shown_groups(party: Party<'_>) -> String {
    let names: Vec<&str> = party.algorithms.groups.iter().map(|list| list.value.as_str()).collect();
    if names.is_empty() { "those of its default".to_owned() } else { names.join(":") }
}

fn shown_suites(party: Party<'_>) -> String {
    party.algorithms.suites.as_ref().map_or("those of its default".to_owned(), |list| list.value.clone())
}

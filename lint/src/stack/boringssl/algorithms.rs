//! What each side of a handshake with Envoy admits: cipher suites, key exchange groups, signature algorithms.
//!
//! Envoy's own lists and what BoringSSL makes of them were observed with 1.40.0, one Envoy dialling another.

use crate::deployment::{Algorithms, Protocol, Version};
use crate::source::Located;
use crate::stack::KeyType;

/// What one side admits; None: whatever its library knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Admits {
    /// Cipher suites up to TLS 1.2.
    pub suites: Suites,
    /// Groups for the exchange of keys, and curves of certificates in TLS 1.2.
    pub groups: Option<Vec<String>>,
    /// Signature algorithms that it makes.
    pub signs: Option<Vec<String>>,
    /// Signature algorithms that it takes.
    pub verifies: Option<Vec<String>>,
}

/// Cipher suites up to TLS 1.2.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Suites {
    /// Whatever the library has on.
    #[default]
    All,
    /// These, by OpenSSL's names.
    Listed(Vec<String>),
    /// A list with aliases or operators.
    Opaque,
}

/// Envoy's own (`DEFAULT_CIPHER_SUITES`); before 1.22 there were more.
const SUITES: [&str; 6] = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
];
const GROUPS: [&str; 3] = ["X25519MLKEM768", "X25519", "P-256"];
/// What BoringSSL signs with, unless told otherwise (kSignSignatureAlgorithms).
const SIGNS: [&str; 12] = [
    "ed25519",
    "ecdsa_secp256r1_sha256",
    "rsa_pss_rsae_sha256",
    "rsa_pkcs1_sha256",
    "ecdsa_secp384r1_sha384",
    "rsa_pss_rsae_sha384",
    "rsa_pkcs1_sha384",
    "ecdsa_secp521r1_sha512",
    "rsa_pss_rsae_sha512",
    "rsa_pkcs1_sha512",
    "ecdsa_sha1",
    "rsa_pkcs1_sha1",
];
/// What it takes of others: neither Ed25519 nor P-521 (kVerifySignatureAlgorithms).
const VERIFIES: [&str; 9] = [
    "ecdsa_secp256r1_sha256",
    "rsa_pss_rsae_sha256",
    "rsa_pkcs1_sha256",
    "ecdsa_secp384r1_sha384",
    "rsa_pss_rsae_sha384",
    "rsa_pkcs1_sha384",
    "rsa_pss_rsae_sha512",
    "rsa_pkcs1_sha512",
    "rsa_pkcs1_sha1",
];
/// ssl_compliance_policy_fips_202205, which takes the place of every list.
const FIPS_SUITES: [&str; 4] = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
];
const FIPS_GROUPS: [&str; 2] = ["P-256", "P-384"];
const FIPS_SIGNATURES: [&str; 8] = [
    "rsa_pkcs1_sha256",
    "rsa_pkcs1_sha384",
    "rsa_pkcs1_sha512",
    "ecdsa_secp256r1_sha256",
    "ecdsa_secp384r1_sha384",
    "rsa_pss_rsae_sha256",
    "rsa_pss_rsae_sha384",
    "rsa_pss_rsae_sha512",
];

impl Admits {
    /// What an Envoy of this release admits.
    pub fn envoy(algorithms: &Algorithms, suites: Option<&str>, version: Version) -> Self {
        let owned = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        if algorithms.policy.is_some() {
            let signatures = owned(&FIPS_SIGNATURES);
            return Self {
                suites: Suites::Listed(owned(&FIPS_SUITES)),
                groups: Some(owned(&FIPS_GROUPS)),
                signs: Some(signatures.clone()),
                verifies: Some(signatures),
            };
        }
        // they are joined by colons, and an entry may hold several
        let given = |list: &[Located<String>]| {
            let names = list.iter().flat_map(|entry| entry.value.split(':')).map(str::to_owned);
            (!list.is_empty()).then(|| names.collect::<Vec<_>>())
        };
        let suites = match suites {
            Some(written) => Suites::read(written),
            None if version < Version(1, 22, 0) => Suites::All,
            None => Suites::Listed(owned(&SUITES)),
        };
        let groups = given(&algorithms.groups).map(|groups| groups.iter().map(|name| group(name)).collect());
        let signatures = given(&algorithms.signatures);
        Self {
            suites,
            groups: Some(groups.unwrap_or_else(|| owned(&GROUPS))),
            signs: Some(signatures.clone().unwrap_or_else(|| owned(&SIGNS))),
            verifies: Some(signatures.unwrap_or_else(|| owned(&VERIFIES))),
        }
    }

    /// What a program with another library admits.
    pub fn other(suites: Option<&str>) -> Self {
        Self { suites: suites.map_or(Suites::All, Suites::read), ..Self::default() }
    }

    /// Whether a certificate's curve is among the groups: a peer looks at that in TLS 1.2.
    pub fn lists_curve(&self, key: KeyType) -> bool {
        let curve = match key {
            KeyType::Ec(bits) => format!("P-{bits}"),
            KeyType::Rsa(_) | KeyType::Ed25519 | KeyType::Other => return true,
        };
        self.groups.as_ref().is_none_or(|groups| groups.contains(&curve))
    }
}

impl Suites {
    /// A list as it is written, names parted by colons; `[A|B]` are equals.
    fn read(written: &str) -> Self {
        let mut names = Vec::new();
        for word in written.split([':', ',', ' ', '[', '|', ']']).filter(|word| !word.is_empty()) {
            // a suite of TLS 1.3 stands in the lists of Go and is on anyway
            if word.starts_with("TLS_") && !word.contains("_WITH_") {
                continue;
            }
            match suite(word) {
                Some(name) => names.push(name),
                None => return Self::Opaque,
            }
        }
        Self::Listed(names)
    }
}

/// OpenSSL's name of a suite that has a certificate; None for aliases, operators and what is unknown.
fn suite(word: &str) -> Option<String> {
    let name = match word.strip_prefix("TLS_") {
        Some(standard) => standard
            .replace("RSA_WITH_", if standard.starts_with("RSA_WITH_") { "" } else { "RSA_" })
            .replace("_WITH_", "_")
            .replace("AES_", "AES")
            .replace("CBC_", "")
            .replace("POLY1305_SHA256", "POLY1305")
            .replace('_', "-"),
        None => word.to_owned(),
    };
    let known = ["-GCM-SHA256", "-GCM-SHA384", "-SHA", "-SHA256", "-SHA384", "-POLY1305"];
    let begins =
        ["DHE-RSA-", "ECDHE-ECDSA-AES", "ECDHE-RSA-AES", "ECDHE-ECDSA-CHACHA20", "ECDHE-RSA-CHACHA20", "AES"];
    (begins.iter().any(|start| name.starts_with(start)) && known.iter().any(|end| name.ends_with(end)))
        .then_some(name)
}

/// A group by BoringSSL's own name.
fn group(name: &str) -> String {
    match name {
        "prime256v1" => "P-256".to_owned(),
        "secp384r1" => "P-384".to_owned(),
        "secp521r1" => "P-521".to_owned(),
        "x25519" => "X25519".to_owned(),
        other => other.to_owned(),
    }
}

/// Whether a group of key exchange is common to both; None where that is not known.
pub fn shared_group(client: &Admits, server: &Admits, version: Protocol) -> Option<bool> {
    // those with ML-KEM are for TLS 1.3 only
    let usable = |name: &&String| version == Protocol::Tls13 || !name.contains("MLKEM");
    match (&client.groups, &server.groups) {
        (Some(ours), Some(theirs)) => Some(ours.iter().filter(usable).any(|group| theirs.contains(group))),
        (Some(listed), None) | (None, Some(listed)) => listed
            .iter()
            .any(|group| matches!(group.as_str(), "X25519" | "P-256" | "P-384" | "P-521"))
            .then_some(true),
        (None, None) => Some(true),
    }
}

/// Whether a key can sign what the other side takes; None where that is not known.
pub fn shared_signature(signer: &Admits, verifier: &Admits, key: KeyType, version: Protocol) -> Option<bool> {
    // before TLS 1.2 there is nothing to agree on
    if version < Protocol::Tls12 {
        return Some(true);
    }
    let listed = match (&signer.signs, &verifier.verifies) {
        (Some(made), Some(taken)) => made.iter().filter(|name| taken.contains(name)).collect::<Vec<_>>(),
        (Some(one), None) | (None, Some(one)) => one.iter().collect(),
        (None, None) => return Some(true),
    };
    if listed.iter().any(|name| signs_with(name, key, version) == Some(true)) {
        return Some(true);
    }
    let lists = signer.signs.iter().chain(&verifier.verifies).flatten();
    let known = |name: &String| signs_with(name, key, version).is_some();
    lists.into_iter().all(known).then_some(false)
}

/// Whether a key signs with an algorithm; None for an algorithm that is not known here.
fn signs_with(algorithm: &str, key: KeyType, version: Protocol) -> Option<bool> {
    let tls13 = version == Protocol::Tls13;
    Some(match algorithm {
        // TLS 1.3 binds the curve to the algorithm (RFC 8446 4.2.3)
        "ecdsa_secp256r1_sha256" if tls13 => key == KeyType::Ec(256),
        "ecdsa_secp384r1_sha384" if tls13 => key == KeyType::Ec(384),
        "ecdsa_secp521r1_sha512" if tls13 => key == KeyType::Ec(521),
        "ecdsa_sha1" | "rsa_pkcs1_sha1" | "rsa_pkcs1_sha256" | "rsa_pkcs1_sha384" | "rsa_pkcs1_sha512"
            if tls13 =>
        {
            false
        }
        "ecdsa_secp256r1_sha256" | "ecdsa_secp384r1_sha384" | "ecdsa_secp521r1_sha512" | "ecdsa_sha1" => {
            matches!(key, KeyType::Ec(256 | 384 | 521))
        }
        "rsa_pss_rsae_sha256"
        | "rsa_pss_rsae_sha384"
        | "rsa_pss_rsae_sha512"
        | "rsa_pkcs1_sha1"
        | "rsa_pkcs1_sha256"
        | "rsa_pkcs1_sha384"
        | "rsa_pkcs1_sha512" => matches!(key, KeyType::Rsa(_)),
        "ed25519" => key == KeyType::Ed25519,
        _ => return None,
    })
}

/// What the suites of both sides are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// The server's key.
    pub key: KeyType,
    /// It can sign what the client takes.
    pub signs: bool,
    /// A group is common to both.
    pub exchanges: bool,
    /// What both speak: TLS 1.2 or less.
    pub version: Protocol,
}

/// Whether a cipher suite of both sides serves; None where that is not known.
pub fn shared_suite(client: &Admits, server: &Admits, wanted: Wanted) -> Option<bool> {
    let serves = |name: &&String| {
        let exchanges = name.starts_with("ECDHE-");
        let fits = match wanted.key {
            KeyType::Rsa(_) => !name.contains("ECDSA"),
            KeyType::Ec(_) | KeyType::Ed25519 => name.contains("ECDSA"),
            KeyType::Other => false,
        };
        let old = name.ends_with("-SHA");
        fits && (!exchanges || (wanted.signs && wanted.exchanges))
            && (old || wanted.version == Protocol::Tls12)
    };
    match (&client.suites, &server.suites) {
        (Suites::Listed(ours), Suites::Listed(theirs)) => {
            Some(ours.iter().filter(|name| theirs.contains(name)).any(|name| serves(&name)))
        }
        (Suites::Listed(listed), Suites::All) | (Suites::All, Suites::Listed(listed)) => {
            if !listed.iter().any(|name| serves(&name)) {
                return Some(false);
            }
            // of exchanges without Diffie and Hellman not every library has them on
            listed.iter().filter(serves).any(|name| name.starts_with("ECDHE-")).then_some(true)
        }
        (Suites::All, Suites::All) => Some(wanted.signs && wanted.exchanges),
        (Suites::Opaque, _) | (_, Suites::Opaque) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{FileId, Span};

    const NOW: Version = Version(1, 40, 0);

    fn admits(suites: Option<&str>, groups: &[&str], signatures: &[&str]) -> Admits {
        let located = |list: &[&str]| {
            let span = Span { file: FileId(0), start: 0, end: 0 };
            list.iter().map(|name| Located::new((*name).to_owned(), span)).collect()
        };
        let algorithms =
            Algorithms { groups: located(groups), signatures: located(signatures), ..Algorithms::default() };
        Admits::envoy(&algorithms, suites, NOW)
    }

    fn own() -> Admits {
        admits(None, &[], &[])
    }

    #[test]
    fn suites_are_known_by_both_names() {
        for (word, name) in [
            ("ECDHE-RSA-AES128-GCM-SHA256", Some("ECDHE-RSA-AES128-GCM-SHA256")),
            ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", Some("ECDHE-RSA-AES128-GCM-SHA256")),
            ("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", Some("ECDHE-ECDSA-AES256-SHA")),
            ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", Some("ECDHE-RSA-CHACHA20-POLY1305")),
            ("TLS_RSA_WITH_AES_128_GCM_SHA256", Some("AES128-GCM-SHA256")),
            ("HIGH", None),
            ("!aNULL", None),
            ("ECDHE+AESGCM", None),
        ] {
            assert_eq!(suite(word).as_deref(), name, "{word}");
        }
    }

    #[test]
    fn suites_of_both_sides_must_fit_the_key() {
        let (rsa, ec) = (KeyType::Rsa(2048), KeyType::Ec(256));
        for (client, server, key, version, shared) in [
            (None, None, rsa, Protocol::Tls12, Some(true)),
            (
                Some("ECDHE-RSA-AES256-GCM-SHA384"),
                Some("ECDHE-RSA-AES128-GCM-SHA256"),
                rsa,
                Protocol::Tls12,
                Some(false),
            ),
            (None, Some("ECDHE-RSA-AES128-SHA:AES256-SHA"), rsa, Protocol::Tls12, Some(false)),
            (Some("ECDHE-ECDSA-AES128-GCM-SHA256"), None, rsa, Protocol::Tls12, Some(false)),
            (Some("ECDHE-RSA-AES128-GCM-SHA256"), None, ec, Protocol::Tls12, Some(false)),
            (None, Some("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"), rsa, Protocol::Tls12, Some(true)),
            (
                None,
                Some("[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]"),
                rsa,
                Protocol::Tls12,
                Some(true),
            ),
            (None, Some("ECDHE+AESGCM"), rsa, Protocol::Tls12, None),
            (Some("ECDHE-RSA-AES128-SHA"), Some("ECDHE-RSA-AES128-SHA"), rsa, Protocol::Tls11, Some(true)),
            (Some("AES128-SHA"), Some("AES128-SHA"), rsa, Protocol::Tls11, Some(true)),
            (Some("ECDHE-RSA-AES128-SHA"), None, rsa, Protocol::Tls11, Some(false)),
        ] {
            let wanted = Wanted { key, signs: true, exchanges: true, version };
            let found = shared_suite(&admits(client, &[], &[]), &admits(server, &[], &[]), wanted);
            assert_eq!(found, shared, "{client:?} {server:?} {key}");
        }
    }

    #[test]
    fn rsa_without_diffie_and_hellman_needs_neither_group_nor_signature() {
        let wanted =
            Wanted { key: KeyType::Rsa(2048), signs: false, exchanges: false, version: Protocol::Tls12 };
        let side = admits(Some("AES128-GCM-SHA256"), &[], &[]);
        assert_eq!(shared_suite(&side, &side, wanted), Some(true));
    }

    #[test]
    fn groups_are_compared_and_ml_kem_is_for_tls_13() {
        for (client, version, shared) in [
            (["X25519"], Protocol::Tls12, true),
            (["prime256v1"], Protocol::Tls12, true),
            (["P-384"], Protocol::Tls13, false),
            (["X25519MLKEM768"], Protocol::Tls13, true),
            (["X25519MLKEM768"], Protocol::Tls12, false),
        ] {
            assert_eq!(
                shared_group(&admits(None, &client, &[]), &own(), version),
                Some(shared),
                "{client:?}"
            );
        }
        assert_eq!(shared_group(&own(), &Admits::other(None), Protocol::Tls12), Some(true));
        let only_new = admits(None, &["X25519MLKEM768"], &[]);
        assert_eq!(shared_group(&only_new, &Admits::other(None), Protocol::Tls13), None);
    }

    #[test]
    fn signatures_are_bound_to_curves_in_tls_13_only() {
        let (p384, p521, ed) = (KeyType::Ec(384), KeyType::Ec(521), KeyType::Ed25519);
        let rsa = KeyType::Rsa(2048);
        let plain: &[&str] = &[];
        for (signer, verifier, key, version, shared) in [
            (plain, plain, p521, Protocol::Tls12, Some(true)),
            (plain, plain, p521, Protocol::Tls13, Some(false)),
            (plain, plain, ed, Protocol::Tls12, Some(false)),
            (plain, &["rsa_pss_rsae_sha256", "ed25519"][..], ed, Protocol::Tls12, Some(true)),
            (plain, &["ecdsa_secp256r1_sha256"], p384, Protocol::Tls12, Some(true)),
            (plain, &["ecdsa_secp256r1_sha256"], p384, Protocol::Tls13, Some(false)),
            (plain, &["rsa_pkcs1_sha256"], rsa, Protocol::Tls13, Some(false)),
            (&["rsa_pss_rsae_sha512"], &["rsa_pss_rsae_sha256"], rsa, Protocol::Tls13, Some(false)),
            (plain, &["RSA-PSS+SHA256"], rsa, Protocol::Tls13, None),
            (&["ecdsa_secp256r1_sha256"], plain, rsa, Protocol::Tls11, Some(true)),
        ] {
            let (signer, verifier) = (admits(None, &[], signer), admits(None, &[], verifier));
            assert_eq!(shared_signature(&signer, &verifier, key, version), shared, "{verifier:?} {key}");
        }
    }
}

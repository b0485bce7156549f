//! `usages`: one list in cert-manager, two extensions in the certificate.

use crate::deployment::Setting;
use crate::source::{Located, Span};
use crate::syntax::yaml::Node;

/// The two extensions.
#[derive(Debug, Clone)]
pub struct Usages {
    /// Names of RFC 5280; empty: no extension.
    pub key_usage: Setting<Vec<&'static str>>,
    /// Dotted OIDs; empty: no extension.
    pub extended_key_usage: Setting<Vec<String>>,
}

/// Reads `usages` (`pkg/util/pki`, KeyUsagesForCertificateOrCertificateRequest): without any, `digital signature`
/// and `key encipherment`; a CA has `cert sign` besides.
pub fn usages(spec: Node<'_>, is_ca: bool) -> Usages {
    let listed = spec.get("usages").filter(|list| list.items().len() > 0);
    let mut key_usage = Vec::new();
    let mut extended = Vec::new();
    for item in listed.into_iter().flat_map(Node::items) {
        let word = item.as_str().unwrap_or_default();
        match meaning(word) {
            Some(Meaning::KeyUsage(name)) if !key_usage.contains(&name) => key_usage.push(name),
            Some(Meaning::Extended(oid)) if !extended.iter().any(|other| other == oid) => {
                extended.push(oid.to_owned());
            }
            Some(_) => {}
            // refused, and said so elsewhere
            None => {}
        }
    }
    if listed.is_none() {
        key_usage.extend(["digitalSignature", "keyEncipherment"]);
    }
    if is_ca && !key_usage.contains(&"keyCertSign") {
        key_usage.push("keyCertSign");
    }
    let parent = spec.span();
    match listed.map(Node::span) {
        Some(span) => Usages {
            key_usage: Setting::Given(Located::new(key_usage, span)),
            extended_key_usage: Setting::Given(Located::new(extended, span)),
        },
        None => Usages {
            key_usage: Setting::Default { value: key_usage, parent },
            extended_key_usage: Setting::Default { value: extended, parent },
        },
    }
}

/// The same from words whose spelling was not checked (a CSI volume's `key-usages`).
pub(super) fn from_words(words: &[Located<String>], is_ca: bool, parent: Span) -> Usages {
    let mut key_usage = Vec::new();
    let mut extended = Vec::new();
    for word in words {
        match meaning(&word.value) {
            Some(Meaning::KeyUsage(name)) => key_usage.push(name),
            Some(Meaning::Extended(oid)) => extended.push(oid.to_owned()),
            None => {}
        }
    }
    if words.is_empty() {
        key_usage.extend(["digitalSignature", "keyEncipherment"]);
    }
    if is_ca {
        key_usage.push("keyCertSign");
    }
    match words.first() {
        Some(word) => Usages {
            key_usage: Setting::Given(Located::new(key_usage, word.span)),
            extended_key_usage: Setting::Given(Located::new(extended, word.span)),
        },
        None => Usages {
            key_usage: Setting::Default { value: key_usage, parent },
            extended_key_usage: Setting::Default { value: extended, parent },
        },
    }
}

/// Whether cert-manager knows a word of `usages`.
pub(super) fn is_known(word: &str) -> bool {
    meaning(word).is_some()
}

enum Meaning {
    KeyUsage(&'static str),
    Extended(&'static str),
}

fn meaning(word: &str) -> Option<Meaning> {
    use Meaning::{Extended, KeyUsage};
    Some(match word {
        "signing" | "digital signature" => KeyUsage("digitalSignature"),
        "content commitment" => KeyUsage("nonRepudiation"),
        "key encipherment" => KeyUsage("keyEncipherment"),
        "data encipherment" => KeyUsage("dataEncipherment"),
        "key agreement" => KeyUsage("keyAgreement"),
        "cert sign" => KeyUsage("keyCertSign"),
        "crl sign" => KeyUsage("cRLSign"),
        "encipher only" => KeyUsage("encipherOnly"),
        "decipher only" => KeyUsage("decipherOnly"),
        "any" => Extended("2.5.29.37.0"),
        "server auth" => Extended("1.3.6.1.5.5.7.3.1"),
        "client auth" => Extended("1.3.6.1.5.5.7.3.2"),
        "code signing" => Extended("1.3.6.1.5.5.7.3.3"),
        "email protection" | "s/mime" => Extended("1.3.6.1.5.5.7.3.4"),
        "ipsec end system" => Extended("1.3.6.1.5.5.7.3.5"),
        "ipsec tunnel" => Extended("1.3.6.1.5.5.7.3.6"),
        "ipsec user" => Extended("1.3.6.1.5.5.7.3.7"),
        "timestamping" => Extended("1.3.6.1.5.5.7.3.8"),
        "ocsp signing" => Extended("1.3.6.1.5.5.7.3.9"),
        "microsoft sgc" => Extended("1.3.6.1.4.1.311.10.3.3"),
        "netscape sgc" => Extended("2.16.840.1.113730.4.1"),
        _ => return None,
    })
}

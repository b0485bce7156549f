//! Cipher lists, as far as they decide which certificates are usable in TLS 1.2 (ssl/ssl_ciph.c).

/// Kinds of certificate for which a list leaves a cipher suite in TLS 1.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authentication {
    /// ECDSA and Ed25519 certificates.
    pub ecdsa: bool,
    /// RSA certificates.
    pub rsa: bool,
}

impl Authentication {
    const BOTH: Self = Self { ecdsa: true, rsa: true };
    const ECDSA: Self = Self { ecdsa: true, rsa: false };
    const RSA: Self = Self { ecdsa: false, rsa: true };
    const NONE: Self = Self { ecdsa: false, rsa: false };
}

/// What a list allows; None where it names no cipher at all (`no cipher match`).
pub fn authentication(list: Option<&str>) -> Option<Authentication> {
    let Some(list) = list else { return Some(Authentication::BOTH) };
    let mut allowed = Authentication::NONE;
    let mut killed = Authentication::NONE;
    let mut named = false;
    for word in list.split([':', ',', ' ', ';']).filter(|word| !word.is_empty()) {
        let (sign, word) = match word.as_bytes().first() {
            Some(b'!' | b'-' | b'+') => word.split_at(1),
            _ => ("", word),
        };
        let word = word.split('@').next().unwrap_or_default();
        let Some(meant) = meaning(word) else { continue };
        match sign {
            "" => {
                named = true;
                allowed =
                    Authentication { ecdsa: allowed.ecdsa || meant.ecdsa, rsa: allowed.rsa || meant.rsa };
            }
            "+" => {}
            _ => {
                // only what names an authentication takes it away; !MD5 or !kRSA leave others
                if let Some(removed) = removal(word) {
                    allowed.ecdsa &= !removed.ecdsa;
                    allowed.rsa &= !removed.rsa;
                    if sign == "!" {
                        killed.ecdsa |= removed.ecdsa;
                        killed.rsa |= removed.rsa;
                    }
                }
            }
        }
    }
    named.then_some(Authentication { ecdsa: allowed.ecdsa && !killed.ecdsa, rsa: allowed.rsa && !killed.rsa })
}

/// What a word stands for; `A+B` for what both have; None for a word that is none.
fn meaning(word: &str) -> Option<Authentication> {
    let mut meant: Option<Authentication> = None;
    for part in word.split('+') {
        let part = one(part)?;
        let so_far = meant.unwrap_or(Authentication::BOTH);
        meant = Some(Authentication { ecdsa: so_far.ecdsa && part.ecdsa, rsa: so_far.rsa && part.rsa });
    }
    meant
}

fn one(word: &str) -> Option<Authentication> {
    const EITHER: [&str; 40] = [
        "DEFAULT",
        "ALL",
        "HIGH",
        "MEDIUM",
        "LOW",
        "COMPLEMENTOFALL",
        "COMPLEMENTOFDEFAULT",
        "ECDHE",
        "EECDH",
        "kECDHE",
        "kEECDH",
        "ECDH",
        "AES",
        "AES128",
        "AES256",
        "AESGCM",
        "AESCCM",
        "AESCCM8",
        "ARIA",
        "ARIAGCM",
        "ARIA128",
        "ARIA256",
        "CAMELLIA",
        "CAMELLIA128",
        "CAMELLIA256",
        "CHACHA20",
        "SHA",
        "SHA1",
        "SHA256",
        "SHA384",
        "TLSv1",
        "TLSv1.0",
        "TLSv1.2",
        "SSLv3",
        "FIPS",
        "STRENGTH",
        "SUITEB128",
        "SUITEB192",
        "SUITEB128ONLY",
        "SUITEB128C2",
    ];
    const NEITHER: [&str; 18] = [
        "aNULL", "eNULL", "NULL", "PSK", "kPSK", "aPSK", "SRP", "kSRP", "aSRP", "DSS", "aDSS", "GOST",
        "kGOST", "MD5", "RC4", "3DES", "DES", "EXPORT",
    ];
    match word {
        "ECDSA" | "aECDSA" => Some(Authentication::ECDSA),
        "RSA" | "aRSA" | "kRSA" | "DHE" | "EDH" | "DH" | "kDHE" | "kEDH" => Some(Authentication::RSA),
        word if EITHER.contains(&word) => Some(Authentication::BOTH),
        // Red Hat's patch: the list of the system's policy
        word if word.starts_with("PROFILE=") => Some(Authentication::BOTH),
        word if NEITHER.contains(&word) => Some(Authentication::NONE),
        // suites of TLS 1.3 are set elsewhere, and here they are no names (seen on 3.0, 3.5 and 3.6)
        word if word.starts_with("TLS_") && !word.contains("_WITH_") => None,
        word if word.contains("ECDSA") => Some(Authentication::ECDSA),
        word if word.contains("PSK") || word.contains("ADH") || word.contains("AECDH") => {
            Some(Authentication::NONE)
        }
        word if word.contains('-') || word.contains("_WITH_") => {
            let suite = ["AES", "CHACHA20", "CAMELLIA", "ARIA", "SHA", "DES", "SEED", "RC4"];
            suite.iter().any(|part| word.contains(part)).then_some(Authentication::RSA)
        }
        _ => None,
    }
}

fn removal(word: &str) -> Option<Authentication> {
    match word {
        "ECDSA" | "aECDSA" => Some(Authentication::ECDSA),
        "aRSA" | "RSA" => Some(Authentication::RSA),
        "ALL" | "HIGH" | "AES" => Some(Authentication::BOTH),
        "ECDHE" | "EECDH" | "kECDHE" | "kEECDH" => Some(Authentication::ECDSA),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_decides_which_certificates_have_a_suite() {
        for (list, wanted) in [
            (None, Some(Authentication::BOTH)),
            (Some("HIGH:!aNULL:!MD5"), Some(Authentication::BOTH)),
            (Some("DEFAULT@SECLEVEL=0"), Some(Authentication::BOTH)),
            (Some("ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA"), Some(Authentication::RSA)),
            (Some("EECDH+ECDSA+AESGCM"), Some(Authentication::ECDSA)),
            (Some("ALL:!ECDSA"), Some(Authentication::RSA)),
            (Some("HIGH:!aRSA"), Some(Authentication::ECDSA)),
            (Some("garbage"), None),
        ] {
            assert_eq!(authentication(list), wanted, "{list:?}");
        }
    }
}

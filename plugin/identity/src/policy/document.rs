//! A policy as it is written; [`super::Policy::parse`] makes the working form of it.
//!
//! Leaves stay text here and are read later, with their route for the error.

use std::str::FromStr;

use super::PolicyError;
use super::tree::{self, Mapping};

pub(super) struct Document {
    pub version: Option<u64>,
    pub mode: Option<String>,
    pub certificate: Certificate,
    pub usage: Option<Usage>,
    pub deny: Option<Deny>,
    pub trust_anchors: Vec<(String, String)>,
    pub identities: Vec<(String, Identity)>,
    pub rules: Vec<Rule>,
    pub exempt: Vec<Exemption>,
    pub path_parameters: Option<String>,
    pub denial: Option<Denial>,
    pub forward: Vec<(String, String)>,
    pub remove_headers: Vec<String>,
}

pub(super) struct Certificate {
    pub from: String,
    pub verification: Option<String>,
    pub header: Option<String>,
    pub format: Option<String>,
    pub trusted_peers: Option<TrustedPeers>,
}

pub(super) struct TrustedPeers {
    pub addresses: Vec<String>,
    pub certificates: Vec<String>,
}

pub(super) struct Usage {
    pub extended_key_usage: Vec<String>,
    pub key_usage: Option<String>,
    pub certificate_authority: Option<String>,
    pub maximum_lifetime: Option<String>,
    pub minimum_rsa_bits: Option<u64>,
    pub minimum_ecdsa_bits: Option<u64>,
    pub clock_skew: Option<String>,
}

pub(super) struct Deny {
    pub certificates: Vec<String>,
    pub public_keys: Vec<String>,
    pub serials: Vec<DeniedSerial>,
}

pub(super) struct DeniedSerial {
    pub serial: String,
    pub issuer: Option<String>,
}

pub(super) struct Identity {
    pub spiffe: Vec<String>,
    pub uri: Vec<String>,
    pub dns: Vec<String>,
    pub email: Vec<String>,
    pub ip: Vec<String>,
    pub certificate_sha256: Vec<String>,
    pub public_key_sha256: Vec<String>,
    pub legacy_common_name: Vec<String>,
    pub issuer: Vec<String>,
    pub issued_under: Vec<String>,
}

pub(super) struct Rule {
    pub name: Option<String>,
    pub host: Vec<String>,
    pub path: Vec<String>,
    pub method: Vec<String>,
    pub route: Vec<String>,
    pub allow: Vec<String>,
}

pub(super) struct Exemption {
    pub name: Option<String>,
    pub host: Vec<String>,
    pub path: Vec<String>,
    pub method: Vec<String>,
}

pub(super) struct Denial {
    pub status: Option<u64>,
    pub body: Option<String>,
    pub headers: Vec<(String, String)>,
}

/// A header name in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HeaderName(pub String);

/// A header value of visible ASCII, spaces and tabs.
pub(super) struct HeaderValue(pub String);

/// An HTTP method in upper case.
pub(super) struct Method(pub String);

/// A time span in seconds, written `90d`, `12h`, `30m` or `45s`.
pub(super) struct Duration(pub u64);

impl Document {
    const KEYS: [&str; 13] = [
        "version",
        "mode",
        "certificate",
        "usage",
        "deny",
        "trust-anchors",
        "identities",
        "rules",
        "exempt",
        "denial",
        "forward",
        "remove-headers",
        "path-parameters",
    ];

    /// Reads a policy's text: every key is known, every value of the kind that its key takes.
    pub fn read(text: &str) -> Result<Self, PolicyError> {
        let mut root = Mapping::new(text, Vec::new(), tree::parse(text)?, &Self::KEYS)?;
        let mut certificate = root.required_mapping("certificate", &Certificate::KEYS)?;
        Ok(Document {
            version: root.number("version")?,
            mode: root.text("mode")?,
            certificate: Certificate::read(&mut certificate)?,
            usage: root.mapping("usage", &Usage::KEYS)?.map(Usage::read).transpose()?,
            deny: root.mapping("deny", &Deny::KEYS)?.map(Deny::read).transpose()?,
            trust_anchors: root.named_texts("trust-anchors")?,
            identities: root
                .named_mappings("identities", &Identity::KEYS)?
                .into_iter()
                .map(|(name, identity)| Ok((name, Identity::read(identity)?)))
                .collect::<Result<_, PolicyError>>()?,
            rules: root
                .mappings("rules", &Rule::KEYS)?
                .into_iter()
                .map(Rule::read)
                .collect::<Result<_, PolicyError>>()?,
            exempt: root
                .mappings("exempt", &Exemption::KEYS)?
                .into_iter()
                .map(Exemption::read)
                .collect::<Result<_, PolicyError>>()?,
            path_parameters: root.text("path-parameters")?,
            denial: root.mapping("denial", &Denial::KEYS)?.map(Denial::read).transpose()?,
            forward: root.named_texts("forward")?,
            remove_headers: root.texts("remove-headers")?,
        })
    }
}

impl Certificate {
    const KEYS: [&str; 5] = ["from", "verification", "header", "format", "trusted-peers"];

    fn read(keys: &mut Mapping<'_>) -> Result<Self, PolicyError> {
        Ok(Certificate {
            from: keys.required_text("from")?,
            verification: keys.text("verification")?,
            header: keys.text("header")?,
            format: keys.text("format")?,
            trusted_peers: keys
                .mapping("trusted-peers", &TrustedPeers::KEYS)?
                .map(TrustedPeers::read)
                .transpose()?,
        })
    }
}

impl TrustedPeers {
    const KEYS: [&str; 2] = ["addresses", "certificates"];

    fn read(mut keys: Mapping<'_>) -> Result<Self, PolicyError> {
        Ok(TrustedPeers { addresses: keys.texts("addresses")?, certificates: keys.texts("certificates")? })
    }
}

impl Usage {
    const KEYS: [&str; 7] = [
        "extended-key-usage",
        "key-usage",
        "certificate-authority",
        "maximum-lifetime",
        "minimum-rsa-bits",
        "minimum-ecdsa-bits",
        "clock-skew",
    ];

    fn read(mut keys: Mapping<'_>) -> Result<Self, PolicyError> {
        Ok(Usage {
            extended_key_usage: keys.texts("extended-key-usage")?,
            key_usage: keys.text("key-usage")?,
            certificate_authority: keys.text("certificate-authority")?,
            maximum_lifetime: keys.text("maximum-lifetime")?,
            minimum_rsa_bits: keys.number("minimum-rsa-bits")?,
            minimum_ecdsa_bits: keys.number("minimum-ecdsa-bits")?,
            clock_skew: keys.text("clock-skew")?,
        })
    }
}

impl Deny {
    const KEYS: [&str; 3] = ["certificates", "public-keys", "serials"];

    fn read(mut keys: Mapping<'_>) -> Result<Self, PolicyError> {
        Ok(Deny {
            certificates: keys.texts("certificates")?,
            public_keys: keys.texts("public-keys")?,
            serials: keys
                .mappings("serials", &DeniedSerial::KEYS)?
                .into_iter()
                .map(DeniedSerial::read)
                .collect::<Result<_, PolicyError>>()?,
        })
    }
}

impl DeniedSerial {
    const KEYS: [&str; 2] = ["serial", "issuer"];

    fn read(mut keys: Mapping<'_>) -> Result<Self, PolicyError> {
        Ok(DeniedSerial { serial: keys.required_text("serial")?, issuer: keys.text("issuer")? })
    }
}

impl Identity {
    const KEYS: [&str; 10] = [
        "spiffe",
        "uri",
        "dns",
        "email",
        "ip",
        "certificate-sha256",
        "public-key-sha256",
        "legacy-common-name",
        "issuer",
        "issued-under",
    ];

    fn read(mut keys: Mapping<'_>) -> Result<Self, PolicyError> {
        Ok(Identity {
            spiffe: keys.narrowing_texts("spiffe")?,
            uri: keys.narrowing_texts("uri")?,
            dns: keys.narrowing_texts("dns")?,
            email: keys.narrowing_texts("email")?,
            ip: keys.narrowing_texts("ip")?,
            certificate_sha256: keys.narrowing_texts("certificate-sha256")?,
            public_key_sha256: keys.narrowing_texts("public-key-sha256")?,
            legacy_common_name: keys.narrowing_texts("legacy-common-name")?,
            issuer: keys.narrowing_texts("issuer")?,
            issued_under: keys.narrowing_texts("issued-under")?,
        })
    }
}

impl Rule {
    const KEYS: [&str; 6] = ["name", "host", "path", "method", "route", "allow"];

    fn read(mut keys: Mapping<'_>) -> Result<Self, PolicyError> {
        Ok(Rule {
            name: keys.text("name")?,
            host: keys.narrowing_texts("host")?,
            path: keys.narrowing_texts("path")?,
            method: keys.narrowing_texts("method")?,
            route: keys.narrowing_texts("route")?,
            allow: keys.required_texts("allow")?,
        })
    }
}

impl Exemption {
    const KEYS: [&str; 4] = ["name", "host", "path", "method"];

    fn read(mut keys: Mapping<'_>) -> Result<Self, PolicyError> {
        Ok(Exemption {
            name: keys.text("name")?,
            host: keys.narrowing_texts("host")?,
            path: keys.required_texts("path")?,
            method: keys.narrowing_texts("method")?,
        })
    }
}

impl Denial {
    const KEYS: [&str; 3] = ["status", "body", "headers"];

    fn read(mut keys: Mapping<'_>) -> Result<Self, PolicyError> {
        Ok(Denial {
            status: keys.number("status")?,
            body: keys.text("body")?,
            headers: keys.named_texts("headers")?,
        })
    }
}

impl FromStr for HeaderName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if text.is_empty() || text.len() > 128 || !text.bytes().all(token) {
            return Err(format!("{} is no header name", crate::identity::shown(text)));
        }
        Ok(HeaderName(text.to_ascii_lowercase()))
    }
}

impl FromStr for HeaderValue {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > 4096
            || !text.bytes().all(|byte| byte == b' ' || byte == b'\t' || byte.is_ascii_graphic())
        {
            return Err(format!("{} is no header value", crate::identity::shown(text)));
        }
        Ok(HeaderValue(text.to_owned()))
    }
}

impl FromStr for Method {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty()
            || !text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-' || byte == b'_')
        {
            return Err(format!(
                "{} is no HTTP method: write it in upper case",
                crate::identity::shown(text)
            ));
        }
        Ok(Method(text.to_owned()))
    }
}

impl FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse =
            || format!("{} is no time span: write 90d, 12h, 30m or 45s", crate::identity::shown(text));
        let unit = match text.as_bytes().last() {
            Some(b'd') => 86400,
            Some(b'h') => 3600,
            Some(b'm') => 60,
            Some(b's') => 1,
            _ => return Err(refuse()),
        };
        let number = text.get(..text.len().saturating_sub(1)).unwrap_or_default();
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(refuse());
        }
        let number: u64 = number.parse().map_err(|_| refuse())?;
        number.checked_mul(unit).map(Duration).ok_or_else(refuse)
    }
}

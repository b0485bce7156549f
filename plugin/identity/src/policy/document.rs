//! A policy as it is written; [`super::Policy::parse`] makes the working form of it.
//!
//! APISIX hands an object on as JSON with its keys in any order and with `{}` where an empty list or null stood
//! (in its standalone mode): so `{}` and null are read as "nothing" wherever something may be left out.
//!
//! Leaves stay text here and are read later, with their route for the error: every type that is deserialized is
//! one more copy of the YAML reader in the module.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, StrDeserializer, StringDeserializer, U64Deserializer};
use serde::de::{
    DeserializeSeed, Deserializer, Error, IgnoredAny, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Document {
    #[serde(default)]
    pub version: Maybe<u64>,
    #[serde(default)]
    pub mode: Maybe<String>,
    pub certificate: Certificate,
    #[serde(default)]
    pub usage: Maybe<Usage>,
    #[serde(default)]
    pub deny: Maybe<Deny>,
    #[serde(default)]
    pub trust_anchors: Named<String>,
    #[serde(default)]
    pub identities: Named<Identity>,
    #[serde(default)]
    pub rules: List<Rule>,
    #[serde(default)]
    pub exempt: List<Exemption>,
    #[serde(default)]
    pub denial: Maybe<Denial>,
    #[serde(default)]
    pub forward: Named<String>,
    #[serde(default)]
    pub remove_headers: List<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Certificate {
    pub from: String,
    #[serde(default)]
    pub verification: Maybe<String>,
    #[serde(default)]
    pub header: Maybe<String>,
    #[serde(default)]
    pub format: Maybe<String>,
    #[serde(default)]
    pub trusted_peers: Maybe<TrustedPeers>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct TrustedPeers {
    #[serde(default)]
    pub addresses: List<String>,
    #[serde(default)]
    pub certificates: List<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Usage {
    #[serde(default)]
    pub extended_key_usage: List<String>,
    #[serde(default)]
    pub key_usage: Maybe<String>,
    #[serde(default)]
    pub certificate_authority: Maybe<String>,
    #[serde(default)]
    pub maximum_lifetime: Maybe<String>,
    #[serde(default)]
    pub minimum_rsa_bits: Maybe<u64>,
    #[serde(default)]
    pub minimum_ecdsa_bits: Maybe<u64>,
    #[serde(default)]
    pub clock_skew: Maybe<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Deny {
    #[serde(default)]
    pub certificates: List<String>,
    #[serde(default)]
    pub public_keys: List<String>,
    #[serde(default)]
    pub serials: List<DeniedSerial>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct DeniedSerial {
    pub serial: String,
    #[serde(default)]
    pub issuer: Maybe<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Identity {
    #[serde(default)]
    pub spiffe: List<String>,
    #[serde(default)]
    pub uri: List<String>,
    #[serde(default)]
    pub dns: List<String>,
    #[serde(default)]
    pub email: List<String>,
    #[serde(default)]
    pub ip: List<String>,
    #[serde(default)]
    pub certificate_sha256: List<String>,
    #[serde(default)]
    pub public_key_sha256: List<String>,
    #[serde(default)]
    pub legacy_common_name: List<String>,
    #[serde(default)]
    pub issuer: List<String>,
    #[serde(default)]
    pub issued_under: List<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Rule {
    #[serde(default)]
    pub name: Maybe<String>,
    #[serde(default)]
    pub host: List<String>,
    #[serde(default)]
    pub path: List<String>,
    #[serde(default)]
    pub method: List<String>,
    #[serde(default)]
    pub route: List<String>,
    pub allow: List<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Exemption {
    #[serde(default)]
    pub name: Maybe<String>,
    #[serde(default)]
    pub host: List<String>,
    pub path: List<String>,
    #[serde(default)]
    pub method: List<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Denial {
    #[serde(default)]
    pub status: Maybe<u64>,
    #[serde(default)]
    pub body: Maybe<String>,
    #[serde(default)]
    pub headers: Named<String>,
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

/// Zero or more values: a list, a single value, or nothing (null, `{}`).
pub(super) struct List<T>(pub Vec<T>);

/// One value or nothing (null, `{}`).
pub(super) struct Maybe<T>(pub Option<T>);

/// A mapping from names that the policy chooses, in the order of the text; nothing as null, `{}` or `[]`.
pub(super) struct Named<T>(pub Vec<(String, T)>);

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

impl<T> Default for List<T> {
    fn default() -> Self {
        List(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Collect<T> {
            type Value = List<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_unit<E: Error>(self) -> Result<List<T>, E> {
                Ok(List::default())
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<List<T>, E> {
                let text: StrDeserializer<'_, E> = text.into_deserializer();
                T::deserialize(text).map(|value| List(vec![value]))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<List<T>, A::Error> {
                match map.next_entry::<IgnoredAny, IgnoredAny>()? {
                    None => Ok(List::default()),
                    Some(_) => Err(A::Error::custom("a list is expected here: begin each entry with a dash")),
                }
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<List<T>, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = list.next_element()? {
                    values.push(value);
                }
                Ok(List(values))
            }
        }
        deserializer.deserialize_any(Collect(PhantomData))
    }
}

impl<T> Default for Maybe<T> {
    fn default() -> Self {
        Maybe(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pick<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Pick<T> {
            type Value = Maybe<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_unit<E: Error>(self) -> Result<Maybe<T>, E> {
                Ok(Maybe(None))
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Maybe<T>, E> {
                let value: U64Deserializer<E> = value.into_deserializer();
                T::deserialize(value).map(|value| Maybe(Some(value)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Maybe<T>, E> {
                let text: StrDeserializer<'_, E> = text.into_deserializer();
                T::deserialize(text).map(|value| Maybe(Some(value)))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Maybe<T>, A::Error> {
                let Some(first) = map.next_key::<String>()? else { return Ok(Maybe(None)) };
                let replay = Replay { first: Some(first), map };
                T::deserialize(MapAccessDeserializer::new(replay)).map(|value| Maybe(Some(value)))
            }
        }
        deserializer.deserialize_any(Pick(PhantomData))
    }
}

/// A mapping whose first key was already looked at.
struct Replay<A> {
    first: Option<String>,
    map: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Replay<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        match self.first.take() {
            Some(first) => {
                let first: StringDeserializer<A::Error> = first.into_deserializer();
                seed.deserialize(first).map(Some)
            }
            None => self.map.next_key_seed(seed),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Named(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Collect<T> {
            type Value = Named<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping from names")
            }
            fn visit_unit<E: Error>(self) -> Result<Named<T>, E> {
                Ok(Named::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Named<T>, A::Error> {
                match list.next_element::<IgnoredAny>()? {
                    None => Ok(Named::default()),
                    Some(_) => Err(A::Error::custom("a mapping from names is expected here, not a list")),
                }
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<T>, A::Error> {
                let mut seen = std::collections::HashSet::new();
                let mut values = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if !seen.insert(name.clone()) {
                        return Err(A::Error::custom(format!("duplicate key `{name}`")));
                    }
                    values.push((name, map.next_value()?));
                }
                Ok(Named(values))
            }
        }
        deserializer.deserialize_any(Collect(PhantomData))
    }
}

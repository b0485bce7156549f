//! Names in a certificate, and the constraints on them.

use std::net::IpAddr;

use crate::stack::der::Element;
use crate::stack::distinguished_name::Name;

/// A name of a GeneralName's kinds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GeneralName {
    /// dNSName, as it stands (a NUL stays).
    Dns(String),
    /// rfc822Name.
    Email(String),
    /// uniformResourceIdentifier.
    Uri(String),
    /// iPAddress: 4 or 16 octets (8 or 32 in a constraint).
    Ip(Vec<u8>),
    /// directoryName.
    Directory(Name),
    /// Another kind, by its tag number.
    Other(u8),
}

impl GeneralName {
    /// For messages.
    pub fn shown(&self) -> String {
        match self {
            Self::Dns(text) => format!("DNS:{}", text.escape_debug()),
            Self::Email(text) => format!("email:{}", text.escape_debug()),
            Self::Uri(text) => format!("URI:{}", text.escape_debug()),
            Self::Ip(octets) => match address(octets) {
                Some(address) => format!("IP:{address}"),
                None => "IP:?".to_owned(),
            },
            Self::Directory(name) => format!("DirName:{}", name.text),
            Self::Other(tag) => format!("name of kind {tag}"),
        }
    }

    /// The name alone; None for a kind that has no text.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Dns(text) | Self::Email(text) | Self::Uri(text) => Some(text.clone()),
            Self::Ip(octets) => address(octets).map(|address| address.to_string()),
            Self::Directory(_) | Self::Other(_) => None,
        }
    }

    /// Reads a GeneralName.
    pub(super) fn read(element: Element<'_>) -> Self {
        // bytes beyond ASCII stay distinguishable: Latin-1, as nothing compares equal to them anyway
        let text = || element.content.iter().map(|byte| char::from(*byte)).collect::<String>();
        match element.tag & 0x1f {
            1 => Self::Email(text()),
            2 => Self::Dns(text()),
            4 => match Name::read(element.content) {
                Some(name) => Self::Directory(name),
                None => Self::Other(4),
            },
            6 => Self::Uri(text()),
            7 => Self::Ip(element.content.to_vec()),
            other => Self::Other(other),
        }
    }
}

/// An address of 4 or 16 octets.
pub fn address(octets: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(octets) {
        return Some(IpAddr::from(octets));
    }
    <[u8; 16]>::try_from(octets).ok().map(IpAddr::from)
}

/// The octets of an address as iPAddress holds them.
pub fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// nameConstraints (RFC 5280 section 4.2.1.10).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NameConstraints {
    /// permittedSubtrees.
    pub permitted: Vec<GeneralName>,
    /// excludedSubtrees.
    pub excluded: Vec<GeneralName>,
    /// Marked critical.
    pub critical: bool,
}

//! `listen` in its forms.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Subsystem;
use crate::deployment::Version;
use crate::source::Located;
use crate::syntax::nginx::Directive;

/// One `listen` directive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// The address as written, or that of the default.
    pub address: Located<ListenAddress>,
    /// `ssl`, or the old `ssl on` of the server.
    pub ssl: bool,
    /// `default_server` (or `default`).
    pub default_server: bool,
    /// `quic`: HTTP/3, over UDP.
    pub quic: bool,
    /// `udp` (stream).
    pub udp: bool,
    /// `proxy_protocol`: a header before the handshake.
    pub proxy_protocol: bool,
    /// `ipv6only=off`: IPv4 as well.
    pub dual_stack: bool,
    /// ` in FILE:LINE`, as nginx names it.
    pub origin: String,
    /// It is written, not the default for a server without `listen`.
    pub written: bool,
}

/// Where a listener listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ListenAddress {
    /// An address and a port.
    Inet(IpAddr, u16),
    /// A range of ports of an address (stream).
    Range(IpAddr, u16, u16),
    /// A socket of the file system.
    Unix(String),
    /// A host name to be resolved, and a port.
    Name(String, u16),
}

/// Why nginx refuses a `listen` directive: its words, without the place.
pub(super) type Refused = String;

/// Reads `listen`; without a port, http listens on 80, the others on one that the system picks (0).
pub(super) fn read(directive: &Directive, subsystem: Subsystem, version: Version) -> Result<Listen, Refused> {
    let Some((address, parameters)) = directive.arguments.split_first() else {
        return Err("invalid number of arguments in \"listen\" directive".to_owned());
    };
    let parsed = address_of(&address.value, if subsystem == Subsystem::Http { 80 } else { 0 })
        .map_err(|why| format!("{why} in \"{}\" of the \"listen\" directive", address.value))?;
    let mut listen = Listen {
        address: Located::new(parsed, address.span),
        ssl: false,
        default_server: false,
        quic: false,
        udp: false,
        proxy_protocol: false,
        dual_stack: false,
        origin: String::new(),
        written: true,
    };
    for parameter in parameters {
        if !takes(subsystem, &parameter.value, version) {
            return Err(match subsystem {
                Subsystem::Http => format!("invalid parameter \"{}\"", parameter.value),
                Subsystem::Stream | Subsystem::Mail => {
                    format!("the invalid \"{}\" parameter", parameter.value)
                }
            });
        }
        match parameter.value.as_str() {
            "ssl" => listen.ssl = true,
            "default_server" | "default" => listen.default_server = true,
            "quic" => listen.quic = true,
            "udp" => listen.udp = true,
            "proxy_protocol" => listen.proxy_protocol = true,
            "ipv6only=off" => listen.dual_stack = true,
            _ => {}
        }
    }
    Ok(listen)
}

/// Whether a parameter exists.
fn takes(subsystem: Subsystem, parameter: &str, version: Version) -> bool {
    let name = parameter.split_once('=').map_or(parameter, |(name, _)| name);
    let valued = parameter.contains('=');
    match (name, valued) {
        ("ssl" | "proxy_protocol" | "bind", false) => true,
        ("backlog" | "rcvbuf" | "sndbuf" | "so_keepalive", true) => true,
        ("ipv6only", true) => matches!(parameter, "ipv6only=on" | "ipv6only=off"),
        ("reuseport", false) | ("fastopen", true) => subsystem != Subsystem::Mail,
        ("udp", false) => subsystem == Subsystem::Stream,
        // in stream since 1.25.5 (docs/xml/nginx/changes.xml)
        ("default_server" | "deferred", false) | ("setfib" | "accept_filter", true) => match subsystem {
            Subsystem::Http => true,
            Subsystem::Stream => version >= Version(1, 25, 5),
            Subsystem::Mail => false,
        },
        ("default" | "http2" | "spdy" | "multipath", false) => subsystem == Subsystem::Http,
        ("quic", false) => subsystem == Subsystem::Http && version >= Version(1, 25, 0),
        _ => false,
    }
}

fn address_of(text: &str, default_port: u16) -> Result<ListenAddress, &'static str> {
    if let Some(path) = text.strip_prefix("unix:") {
        let path = path.split(':').next().unwrap_or(path);
        return if path.is_empty() {
            Err("no path in the unix domain socket")
        } else {
            Ok(ListenAddress::Unix(path.to_owned()))
        };
    }
    let inet = |address: IpAddr, port: Option<&str>| {
        let port = match port {
            None => return Ok(ListenAddress::Inet(address, default_port)),
            Some(port) => port,
        };
        if let Some((first, last)) = port.split_once('-') {
            let (first, last) = (port_of(first)?, port_of(last)?);
            return if first <= last {
                Ok(ListenAddress::Range(address, first, last))
            } else {
                Err("invalid port range")
            };
        }
        Ok(ListenAddress::Inet(address, port_of(port)?))
    };
    if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']').ok_or("invalid host")?;
        let address: Ipv6Addr = address.parse().map_err(|_| "invalid IPv6 address")?;
        let port = match port {
            "" => None,
            port => Some(port.strip_prefix(':').ok_or("invalid port")?),
        };
        return inet(address.into(), port);
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    if host == "*" {
        return inet(any, port);
    }
    if port.is_none() && !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        // a port alone
        return inet(any, Some(host));
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return inet(address.into(), port);
    }
    if host.is_empty() {
        return Err("no host");
    }
    let port = match port {
        Some(port) => port_of(port)?,
        None => default_port,
    };
    Ok(if host.eq_ignore_ascii_case("localhost") {
        ListenAddress::Inet(Ipv4Addr::LOCALHOST.into(), port)
    } else {
        ListenAddress::Name(host.to_owned(), port)
    })
}

fn port_of(text: &str) -> Result<u16, &'static str> {
    text.parse::<u16>().ok().filter(|port| *port > 0).ok_or("invalid port")
}

impl ListenAddress {
    /// As nginx prints it in messages: `0.0.0.0:443`.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Inet(IpAddr::V6(address), port) => format!("[{address}]:{port}"),
            Self::Inet(address, port) => format!("{address}:{port}"),
            Self::Range(address, first, last) => format!("{address}:{first}-{last}"),
            Self::Unix(path) => format!("unix:{path}"),
            Self::Name(host, port) => format!("{host}:{port}"),
        }
    }
}

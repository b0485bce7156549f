//! A client meeting a server, and the request that goes over it.

use std::net::IpAddr;

use super::{Lookup, ProgramId};
use crate::finding::Label;
use crate::syntax::url::without_port;

/// A client endpoint meeting a server endpoint.
#[derive(Debug, Clone)]
pub struct Connection {
    /// None: callers that we do not know.
    pub client: Option<(ProgramId, usize)>,
    /// Program and index of its listener.
    pub server: Lookup<(ProgramId, usize)>,
    /// As shown: `https://etcd:2379`.
    pub url: String,
    /// The port of the URL.
    pub port: u16,
    /// The request that opens it or goes over it.
    pub request: Option<Request>,
    /// Name and kind of a server that lies outside the sources, for display.
    pub server_label: Option<String>,
    /// How the client's name led to the server (Service, Pod, hosts file), for `why` and labels.
    pub path: Vec<Label>,
}

/// A request that a command makes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// GET, POST, …
    pub method: String,
    /// The Host header or :authority.
    pub host: String,
    /// Path and query.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The address from which the server sees it come, when known.
    pub from: Option<IpAddr>,
}

impl Request {
    /// The host without its port.
    pub fn host_name(&self) -> &str {
        without_port(&self.host)
    }
}

//! nginx: what its directives mean, inherited as its modules inherit them, with defaults by version.
//!
//! [`read`] takes directives whose includes are resolved already and yields servers, locations and upstreams, each with
//! the TLS settings in force, and what nginx refuses of them before it opens a file. Facts without another source are
//! those of src/http/modules, src/stream and src/mail as of 1.22.1, each refusal seen there.

mod check;
mod choice;
mod condition;
mod directive;
mod groups;
mod listen;
mod location;
mod read;
mod scope;
mod tls;
mod unknown_variable;
mod upstream;

pub use condition::Condition;
pub use listen::{Listen, ListenAddress};
pub use location::{Header, Location, Matcher, Pass, PassKind, variables};
pub use read::{Place, read, syntax_refusal};
pub use scope::Origins;
pub use tls::{ServerTls, UpstreamTls};

use std::collections::HashMap;

use crate::deployment::Refusal;
use crate::source::{Located, Span};

/// What to do about a setting that nginx refuses, where nothing nearer is known.
pub const ASK_FIRST: &str =
    "correct the marked setting, and ask nginx -t before nginx is started or reloaded";

/// A whole configuration, or as much of it as was seen.
#[derive(Debug, Clone, Default)]
pub struct NginxConfig {
    /// `server` blocks in the order of the configuration.
    pub servers: Vec<Server>,
    /// `upstream` blocks.
    pub upstreams: Vec<Upstream>,
    /// `map` blocks whose source mentions a client certificate: the variable they set.
    pub maps: Vec<Map>,
    /// TLS commands of an outer block that an inner block replaces.
    pub dropped: Vec<Dropped>,
    /// What nginx refuses, in the order in which it notices; the first is what it prints.
    pub refusals: Vec<Noticed>,
    /// What could not be judged; completes "undetermined because …".
    pub unseen: Vec<String>,
    /// The `http` block around these files was not seen: what no server writes may be inherited from it.
    pub surroundings_unseen: bool,
}

/// A TLS command that is not inherited, for the inner block has commands of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// The outer directive: `ssl_conf_command MinProtocol TLSv1.3`.
    pub setting: Located<String>,
    /// The first of the inner ones.
    pub by: Span,
}

/// A refusal, and where nginx stands when it notices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noticed {
    /// The place it has read up to; None: it has read everything.
    pub at: Option<Span>,
    /// What it refuses.
    pub refusal: Refusal,
}

/// The subsystem that a block belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subsystem {
    /// `http`.
    Http,
    /// `stream`.
    Stream,
    /// `mail`.
    Mail,
}

/// A `server` block.
#[derive(Debug, Clone)]
pub struct Server {
    /// Where it belongs.
    pub subsystem: Subsystem,
    /// The word `server`.
    pub span: Span,
    /// ` in FILE:LINE`, as nginx names it.
    pub origin: String,
    /// Its `listen` directives; the default where there is none.
    pub listens: Vec<Listen>,
    /// `server_name`, patterns as written.
    pub names: Vec<Located<String>>,
    /// Settings of its TLS listeners.
    pub tls: ServerTls,
    /// The server itself, then its locations, nested ones after their parents.
    pub locations: Vec<Location>,
    /// `error_page` in force for requests that no location takes.
    pub error_pages: Vec<ErrorPage>,
    /// `set $name value` in it, with a value that names no variable: name without `$`, value.
    pub constants: Vec<(String, Located<String>)>,
    /// `set $name value` in it, with a value that names variables: name without `$`, value.
    pub derived: Vec<(String, Located<String>)>,
    /// Variables (without `$`) that a `set` within an `if` over the client's certificate fills.
    pub decided: Vec<String>,
    /// Variables of the client's certificate (without `$`) that it looks at or hands on, and where; logs do not count.
    pub mentions: Vec<Located<String>>,
    /// Code or a subrequest that may look at anything (Lua, njs, Perl, `auth_request`).
    pub code: Option<Span>,
    /// Includes that may say more of it; completes "undetermined because …".
    pub unseen: Vec<String>,
}

/// An `error_page`.
#[derive(Debug, Clone)]
pub struct ErrorPage {
    /// The statuses that it is for, nginx's own (495 and on) among them.
    pub codes: Vec<u16>,
    /// `=CODE`, which becomes the status; 0 for `=`: the page's own.
    pub answer: Option<u16>,
    /// What answers: a path, a named location, or a URL to which the client is sent.
    pub uri: Located<String>,
}

/// An `upstream` block.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// Where it belongs.
    pub subsystem: Subsystem,
    /// Its name.
    pub name: Located<String>,
    /// Addresses, without those marked `down`.
    pub servers: Vec<UpstreamServer>,
    /// A part of it (`balancer_by_lua`, a `zone` kept elsewhere) chooses addresses that nobody wrote.
    pub dynamic: Option<Span>,
    /// Where it is written.
    pub span: Span,
}

/// A `server` of an upstream.
#[derive(Debug, Clone)]
pub struct UpstreamServer {
    /// Host name or address, without brackets; a path for `unix:`.
    pub host: Located<String>,
    /// The port; 80 unless written.
    pub port: u16,
    /// A socket of the file system.
    pub unix: bool,
    /// It is used only when the others fail.
    pub backup: bool,
}

/// A `map` over something of the client's certificate.
#[derive(Debug, Clone)]
pub struct Map {
    /// What it looks at.
    pub source: Located<String>,
    /// The variable it sets, with `$`.
    pub variable: Located<String>,
}

/// Servers that share an address: one socket, as far as clients can tell.
#[derive(Debug, Clone)]
pub struct Group<'c> {
    /// Where they belong.
    pub subsystem: Subsystem,
    /// The address.
    pub address: ListenAddress,
    /// Index of each server, in the order of the configuration, with its `listen`.
    pub members: Vec<(usize, &'c Listen)>,
    /// Index of the server for clients that name none of the others.
    pub default: usize,
    /// Some `listen` of the address has `ssl`: then TLS is spoken for all its servers.
    pub ssl: bool,
}

impl NginxConfig {
    /// The sockets that accept TCP connections, in the order in which they are first written.
    pub fn groups(&self) -> Vec<Group<'_>> {
        // HTTP/3 and datagrams are other sockets, on which nobody here dials
        self.groups_of(|listen| !listen.quic && !listen.udp)
    }

    fn groups_of(&self, wanted: impl Fn(&Listen) -> bool) -> Vec<Group<'_>> {
        let mut groups: Vec<Group<'_>> = Vec::new();
        let mut places: HashMap<(Subsystem, &ListenAddress), usize> = HashMap::new();
        for (index, server) in self.servers.iter().enumerate() {
            for listen in server.listens.iter().filter(|listen| wanted(listen)) {
                let key = (server.subsystem, &listen.address.value);
                let place = *places.entry(key).or_insert_with(|| {
                    groups.push(Group {
                        subsystem: server.subsystem,
                        address: listen.address.value.clone(),
                        members: Vec::new(),
                        default: index,
                        ssl: false,
                    });
                    groups.len() - 1
                });
                let Some(group) = groups.get_mut(place) else { continue };
                let first_default =
                    listen.default_server && !group.members.iter().any(|(_, member)| member.default_server);
                if first_default {
                    group.default = index;
                }
                group.ssl |= listen.ssl;
                group.members.push((index, listen));
            }
        }
        groups
    }
}

/// How much of an nginx configuration a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// It can stand by itself, for it has an `http`, `stream`, `mail` or `events` block: what it includes is no
    /// configuration of its own.
    Whole,
    /// It has `server` or `upstream` blocks, and is included by another.
    Piece,
}

/// How much of an nginx configuration a file is, by its directives rather than by its name; None: it is none.
pub fn extent(path: &str, text: &str) -> Option<Extent> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let named = name.ends_with(".conf") || name.contains("nginx") || path.contains("sites-");
    if !named {
        return None;
    }
    let parsed = crate::syntax::nginx::parse(&crate::source::Text::whole(
        crate::source::FileId(0),
        std::sync::Arc::new(text.as_bytes().to_vec()),
    ));
    is_configuration(&parsed.directives).then(|| extent_of(&parsed.directives))
}

/// How much of an nginx configuration directives are.
pub fn extent_of(directives: &[crate::syntax::nginx::Directive]) -> Extent {
    let block = |name: &str| matches!(name, "events" | "http" | "stream" | "mail");
    let whole = directives.iter().any(|directive| directive.block.is_some() && block(&directive.name.value));
    if whole { Extent::Whole } else { Extent::Piece }
}

/// Which block a snippet is the content of, by what its servers hold; None where they disagree or nothing tells.
pub fn surroundings(directives: &[crate::syntax::nginx::Directive]) -> Option<Place> {
    let servers = directives.iter().filter(|directive| directive.name.value == "server");
    let mut places = servers.map(|server| {
        let block = server.block.as_deref().unwrap_or_default();
        let has = |names: &[&str]| block.iter().any(|inner| names.contains(&inner.name.value.as_str()));
        let udp = block.iter().any(|inner| {
            inner.name.value == "listen" && inner.arguments.iter().any(|argument| argument.value == "udp")
        });
        let http = has(&["location", "root", "index", "try_files", "rewrite", "if", "error_page"]);
        let stream = udp || has(&["proxy_pass", "proxy_ssl", "ssl_preread", "proxy_responses", "pass"]);
        let mail = has(&["protocol", "smtp_auth", "imap_auth", "pop3_auth", "starttls", "auth_http"]);
        match (http, stream, mail) {
            (true, false, false) | (false, false, false) => Some(Place::Http),
            (false, true, false) => Some(Place::Stream),
            (false, false, true) => Some(Place::Mail),
            _ => None,
        }
    });
    let Some(first) = places.next() else { return Some(Place::Http) };
    places.try_fold(first?, |first, place| (place == Some(first)).then_some(first))
}

/// Whether directives are those of an nginx configuration or of a snippet.
pub fn is_configuration(directives: &[crate::syntax::nginx::Directive]) -> bool {
    directives.iter().any(|directive| {
        let Some(block) = &directive.block else { return false };
        let has = |names: &[&str]| block.iter().any(|inner| names.contains(&inner.name.value.as_str()));
        match (directive.name.value.as_str(), directive.arguments.len()) {
            ("http" | "stream" | "mail" | "events", 0) => true,
            ("server", 0) => {
                has(&["listen", "server_name", "location", "root", "return", "proxy_pass", "protocol"])
            }
            ("upstream", 1) => has(&["server"]),
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests;

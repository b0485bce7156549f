//! Locations: which requests they take, where they pass them, what they say of the client's certificate.

use super::tls::UpstreamTls;
use crate::source::{Located, Span};

/// A location, or the server itself as the place of requests that no location takes.
#[derive(Debug, Clone)]
pub struct Location {
    /// Which requests it takes.
    pub matcher: Matcher,
    /// Index of the location it is nested in.
    pub parent: Option<usize>,
    /// The directive that opens it.
    pub span: Span,
    /// Where it passes requests.
    pub pass: Option<Pass>,
    /// TLS settings of the pass's family; those of `proxy` where there is no pass.
    pub tls: UpstreamTls,
    /// Request headers that it sets for the upstream (`proxy_set_header` and the like).
    pub headers: Vec<Header>,
    /// The upstream gets no header of the client's (`proxy_pass_request_headers off`).
    pub drops_headers: bool,
    /// Parameters that it hands to FastCGI, uwsgi and SCGI servers.
    pub parameters: Vec<Header>,
    /// Response headers that it adds.
    pub added: Vec<Header>,
    /// Conditions on the client's certificate in force here, those of its parents and the server included.
    pub checks: Vec<Check>,
    /// It ends every request itself (`return` without a condition).
    pub returns: Option<Span>,
    /// A request may be answered from another location, or by what one says of it (`rewrite`, `try_files`,
    /// `auth_request`).
    pub moves: bool,
    /// The status of that answer.
    pub return_code: Option<u16>,
    /// Includes that may say more of it; completes "undetermined because …".
    pub unseen: Vec<String>,
}

impl Location {
    /// Whether an include that is not seen may answer requests: one that is not called like those which only set headers
    /// and parameters.
    pub fn may_answer(&self) -> Option<&str> {
        const STOCK: [&str; 5] =
            ["proxy_params", "fastcgi_params", "fastcgi.conf", "uwsgi_params", "scgi_params"];
        let stock = |why: &&String| why.split([' ', '/']).any(|word| STOCK.contains(&word));
        self.unseen.iter().find(|why| !stock(why)).map(String::as_str)
    }
}

/// Which requests a location takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matcher {
    /// The server itself.
    Server,
    /// `location /path`: the longest one, unless a regular expression fits.
    Prefix(String),
    /// `location ^~ /path`: the longest one.
    Preferred(String),
    /// `location = /path`.
    Exact(String),
    /// `location ~` or `~*`.
    Regex {
        /// The pattern.
        pattern: String,
        /// `~*`.
        insensitive: bool,
    },
    /// `location @name`, reached from within.
    Named(String),
    /// `if (…)` in the parent.
    If(String),
    /// `limit_except METHOD…` in the parent.
    Except(Vec<String>),
}

/// A `proxy_pass` or a relative of it.
#[derive(Debug, Clone)]
pub struct Pass {
    /// Its kind.
    pub kind: PassKind,
    /// As written.
    pub written: Located<String>,
    /// Speaks TLS.
    pub tls: bool,
    /// Host name, address or upstream name, with brackets around an IPv6 address; may hold variables.
    pub host: Located<String>,
    /// The port, if written.
    pub port: Option<u16>,
    /// The port where none is written.
    pub default_port: Option<u16>,
    /// The path of a socket of the file system.
    pub unix: Option<String>,
    /// The URI behind the host, if written.
    pub uri: Option<String>,
    /// The directive.
    pub span: Span,
    /// ` in FILE:LINE`, as nginx names it.
    pub origin: String,
}

/// Which module passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassKind {
    /// `proxy_pass` in http.
    Proxy,
    /// `grpc_pass`.
    Grpc,
    /// `uwsgi_pass`.
    Uwsgi,
    /// `proxy_pass` in stream.
    Stream,
    /// `fastcgi_pass`, `scgi_pass`: never TLS.
    Plain,
}

impl PassKind {
    /// The first part of its TLS directives' names.
    pub fn family(self) -> &'static str {
        match self {
            Self::Proxy | Self::Stream | Self::Plain => "proxy",
            Self::Grpc => "grpc",
            Self::Uwsgi => "uwsgi",
        }
    }

    /// The directive that sets what the upstream gets to see: a header, or a parameter.
    pub fn header_directive(self) -> &'static str {
        match self {
            Self::Proxy | Self::Stream | Self::Plain => "proxy_set_header",
            Self::Grpc => "grpc_set_header",
            Self::Uwsgi => "uwsgi_param",
        }
    }
}

/// A header and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Name as written.
    pub name: Located<String>,
    /// Value as written.
    pub value: Located<String>,
}

/// A condition on the client's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The condition as written, without its parentheses.
    pub condition: Located<String>,
    /// It looks at `$ssl_client_verify`.
    pub of_verification: bool,
}

impl Pass {
    /// Reads the target of a pass directive.
    ///
    /// # Errors
    /// nginx's words for what it refuses, without the place.
    pub(super) fn read(
        kind: PassKind,
        written: &Located<String>,
        span: Span,
        stream_tls: bool,
    ) -> Result<Self, String> {
        let text = written.value.as_str();
        let schemes: &[(&str, bool)] = match kind {
            PassKind::Proxy => &[("https://", true), ("http://", false)],
            PassKind::Grpc => &[("grpcs://", true), ("grpc://", false)],
            PassKind::Uwsgi => &[("suwsgi://", true), ("uwsgi://", false)],
            PassKind::Stream | PassKind::Plain => &[],
        };
        let scheme = schemes.iter().find(|(scheme, _)| {
            text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        });
        let has_variables = text.contains('$');
        if kind == PassKind::Proxy && scheme.is_none() && !has_variables {
            return Err("invalid URL prefix".to_owned());
        }
        // with a variable nginx parses nothing before there is a request (ngx_http_script_variables_count)
        let refused = |log: String| if has_variables { Ok(None) } else { Err(log) };
        let skipped = scheme.map_or(0, |(scheme, _)| scheme.len());
        let rest = text.get(skipped..).unwrap_or_default();
        let tls = scheme.map_or(stream_tls, |(_, tls)| *tls);
        let default_port = match (kind, tls) {
            (PassKind::Proxy, true) => Some(443),
            (PassKind::Proxy, false) => Some(80),
            _ => None,
        };
        let mut pass = Self {
            kind,
            written: written.clone(),
            tls,
            host: Located::new(String::new(), written.span),
            port: None,
            default_port,
            unix: None,
            uri: None,
            span,
            origin: String::new(),
        };
        if scheme.is_none() && text.split_once("://").is_some_and(|(scheme, _)| scheme.contains('$')) {
            pass.host.value = text.to_owned();
            return Ok(pass);
        }
        if let Some(path) = rest.strip_prefix("unix:") {
            let (path, uri) = path.split_once(':').map_or((path, None), |(path, uri)| (path, Some(uri)));
            pass.unix = Some(path.to_owned());
            pass.uri = uri.map(str::to_owned);
            // "localhost" is what nginx sends as Host for a socket
            pass.host.value = "localhost".to_owned();
            return Ok(pass);
        }
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, uri) = rest.split_at(at);
        pass.uri = (!uri.is_empty()).then(|| uri.to_owned());
        let colon = match authority.rfind(']') {
            Some(bracket) => {
                authority.get(bracket..).and_then(|after| after.find(':')).map(|at| at + bracket)
            }
            None => authority.find(':'),
        };
        let (host, port) = match colon {
            Some(colon) => (authority.get(..colon).unwrap_or(authority), authority.get(colon + 1..)),
            None => (authority, None),
        };
        if host.is_empty() && !has_variables {
            return Err(format!("no host in upstream \"{rest}\""));
        }
        pass.port = match port {
            Some(port) if !port.contains('$') => match port.parse::<u16>().ok().filter(|port| *port > 0) {
                None => refused(format!("invalid port in upstream \"{rest}\""))?,
                port => port,
            },
            Some(_) => {
                pass.host.value = authority.to_owned();
                return Ok(pass);
            }
            None => None,
        };
        pass.host.value = host.to_owned();
        Ok(pass)
    }

    /// It may speak TLS: a target with variables may turn out to be https, and nginx prepares for it.
    pub(super) fn prepares_tls(&self) -> bool {
        let by_scheme = matches!(self.kind, PassKind::Proxy | PassKind::Grpc | PassKind::Uwsgi);
        self.tls || (by_scheme && self.written.value.contains('$'))
    }

    /// The same with variables replaced by their constant values; itself where it has none; None where some are unknown.
    pub fn resolved(&self, constants: &[(String, Located<String>)]) -> Option<Self> {
        let names = variables(&self.written.value);
        if self.variables().is_empty() {
            return Some(self.clone());
        }
        let mut text = self.written.value.clone();
        for name in names {
            let known = constants.iter().find(|(constant, _)| constant == name);
            if let Some((_, value)) = known {
                text = text.replace(&format!("${{{name}}}"), &value.value);
                text = replace_variable(&text, name, &value.value);
            }
        }
        let written = Located::new(text, self.written.span);
        let resolved = Self::read(self.kind, &written, self.span, self.tls).ok()?;
        resolved.variables().is_empty().then_some(resolved)
    }

    /// Names of the variables that its host and port hold, without `$`.
    pub fn variables(&self) -> Vec<&str> {
        variables(&self.host.value)
    }
}

/// Replaces `$name` where it is not the beginning of a longer name.
fn replace_variable(text: &str, name: &str, value: &str) -> String {
    let mark = format!("${name}");
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(&mark) {
        let (before, after) = (rest.get(..at), rest.get(at + mark.len()..).unwrap_or_default());
        out.push_str(before.unwrap_or_default());
        let longer = after.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_');
        out.push_str(if longer { &mark } else { value });
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Names of the variables in a text, without `$`: `$name` and `${name}`.
pub fn variables(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        rest = rest.get(at + 1..).unwrap_or_default();
        let name = match rest.strip_prefix('{') {
            Some(braced) => braced.split('}').next().unwrap_or_default(),
            None => {
                let end = rest
                    .find(|character: char| !(character.is_ascii_alphanumeric() || character == '_'))
                    .unwrap_or(rest.len());
                rest.get(..end).unwrap_or_default()
            }
        };
        if !name.is_empty() {
            names.push(name);
        }
    }
    names
}

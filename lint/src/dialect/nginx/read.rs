//! The walk over a configuration: what every block means, and what nginx refuses on the way.

use std::collections::BTreeMap;

use super::directive::{self, Places};
use super::listen::{self, Listen, ListenAddress};
use super::location::{Check, Header, Location, Matcher, Pass, PassKind, variables};
use super::scope::{Origins, Scope};
use super::tls::{ServerTls, UpstreamTls};
use super::{Dropped, Map, NginxConfig, Server, Snippet, Subsystem};
use crate::deployment::{Refusal, Version};
use crate::finding::Label;
use crate::source::{FileId, Located, Span, Text};
use crate::syntax::nginx::{self, Directive};

/// Reads directives, includes resolved, as the content of a whole configuration (`place` is [`Place::Main`]) or of a block.
pub fn read(directives: &[Directive], place: Place, origins: &Origins, version: Version) -> NginxConfig {
    let mut reader = Reader::new(origins, version);
    let start =
        directives.first().map_or(Span { file: FileId(0), start: 0, end: 0 }, |first| first.name.span);
    let scope = Scope::default().within(directives, start, false);
    let subsystem = match place {
        Place::Main => {
            reader.main(directives, &scope);
            None
        }
        Place::Http => {
            reader.http(directives, &scope);
            Some(Subsystem::Http)
        }
        Place::Stream => {
            reader.stream(directives, &scope);
            Some(Subsystem::Stream)
        }
    };
    if let Some(subsystem) = subsystem {
        reader.check_upstreams(subsystem);
        reader.check_groups(subsystem);
    }
    reader.finish(directives)
}

/// The block that a text is the content of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The outermost.
    Main,
    /// `http`.
    Http,
    /// `stream`.
    Stream,
}

/// Reads a piece of configuration that goes into a `server` block (or around one), as APISIX's and ingress-nginx's
/// snippets do.
pub fn snippet(text: &Text, version: Version) -> Snippet {
    let parsed = nginx::parse(text);
    let origins = Origins::default();
    let mut reader = Reader::new(&origins, version);
    let scope = Scope::default().within(&parsed.directives, text.full_span(), true);
    // a place where every TLS directive may stand: which block it is, the caller knows
    reader.check_all(&parsed.directives, Places::MAX);
    let server = ServerTls::read(&scope, version);
    let upstream = UpstreamTls::read(&scope, "proxy", version);
    let mut refusals: Vec<Refusal> =
        parsed.problems.iter().map(|problem| syntax_refusal(problem, "")).collect();
    refusals.extend(reader.finish(&parsed.directives).refusals.into_iter().map(|noticed| noticed.refusal));
    Snippet { server, upstream, directives: parsed.directives, refusals }
}

/// A mistake of the grammar as a refusal.
pub fn syntax_refusal(problem: &nginx::Problem, place: &str) -> Refusal {
    Refusal {
        rule: "refused-syntax",
        message: problem.message.clone(),
        labels: vec![Label { span: problem.span, message: String::new() }],
        log: Some(format!("[emerg] {}{place}", problem.log)),
    }
}

/// A walk over one configuration.
pub(super) struct Reader<'o> {
    pub(super) version: Version,
    pub(super) origins: &'o Origins,
    pub(super) config: NginxConfig,
    /// Refusals that nginx notices as it reads: the directive, and whether at its end.
    pub(super) early: Vec<(*const Directive, bool, Refusal)>,
    /// Refusals that nginx notices after it has read everything.
    pub(super) late: Vec<Refusal>,
    /// An include is left whose files lie outside the sources.
    pub(super) partial: bool,
}

impl<'o> Reader<'o> {
    fn new(origins: &'o Origins, version: Version) -> Self {
        Self {
            version,
            origins,
            config: NginxConfig::default(),
            early: Vec::new(),
            late: Vec::new(),
            partial: false,
        }
    }

    fn main(&mut self, directives: &[Directive], scope: &Scope<'_>) {
        self.check_all(directives, directive::MAIN);
        let mut has_events = false;
        for directive in directives {
            let Some(block) = &directive.block else { continue };
            let inner = scope.within(block, directive.name.span, false);
            match directive.name.value.as_str() {
                "http" => {
                    self.http(block, &inner);
                    self.settle(directive, Subsystem::Http);
                }
                "stream" => {
                    self.stream(block, &inner);
                    self.settle(directive, Subsystem::Stream);
                }
                "mail" => {
                    self.mail(block, &inner);
                    self.settle(directive, Subsystem::Mail);
                }
                "events" => has_events = true,
                _ => {}
            }
        }
        if !has_events && !directives.iter().any(is_include) {
            let span = directives.first().map_or(scope.span(), |first| first.name.span);
            self.late.push(Refusal {
                rule: "refused-setting",
                message: "nginx needs an events block; write `events {}`".to_owned(),
                labels: vec![Label { span, message: String::new() }],
                log: Some("[emerg] no \"events\" section in configuration".to_owned()),
            });
        }
    }

    fn http(&mut self, directives: &[Directive], scope: &Scope<'_>) {
        self.check_all(directives, directive::HTTP);
        for directive in directives {
            let Some(block) = &directive.block else { continue };
            match (directive.name.value.as_str(), directive.arguments.as_slice()) {
                ("server", _) => {
                    let inner = scope.within(block, directive.name.span, true);
                    self.http_server(directive, block, &inner);
                }
                ("upstream", [name, ..]) => self.upstream(directive, name, block, Subsystem::Http),
                ("map", [source, variable]) if source.value.contains("$ssl_client") => {
                    self.config.maps.push(Map { source: source.clone(), variable: variable.clone() });
                }
                _ => {}
            }
        }
    }

    fn stream(&mut self, directives: &[Directive], scope: &Scope<'_>) {
        self.check_all(directives, directive::STREAM);
        for directive in directives {
            let Some(block) = &directive.block else { continue };
            match (directive.name.value.as_str(), directive.arguments.as_slice()) {
                ("server", _) => {
                    let inner = scope.within(block, directive.name.span, true);
                    self.stream_server(directive, block, &inner);
                }
                ("upstream", [name, ..]) => self.upstream(directive, name, block, Subsystem::Stream),
                _ => {}
            }
        }
    }

    fn mail(&mut self, directives: &[Directive], scope: &Scope<'_>) {
        self.check_all(directives, directive::MAIL);
        for directive in directives {
            let (Some(block), "server") = (&directive.block, directive.name.value.as_str()) else { continue };
            let inner = scope.within(block, directive.name.span, true);
            self.check_all(block, directive::MAIL_SERVER);
            self.server(directive, &inner, Subsystem::Mail, Vec::new());
        }
    }

    fn http_server(&mut self, directive: &Directive, block: &[Directive], scope: &Scope<'_>) {
        self.check_all(block, directive::SERVER);
        let mut locations = Vec::new();
        self.location(&mut locations, directive, block, scope, Matcher::Server, None, directive::SERVER);
        self.server(directive, scope, Subsystem::Http, locations);
    }

    fn stream_server(&mut self, directive: &Directive, block: &[Directive], scope: &Scope<'_>) {
        self.check_all(block, directive::STREAM_SERVER);
        let mut locations = Vec::new();
        self.location(
            &mut locations,
            directive,
            block,
            scope,
            Matcher::Server,
            None,
            directive::STREAM_SERVER,
        );
        let listens = block.iter().any(|inner| inner.name.value == "listen" || is_include(inner));
        if !listens {
            let log = "no \"listen\" is defined for server";
            self.refuse_at_end(
                "refused-setting",
                &format!("{log}; write `listen PORT;`"),
                directive,
                log,
                directive.line,
            );
        }
        // a handler became optional with 1.27.1
        let handled = ["proxy_pass", "return", "pass"].iter().any(|name| !scope.all(name).is_empty())
            || block
                .iter()
                .any(|inner| inner.name.value.contains("_by_lua") || inner.name.value.starts_with("js_"));
        if !handled && self.version < Version(1, 27, 1) && !block.iter().any(is_include) {
            let place = self.origins.place(directive.span, directive.line);
            self.late.push(super::check::refusal(
                "refused-setting",
                "this stream server has nothing to do with a connection; write `proxy_pass HOST:PORT;`",
                directive.name.span,
                format!("no handler for server{place}"),
            ));
        }
        self.server(directive, scope, Subsystem::Stream, locations);
    }

    fn server(
        &mut self,
        directive: &Directive,
        scope: &Scope<'_>,
        subsystem: Subsystem,
        locations: Vec<Location>,
    ) {
        self.note_dropped(scope, "ssl_conf_command");
        let tls = ServerTls::read(scope, self.version);
        let block = directive.block.as_deref().unwrap_or_default();
        let mut listens: Vec<Listen> = Vec::new();
        for directive in block.iter().filter(|directive| directive.name.value == "listen") {
            match listen::read(directive, subsystem, self.version) {
                Ok(mut listen) => {
                    listen.origin = self.origins.place(directive.span, directive.line);
                    listen.ssl |= *tls.ssl.value() && self.version < Version(1, 25, 1);
                    // the same address with `quic` beside it is another socket
                    let twice = |other: &Listen| {
                        other.address.value == listen.address.value && other.quic == listen.quic
                    };
                    if listens.iter().any(twice) {
                        let log = format!("a duplicate listen {}", listen.address.value.shown());
                        self.refuse(
                            "duplicate-directive",
                            "this server listens twice at one address; delete one of the two",
                            directive,
                            &log,
                        );
                    } else {
                        listens.push(listen);
                    }
                }
                Err(log) => self.refuse("refused-setting", &log.clone(), directive, &log),
            }
        }
        if listens.is_empty()
            && subsystem == Subsystem::Http
            && !block.iter().any(|inner| inner.name.value == "listen")
        {
            let any = std::net::Ipv4Addr::UNSPECIFIED.into();
            listens.push(Listen {
                address: Located::new(ListenAddress::Inet(any, 80), directive.name.span),
                ssl: *tls.ssl.value() && self.version < Version(1, 25, 1),
                default_server: false,
                quic: false,
                udp: false,
                proxy_protocol: false,
                dual_stack: false,
                origin: String::new(),
                written: false,
            });
        }
        let names = block
            .iter()
            .filter(|directive| directive.name.value == "server_name")
            .flat_map(|directive| directive.arguments.iter().cloned())
            .collect();
        let mut sets = BTreeMap::new();
        collect_sets(block, &mut sets);
        let constants = sets.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let mut mentions = Vec::new();
        let mut code = None;
        collect_mentions(block, &mut mentions, &mut code);
        let server = Server {
            mentions,
            code,
            unseen: scope.left_includes(),
            subsystem,
            span: directive.name.span,
            origin: self.origins.place(directive.span, directive.line),
            listens,
            names,
            tls,
            locations,
            constants,
        };
        self.check_server(&server);
        self.config.servers.push(server);
    }

    /// Bounds of protocol and cipher that an outer block sets by command, and that this block's commands replace.
    fn note_dropped(&mut self, scope: &Scope<'_>, name: &str) {
        let Some((outer, own)) = scope.replaced(name) else { return };
        let command = |directive: &Directive| {
            directive.arguments.first().map(|word| word.value.to_ascii_lowercase()).unwrap_or_default()
        };
        let Some(by) = own.first().map(|directive| directive.span) else { return };
        for directive in outer {
            let bound = command(directive);
            let bounds = ["minprotocol", "maxprotocol", "cipherstring", "ciphersuites"];
            if !bounds.contains(&bound.as_str()) || own.iter().any(|other| command(other) == bound) {
                continue;
            }
            let words: Vec<&str> = directive.arguments.iter().map(|word| word.value.as_str()).collect();
            let setting = Located::new(format!("{name} {}", words.join(" ")), directive.span);
            self.config.dropped.push(Dropped { setting, by });
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn location(
        &mut self,
        locations: &mut Vec<Location>,
        opening: &Directive,
        block: &[Directive],
        scope: &Scope<'_>,
        matcher: Matcher,
        parent: Option<usize>,
        place: Places,
    ) {
        let mut pass = None;
        for directive in block {
            let kind = match directive.name.value.as_str() {
                "proxy_pass" if place == directive::STREAM_SERVER => PassKind::Stream,
                "proxy_pass" => PassKind::Proxy,
                "grpc_pass" => PassKind::Grpc,
                "uwsgi_pass" => PassKind::Uwsgi,
                "fastcgi_pass" | "scgi_pass" => PassKind::Plain,
                _ => continue,
            };
            if place == directive::SERVER {
                continue; // refused already
            }
            let Some(target) = directive.arguments.first() else { continue };
            let stream_tls = kind == PassKind::Stream && *scope.flag("proxy_ssl", false).value();
            match Pass::read(kind, target, directive.span, stream_tls) {
                Ok(mut read) => {
                    read.origin = self.origins.place(directive.span, directive.line);
                    pass = Some(read);
                }
                Err(log) => self.refuse("refused-setting", &log.clone(), directive, &log),
            }
        }
        let family = pass.as_ref().map_or("proxy", |pass: &Pass| pass.kind.family());
        self.note_dropped(scope, &format!("{family}_ssl_conf_command"));
        let tls = UpstreamTls::read(scope, family, self.version);
        if let Some(pass) = &pass {
            // a target with variables may turn out to be https: nginx prepares for it
            if pass.tls || (pass.kind == PassKind::Proxy && pass.written.value.contains('$')) {
                self.check_upstream_tls(&tls);
            }
        }
        let set_header = if family == "grpc" { "grpc_set_header" } else { "proxy_set_header" };
        let mut checks: Vec<Check> = parent
            .and_then(|index| locations.get(index))
            .map(|parent| parent.checks.clone())
            .unwrap_or_default();
        checks.extend(block.iter().filter(|inner| inner.name.value == "if").filter_map(check_of));
        let index = locations.len();
        locations.push(Location {
            unseen: scope.left_includes(),
            matcher,
            parent,
            span: opening.name.span,
            pass,
            tls,
            headers: headers(scope.all(set_header)),
            added: headers(scope.all("add_header")),
            checks,
            returns: block.iter().find(|inner| inner.name.value == "return").map(|inner| inner.span),
        });
        let mut taken = std::collections::HashSet::new();
        for directive in block {
            let Some(inner) = &directive.block else { continue };
            let words: Vec<&str> = directive.arguments.iter().map(|word| word.value.as_str()).collect();
            if directive.name.value == "location"
                && let Some(matcher) = location_matcher(&words)
            {
                let outer = locations.get(index).map(|outer| &outer.matcher);
                if let Some(log) = outer.and_then(|outer| misplaced(outer, &matcher)) {
                    self.refuse("refused-setting", &log.clone(), directive, &log);
                }
                if let (Some(path), false) = (plain_path(&matcher), matches!(matcher, Matcher::Regex { .. }))
                    && !taken.insert((matches!(matcher, Matcher::Exact(_)), path.to_owned()))
                {
                    let place = self.origins.place(directive.span, directive.line);
                    let log = format!("duplicate location \"{path}\"");
                    self.late.push(super::check::refusal(
                        "duplicate-directive",
                        format!("{log}; delete one of the two"),
                        directive.name.span,
                        format!("{log}{place}"),
                    ));
                }
            }
            let (matcher, inner_place) = match directive.name.value.as_str() {
                "location" => match location_matcher(&words) {
                    Some(matcher) => (matcher, directive::LOCATION),
                    None => {
                        let log = match words.first() {
                            Some(modifier) if words.len() == 2 => {
                                format!("invalid location modifier \"{modifier}\"")
                            }
                            _ => "invalid number of arguments in \"location\" directive".to_owned(),
                        };
                        self.refuse("refused-setting", &log.clone(), directive, &log);
                        continue;
                    }
                },
                "if" => {
                    let place = if place == directive::SERVER {
                        directive::SERVER_IF
                    } else {
                        directive::LOCATION_IF
                    };
                    (Matcher::If(words.join(" ")), place)
                }
                "limit_except" => (
                    Matcher::Except(words.iter().map(|word| (*word).to_owned()).collect()),
                    directive::LIMIT_EXCEPT,
                ),
                _ => continue,
            };
            self.check_all(inner, inner_place);
            let inner_scope = scope.within(inner, directive.name.span, true);
            self.location(locations, directive, inner, &inner_scope, matcher, Some(index), inner_place);
        }
    }
}

pub(super) fn is_include(directive: &Directive) -> bool {
    directive.name.value == "include"
}

fn location_matcher(words: &[&str]) -> Option<Matcher> {
    let (modifier, pattern) = match words {
        [modifier, pattern] => (*modifier, (*pattern).to_owned()),
        // the modifier may be glued to the pattern
        [word] => {
            let modifier = ["^~", "~*", "=", "~"].into_iter().find(|modifier| word.starts_with(modifier));
            let modifier = modifier.unwrap_or_default();
            (modifier, word.get(modifier.len()..).unwrap_or_default().to_owned())
        }
        _ => return None,
    };
    match modifier {
        "" if pattern.starts_with('@') => Some(Matcher::Named(pattern)),
        "" => Some(Matcher::Prefix(pattern)),
        "=" => Some(Matcher::Exact(pattern)),
        "^~" => Some(Matcher::Preferred(pattern)),
        "~" => Some(Matcher::Regex { pattern, insensitive: false }),
        "~*" => Some(Matcher::Regex { pattern, insensitive: true }),
        _ => None,
    }
}

/// The path, pattern or name of a location.
fn plain_path(matcher: &Matcher) -> Option<&str> {
    match matcher {
        Matcher::Prefix(path) | Matcher::Preferred(path) | Matcher::Exact(path) | Matcher::Named(path) => {
            Some(path)
        }
        Matcher::Regex { pattern, .. } => Some(pattern),
        Matcher::Server | Matcher::If(_) | Matcher::Except(_) => None,
    }
}

/// nginx's words for a location that cannot stand within another (ngx_http_core_location).
fn misplaced(outer: &Matcher, inner: &Matcher) -> Option<String> {
    let (outside, inside) = (plain_path(outer)?, plain_path(inner)?);
    match (outer, inner) {
        (Matcher::Exact(_), _) => {
            Some(format!("location \"{inside}\" cannot be inside the exact location \"{outside}\""))
        }
        (Matcher::Named(_), _) => {
            Some(format!("location \"{inside}\" cannot be inside the named location \"{outside}\""))
        }
        (_, Matcher::Named(_)) => {
            Some(format!("named location \"{inside}\" can be on the server level only"))
        }
        (_, Matcher::Regex { .. }) => None,
        _ if inside.starts_with(outside) => None,
        _ => Some(format!("location \"{inside}\" is outside location \"{outside}\"")),
    }
}

fn headers(directives: &[&Directive]) -> Vec<Header> {
    directives
        .iter()
        .filter_map(|directive| match directive.arguments.as_slice() {
            [name, value, ..] => Some(Header { name: name.clone(), value: value.clone() }),
            _ => None,
        })
        .collect()
}

/// The condition of an `if` that looks at the client's certificate.
fn check_of(directive: &Directive) -> Option<Check> {
    let words: Vec<&str> = directive.arguments.iter().map(|word| word.value.as_str()).collect();
    let condition = words.join(" ");
    let names = variables(&condition);
    names.iter().any(|name| name.starts_with("ssl_client_")).then(|| Check {
        of_verification: names.contains(&"ssl_client_verify"),
        condition: Located::new(condition.trim_matches(['(', ')']).to_owned(), directive.span),
    })
}

/// Variables of the client's certificate at any depth, and code.
fn collect_mentions(block: &[Directive], mentions: &mut Vec<Located<String>>, code: &mut Option<Span>) {
    for directive in block {
        let name = directive.name.value.as_str();
        if matches!(name, "access_log" | "log_format" | "error_log") {
            continue;
        }
        let is_code = name.contains("_by_lua") || name.starts_with("js_") || name.starts_with("perl");
        if is_code || name == "auth_request" {
            *code = code.or(Some(directive.span));
        }
        for argument in &directive.arguments {
            let names = variables(&argument.value).into_iter().filter(|name| name.starts_with("ssl_client_"));
            mentions.extend(names.map(|name| Located::new(name.to_owned(), argument.span)));
        }
        collect_mentions(directive.block.as_deref().unwrap_or_default(), mentions, code);
    }
}

/// `set` directives at any depth: a name set twice to different values, or with a variable, has no constant value.
fn collect_sets(block: &[Directive], sets: &mut BTreeMap<String, Option<Located<String>>>) {
    for directive in block {
        if let ("set", [name, value]) = (directive.name.value.as_str(), directive.arguments.as_slice()) {
            let name = name.value.trim_start_matches('$').to_owned();
            let value = (!value.value.contains('$')).then(|| value.clone());
            sets.entry(name)
                .and_modify(|known| {
                    if known.as_ref().map(|known| &known.value) != value.as_ref().map(|value| &value.value) {
                        *known = None;
                    }
                })
                .or_insert(value);
        } else if (directive.name.value.starts_with("set_by_") || directive.name.value == "map")
            && let Some(name) = directive.arguments.first()
        {
            sets.insert(name.value.trim_start_matches('$').to_owned(), None);
        }
        if let Some(inner) = &directive.block {
            collect_sets(inner, sets);
        }
    }
}

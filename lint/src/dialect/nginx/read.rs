//! The walk over a configuration: what every block means, and what nginx refuses on the way.

use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

use super::directive::{self, Places, Takes};
use super::listen::{self, Listen, ListenAddress};
use super::location::{Check, Header, Location, Matcher, Pass, PassKind, variables};
use super::tls::{ServerTls, UpstreamTls};
use super::{Map, NginxConfig, Server, Snippet, Subsystem, Upstream, UpstreamServer};
use crate::deployment::{ClientAuthMode, Refusal, Setting, Version};
use crate::finding::Label;
use crate::source::{FileId, Located, Span, Text};
use crate::syntax::nginx::{self, Directive};

/// Which file of the machine a directive stands in, for nginx's own words.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    /// First byte of a text in the sources → last byte and the path under which nginx reads it.
    texts: BTreeMap<(FileId, u32), (u32, String)>,
}

impl Origins {
    /// Notes that a text is read as this file.
    pub fn add(&mut self, text: &Text, path: &str) {
        let span = text.full_span();
        self.texts.insert((span.file, span.start), (span.end, path.to_owned()));
    }

    /// ` in FILE:LINE`, or nothing where the file is not known.
    pub fn place(&self, span: Span, line: usize) -> String {
        self.texts
            .range(..=(span.file, span.start))
            .next_back()
            .filter(|((file, _), (end, _))| *file == span.file && span.start <= *end)
            .map(|(_, (_, path))| format!(" in {path}:{line}"))
            .unwrap_or_default()
    }
}

/// Directives of one block by their names.
struct Level<'d> {
    by_name: BTreeMap<&'d str, Vec<&'d Directive>>,
    span: Span,
    /// A `server` or a block within it.
    in_server: bool,
}

/// A block and those around it, innermost last.
#[derive(Clone)]
pub(super) struct Scope<'d> {
    levels: Vec<Rc<Level<'d>>>,
}

impl<'d> Scope<'d> {
    fn within(&self, directives: &'d [Directive], span: Span, in_server: bool) -> Self {
        let mut by_name: BTreeMap<&str, Vec<&Directive>> = BTreeMap::new();
        for directive in directives {
            by_name.entry(directive.name.value.as_str()).or_default().push(directive);
        }
        let mut levels = self.levels.clone();
        levels.push(Rc::new(Level { by_name, span, in_server }));
        Self { levels }
    }

    /// The block's opening.
    pub(super) fn span(&self) -> Span {
        self.levels.last().map_or(Span { file: FileId(0), start: 0, end: 0 }, |level| level.span)
    }

    /// All directives of a name of the nearest level that has one: arrays are replaced, not added to.
    pub(super) fn all(&self, name: &str) -> &[&'d Directive] {
        self.levels.iter().rev().find_map(|level| level.by_name.get(name)).map_or(&[], Vec::as_slice)
    }

    /// The directive in force.
    pub(super) fn last(&self, name: &str) -> Option<&'d Directive> {
        self.all(name).first().copied()
    }

    /// The only word of the directive in force.
    pub(super) fn word(&self, name: &str) -> Option<Located<String>> {
        self.last(name)?.arguments.first().cloned()
    }

    /// The file of the directive in force; an empty name means none.
    pub(super) fn path(&self, name: &str) -> Option<Located<String>> {
        self.word(name).filter(|word| !word.value.is_empty())
    }

    /// The first words of all directives in force.
    pub(super) fn words(&self, name: &str) -> Vec<Located<String>> {
        self.all(name).iter().filter_map(|directive| directive.arguments.first().cloned()).collect()
    }

    /// A setting; a word that nginx refuses counts as not written (the refusal says so).
    pub(super) fn setting<T>(&self, name: &str, default: T, parse: impl Fn(&str) -> Option<T>) -> Setting<T> {
        let given = self.last(name).and_then(|directive| {
            let value = parse(&directive.arguments.first()?.value)?;
            Some(Located::new(value, directive.span))
        });
        match given {
            Some(given) => Setting::Given(given),
            None => Setting::Default { value: default, parent: self.span() },
        }
    }

    /// A flag.
    pub(super) fn flag(&self, name: &str, default: bool) -> Setting<bool> {
        self.setting(name, default, |word| match word.to_ascii_lowercase().as_str() {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        })
    }

    /// The first directive, of any level, whose name starts so.
    pub(super) fn first_with_prefix(&self, prefix: &str) -> Option<Span> {
        self.levels.iter().rev().find_map(|level| {
            let (name, directives) = level.by_name.range(prefix..).next()?;
            name.starts_with(prefix).then(|| directives.first().map(|directive| directive.span)).flatten()
        })
    }

    /// Includes left in this block and those around it, whose files lie outside the sources and may say more.
    ///
    /// A pattern outside of servers (`include conf.d/*.conf`) brings other servers, and is not counted.
    pub(super) fn left_includes(&self) -> Vec<String> {
        let left = self.levels.iter().flat_map(|level| {
            level.by_name.get("include").into_iter().flatten().filter_map(|directive| {
                let path = directive.arguments.first()?;
                let pattern = path.value.contains(['*', '?', '[']);
                (level.in_server || !pattern)
                    .then(|| format!("the included {} lies outside the sources", path.value))
            })
        });
        left.collect()
    }

    /// Lua that runs during the handshake.
    pub(super) fn handshake_code(&self) -> Option<Span> {
        self.levels.iter().rev().find_map(|level| {
            level
                .by_name
                .range("ssl_c"..)
                .take_while(|(name, _)| name.starts_with("ssl_c"))
                .find(|(name, _)| directive::decides_handshake(name))
                .and_then(|(_, directives)| directives.first().map(|directive| directive.span))
        })
    }
}

/// Reads directives, includes resolved, as the content of a whole configuration (`place` is [`Place::Main`]) or of a block.
pub fn read(directives: &[Directive], place: Place, origins: &Origins, version: Version) -> NginxConfig {
    let mut reader =
        Reader { version, origins, config: NginxConfig::default(), late: Vec::new(), partial: false };
    let start =
        directives.first().map_or(Span { file: FileId(0), start: 0, end: 0 }, |first| first.name.span);
    let scope = Scope { levels: Vec::new() }.within(directives, start, false);
    match place {
        Place::Main => reader.main(directives, &scope),
        Place::Http => reader.http(directives, &scope),
        Place::Stream => reader.stream(directives, &scope),
    }
    reader.check_upstreams();
    reader.check_groups();
    reader.config.refusals.append(&mut reader.late);
    reader.config
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
    let mut reader = Reader {
        version,
        origins: &origins,
        config: NginxConfig::default(),
        late: Vec::new(),
        partial: false,
    };
    let scope = Scope { levels: Vec::new() }.within(&parsed.directives, text.full_span(), true);
    // a place where every TLS directive may stand: which block it is, the caller knows
    reader.check_all(&parsed.directives, Places::MAX);
    let server = ServerTls::read(&scope, version);
    let upstream = UpstreamTls::read(&scope, "proxy", version);
    let mut refusals: Vec<Refusal> =
        parsed.problems.iter().map(|problem| syntax_refusal(problem, "")).collect();
    refusals.append(&mut reader.config.refusals);
    Snippet { server, upstream, directives: parsed.directives, refusals }
}

/// A mistake of the grammar as a refusal.
pub fn syntax_refusal(problem: &nginx::Problem, place: &str) -> Refusal {
    Refusal {
        rule: "refused-syntax",
        message: format!("nginx refuses this configuration: {}", problem.message),
        labels: vec![Label { span: problem.span, message: String::new() }],
        log: Some(format!("[emerg] {}{place}", problem.log)),
    }
}

struct Reader<'o> {
    version: Version,
    origins: &'o Origins,
    config: NginxConfig,
    /// Refusals that nginx notices after it has read everything.
    late: Vec<Refusal>,
    /// An include is left whose files lie outside the sources.
    partial: bool,
}

impl Reader<'_> {
    fn main(&mut self, directives: &[Directive], scope: &Scope<'_>) {
        self.check_all(directives, directive::MAIN);
        let mut has_events = false;
        for directive in directives {
            let Some(block) = &directive.block else { continue };
            let inner = scope.within(block, directive.name.span, false);
            match directive.name.value.as_str() {
                "http" => self.http(block, &inner),
                "stream" => self.stream(block, &inner),
                "mail" => self.mail(block, &inner),
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
            let default_port = inner.word("protocol").and_then(|protocol| match protocol.value.as_str() {
                "imap" => Some(143),
                "pop3" => Some(110),
                "smtp" => Some(25),
                _ => None,
            });
            self.server(directive, &inner, Subsystem::Mail, default_port, Vec::new());
        }
    }

    fn http_server(&mut self, directive: &Directive, block: &[Directive], scope: &Scope<'_>) {
        self.check_all(block, directive::SERVER);
        let mut locations = Vec::new();
        self.location(&mut locations, directive, block, scope, Matcher::Server, None, directive::SERVER);
        self.server(directive, scope, Subsystem::Http, Some(80), locations);
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
        // a handler became optional with 1.27.1
        let handled = ["proxy_pass", "return", "pass"].iter().any(|name| !scope.all(name).is_empty())
            || block
                .iter()
                .any(|inner| inner.name.value.contains("_by_lua") || inner.name.value.starts_with("js_"));
        if !handled && self.version < Version(1, 27, 1) && !block.iter().any(is_include) {
            let place = self.origins.place(directive.span, directive.line);
            self.late.push(refusal(
                "refused-setting",
                "this stream server has nothing to do with a connection; write `proxy_pass HOST:PORT;`",
                directive.name.span,
                format!("no handler for server{place}"),
            ));
        }
        self.server(directive, scope, Subsystem::Stream, None, locations);
    }

    fn server(
        &mut self,
        directive: &Directive,
        scope: &Scope<'_>,
        subsystem: Subsystem,
        default_port: Option<u16>,
        locations: Vec<Location>,
    ) {
        let tls = ServerTls::read(scope, self.version);
        let block = directive.block.as_deref().unwrap_or_default();
        let mut listens: Vec<Listen> = Vec::new();
        for directive in block.iter().filter(|directive| directive.name.value == "listen") {
            match listen::read(directive, default_port, self.version) {
                Ok(mut listen) => {
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
        let server = Server {
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

    /// What ngx_http_ssl_merge_srv_conf and its siblings in stream and mail refuse.
    fn check_server(&mut self, server: &Server) {
        let tls = &server.tls;
        if tls.certificates.is_empty() && !*tls.reject_handshake.value() {
            return;
        }
        if let Some(certificate) = tls.certificates.get(tls.keys.len()..).and_then(<[_]>::last) {
            let listens = server.listens.iter().any(|listen| listen.ssl);
            // stream and mail got http's words with virtual servers in stream (1.25.5)
            let old_words = server.subsystem != Subsystem::Http
                && listens
                && self.version < Version(1, 25, 5)
                && tls.keys.is_empty();
            let log = if old_words {
                format!(
                    "no \"ssl_certificate_key\" is defined for the \"listen ... ssl\" directive{}",
                    server.origin
                )
            } else {
                format!("no \"ssl_certificate_key\" is defined for certificate \"{}\"", certificate.value)
            };
            self.late.push(refusal(
                "certificate-without-key",
                format!(
                    "certificate {} has no private key: {} ssl_certificate and {} ssl_certificate_key are in force; \
                     write `ssl_certificate_key FILE;`",
                    certificate.value,
                    tls.certificates.len(),
                    tls.keys.len()
                ),
                certificate.span,
                log,
            ));
        }
        let verifies =
            matches!(tls.verify_client.value(), ClientAuthMode::Required | ClientAuthMode::Optional);
        if verifies && tls.client_certificate.is_none() {
            // docs/xml/nginx/changes.xml, 1.27.2: ssl_trusted_certificate alone is enough
            let either = self.version >= Version(1, 27, 2);
            if !(either && tls.trusted_certificate.is_some()) {
                let log = if either {
                    "no ssl_client_certificate or ssl_trusted_certificate for ssl_verify_client"
                } else {
                    "no ssl_client_certificate for ssl_verify_client"
                };
                let mut refused = refusal(
                    "verification-without-trust",
                    "ssl_verify_client asks for client certificates, but no ssl_client_certificate says which \
                     issuers to trust; write `ssl_client_certificate FILE;`",
                    tls.verify_client.span(),
                    log.to_owned(),
                );
                if let Some(trusted) = &tls.trusted_certificate {
                    refused.labels.push(Label {
                        span: trusted.span,
                        message: "ssl_trusted_certificate alone is enough only since nginx 1.27.2".to_owned(),
                    });
                }
                self.late.push(refused);
            }
        }
        if let (Some(ocsp), ClientAuthMode::OptionalNoCa) = (&tls.ocsp, tls.verify_client.value()) {
            self.late.push(refusal(
                "refused-setting",
                "ssl_ocsp needs a verified issuer, which optional_no_ca does not ask for; delete one of the two",
                ocsp.span,
                "\"ssl_ocsp\" is incompatible with \"ssl_verify_client optional_no_ca\"".to_owned(),
            ));
        }
    }

    /// What can be told only when every upstream is known.
    fn check_upstreams(&mut self) {
        let upstreams: BTreeMap<(bool, &str), Span> = self
            .config
            .upstreams
            .iter()
            .map(|upstream| {
                ((upstream.subsystem == Subsystem::Stream, upstream.name.value.as_str()), upstream.span)
            })
            .collect();
        let mut late = Vec::new();
        for server in &self.config.servers {
            for pass in server.locations.iter().filter_map(|location| location.pass.as_ref()) {
                let host = pass.host.value.as_str();
                if pass.unix.is_some() || pass.written.value.contains('$') {
                    continue;
                }
                let upstream = upstreams.get(&(pass.kind == PassKind::Stream, host));
                match (upstream, pass.port) {
                    (Some(span), Some(port)) => {
                        let mut refused = refusal(
                            "refused-setting",
                            format!(
                                "{host} is an upstream, whose servers have the ports; delete `:{port}` here"
                            ),
                            pass.written.span,
                            format!("upstream \"{host}\" may not have port {port}"),
                        );
                        refused.labels.push(Label { span: *span, message: "the upstream".to_owned() });
                        late.push(refused);
                    }
                    // another file may have the upstream
                    (None, None) if pass.default_port.is_none() && !self.partial => late.push(refusal(
                        "refused-setting",
                        format!("{host} needs a port here: no upstream has this name; write `{host}:PORT`"),
                        pass.written.span,
                        format!("no port in upstream \"{host}\""),
                    )),
                    _ => {}
                }
            }
        }
        self.late.append(&mut late);
    }

    /// What can be told only of servers that share an address.
    fn check_groups(&mut self) {
        let mut late = Vec::new();
        for group in self.config.groups() {
            let mut defaults = group.members.iter().filter(|(_, listen)| listen.default_server);
            if let (Some(_), Some((_, second))) = (defaults.next(), defaults.next()) {
                late.push(refusal(
                    "duplicate-directive",
                    format!(
                        "two servers are the default for {}; keep one default_server",
                        group.address.shown()
                    ),
                    second.address.span,
                    format!("a duplicate default server for {}", group.address.shown()),
                ));
            }
            let virtual_servers = group.subsystem == Subsystem::Http
                || (group.subsystem == Subsystem::Stream && self.version >= Version(1, 25, 5));
            if let (false, Some((_, second))) = (virtual_servers, group.members.get(1)) {
                late.push(refusal(
                    "duplicate-directive",
                    format!("two servers listen at {}; give one another port", group.address.shown()),
                    second.address.span,
                    format!("duplicate \"{}\" address and port pair", second.address.value.shown()),
                ));
            }
            if !group.ssl {
                continue;
            }
            let server_of = |index: usize| self.config.servers.get(index);
            let bare = |server: &&Server| {
                server.tls.certificates.is_empty() && !*server.tls.reject_handshake.value()
            };
            let Some(default) = server_of(group.default) else { continue };
            let culprit = if default.tls.certificates.is_empty() && *default.tls.reject_handshake.value() {
                group.members.iter().filter_map(|(index, _)| server_of(*index)).find(bare)
            } else {
                Some(default).filter(bare)
            };
            if let Some(server) = culprit {
                let listen = server.listens.iter().find(|listen| listen.address.value == group.address);
                let mut refused = refusal(
                    "missing-server-certificate",
                    "this server accepts TLS without a certificate to present; write `ssl_certificate FILE;` and \
                     `ssl_certificate_key FILE;`",
                    listen.map_or(server.span, |listen| listen.address.span),
                    format!(
                        "no \"ssl_certificate\" is defined for the \"{}\" directive{}",
                        if *server.tls.ssl.value() { "ssl" } else { "listen ... ssl" },
                        server.origin
                    ),
                );
                refused.labels.push(Label {
                    span: server.span,
                    message: "neither this server nor its surroundings have ssl_certificate".to_owned(),
                });
                late.push(refused);
            }
        }
        // files are opened server by server, groups come last
        self.late.append(&mut late);
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
                Ok(read) => pass = Some(read),
                Err(log) => self.refuse("refused-setting", &log.clone(), directive, &log),
            }
        }
        let family = pass.as_ref().map_or("proxy", |pass: &Pass| pass.kind.family());
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
        for directive in block {
            let Some(inner) = &directive.block else { continue };
            let words: Vec<&str> = directive.arguments.iter().map(|word| word.value.as_str()).collect();
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

    /// What ngx_http_proxy_set_ssl and its siblings refuse.
    fn check_upstream_tls(&mut self, tls: &UpstreamTls) {
        let family = tls.family;
        if let (Some(certificate), None) = (&tls.certificate, &tls.key) {
            self.late.push(refusal(
                "certificate-without-key",
                format!(
                    "client certificate {} has no private key; write `{family}_ssl_certificate_key FILE;`",
                    certificate.value
                ),
                certificate.span,
                format!(
                    "no \"{family}_ssl_certificate_key\" is defined for certificate \"{}\"",
                    certificate.value
                ),
            ));
        }
        if *tls.verify.value() && tls.trusted_certificate.is_none() {
            self.late.push(refusal(
                "verification-without-trust",
                format!(
                    "{family}_ssl_verify is on, but no {family}_ssl_trusted_certificate says which issuers to trust; \
                     write `{family}_ssl_trusted_certificate FILE;`"
                ),
                tls.verify.span(),
                format!("no {family}_ssl_trusted_certificate for {family}_ssl_verify"),
            ));
        }
    }

    fn upstream(
        &mut self,
        opening: &Directive,
        name: &Located<String>,
        block: &[Directive],
        subsystem: Subsystem,
    ) {
        let place =
            if subsystem == Subsystem::Http { directive::UPSTREAM } else { directive::STREAM_UPSTREAM };
        self.check_all(block, place);
        let mut upstream = Upstream {
            subsystem,
            name: name.clone(),
            servers: Vec::new(),
            dynamic: None,
            span: opening.name.span,
        };
        for directive in block {
            let written = directive.name.value.as_str();
            if written.starts_with("balancer_by_lua") || written == "include" {
                upstream.dynamic = Some(directive.span);
            }
            let ("server", Some((address, parameters))) = (written, directive.arguments.split_first()) else {
                continue;
            };
            let has = |word: &str| parameters.iter().any(|parameter| parameter.value == word);
            if has("down") {
                continue;
            }
            // the port of a stream upstream must be written
            let default = (subsystem == Subsystem::Http).then_some(80);
            match upstream_server(address, default, has("backup")) {
                Ok(server) => upstream.servers.push(server),
                Err(why) => {
                    let log = format!("{why} in upstream \"{}\"", address.value);
                    self.refuse("refused-setting", &log.clone(), directive, &log);
                }
            }
        }
        self.config.upstreams.push(upstream);
    }

    /// Checks the directives of one block that [`directive::known`] knows.
    fn check_all(&mut self, directives: &[Directive], place: Places) {
        let mut seen: HashSet<&str> = HashSet::new();
        for directive in directives {
            self.partial |= is_include(directive);
            let name = directive.name.value.as_str();
            let Some(known) = directive::known(name) else {
                self.check_unknown(directive, place);
                continue;
            };
            if let Some((rule, message, log)) = self.check(directive, &known, place, !seen.insert(name)) {
                self.refuse(rule, &message, directive, &log);
            }
        }
    }

    fn check(
        &self,
        directive: &Directive,
        known: &directive::Known,
        place: Places,
        repeated: bool,
    ) -> Option<(&'static str, String, String)> {
        let name = directive.name.value.as_str();
        let setting = |log: String| Some(("refused-setting", log.clone(), log));
        if known.places & place == 0 {
            let log = format!("\"{name}\" directive is not allowed here");
            return Some(("refused-setting", format!("{log}; move it to {}", places(known.places)), log));
        }
        match (&directive.block, known.takes) {
            (Some(_), Takes::Block) | (None, Takes::Flag | Takes::Number | Takes::Word) => {}
            (None, Takes::Block) => return setting(format!("directive \"{name}\" has no opening \"{{\"")),
            (Some(_), _) => return setting(format!("directive \"{name}\" is not terminated by \";\"")),
            (None, _) => {}
        }
        let words = directive.arguments.as_slice();
        let fits = match known.takes {
            Takes::Flag | Takes::Number | Takes::Word | Takes::OneOf(_) | Takes::Words => words.len() == 1,
            Takes::Pair => words.len() == 2,
            Takes::AnyOf(_) => !words.is_empty(),
            Takes::Block | Takes::Anything => true,
        };
        if !fits {
            return setting(format!("invalid number of arguments in \"{name}\" directive"));
        }
        let once = matches!(known.takes, Takes::Flag | Takes::Number | Takes::Word | Takes::OneOf(_))
            || name.ends_with("_pass");
        if repeated && once {
            let log = format!("\"{name}\" directive is duplicate");
            return Some(("duplicate-directive", format!("{log} in this block; delete one of the two"), log));
        }
        let value = words.first().map(|word| word.value.as_str()).unwrap_or_default();
        match known.takes {
            Takes::Flag if !(value.eq_ignore_ascii_case("on") || value.eq_ignore_ascii_case("off")) => {
                setting(format!(
                    "invalid value \"{value}\" in \"{name}\" directive, it must be \"on\" or \"off\""
                ))
            }
            Takes::Number if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) => {
                setting(format!("\"{name}\" directive invalid number"))
            }
            Takes::OneOf(choices) if !choices.contains(&value) => {
                let log = format!("invalid value \"{value}\"");
                Some(("refused-setting", format!("{log}; write {}", choices.join(" or ")), log))
            }
            Takes::AnyOf(choices) => {
                let wrong = words
                    .iter()
                    .find(|word| !choices.iter().any(|choice| choice.eq_ignore_ascii_case(&word.value)))?;
                let log = format!("invalid value \"{}\"", wrong.value);
                Some(("refused-setting", format!("{log}; nginx knows {}", choices.join(", ")), log))
            }
            _ => None,
        }
    }

    /// `ssl on` where it is gone, and names that look like TLS directives but are none of nginx's.
    fn check_unknown(&mut self, directive: &Directive, place: Places) {
        let name = directive.name.value.as_str();
        if name == "ssl"
            && self.version >= Version(1, 25, 1)
            && place & (directive::HTTP | directive::SERVER) != 0
        {
            return self.refuse(
                "refused-setting",
                "the directive ssl is gone since nginx 1.25.1; write `listen ... ssl;`",
                directive,
                "unknown directive \"ssl\"",
            );
        }
        if name.starts_with("ssl_") && !directive::is_ssl_directive(name) {
            self.config.unseen.push(format!(
                "{name} is no directive of nginx itself: unless a module brings it, nginx refuses it with \
                 [emerg] unknown directive \"{name}\"{}",
                self.origins.place(directive.span, directive.line)
            ));
        }
    }

    fn refuse(&mut self, rule: &'static str, message: &str, directive: &Directive, log: &str) {
        let place = self.origins.place(directive.span, directive.line);
        self.config.refusals.push(refusal(rule, message, directive.span, format!("{log}{place}")));
    }
}

fn refusal(rule: &'static str, message: impl Into<String>, span: Span, log: String) -> Refusal {
    Refusal {
        rule,
        message: message.into(),
        labels: vec![Label { span, message: String::new() }],
        log: Some(format!("[emerg] {log}")),
    }
}

fn is_include(directive: &Directive) -> bool {
    directive.name.value == "include"
}

fn places(places: Places) -> String {
    let names = [
        (directive::MAIN, "the outermost level"),
        (directive::HTTP, "http"),
        (directive::SERVER, "server"),
        (directive::LOCATION, "location"),
        (directive::UPSTREAM, "upstream"),
        (directive::STREAM, "stream"),
        (directive::STREAM_SERVER, "a server of stream"),
        (directive::MAIL, "mail"),
        (directive::MAIL_SERVER, "a server of mail"),
    ];
    let names: Vec<&str> =
        names.iter().filter(|(place, _)| places & place != 0).map(|(_, name)| *name).collect();
    names.join(", ")
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
        } else if directive.name.value.starts_with("set_by_") || directive.name.value == "map" {
            if let Some(name) = directive.arguments.first() {
                sets.insert(name.value.trim_start_matches('$').to_owned(), None);
            }
        }
        if let Some(inner) = &directive.block {
            collect_sets(inner, sets);
        }
    }
}

fn upstream_server(
    address: &Located<String>,
    default_port: Option<u16>,
    backup: bool,
) -> Result<UpstreamServer, &'static str> {
    let text = address.value.as_str();
    let server = |host: &str, port: u16, unix: bool| UpstreamServer {
        host: Located::new(host.to_owned(), address.span),
        port,
        unix,
        backup,
    };
    if let Some(path) = text.strip_prefix("unix:") {
        return Ok(server(path, 0, true));
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or("invalid host")?;
            (host, port.strip_prefix(':'))
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    if host.is_empty() {
        return Err("no host");
    }
    let port = match port {
        Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or("invalid port")?,
        None => default_port.ok_or("no port")?,
    };
    Ok(server(host, port, false))
}

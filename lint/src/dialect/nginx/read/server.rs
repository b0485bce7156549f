//! A server: where it listens, for which names, and what it holds.

use std::collections::BTreeMap;

use super::Reader;
use crate::deployment::Version;
use crate::dialect::nginx::listen::{self, Listen, ListenAddress};
use crate::dialect::nginx::location::{Location, variables};
use crate::dialect::nginx::scope::Scope;
use crate::dialect::nginx::tls::ServerTls;
use crate::dialect::nginx::{Dropped, ErrorPage, Server, Subsystem};
use crate::source::{Located, Span};
use crate::syntax::nginx::Directive;

impl Reader<'_> {
    pub(super) fn server(
        &mut self,
        directive: &Directive,
        scope: &Scope<'_>,
        subsystem: Subsystem,
        mut locations: Vec<Location>,
    ) {
        // one takes nearly a kilobyte, and a vector begins with room for four
        locations.shrink_to_fit();
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
        let mut derived = Vec::new();
        collect_derived(block, &mut derived);
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
            error_pages: scope
                .all("error_page")
                .iter()
                .filter_map(|directive| error_page(directive))
                .collect(),
            constants,
            decided: decided(block),
            derived,
        };
        self.check_server(&server);
        self.config.servers.push(server);
    }

    /// Bounds of protocol and cipher that an outer block sets by command, and that this block's commands replace.
    pub(super) fn note_dropped(&mut self, scope: &Scope<'_>, name: &str) {
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
}

/// Codes, perhaps `=CODE`, and what answers.
fn error_page(directive: &Directive) -> Option<ErrorPage> {
    let (uri, words) = directive.arguments.split_last()?;
    let answer = words.iter().find_map(|word| word.value.strip_prefix('='));
    Some(ErrorPage {
        codes: words.iter().filter_map(|word| word.value.parse().ok()).collect(),
        answer: answer.map(|code| code.parse().unwrap_or(0)),
        uri: uri.clone(),
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

/// Variables that are set within an `if` over the client's certificate, or over another such variable.
fn decided(block: &[Directive]) -> Vec<String> {
    let mut names = Vec::new();
    collect_decided(block, false, &mut names);
    names
}

fn collect_decided(block: &[Directive], within: bool, names: &mut Vec<String>) {
    for directive in block {
        if let ("set", [name, _], true) =
            (directive.name.value.as_str(), directive.arguments.as_slice(), within)
        {
            names.push(name.value.trim_start_matches('$').to_owned());
        }
        let about_client =
            directive.name.value == "if"
                && directive.arguments.iter().flat_map(|argument| variables(&argument.value)).any(|name| {
                    name.starts_with("ssl_client_") || names.iter().any(|decided| decided == name)
                });
        let inner = directive.block.as_deref().unwrap_or_default();
        collect_decided(inner, within || about_client, names);
    }
}

/// `set` directives at any depth whose value names variables.
fn collect_derived(block: &[Directive], derived: &mut Vec<(String, Located<String>)>) {
    for directive in block {
        if let ("set", [name, value]) = (directive.name.value.as_str(), directive.arguments.as_slice())
            && value.value.contains('$')
        {
            derived.push((name.value.trim_start_matches('$').to_owned(), value.clone()));
        }
        collect_derived(directive.block.as_deref().unwrap_or_default(), derived);
    }
}

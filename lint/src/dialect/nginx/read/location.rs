//! Locations: what they match, where they pass requests to, and which of them nginx refuses.

use std::collections::HashSet;

use super::Reader;
use crate::dialect::nginx::check;
use crate::dialect::nginx::directive::{self, Places};
use crate::dialect::nginx::location::{Check, Header, Location, Matcher, Pass, PassKind, variables};
use crate::dialect::nginx::scope::Scope;
use crate::dialect::nginx::tls::UpstreamTls;
use crate::source::Located;
use crate::syntax::nginx::Directive;

/// Where a block stands that requests come to.
pub(super) struct Position {
    matcher: Matcher,
    /// Index of the block around it.
    parent: Option<usize>,
    place: Places,
}

impl Position {
    /// A server by itself.
    pub(super) fn server(place: Places) -> Self {
        Self { matcher: Matcher::Server, parent: None, place }
    }
}

impl Reader<'_> {
    /// Reads the block of a server, location or `if`, and the blocks within it.
    pub(super) fn location(
        &mut self,
        locations: &mut Vec<Location>,
        opening: &Directive,
        scope: &Scope<'_>,
        position: Position,
    ) {
        let block = opening.block.as_deref().unwrap_or_default();
        let Position { matcher, parent, place } = position;
        let pass = self.pass(block, scope, place);
        let family = pass.as_ref().map_or("proxy", |pass: &Pass| pass.kind.family());
        self.note_dropped(scope, &format!("{family}_ssl_conf_command"));
        let tls = UpstreamTls::read(scope, family, self.version);
        if pass.as_ref().is_some_and(Pass::prepares_tls) {
            self.check_upstream_tls(&tls);
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
            matcher: matcher.clone(),
            parent,
            span: opening.name.span,
            pass,
            tls,
            headers: headers(scope.all(set_header)),
            drops_headers: !scope.flag(&format!("{family}_pass_request_headers"), true).value(),
            parameters: ["fastcgi_param", "uwsgi_param", "scgi_param"]
                .into_iter()
                .flat_map(|name| headers(scope.all(name)))
                .collect(),
            added: headers(scope.all("add_header")),
            checks,
            returns: block.iter().find(|inner| inner.name.value == "return").map(|inner| inner.span),
            moves: block
                .iter()
                .any(|inner| matches!(inner.name.value.as_str(), "rewrite" | "try_files" | "auth_request")),
            return_code: block.iter().find(|inner| inner.name.value == "return").and_then(return_code),
        });
        let mut taken = HashSet::new();
        for directive in block {
            let Some(inner) = &directive.block else { continue };
            if directive.name.value == "location" {
                self.check_location(directive, &matcher, &mut taken);
            }
            let Some((matcher, place)) = self.matcher(directive, place) else { continue };
            self.check_all(inner, place);
            let scope = scope.within(inner, directive.name.span, true);
            self.location(locations, directive, &scope, Position { matcher, parent: Some(index), place });
        }
    }

    /// Where a block's requests are passed to.
    fn pass(&mut self, block: &[Directive], scope: &Scope<'_>, place: Places) -> Option<Pass> {
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
        pass
    }

    /// What nginx refuses of a location for what stands around it or before it.
    fn check_location(
        &mut self,
        directive: &Directive,
        outer: &Matcher,
        taken: &mut HashSet<(bool, String)>,
    ) {
        let Some(matcher) = location_matcher(&words(directive)) else { return };
        if let Some(log) = misplaced(outer, &matcher) {
            self.refuse("refused-setting", &log.clone(), directive, &log);
        }
        if let (Some(path), false) = (plain_path(&matcher), matches!(matcher, Matcher::Regex { .. }))
            && !taken.insert((matches!(matcher, Matcher::Exact(_)), path.to_owned()))
        {
            let place = self.origins.place(directive.span, directive.line);
            let log = format!("duplicate location \"{path}\"");
            self.late.push(check::refusal(
                "duplicate-directive",
                format!("{log}; delete one of the two"),
                directive.name.span,
                format!("{log}{place}"),
            ));
        }
    }

    /// Which requests come to a block, and what may stand in it; None: it is no such block, or refused.
    fn matcher(&mut self, directive: &Directive, place: Places) -> Option<(Matcher, Places)> {
        let words = words(directive);
        match directive.name.value.as_str() {
            "location" => match location_matcher(&words) {
                Some(matcher) => Some((matcher, directive::LOCATION)),
                None => {
                    let log = match words.first() {
                        Some(modifier) if words.len() == 2 => {
                            format!("invalid location modifier \"{modifier}\"")
                        }
                        _ => "invalid number of arguments in \"location\" directive".to_owned(),
                    };
                    self.refuse("refused-setting", &log.clone(), directive, &log);
                    None
                }
            },
            "if" => {
                let of_server = place == directive::SERVER;
                let place = if of_server { directive::SERVER_IF } else { directive::LOCATION_IF };
                Some((Matcher::If(words.join(" ")), place))
            }
            "limit_except" => Some((
                Matcher::Except(words.iter().map(|word| (*word).to_owned()).collect()),
                directive::LIMIT_EXCEPT,
            )),
            _ => None,
        }
    }
}

fn words(directive: &Directive) -> Vec<&str> {
    directive.arguments.iter().map(|word| word.value.as_str()).collect()
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

/// The status of a `return`; a URL alone is a redirect.
fn return_code(directive: &Directive) -> Option<u16> {
    let first = directive.arguments.first()?;
    Some(first.value.parse().unwrap_or(302))
}

/// The condition of an `if` that looks at the client's certificate.
fn check_of(directive: &Directive) -> Option<Check> {
    let condition = words(directive).join(" ");
    let names = variables(&condition);
    names.iter().any(|name| name.starts_with("ssl_client_")).then(|| Check {
        of_verification: names.contains(&"ssl_client_verify"),
        condition: Located::new(condition.trim_matches(['(', ')']).to_owned(), directive.span),
    })
}

//! Which context of a listener serves a client, by the name the client sends (SNI).

use regex_lite::{Regex, RegexBuilder};

use crate::deployment::{ListenerTls, Passage, Selection, ServerContext};

/// What a server name chooses among the contexts of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selected {
    /// The context of this index serves the client.
    Context(usize),
    /// No context does: the server ends the handshake.
    Nobody(Nobody),
    /// It cannot be told; completes "undetermined because …".
    Undetermined(String),
}

/// Why no context serves a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nobody {
    /// The client sent no server name, and the server needs one.
    NoServerName,
    /// No context has the name, and there is no default.
    NoMatch,
}

impl ListenerTls {
    /// The context for a client that sends this server name (in any case, with or without a final dot).
    pub fn select(&self, server_name: Option<&str>) -> Selected {
        let server_name = server_name.map(str::to_ascii_lowercase);
        match &self.selection {
            Selection::Single if self.contexts.is_empty() => Selected::Nobody(Nobody::NoMatch),
            Selection::Single => Selected::Context(0),
            Selection::Nginx { default } => match &server_name {
                Some(name) => nginx(&self.contexts, name, *default),
                None => Selected::Context(*default),
            },
            Selection::Apisix { fallback, lists, complete } => {
                let fallback = fallback.as_ref().map(|name| name.value.to_ascii_lowercase());
                match server_name.or(fallback) {
                    Some(name) => apisix(&self.contexts, lists, *complete, &name),
                    None => Selected::Nobody(Nobody::NoServerName),
                }
            }
            Selection::Envoy { default, passages, .. } => {
                envoy(&self.contexts, passages, server_name.as_deref(), *default)
            }
        }
    }
}

/// nginx: the exact name, the longest `*.name`, the longest `name.*`, the first matching regular expression,
/// the default server (<https://nginx.org/en/docs/http/server_names.html>).
fn nginx(contexts: &[ServerContext], server_name: &str, default: usize) -> Selected {
    // ngx_http_validate_host strips one final dot
    let name = server_name.strip_suffix('.').unwrap_or(server_name);
    if name.is_empty() {
        return Selected::Context(default);
    }
    let mut best: Option<(usize, NginxMatch)> = None;
    for (index, context) in contexts.iter().enumerate() {
        for pattern in context.names.iter().filter(|pattern| !pattern.value.starts_with('~')) {
            let matched = nginx_match(&pattern.value.to_ascii_lowercase(), name);
            // the first server of equals wins: nginx ignores later ones as "conflicting server name"
            if matched > best.map_or(NginxMatch::None, |(_, best)| best) {
                best = Some((index, matched));
            }
        }
    }
    if let Some((index, _)) = best {
        return Selected::Context(index);
    }
    for (index, context) in contexts.iter().enumerate() {
        for pattern in &context.names {
            let Some(source) = pattern.value.strip_prefix('~') else { continue };
            match case_insensitive(source) {
                Some(regex) if regex.is_match(name) => return Selected::Context(index),
                Some(_) => {}
                None => {
                    return Selected::Undetermined(format!(
                        "server_name {} is a regular expression beyond what can be evaluated here",
                        pattern.value
                    ));
                }
            }
        }
    }
    Selected::Context(default)
}

/// How well a pattern fits; the greater the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum NginxMatch {
    None,
    /// `name.*`, of this length.
    Suffixed(usize),
    /// `*.name` or `.name`, of this length.
    Prefixed(usize),
    Exact,
}

fn nginx_match(pattern: &str, name: &str) -> NginxMatch {
    if let Some(parent) = pattern.strip_prefix('.') {
        if name == parent || is_below(name, parent) {
            return NginxMatch::Prefixed(parent.len());
        }
    } else if let Some(parent) = pattern.strip_prefix("*.") {
        if is_below(name, parent) {
            return NginxMatch::Prefixed(parent.len());
        }
    } else if let Some(front) = pattern.strip_suffix(".*") {
        if name.strip_prefix(front).is_some_and(|rest| rest.len() > 1 && rest.starts_with('.')) {
            return NginxMatch::Suffixed(front.len());
        }
    } else if pattern == name {
        return NginxMatch::Exact;
    }
    NginxMatch::None
}

/// APISIX: the exact name, else the wildcard with the longest suffix, which then must span one label only
/// (apisix/ssl/router/radixtree_sni.lua; facts/APISIX.md A1). The first object of equals wins.
///
/// Where objects lie outside the sources, only an exact name is sure: a more specific one may exist.
fn apisix(contexts: &[ServerContext], lists: &[bool], complete: bool, name: &str) -> Selected {
    let mut best: Option<(usize, usize)> = None;
    let mut exact = None;
    // a refused object is dropped; the others work
    for (index, context) in contexts.iter().enumerate().filter(|(_, context)| context.refusals.is_empty()) {
        for pattern in context.names.iter().map(|pattern| apisix_name(&pattern.value)) {
            if pattern == name {
                exact = exact.or(Some(index));
            }
            let Some(suffix) = pattern.strip_prefix('*') else { continue };
            if name.ends_with(suffix) && best.is_none_or(|(_, length)| suffix.len() > length) {
                best = Some((index, suffix.len()));
            }
        }
    }
    if let Some(index) = exact {
        return Selected::Context(index);
    }
    if !complete {
        return Selected::Undetermined(format!(
            "ssl objects outside the sources may have the server name {name}"
        ));
    }
    let Some((index, _)) = best else { return Selected::Nobody(Nobody::NoMatch) };
    let names = contexts.get(index).map(|context| context.names.as_slice()).unwrap_or_default();
    let listed = lists.get(index).copied().unwrap_or(false);
    // the check runs over every name of the object, by length alone: a longer sibling lets it pass
    let passes = |pattern: &str| {
        (pattern == "*" && !listed) || {
            let rest = name.len().saturating_sub(pattern.len().saturating_sub(1));
            !name.get(..rest).unwrap_or(name).contains('.')
        }
    };
    if names.iter().any(|pattern| passes(&apisix_name(&pattern.value))) {
        Selected::Context(index)
    } else {
        Selected::Nobody(Nobody::NoMatch)
    }
}

/// A name of an ssl object as APISIX compares it.
fn apisix_name(written: &str) -> String {
    written.strip_suffix('.').unwrap_or(written).to_ascii_lowercase()
}

/// Envoy: the exact name, the longest `*.name`, the chains without names, the default filter chain
/// (<https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/listener/v3/listener_components.proto>).
fn envoy(
    contexts: &[ServerContext],
    passages: &[Passage],
    server_name: Option<&str>,
    default: Option<usize>,
) -> Selected {
    let mut best: Option<(usize, usize)> = None;
    for (index, context) in contexts.iter().enumerate() {
        if Some(index) == default {
            continue;
        }
        let fits = if context.names.is_empty() {
            Some(0)
        } else {
            let name = server_name.unwrap_or_default();
            context.names.iter().filter_map(|pattern| envoy_match(&pattern.value, name)).max()
        };
        if let Some(fits) = fits
            && best.is_none_or(|(_, length)| fits > length)
        {
            best = Some((index, fits));
        }
    }
    let name = server_name.unwrap_or_default();
    let elsewhere = passages.iter().filter_map(|passage| {
        let fits = passage.names.iter().filter_map(|pattern| envoy_match(&pattern.value, name)).max()?;
        Some((fits, passage))
    });
    if let Some((fits, passage)) = elsewhere.max_by_key(|(fits, _)| *fits)
        && best.is_none_or(|(_, length)| fits > length)
    {
        return Selected::Undetermined(passage.why.clone());
    }
    match best.map(|(index, _)| index).or(default) {
        Some(index) => Selected::Context(index),
        None => Selected::Nobody(Nobody::NoMatch),
    }
}

/// How well an Envoy server name fits; the greater the better.
fn envoy_match(pattern: &str, name: &str) -> Option<usize> {
    if name.is_empty() {
        None
    } else if pattern.eq_ignore_ascii_case(name) {
        Some(usize::MAX)
    } else {
        // "*.example.com" is every name below example.com; ".example.com" is its older spelling
        let parent = pattern.strip_prefix("*.").or_else(|| pattern.strip_prefix('.'))?;
        let front = name.len().checked_sub(parent.len())?;
        let (below, own) = (name.get(..front)?, name.get(front..)?);
        (!parent.is_empty() && own.eq_ignore_ascii_case(parent) && below.len() > 1 && below.ends_with('.'))
            .then_some(parent.len().saturating_add(1))
    }
}

/// Whether a name is one or more labels below a parent.
fn is_below(name: &str, parent: &str) -> bool {
    name.strip_suffix(parent)
        .and_then(|rest| rest.strip_suffix('.'))
        .is_some_and(|rest| !rest.is_empty() && !parent.is_empty())
}

/// A regular expression as nginx compiles it for server names: searched, in any case.
///
/// None for what PCRE knows and this engine does not (look-around, back references).
fn case_insensitive(source: &str) -> Option<Regex> {
    // PCRE writes named groups as (?<name>…), (?P<name>…) or (?'name'…)
    RegexBuilder::new(source).case_insensitive(true).build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment::{ClientAuth, ClientAuthMode, PathChecks, Protocols, Setting};
    use crate::source::{FileId, Located, Span};

    const HERE: Span = Span { file: FileId(0), start: 0, end: 0 };

    fn listener(selection: Selection, names: &[&[&str]]) -> ListenerTls {
        let context = |names: &&[&str]| ServerContext {
            names: names.iter().map(|name| Located::new((*name).to_owned(), HERE)).collect(),
            credentials: Vec::new(),
            client_auth: ClientAuth {
                mode: Setting::Default { value: ClientAuthMode::Off, parent: HERE },
                trust: Vec::new(),
                checks: PathChecks::default(),
                skip_paths: Vec::new(),
            },
            protocols: Setting::Default { value: Protocols::default(), parent: HERE },
            ciphers: None,
            algorithms: crate::deployment::Algorithms::default(),
            rejects_handshake: false,
            refusals: Vec::new(),
            span: HERE,
        };
        ListenerTls { contexts: names.iter().map(context).collect(), selection }
    }

    fn check(selection: Selection, names: &[&[&str]], table: &[(Option<&str>, Selected)]) {
        let listener = listener(selection, names);
        for (server_name, expected) in table {
            assert_eq!(listener.select(*server_name), *expected, "server name {server_name:?}");
        }
    }

    #[test]
    fn nginx_prefers_exact_then_longest_wildcards_then_regex_then_the_default_server() {
        use Selected::Context;
        check(
            Selection::Nginx { default: 5 },
            &[
                &["~^www\\d+\\."],
                &["*.example.test"],
                &[".a.example.test"],
                &["www.example.*"],
                &["WWW.example.test", "bare"],
                &["_"],
            ],
            &[
                (Some("www.example.test"), Context(4)),
                (Some("WWW.EXAMPLE.TEST."), Context(4)),
                (Some("bare"), Context(4)),
                (Some("x.y.example.test"), Context(1)),
                (Some("a.example.test"), Context(2)),
                (Some("b.a.example.test"), Context(2)),
                (Some("example.test"), Context(5)),
                (Some("www.example.org"), Context(3)),
                (Some("www.example.co.uk"), Context(3)),
                (Some("www7.example.org"), Context(0)),
                (Some("WWW8.other"), Context(0)),
                (Some("other"), Context(5)),
                (None, Context(5)),
            ],
        );
    }

    #[test]
    fn nginx_takes_the_first_of_servers_with_one_name() {
        check(
            Selection::Nginx { default: 0 },
            &[&["x"], &["srv"], &["srv"]],
            &[(Some("srv"), Selected::Context(1))],
        );
    }

    #[test]
    fn a_regular_expression_beyond_this_engine_makes_the_answer_undetermined_only_where_it_counts() {
        let listener = listener(Selection::Nginx { default: 0 }, &[&["exact"], &["~(?=a)a"]]);
        assert_eq!(listener.select(Some("exact")), Selected::Context(0));
        assert!(matches!(listener.select(Some("a")), Selected::Undetermined(_)));
    }

    #[test]
    fn apisix_wants_a_name_and_takes_the_most_specific_object_of_one_label() {
        use Selected::Context;
        let nobody = Selected::Nobody(Nobody::NoMatch);
        check(
            Selection::Apisix { fallback: None, lists: Vec::new(), complete: true },
            &[&["*.example.test"], &["srv.example.test."], &["*.a.example.test"], &["SRV.example.test"]],
            &[
                (Some("srv.example.test"), Context(1)),
                (Some("SRV.example.TEST"), Context(1)),
                (Some("x.example.test"), Context(0)),
                (Some("x.a.example.test"), Context(2)),
                (Some("x.b.example.test"), nobody.clone()),
                (Some("example.test"), nobody.clone()),
                (Some("other"), nobody),
                (None, Selected::Nobody(Nobody::NoServerName)),
            ],
        );
    }

    #[test]
    fn apisix_star_matches_any_name_but_a_longer_wildcard_is_tried_alone() {
        check(
            Selection::Apisix { fallback: None, lists: Vec::new(), complete: true },
            &[&["*"], &["*.example.test"]],
            &[
                (Some("a.b.c"), Selected::Context(0)),
                (Some("srv.example.test"), Selected::Context(1)),
                (Some("a.srv.example.test"), Selected::Nobody(Nobody::NoMatch)),
                (None, Selected::Nobody(Nobody::NoServerName)),
            ],
        );
    }

    #[test]
    fn apisix_drops_a_refused_object_alone() {
        let selection = Selection::Apisix { fallback: None, lists: Vec::new(), complete: true };
        let mut listener = listener(selection, &[&["srv.example.test"], &["*.example.test"]]);
        assert_eq!(listener.select(Some("srv.example.test")), Selected::Context(0));
        listener.contexts[0].refusals.push(crate::deployment::Refusal {
            rule: "refused-object",
            message: String::new(),
            labels: Vec::new(),
            help: None,
            log: None,
        });
        assert_eq!(listener.select(Some("srv.example.test")), Selected::Context(1));
    }

    #[test]
    fn apisix_names_that_look_like_patterns_never_match() {
        check(
            Selection::Apisix { fallback: None, lists: Vec::new(), complete: true },
            &[&["example.test"], &[".example.test"], &["srv.example.test:9443"]],
            &[(Some("srv.example.test"), Selected::Nobody(Nobody::NoMatch))],
        );
    }

    #[test]
    fn apisix_falls_back_for_clients_without_a_name_only() {
        check(
            Selection::Apisix {
                fallback: Some(Located::new("srv.example.test".to_owned(), HERE)),
                lists: Vec::new(),
                complete: true,
            },
            &[&["srv.example.test"]],
            &[(None, Selected::Context(0)), (Some("other"), Selected::Nobody(Nobody::NoMatch))],
        );
    }

    #[test]
    fn apisix_objects_outside_the_sources_leave_only_exact_names_sure() {
        let selection = Selection::Apisix { fallback: None, lists: Vec::new(), complete: false };
        let listener = listener(selection, &[&["*.example.test"], &["srv.example.test"]]);
        assert_eq!(listener.select(Some("srv.example.test")), Selected::Context(1));
        assert!(matches!(listener.select(Some("x.example.test")), Selected::Undetermined(_)));
    }

    #[test]
    fn apisix_star_in_a_list_matches_no_name_with_dots() {
        check(
            Selection::Apisix { fallback: None, lists: vec![true], complete: true },
            &[&["*"]],
            &[(Some("a.b"), Selected::Nobody(Nobody::NoMatch)), (Some("a"), Selected::Context(0))],
        );
    }

    #[test]
    fn envoy_resets_what_no_filter_chain_matches() {
        check(
            Selection::Envoy { default: None, plaintext: false, passages: Vec::new() },
            &[&["*.example.test"], &["srv.example.test"], &["*.a.example.test"]],
            &[
                (Some("srv.example.test"), Selected::Context(1)),
                (Some("x.y.example.test"), Selected::Context(0)),
                (Some("x.a.example.test"), Selected::Context(2)),
                (Some("example.test"), Selected::Nobody(Nobody::NoMatch)),
                (None, Selected::Nobody(Nobody::NoMatch)),
            ],
        );
    }

    #[test]
    fn envoy_takes_the_chain_without_names_before_the_default_chain() {
        check(
            Selection::Envoy { default: Some(0), plaintext: false, passages: Vec::new() },
            &[&[], &["srv"], &[]],
            &[
                (Some("x"), Selected::Context(2)),
                (None, Selected::Context(2)),
                (Some("srv"), Selected::Context(1)),
            ],
        );
        check(
            Selection::Envoy { default: Some(0), plaintext: false, passages: Vec::new() },
            &[&[], &["srv"]],
            &[(None, Selected::Context(0))],
        );
    }

    #[test]
    fn a_single_context_serves_everyone() {
        check(
            Selection::Single,
            &[&["srv"]],
            &[(None, Selected::Context(0)), (Some("x"), Selected::Context(0))],
        );
    }
}

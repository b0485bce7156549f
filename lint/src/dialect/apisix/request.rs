//! What APISIX does with a request once the handshake is done, apart from routing it.
//!
//! Data plane: `skip_mtls_uri_regex`, then the Host header against the server name (init.lua,
//! verify_https_client). Admin API: `allow_admin`, then the key. facts/APISIX.md, A1 and A4.

use std::net::IpAddr;

use regex_lite::Regex;
use sha2::{Digest, Sha256};

use super::objects;
use crate::deployment::{
    ClientAuth, ClientAuthMode, Gate, ListenerTls, Refusal, Request, Selection, ServerContext, Trust,
    TrustLoader,
};
use crate::selection::Selected;

/// What a gate answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The request goes on.
    Passes,
    /// It is refused.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The rule that names the mistake.
        rule: &'static str,
        /// Both halves of the disagreement.
        message: String,
        /// What APISIX logs.
        log: String,
    },
    /// It cannot be told; completes "undetermined because …".
    Undetermined(String),
}

/// nginx's `$ssl_client_verify`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientVerify {
    /// A certificate came and was verified.
    Success,
    /// None came.
    None,
    /// One came and was not verified, for this reason (OpenSSL's text).
    Failed(String),
}

/// Why an ssl object that this server name asks for was dropped, where no other object has the name.
///
/// An object whose names are themselves refused, or missing, may have been meant for any name.
pub fn dropped_object<'t>(tls: &'t ListenerTls, server_name: Option<&str>) -> Option<&'t Refusal> {
    let dropped = || tls.contexts.iter().filter(|context| !context.refusals.is_empty());
    let named = dropped().find(|context| {
        let alone = ServerContext { refusals: Vec::new(), ..(*context).clone() };
        let selection = match &tls.selection {
            Selection::Apisix { fallback, .. } => {
                Selection::Apisix { fallback: fallback.clone(), lists: Vec::new(), complete: true }
            }
            other => other.clone(),
        };
        let asked = ListenerTls { contexts: vec![alone], selection };
        matches!(asked.select(server_name), Selected::Context(_))
    });
    let unnamed =
        || dropped().find(|context| context.names.iter().all(|name| !objects::is_name(&name.value)));
    named.or_else(unnamed).and_then(|context| context.refusals.first())
}

/// The data plane's gate for a request over a connection whose server name chose a context.
///
/// A context that APISIX dropped must have no names left in `tls`.
pub fn data_plane(
    tls: &ListenerTls,
    context: &ServerContext,
    server_name: Option<&str>,
    request: &Request,
    verify: &ClientVerify,
) -> Answer {
    let skipping = verified_by_object(&context.client_auth) && !context.client_auth.skip_paths.is_empty();
    if skipping && *verify != ClientVerify::Success {
        match skips(&context.client_auth, &request.path) {
            Skips::Yes => {}
            Skips::No => return not_verified(verify, &request.path),
            Skips::Unknown(why) => return Answer::Undetermined(why),
        }
    }
    let fallback = match &tls.selection {
        Selection::Apisix { fallback, .. } => fallback.as_ref().map(|name| name.value.as_str()),
        _ => None,
    };
    let server_name = server_name.or(fallback).unwrap_or_default().to_ascii_lowercase();
    let host = host_of(&request.host);
    if host == server_name {
        return Answer::Passes;
    }
    let found = match tls.select(Some(&host)) {
        Selected::Context(index) => tls.contexts.get(index),
        Selected::Nobody(_) => None,
        Selected::Undetermined(why) => return Answer::Undetermined(why),
    };
    match found {
        Some(found) if verified_by_object(&found.client_auth) => Answer::Refused {
            status: 400,
            rule: "mismatched-host",
            message: format!(
                "the request is for the host {host}, whose ssl object verifies clients, over a connection whose server name is {server_name}"
            ),
            log: format!("client certificate verified with SNI {server_name}, but the host is {host}"),
        },
        _ => Answer::Passes,
    }
}

/// Whether an ssl object's own `client` verifies (and not a snippet of nginx's directives).
fn verified_by_object(auth: &ClientAuth) -> bool {
    *auth.mode.value() == ClientAuthMode::Required
        && auth
            .trust
            .iter()
            .any(|trust| matches!(trust, Trust::File { loader: TrustLoader::ApisixClientCa, .. }))
}

fn not_verified(verify: &ClientVerify, path: &str) -> Answer {
    let path = normalised(path);
    let (rule, message, log) = match verify {
        ClientVerify::Failed(why) => (
            "unverified-client",
            format!(
                "the client's certificate is not verified ({why}), and {path} is no path that skip_mtls_uri_regex lets through"
            ),
            format!("client certificate verification is not passed: FAILED:{why}"),
        ),
        _ => (
            "missing-client-certificate",
            format!(
                "the client presents no certificate, and {path} is no path that skip_mtls_uri_regex lets through"
            ),
            "client certificate was not present".to_owned(),
        ),
    };
    Answer::Refused { status: 400, rule, message, log }
}

enum Skips {
    Yes,
    No,
    Unknown(String),
}

/// Whether one of the patterns is found in the path.
fn skips(auth: &ClientAuth, path: &str) -> Skips {
    let path = normalised(path);
    let mut unknown = None;
    for pattern in &auth.skip_paths {
        match Regex::new(&pattern.value) {
            Ok(regex) if regex.is_match(&path) => return Skips::Yes,
            Ok(_) => {}
            // PCRE refuses it as well: it matches nothing, and the other entries still work
            Err(_) if is_no_regex(&pattern.value) => {}
            Err(_) => {
                unknown = Some(format!(
                    "skip_mtls_uri_regex has {}, a regular expression beyond what can be evaluated here",
                    pattern.value
                ));
            }
        }
    }
    unknown.map_or(Skips::No, Skips::Unknown)
}

/// Whether a pattern is no regular expression in any dialect: brackets that do not close, nothing to repeat.
fn is_no_regex(pattern: &str) -> bool {
    let mut depth = 0_usize;
    let mut in_class = false;
    let mut class_start = false;
    let mut repeatable = false;
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            if chars.next().is_none() {
                return true;
            }
            repeatable = true;
            class_start = false;
            continue;
        }
        if in_class {
            // a closing bracket right after the opening one is a member
            match c {
                ']' if !class_start => {
                    in_class = false;
                    repeatable = true;
                }
                '^' if class_start => continue,
                _ => {}
            }
            class_start = false;
            continue;
        }
        match c {
            '[' => {
                in_class = true;
                class_start = true;
            }
            '(' => {
                depth += 1;
                repeatable = false;
                // the question mark of a group is no repetition
                if chars.as_str().starts_with('?') {
                    chars.next();
                }
            }
            ')' if depth == 0 => return true,
            ')' => {
                depth -= 1;
                repeatable = true;
            }
            '*' | '+' | '?' if !repeatable => return true,
            '|' => repeatable = false,
            _ => repeatable = true,
        }
    }
    depth > 0 || in_class
}

/// nginx's `$uri`: without the query, decoded, dot segments and doubled slashes resolved.
pub fn normalised(path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let decoded = decoded(path);
    let mut parts: Vec<&str> = Vec::new();
    let mut open = true;
    for part in decoded.split('/') {
        open = matches!(part, "" | "." | "..");
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let mut out = String::new();
    for part in &parts {
        out.push('/');
        out.push_str(part);
    }
    if open || out.is_empty() {
        out.push('/');
    }
    out
}

fn decoded(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escape = (*byte == b'%').then(|| path.get(at + 1..at + 3)).flatten();
        match escape.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(value) => {
                out.push(value);
                at += 3;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// nginx's `$host`: without port and final dot, in lower case.
fn host_of(header: &str) -> String {
    let name = match header.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => format!("[{address}]"),
        None => header.split(':').next().unwrap_or_default().to_owned(),
    };
    name.strip_suffix('.').unwrap_or(&name).to_ascii_lowercase()
}

/// The Admin API's gate; passes for any other.
pub fn admin_api(gate: &Gate, request: &Request) -> Answer {
    let Gate::ApisixAdmin { allow, keys, keys_unseen, key_required } = gate else { return Answer::Passes };
    match allowed(allow.value(), request.from) {
        Some(true) => {}
        Some(false) => {
            return Answer::Refused {
                status: 403,
                rule: "forbidden-address",
                message: format!(
                    "the request comes from {}, and allow_admin lets in {}",
                    request.from.map_or("elsewhere".to_owned(), |address| address.to_string()),
                    allow.value().join(", ")
                ),
                log: "access forbidden by rule".to_owned(),
            };
        }
        None => {
            return Answer::Undetermined(format!(
                "the address from which the request comes is not known, and allow_admin lets in {}",
                allow.value().join(", ")
            ));
        }
    }
    if !key_required || !request.path.starts_with("/apisix/admin") {
        return Answer::Passes;
    }
    let Some(key) = presented_key(request) else {
        return unknown_key("the request has no X-API-KEY, which the Admin API demands", "missing apikey");
    };
    let hash: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    match (keys, keys_unseen) {
        (Some(keys), _) if keys.contains(&hash) => Answer::Passes,
        (_, Some(why)) => Answer::Undetermined(why.clone()),
        (None, None) => unknown_key(
            "the request's X-API-KEY cannot be right: no admin_key is configured, so APISIX makes a random one",
            "wrong apikey",
        ),
        (Some(_), None) => {
            unknown_key("the request's X-API-KEY is none of the configured admin_key", "wrong apikey")
        }
    }
}

fn unknown_key(message: &str, log: &str) -> Answer {
    Answer::Refused {
        status: 401,
        rule: "unknown-api-key",
        message: message.to_owned(),
        log: format!("failed to check token: {log}"),
    }
}

/// `api_key` of the query, the header, the cookie: the first that is there (admin/init.lua).
fn presented_key(request: &Request) -> Option<String> {
    let query = request.path.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let argument = query.split('&').find_map(|pair| pair.strip_prefix("api_key="));
    let header = |name: &str| {
        request
            .headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    };
    let cookie = || {
        let cookies = header("cookie")?;
        cookies.split(';').find_map(|cookie| cookie.trim().strip_prefix("x_api_key="))
    };
    argument.or_else(|| header("x-api-key")).or_else(cookie).map(str::to_owned)
}

/// Whether an address is in one of the networks; None: it is not known and it matters.
fn allowed(networks: &[String], from: Option<IpAddr>) -> Option<bool> {
    if networks.iter().any(|network| network == "all") {
        return Some(true);
    }
    match from {
        Some(address) => Some(networks.iter().any(|network| contains(network, address))),
        None => networks.iter().any(|network| network == "0.0.0.0/0").then_some(true),
    }
}

/// Whether a network (or a single address) contains an address of its own family.
fn contains(network: &str, address: IpAddr) -> bool {
    let (base, length) = match network.split_once('/') {
        Some((base, length)) => (base, length.parse::<u32>().ok()),
        None => (network, Some(128)),
    };
    let (Ok(base), Some(length)) = (base.parse::<IpAddr>(), length) else { return false };
    match (base, address) {
        (IpAddr::V4(base), IpAddr::V4(address)) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(length)).unwrap_or(0);
            base.to_bits() & mask == address.to_bits() & mask
        }
        (IpAddr::V6(base), IpAddr::V6(address)) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(length)).unwrap_or(0);
            base.to_bits() & mask == address.to_bits() & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment::{Content, FileRef, Lookup, PathChecks, Protocols, Setting};
    use crate::source::{FileId, Located, Span};

    const HERE: Span = Span { file: FileId(0), start: 0, end: 0 };

    fn object(names: &[&str], mtls: bool, skip: &[&str]) -> ServerContext {
        let located = |text: &&str| Located::new((*text).to_owned(), HERE);
        let ca = FileRef { path: located(&"ca"), content: Lookup::Found(Content::Empty), mode: None };
        let mode = if mtls { ClientAuthMode::Required } else { ClientAuthMode::Off };
        ServerContext {
            names: names.iter().map(located).collect(),
            credentials: Vec::new(),
            client_auth: ClientAuth {
                mode: Setting::Given(Located::new(mode, HERE)),
                trust: mtls
                    .then(|| Trust::File { file: ca, loader: TrustLoader::ApisixClientCa })
                    .into_iter()
                    .collect(),
                checks: PathChecks::default(),
                skip_paths: skip.iter().map(located).collect(),
            },
            protocols: Setting::Default { value: Protocols::default(), parent: HERE },
            ciphers: None,
            rejects_handshake: false,
            refusals: Vec::new(),
            span: HERE,
        }
    }

    fn listener(contexts: Vec<ServerContext>) -> ListenerTls {
        ListenerTls {
            contexts,
            selection: Selection::Apisix { fallback: None, lists: Vec::new(), complete: true },
        }
    }

    fn request(host: &str, path: &str) -> Request {
        Request {
            method: "GET".to_owned(),
            host: host.to_owned(),
            path: path.to_owned(),
            ..Request::default()
        }
    }

    /// The status and log, or 200.
    fn ask(
        contexts: Vec<ServerContext>,
        sni: &str,
        request: &Request,
        verify: &ClientVerify,
    ) -> (u16, String) {
        let tls = listener(contexts);
        let Selected::Context(index) = tls.select(Some(sni)) else { panic!("{sni} finds no context") };
        match data_plane(&tls, &tls.contexts[index], Some(sni), request, verify) {
            Answer::Passes => (200, String::new()),
            Answer::Refused { status, log, .. } => (status, log),
            Answer::Undetermined(why) => (0, why),
        }
    }

    #[test]
    fn patterns_are_searched_in_the_decoded_path_without_the_query() {
        for (patterns, path, skipped) in [
            (&["/open.*"] as &[&str], "/x/open", true),
            (&["^/open/"], "/x/open/", false),
            (&["^/open/"], "/open/a", true),
            (&["^/open$"], "/open?x=1", true),
            (&["/open"], "/closed?x=/open", false),
            (&["/open"], "/%6fpen", true),
            (&["^/open/a/b$"], "/open/a%2Fb", true),
            (&["^/open/a%2Fb$"], "/open/a%2Fb", false),
            (&["/open"], "/open/../closed", false),
            (&["/open"], "/OPEN", false),
            (&["(?i)/open"], "/OPEN", true),
            (&["/a(", "/open"], "/open", true),
            (&["/a("], "/a(", false),
            (&["*"], "/x", false),
        ] {
            let contexts = vec![object(&["srv.test"], true, patterns)];
            let (status, log) = ask(contexts, "srv.test", &request("srv.test", path), &ClientVerify::None);
            let expected = if skipped { (200, "") } else { (400, "client certificate was not present") };
            assert_eq!((status, log.as_str()), expected, "{patterns:?} {path}");
        }
    }

    #[test]
    fn a_pattern_beyond_this_engine_leaves_the_answer_open_unless_another_matches() {
        let ask_for = |patterns: &[&str]| {
            let contexts = vec![object(&["srv.test"], true, patterns)];
            ask(contexts, "srv.test", &request("srv.test", "/open"), &ClientVerify::None).0
        };
        assert_eq!(ask_for(&["^/(?!closed)"]), 0);
        assert_eq!(ask_for(&["^/(?!closed)", "open"]), 200);
    }

    #[test]
    fn a_bad_certificate_is_refused_where_the_path_is_not_skipped() {
        let failed = ClientVerify::Failed("unable to verify the first certificate".to_owned());
        for (path, verify, status) in
            [("/open/a", &failed, 200), ("/closed", &failed, 400), ("/closed", &ClientVerify::Success, 200)]
        {
            let contexts = vec![object(&["srv.test"], true, &["^/open/"])];
            let (got, log) = ask(contexts, "srv.test", &request("srv.test", path), verify);
            assert_eq!(got, status, "{path} {verify:?}");
            if got == 400 {
                assert_eq!(
                    log,
                    "client certificate verification is not passed: FAILED:unable to verify the first certificate"
                );
            }
        }
    }

    #[test]
    fn the_host_must_be_the_server_name_where_its_object_verifies_clients() {
        let a = || object(&["a.test"], true, &[]);
        let b = || object(&["b.test"], false, &[]);
        let wild = || object(&["*.test"], true, &[]);
        for (contexts, sni, host, status) in [
            (vec![a(), b()], "a.test", "a.test", 200),
            (vec![a(), b()], "a.test", "A.TEST.:9443", 200),
            (vec![a(), b()], "b.test", "a.test", 400),
            (vec![a(), b()], "a.test", "b.test", 200),
            (vec![a(), b()], "b.test", "other.example", 200),
            (vec![a(), b()], "a.test", "127.0.0.1", 200),
            (vec![wild()], "a.test", "b.test", 400),
            (vec![object(&["a.test"], true, &["/open"]), b()], "b.test", "a.test", 400),
        ] {
            let verify = ClientVerify::Success;
            let (got, log) = ask(contexts, sni, &request(host, "/open"), &verify);
            assert_eq!(got, status, "{sni} {host}");
            if got == 400 {
                let host = host_of(host);
                assert_eq!(
                    log,
                    format!("client certificate verified with SNI {sni}, but the host is {host}")
                );
            }
        }
    }

    #[test]
    fn a_dropped_object_is_blamed_where_its_name_is_asked_for() {
        let refusal = Refusal {
            rule: "refused-object",
            message: "it is broken".to_owned(),
            labels: Vec::new(),
            log: None,
        };
        for (names, server_name, blamed) in [
            (&["srv.test"] as &[&str], Some("srv.test"), true),
            (&["srv.test"], Some("other.test"), false),
            (&["*.test"], Some("srv.test"), true),
            (&[], Some("srv.test"), true),
            (&["s*.test"], Some("srv.test"), true),
            (&["srv.test"], None, false),
        ] {
            let mut broken = object(names, false, &[]);
            broken.refusals.push(refusal.clone());
            let tls = listener(vec![broken]);
            assert_eq!(dropped_object(&tls, server_name).is_some(), blamed, "{names:?} {server_name:?}");
        }
    }

    #[test]
    fn a_path_is_resolved_as_nginx_does() {
        for (path, want) in [
            ("/", "/"),
            ("", "/"),
            ("/a/./b/../c", "/a/c"),
            ("//a///b/", "/a/b/"),
            ("/a/..", "/"),
            ("/../a", "/a"),
            ("/a%2e", "/a."),
            ("/a%zz", "/a%zz"),
        ] {
            assert_eq!(normalised(path), want, "{path}");
        }
    }

    fn admin(allow: &[&str], keys: Option<&[&str]>, unseen: bool, required: bool) -> Gate {
        Gate::ApisixAdmin {
            allow: Setting::Given(Located::new(allow.iter().map(|net| (*net).to_owned()).collect(), HERE)),
            keys: keys.map(|keys| keys.iter().map(|key| Sha256::digest(key.as_bytes()).into()).collect()),
            keys_unseen: unseen.then(|| "Secret keys is not among the sources".to_owned()),
            key_required: required,
        }
    }

    #[test]
    fn the_admin_api_looks_at_the_address_then_at_the_key() {
        let local = &["127.0.0.0/24"] as &[&str];
        let any = &["0.0.0.0/0"] as &[&str];
        let keys = Some(&["right"] as &[&str]);
        for (gate, from, key, status) in [
            (admin(local, keys, false, true), Some("127.0.0.1"), Some("right"), 200),
            (admin(local, keys, false, true), Some("127.0.0.1"), Some("wrong"), 401),
            (admin(local, keys, false, true), Some("127.0.0.1"), None, 401),
            (admin(local, keys, false, true), Some("127.0.1.1"), Some("right"), 403),
            (admin(&["10.0.0.0/8"], keys, false, true), Some("127.0.0.1"), Some("right"), 403),
            (admin(&["127.0.0.1"], keys, false, true), Some("127.0.0.1"), Some("right"), 200),
            (admin(local, keys, false, true), None, Some("right"), 0),
            (admin(any, keys, false, true), None, Some("right"), 200),
            (admin(any, keys, false, true), Some("::1"), Some("right"), 403),
            (admin(&["::/0"], keys, false, true), Some("::1"), Some("right"), 200),
            (admin(local, None, false, true), Some("127.0.0.1"), Some("right"), 401),
            (admin(local, Some(&[]), true, true), Some("127.0.0.1"), Some("right"), 0),
            (admin(local, None, false, false), Some("127.0.0.1"), None, 200),
        ] {
            let mut request = request("admin", "/apisix/admin/routes");
            request.from = from.map(|address| address.parse().unwrap());
            request.headers = key.map(|key| ("x-api-key".to_owned(), key.to_owned())).into_iter().collect();
            let got = match admin_api(&gate, &request) {
                Answer::Passes => 200,
                Answer::Refused { status, .. } => status,
                Answer::Undetermined(_) => 0,
            };
            assert_eq!(got, status, "{gate:?} {from:?} {key:?}");
        }
    }
}

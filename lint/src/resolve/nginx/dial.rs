//! Locations with a pass → dialers, and which requests reach them.

use std::collections::HashMap;

use super::Given;
use super::listen::Built;
use crate::deployment::{
    ClientTls, Dialer, DialerPurpose, PathChecks, PathPattern, Program, RouteMatch, Speaks, Target, Trust,
    TrustLoader,
};
use crate::dialect::nginx::{
    Location, Matcher, NginxConfig, Pass, PassKind, Server, Subsystem, Upstream, UpstreamTls, variables,
};

/// The weight of a host match above that of any path.
const HOST_WEIGHT: i64 = 1 << 40;

/// Adds the dialers of every location, and the requests that nginx answers itself.
pub(super) fn dialers(program: &mut Program, given: &Given<'_>, config: &NginxConfig, listeners: &[Built]) {
    let mut hosts: Vec<Vec<RouteMatch>> = config.servers.iter().map(|_| Vec::new()).collect();
    for (listener, built) in listeners.iter().enumerate() {
        for (position, index) in built.servers.iter().enumerate() {
            if let (Some(server), Some(matches)) = (config.servers.get(*index), hosts.get_mut(*index)) {
                host_matches(server, listener, position == built.default, matches);
            }
        }
    }
    // nginx compares upstream names without regard to case
    let upstreams: HashMap<(Subsystem, String), &Upstream> = config
        .upstreams
        .iter()
        .map(|upstream| ((upstream.subsystem, upstream.name.value.to_ascii_lowercase()), upstream))
        .collect();
    for (server, hosts) in config.servers.iter().zip(&hosts) {
        for (order, location) in server.locations.iter().enumerate() {
            // without a path of its own a location dials all the same: which requests come to it, is code
            let path = path_match(server, location, order);
            let routes: Vec<RouteMatch> =
                path.iter().flat_map(|path| hosts.iter().map(move |host| with_path(host, path))).collect();
            match &location.pass {
                Some(pass) if pass.kind != PassKind::Plain => {
                    program.dialers.extend(dialers_of(given, &upstreams, server, location, pass, &routes));
                }
                // what an `if` does not pass on, its location does
                _ if matches!(location.matcher, Matcher::If(_) | Matcher::Except(_)) => {}
                _ => program.answers.extend(routes),
            }
        }
    }
}

/// One route per name of a server, without a path: the more specific the name, the greater its priority.
fn host_matches(server: &Server, listener: usize, default: bool, into: &mut Vec<RouteMatch>) {
    let mut add = |hosts: Vec<String>, weight: i64| {
        into.push(RouteMatch {
            listener: Some(listener),
            hosts,
            priority: weight * HOST_WEIGHT,
            ..RouteMatch::default()
        });
    };
    let length = |text: &str| i64::try_from(text.len()).unwrap_or(0).min(500);
    for (order, name) in server.names.iter().enumerate() {
        let name = &name.value;
        let order = i64::try_from(order).unwrap_or(0).min(100);
        if name.is_empty() {
            continue; // requests without a Host header
        } else if name.starts_with('~') {
            add(vec![name.clone()], 200 - order);
        } else if let Some(parent) = name.strip_prefix('.') {
            add(vec![parent.to_ascii_lowercase()], 2000 + length(parent));
            add(vec![format!("*.{}", parent.to_ascii_lowercase())], 2000 + length(parent));
        } else if name.starts_with("*.") {
            add(vec![name.to_ascii_lowercase()], 2000 + length(name));
        } else if name.ends_with(".*") {
            add(vec![name.to_ascii_lowercase()], 1000 + length(name));
        } else {
            add(vec![name.to_ascii_lowercase()], 4000);
        }
    }
    if default {
        add(Vec::new(), 0);
    }
}

/// The paths of a location and their weight: exact, `^~` prefixes, regular expressions in order, prefixes by length.
fn path_match(
    server: &Server,
    location: &Location,
    order: usize,
) -> Option<(Vec<PathPattern>, Vec<String>, i64)> {
    let length = |text: &str| i64::try_from(text.len()).unwrap_or(0).min(1 << 20);
    let order = i64::try_from(order).unwrap_or(0).min(1 << 20);
    let (paths, weight) = match &location.matcher {
        // reached from within: which requests do, is code
        Matcher::Named(_) => return None,
        Matcher::Server => (Vec::new(), 0),
        Matcher::Exact(path) => (vec![PathPattern::Exact(path.clone())], 3 << 30),
        Matcher::Preferred(path) => (vec![PathPattern::Prefix(path.clone())], (2 << 30) + length(path)),
        Matcher::Regex { pattern, insensitive } => {
            let pattern = if *insensitive { format!("(?i){pattern}") } else { pattern.clone() };
            (vec![PathPattern::Regex(pattern)], (1 << 30) + (1 << 21) - order)
        }
        Matcher::Prefix(path) => (vec![PathPattern::Prefix(path.clone())], 2 + 2 * length(path)),
        Matcher::If(_) | Matcher::Except(_) => {
            let parent = server.locations.get(location.parent?)?;
            // whether the condition holds is the request's: where the parent passes too, that pass is taken
            let (paths, _, weight) = path_match(server, parent, 0)?;
            (paths, weight - 1)
        }
    };
    Some((paths, Vec::new(), weight))
}

fn with_path(host: &RouteMatch, path: &(Vec<PathPattern>, Vec<String>, i64)) -> RouteMatch {
    RouteMatch {
        paths: path.0.clone(),
        methods: path.1.clone(),
        priority: host.priority.saturating_add(path.2),
        ..host.clone()
    }
}

/// One dialer per address that a pass may dial.
fn dialers_of(
    given: &Given<'_>,
    upstreams: &HashMap<(Subsystem, String), &Upstream>,
    server: &Server,
    location: &Location,
    pass: &Pass,
    routes: &[RouteMatch],
) -> Vec<Dialer> {
    let mut unseen = location.unseen.clone();
    // code may write what was set
    let constants = if server.code.is_some() { &[] } else { server.constants.as_slice() };
    let resolved = pass.resolved(constants);
    let known = resolved.is_some();
    let pass = resolved.as_ref().unwrap_or(pass);
    if pass.unix.is_some() {
        return Vec::new();
    }
    if !known {
        unseen.push(format!("{} is known only per request", pass.written.value));
    }
    let host = pass.host.clone().map(|host| bare(&host).to_owned());
    let port = pass.port.or(pass.default_port).unwrap_or(0);
    let tls = pass.tls.then(|| client_tls(given, &location.tls, pass, &mut unseen));
    let mut dialer = Dialer {
        tls,
        routes: routes.to_vec(),
        speaks: match pass.kind {
            PassKind::Proxy => Speaks::Http,
            PassKind::Grpc => Speaks::Http2,
            PassKind::Uwsgi | PassKind::Stream | PassKind::Plain => Speaks::Stream,
        },
        sends_host: known.then(|| sent_host(location, pass)).flatten(),
        unseen,
        ..Dialer::new(
            DialerPurpose::Upstream,
            Target { url: url(pass), host, port, connect_to: None },
            pass.span,
        )
    };
    let subsystem = if pass.kind == PassKind::Stream { Subsystem::Stream } else { Subsystem::Http };
    let upstream = upstreams.get(&(subsystem, pass.host.value.to_ascii_lowercase()));
    let Some(upstream) = upstream.filter(|_| known) else { return vec![dialer] };
    if upstream.dynamic.is_some() || upstream.servers.is_empty() {
        dialer.unseen.push(format!("the servers of upstream {} are chosen elsewhere", upstream.name.value));
        return vec![dialer];
    }
    let mut seen: Vec<(&str, u16)> = Vec::new();
    let mut dialers = Vec::new();
    for address in upstream.servers.iter().filter(|address| !address.unix) {
        let place = (address.host.value.as_str(), address.port);
        if seen.contains(&place) {
            continue;
        }
        seen.push(place);
        let mut dialer = dialer.clone();
        dialer.target.connect_to = Some((address.host.value.clone(), address.port));
        if variables(&address.host.value).is_empty() {
            dialers.push(dialer);
        }
    }
    dialers
}

fn url(pass: &Pass) -> String {
    // the scheme is a variable
    if pass.host.value.contains("://") {
        return pass.host.value.clone();
    }
    let scheme = match (pass.kind, pass.tls) {
        (PassKind::Proxy, true) => "https://",
        (PassKind::Proxy, false) => "http://",
        (PassKind::Grpc, true) => "grpcs://",
        (PassKind::Grpc, false) => "grpc://",
        (PassKind::Uwsgi, true) => "suwsgi://",
        (PassKind::Uwsgi, false) => "uwsgi://",
        (PassKind::Stream | PassKind::Plain, true) => "tls://",
        (PassKind::Stream | PassKind::Plain, false) => "tcp://",
    };
    match pass.port {
        Some(port) => format!("{scheme}{}:{port}", pass.host.value),
        None => format!("{scheme}{}", pass.host.value),
    }
}

/// The Host header that a pass sends: its own host, unless the location sets another; None: the one received.
fn sent_host(location: &Location, pass: &Pass) -> Option<String> {
    let own = match pass.port {
        Some(port) if Some(port) != pass.default_port => format!("{}:{port}", pass.host.value),
        _ => pass.host.value.clone(),
    };
    let header = location.headers.iter().find(|header| header.name.value.eq_ignore_ascii_case("host"));
    let Some(header) = header else { return Some(own) };
    match variables(&header.value.value).as_slice() {
        [] => Some(header.value.value.clone()),
        ["proxy_host"] => Some(own),
        _ => None,
    }
}

/// A host without the brackets of an IPv6 address.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

fn client_tls(given: &Given<'_>, tls: &UpstreamTls, pass: &Pass, unseen: &mut Vec<String>) -> ClientTls {
    let verifies = *tls.verify.value();
    let sends_name = *tls.server_name.value();
    let mut from_request = false;
    // ngx_http_upstream_ssl_name: the name without a port; the host of the pass unless configured
    let name = match &tls.name {
        None => pass.host.clone().map(|host| without_port(&host).to_owned()),
        Some(written) => match variables(&written.value).as_slice() {
            [] => written.clone().map(|name| without_port(&name).to_owned()),
            ["proxy_host"] => pass.host.clone().map(|host| without_port(&host).to_owned()),
            ["host" | "http_host"] if written.value.starts_with('$') => {
                from_request = true;
                written.clone()
            }
            _ => {
                if verifies || sends_name {
                    unseen
                        .push(format!("{}_ssl_name {} is known only per request", tls.family, written.value));
                }
                written.clone()
            }
        },
    };
    // neither an address nor an empty name is sent
    let sendable = !name.value.is_empty()
        && !name.value.starts_with('[')
        && name.value.parse::<std::net::Ipv4Addr>().is_err();
    unseen.extend(
        tls.other_commands
            .iter()
            .map(|command| format!("{}_ssl_conf_command {} is not modelled", tls.family, command.value)),
    );
    let mut trust = Vec::new();
    let mut crls = Vec::new();
    // without verification these files are not even opened
    if verifies {
        trust.extend(
            tls.trusted_certificate
                .iter()
                .map(|path| Trust::File { file: given.file_at_start(path), loader: TrustLoader::Anchors }),
        );
        crls.extend(tls.crl.iter().map(|path| given.file_at_start(path)));
    }
    ClientTls {
        credential: tls
            .certificate
            .as_ref()
            .map(|certificate| given.credential(certificate, tls.key.as_ref(), tls.password_file.as_ref())),
        trust,
        server_name: (sends_name && sendable).then(|| name.value.clone()),
        reference: verifies.then(|| name.clone()),
        checks: PathChecks { depth: Some(tls.verify_depth.clone()), crls, ..PathChecks::default() },
        ciphers: tls.ciphers.clone(),
        algorithms: tls.algorithms.clone(),
        names_from_request: from_request,
        ..ClientTls::new(tls.verify.clone(), tls.protocols.clone(), pass.span)
    }
}

/// A name without the port that it may carry: up to the colon behind a closing bracket, else up to the first.
fn without_port(name: &str) -> &str {
    let from = if name.starts_with('[') { name.find(']').unwrap_or(0) } else { 0 };
    let colon = name.get(from..).and_then(|rest| rest.find(':')).map(|at| at + from);
    colon.and_then(|colon| name.get(..colon)).unwrap_or(name)
}

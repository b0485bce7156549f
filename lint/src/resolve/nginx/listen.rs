//! Servers → listeners: one per set of addresses that the same servers share.

use std::collections::HashMap;
use std::net::IpAddr;

use mtls_identity::sorted;

use super::Given;
use crate::deployment::{
    Bind, ClientAuth, ClientAuthMode, Gate, Listener, ListenerPurpose, ListenerTls, PathChecks, Selection,
    ServerContext, Setting, Trust, TrustLoader, Version,
};
use crate::dialect::nginx::{Group, ListenAddress, NginxConfig, Server, Subsystem};

/// A port range of `listen` is bound port by port, up to this many.
const MAX_RANGE: u16 = 256;

/// A listener and the servers behind it.
pub(super) struct Built {
    pub(super) listener: Listener,
    /// Indices of the servers, in the order of the listener's contexts.
    pub(super) servers: Vec<usize>,
    /// Which of those is the default.
    pub(super) default: usize,
}

/// The listeners of a configuration. Addresses that the same servers share, in the same order, are one.
pub(super) fn listeners(given: &Given<'_>, config: &NginxConfig) -> Vec<Built> {
    let mut built: Vec<Built> = Vec::new();
    let mut places: HashMap<(Vec<usize>, usize, bool, bool), usize> = HashMap::new();
    for group in config.groups() {
        let binds = binds(&group);
        if binds.is_empty() {
            continue; // a socket of the file system: nobody dials it over the network
        }
        let servers: Vec<usize> = group.members.iter().map(|(index, _)| *index).collect();
        let proxy_protocol = group.members.iter().any(|(_, listen)| listen.proxy_protocol);
        let key = (servers.clone(), group.default, group.ssl, proxy_protocol);
        match places.get(&key).and_then(|place| built.get_mut(*place)) {
            Some(known) => known.listener.binds.extend(binds),
            None => {
                places.insert(key, built.len());
                let default = servers.iter().position(|index| *index == group.default).unwrap_or(0);
                let mut listener = listener(given, config, &group, default);
                listener.binds = binds;
                built.push(Built { listener, servers, default });
            }
        }
    }
    built
}

fn binds(group: &Group<'_>) -> Vec<Bind> {
    let Some((_, first)) = group.members.first() else { return Vec::new() };
    let span = first.address.span;
    let bind = |address: IpAddr, port| {
        // every IPv4 address, or with ipv6only=off every address there is
        let every = address.is_unspecified() && (address.is_ipv4() || first.dual_stack);
        Bind { address: (!every).then_some(address), port, span }
    };
    match &group.address {
        // the system picks a port that nobody knows beforehand
        ListenAddress::Inet(_, 0) => Vec::new(),
        ListenAddress::Inet(address, port) => vec![bind(*address, *port)],
        ListenAddress::Range(address, from, to) => {
            (*from..=(*to).min(from.saturating_add(MAX_RANGE))).map(|port| bind(*address, port)).collect()
        }
        // a name that only the machine can resolve: some address of it
        ListenAddress::Name(_, port) => vec![Bind { address: None, port: *port, span }],
        ListenAddress::Unix(_) => Vec::new(),
    }
}

fn listener(given: &Given<'_>, config: &NginxConfig, group: &Group<'_>, default: usize) -> Listener {
    let servers: Vec<&Server> =
        group.members.iter().filter_map(|(index, _)| config.servers.get(*index)).collect();
    let span = servers.get(default).or(servers.first()).map_or_else(
        || {
            group.members.first().map_or(
                crate::source::Span { file: crate::source::FileId(0), start: 0, end: 0 },
                |(_, listen)| listen.address.span,
            )
        },
        |server| server.span,
    );
    let mut unseen: Vec<String> = servers.iter().flat_map(|server| server.unseen.iter().cloned()).collect();
    if group.members.iter().any(|(_, listen)| listen.proxy_protocol) {
        unseen.push("it expects a PROXY protocol header before the handshake".to_owned());
    }
    if group.ssl {
        for server in &servers {
            unseen.extend(unmodelled(server));
        }
    }
    sorted::sort(&mut unseen);
    unseen.dedup();
    let tls = group.ssl.then(|| {
        let mut contexts: Vec<ServerContext> = servers.iter().map(|server| context(given, server)).collect();
        let default_context = contexts.get(default).cloned();
        for (index, (context, server)) in contexts.iter_mut().zip(&servers).enumerate() {
            let Some(default_context) = default_context.as_ref().filter(|_| index != default) else {
                continue;
            };
            // those of the server that the connection came to stay when the name chooses another one (seen on 1.22)
            context.algorithms = default_context.algorithms.clone();
            if server.tls.certificates.is_empty() && !*server.tls.reject_handshake.value() {
                // without a certificate of its own, a server is served with the default's (ngx_http_ssl_servername)
                *context = ServerContext {
                    names: std::mem::take(&mut context.names),
                    client_auth: borrowed(&default_context.client_auth, &context.client_auth),
                    span: context.span,
                    ..default_context.clone()
                };
            } else if given.version < Version(1, 29, 2) {
                // the version was negotiated before the name chose a server (docs/xml/nginx/changes.xml, 1.29.2)
                context.protocols = default_context.protocols.clone();
            }
        }
        let selection = if contexts.len() == 1 { Selection::Single } else { Selection::Nginx { default } };
        ListenerTls { contexts, selection }
    });
    Listener {
        tls,
        gate: match group.subsystem {
            Subsystem::Http => Gate::NginxHttp,
            Subsystem::Stream | Subsystem::Mail => Gate::NginxConnection,
        },
        unseen,
        ..Listener::new(ListenerPurpose::Clients, Vec::new(), span)
    }
}

/// What a server without a certificate asks of clients: verified as the default server does in the handshake, they
/// are let in by its own `ssl_verify_client`.
fn borrowed(default: &ClientAuth, own: &ClientAuth) -> ClientAuth {
    let asked = *default.mode.value() != ClientAuthMode::Off;
    match own.mode.value() {
        ClientAuthMode::Off => ClientAuth { mode: own.mode.clone(), ..default.clone() },
        // nobody is asked, so that nobody has what is required: every request is answered with 400 (seen on 1.22)
        ClientAuthMode::Required if !asked => ClientAuth { trust: Vec::new(), ..own.clone() },
        _ if asked => ClientAuth { mode: own.mode.clone(), ..default.clone() },
        _ => default.clone(),
    }
}

/// What a server does during the handshake that nobody can predict.
fn unmodelled(server: &Server) -> Vec<String> {
    let tls = &server.tls;
    let mut unseen = Vec::new();
    if tls.by_lua.is_some() {
        unseen.push("Lua code decides during the handshake".to_owned());
    }
    if let (Some(ocsp), true) = (&tls.ocsp, *tls.verify_client.value() != ClientAuthMode::Off) {
        unseen.push(format!("ssl_ocsp {} asks a responder about each client certificate", ocsp.value));
    }
    unseen.extend(
        tls.other_commands
            .iter()
            .map(|command| format!("ssl_conf_command {} is not modelled", command.value)),
    );
    unseen
}

fn context(given: &Given<'_>, server: &Server) -> ServerContext {
    let tls = &server.tls;
    let credentials = tls.certificates.iter().enumerate().map(|(index, certificate)| {
        given.credential(certificate, tls.keys.get(index), tls.password_file.as_ref())
    });
    let mode = *tls.verify_client.value();
    let mut trust = Vec::new();
    // ssl_client_certificate is opened only when clients are verified, ssl_trusted_certificate always
    if let Some(path) = tls.client_certificate.as_ref().filter(|_| mode != ClientAuthMode::Off) {
        trust.push(Trust::File { file: given.file_at_start(path), loader: TrustLoader::ClientCaList });
    }
    if let Some(path) = &tls.trusted_certificate {
        trust.push(Trust::File { file: given.file_at_start(path), loader: TrustLoader::Anchors });
    }
    ServerContext {
        names: server.names.clone(),
        credentials: credentials.collect(),
        client_auth: ClientAuth {
            mode: tls.verify_client.clone(),
            trust,
            checks: PathChecks {
                depth: Some(tls.verify_depth.clone()),
                crls: tls.crl.iter().map(|path| given.file_at_start(path)).collect(),
                ..PathChecks::default()
            },
            skip_paths: Vec::new(),
        },
        protocols: match &tls.protocols {
            Setting::Given(given) => Setting::Given(given.clone()),
            Setting::Default { value, .. } => Setting::Default { value: value.clone(), parent: server.span },
        },
        ciphers: tls.ciphers.clone(),
        algorithms: tls.algorithms.clone(),
        rejects_handshake: *tls.reject_handshake.value(),
        refusals: Vec::new(),
        span: server.span,
    }
}

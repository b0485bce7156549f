//! Where APISIX listens.

use super::Given;
use super::objects::{Found, unseen_in};
use crate::deployment::{
    Bind, ClientAuth, ClientAuthMode, Credential, FileRef, Gate, Listener, ListenerPurpose, ListenerTls,
    PathChecks, Selection, ServerContext, Setting, Trust, TrustLoader,
};
use crate::dialect::apisix::Config;
use crate::dialect::apisix::config::{Admin, AdminTls, Area, ConfServer, Directive, Listen, Role};
use crate::dialect::apisix::objects::{SslKind, SslObject};
use crate::source::{Located, Span};

/// Every port of a configuration.
pub fn listeners(given: &Given<'_>, config: &Config, found: &Found) -> Vec<Listener> {
    let mut out = Vec::new();
    if *config.role.value() != Role::ControlPlane {
        if !config.plain.is_empty() {
            let span = config.plain.first().map_or(config.span, |listen| listen.port.span());
            out.push(plaintext(ListenerPurpose::Clients, &config.plain, span));
        }
        if *config.ssl.enable.value() && !config.ssl.listen.is_empty() {
            out.push(data_plane(given, config, found));
        }
        for stream in &config.stream {
            out.push(layer_4(given, config, found, &stream.listen, stream.tls));
        }
    }
    if let Some(admin) = &config.admin {
        out.extend(admin_api(given, config, admin));
    }
    for listen in [&config.control, &config.metrics].into_iter().flatten() {
        out.push(plaintext(ListenerPurpose::Metrics, std::slice::from_ref(listen), listen.port.span()));
    }
    if let Some(server) = &config.conf_server {
        out.push(conf_server(given, config, server));
    }
    out
}

fn binds(listens: &[Listen]) -> Vec<Bind> {
    let bind = |listen: &Listen| Bind {
        address: listen.address,
        port: *listen.port.value(),
        span: listen.port.span(),
    };
    listens.iter().map(bind).collect()
}

fn plaintext(purpose: ListenerPurpose, listens: &[Listen], span: Span) -> Listener {
    Listener::new(purpose, binds(listens), span)
}

fn data_plane(given: &Given<'_>, config: &Config, found: &Found) -> Listener {
    Listener {
        tls: Some(contexts(given, config, found, true)),
        gate: Gate::ApisixData,
        unseen: found.ssls_unseen.iter().cloned().collect(),
        ..Listener::new(ListenerPurpose::Clients, binds(&config.ssl.listen), config.ssl.span)
    }
}

fn layer_4(given: &Given<'_>, config: &Config, found: &Found, listen: &Listen, tls: bool) -> Listener {
    Listener {
        tls: tls.then(|| contexts(given, config, found, false)),
        unseen: if tls { found.ssls_unseen.iter().cloned().collect() } else { Vec::new() },
        ..Listener::new(ListenerPurpose::Clients, binds(std::slice::from_ref(listen)), listen.port.span())
    }
}

/// One context for each ssl object. A dropped object stays among them with its refusals: it is chosen by no name.
fn contexts(given: &Given<'_>, config: &Config, found: &Found, http: bool) -> ListenerTls {
    let objects: Vec<&SslObject> =
        found.objects.ssls.iter().filter(|ssl| ssl.kind == SslKind::Server && ssl.enabled).collect();
    ListenerTls {
        contexts: objects.iter().map(|ssl| context(given, config, ssl, http)).collect(),
        selection: Selection::Apisix {
            fallback: config.ssl.fallback_sni.clone(),
            lists: objects.iter().map(|ssl| ssl.list).collect(),
            complete: found.objects.complete,
        },
    }
}

fn context(given: &Given<'_>, config: &Config, ssl: &SslObject, http: bool) -> ServerContext {
    let credentials = ssl.pairs.iter().map(|pair| Credential {
        certificate: pair.certificate.clone(),
        key: pair.key.clone(),
        passphrase: None,
    });
    ServerContext {
        names: ssl.names.clone(),
        credentials: credentials.collect(),
        client_auth: client_auth(given, config, ssl, http),
        protocols: match &ssl.protocols {
            // the object's list replaces the configuration's in both directions
            Some(protocols) => Setting::Given(protocols.clone()),
            None => config.ssl.protocols.clone(),
        },
        ciphers: config.ssl.ciphers.clone(),
        algorithms: crate::deployment::Algorithms::default(),
        rejects_handshake: false,
        refusals: ssl.refusals.clone(),
        span: ssl.span,
    }
}

fn client_auth(given: &Given<'_>, config: &Config, ssl: &SslObject, http: bool) -> ClientAuth {
    let Some(client) = &ssl.client else {
        // a snippet acts on objects without `client`, as it does in nginx
        let nginx = &config.nginx;
        return by_directives(
            given,
            |name| nginx.for_handshakes(name),
            Setting::Default { value: ClientAuthMode::Off, parent: ssl.span },
            config.ssl.span,
        );
    };
    let trust = |ca: &FileRef| Trust::File { file: ca.clone(), loader: TrustLoader::ApisixClientCa };
    ClientAuth {
        mode: Setting::Given(Located::new(ClientAuthMode::Required, client.span)),
        trust: client.ca.iter().map(trust).collect(),
        checks: PathChecks { depth: Some(client.depth.clone()), ..PathChecks::default() },
        // the stream subsystem always rejects within the handshake
        skip_paths: if http { client.skip_paths.clone() } else { Vec::new() },
    }
}

/// Client authentication as nginx directives set it.
fn by_directives<'d>(
    given: &Given<'_>,
    directive: impl Fn(&str) -> Option<&'d Directive>,
    otherwise: Setting<ClientAuthMode>,
    parent: Span,
) -> ClientAuth {
    let mode = directive("ssl_verify_client").and_then(Directive::argument).map(|argument| {
        let mode = match argument.value.as_str() {
            "on" => ClientAuthMode::Required,
            "optional" => ClientAuthMode::Optional,
            "optional_no_ca" => ClientAuthMode::OptionalNoCa,
            _ => ClientAuthMode::Off,
        };
        Setting::Given(Located::new(mode, argument.span))
    });
    let file = |name: &str, loader| {
        let path = directive(name).and_then(Directive::argument)?;
        Some(Trust::File { file: given.read(path, &given.folder), loader })
    };
    let mode = mode.unwrap_or(otherwise);
    if matches!(mode.value(), ClientAuthMode::Off) {
        return ClientAuth { mode, trust: Vec::new(), checks: PathChecks::default(), skip_paths: Vec::new() };
    }
    let list = file("ssl_client_certificate", TrustLoader::ClientCaList);
    let more = file("ssl_trusted_certificate", TrustLoader::Anchors);
    ClientAuth {
        mode,
        trust: list.into_iter().chain(more).collect(),
        checks: PathChecks {
            depth: Some(depth(directive("ssl_verify_depth"), parent)),
            ..PathChecks::default()
        },
        skip_paths: Vec::new(),
    }
}

/// `ssl_verify_depth`, 1 in nginx unless it is set.
pub fn depth(directive: Option<&Directive>, parent: Span) -> Setting<u32> {
    let given = directive
        .and_then(Directive::argument)
        .and_then(|argument| Some(Located::new(argument.value.parse().ok()?, argument.span)));
    match given {
        Some(depth) => Setting::Given(depth),
        None => Setting::Default { value: 1, parent },
    }
}

fn admin_api(given: &Given<'_>, config: &Config, admin: &Admin) -> Option<Listener> {
    let listen = admin.listen.as_ref()?;
    let gate = Gate::ApisixAdmin {
        allow: admin.allow.clone(),
        keys: (!admin.keys.is_empty() || admin.random_key.is_none())
            .then(|| admin.keys.iter().map(|key| key.sha256).collect()),
        keys_unseen: unseen_in(config, &[Area::Keys]).into_iter().next(),
        shipped_keys: !admin.keys.is_empty() && admin.keys.iter().all(|key| key.span == admin.span),
        key_required: *admin.key_required.value() && admin.no_keys.is_none(),
    };
    let tls = admin.https.value().then(|| {
        let context = admin_context(given, config, admin, admin.mtls.as_ref());
        ListenerTls { contexts: vec![context], selection: Selection::Single }
    });
    Some(Listener {
        tls,
        gate,
        unseen: unseen_in(config, &[Area::Admin]),
        ..Listener::new(ListenerPurpose::Admin, binds(std::slice::from_ref(listen)), admin.span)
    })
}

fn admin_context(
    given: &Given<'_>,
    config: &Config,
    admin: &Admin,
    mtls: Option<&AdminTls>,
) -> ServerContext {
    // nginx resolves these against the folder of nginx.conf
    let read = |path: Option<&Located<String>>| path.map(|path| given.read(path, &given.folder));
    let certificate = read(mtls.and_then(|mtls| mtls.certificate.as_ref()));
    let key = read(mtls.and_then(|mtls| mtls.key.as_ref()));
    let nginx = &config.nginx;
    let client_auth = match mtls.and_then(|mtls| mtls.client_ca.as_ref()) {
        Some(ca) => ClientAuth {
            mode: Setting::Given(Located::new(ClientAuthMode::Required, ca.span)),
            trust: vec![Trust::File {
                file: given.read(ca, &given.folder),
                loader: TrustLoader::ClientCaList,
            }],
            checks: PathChecks {
                depth: Some(depth(nginx.for_admin("ssl_verify_depth"), ca.span)),
                ..PathChecks::default()
            },
            skip_paths: Vec::new(),
        },
        None => by_directives(
            given,
            |name| nginx.for_admin(name),
            Setting::Default {
                value: ClientAuthMode::Off,
                parent: mtls.map_or(admin.span, |mtls| mtls.span),
            },
            admin.span,
        ),
    };
    ServerContext {
        names: Vec::new(),
        credentials: certificate
            .map(|certificate| Credential { certificate, key, passphrase: None })
            .into_iter()
            .collect(),
        client_auth,
        protocols: config.ssl.protocols.clone(),
        ciphers: config.ssl.ciphers.clone(),
        algorithms: crate::deployment::Algorithms::default(),
        rejects_handshake: false,
        refusals: Vec::new(),
        span: mtls.map_or(admin.span, |mtls| mtls.span),
    }
}

fn conf_server(given: &Given<'_>, config: &Config, server: &ConfServer) -> Listener {
    // cli/ops.lua makes these absolute, from APISIX's home
    let read = |path: &Located<String>| given.read(path, &given.home);
    let context = ServerContext {
        names: Vec::new(),
        credentials: server
            .certificate
            .as_ref()
            .map(|certificate| Credential {
                certificate: read(certificate),
                key: server.key.as_ref().map(read),
                passphrase: None,
            })
            .into_iter()
            .collect(),
        client_auth: match &server.client_ca {
            Some(ca) => ClientAuth {
                mode: Setting::Given(Located::new(ClientAuthMode::Required, ca.span)),
                trust: vec![Trust::File { file: read(ca), loader: TrustLoader::ClientCaList }],
                checks: PathChecks { depth: Some(depth(None, ca.span)), ..PathChecks::default() },
                skip_paths: Vec::new(),
            },
            None => ClientAuth {
                mode: Setting::Default { value: ClientAuthMode::Off, parent: server.span },
                trust: Vec::new(),
                checks: PathChecks::default(),
                skip_paths: Vec::new(),
            },
        },
        protocols: config.ssl.protocols.clone(),
        ciphers: config.ssl.ciphers.clone(),
        algorithms: crate::deployment::Algorithms::default(),
        rejects_handshake: false,
        refusals: Vec::new(),
        span: server.span,
    };
    Listener {
        tls: server
            .certificate
            .is_some()
            .then(|| ListenerTls { contexts: vec![context], selection: Selection::Single }),
        ..Listener::new(ListenerPurpose::Peers, binds(std::slice::from_ref(&server.listen)), server.span)
    }
}

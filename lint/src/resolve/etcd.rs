//! etcd: settings → client, peer and metrics ports, the other members it dials, and its gateway's dial to itself.

use std::net::{IpAddr, Ipv4Addr};

use super::machine::{Files, Machine};
use super::{Launch, Notes, World};
use crate::deployment::{
    Bind, ClientAuth, ClientAuthMode, ClientTls, Configuration, Content, Credential, Dialer, DialerPurpose,
    FileRef, Gate, Listener, ListenerPurpose, ListenerTls, Lookup, NameCheck, PathChecks, Program, Protocol,
    Protocols, Refusal, Selection, ServerContext, Setting, Speaks, Target, Trust, TrustLoader, Version,
};
use crate::dialect::etcd::{self, EtcdConfig, Security, Start, Variable};
use crate::finding::Incomplete;
use crate::source::{FileId, Located, Span, Text};
use crate::syntax::url::Url;
use crate::syntax::yaml;

/// Where the start script of bitnami/etcd looks for a configuration file.
const BITNAMI_FILE: &str = "/opt/bitnami/etcd/conf/etcd.yaml";

/// Turns one launched etcd into a program with endpoints.
pub fn link(world: &World<'_>, launch: &Launch, notes: &mut Notes) -> Vec<Program> {
    let Some(machine) = world.machines.get(launch.machine) else { return Vec::new() };
    let mut program = launch.program(world.assume.etcd(launch.image.as_ref()));
    // a discovered file is either the configuration or the environment
    let discovered = launch.configuration.as_ref();
    let environment_file = discovered
        .filter(|(_, text)| text.as_str().is_ok_and(etcd::recognises_environment))
        .map(|(_, text)| etcd::environment(text))
        .unwrap_or_default();
    let file_variables: Vec<(Located<String>, Lookup<Located<String>>)> =
        environment_file.into_iter().map(|(name, value)| (name, Lookup::Found(value))).collect();
    let mut environment: Vec<Variable<'_>> = launch
        .environment
        .iter()
        .map(|variable| Variable { name: &variable.name, value: &variable.value })
        .collect();
    environment.extend(file_variables.iter().map(|(name, value)| Variable { name, value }));
    if let Some((_, text)) = discovered {
        notes.consumed.insert(text.file());
        program.file = program.file.or(Some(text.file()));
        program.span = program.span.or(Some(text.span(0..0)));
    }
    let parent =
        program.span.unwrap_or(Span { file: program.file.unwrap_or(FileId(u32::MAX)), start: 0, end: 0 });
    let bitnami = launch.image.as_ref().is_some_and(|image| is_bitnami(&image.value));
    let configuration = if file_variables.is_empty() && discovered.is_some() {
        discovered.map(|(path, text)| (Located::new(path.clone(), parent), text.clone()))
    } else {
        match configuration_file(world, machine, launch, &environment, bitnami, parent, &mut program) {
            Ok(configuration) => configuration,
            Err(()) => return vec![program],
        }
    };
    let document = match &configuration {
        None => None,
        Some((_, text)) => {
            notes.consumed.insert(text.file());
            // discovery has told what is wrong with a file that it found
            let told = discovered.is_some();
            match parse(world, text, (!told).then_some(&mut *notes), &mut program) {
                Some(document) => Some(document),
                None => return vec![program],
            }
        }
    };
    let mut config = etcd::read(&Start {
        arguments: &launch.arguments,
        environment,
        file: configuration
            .as_ref()
            .zip(document.as_ref())
            .map(|((path, _), document)| (path.clone(), document.root())),
        version: program.versions.program,
        supplied: if bitnami { etcd::BITNAMI } else { &[] },
        parent,
    });
    let base = match (&machine.files, &configuration, discovered) {
        // files beside a loose configuration are named relative to it
        (Files::Loose, Some((path, _)), _) => folder(&path.value),
        (Files::Loose, None, Some((path, _))) => folder(path),
        _ => "/".to_owned(),
    };
    if launch.image.as_ref().is_some_and(|image| !bitnami && !is_stock(&image.value)) {
        leave_to_start_script(&mut config, launch);
    }
    let files = Reader { world, machine, base };
    fill(&mut program, config, &files);
    vec![program]
}

/// The configuration file that arguments, environment or the image's start script name, and its text. Err: it is
/// named, and cannot be read; the program says why.
fn configuration_file(
    world: &World<'_>,
    machine: &Machine,
    launch: &Launch,
    environment: &[Variable<'_>],
    bitnami: bool,
    parent: Span,
    program: &mut Program,
) -> Result<Option<(Located<String>, Text)>, ()> {
    let named = etcd::config_file(&launch.arguments, environment);
    let path = match (&named, bitnami) {
        (Some(path), _) => path.clone(),
        (None, true) => Located::new(BITNAMI_FILE.to_owned(), parent),
        (None, false) => return Ok(None),
    };
    match machine.read(&world.index, &path, "/").content {
        Lookup::Found(Content::Bytes(text)) => Ok(Some((path, text))),
        // the start script uses the file where it is there
        _ if named.is_none() => Ok(None),
        Lookup::Missing(missing) => {
            let mut labels = vec![crate::finding::Label { span: path.span, message: String::new() }];
            labels.extend(missing.labels);
            program.refusals.push(Refusal {
                rule: missing.rule,
                message: missing.message,
                labels,
                log: Some(format!("open {}: no such file or directory", path.value)),
            });
            Err(())
        }
        Lookup::Unseen(why) => {
            program.unseen.push(why);
            Err(())
        }
        Lookup::Found(_) => {
            program.unseen.push(format!("{} is no file that could be read", path.value));
            Err(())
        }
    }
}

/// The configuration's document; what is wrong with it goes to the notes and the program.
fn parse(
    world: &World<'_>,
    text: &Text,
    notes: Option<&mut Notes>,
    program: &mut Program,
) -> Option<yaml::Document> {
    let parsed = yaml::parse(text);
    if let Some(notes) = notes {
        notes.incomplete.extend(parsed.problems.iter().map(|problem| Incomplete {
            file: world.index.sources.path(text.file()).to_owned(),
            span: Some(problem.span),
            message: problem.message.clone(),
        }));
    }
    if let Some(lost) = parsed.problems.iter().find(|problem| problem.document_lost) {
        program.refusals.push(Refusal {
            rule: "refused-setting",
            message: format!("etcd cannot parse its configuration: {}", lost.message),
            labels: vec![crate::finding::Label {
                span: lost.span,
                message: "put valid YAML here".to_owned(),
            }],
            log: None,
        });
        return None;
    }
    let document = parsed.documents.into_iter().next();
    if document.is_none() {
        program.unseen.push("its configuration file is empty".to_owned());
    }
    document
}

fn fill(program: &mut Program, config: EtcdConfig, files: &Reader<'_>) {
    if program.name.is_empty() {
        program.name = format!("etcd {}", config.name.value());
    }
    program.refusals.extend(config.refusals.iter().cloned());
    program.unseen.extend(config.unseen.iter().cloned());
    program.aliases = aliases(&config);
    let client = Side { security: &config.client, files, config: &config };
    let peer = Side { security: &config.peer, files, config: &config };
    let client_urls = config.listen_client_urls.value().iter().map(|url| (url, false));
    for (url, http_only) in client_urls.chain(config.listen_client_http_urls.iter().map(|url| (url, true))) {
        let tls = is_tls(&url.value).then(|| client.server_tls(false));
        // the gateway dials the port it belongs to, over TLS where that port has it
        let gateway_dialer =
            (*config.enable_grpc_gateway.value() && tls.is_some() && !http_only).then(|| {
                program.dialers.push(client.gateway(url));
                program.dialers.len() - 1
            });
        let gate = Gate::Etcd { gateway: config.enable_grpc_gateway.clone(), gateway_dialer };
        program.listeners.extend(listener(ListenerPurpose::Clients, url, tls, gate));
    }
    for url in config.listen_peer_urls.value() {
        let tls = is_tls(&url.value).then(|| peer.server_tls(true));
        program.listeners.extend(listener(ListenerPurpose::Peers, url, tls, Gate::Open));
    }
    for url in &config.listen_metrics_urls {
        // unlike the client port, the metrics port compares names with addresses (transport.NewListener)
        let tls = is_tls(&url.value).then(|| client.server_tls(true));
        program.listeners.extend(listener(ListenerPurpose::Metrics, url, tls, Gate::Open));
    }
    if config.discovery.is_none() {
        for member in config.initial_cluster.value() {
            if member.name.value != *config.name.value() {
                program.dialers.extend(peer.dialer(&member.url));
            }
        }
    }
    program.configuration = Configuration::Etcd(Box::new(config));
}

/// Names of the URLs that it advertises.
fn aliases(config: &EtcdConfig) -> Vec<String> {
    let mut names: Vec<String> = config
        .advertise_client_urls
        .value()
        .iter()
        .chain(config.initial_advertise_peer_urls.value())
        .filter(|url| url.value.address().is_none() && url.value.host != "localhost")
        .map(|url| url.value.host.to_ascii_lowercase())
        .collect();
    names.sort();
    names.dedup();
    names
}

/// Reads files as this etcd does.
struct Reader<'w> {
    world: &'w World<'w>,
    machine: &'w Machine,
    base: String,
}

impl Reader<'_> {
    fn read(&self, path: &Located<String>) -> FileRef {
        self.machine.read(&self.world.index, path, &self.base)
    }
}

/// One of etcd's two sides, with what applies to both.
struct Side<'s> {
    security: &'s Security,
    files: &'s Reader<'s>,
    config: &'s EtcdConfig,
}

impl Side<'_> {
    /// What the side presents as a server, `as_client` as a client.
    fn credential(&self, as_client: bool) -> Option<Credential> {
        let security = self.security;
        let (certificate, key) = match (&security.client_cert_file, as_client) {
            (Some(certificate), true) => (Some(certificate), &security.client_key_file),
            _ => (security.cert_file.as_ref(), &security.key_file),
        };
        if let Some(certificate) = certificate {
            return Some(Credential {
                certificate: self.files.read(certificate),
                key: key.as_ref().map(|key| self.files.read(key)),
                has_passphrase: false,
            });
        }
        if !*security.auto_tls.value() || !security.is_empty() {
            return None;
        }
        let made = |name: &str| FileRef {
            path: Located::new(name.to_owned(), security.auto_tls.span()),
            content: Lookup::Unseen("etcd makes its own certificate at start (auto-tls)".to_owned()),
            mode: None,
        };
        Some(Credential {
            certificate: made("fixtures/cert.pem"),
            key: Some(made("fixtures/key.pem")),
            has_passphrase: false,
        })
    }

    /// `auto-tls` is in force: the other settings of the side are lost (`transport.SelfCert` makes new ones).
    fn self_signed(&self) -> bool {
        *self.security.auto_tls.value() && self.security.is_empty()
    }

    fn trust(&self) -> Vec<Trust> {
        match &self.security.trusted_ca_file {
            Some(path) => vec![Trust::File { file: self.files.read(path), loader: TrustLoader::Go }],
            None => vec![Trust::System(self.security.span)],
        }
    }

    /// `allowed-cn` or `allowed-hostname`, which hold for both roles.
    fn names(&self) -> Vec<Located<NameCheck>> {
        let common = self.security.allowed_cn.iter().cloned().map(|name| name.map(NameCheck::CommonName));
        let host = self.security.allowed_hostname.iter().cloned().map(|name| name.map(NameCheck::Hostname));
        common.chain(host).collect()
    }

    fn server_tls(&self, compares_address: bool) -> ListenerTls {
        let security = self.security;
        let mode = match (&security.trusted_ca_file, &security.client_cert_auth) {
            _ if self.self_signed() => Setting::Default { value: ClientAuthMode::Off, parent: security.span },
            // either setting alone makes it insist (listener.go, ServerConfig)
            (_, Setting::Given(auth)) if auth.value => {
                Setting::Given(Located::new(ClientAuthMode::Required, auth.span))
            }
            (Some(bundle), _) => Setting::Given(Located::new(ClientAuthMode::Required, bundle.span)),
            (None, Setting::Given(auth)) => Setting::Given(Located::new(ClientAuthMode::Off, auth.span)),
            (None, Setting::Default { parent, .. }) => {
                Setting::Default { value: ClientAuthMode::Off, parent: *parent }
            }
        };
        let asks = *mode.value() != ClientAuthMode::Off;
        let skips = *security.skip_client_san_verification.value();
        ListenerTls {
            contexts: vec![ServerContext {
                names: Vec::new(),
                credentials: self.credential(false).into_iter().collect(),
                client_auth: ClientAuth {
                    mode,
                    trust: if asks { self.trust() } else { Vec::new() },
                    checks: PathChecks {
                        crls: security.crl_file.iter().map(|path| self.files.read(path)).collect(),
                        names: if self.self_signed() { Vec::new() } else { self.names() },
                        peer_address: compares_address && !skips,
                        ..PathChecks::default()
                    },
                    skip_paths: Vec::new(),
                },
                protocols: self.protocols(true),
                ciphers: self.suites(),
                rejects_handshake: false,
                refusals: Vec::new(),
                span: security.span,
            }],
            selection: Selection::Single,
        }
    }

    /// The dial to another member.
    fn dialer(&self, url: &Located<Url>) -> Option<Dialer> {
        let tls = is_tls(&url.value).then(|| {
            let verified = !self.self_signed();
            ClientTls {
                credential: self.credential(true),
                trust: self.trust(),
                server_name: sni(&url.value.host),
                reference: Some(Located::new(url.value.host.clone(), url.span)),
                checks: PathChecks {
                    // without a certificate of its own the settings are not looked at (TLSInfo.ClientConfig)
                    names: if self.security.is_empty() { Vec::new() } else { self.names() },
                    ..PathChecks::default()
                },
                ciphers: self.suites(),
                ..ClientTls::new(
                    Setting::Default { value: verified, parent: self.security.span },
                    self.protocols(false),
                    self.security.span,
                )
            }
        });
        let port = url.value.port?;
        let target = Target {
            url: url.value.to_string(),
            host: Located::new(url.value.host.clone(), url.span),
            port,
            connect_to: None,
        };
        Some(Dialer { tls, ..Dialer::new(DialerPurpose::Peer, target, url.span) })
    }

    /// The gateway's dial to its own port: with the server's certificate, without a look at the server's.
    fn gateway(&self, url: &Located<Url>) -> Dialer {
        let address = bound(&url.value).flatten().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let target = Target {
            url: url.value.to_string(),
            host: Located::new(url.value.host.clone(), url.span),
            port: url.value.port.unwrap_or_default(),
            connect_to: url.value.port.map(|port| (address.to_string(), port)),
        };
        Dialer {
            tls: Some(ClientTls {
                credential: self.credential(true),
                server_name: sni(&url.value.host),
                checks: PathChecks { names: self.names(), ..PathChecks::default() },
                ciphers: self.suites(),
                ..ClientTls::new(
                    Setting::Default { value: false, parent: self.security.span },
                    self.protocols(true),
                    self.security.span,
                )
            }),
            speaks: Speaks::Http2,
            ..Dialer::new(DialerPurpose::Gateway, target, url.span)
        }
    }

    /// TLS 1.2 and 1.3, as far as settings and version allow.
    ///
    /// 3.5.0 to 3.5.7 serve TLS 1.2 only (`ServerConfig` set MaxVersion until pull request 15483); 3.4.23 was seen
    /// to serve 1.3.
    fn protocols(&self, server: bool) -> Setting<Protocols> {
        let version = self.config.version;
        let named = |setting: &Option<Located<String>>, default| match setting
            .as_ref()
            .map(|text| text.value.as_str())
        {
            Some("TLS1.2") => Protocol::Tls12,
            Some("TLS1.3") => Protocol::Tls13,
            _ => default,
        };
        let capped = server && version >= Version(3, 5, 0) && version < Version(3, 5, 8);
        let highest =
            named(&self.config.tls_max_version, if capped { Protocol::Tls12 } else { Protocol::Tls13 });
        let lowest = named(&self.config.tls_min_version, Protocol::Tls12);
        let versions = [Protocol::Tls12, Protocol::Tls13]
            .into_iter()
            .filter(|protocol| *protocol >= lowest && *protocol <= highest)
            .collect();
        let value = Protocols { versions };
        match self.config.tls_max_version.as_ref().or(self.config.tls_min_version.as_ref()) {
            Some(setting) => Setting::Given(Located::new(value, setting.span)),
            None => Setting::Default { value, parent: self.security.span },
        }
    }

    fn suites(&self) -> Option<Located<String>> {
        let suites = &self.config.cipher_suites;
        let first = suites.first()?;
        let names: Vec<&str> = suites.iter().map(|suite| suite.value.as_str()).collect();
        Some(Located::new(names.join(","), first.span))
    }
}

fn listener(
    purpose: ListenerPurpose,
    url: &Located<Url>,
    tls: Option<ListenerTls>,
    gate: Gate,
) -> Option<Listener> {
    let bind = Bind { address: bound(&url.value)?, port: url.value.port?, span: url.span };
    Some(Listener { tls, gate, ..Listener::new(purpose, vec![bind], url.span) })
}

/// The address that a URL binds: inner None is every address; outer None is a Unix socket, or a name, which is refused.
fn bound(url: &Url) -> Option<Option<IpAddr>> {
    if !matches!(url.scheme.as_str(), "http" | "https") {
        return None;
    }
    if url.host == "localhost" {
        return Some(Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    }
    let address = url.address()?;
    Some((!address.is_unspecified()).then_some(address))
}

/// What Go sends as server name: host names without a final dot, no addresses (crypto/tls, `hostnameInSNI`).
pub(super) fn sni(host: &str) -> Option<String> {
    let name = host.trim_end_matches('.');
    let is_address = name.split('%').next().is_some_and(|text| text.parse::<IpAddr>().is_ok());
    (!name.is_empty() && !is_address).then(|| name.to_owned())
}

fn is_tls(url: &Url) -> bool {
    matches!(url.scheme.as_str(), "https" | "unixs")
}

fn folder(path: &str) -> String {
    match path.rsplit_once('/') {
        Some((folder, _)) if !folder.is_empty() => folder.to_owned(),
        _ => "/".to_owned(),
    }
}

/// Images that start etcd itself, without a script before it.
fn is_stock(image: &str) -> bool {
    let name = image.split('@').next().unwrap_or_default();
    [
        "coreos/etcd",
        "etcd-development/etcd",
        "registry.k8s.io/etcd",
        "k8s.gcr.io/etcd",
        "google_containers/etcd",
    ]
    .iter()
    .any(|known| name.contains(known))
}

/// In an image that nobody knows, a start script may give what etcd demands beside the environment.
fn leave_to_start_script(config: &mut EtcdConfig, launch: &Launch) {
    let by_flags = launch.arguments.iter().any(|word| word.value.contains("listen-client-urls"));
    let demanded = |refusal: &Refusal| refusal.message == etcd::ADVERTISE_MISSING;
    if !by_flags && config.refusals.iter().any(demanded) {
        config.refusals.retain(|refusal| !demanded(refusal));
        config.unseen.push(
            "etcd demands advertise-client-urls, and whether the image sets it was not seen".to_owned(),
        );
    }
}

/// `bitnami/etcd`, `docker.io/bitnamilegacy/etcd:3.5`, `public.ecr.aws/bitnami/etcd@sha256:…`.
fn is_bitnami(image: &str) -> bool {
    let name = image.split('@').next().unwrap_or_default();
    let mut parts = name.rsplit('/');
    let is_etcd = parts.next().is_some_and(|last| last.split(':').next() == Some("etcd"));
    is_etcd && parts.next().is_some_and(|owner| owner.starts_with("bitnami"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assume::Assume;
    use crate::deployment::ProgramKind;
    use crate::resolve::machine::{Index, Mount, Mounted};
    use crate::source::Sources;

    const SECURITY: &str =
        "client-transport-security:\n  cert-file: /etc/etcd/s.crt\n  key-file: /etc/etcd/s.key\n";

    fn sources(files: &[(&str, &str)]) -> Sources {
        let mut sources = Sources::default();
        sources.root = true;
        for (path, text) in files {
            sources.add(*path, *text);
        }
        sources
    }

    fn launch() -> Launch {
        Launch {
            kind: ProgramKind::Etcd,
            name: String::new(),
            file: None,
            span: None,
            machine: 0,
            image: None,
            arguments: Vec::new(),
            environment: Vec::new(),
            configuration: None,
        }
    }

    /// The program that discovery would launch for the first source.
    fn discovered(files: &[(&str, &str)], assume: &Assume) -> Program {
        let sources = sources(files);
        let machine = Machine { name: String::new(), namespace: None, files: Files::Root };
        let world = World {
            index: Index::new(&sources),
            assume,
            machines: vec![machine],
            apisix_objects: Default::default(),
        };
        let path = format!("/{}", files[0].0);
        let launch = Launch { configuration: Some((path, sources.text(FileId(0)).unwrap())), ..launch() };
        link(&world, &launch, &mut Notes::default()).remove(0)
    }

    fn context(listener: &Listener) -> &ServerContext {
        &listener.tls.as_ref().unwrap().contexts[0]
    }

    #[test]
    fn a_trusted_ca_alone_makes_clients_show_certificates() {
        for (settings, expected, trusts_system) in [
            ("", ClientAuthMode::Off, false),
            ("  trusted-ca-file: /etc/etcd/ca.crt\n", ClientAuthMode::Required, false),
            (
                "  trusted-ca-file: /etc/etcd/ca.crt\n  client-cert-auth: false\n",
                ClientAuthMode::Required,
                false,
            ),
            ("  client-cert-auth: true\n", ClientAuthMode::Required, true),
            ("  client-cert-auth: false\n", ClientAuthMode::Off, false),
        ] {
            let text = format!("listen-client-urls: https://0.0.0.0:2379\n{SECURITY}{settings}");
            let program = discovered(&[("etc/etcd/etcd.conf.yml", &text)], &Assume::default());
            let auth = &context(&program.listeners[0]).client_auth;
            assert_eq!(*auth.mode.value(), expected, "{settings}");
            assert_eq!(matches!(auth.trust.first(), Some(Trust::System(_))), trusts_system, "{settings}");
        }
    }

    #[test]
    fn the_gateway_dials_its_own_port_with_the_servers_certificate() {
        let text = format!("listen-client-urls: https://0.0.0.0:2379,http://127.0.0.1:2381\n{SECURITY}");
        let program = discovered(&[("etc/etcd/etcd.conf.yml", &text)], &Assume::default());
        let [clients, plain, peers] = program.listeners.as_slice() else { panic!("{:?}", program.listeners) };
        assert!(matches!(clients.gate, Gate::Etcd { gateway_dialer: Some(0), .. }));
        assert!(matches!(plain.gate, Gate::Etcd { gateway_dialer: None, .. }));
        assert!(plain.tls.is_none());
        assert_eq!(peers.purpose, ListenerPurpose::Peers);
        let gateway = &program.dialers[0];
        assert_eq!(gateway.target.connect_to, Some(("127.0.0.1".to_owned(), 2379)));
        let tls = gateway.tls.as_ref().unwrap();
        assert_eq!(tls.credential.as_ref().unwrap().certificate.path.value, "/etc/etcd/s.crt");
        assert!(!tls.verify.value() && tls.server_name.is_none() && tls.reference.is_none());
    }

    #[test]
    fn under_a_file_the_gateway_of_3_4_is_off() {
        let text = format!("listen-client-urls: https://127.0.0.1:2379\n{SECURITY}");
        let program =
            discovered(&[("etc/etcd/etcd.conf.yml", &text)], &Assume::parse(&["etcd=3.4.23"]).unwrap());
        assert!(
            matches!(&program.listeners[0].gate, Gate::Etcd { gateway, gateway_dialer: None } if !gateway.value())
        );
    }

    #[test]
    fn every_other_member_is_dialled_by_its_url() {
        let text = "name: m1\nlisten-peer-urls: https://127.0.0.1:2380\n\
                    initial-cluster: m1=https://m1.example.test:2380,m2=https://m2.example.test:12380,m3=http://127.0.0.1:3\n\
                    initial-advertise-peer-urls: https://m1.example.test:2380\n\
                    peer-transport-security:\n  cert-file: /p.crt\n  key-file: /p.key\n  trusted-ca-file: /ca.crt\n  \
                    allowed-cn: [m]\n";
        let program = discovered(&[("etc/etcd-m1/etcd.conf.yml", text)], &Assume::default());
        assert_eq!(program.name, "etcd m1");
        assert_eq!(program.aliases, ["m1.example.test"]);
        let shown: Vec<_> =
            program.dialers.iter().map(|dialer| (dialer.target.url.as_str(), dialer.tls.is_some())).collect();
        assert_eq!(shown, [("https://m2.example.test:12380", true), ("http://127.0.0.1:3", false)]);
        let tls = program.dialers[0].tls.as_ref().unwrap();
        assert_eq!(tls.server_name.as_deref(), Some("m2.example.test"));
        assert_eq!(tls.reference.as_ref().unwrap().value, "m2.example.test");
        assert_eq!(tls.checks.names.len(), 1);
        let peers =
            program.listeners.iter().find(|listener| listener.purpose == ListenerPurpose::Peers).unwrap();
        let checks = &context(peers).client_auth.checks;
        assert!(checks.peer_address);
        assert_eq!(checks.names.len(), 1);
    }

    #[test]
    fn an_environment_file_is_a_configuration_too() {
        let text = "ETCD_NAME=e1\nETCD_LISTEN_CLIENT_URLS=https://127.0.0.1:2379\n\
                    ETCD_ADVERTISE_CLIENT_URLS=https://srv.example.test:2379\nETCD_CERT_FILE=/etc/etcd/s.crt\n\
                    ETCD_KEY_FILE=/etc/etcd/s.key\nETCD_CLIENT_CRL_FILE=/etc/etcd/crl.pem\n";
        let files = [("etc/etcd/etcd.env", text), ("etc/etcd/s.crt", "x")];
        let program = discovered(&files, &Assume::parse(&["etcd=3.4.23"]).unwrap());
        assert_eq!(program.name, "etcd e1");
        assert_eq!(program.refusals, []);
        let context = context(&program.listeners[0]);
        assert!(matches!(context.credentials[0].certificate.content, Lookup::Found(_)));
        assert!(matches!(context.credentials[0].key.as_ref().unwrap().content, Lookup::Missing(_)));
        assert_eq!(context.client_auth.checks.crls.len(), 1);
        // by environment the gateway is on
        assert!(matches!(program.listeners[0].gate, Gate::Etcd { gateway_dialer: Some(_), .. }));
    }

    #[test]
    fn a_container_reads_the_file_that_its_arguments_name() {
        let text = "name: in-file\nlisten-client-urls: http://127.0.0.1:2379\n";
        let sources = sources(&[("cm.yaml", text)]);
        let content = Content::Bytes(sources.text(FileId(0)).unwrap());
        let span = Span { file: FileId(0), start: 0, end: 1 };
        let mount =
            Mount { path: "/conf/etcd.yml".to_owned(), span, content: Lookup::Found(Mounted::File(content)) };
        let machine =
            Machine { name: "Pod a/b".to_owned(), namespace: None, files: Files::Container(vec![mount]) };
        let assume = Assume::default();
        let world = World {
            index: Index::new(&sources),
            assume: &assume,
            machines: vec![machine],
            apisix_objects: Default::default(),
        };
        for (argument, expected) in
            [("--config-file=/conf/etcd.yml", Some("in-file")), ("--config-file=/else", None)]
        {
            let arguments = vec![Located::new(argument.to_owned(), span)];
            let launch = Launch { name: "Pod a/b".to_owned(), arguments, ..launch() };
            let program = link(&world, &launch, &mut Notes::default()).remove(0);
            match (&program.configuration, expected) {
                (Configuration::Etcd(config), Some(name)) => assert_eq!(config.name.value(), name),
                (Configuration::Unseen, None) => assert_eq!(program.unseen.len(), 1),
                (other, _) => panic!("{argument}: {other:?}"),
            }
        }
    }

    #[test]
    fn only_some_versions_serve_tls_1_3() {
        let text = format!("listen-client-urls: https://127.0.0.1:2379\n{SECURITY}");
        for (etcd, expected) in [("3.4.23", 2), ("3.5.7", 1), ("3.5.8", 2), ("3.6.0", 2)] {
            let assume = Assume::parse(&[format!("etcd={etcd}")]).unwrap();
            let program = discovered(&[("etcd.conf.yml", &text)], &assume);
            assert_eq!(context(&program.listeners[0]).protocols.value().versions.len(), expected, "{etcd}");
        }
    }

    #[test]
    fn self_made_certificates_leave_the_other_settings_aside() {
        let text = "listen-client-urls: https://127.0.0.1:2379\nclient-transport-security:\n  auto-tls: true\n  \
                    trusted-ca-file: /ca.crt\n";
        let program = discovered(&[("etcd.conf.yml", text)], &Assume::default());
        assert_eq!(program.refusals, []);
        let context = context(&program.listeners[0]);
        assert_eq!(*context.client_auth.mode.value(), ClientAuthMode::Off);
        assert!(matches!(context.credentials[0].certificate.content, Lookup::Unseen(_)));
    }

    #[test]
    fn a_gateway_that_has_names_demanded_of_it_answers_503() {
        let pki = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/pki");
        let read = |name: &str| std::fs::read(format!("{pki}/{name}")).unwrap();
        for (setting, path, expected) in [
            ("", "/v3/kv/range", "completes"),
            ("ETCD_CLIENT_CERT_ALLOWED_HOSTNAME=client.example.test\n", "/v3/kv/range", "request-rejected"),
            ("ETCD_CLIENT_CERT_ALLOWED_HOSTNAME=client.example.test\n", "/health", "completes"),
        ] {
            let mut sources = Sources::default();
            sources.root = true;
            let text = format!(
                "ETCD_LISTEN_CLIENT_URLS=https://127.0.0.1:2379\nETCD_ADVERTISE_CLIENT_URLS=https://e.test:2379\n\
                 ETCD_CERT_FILE=/s.pem\nETCD_KEY_FILE=/s.key\nETCD_TRUSTED_CA_FILE=/ca.pem\n{setting}"
            );
            sources.add("etcd.env", text);
            // no usage: it serves, and passes as a client
            for (path, name) in
                [("s.pem", "client-no-usage.pem"), ("s.key", "client-no-usage.key"), ("ca.pem", "ca.pem")]
            {
                sources.add(path, read(name));
            }
            let url = format!("https://127.0.0.1:2379{path}");
            let command =
                ["curl", "-k", "--cert", "/s.pem", "--key", "/s.key", &url].map(str::to_owned).to_vec();
            let options = crate::Options {
                at: 1_795_392_000,
                assume: Assume::default(),
                expires_within: 0,
                command: Some(command),
            };
            let report = crate::lint(&sources, &options);
            let outcome = report.connections[0].prediction.outcome.name();
            assert_eq!(outcome, expected, "{setting}{path}: {:?}", report.connections[0].prediction.why);
        }
    }

    #[test]
    fn images_of_bitnami_are_told_by_owner_and_name() {
        for (image, expected) in [
            ("bitnami/etcd:3.5.7", true),
            ("docker.io/bitnamilegacy/etcd", true),
            ("public.ecr.aws/bitnami/etcd@sha256:00", true),
            ("quay.io/coreos/etcd:v3.5.0", false),
            ("bitnami/etcd-backup:1", false),
        ] {
            assert_eq!(is_bitnami(image), expected, "{image}");
        }
    }
}

use super::*;
use crate::assume::Assume;
use crate::deployment::{ClientAuthMode, Content, ProgramKind, ServerContext, Trust};
use crate::resolve::machine::{Index, Machine, Mount, Mounted};
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
        piece: false,
    }
}

/// The program that discovery would launch for the first source.
fn discovered(files: &[(&str, &str)], assume: &Assume) -> Program {
    let sources = sources(files);
    let machine = Machine { name: String::new(), files: Files::Root };
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
        ("  trusted-ca-file: /etc/etcd/ca.crt\n  client-cert-auth: false\n", ClientAuthMode::Required, false),
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
    let program = discovered(&[("etc/etcd/etcd.conf.yml", &text)], &Assume::parse(&["etcd=3.4.23"]).unwrap());
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
    let peers = program.listeners.iter().find(|listener| listener.purpose == ListenerPurpose::Peers).unwrap();
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
    let machine = Machine { name: "Pod a/b".to_owned(), files: Files::Container(vec![mount]) };
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
        let command = ["curl", "-k", "--cert", "/s.pem", "--key", "/s.key", &url].map(str::to_owned).to_vec();
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
        assert_eq!(image::is_bitnami(image), expected, "{image}");
    }
}

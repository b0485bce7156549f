use super::*;
use crate::assume::Assume;
use crate::deployment::ProgramKind;
use crate::deployment::{Gate, ListenerPurpose, Request, Setting, UnfitCredential};
use crate::dialect::apisix::values::Values;
use crate::dialect::apisix::{NO_ENVIRONMENT, Objects};
use crate::resolve::Variable;
use crate::resolve::machine::{Files, Index, Machine};
use crate::source::{FileId, Sources};

const CONFIG: &str = "usr/local/apisix/conf/config.yaml";
const OBJECTS: &str = "usr/local/apisix/conf/apisix.yaml";
const STANDALONE: &str = "deployment: {role: data_plane, role_data_plane: {config_provider: yaml}}\n";

/// Links one APISIX over the files of a machine; `objects` are what the Admin API returned.
fn program(files: &[(&str, &str)], assume: &str, objects: &str) -> Program {
    with_environment(files, assume, objects, None)
}

fn with_environment(files: &[(&str, &str)], assume: &str, objects: &str, etcd: Option<&str>) -> Program {
    let mut sources = Sources::default();
    sources.root = true;
    for (path, text) in files {
        sources.add(*path, *text);
    }
    let id = sources.add("etc/apisix/resources.json", objects);
    let assume = Assume::parse(&[assume]).unwrap();
    let mut found = Objects::default();
    for document in &yaml::parse(&sources.text(id).unwrap()).documents {
        found.add(&Values::new(NO_ENVIRONMENT), document.root());
    }
    let world = World {
        index: Index::new(&sources),
        assume: &assume,
        machines: vec![Machine { name: String::new(), files: Files::Root }],
        apisix_objects: found,
    };
    let here = Span { file: FileId(0), start: 0, end: 0 };
    let mut environment = Vec::new();
    if let Some(etcd) = etcd {
        environment.push(Variable {
            name: Located::new("APISIX_DEPLOYMENT_ETCD_HOST".to_owned(), here),
            value: Lookup::Found(Located::new(etcd.to_owned(), here)),
            secret: false,
        });
    }
    environment.push(Variable {
        name: Located::new("KEY".to_owned(), here),
        value: Lookup::Unseen("Secret edge/keys is not among the sources".to_owned()),
        secret: true,
    });
    let launch = Launch {
        kind: ProgramKind::Apisix,
        name: "gateway".to_owned(),
        file: None,
        span: None,
        machine: 0,
        image: None,
        arguments: Vec::new(),
        environment,
        configuration: None,
        piece: false,
    };
    let mut notes = Notes::default();
    link(&world, &launch, &mut notes).remove(0)
}

fn standalone(config: &str, objects: &str) -> Program {
    let config = format!("{STANDALONE}{config}");
    program(&[(CONFIG, &config), (OBJECTS, &format!("{objects}\n#END\n"))], "apisix=3.18.0", "")
}

fn data_plane(program: &Program) -> &crate::deployment::Listener {
    program.listeners.iter().find(|listener| matches!(listener.gate, Gate::ApisixData)).unwrap()
}

#[test]
fn a_configuration_that_is_not_there_stops_the_program() {
    let program = program(&[], "apisix=3.18.0", "");
    assert_eq!(program.refusals.first().unwrap().rule, "missing-file");
    assert!(program.listeners.is_empty());
}

#[test]
fn ssl_objects_of_a_standalone_file_are_all_there_are() {
    let program = standalone("", "ssls: [{id: 1, sni: a.test, cert: $secret://c, key: $secret://k}]");
    let listener = data_plane(&program);
    let tls = listener.tls.as_ref().unwrap();
    assert_eq!(tls.contexts.len(), 1);
    assert!(listener.unseen.is_empty());
    assert!(matches!(tls.selection, crate::deployment::Selection::Apisix { complete: true, .. }));
    assert!(program.dialers.is_empty());
}

#[test]
fn nothing_of_a_file_without_its_end_is_loaded() {
    let objects = "ssls: [{id: 1, sni: a.test, cert: $secret://c, key: $secret://k}]\n";
    let program = program(&[(CONFIG, STANDALONE), (OBJECTS, objects)], "apisix=3.18.0", "");
    assert!(data_plane(&program).tls.as_ref().unwrap().contexts.is_empty());
    let Configuration::Apisix(facts) = &program.configuration else { panic!("no facts") };
    let log = facts.objects.refusals.first().unwrap().log.clone().unwrap();
    assert_eq!(log, "missing valid end flag in file /usr/local/apisix/conf/apisix.yaml");
}

#[test]
fn ssl_objects_that_live_in_etcd_are_unseen_until_one_is_among_the_sources() {
    let config = "deployment: {role: traditional, etcd: {host: ['http://127.0.0.1:2379']}}";
    let ssl = "{\"key\": \"/apisix/ssls/1\", \"value\": {\"sni\": \"a.test\", \"cert\": \"$secret://c\", \"key\": \"$secret://k\"}}";
    let route = "{\"key\": \"/apisix/routes/1\", \"value\": {\"uri\": \"/\", \"upstream\": {\"nodes\": {\"u:80\": 1}}}}";
    for (objects, unseen, complete) in [
        ("", true, false),
        (route, true, false),
        (ssl, false, false),
        ("routes: [{id: 1, uri: /, upstream: {nodes: {'u:80': 1}}}]", false, true),
    ] {
        let program = program(&[(CONFIG, config)], "apisix=3.18.0", objects);
        let listener = data_plane(&program);
        assert_eq!(!listener.unseen.is_empty(), unseen, "{objects}");
        let selection = &listener.tls.as_ref().unwrap().selection;
        let crate::deployment::Selection::Apisix { complete: got, .. } = selection else {
            panic!("{selection:?}")
        };
        assert_eq!(*got, complete, "{objects}");
    }
}

#[test]
fn a_dialer_of_etcd_knows_what_its_two_clients_look_at() {
    let config = "apisix: {ssl: {ssl_trusted_certificate: /etc/ca.pem}}\ndeployment: {etcd: {host: ['https://srv.test:2379'], tls: {cert: /etc/c.pem, key: /etc/c.key}}}\n";
    let files = [(CONFIG, config), ("etc/ca.pem", "x"), ("etc/c.pem", "x"), ("etc/c.key", "x")];
    let link = |config: &str, assume: &str| {
        let mut files = files;
        files[0].1 = config;
        program(&files, assume, "")
    };
    let latest = link(config, "apisix=3.18.0");
    let tls = latest.dialers.first().unwrap().tls.as_ref().unwrap();
    assert_eq!(tls.server_name.as_deref(), Some("srv.test"));
    assert_eq!(tls.reference.as_ref().unwrap().value, "srv.test");
    assert_eq!(*tls.checks.depth.as_ref().unwrap().value(), 5);
    assert!(*tls.verify.value() && tls.reads_unprivileged);
    assert_eq!(tls.unfit_credential, UnfitCredential::Refused);
    assert_eq!(tls.trust.len(), 1);
    assert_eq!(latest.bundles.len(), 1);

    let rooted = link(&format!("{config}nginx_config: {{user: root}}\n"), "apisix=3.18.0");
    assert!(!rooted.dialers.first().unwrap().tls.as_ref().unwrap().reads_unprivileged);

    let named = link(
        &config.replace("key: /etc/c.key", "key: /etc/c.key, sni: other.test, verify: false"),
        "apisix=3.18.0",
    );
    let tls = named.dialers.first().unwrap().tls.as_ref().unwrap();
    assert_eq!(tls.server_name.as_deref(), Some("other.test"));
    assert!(!*tls.verify.value());

    let older = link(config, "apisix=3.2.0");
    let tls = older.dialers.first().unwrap().tls.as_ref().unwrap();
    assert_eq!(tls.unfit_credential, UnfitCredential::FailsHandshake);
}

#[test]
fn what_is_wrong_with_the_way_to_etcd_is_told_before_dialling() {
    for (etcd, log) in [
        (
            "{host: ['https://a_b.test:2379']}",
            Some("invalid http host: https://a_b.test:2379, err: not matched"),
        ),
        (
            "{host: ['https://srv.test:2379'], tls: {cert: /etc/c.pem}}",
            Some("missing 'ssl_key_path' or 'ssl_key' when 'ssl_cert_path' or 'ssl_cert' is given"),
        ),
        ("{host: ['https://srv.test:2379']}", None),
    ] {
        let program = program(&[(CONFIG, &format!("deployment: {{etcd: {etcd}}}"))], "apisix=3.18.0", "");
        let refusal = program.dialers.first().unwrap().refusals.first();
        assert_eq!(refusal.and_then(|refusal| refusal.log.as_deref()), log, "{etcd}");
    }
}

#[test]
fn a_variable_of_the_container_replaces_etcd_s_addresses() {
    let config = "deployment: {etcd: {host: ['http://127.0.0.1:2379']}}";
    for (value, host) in [("[\"https://etcd:2379\"]", "etcd"), ("https://etcd:2379", "127.0.0.1")] {
        let program = with_environment(&[(CONFIG, config)], "apisix=3.18.0", "", Some(value));
        assert_eq!(program.dialers.first().unwrap().target.host.value, host, "{value}");
    }
}

#[test]
fn a_trusted_certificate_that_is_not_there_stops_apisix_even_without_verification() {
    let config = "apisix: {ssl: {ssl_trusted_certificate: cert/ca.pem}}\ndeployment: {etcd: {host: ['https://e:2379'], tls: {verify: false}}}";
    let program = program(&[(CONFIG, config)], "apisix=3.18.0", "");
    let log = program.refusals.first().unwrap().log.clone().unwrap();
    assert_eq!(log, "certificate path /usr/local/apisix/cert/ca.pem doesn't exist");
}

/// Server name, reference, and whether both come from the request.
fn names(config: &str, upstream: &str, more: &str) -> (Option<String>, Option<String>, bool) {
    let objects = format!(
        "routes: [{{id: 1, uri: /*, {more} upstream: {{scheme: https, nodes: {{'up.test:8443': 1}}, {upstream}}}}}]"
    );
    let program = standalone(config, &objects);
    let tls = program.dialers.first().unwrap().tls.clone().unwrap();
    (tls.server_name, tls.reference.map(|name| name.value), tls.names_from_request)
}

#[test]
fn the_name_sent_and_checked_follows_pass_host() {
    let some = |text: &str| Some(text.to_owned());
    let none = None;
    for (config, upstream, more, want) in [
        ("", "type: roundrobin", "", (some(""), some(""), true)),
        ("", "pass_host: node", "", (some("up.test"), some("up.test"), false)),
        ("", "pass_host: rewrite, upstream_host: 'r.test:99'", "", (some("r.test"), some("r.test"), false)),
        (
            "",
            "pass_host: pass",
            "plugins: {proxy-rewrite: {host: p.test}},",
            (some("p.test"), some("p.test"), false),
        ),
        (
            "nginx_config: {http: {proxy_ssl_server_name: false}}\n",
            "pass_host: node",
            "",
            (none.clone(), some("apisix_backend"), false),
        ),
        ("", "pass_host: node, nodes: {'10.0.0.1:443': 1}", "", (none.clone(), some("10.0.0.1"), false)),
    ] {
        if upstream.contains("nodes") {
            let objects = format!("routes: [{{id: 1, uri: /*, upstream: {{scheme: https, {upstream}}}}}]");
            let program = standalone(config, &objects);
            let tls = program.dialers.first().unwrap().tls.clone().unwrap();
            assert_eq!((tls.server_name, tls.reference.map(|name| name.value), tls.names_from_request), want);
        } else {
            assert_eq!(names(config, upstream, more), want, "{config} {upstream} {more}");
        }
    }
}

#[test]
fn an_upstream_is_verified_only_by_a_snippet() {
    for (config, verify) in [
        ("", false),
        ("nginx_config: {http_server_configuration_snippet: 'proxy_ssl_verify on;'}\n", true),
        ("nginx_config: {http_configuration_snippet: 'proxy_ssl_verify on;'}\n", true),
        ("nginx_config: {http_server_location_configuration_snippet: 'proxy_ssl_verify on;'}\n", true),
        ("nginx_config: {http_server_configuration_snippet: 'grpc_ssl_verify on;'}\n", false),
        (
            "nginx_config: {http_configuration_snippet: 'proxy_ssl_verify on;', http_server_configuration_snippet: 'proxy_ssl_verify off;'}\n",
            false,
        ),
    ] {
        let objects =
            "routes: [{id: 1, uri: /*, upstream: {scheme: https, nodes: {u: 1}, tls: {verify: true}}}]";
        let program = standalone(config, objects);
        let dialer = program.dialers.first().unwrap();
        let tls = dialer.tls.as_ref().unwrap();
        assert_eq!(*tls.verify.value(), verify, "{config}");
        assert_eq!(tls.trust.is_empty(), !verify, "{config}");
        assert_eq!(dialer.target.port, 443);
        assert_eq!(tls.unfit_credential, UnfitCredential::Dropped);
    }
}

#[test]
fn a_client_certificate_by_id_must_be_a_client_s() {
    for (ssl, log) in [
        ("{id: 9, type: client, cert: $secret://c, key: $secret://k, status: 0}", None),
        (
            "{id: 9, sni: a, cert: $secret://c, key: $secret://k}",
            Some("failed to get ssl cert: ssl type should be 'client'"),
        ),
        (
            "{id: 8, type: client, cert: $secret://c, key: $secret://k}",
            Some("failed to get ssl cert: ssl id [9] not exits"),
        ),
    ] {
        let objects = format!(
            "ssls: [{ssl}]\nroutes: [{{id: 1, uri: /*, upstream: {{scheme: https, nodes: {{u: 1}}, tls: {{client_cert_id: 9}}}}}}]"
        );
        let program = standalone("", &objects);
        let dialer = program.dialers.first().unwrap();
        assert_eq!(dialer.refusals.first().and_then(|refusal| refusal.log.as_deref()), log, "{ssl}");
        assert_eq!(dialer.tls.as_ref().unwrap().credential.is_some(), log.is_none(), "{ssl}");
    }
}

#[test]
fn routes_are_tried_from_the_narrowest_and_a_refused_one_last() {
    let objects = "routes:
- {id: broad, uri: /*, upstream: {nodes: {'broad:80': 1}}}
- {id: exact, uri: /a, upstream: {nodes: {'exact:80': 1}}}
- {id: longer, uri: /a/*, upstream: {nodes: {'longer:80': 1}}}
- {id: host, uri: /*, host: h.test, upstream: {nodes: {'host:80': 1}}}
- {id: wild, uri: /*, host: '*.test', upstream: {nodes: {'wild:80': 1}}}
- {id: first, uri: /p, priority: 5, upstream: {nodes: {'first:80': 1}}}
- {id: second, uri: /p, upstream: {nodes: {'second:80': 1}}}
- {id: refused, uri: /r/x, upstream: {nodes: {'refused:80': 1}, pass_host: sideways}}
- {id: off, uri: /a, status: 0, upstream: {nodes: {'off:80': 1}}}
- {id: by_id, uri: /id, upstream_id: 7}
- {id: by_service, uri: /service, service_id: 8}
upstreams: [{id: 7, nodes: {'seven:80': 1}}]
services: [{id: 8, upstream: {nodes: {'eight:80': 1}}}]";
    let program = standalone("", objects);
    for (host, path, expected) in [
        ("x", "/", "broad"),
        ("x", "/a", "exact"),
        ("x", "/a/b", "longer"),
        ("h.test", "/a", "host"),
        ("w.test", "/a", "wild"),
        ("x", "/p", "first"),
        ("x", "/r/x", "broad"),
        ("x", "/id", "seven"),
        ("x", "/service", "eight"),
    ] {
        let request = Request { host: host.to_owned(), path: path.to_owned(), ..Request::default() };
        let best = program.dialers.iter().filter_map(|dialer| {
            let matching = dialer.routes.iter().filter(|route| {
                let hosts = route.hosts.is_empty()
                    || route.hosts.iter().any(|pattern| match pattern.strip_prefix('*') {
                        Some(suffix) => request.host.ends_with(suffix),
                        None => *pattern == request.host,
                    });
                hosts
                    && route.paths.iter().any(|pattern| match pattern {
                        crate::deployment::PathPattern::Exact(exact) => *exact == request.path,
                        crate::deployment::PathPattern::Prefix(prefix) => {
                            request.path.starts_with(prefix.as_str())
                        }
                        _ => false,
                    })
            });
            Some((matching.map(|route| route.priority).max()?, dialer.target.host.value.clone()))
        });
        assert_eq!(best.max().map(|(_, host)| host).as_deref(), Some(expected), "{host}{path}");
    }
}

#[test]
fn the_admin_api_has_its_own_context_and_gate() {
    let config = "deployment: {admin: {https_admin: true, allow_admin: [10.0.0.0/8], admin_key: [{name: a, key: '${{KEY}}'}], admin_listen: {ip: 127.0.0.1, port: 9181}, admin_api_mtls: {admin_ssl_cert: cert/a.pem, admin_ssl_cert_key: cert/a.key, admin_ssl_ca_cert: cert/ca.pem}}}\nnginx_config: {http_admin_configuration_snippet: 'ssl_verify_depth 3;'}";
    let program =
        program(&[(CONFIG, config), ("usr/local/apisix/conf/cert/a.pem", "x")], "apisix=3.18.0", "");
    let admin = program.listeners.iter().find(|listener| listener.purpose == ListenerPurpose::Admin).unwrap();
    let context = admin.tls.as_ref().unwrap().contexts.first().unwrap();
    // relative paths count from conf/
    assert!(context.credentials.first().unwrap().certificate.content.found().is_some());
    assert_eq!(*context.client_auth.checks.depth.as_ref().unwrap().value(), 3);
    let Gate::ApisixAdmin { allow: Setting::Given(allow), keys_unseen: Some(_), .. } = &admin.gate else {
        panic!("{:?}", admin.gate)
    };
    assert_eq!(allow.value, ["10.0.0.0/8"]);
    assert!(admin.unseen.is_empty());
    assert_eq!(admin.binds.first().unwrap().port, 9181);
}

/// How a credential's files and the trust of the dialer to etcd are found, where relative paths are written.
#[test]
fn relative_paths_of_the_way_to_etcd_count_from_the_home() {
    let config = "apisix: {ssl: {ssl_trusted_certificate: conf/cert/ca.pem}}\ndeployment: {etcd: {host: ['https://srv.test:2379'], tls: {cert: conf/cert/c.pem, key: conf/cert/c.key}}}\n";
    let files = [
        (CONFIG, config),
        ("usr/local/apisix/conf/cert/ca.pem", "x"),
        ("usr/local/apisix/conf/cert/c.pem", "x"),
        ("usr/local/apisix/conf/cert/c.key", "x"),
    ];
    let program = program(&files, "apisix=3.18.0", "");
    let tls = program.dialers.first().unwrap().tls.as_ref().unwrap();
    let credential = tls.credential.as_ref().unwrap();
    assert!(credential.certificate.content.found().is_some());
    assert!(credential.key.as_ref().unwrap().content.found().is_some());
    let Some(Trust::File { file, .. }) = tls.trust.first() else { panic!("no trust") };
    assert!(file.content.found().is_some() && program.refusals.is_empty());

    // from conf/, as the Admin API's paths do, they are not there
    let elsewhere = [(CONFIG, config.replace("conf/cert/", "cert/"))];
    let files: Vec<(&str, &str)> = elsewhere
        .iter()
        .map(|(path, text)| (*path, text.as_str()))
        .chain(files.into_iter().skip(1))
        .collect();
    let program = self::program(&files, "apisix=3.18.0", "");
    assert_eq!(program.refusals.first().unwrap().rule, "missing-file");
}

#[test]
fn whether_later_releases_act_on_an_upstream_s_verification_is_not_known() {
    let objects = "routes: [{id: 1, uri: /*, upstream: {scheme: https, nodes: {'up.test:8443': 1}, tls: {verify: true}}}]";
    let config = STANDALONE.to_owned();
    for (release, unseen) in [("apisix=3.18.0", false), ("apisix=3.19.0", true), ("apisix=3.20.1", true)] {
        let files = [(CONFIG, config.as_str()), (OBJECTS, &format!("{objects}\n#END\n"))];
        let program = program(&files, release, "");
        let dialer = program.dialers.first().unwrap();
        assert!(!*dialer.tls.as_ref().unwrap().verify.value(), "{release}");
        assert_eq!(!dialer.unseen.is_empty(), unseen, "{release}");
    }
}

#[test]
fn with_use_grpc_an_address_of_etcd_is_compared_otherwise() {
    for (etcd, unseen) in [
        ("{host: ['https://10.0.0.5:2379'], use_grpc: true}", true),
        ("{host: ['https://10.0.0.5:2379']}", false),
        ("{host: ['https://srv.test:2379'], use_grpc: true}", false),
        ("{host: ['https://10.0.0.5:2379'], use_grpc: true, tls: {verify: false}}", false),
    ] {
        let config = format!(
            "apisix: {{ssl: {{ssl_trusted_certificate: /etc/ca.pem}}}}\ndeployment: {{etcd: {etcd}}}\n"
        );
        let program = program(&[(CONFIG, &config), ("etc/ca.pem", "x")], "apisix=3.18.0", "");
        let told = &program.dialers.first().unwrap().unseen;
        assert_eq!(told.iter().any(|why| why.contains("use_grpc")), unseen, "{etcd}: {told:?}");
    }
}

/// Workers run as nobody since 3.6; nginx's master, which is root, loaded the files before.
#[test]
fn a_key_for_etcd_that_only_its_owner_may_read_is_refused_by_workers() {
    use crate::handshake::{Outcome, predict_all};
    let pki = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/pki/");
    let read = |name: &str| std::fs::read(format!("{pki}{name}")).unwrap();
    let config = "apisix: {ssl: {ssl_trusted_certificate: /etc/ca.pem}}\ndeployment: {etcd: {host: ['https://127.0.0.1:2379'], tls: {cert: /etc/c.pem, key: /etc/c.key}}}\n";
    let etcd = "listen-client-urls: https://127.0.0.1:2379\nadvertise-client-urls: https://127.0.0.1:2379\nclient-transport-security: {cert-file: /etc/s.pem, key-file: /etc/s.key, trusted-ca-file: /etc/ca.pem}\n";
    for (mode, user, release, refused) in [
        (0o600, "", "apisix=3.18.0", true),
        (0o644, "", "apisix=3.18.0", false),
        (0o600, "nginx_config: {user: root}\n", "apisix=3.18.0", false),
        (0o600, "", "apisix=3.2.0", false),
    ] {
        let mut sources = Sources::default();
        sources.root = true;
        sources.add(CONFIG, format!("{config}{user}"));
        sources.add("etc/etcd/etcd.conf.yml", etcd);
        for (path, name) in [("etc/ca.pem", "ca.pem"), ("etc/c.pem", "client.pem"), ("etc/s.pem", "peer.pem")]
        {
            sources.add(path, read(name));
        }
        sources.add("etc/s.key", read("peer.key"));
        sources.push(crate::source::SourceFile {
            path: "etc/c.key".to_owned(),
            content: crate::source::FileContent::Bytes(std::sync::Arc::new(read("client.key"))),
            mode: Some(mode),
        });
        let linked = crate::resolve::link(&sources, &Assume::parse(&[release]).unwrap(), None);
        let told = predict_all(&linked.deployment, 1_795_392_000);
        let unreadable = told.iter().any(|prediction| {
            prediction.outcome == Outcome::ConfigRejected
                && prediction.why.iter().any(|why| why.rule == "unreadable-file")
        });
        assert_eq!(unreadable, refused, "{mode:o} {user} {release}: {told:?}");
    }
}

//! Whole configurations → programs, as tables.

use super::*;
use crate::assume::Assume;
use crate::deployment::ProgramKind;
use crate::deployment::{
    ClientAuthMode, Gate, PathPattern, Protocol, Request, Selection, Setting, Trust, TrustLoader,
};
use crate::resolve::machine::{Index, Mount, Mounted};
use crate::resolve::routing;
use crate::selection::Selected;
use crate::source::{FileId, Sources};

/// Links the first file, on a machine of these files, and says what was noted.
fn link_files(files: Files, sources: &[(&str, &str)], version: &str) -> (Program, Notes) {
    let mut given = Sources::default();
    given.root = matches!(files, Files::Root);
    for (path, content) in sources {
        given.add(*path, content.as_bytes());
    }
    let assume = Assume::parse(&[format!("nginx={version}")]).unwrap();
    let world = World {
        index: Index::new(&given),
        assume: &assume,
        machines: vec![Machine { name: "Pod web".to_owned(), files }],
        apisix_objects: Default::default(),
    };
    let text = given.text(FileId(0)).unwrap();
    let launch = configured(normalise("/", sources[0].0), text);
    let mut notes = Notes::default();
    let mut programs = link(&world, &launch, &mut notes);
    assert_eq!(programs.len(), 1);
    (programs.remove(0), notes)
}

fn launch(image: &str, arguments: &[&str]) -> Launch {
    let located = |text: &str| Located::new(text.to_owned(), Span { file: FileId(0), start: 0, end: 0 });
    Launch {
        kind: ProgramKind::Nginx,
        name: String::new(),
        file: Some(FileId(0)),
        span: None,
        machine: 0,
        image: (!image.is_empty()).then(|| located(image)),
        arguments: arguments.iter().map(|argument| located(argument)).collect(),
        environment: Vec::new(),
        configuration: None,
        piece: false,
    }
}

fn configured(path: String, text: Text) -> Launch {
    let piece = nginx::extent_of(&crate::syntax::nginx::parse(&text).directives) == Extent::Piece;
    Launch { configuration: Some((path, text)), piece, ..launch("", &[]) }
}

fn root(sources: &[(&str, &str)]) -> Program {
    link_files(Files::Root, sources, "1.26.3").0
}

fn http(inside: &str) -> Program {
    let source = format!("events {{}} http {{ {inside} }}");
    root(&[("etc/nginx/nginx.conf", &source), ("etc/nginx/ca.pem", "CA"), ("etc/nginx/srv.pem", "C")])
}

#[test]
fn a_named_location_dials_and_no_request_is_told_to_come_to_it() {
    let program = http(
        "server { listen 80; location / { try_files $uri @b; } location @b { proxy_pass https://srv; } }",
    );
    let [dialer] = program.dialers.as_slice() else { panic!("{:?}", program.dialers) };
    assert_eq!(dialer.target.url, "https://srv");
    assert!(dialer.tls.is_some() && dialer.routes.is_empty());
}

#[test]
fn a_server_with_client_certificates_becomes_a_listener() {
    let program = http(
        "server { listen 127.0.0.1:8443 ssl; listen [::1]:8443 ssl; server_name srv.example.test;
            ssl_certificate srv.pem; ssl_certificate_key missing.key; ssl_protocols TLSv1.3;
            ssl_client_certificate ca.pem; ssl_verify_client on; ssl_verify_depth 2; }",
    );
    assert_eq!((program.name.as_str(), program.refusals.len()), ("nginx srv.example.test", 0));
    let [listener] = program.listeners.as_slice() else { panic!("one listener") };
    assert_eq!(listener.binds.iter().map(|bind| bind.port).collect::<Vec<_>>(), [8443, 8443]);
    let tls = listener.tls.as_ref().unwrap();
    let context = &tls.contexts[0];
    assert_eq!(tls.selection, Selection::Single);
    assert_eq!(*context.client_auth.mode.value(), ClientAuthMode::Required);
    assert_eq!(context.client_auth.checks.depth.as_ref().map(|depth| *depth.value()), Some(2));
    assert_eq!(context.protocols.value().versions, [Protocol::Tls13]);
    assert!(matches!(context.credentials[0].certificate.content, Lookup::Found(Content::Bytes(_))));
    assert!(matches!(context.credentials[0].key.as_ref().map(|key| &key.content), Some(Lookup::Missing(_))));
    let [Trust::File { file, loader: TrustLoader::ClientCaList }] = context.client_auth.trust.as_slice()
    else {
        panic!("one bundle")
    };
    assert!(file.content.found().is_some());
    assert!(matches!(listener.gate, Gate::NginxHttp));
}

#[test]
fn servers_of_one_address_are_contexts_chosen_by_name() {
    let program = http(
        "ssl_certificate srv.pem; ssl_certificate_key srv.key; ssl_protocols TLSv1.2;
         server { listen 443 ssl; server_name a.test; ssl_protocols TLSv1.3; }
         server { listen 443 ssl default_server; ssl_reject_handshake on; }
         server { listen 443 ssl; server_name *.b.test; listen 444; }",
    );
    assert_eq!(program.listeners.len(), 2);
    let tls = program.listeners[0].tls.as_ref().unwrap();
    for (name, context) in [(Some("a.test"), 0), (Some("x.b.test"), 2), (Some("c"), 1), (None, 1)] {
        assert_eq!(tls.select(name), Selected::Context(context), "{name:?}");
    }
    assert!(tls.contexts[1].rejects_handshake);
    // before 1.29.2 the default server's protocols are everybody's
    assert_eq!(tls.contexts[0].protocols.value().versions, [Protocol::Tls12]);
    assert!(program.listeners[1].tls.is_none());
    let source = "events {} http { ssl_certificate a; ssl_certificate_key b;
        server { listen 443 ssl; ssl_protocols TLSv1.2; } server { listen 443 ssl; server_name x; ssl_protocols TLSv1.3; } }";
    let (newer, _) = link_files(Files::Root, &[("etc/nginx/nginx.conf", source)], "1.29.2");
    let contexts = &newer.listeners[0].tls.as_ref().unwrap().contexts;
    assert_eq!(contexts[1].protocols.value().versions, [Protocol::Tls13]);
}

#[test]
fn a_pass_to_https_becomes_a_dialer_with_the_upstreams_names() {
    let program = http(
        "upstream backend { server 10.0.0.1:8443; server 10.0.0.2:8443; server 10.0.0.1:8443; server 10.0.0.3 down; }
         server { listen 80; location / { proxy_pass https://backend; proxy_ssl_verify on;
            proxy_ssl_trusted_certificate ca.pem; proxy_ssl_server_name on;
            proxy_ssl_certificate srv.pem; proxy_ssl_certificate_key srv.key; } }",
    );
    assert_eq!(program.refusals, []);
    let addresses: Vec<_> = program.dialers.iter().map(|dialer| dialer.target.connect_to.clone()).collect();
    assert_eq!(addresses, [Some(("10.0.0.1".to_owned(), 8443)), Some(("10.0.0.2".to_owned(), 8443))]);
    let dialer = &program.dialers[0];
    assert_eq!((dialer.target.url.as_str(), dialer.target.port), ("https://backend", 443));
    let tls = dialer.tls.as_ref().unwrap();
    assert_eq!(tls.reference.as_ref().map(|name| name.value.as_str()), Some("backend"));
    assert_eq!(tls.server_name.as_deref(), Some("backend"));
    assert!(matches!(tls.verify, Setting::Given(_)) && tls.credential.is_some());
    assert_eq!(tls.trust.len(), 1);
}

#[test]
fn names_sent_and_compared_are_those_of_nginx() {
    for (directives, sent, compared, from_request) in [
        ("", None, Some("srv.test"), false),
        ("proxy_ssl_server_name on;", Some("srv.test"), Some("srv.test"), false),
        ("proxy_ssl_server_name on; proxy_ssl_name other:8443;", Some("other"), Some("other"), false),
        ("proxy_ssl_server_name on; proxy_ssl_name 10.0.0.1;", None, Some("10.0.0.1"), false),
        ("proxy_ssl_server_name on; proxy_ssl_name $proxy_host;", Some("srv.test"), Some("srv.test"), false),
        ("proxy_ssl_name $host;", None, Some("$host"), true),
        ("proxy_ssl_verify off;", None, None, false),
    ] {
        let verify = if directives.contains("verify") { "" } else { "proxy_ssl_verify on;" };
        let program = http(&format!(
            "server {{ location / {{ proxy_pass https://srv.test:8443; {verify}
                proxy_ssl_trusted_certificate ca.pem; {directives} }} }}"
        ));
        let tls = program.dialers[0].tls.as_ref().unwrap();
        assert_eq!(tls.server_name.as_deref(), sent, "{directives}");
        assert_eq!(tls.reference.as_ref().map(|name| name.value.as_str()), compared, "{directives}");
        assert_eq!(tls.names_from_request, from_request, "{directives}");
        // without verification the bundle is not even opened
        assert_eq!(tls.trust.is_empty(), compared.is_none(), "{directives}");
    }
}

#[test]
fn variables_are_followed_where_they_are_constant() {
    let program = http(
        "server { set $up srv.test; location /a { proxy_pass https://$up:8443; }
                  location /b { proxy_pass https://$backend; } }",
    );
    assert_eq!(program.dialers[0].target.host.value, "srv.test");
    assert_eq!((program.dialers[0].target.port, program.dialers[0].unseen.len()), (8443, 0));
    assert_eq!(program.dialers[1].unseen.len(), 1);
}

#[test]
fn requests_find_the_location_that_nginx_finds() {
    let program = http(
        "server { listen 80 default_server; location / { proxy_pass https://default.test; } }
         server { listen 80; server_name a.test *.wild.test ~^r\\d;
            location / { proxy_pass https://root.test; }
            location = /exact { proxy_pass https://exact.test; }
            location ^~ /static/ { proxy_pass https://static.test; }
            location ~ \\.php$ { proxy_pass https://php.test; }
            location /long/er { proxy_pass https://longer.test; }
            location /own { return 200; } }",
    );
    for (host, path, expected) in [
        ("a.test", "/", Some("root.test")),
        ("a.test", "/exact", Some("exact.test")),
        ("a.test", "/exact/", Some("root.test")),
        ("a.test", "/static/x.php", Some("static.test")),
        ("a.test", "/x.php?y", Some("php.test")),
        ("a.test", "/long/er/x", Some("longer.test")),
        ("a.test", "/own", None),
        ("x.wild.test", "/", Some("root.test")),
        ("r7", "/", Some("root.test")),
        ("other", "/own", Some("default.test")),
    ] {
        let request = Request {
            method: "GET".to_owned(),
            host: host.to_owned(),
            path: path.to_owned(),
            ..Request::default()
        };
        let found: Vec<&str> = routing::onward(&program, 0, &request)
            .into_iter()
            .map(|index| program.dialers[index].target.host.value.as_str())
            .collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{host}{path}");
    }
    let exact = program.dialers.iter().find(|dialer| dialer.target.host.value == "exact.test").unwrap();
    assert_eq!(exact.routes[0].paths, [PathPattern::Exact("/exact".to_owned())]);
}

#[test]
fn stream_grpc_and_uwsgi_dial_with_tls_too() {
    let program = root(&[(
        "etc/nginx/nginx.conf",
        "events {} http { server { location /g { grpc_pass grpcs://g.test:1; } location /u { uwsgi_pass suwsgi://u.test:2; }
            location /f { fastcgi_pass f.test:3; } } }
         stream { upstream s { server s.test:4; } server { listen 5; proxy_pass s; proxy_ssl on; proxy_ssl_name n.test; }
            server { listen 6; proxy_pass plain.test:7; } }",
    )]);
    assert_eq!(program.refusals, []);
    let urls: Vec<(&str, bool)> =
        program.dialers.iter().map(|dialer| (dialer.target.url.as_str(), dialer.tls.is_some())).collect();
    assert_eq!(
        urls,
        [
            ("grpcs://g.test:1", true),
            ("suwsgi://u.test:2", true),
            ("tls://s", true),
            ("tcp://plain.test:7", false)
        ]
    );
}

#[test]
fn tls_through_a_stream_server_is_spoken_with_the_server_behind_it() {
    let mut sources = Sources::default();
    sources.root = true;
    sources.add(
        "etc/nginx/nginx.conf",
        *b"events {} stream { server { listen 9000; proxy_pass 127.0.0.1:9443; } }
         http { ssl_certificate a; ssl_certificate_key b; server { listen 9443 ssl; server_name behind; }
                server { listen 80; location / { proxy_pass https://127.0.0.1:9000; } } }",
    );
    let linked = crate::resolve::link(&sources, &Assume::default(), None);
    let urls: Vec<(&str, bool)> = linked
        .deployment
        .connections
        .iter()
        .map(|connection| {
            let server = connection
                .server
                .found()
                .map(|(program, listener)| &linked.deployment.programs[*program].listeners[*listener]);
            (connection.url.as_str(), server.is_some_and(|listener| listener.tls.is_some()))
        })
        .collect();
    assert_eq!(urls, [("https://127.0.0.1:9000", true)]);
    assert_eq!(linked.deployment.connections[0].path.len(), 1);
}

#[test]
fn includes_are_followed_and_missing_ones_refused() {
    let main = "events {} http { include conf.d/*.conf; include none/*.conf; include tls.conf;\n include gone.conf; }";
    let (program, notes) = link_files(
        Files::Root,
        &[
            ("etc/nginx/nginx.conf", main),
            ("etc/nginx/conf.d/b.conf", "server { listen 444 ssl; server_name b; }"),
            ("etc/nginx/conf.d/a.conf", "server { listen 443 ssl; server_name a; }"),
            ("etc/nginx/tls.conf", "ssl_certificate c; ssl_certificate_key k;"),
        ],
        "1.26.3",
    );
    assert_eq!(program.aliases, ["a", "b"]);
    let logs: Vec<_> = program.refusals.iter().filter_map(|refusal| refusal.log.as_deref()).collect();
    assert_eq!(
        logs,
        ["open() \"/etc/nginx/gone.conf\" failed (2: No such file or directory) in /etc/nginx/nginx.conf:2"]
    );
    assert_eq!((notes.incomplete.len(), notes.consumed.len()), (1, 3));
}

#[test]
fn an_include_loop_ends() {
    let (program, _) = link_files(
        Files::Root,
        &[
            ("etc/nginx/nginx.conf", "events {} http { include a.conf; }"),
            ("etc/nginx/a.conf", "include b.conf;"),
            ("etc/nginx/b.conf", "include a.conf;"),
        ],
        "1.26.3",
    );
    assert!(program.refusals[0].message.contains("includes itself"), "{:?}", program.refusals);
}

#[test]
fn a_mistake_is_refused_with_its_line_and_noted() {
    let (program, notes) = link_files(
        Files::Root,
        &[("etc/nginx/nginx.conf", "events {}\nhttp {\n  server {\n    listen 443 ssl\n  }\n}\n")],
        "1.26.3",
    );
    assert_eq!(program.refusals[0].log.as_deref(), Some("unexpected \"}\" in /etc/nginx/nginx.conf:5"));
    assert_eq!(notes.incomplete[0].file, "etc/nginx/nginx.conf");
}

#[test]
fn a_missing_password_file_stops_the_start() {
    let program = http("ssl_password_file /none; server { listen 80; } server { listen 81; }");
    let logs: Vec<_> = program.refusals.iter().filter_map(|refusal| refusal.log.as_deref()).collect();
    assert_eq!(logs, ["open() \"/none\" failed (2: No such file or directory)"]);
}

#[test]
fn loose_snippets_are_the_content_of_http_together() {
    let (program, notes) = link_files(
        Files::Loose,
        &[
            ("site/conf.d/server.conf", "server { listen 80; location / { grpc_pass grpcs://up; } }"),
            ("site/conf.d/upstream.conf", "upstream up { server 10.0.0.1:1; }"),
            ("site/conf.d/other.conf", "not nginx at all"),
        ],
        "1.26.3",
    );
    assert_eq!(program.refusals, []);
    assert_eq!(program.dialers[0].target.connect_to, Some(("10.0.0.1".to_owned(), 1)));
    assert_eq!(notes.consumed.len(), 2);
    let Configuration::Nginx(config) = &program.configuration else { panic!("a configuration") };
    assert!(config.surroundings_unseen);
    let said: Vec<&str> = notes.left_out.iter().map(|note| note.message.as_str()).collect();
    assert_eq!(said, ["no nginx.conf was seen: this file is read as the content of its http block"]);
}

#[test]
fn a_site_that_nobody_includes_is_no_program() {
    let count = |files: Files, main: &str| {
        let mut sources = Sources::default();
        sources.root = matches!(files, Files::Root);
        sources.add("etc/nginx/sites-available/default", *b"server { listen 443 ssl; }");
        sources.add(main, *b"events {} http {}");
        let text = sources.text(FileId(0)).unwrap();
        let assume = Assume::default();
        let world = World {
            index: Index::new(&sources),
            assume: &assume,
            machines: vec![Machine { name: String::new(), files }],
            apisix_objects: Default::default(),
        };
        let path = "/etc/nginx/sites-available/default".to_owned();
        let launch = configured(path, text);
        link(&world, &launch, &mut Notes::default()).len()
    };
    assert_eq!(count(Files::Root, "etc/nginx/nginx.conf"), 0);
    assert_eq!(count(Files::Loose, "etc/nginx/nginx.conf"), 0);
    assert_eq!(count(Files::Loose, "elsewhere/nginx.conf"), 1);
}

#[test]
fn a_loose_nginx_conf_stands_for_the_one_in_etc_nginx() {
    let (program, _) = link_files(
        Files::Loose,
        &[
            (
                "deploy/nginx.conf",
                "events {} http { include /etc/nginx/mime.types; include /etc/nginx/conf.d/*.conf; }",
            ),
            (
                "deploy/conf.d/a.conf",
                "server { listen 80; server_name a; include /etc/nginx/elsewhere.conf; }",
            ),
        ],
        "1.26.3",
    );
    assert_eq!(program.refusals, []);
    assert_eq!(program.aliases, ["a"]);
    assert_eq!(program.listeners[0].unseen.len(), 1, "{:?}", program.listeners[0].unseen);
}

#[test]
fn a_container_reads_what_is_mounted() {
    let config = "server { listen 443 ssl; server_name srv; ssl_certificate /etc/tls/tls.crt; ssl_certificate_key /etc/tls/tls.key; }";
    let whole = format!("events {{}} http {{ {config} }}");
    let mut sources = Sources::default();
    let part = sources.add("part.conf", config.as_bytes());
    let all = sources.add("all.conf", whole.as_bytes());
    let span = Span { file: FileId(0), start: 0, end: 0 };
    let folder = |path: &str, entries: &[(&str, FileId)]| Mount {
        path: path.to_owned(),
        span,
        content: Lookup::Found(Mounted::Folder {
            name: "ConfigMap web".to_owned(),
            span,
            entries: entries
                .iter()
                .map(|(name, id)| ((*name).to_owned(), Content::Bytes(sources.text(*id).unwrap())))
                .collect(),
            mode: None,
            unseen: None,
        }),
    };
    let assume = Assume::default();
    let run = |mounts: Vec<Mount>, launch: Launch| {
        let world = World {
            index: Index::new(&sources),
            assume: &assume,
            machines: vec![Machine { name: "Pod web".to_owned(), files: Files::Container(mounts) }],
            apisix_objects: Default::default(),
        };
        link(&world, &launch, &mut Notes::default()).remove(0)
    };
    // conf.d alone: the image's nginx.conf includes it
    let program = run(vec![folder("/etc/nginx/conf.d", &[("x.conf", part)])], launch("nginx:1.27", &[]));
    assert_eq!((program.aliases.as_slice(), program.unseen.len()), (["srv".to_owned()].as_slice(), 0));
    let certificate = &program.listeners[0].tls.as_ref().unwrap().contexts[0].credentials[0].certificate;
    assert!(matches!(certificate.content, Lookup::Unseen(_)));
    // the main configuration by argument
    let arguments = ["-g", "daemon off;", "-c", "/cfg/nginx.conf"];
    let program = run(vec![folder("/cfg", &[("nginx.conf", all)])], launch("nginx:1.27", &arguments));
    assert_eq!((program.aliases.as_slice(), program.refusals.len()), (["srv".to_owned()].as_slice(), 0));
    // an argument that names no mounted key
    let program = run(vec![folder("/cfg", &[("other.conf", all)])], launch("nginx", &["-c/cfg/nginx.conf"]));
    assert_eq!(program.refusals[0].rule, "missing-key");
    // nothing mounted: nothing is known
    let program = run(Vec::new(), launch("nginx", &[]));
    assert_eq!(program.unseen.len(), 1);
}

#[test]
fn beneath_root_only_what_the_machines_own_configuration_includes_is_run() {
    let main = ("etc/nginx/nginx.conf", "events {} http { include conf.d/*.conf; }");
    for (path, programs) in [
        ("etc/nginx/conf.d/templates/example.conf", 0),
        ("etc/nginx/sites-available/old", 0),
        ("opt/app/nginx-site.conf", 0),
    ] {
        let snippet = (path, "server { listen 443 ssl; server_name a; include snippets/tls.conf; }");
        assert_eq!(programs_of(&[snippet, main]).len(), programs, "{path}");
        // without one, it may be what a container of this image runs
        assert_eq!(programs_of(&[snippet]).len(), 1, "{path} alone");
    }
}

#[test]
fn includes_of_a_lone_snippet_count_from_the_folder_of_nginx() {
    let snippet = ("etc/nginx/conf.d/sites/a.conf", "server { listen 443 ssl; include snippets/tls.conf; }");
    let included = ("etc/nginx/snippets/tls.conf", "ssl_certificate a.pem; ssl_certificate_key a.key;");
    let programs = programs_of(&[snippet, included]);
    assert_eq!(programs[0].refusals, []);
    let Configuration::Nginx(config) = &programs[0].configuration else { panic!("nginx") };
    assert_eq!(config.servers[0].tls.certificates.len(), 1);
}

#[test]
fn a_variable_that_code_may_write_is_no_constant() {
    let pass = "set $scheme_above 'https'; proxy_pass $scheme_above://up:443;";
    for (before, known) in [("", true), ("rewrite_by_lua_block { }", false)] {
        let program = http(&format!("server {{ location / {{ {before} {pass} }} }}"));
        assert_eq!(program.dialers[0].tls.is_some(), known, "{before}");
        assert_eq!(program.dialers[0].unseen.is_empty(), known, "{before}");
    }
}

#[test]
fn a_snippet_of_stream_is_none_of_http() {
    let source = "upstream ldap { server 10.0.0.1:636; }
        server { listen 636; proxy_pass ldap; proxy_ssl on; }";
    let program = link_files(Files::Loose, &[("stream.d/ldap.conf", source)], "1.26.3").0;
    assert_eq!(program.refusals, []);
    assert!(matches!(program.listeners[0].gate, Gate::NginxConnection));
    assert!(program.dialers[0].tls.is_some());
}

/// The programs that the first file makes on the machine of these files.
fn programs_of(sources: &[(&str, &str)]) -> Vec<Program> {
    let mut given = Sources::default();
    given.root = true;
    for (path, content) in sources {
        given.add(*path, content.as_bytes());
    }
    let assume = Assume::parse(&["nginx=1.26.3".to_owned()]).unwrap();
    let world = World {
        index: Index::new(&given),
        assume: &assume,
        machines: vec![Machine { name: String::new(), files: Files::Root }],
        apisix_objects: Default::default(),
    };
    let text = given.text(FileId(0)).unwrap();
    let launch = configured(normalise("/", sources[0].0), text);
    link(&world, &launch, &mut Notes::default())
}

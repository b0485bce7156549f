//! What configurations mean, as tables.

use std::sync::Arc;

use super::*;
use crate::deployment::{ClientAuthMode, Protocol, Version};
use crate::source::{FileId, Text};

const V1_22: Version = Version(1, 22, 1);
const V1_26: Version = Version(1, 26, 3);
const V1_30: Version = Version(1, 30, 6);

fn config(source: &str, version: Version) -> NginxConfig {
    let text = Text::whole(FileId(0), Arc::new(source.as_bytes().to_vec()));
    let parsed = crate::syntax::nginx::parse(&text);
    assert_eq!(parsed.problems, [], "{source}");
    let mut origins = Origins::default();
    origins.add(&text, "/etc/nginx/nginx.conf");
    read(&parsed.directives, Place::Main, &origins, version)
}

fn server(inside: &str) -> String {
    format!("events {{}} http {{ server {{ {inside} }} }}")
}

/// The line nginx prints first, without the place.
fn first_refusal(source: &str, version: Version) -> Option<String> {
    let config = config(source, version);
    let log = config.refusals.first()?.refusal.log.clone()?;
    Some(log.split(" in /etc/nginx").next().unwrap_or_default().to_owned())
}

#[test]
fn mail_and_its_servers_have_a_name() {
    let mail = |inside: &str| {
        format!(
            "events {{}} mail {{ {inside} auth_http 127.0.0.1:9000/; server {{ {inside} listen 143; protocol imap; }} }}"
        )
    };
    assert_eq!(first_refusal(&mail("server_name m.corp;"), V1_22), None);
    assert!(first_refusal("events {} http { server_name a; }", V1_22).is_some());
}

#[test]
fn refusals_are_those_of_nginx_1_22_in_its_words() {
    // each line was printed by nginx 1.22.1 for this configuration
    for (inside, log) in [
        ("ssl_verify_depth x;", "\"ssl_verify_depth\" directive invalid number"),
        ("ssl_verify_client yes;", "invalid value \"yes\""),
        (
            "ssl_session_tickets yes;",
            "invalid value \"yes\" in \"ssl_session_tickets\" directive, it must be \"on\" or \"off\"",
        ),
        ("ssl_protocols TLSv1.4;", "invalid value \"TLSv1.4\""),
        ("ssl_crl a; ssl_crl b;", "\"ssl_crl\" directive is duplicate"),
        ("ssl_verify_client on; ssl_verify_client off;", "\"ssl_verify_client\" directive is duplicate"),
        ("ssl_certificate a b;", "invalid number of arguments in \"ssl_certificate\" directive"),
        ("ssl_certificate;", "invalid number of arguments in \"ssl_certificate\" directive"),
        ("location / { ssl_certificate a; }", "\"ssl_certificate\" directive is not allowed here"),
        ("proxy_pass http://a;", "\"proxy_pass\" directive is not allowed here"),
        ("location / { proxy_pass a; }", "invalid URL prefix"),
        (
            "location / { proxy_pass http://127.0.0.1; proxy_pass http://127.0.0.1; }",
            "\"proxy_pass\" directive is duplicate",
        ),
        (
            "listen 127.0.0.1:8443 ssl;",
            "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive",
        ),
        (
            "listen 127.0.0.1:8443 ssl; ssl_certificate /x;",
            "no \"ssl_certificate_key\" is defined for certificate \"/x\"",
        ),
        (
            "location / { proxy_pass https://127.0.0.1; proxy_ssl_verify on; }",
            "no proxy_ssl_trusted_certificate for proxy_ssl_verify",
        ),
        (
            "location / { proxy_pass https://127.0.0.1; proxy_ssl_certificate /x; }",
            "no \"proxy_ssl_certificate_key\" is defined for certificate \"/x\"",
        ),
        (
            "location / { uwsgi_pass suwsgi://127.0.0.1:1; uwsgi_ssl_verify on; }",
            "no uwsgi_ssl_trusted_certificate for uwsgi_ssl_verify",
        ),
        ("location / { grpc_pass grpcs://127.0.0.1; }", "no port in upstream \"127.0.0.1\""),
        ("listen 8443; listen 8443;", "a duplicate listen 0.0.0.0:8443"),
        (
            "listen 8443 default_server; } server { listen 8443 default_server;",
            "a duplicate default server for 0.0.0.0:8443",
        ),
        ("ssl on;", "no \"ssl_certificate\" is defined for the \"ssl\" directive"),
        ("listen 127.0.0.1:8443 foo;", "invalid parameter \"foo\""),
        ("listen 127.0.0.1:84430;", "invalid port in \"127.0.0.1:84430\" of the \"listen\" directive"),
        ("ssl_verify_client on { }", "directive \"ssl_verify_client\" is not terminated by \";\""),
        ("location / ;", "directive \"location\" has no opening \"{\""),
        (
            "location / { proxy_pass https://u:443; } } upstream u { server 127.0.0.1;",
            "upstream \"u\" may not have port 443",
        ),
        (
            "listen 127.0.0.1:8443 ssl; ssl_reject_handshake on; } server { listen 127.0.0.1:8443 ssl; server_name x;",
            "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive",
        ),
        (
            "location / { set $x a; proxy_pass http://$x; proxy_ssl_verify on; proxy_ssl_certificate /n; }",
            "no \"proxy_ssl_certificate_key\" is defined for certificate \"/n\"",
        ),
        (
            "listen 1443 ssl; ssl_verify_client on; ssl_certificate /x; ssl_certificate_key /y;",
            "no ssl_client_certificate for ssl_verify_client",
        ),
        (
            "proxy_ssl_verify on; proxy_ssl_certificate /n; location / { if ($x) { proxy_pass https://127.0.0.1; } }",
            "no \"proxy_ssl_certificate_key\" is defined for certificate \"/n\"",
        ),
    ] {
        assert_eq!(first_refusal(&server(inside), V1_22).as_deref(), Some(log), "{inside}");
    }
    for (source, log) in [
        (
            "stream { server { listen 8444; proxy_pass 127.0.0.1:1; proxy_ssl on; proxy_ssl_verify on; }}",
            "no proxy_ssl_trusted_certificate for proxy_ssl_verify",
        ),
        (
            "stream { server { listen 8444 ssl; proxy_pass 127.0.0.1:1; }}",
            "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive",
        ),
        (
            "stream { server { listen 8444 ssl; ssl_certificate /x; proxy_pass 127.0.0.1:1; }}",
            "no \"ssl_certificate_key\" is defined for the \"listen ... ssl\" directive",
        ),
        ("stream { server { listen 8444; }}", "no handler for server"),
        (
            "mail { server { listen 8444 ssl; protocol imap; auth_http 127.0.0.1; }}",
            "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive",
        ),
    ] {
        let source = format!("events {{}} {source}");
        assert_eq!(first_refusal(&source, V1_22).as_deref(), Some(log), "{source}");
    }
    assert_eq!(first_refusal("http { }", V1_22).as_deref(), Some("no \"events\" section in configuration"));
}

#[test]
fn what_nginx_accepts_is_accepted() {
    for inside in [
        "listen 127.0.0.1:8443; ssl_trusted_certificate /nope; ssl_verify_client on;",
        "listen 127.0.0.1:8443; location / { proxy_pass http://127.0.0.1; proxy_ssl_verify on; proxy_ssl_certificate /n; }",
        "location / { proxy_pass https://127.0.0.1; proxy_ssl_certificate_key /x; }",
        "location / { proxy_pass https://127.0.0.1; proxy_ssl_verify on; proxy_ssl_trusted_certificate /x; }",
        "listen 443 ssl default_server; ssl_reject_handshake on;",
        "listen [::]:443 ssl http2 ipv6only=on backlog=10; ssl_certificate $a; ssl_certificate_key $b;",
        "listen unix:/run/x.sock; listen *:80; listen 127.0.0.1; listen localhost:81;",
        "ssl_protocols tlsv1.2 TLSV1.3; ssl_session_tickets OFF;",
        "location ~ \\.php$ { fastcgi_pass unix:/run/php.sock; }",
    ] {
        assert_eq!(first_refusal(&server(inside), V1_22), None, "{inside}");
    }
}

#[test]
fn versions_change_what_is_refused() {
    let trusted_only = server(
        "listen 443 ssl; ssl_certificate a; ssl_certificate_key b; ssl_verify_client on; ssl_trusted_certificate c;",
    );
    let neither =
        server("listen 443 ssl; ssl_certificate a; ssl_certificate_key b; ssl_verify_client optional;");
    assert_eq!(
        first_refusal(&trusted_only, V1_26).as_deref(),
        Some("no ssl_client_certificate for ssl_verify_client")
    );
    assert_eq!(first_refusal(&trusted_only, V1_30), None);
    assert_eq!(
        first_refusal(&neither, V1_30).as_deref(),
        Some("no ssl_client_certificate or ssl_trusted_certificate for ssl_verify_client")
    );
    let old_ssl = server("listen 443; ssl on; ssl_certificate a; ssl_certificate_key b;");
    assert_eq!(first_refusal(&old_ssl, V1_22), None);
    assert_eq!(first_refusal(&old_ssl, V1_26).as_deref(), Some("unknown directive \"ssl\""));
}

#[test]
fn refusals_name_file_and_line_as_nginx_does() {
    let config = config("events {}\nhttp {\n  server {\n    listen 443 ssl;\n  }\n}\n", V1_22);
    assert_eq!(
        config.refusals[0].refusal.log.as_deref(),
        Some(
            "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive in /etc/nginx/nginx.conf:3"
        )
    );
}

#[test]
fn scalars_are_inherited_and_arrays_replaced() {
    let config = config(
        "events {} http {
            ssl_certificate a; ssl_certificate b; ssl_certificate_key ka; ssl_certificate_key kb;
            ssl_verify_client on; ssl_client_certificate ca; ssl_verify_depth 2;
            proxy_set_header A $ssl_client_verify; proxy_ssl_verify on;
            server { listen 443 ssl; }
            server { listen 444 ssl; ssl_certificate c; ssl_verify_client off; ssl_client_certificate '';
                location / { proxy_pass https://x; location /in { proxy_set_header B b; proxy_ssl_verify off; } } }
        }",
        V1_26,
    );
    let (first, second) = (&config.servers[0], &config.servers[1]);
    let words = |words: &[Located<String>]| words.iter().map(|word| word.value.clone()).collect::<Vec<_>>();
    assert_eq!(words(&first.tls.certificates), ["a", "b"]);
    assert_eq!(*first.tls.verify_client.value(), ClientAuthMode::Required);
    assert_eq!(*first.tls.verify_depth.value(), 2);
    assert_eq!(words(&second.tls.certificates), ["c"]);
    assert_eq!(words(&second.tls.keys), ["ka", "kb"]);
    assert_eq!(*second.tls.verify_client.value(), ClientAuthMode::Off);
    assert_eq!(second.tls.client_certificate, None);
    let [_, outer, inner] = second.locations.as_slice() else { panic!("three locations") };
    assert_eq!(outer.headers[0].name.value, "A");
    assert_eq!(inner.headers.len(), 1);
    assert_eq!(inner.headers[0].name.value, "B");
    assert!(*outer.tls.verify.value() && !*inner.tls.verify.value());
}

#[test]
fn default_protocols_depend_on_the_version() {
    use Protocol::{Tls10, Tls11, Tls12, Tls13};
    for (version, expected) in [
        (V1_22, vec![Tls10, Tls11, Tls12]),
        (Version(1, 23, 4), vec![Tls10, Tls11, Tls12, Tls13]),
        (V1_26, vec![Tls10, Tls11, Tls12, Tls13]),
        (V1_30, vec![Tls12, Tls13]),
    ] {
        let config = config(&server("listen 443 ssl; ssl_reject_handshake on;"), version);
        assert_eq!(config.servers[0].tls.protocols.value().versions, expected, "{version}");
    }
    let narrowed = config(
        &server("listen 443; ssl_protocols TLSv1.3 TLSv1.2; ssl_conf_command MinProtocol TLSv1.3;"),
        V1_26,
    );
    assert_eq!(narrowed.servers[0].tls.protocols.value().versions, [Tls13]);
}

#[test]
fn listen_is_read_in_all_its_forms() {
    for (written, expected, ssl, default) in [
        ("80", "0.0.0.0:80", false, false),
        ("443 ssl default_server", "0.0.0.0:443", true, true),
        ("*:443 ssl http2", "0.0.0.0:443", true, false),
        ("127.0.0.1", "127.0.0.1:80", false, false),
        ("127.0.0.1:8443 default ssl proxy_protocol", "127.0.0.1:8443", true, true),
        ("[::]:443 ssl ipv6only=off", "[::]:443", true, false),
        ("[::1]", "[::1]:80", false, false),
        ("localhost:8000", "127.0.0.1:8000", false, false),
        ("unix:/run/nginx.sock ssl", "unix:/run/nginx.sock", true, false),
        ("srv.example.test:443 ssl", "srv.example.test:443", true, false),
    ] {
        let config = config(&server(&format!("listen {written}; ssl_reject_handshake on;")), V1_26);
        let listen = &config.servers[0].listens[0];
        assert_eq!(listen.address.value.shown(), expected, "{written}");
        assert_eq!((listen.ssl, listen.default_server), (ssl, default), "{written}");
    }
    let config = config(&server("root /x;"), V1_26);
    assert_eq!(config.servers[0].listens[0].address.value.shown(), "0.0.0.0:80");
}

#[test]
fn servers_of_one_address_form_a_group_with_a_default() {
    let config = config(
        "events {} http { ssl_reject_handshake on;
            server { listen 443; server_name a; }
            server { listen 443 ssl default_server; server_name b; listen 443 quic; }
            server { listen 127.0.0.1:443; server_name c; }
            server { listen *:443; server_name d; } }",
        V1_26,
    );
    let groups = config.groups();
    assert_eq!(groups.len(), 2);
    let members: Vec<usize> = groups[0].members.iter().map(|(index, _)| *index).collect();
    assert_eq!((members, groups[0].default, groups[0].ssl), (vec![0, 1, 3], 1, true));
    assert_eq!((groups[1].default, groups[1].ssl), (2, false));
}

#[test]
fn pass_targets_are_taken_apart() {
    for (written, tls, host, port, unix) in [
        ("https://srv.example.test:8443", true, "srv.example.test", Some(8443), None),
        ("http://backend/path", false, "backend", None, None),
        ("HTTPS://[::1]:8443/", true, "[::1]", Some(8443), None),
        ("https://[::1]", true, "[::1]", None, None),
        ("http://unix:/run/x.sock:/uri", false, "localhost", None, Some("/run/x.sock")),
        ("https://$host$request_uri", true, "$host$request_uri", None, None),
        ("https://${name}:8443", true, "${name}", Some(8443), None),
    ] {
        let config = config(&server(&format!("location / {{ proxy_pass \"{written}\"; }}")), V1_26);
        let pass = config.servers[0].locations[1].pass.as_ref().unwrap();
        assert_eq!(
            (pass.tls, pass.host.value.as_str(), pass.port, pass.unix.as_deref()),
            (tls, host, port, unix),
            "{written}"
        );
    }
    for (written, names) in [("$a.$b_c-${d}e", vec!["a", "b_c", "d"]), ("$", vec![]), ("x", vec![])] {
        assert_eq!(variables(written), names);
    }
}

#[test]
fn checks_of_client_certificates_are_found() {
    let config = config(
        "events {} http { map $ssl_client_s_dn $who { default 0; } server {
            if ($ssl_client_verify != SUCCESS) { return 403; }
            location / { if ($who = 0) { return 403; } }
            location /x { set $up srv:1; if ($ssl_client_s_dn !~ x) { return 403; } proxy_pass https://$up; } } }",
        V1_26,
    );
    assert_eq!(config.maps[0].variable.value, "$who");
    let locations = &config.servers[0].locations;
    assert!(locations[0].checks[0].of_verification);
    let named = |path: &str| {
        locations.iter().find(|location| location.matcher == Matcher::Prefix(path.to_owned())).unwrap()
    };
    assert_eq!(named("/").checks.len(), 1);
    assert_eq!(named("/x").checks.len(), 2);
    assert_eq!(config.servers[0].constants[0].0, "up");
}

#[test]
fn configurations_are_recognised_by_their_directives() {
    for (path, text, expected) in [
        ("etc/nginx/nginx.conf", "events {} http {}", Some(Extent::Whole)),
        ("conf.d/a.conf", "server { listen 80; }", Some(Extent::Piece)),
        ("conf.d/up.conf", "upstream a { server b; }", Some(Extent::Piece)),
        ("nginx.conf", "", None),
        ("sshd.conf", "Port 22\nHost *", None),
        ("a.yaml", "http:\n  server: {}", None),
        ("sites-enabled/default", "server { root /var/www; }", Some(Extent::Piece)),
        ("openssl.conf", "[req]\ndistinguished_name = dn", None),
    ] {
        assert_eq!(extent(path, text), expected, "{path}");
    }
}

#[test]
fn a_target_with_a_variable_is_not_parsed_when_nginx_starts() {
    // nginx 1.22.1, 1.26.3 and 1.30.6 start with each
    for pass in [
        "proxy_pass $scheme://backend;",
        "proxy_pass $scheme://backend:8443/x;",
        "proxy_pass $scheme://$host:8443$request_uri;",
        "proxy_pass http://$host:;",
        "grpc_pass $scheme://backend;",
    ] {
        for version in [V1_22, V1_26, V1_30] {
            assert_eq!(first_refusal(&server(&format!("location / {{ {pass} }}")), version), None, "{pass}");
        }
    }
    let config = config(&server("location / { proxy_pass $scheme://backend:8443/x; }"), V1_26);
    let pass = config.servers[0].locations[1].pass.as_ref().unwrap();
    assert_eq!(pass.variables(), ["scheme"]);
    assert!(pass.resolved(&[]).is_none());
}

#[test]
fn words_and_upstream_names_have_no_case() {
    let inside =
        "ssl_verify_client ON; ssl_client_certificate ca; ssl_protocols tlsv1.2 TLSV1.3; ssl_ocsp LEAF;";
    let config = config(&server(inside), V1_26);
    let tls = &config.servers[0].tls;
    assert_eq!(config.refusals, []);
    assert_eq!(*tls.verify_client.value(), ClientAuthMode::Required);
    assert_eq!(tls.protocols.value().versions, [Protocol::Tls12, Protocol::Tls13]);
    assert_eq!(tls.ocsp.as_ref().map(|word| word.value.as_str()), Some("LEAF"));
    let upstream = "events {} http { upstream php { server 127.0.0.1:9000; }
        server { location / { fastcgi_pass PHP; } location /u { uwsgi_pass Php; } } }";
    assert_eq!(first_refusal(upstream, V1_22), None);
}

#[test]
fn sockets_for_http_3_caches_and_empty_names_are_refused_as_nginx_does() {
    // each line was printed by nginx of that version for this configuration
    for (inside, version, log) in [
        (
            "listen 8443 quic;",
            V1_26,
            Some("no \"ssl_certificate\" is defined for the \"listen ... quic\" directive"),
        ),
        (
            "listen 8443 quic; ssl_certificate c; ssl_certificate_key k; ssl_protocols TLSv1.2;",
            V1_30,
            Some("\"ssl_protocols\" must enable TLSv1.3 for the \"listen ... quic\" directive"),
        ),
        ("listen 8443 quic; ssl_certificate c; ssl_certificate_key k;", V1_26, None),
        ("listen 8443 http3;", V1_30, Some("invalid parameter \"http3\"")),
        ("ssl_session_cache shared:SSL;", V1_22, Some("invalid session cache \"shared:SSL\"")),
        ("ssl_session_cache shared:SSL:abc;", V1_22, Some("invalid session cache \"shared:SSL:abc\"")),
        ("ssl_session_cache shared::1m;", V1_30, Some("invalid session cache \"shared::1m\"")),
        ("ssl_session_cache foo;", V1_26, Some("invalid session cache \"foo\"")),
        ("ssl_session_cache shared:x:1k;", V1_26, Some("session cache \"shared:x:1k\" is too small")),
        ("ssl_session_cache builtin:100 shared:x:1m;", V1_26, None),
        (
            "set $b grpcs://a:1; location / { grpc_pass $b; grpc_ssl_certificate c; }",
            V1_22,
            Some("no \"grpc_ssl_certificate_key\" is defined for certificate \"c\""),
        ),
        (
            "set $b a:1; location / { uwsgi_pass $b; uwsgi_ssl_verify on; }",
            V1_30,
            Some("no uwsgi_ssl_trusted_certificate for uwsgi_ssl_verify"),
        ),
        (
            "location / { proxy_pass https://a:1; proxy_ssl_certificate ''; }",
            V1_22,
            Some("no \"proxy_ssl_certificate_key\" is defined for certificate \"\""),
        ),
        ("location / { proxy_pass https://a:1; proxy_ssl_certificate ''; }", V1_26, None),
    ] {
        assert_eq!(first_refusal(&server(inside), version).as_deref(), log, "{inside}");
    }
    // what is printed has nginx's own folder in it
    let empty = config(&server("ssl_certificate ''; ssl_certificate_key '';"), V1_26);
    assert_eq!(empty.refusals.len(), 1);
}

#[test]
fn a_group_that_no_openssl_has_leaves_the_start_open() {
    let tls = "listen 8443 ssl; ssl_certificate c; ssl_certificate_key k;";
    for (curves, open) in
        [("nosuch", true), ("X25519:prime256v1", false), ("?nosuch:X25519", false), ("auto", false)]
    {
        let config = config(&server(&format!("{tls} ssl_ecdh_curve {curves};")), V1_26);
        assert_eq!(!config.unseen.is_empty(), open, "{curves}");
        assert_eq!(config.refusals, [], "{curves}");
    }
}

#[test]
fn a_snippet_belongs_where_its_servers_tell() {
    for (source, expected) in [
        ("server { listen 636; proxy_pass ldap; proxy_ssl on; }", Some(Place::Stream)),
        ("server { listen 53 udp; proxy_pass dns; }", Some(Place::Stream)),
        ("server { listen 443 ssl; location / { proxy_pass http://a; } }", Some(Place::Http)),
        ("server { listen 443 ssl; server_name a; include common.conf; }", Some(Place::Http)),
        ("server { listen 143; protocol imap; starttls on; }", Some(Place::Mail)),
        ("server { listen 1; proxy_pass a:1; } server { listen 80; location / { } }", None),
        ("server { listen 1; proxy_pass a:1; location / { } }", None),
    ] {
        let text = Text::whole(FileId(0), Arc::new(source.as_bytes().to_vec()));
        let parsed = crate::syntax::nginx::parse(&text);
        assert_eq!(surroundings(&parsed.directives), expected, "{source}");
    }
}

#[test]
fn a_path_goes_to_the_location_that_nginx_chooses() {
    let inside =
        "location / { location /in/ { } } location = /x { } location ^~ /img { } location ~ \\.php$ { }
        location ~ (?=a)b { }";
    let config = config(&server(inside), V1_26);
    let server = &config.servers[0];
    for (path, expected) in [
        ("/x", Ok(Matcher::Exact("/x".to_owned()))),
        ("/img/a.php", Ok(Matcher::Preferred("/img".to_owned()))),
        ("/in/a.php", Ok(Matcher::Regex { pattern: "\\.php$".to_owned(), insensitive: false })),
        ("/other", Err(())),
    ] {
        let chosen = server.location_for(path).map(|index| server.locations[index].matcher.clone());
        assert_eq!(chosen.map_err(|_| ()), expected, "{path}");
    }
}

#[test]
fn a_misplaced_directive_is_sent_to_its_place_in_the_subsystem_at_hand() {
    let config = config(&server("location / { ssl_certificate a; }"), V1_26);
    let message = &config.refusals[0].refusal.message;
    assert!(message.ends_with("; move it to http, server"), "{message}");
}

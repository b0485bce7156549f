use super::*;
use crate::deployment::{Content, Lookup, Protocol, Version};
use crate::dialect::apisix::NO_ENVIRONMENT;
use crate::dialect::apisix::values::Values;
use crate::source::Sources;
use crate::syntax::yaml;

fn read(text: &str) -> Objects {
    let mut sources = Sources::default();
    let id = sources.add("apisix.yaml", text);
    let parsed = yaml::parse(&sources.text(id).unwrap());
    let mut objects = Objects::default();
    for document in &parsed.documents {
        objects.add(&Values::new(NO_ENVIRONMENT), document.root());
    }
    objects
}

/// A certificate's and a key's worth of text.
fn pem(label: &str, lines: usize) -> String {
    format!(
        "\"-----BEGIN {label}-----\\n{}-----END {label}-----\\n\"",
        "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=\\n".repeat(lines)
    )
}

fn ssl(rest: &str) -> SslObject {
    let text = format!(
        "ssls: [{{id: '1', cert: {}, key: {}, {rest}}}]",
        pem("CERTIFICATE", 4),
        pem("PRIVATE KEY", 3)
    );
    read(&text).ssls.remove(0)
}

#[test]
fn every_shape_of_the_admin_api_holds_the_same_route() {
    let body =
        "{\"id\": \"1\", \"uri\": \"/a\", \"upstream\": {\"nodes\": {\"u:443\": 1}, \"scheme\": \"https\"}}";
    for (text, complete) in [
        (format!("{{\"routes\": [{body}]}}"), true),
        (format!("routes:\n- {body}\n#END\n"), true),
        (format!("{{\"key\": \"/apisix/routes/1\", \"value\": {body}}}"), false),
        (
            format!("{{\"total\": 1, \"list\": [{{\"key\": \"/apisix/routes/1\", \"value\": {body}}}]}}"),
            false,
        ),
        (
            format!(
                "{{\"action\": \"get\", \"node\": {{\"key\": \"/apisix/routes/1\", \"value\": {body}}}}}"
            ),
            false,
        ),
        (
            format!(
                "{{\"node\": {{\"dir\": true, \"key\": \"/apisix/routes\", \"nodes\": [{{\"key\": \"/apisix/routes/1\", \"value\": {body}}}]}}}}"
            ),
            false,
        ),
        (body.to_owned(), false),
    ] {
        let objects = read(&text);
        assert_eq!(objects.complete, complete, "{text}");
        let [route] = objects.routes.as_slice() else { panic!("{text}: {} routes", objects.routes.len()) };
        assert_eq!(route.id.as_ref().unwrap().value, "1", "{text}");
        let node = route.upstream.as_ref().unwrap().nodes.first().unwrap();
        assert_eq!((node.host.value.as_str(), node.port), ("u", Some(443)), "{text}");
    }
}

#[test]
fn bare_bodies_are_told_apart_by_their_shape() {
    for (text, counts) in [
        ("{sni: a, cert: c, key: k}", (1, 0, 0, 0)),
        ("{uri: /, upstream_id: 1}", (0, 1, 0, 0)),
        ("{upstream: {nodes: {a: 1}}}", (0, 0, 1, 0)),
        ("{nodes: {a: 1}, type: roundrobin}", (0, 0, 0, 1)),
        ("{services: {web: {image: x}}}", (0, 0, 0, 0)),
        ("{apiVersion: v1, kind: Pod, nodes: [1], type: x}", (0, 0, 0, 0)),
        ("{uri: /}", (0, 0, 0, 0)),
    ] {
        let objects = read(text);
        let got = (objects.ssls.len(), objects.routes.len(), objects.services.len(), objects.upstreams.len());
        assert_eq!(got, counts, "{text}");
    }
}

#[test]
fn an_object_of_the_same_id_replaces_the_first() {
    let objects = read(
        "routes: [{id: 1, uri: /a, upstream_id: 1}, {id: 2, uri: /b, upstream_id: 1}, {id: 1, uri: /c, upstream_id: 1}]",
    );
    let uris: Vec<&str> =
        objects.routes.iter().map(|route| route.uris.first().unwrap().value.as_str()).collect();
    assert_eq!(uris, ["/c", "/b"]);
}

#[test]
fn an_ssl_object_that_the_schema_refuses_says_so_in_apisix_s_words() {
    for (rest, error) in [
        ("sni: srv.test", None),
        ("snis: [a.test, '*.b.test']", None),
        ("sni: '*', client: {ca: $secret://vault/1/ca}", None),
        ("sni: '[::1]:9443'", None),
        ("sni: srv.test, client: {ca: $env://CA, depth: 0, verify: optional}", None),
        ("type: client", None),
        ("sni: s*.test", Some("failed to match pattern")),
        ("sni: srv.*.test", Some("failed to match pattern")),
        ("snis: []", Some("property \"snis\" validation failed: expect array to have at least 1 items")),
        ("sni: a, snis: [b]", Some("then clause did not match")),
        ("status: 1", Some("then clause did not match")),
        ("sni: a, colour: red", Some("additional properties forbidden, found colour")),
        (
            "sni: a, ssl_protocols: [SSLv3]",
            Some(
                "property \"ssl_protocols\" validation failed: failed to validate item 1: matches none of the enum values",
            ),
        ),
        ("sni: a, certs: [$secret://x]", Some("mismatched number of certs and keys")),
        (
            "sni: a, client: {ca: /etc/ca.pem}",
            Some(
                "property \"client\" validation failed: property \"ca\" validation failed: string too short, expected at least 128, got 11",
            ),
        ),
        (
            "sni: a, client: {ca: $secret://x, depth: '1'}",
            Some(
                "property \"client\" validation failed: property \"depth\" validation failed: wrong type: expected integer, got string",
            ),
        ),
        (
            "sni: a, client: {ca: $secret://x, skip_mtls_uri_regex: []}",
            Some(
                "property \"client\" validation failed: property \"skip_mtls_uri_regex\" validation failed: expect array to have at least 1 items",
            ),
        ),
    ] {
        let object = ssl(rest);
        let log = object.refusals.first().map(|refusal| refusal.log.clone().unwrap_or_default());
        match (log, error) {
            (None, None) => {}
            (Some(log), Some(error)) => {
                assert!(log.starts_with("failed to check item data of [ssls] err:"), "{rest}: {log}");
                assert!(log.contains(error), "{rest}: {log}");
            }
            (log, error) => panic!("{rest}: {log:?} instead of {error:?}"),
        }
    }
}

#[test]
fn a_negative_depth_drops_the_object() {
    assert_eq!(ssl("sni: a, client: {ca: $secret://x, depth: -1}").refusals.len(), 1);
}

#[test]
fn texts_too_short_for_a_certificate_or_a_key_are_refused_with_their_length() {
    for (text, error) in [
        (
            format!("ssls: [{{id: 1, sni: a, cert: {}, key: ''}}]", pem("CERTIFICATE", 4)),
            "property \"key\" validation failed: string too short, expected at least 64, got 0",
        ),
        (
            format!("ssls: [{{id: 1, sni: a, cert: /etc/tls/tls.crt, key: {}}}]", pem("PRIVATE KEY", 4)),
            "property \"cert\" validation failed: string too short, expected at least 128, got 16",
        ),
        (
            format!(
                "ssls: [{{id: 1, sni: a, cert: {}, key: '{}'}}]",
                pem("CERTIFICATE", 4),
                "a key of no kind ".repeat(5)
            ),
            "failed to decrypt previous encrypted key",
        ),
    ] {
        let objects = read(&text);
        let log = objects.ssls.first().unwrap().refusals.first().unwrap().log.clone().unwrap();
        assert_eq!(log, format!("failed to check item data of [ssls] err:{error}"));
    }
}

#[test]
fn a_key_that_apisix_encrypted_is_unseen_and_not_refused() {
    // AES blocks are 16 bytes long: 48 bytes can be some, 51 cannot
    for (repeats, encrypted) in [(16, true), (17, false)] {
        let key = "QUJD".repeat(repeats);
        let text = format!("ssls: [{{id: 1, sni: a, cert: {}, key: '{key}'}}]", pem("CERTIFICATE", 4));
        let object = read(&text).ssls.remove(0);
        let key = object.pairs.first().unwrap().key.as_ref().unwrap();
        assert_eq!(matches!(key.content, Lookup::Unseen(_)), encrypted, "{repeats}");
        assert_eq!(object.refusals.is_empty(), encrypted, "{repeats}");
    }
}

#[test]
fn inline_text_is_where_the_user_wrote_it() {
    let text = format!(
        "ssls:\n- id: 1\n  sni: a\n  cert: |\n    -----BEGIN CERTIFICATE-----\n    {}\n    -----END CERTIFICATE-----\n  key: $secret://x\n",
        "QUJD".repeat(30)
    );
    let objects = read(&text);
    let pair = objects.ssls.first().unwrap().pairs.first().unwrap();
    let Lookup::Found(Content::Bytes(cert)) = &pair.certificate.content else { panic!("{pair:?}") };
    assert!(cert.bytes().starts_with(b"-----BEGIN CERTIFICATE-----\nQUJD"));
    let start = text.find("QUJD").unwrap();
    assert_eq!(cert.span(28..32).start as usize, start);
}

#[test]
fn an_object_s_protocols_are_read() {
    let object = ssl("sni: a, ssl_protocols: [TLSv1.3, TLSv1.2]");
    assert_eq!(object.protocols.unwrap().value.versions, [Protocol::Tls12, Protocol::Tls13]);
}

#[test]
fn an_upstream_s_tls_is_checked_as_the_schema_does() {
    const WITHIN: &str = "failed to check item data of [routes] err:property \"upstream\" validation failed: property \"tls\" validation failed: ";
    let key = pem("PRIVATE KEY", 4);
    let cert = pem("CERTIFICATE", 4);
    for (tls, error) in [
        (format!("client_cert: {cert}, client_key: {key}"), None),
        ("client_cert_id: 9".to_owned(), None),
        ("verify: true, ca: x".to_owned(), None),
        (
            format!("client_key: {key}"),
            Some(
                "failed to validate dependent schema for \"client_key\": property \"client_cert\" is required",
            ),
        ),
        (
            format!("client_cert: {cert}"),
            Some(
                "failed to validate dependent schema for \"client_cert\": property \"client_key\" is required",
            ),
        ),
        (
            format!("client_cert: {cert}, client_key: /etc/client/client.key"),
            Some("property \"client_key\" validation failed: string too short, expected at least 64, got 22"),
        ),
        (
            "verify: 'yes'".to_owned(),
            Some("property \"verify\" validation failed: wrong type: expected boolean, got string"),
        ),
    ] {
        let objects = read(&format!(
            "routes: [{{id: 1, uri: /, upstream: {{nodes: {{u: 1}}, scheme: https, tls: {{{tls}}}}}}}]"
        ));
        let log = objects.routes.first().unwrap().refusals.first().and_then(|refusal| refusal.log.clone());
        assert_eq!(log, error.map(|error| format!("{WITHIN}{error}")), "{tls}");
    }
}

#[test]
fn nodes_are_a_map_or_a_list() {
    for (nodes, want) in [
        ("{'a:443': 1, b: 1}", vec![("a", Some(443)), ("b", None)]),
        ("{'[::1]:80': 1}", vec![("::1", Some(80))]),
        ("[{host: a, port: 443, weight: 1}, {host: b, weight: 1}]", vec![("a", Some(443)), ("b", None)]),
        ("{'a:1': 0, 'b:1': 1}", vec![("b", Some(1))]),
        ("{'a:1': 0}", vec![("a", Some(1))]),
    ] {
        let objects = read(&format!("upstreams: [{{id: 1, type: roundrobin, nodes: {nodes}}}]"));
        let got: Vec<(&str, Option<u16>)> = objects
            .upstreams
            .first()
            .unwrap()
            .nodes
            .iter()
            .map(|node| (node.host.value.as_str(), node.port))
            .collect();
        assert_eq!(got, want, "{nodes}");
    }
}

#[test]
fn a_webassembly_plugin_s_conf_is_text_or_json() {
    for (conf, want) in [
        ("'allow: all'", "allow: all"),
        ("{a: 1, b: [true, 'x\"'], c: null}", "{\"a\":1,\"b\":[true,\"x\\\"\"],\"c\":{}}"),
    ] {
        let objects = read(&format!("routes: [{{id: 1, uri: /, plugins: {{guard: {{conf: {conf}}}}}}}]"));
        let plugin = objects.routes.first().unwrap().plugins.first().unwrap();
        assert_eq!(plugin.conf.as_ref().unwrap().as_str(), Ok(want));
    }
}

#[test]
fn a_standalone_file_must_end_with_its_flag() {
    for (text, missing) in [
        ("routes: []\n#END", false),
        ("routes: []\n#END\n\n", false),
        ("routes: []\n#END\n# more text here", true),
        ("routes: []\n", true),
        ("", true),
    ] {
        assert_eq!(end_flag_missing(text.as_bytes()), missing, "{text}");
    }
}

#[test]
fn ssl_objects_stand_under_the_key_of_their_major_version() {
    let read_as = |key: &str, version| {
        let text = format!(
            "{key}: [{{sni: a.test, cert: {}, key: {}}}]",
            pem("CERTIFICATE", 4),
            pem("PRIVATE KEY", 3)
        );
        let mut sources = Sources::default();
        let id = sources.add("apisix.yaml", text);
        let parsed = yaml::parse(&sources.text(id).unwrap());
        let mut objects = Objects::default();
        objects.add_set(&Values::new(NO_ENVIRONMENT), parsed.documents.first().unwrap().root(), version);
        (objects.ssls.len(), objects.unread_ssls.map(|read| read.value))
    };
    let (two, three) = (Some(Version(2, 15, 3)), Some(Version(3, 18, 0)));
    assert_eq!(read_as("ssl", two), (1, None));
    assert_eq!(read_as("ssls", two), (0, Some("ssl")));
    assert_eq!(read_as("ssl", three), (0, Some("ssls")));
    assert_eq!(read_as("ssls", three), (1, None));
    // a dump, whoever it is from
    assert_eq!(read_as("ssl", None), (1, None));
}

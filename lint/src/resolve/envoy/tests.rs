use super::*;
use crate::assume::Assume;
use crate::deployment::ProgramKind;
use crate::deployment::{ClientAuthMode, NameCheck, PathPattern, Protocol, Selection, Trust};
use crate::resolve::Variable;
use crate::resolve::machine::Index;
use crate::selection::{Nobody, Selected};
use crate::source::{FileId, Sources};

/// An Envoy beneath a root with these files; the first is its configuration.
fn envoy_with(files: &[(&str, &str)], assume: &Assume, environment: &[(&str, &str)]) -> Program {
    let mut sources = Sources::default();
    sources.root = true;
    for (path, text) in files {
        sources.add(*path, text.as_bytes());
    }
    let here = Span { file: FileId(0), start: 0, end: 0 };
    let located = |text: &str| Located::new(text.to_owned(), here);
    let world = World {
        index: Index::new(&sources),
        assume,
        machines: vec![Machine { name: String::new(), files: Files::Root }],
        apisix_objects: Default::default(),
    };
    let launch = Launch {
        kind: ProgramKind::Envoy,
        name: String::new(),
        file: None,
        span: None,
        machine: 0,
        image: None,
        arguments: Vec::new(),
        environment: environment
            .iter()
            .map(|(name, value)| Variable {
                name: located(name),
                value: Lookup::Found(located(value)),
                secret: true,
            })
            .collect(),
        configuration: sources.text(FileId(0)).map(|text| (files[0].0.to_owned(), text)),
        piece: false,
    };
    let mut programs = link(&world, &launch, &mut Notes::default());
    assert_eq!(programs.len(), 1);
    programs.remove(0)
}

fn envoy(bootstrap: &str) -> Program {
    envoy_with(&[("/etc/envoy/envoy.yaml", bootstrap)], &Assume::default(), &[])
}

const DOWN: &str =
    "'@type': type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
const UP: &str = "'@type': type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
const HTTP: &str = "'@type': type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const CERTIFICATE: &str = "{certificate_chain: {filename: /s.pem}, private_key: {filename: /s.key}}";

/// A listener whose only chain has this DownstreamTlsContext.
fn downstream(common: &str, rest: &str) -> String {
    format!(
        "node: {{id: edge, cluster: c}}
static_resources:
  listeners:
  - name: l
    address: {{socket_address: {{address: 0.0.0.0, port_value: 8443}}}}
    filter_chains:
    - transport_socket: {{name: envoy.transport_sockets.tls, typed_config: {{{DOWN}, common_tls_context: {{{common}}}{rest}}}}}
"
    )
}

/// A cluster with this UpstreamTlsContext, reached by a route of a plaintext listener.
fn upstream(context: &str, cluster: &str, route: &str) -> String {
    format!(
        "node: {{id: edge, cluster: c}}
static_resources:
  listeners:
  - name: l
    address: {{socket_address: {{address: 127.0.0.1, port_value: 10000}}}}
    filter_chains:
    - filters:
      - name: http
        typed_config:
          {HTTP}
          stat_prefix: in
          route_config:
            virtual_hosts: [{{name: v, domains: ['*'], routes: [{{match: {{prefix: /}}, route: {{cluster: up{route}}}}}]}}]
  clusters:
  - name: up
    type: STRICT_DNS
    load_assignment: {{cluster_name: up, endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: srv.test, port_value: 8443}}}}}}}}]}}]}}
    transport_socket: {{name: envoy.transport_sockets.tls, typed_config: {{{UP}{context}}}}}
{cluster}"
    )
}

fn logs(program: &Program) -> Vec<&str> {
    program.refusals.iter().filter_map(|refusal| refusal.log.as_deref()).collect()
}

/// Observed with Envoy 1.40.0: each context, a client without a certificate and one with.
#[test]
fn what_is_asked_of_clients_follows_from_the_validation_context() {
    use ClientAuthMode::{Off, Optional, Required};
    let ca = "trusted_ca: {filename: /ca.pem}";
    let hash = format!("verify_certificate_hash: ['{}']", "00".repeat(32));
    let names = "match_typed_subject_alt_names: [{san_type: DNS, matcher: {exact: a}}]";
    let untrusted = "trust_chain_verification: ACCEPT_UNTRUSTED";
    for (context, require, mode) in [
        (None, ", require_client_certificate: true", Off),
        (Some(String::new()), ", require_client_certificate: true", Off),
        (Some("system_root_certs: {}".to_owned()), ", require_client_certificate: true", Off),
        (Some(ca.to_owned()), ", require_client_certificate: true", Required),
        (Some(ca.to_owned()), ", require_client_certificate: false", Optional),
        (Some(ca.to_owned()), "", Optional),
        (Some(hash.clone()), "", Required),
        (Some(format!("{ca}, {hash}")), ", require_client_certificate: false", Required),
        (Some(format!("{ca}, {names}")), ", require_client_certificate: false", Required),
        (Some(untrusted.to_owned()), ", require_client_certificate: true", Optional),
        (Some(format!("{untrusted}, {hash}")), ", require_client_certificate: true", Optional),
        (Some(format!("{ca}, {untrusted}")), ", require_client_certificate: true", Required),
        (Some(format!("{ca}, {untrusted}")), "", Optional),
    ] {
        let validation =
            context.as_ref().map_or(String::new(), |context| format!(", validation_context: {{{context}}}"));
        let program = envoy(&downstream(&format!("tls_certificates: [{CERTIFICATE}]{validation}"), require));
        assert_eq!(logs(&program), Vec::<&str>::new(), "{context:?}");
        let tls = program.listeners[0].tls.as_ref().expect("TLS");
        let auth = &tls.contexts[0].client_auth;
        assert_eq!(*auth.mode.value(), mode, "{context:?} {require}");
        assert!(auth.checks.accept_untrusted.is_none() || auth.checks.pins.is_empty(), "{context:?}");
    }
}

/// Each was given to `envoy --mode validate` or started, 1.40.0.
#[test]
fn what_envoy_refuses_at_start_is_refused_in_its_words() {
    let chain = |common: &str| downstream(common, "");
    let cluster = |context: &str| upstream(context, "", "");
    for (bootstrap, log) in [
        (chain(""), "No TLS certificates found for server context"),
        (chain("tls_certificates: [{}]"), "Server TlsCertificates must have a certificate specified"),
        (
            chain("tls_certificates: [{certificate_chain: {filename: /s.pem}}]"),
            "Failed to load incomplete private key from path: ",
        ),
        (
            chain("tls_certificates: [{private_key: {filename: /s.key}}]"),
            "Failed to load incomplete certificate from : certificate chain not set",
        ),
        (chain("tls_certificate_sds_secret_configs: [{name: x}]"), "Unknown static secret: x"),
        (
            chain(&format!(
                "tls_certificates: [{CERTIFICATE}], validation_context: {{match_typed_subject_alt_names: [{{san_type: DNS, matcher: {{exact: a}}}}]}}"
            )),
            "SAN-based verification of peer certificates without trusted CA is insecure and not allowed",
        ),
        (
            chain(&format!(
                "tls_certificates: [{CERTIFICATE}], validation_context: {{crl: {{filename: /crl.pem}}}}"
            )),
            "Failed to load CRL from /crl.pem without trusted CA",
        ),
        (
            chain(&format!(
                "tls_certificates: [{CERTIFICATE}], validation_context: {{allow_expired_certificate: true}}"
            )),
            "Certificate validity period is always ignored without trusted CA",
        ),
        (
            chain(&format!(
                "tls_certificates: [{CERTIFICATE}], tls_params: {{cipher_suites: [TLS_AES_128_GCM_SHA256]}}"
            )),
            "Failed to initialize cipher suites TLS_AES_128_GCM_SHA256. The following ciphers were rejected when tried individually: TLS_AES_128_GCM_SHA256",
        ),
        (
            chain(
                "tls_certificate_sds_secret_configs: [{name: x, sds_config: {path_config_source: {path: /nope.yaml}}}]",
            ),
            "paths must refer to an existing path in the system: '/nope.yaml' does not exist",
        ),
        (
            cluster(", auto_sni_san_validation: true"),
            "'auto_sni_san_validation' was configured without a validation context",
        ),
        (
            cluster(&format!(", common_tls_context: {{tls_certificates: [{CERTIFICATE}, {CERTIFICATE}]}}")),
            "Multiple TLS certificates are not supported for client contexts",
        ),
        (
            cluster("").replace("type: STRICT_DNS", "type: STATIC"),
            "malformed IP address: srv.test. Consider setting resolver_name or setting cluster type to 'STRICT_DNS' or 'LOGICAL_DNS'",
        ),
        (cluster("").replace("cluster: up}", "cluster: nope}"), "route: unknown cluster 'nope'"),
        (
            cluster("").replace("domains: ['*']", "domains: ['*', '*']"),
            "Only a single wildcard domain is permitted in route ",
        ),
        (
            cluster("").replace(UP, DOWN),
            "Didn't find a registered implementation for 'envoy.transport_sockets.tls' with type URL: 'envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext'",
        ),
        (
            chain(&format!("tls_certificates: [{CERTIFICATE}]")).replace("0.0.0.0", "localhost"),
            "malformed IP address: localhost",
        ),
        ("".to_owned(), "Unable to convert YAML as JSON: "),
    ] {
        let program = envoy(&bootstrap);
        assert!(logs(&program).contains(&log), "{log}\n{:?}\n{bootstrap}", logs(&program));
    }
}

/// A bootstrap that lies there may be started with `--service-node` and `--service-cluster`.
#[test]
fn a_bootstrap_without_a_node_is_not_judged_where_its_command_line_is_not_seen() {
    let secret =
        "tls_certificate_sds_secret_configs: [{name: x, sds_config: {path_config_source: {path: /x.yaml}}}]";
    let nodeless = downstream(secret, "").replace("node: {id: edge, cluster: c}", "");
    let program = envoy(&nodeless);
    assert!(!logs(&program).iter().any(|log| log.contains("node 'id'")), "{:?}", logs(&program));
    assert!(program.unseen.iter().any(|why| why.contains("--service-node")), "{:?}", program.unseen);
    assert!(envoy(&downstream("", "").replace("node: {id: edge, cluster: c}", "")).unseen.is_empty());
}

#[test]
fn secrets_of_files_are_followed_and_a_wrong_name_costs_only_that_context() {
    const SECRETS: &str = "resources:
- '@type': type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret
  name: server
  tls_certificate: {certificate_chain: {filename: /s.pem}, private_key: {filename: /s.key}}
- '@type': type.googleapis.com/envoy.service.discovery.v3.Resource
  name: wrapped
  resource:
    '@type': type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret
    name: ca
    validation_context: {trusted_ca: {filename: /ca.pem}}
";
    let source = "sds_config: {path_config_source: {path: /etc/envoy/sds.yaml}}";
    let bootstrap = downstream(
        &format!(
            "tls_certificate_sds_secret_configs: [{{name: server, {source}}}], validation_context_sds_secret_config: {{name: ca, {source}}}"
        ),
        ", require_client_certificate: true",
    );
    let files = [
        ("/etc/envoy/envoy.yaml", bootstrap.as_str()),
        ("/etc/envoy/sds.yaml", SECRETS),
        ("/s.pem", "x"),
        ("/s.key", "x"),
        ("/ca.pem", "x"),
    ];
    let program = envoy_with(&files, &Assume::default(), &[]);
    assert_eq!(logs(&program), Vec::<&str>::new());
    let context = &program.listeners[0].tls.as_ref().expect("TLS").contexts[0];
    assert_eq!(context.credentials[0].certificate.path.value, "/s.pem");
    assert!(matches!(context.credentials[0].certificate.content, Lookup::Found(_)));
    assert!(
        matches!(&context.client_auth.trust[..], [Trust::File { file, .. }] if file.path.value == "/ca.pem")
    );

    let misnamed = bootstrap.replace("name: server", "name: servers");
    let program = envoy_with(&[("/etc/envoy/envoy.yaml", &misnamed), files[1]], &Assume::default(), &[]);
    assert_eq!(logs(&program), Vec::<&str>::new(), "Envoy starts");
    let context = &program.listeners[0].tls.as_ref().expect("TLS").contexts[0];
    assert_eq!(
        context.refusals.first().and_then(|refusal| refusal.log.as_deref()),
        Some("Unexpected SDS secret (expecting servers): server")
    );
}

#[test]
fn inline_and_environment_sources_hold_their_bytes() {
    let bootstrap = downstream(
        "tls_certificates: [{certificate_chain: {inline_bytes: 'UEVN'}, private_key: {environment_variable: KEY}}]",
        "",
    );
    let program = envoy_with(&[("/etc/envoy/envoy.yaml", &bootstrap)], &Assume::default(), &[("KEY", "key")]);
    let credential = &program.listeners[0].tls.as_ref().expect("TLS").contexts[0].credentials[0];
    let bytes = |file: &FileRef| match &file.content {
        Lookup::Found(Content::Bytes(text)) => text.bytes().to_vec(),
        other => panic!("{other:?}"),
    };
    assert_eq!(bytes(&credential.certificate), b"PEM");
    assert_eq!(credential.key.as_ref().map(bytes), Some(b"key".to_vec()));
}

#[test]
fn the_least_version_of_servers_rose_with_1_22() {
    let bootstrap = downstream(&format!("tls_certificates: [{CERTIFICATE}]"), "");
    for (envoy, least) in
        [("1.21.0", Protocol::Tls10), ("1.22.0", Protocol::Tls12), ("1.40.0", Protocol::Tls12)]
    {
        let assume = Assume { envoy: Version::parse(envoy), ..Assume::default() };
        let program = envoy_with(&[("/etc/envoy/envoy.yaml", &bootstrap)], &assume, &[]);
        let protocols = &program.listeners[0].tls.as_ref().expect("TLS").contexts[0].protocols;
        assert_eq!(protocols.value().versions.first(), Some(&least), "{envoy}");
    }
}

#[test]
fn a_client_offers_tls_1_2_unless_told_otherwise() {
    for (params, versions) in [
        ("", vec![Protocol::Tls12]),
        ("tls_params: {tls_maximum_protocol_version: TLSv1_3}", vec![Protocol::Tls12, Protocol::Tls13]),
        // it loads, and offers nothing: NO_SUPPORTED_VERSIONS_ENABLED
        ("tls_params: {tls_minimum_protocol_version: TLSv1_3}", vec![]),
    ] {
        let program = envoy(&upstream(&format!(", common_tls_context: {{{params}}}"), "", ""));
        let tls = program.dialers[0].tls.as_ref().expect("TLS");
        assert_eq!(tls.protocols.value().versions, versions, "{params}");
    }
}

#[test]
fn the_name_sent_and_the_name_compared_follow_from_cluster_and_route() {
    const CA: &str = "common_tls_context: {validation_context: {trusted_ca: {filename: /ca.pem}}}";
    const OPTIONS: &str = "    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        '@type': type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http_protocol_options: {}}
        upstream_http_protocol_options: {auto_sni: true, auto_san_validation: true}
";
    // context, cluster, route → SNI, compared, taken from the request
    for (context, cluster, route, sni, compared, from_request) in [
        ("", "", "", None, None, false),
        (", sni: a.test", "", "", Some("a.test"), None, false),
        (", sni: a.test, auto_sni_san_validation: true", "", "", Some("a.test"), Some("a.test"), false),
        (
            ", auto_host_sni: true, auto_sni_san_validation: true",
            "",
            "",
            Some("srv.test"),
            Some("srv.test"),
            false,
        ),
        (", sni: a.test", OPTIONS, "", Some(""), Some(""), true),
        ("", OPTIONS, ", host_rewrite_literal: 'b.test:443'", Some("b.test"), Some("b.test"), false),
        ("", OPTIONS, ", auto_host_rewrite: true", Some("srv.test"), Some("srv.test"), false),
    ] {
        let program = envoy(&upstream(&format!(", {CA}{context}"), cluster, route));
        assert_eq!(logs(&program), Vec::<&str>::new(), "{context}");
        let tls = program.dialers[0].tls.as_ref().expect("TLS");
        assert_eq!(tls.server_name.as_deref(), sni, "{context} {route}");
        assert_eq!(tls.reference.as_ref().map(|name| name.value.as_str()), compared, "{context} {route}");
        assert_eq!(tls.names_from_request, from_request, "{context} {route}");
    }
}

/// Observed with Envoy 1.40.0: 503 for every certificate.
#[test]
fn comparing_the_host_without_anchors_verifies_and_never_succeeds() {
    const OPTIONS: &str = "    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        '@type': type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http_protocol_options: {}}
        upstream_http_protocol_options: {auto_sni: true, auto_san_validation: true}
";
    let program = envoy(&upstream("", OPTIONS, ""));
    let tls = program.dialers[0].tls.as_ref().expect("TLS");
    assert!(*tls.verify.value());
    assert!(matches!(tls.trust[..], [Trust::System(_)]));
}

#[test]
fn a_client_verifies_only_with_anchors_or_pins() {
    for (validation, verifies) in [
        ("", false),
        (", common_tls_context: {validation_context: {}}", false),
        (", common_tls_context: {validation_context: {system_root_certs: {}}}", false),
        (", common_tls_context: {validation_context: {trusted_ca: {filename: /ca.pem}}}", true),
        (
            ", common_tls_context: {validation_context: {trusted_ca: {filename: /ca.pem}, trust_chain_verification: ACCEPT_UNTRUSTED}}",
            false,
        ),
    ] {
        let program = envoy(&upstream(validation, "", ""));
        let tls = program.dialers[0].tls.as_ref().expect("TLS");
        assert_eq!(*tls.verify.value(), verifies, "{validation}");
        assert!(tls.checks.depth.is_none());
    }
}

#[test]
fn name_matchers_are_demands_on_the_certificate() {
    let context = ", common_tls_context: {validation_context: {trusted_ca: {filename: /ca.pem}, match_typed_subject_alt_names: [{san_type: URI, matcher: {prefix: 'spiffe://a/'}}]}}";
    let program = envoy(&upstream(context, "", ""));
    let tls = program.dialers[0].tls.as_ref().expect("TLS");
    let expected = NameCheck::San {
        kind: "URI".to_owned(),
        matcher: crate::deployment::StringMatcher::Prefix("spiffe://a/".to_owned()),
    };
    assert_eq!(tls.checks.names.iter().map(|name| &name.value).collect::<Vec<_>>(), [&expected]);
    assert!(tls.reference.is_none());
}

#[test]
fn filter_chains_become_contexts_and_plaintext_stands_beside_them() {
    let chain = |names: &str| {
        format!(
            "    - filter_chain_match: {{{names}}}\n      transport_socket: {{name: tls, typed_config: {{{DOWN}, common_tls_context: {{tls_certificates: [{CERTIFICATE}]}}}}}}\n"
        )
    };
    let bootstrap = format!(
        "static_resources:\n  listeners:\n  - name: l\n    address: {{socket_address: {{address: 127.0.0.1, port_value: 443}}}}\n    listener_filters: [{{name: tls, typed_config: {{'@type': type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector}}}}]\n    filter_chains:\n{}{}    - filter_chain_match: {{transport_protocol: raw_buffer}}\n",
        chain("server_names: [a.test]"),
        chain("server_names: ['*.b.test']"),
    );
    let program = envoy(&bootstrap);
    assert_eq!(logs(&program), Vec::<&str>::new());
    let tls = program.listeners[0].tls.as_ref().expect("TLS");
    assert_eq!(tls.selection, Selection::Envoy { default: None, plaintext: true, passages: Vec::new() });
    let names: Vec<Vec<&str>> = tls
        .contexts
        .iter()
        .map(|context| context.names.iter().map(|name| name.value.as_str()).collect())
        .collect();
    assert_eq!(names, [["a.test"], ["*.b.test"]]);

    // seen with 1.40.0: connection reset by peer
    let blind = bootstrap.replace("tls_inspector.v3.TlsInspector", "original_dst.v3.OriginalDst");
    let program = envoy(&blind);
    assert_eq!(program.listeners[0].tls.as_ref().expect("TLS").contexts.len(), 0);
    let assume = Assume { envoy: Version::parse("1.17.0"), ..Assume::default() };
    let program = envoy_with(&[("/etc/envoy/envoy.yaml", &blind)], &assume, &[]);
    assert_eq!(program.listeners[0].tls.as_ref().expect("TLS").contexts.len(), 2);
}

#[test]
fn tls_that_is_passed_on_is_not_called_plaintext() {
    let bootstrap = "static_resources:
  listeners:
  - name: l
    address: {socket_address: {address: 127.0.0.1, port_value: 443}}
    filter_chains:
    - filters:
      - name: tcp
        typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: t, cluster: c}
";
    let listener = &envoy(bootstrap).listeners[0];
    assert!(listener.tls.is_none());
    assert_eq!(listener.unseen.len(), 1, "{:?}", listener.unseen);
}

#[test]
fn the_most_specific_domain_and_then_the_first_route_wins() {
    let bootstrap = upstream("", "", "").replace(
        "virtual_hosts: [{name: v, domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: up}}]}]",
        "virtual_hosts: [{name: v, domains: [a.test, '*.test'], routes: [{match: {path: /health}, direct_response: {status: 200}}, {match: {path_separated_prefix: /api}, route: {cluster: up}}]}]",
    );
    let program = envoy(&bootstrap);
    assert_eq!(logs(&program), Vec::<&str>::new());
    let routes = &program.dialers[0].routes;
    let exact = routes.iter().find(|route| route.hosts == ["a.test"]).expect("a.test");
    let wildcard = routes.iter().find(|route| route.hosts == ["*.test"]).expect("*.test");
    assert!(exact.priority > wildcard.priority);
    assert_eq!(exact.paths, [PathPattern::Exact("/api".to_owned()), PathPattern::Prefix("/api/".to_owned())]);
    let answer = |path: &PathPattern| {
        let found =
            program.answers.iter().find(|route| route.hosts == ["a.test"] && route.paths.contains(path));
        found.expect("an answer").priority
    };
    // /health is answered before /api is looked at; what nothing matches is answered (404) last
    assert!(answer(&PathPattern::Exact("/health".to_owned())) > exact.priority);
    let not_found = answer(&PathPattern::Prefix("/".to_owned()));
    assert!(not_found < exact.priority && not_found > wildcard.priority);
}

#[test]
fn listeners_and_clusters_of_discovery_files_are_read_and_their_mistakes_stay_theirs() {
    const LISTENERS: &str = "resources:
- '@type': type.googleapis.com/envoy.config.listener.v3.Listener
  name: found
  address: {socket_address: {address: 127.0.0.1, port_value: 9000}}
  filter_chains:
  - transport_socket: {name: tls, typed_config: {'@type': type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext}}
";
    let bootstrap = "node: {id: edge, cluster: c}\ndynamic_resources: {lds_config: {path_config_source: {path: /lds.yaml}}}\n";
    let files = [("/etc/envoy/envoy.yaml", bootstrap), ("/lds.yaml", LISTENERS)];
    let program = envoy_with(&files, &Assume::default(), &[]);
    assert_eq!(logs(&program), Vec::<&str>::new());
    let listener = &program.listeners[0];
    assert_eq!(listener.binds[0].port, 9000);
    assert_eq!(listener.refusals[0].log.as_deref(), Some("No TLS certificates found for server context"));
}

#[test]
fn a_later_release_may_know_what_ours_does_not() {
    let assume = Assume { envoy: Version::parse("1.44.0"), ..Assume::default() };
    let program = envoy_with(
        &[("/etc/envoy/envoy.yaml", "static_resources: {listeners: [], new_field: 1}")],
        &assume,
        &[],
    );
    assert!(program.refusals.is_empty());
    assert_eq!(program.unseen.len(), 1, "{:?}", program.unseen);
}

#[test]
fn the_version_comes_from_the_image() {
    let here = Span { file: FileId(0), start: 0, end: 0 };
    for (image, version) in [
        ("envoyproxy/envoy:v1.31.2", Version(1, 31, 2)),
        ("envoyproxy/envoy:distroless-v1.30-latest", Version(1, 30, 0)),
        ("docker.io/envoyproxy/envoy-alpine:v1.18.3", Version(1, 18, 3)),
        ("registry:5000/envoyproxy/envoy", Version(1, 40, 0)),
        ("istio/proxyv2:1.20.0", Version(1, 40, 0)),
    ] {
        let versions = Assume::default().envoy(Some(&Located::new(image.to_owned(), here)));
        assert_eq!(versions.program, version, "{image}");
    }
}

/// Observed with Envoy 1.40.0: a client without the protocol is reset, also where the chain stands alone.
#[test]
fn a_chain_for_an_application_protocol_serves_nobody_for_sure() {
    let bootstrap = downstream(&format!("tls_certificates: [{CERTIFICATE}]"), "").replace(
        "- transport_socket:",
        "- filter_chain_match: {application_protocols: [h2]}\n      transport_socket:",
    );
    let program = envoy(&bootstrap.replace(
        "    filter_chains:",
        "    listener_filters: [{name: i, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector}}]\n    filter_chains:",
    ));
    assert_eq!(program.listeners[0].unseen.len(), 1, "{:?}", program.listeners[0].unseen);
}

#[test]
fn a_management_server_leaves_unknown_what_it_gives_and_nothing_else() {
    let remote =
        "sds_config: {api_config_source: {api_type: REST, transport_api_version: V3, cluster_names: [up]}}";
    let certificates = format!("tls_certificates: [{CERTIFICATE}]");
    let fetched = downstream(
        &format!("{certificates}, validation_context_sds_secret_config: {{name: x, {remote}}}"),
        "",
    );
    let program = envoy(&fetched);
    assert_eq!(
        program.listeners[0].unseen,
        ["a management server gives the secret x, which says whether clients need a certificate"]
    );
    let listeners = upstream("", "", "").replace(
        "static_resources:",
        "dynamic_resources: {lds_config: {api_config_source: {api_type: REST, transport_api_version: V3, cluster_names: [up]}}}\nstatic_resources:",
    );
    let program = envoy(&listeners);
    assert_eq!(program.unseen, Vec::<String>::new());
    assert!(program.hidden_listeners.is_some());
}

#[test]
fn a_chain_that_hands_tls_on_leaves_the_other_names_known() {
    const TCP: &str = "'@type': type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
    let bootstrap = downstream(&format!("tls_certificates: [{CERTIFICATE}]"), "")
        .replace(
            "    filter_chains:",
            "    listener_filters: [{name: i, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector}}]\n    filter_chains:",
        )
        .replace("- transport_socket:", "- filter_chain_match: {server_names: [a.test]}\n      transport_socket:")
        + &format!(
            "    - filter_chain_match: {{server_names: ['*.b.test']}}\n      filters: [{{name: t, typed_config: {{{TCP}, stat_prefix: t, cluster: up}}}}]\n"
        );
    let program = envoy(&bootstrap);
    assert_eq!(program.listeners[0].unseen, Vec::<String>::new());
    let tls = program.listeners[0].tls.as_ref().expect("TLS");
    assert_eq!(tls.select(Some("a.test")), Selected::Context(0));
    assert!(matches!(tls.select(Some("x.b.test")), Selected::Undetermined(_)));
    assert_eq!(tls.select(Some("c.test")), Selected::Nobody(Nobody::NoMatch));
}

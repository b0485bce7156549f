use std::sync::Arc;

use super::check::ProblemKind;
use super::*;
use crate::source::{FileId, Text};
use crate::syntax::yaml;

fn with<T>(source: &str, ask: impl Fn(Node<'_>) -> T) -> T {
    let parsed = yaml::parse(&Text::whole(FileId(0), Arc::new(source.as_bytes().to_vec())));
    assert!(parsed.problems.is_empty(), "{:?}", parsed.problems);
    ask(parsed.documents.first().expect("a document").root())
}

fn problems(source: &str) -> Vec<Problem> {
    with(source, |root| read(root).problems)
}

#[test]
fn a_bootstrap_is_recognised_by_what_only_a_bootstrap_has() {
    for (source, expected) in [
        ("static_resources: {listeners: []}", true),
        ("{\"staticResources\": {\"clusters\": []}}", true),
        ("dynamic_resources: {ads_config: {api_type: GRPC}}", true),
        ("admin: {address: {}}", false),
        ("apiVersion: v1\nkind: Pod", false),
        ("- static_resources", false),
        ("static_resources:", false),
    ] {
        assert_eq!(with(source, recognises), expected, "{source}");
    }
}

/// Each was given to `envoy --mode validate` 1.40.0, which said what stands here (without JSON offsets).
#[test]
fn what_envoy_refuses_to_parse_is_refused_in_its_words() {
    use ProblemKind::{Constraint, Malformed, Unknown};
    for (source, kind, log) in [
        (
            "static_resources: {listeners: [{name: true}]}",
            Malformed,
            "static_resources.listeners[0].name: string",
        ),
        (
            "static_resources: {listeners: [{name: 12}]}",
            Malformed,
            "static_resources.listeners[0].name: string",
        ),
        (
            "static_resources: {clusters: [{name: a, connect_timeout: 2}]}",
            Malformed,
            "message google.protobuf.Duration",
        ),
        (
            "static_resources: {clusters: [{name: a, connect_timeout: 20ms}]}",
            Malformed,
            "duration must end with a single 's'",
        ),
        (
            "static_resources: {clusters: [{name: a, per_connection_buffer_limit_bytes: -1}]}",
            Malformed,
            "JSON number out of range for int",
        ),
        (
            "static_resources: [a]",
            Malformed,
            "@ static_resources: message envoy.config.bootstrap.v3.Bootstrap.StaticResources: unexpected character",
        ),
        (
            "static_resources: {clusters: [{name: a, type: BAD}]}",
            Unknown,
            "reason INVALID_ARGUMENT: unknown enum value: 'BAD') has unknown fields",
        ),
        (
            "static_resources: {clusters: [{name: a, type: 99}]}",
            Constraint,
            "ClusterValidationError.Type: value must be one of the defined enum values",
        ),
        (
            "static_resources: {clusters: [{connect_timeout: 1s}]}",
            Constraint,
            "caused by ClusterValidationError.Name: value length must be at least 1 characters)",
        ),
        ("static_resources: {clusters: [null]}", Constraint, "ClusterValidationError.Name: value length"),
        (
            "static_resources: {clusters: [{name: a, tls_context: {sni: a}}]}",
            Unknown,
            "@ static_resources.clusters[0]: message envoy.config.cluster.v3.Cluster: no such field: 'tls_context') has unknown fields",
        ),
        (
            "static_resources: {listeners: [{adress: {}}]}",
            Unknown,
            "message envoy.config.listener.v3.Listener: no such field: 'adress'",
        ),
        (
            "staticresources: {}",
            Unknown,
            "invalid JSON in envoy.config.bootstrap.v3.Bootstrap: no such field: 'staticresources'",
        ),
        (
            "static_resources: {clusters: [{name: a, type: STATIC, cluster_type: {name: x}}]}",
            Malformed,
            "'cluster_type' has already been set (either directly or as part of a oneof)",
        ),
        (
            "static_resources: {clusters: [{name: a, transport_socket: {name: x, typed_config: {sni: a}}}]}",
            Malformed,
            "in legacy mode, missing @type in Any is only allowed for an empty object",
        ),
        (
            "static_resources: {clusters: [{name: a, transport_socket: {name: x, typed_config: {'@type': a.b.C}}}]}",
            Malformed,
            "@type must contain at least one / and a nonempty host; got: a.b.C",
        ),
        (
            "static_resources: {clusters: [{name: a, transport_socket: {name: x, typed_config: {'@type': type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, sin: a}}}]}",
            Unknown,
            "typed_config.<any>: message envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext: no such field: 'sin'",
        ),
        (
            "static_resources: {clusters: [{name: a, transport_socket: {name: x, typed_config: {'@type': t/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, common_tls_context: {tls_certificate_sds_secret_configs: [{}]}}}}]}",
            Constraint,
            "(UpstreamTlsContextValidationError.CommonTlsContext: embedded message failed validation | caused by CommonTlsContextValidationError.TlsCertificateSdsSecretConfigs[0]: embedded message failed validation | caused by SdsSecretConfigValidationError.Name: value length must be at least 1 characters)",
        ),
        ("abc", Malformed, "Unable to convert YAML as JSON: abc"),
    ] {
        let found = problems(source);
        let first = found.first().unwrap_or_else(|| panic!("{source} is accepted"));
        assert_eq!(first.kind, kind, "{source}: {first:?}");
        assert!(first.log.contains(log), "{source}:\n{}\n{log}", first.log);
    }
}

/// Each passed `envoy --mode validate` 1.40.0.
#[test]
fn what_envoys_parser_lets_pass_passes() {
    for source in [
        "enable_dispatcher_stats: \"true\"",
        "enable_dispatcher_stats: yes",
        "node: {id: yEs}",
        "node: {id: 1_000}",
        "node: {id: 1.5}",
        "node: {id: 99999999999}",
        "static_resources: {clusters: [{name: a, per_connection_buffer_limit_bytes: \"12\"}]}",
        "static_resources: {clusters: [{name: a, connect_timeout: 0.25s}]}",
        "static_resources: {clusters: [{name: a, type: static}]}",
        "static_resources: {clusters: [{name: a, type: 1}]}",
        "static_resources: {clusters: {name: a}}",
        "static_resources: {clusters: [[{name: a}], {name: b}]}",
        "static_resources: {clusters: [{name: a, typed_extension_protocol_options: {x: {'@type': t/google.protobuf.Struct, value: {a: 1}}}}]}",
        "static_resources: {clusters: }",
        "staticResources: {clusters: [{name: a, connectTimeout: 1s}]}",
        "static_resources: {clusters: [{name: a, transport_socket: {name: x, typed_config: {'@type': foo.bar/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, sni: a}}}]}",
    ] {
        assert_eq!(problems(source), Vec::new(), "{source}");
    }
}

#[test]
fn a_misspelled_field_is_told_the_right_one() {
    for (source, help) in [
        ("static_resource: {}", "write static_resources"),
        ("static_resources: {listener: []}", "write listeners"),
        (
            "static_resources: {clusters: [{name: a, hosts: []}]}",
            "write load_assignment with endpoints and lb_endpoints",
        ),
        ("static_resources: {clusters: [{name: a, type: STRICTDNS}]}", "write STRICT_DNS"),
    ] {
        let found = problems(source);
        assert_eq!(found.first().and_then(|problem| problem.help.as_deref()), Some(help), "{source}");
    }
}

#[test]
fn a_value_that_may_be_a_key_is_not_repeated() {
    let secret =
        "static_resources: {secrets: [{name: a, tls_certificate: {private_key: {inline_string: 123456}}}]}";
    for problem in problems(secret) {
        assert!(!problem.log.contains("123456"), "{problem:?}");
    }
    let config = with(
        "static_resources: {secrets: [{name: a, tls_certificate: {private_key: {inline_string: S3CRET}}}]}",
        read,
    );
    assert!(!format!("{config:?}").contains("S3CRET"));
}

#[test]
fn both_spellings_of_a_field_are_read() {
    for source in [
        "static_resources: {listeners: [{name: l, filter_chains: [{filter_chain_match: {server_names: [a.test]}}]}]}",
        "{\"staticResources\":{\"listeners\":[{\"name\":\"l\",\"filterChains\":[{\"filterChainMatch\":{\"serverNames\":[\"a.test\"]}}]}]}}",
    ] {
        let config = with(source, read);
        let names: Vec<String> = config
            .listeners
            .iter()
            .flat_map(EnvoyListener::chains)
            .flat_map(|chain| &chain.matches.server_names)
            .map(|name| name.value.clone())
            .collect();
        assert_eq!(names, ["a.test"], "{source}");
    }
}

#[test]
fn a_fetched_context_is_merged_over_the_default() {
    const SOURCE: &str = "
static_resources:
  secrets:
  - name: default
    validation_context:
      trusted_ca: {filename: /default.pem}
      max_verify_depth: 2
      allow_expired_certificate: true
      verify_certificate_hash: [one]
  - name: fetched
    validation_context:
      trusted_ca: {filename: /fetched.pem}
      allow_expired_certificate: false
      verify_certificate_hash: [two]
";
    let config = with(SOURCE, read);
    let context = |index: usize| match &config.secrets[index].kind {
        SecretKind::Validation(context) => (**context).clone(),
        other => panic!("{other:?}"),
    };
    let merged = context(0).merged(&context(1));
    let Some(DataSource { kind: DataSourceKind::File(path), .. }) = &merged.trusted_ca else { panic!() };
    assert_eq!(path.value, "/fetched.pem");
    assert_eq!(merged.max_verify_depth.as_ref().map(|depth| depth.value), Some(2));
    // proto3 cannot tell a written false from nothing
    assert!(merged.allow_expired.as_ref().is_some_and(|flag| flag.value));
    assert_eq!(merged.hashes.len(), 2);
}

#[test]
fn what_a_running_envoy_lists_is_told_from_a_bootstrap() {
    for (text, dump) in [
        ("configs: [{'@type': type.googleapis.com/envoy.admin.v3.BootstrapConfigDump}]", true),
        ("- '@type': type.googleapis.com/envoy.config.listener.v3.Listener\n  name: l\n", true),
        ("static_resources: {listeners: []}", false),
        ("configs: [{name: x}]", false),
    ] {
        assert_eq!(with(text, is_dump), dump, "{text}");
    }
}

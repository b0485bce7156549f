use crate::assume::Assume;
use crate::source::Sources;
use crate::{Options, lint};

const CERT: &str = "$secret://vault/1/cert";

/// The rules that fire on an APISIX with this configuration and these standalone objects.
fn fired(config: &str, objects: &str) -> Vec<&'static str> {
    let mut sources = Sources::default();
    sources.add("conf/config.yaml", config);
    if !objects.is_empty() {
        sources.add("conf/apisix.yaml", format!("{objects}\n#END\n"));
    }
    let options = Options {
        at: 1_795_392_000,
        assume: Assume::parse(&["apisix=3.18.0"]).unwrap(),
        expires_within: 0,
        command: None,
    };
    let mut rules: Vec<&str> = lint(&sources, &options).findings.iter().map(|finding| finding.rule).collect();
    rules.dedup();
    rules
}

const STANDALONE: &str = "deployment: {role: data_plane, role_data_plane: {config_provider: yaml}}\n";

#[test]
fn rules_about_apisix_fire_on_their_mistake_and_are_silent_beside_it() {
    let ssl = |rest: &str| format!("ssls: [{{id: 1, cert: {CERT}, key: {CERT}, {rest}}}]");
    let mtls = |rest: &str| ssl(&format!("sni: a.test, client: {{ca: {CERT}{rest}}}"));
    let two = |second: &str| {
        format!(
            "ssls: [{{id: 1, sni: a.test, cert: {CERT}, key: {CERT}}}, {{id: 2, sni: A.test, cert: {CERT}, key: {CERT}{second}}}]"
        )
    };
    let route = "\nroutes: [{id: 1, uri: /*, upstream: {nodes: {'u:80': 1}}}]";
    let id = |kind: &str| {
        format!(
            "ssls: [{{id: 9, cert: {CERT}, key: {CERT}, {kind}}}]\nroutes: [{{id: 1, uri: /, upstream: {{scheme: https, nodes: {{u: 1}}, tls: {{client_cert_id: 9}}}}}}]"
        )
    };
    let admin = |https: &str| {
        format!(
            "deployment: {{admin: {{{https} admin_key: [{{key: own}}], admin_api_mtls: {{admin_ssl_cert: c, admin_ssl_cert_key: k, admin_ssl_ca_cert: a}}}}}}"
        )
    };
    let port = |listen: &str| format!("{STANDALONE}apisix: {{node_listen: {listen}}}");
    for (rule, config, objects, fires) in [
        ("refused-object", STANDALONE.to_owned(), ssl("sni: 's*.test'"), true),
        ("refused-object", STANDALONE.to_owned(), ssl("sni: '*.test'"), false),
        ("plaintext-admin-api", admin(""), String::new(), true),
        ("plaintext-admin-api", admin("https_admin: true,"), String::new(), false),
        ("open-skipped-path", STANDALONE.to_owned(), mtls(", skip_mtls_uri_regex: [/open]"), true),
        ("open-skipped-path", STANDALONE.to_owned(), mtls(", skip_mtls_uri_regex: ['^/.*']"), true),
        ("open-skipped-path", STANDALONE.to_owned(), mtls(", skip_mtls_uri_regex: [^/open$]"), false),
        ("duplicate-server-name", STANDALONE.to_owned(), two(&format!(", client: {{ca: {CERT}}}")), true),
        ("duplicate-server-name", STANDALONE.to_owned(), two(""), false),
        ("plaintext-beside-client-authentication", port("9080"), mtls("") + route, true),
        (
            "plaintext-beside-client-authentication",
            port("[{ip: 127.0.0.1, port: 9080}]"),
            mtls("") + route,
            false,
        ),
        ("plaintext-beside-client-authentication", port("9080"), ssl("sni: a.test") + route, false),
        ("unknown-client-certificate-id", STANDALONE.to_owned(), id("sni: a.test"), true),
        ("unknown-client-certificate-id", STANDALONE.to_owned(), id("type: client"), false),
        (
            "ineffective-setting",
            "deployment: {etcd: {host: ['http://e:1'], tls: {ca: x}}}".to_owned(),
            String::new(),
            true,
        ),
        (
            "ineffective-setting",
            "{deployment: {etcd: {host: ['http://e:1']}}, apisix: {ssl: {ssl_trusted_certificate: x}}}"
                .to_owned(),
            String::new(),
            false,
        ),
    ] {
        let found = fired(&config, &objects);
        assert_eq!(found.contains(&rule), fires, "{rule}: {config} {objects}: {found:?}");
    }
}

use super::*;
use crate::deployment::{Lookup, Protocol};
use crate::source::Sources;
use crate::syntax::yaml;

fn read_at(text: &str, version: Version) -> Config {
    let environment = |name: &str| match name {
        "ETCD" => Some(Lookup::Found("https://etcd:2379".to_owned())),
        "KEY" => Some(Lookup::Unseen("Secret edge/keys is not among the sources".to_owned())),
        _ => None,
    };
    let mut sources = Sources::default();
    let id = sources.add("config.yaml", text);
    let parsed = yaml::parse(&sources.text(id).unwrap());
    read(parsed.documents.first().unwrap().root(), version, &environment)
}

fn latest(text: &str) -> Config {
    read_at(text, Version(3, 18, 0))
}

fn logs(config: &Config) -> Vec<&str> {
    config.refusals.iter().filter_map(|refusal| refusal.log.as_deref()).collect()
}

#[test]
fn what_is_not_written_has_its_version_s_default() {
    let config = latest("deployment: {role: traditional}");
    assert_eq!(*config.provider.value(), Provider::Etcd);
    assert_eq!(config.plain.iter().map(|listen| *listen.port.value()).collect::<Vec<_>>(), [9080]);
    assert_eq!(config.ssl.listen.iter().map(|listen| *listen.port.value()).collect::<Vec<_>>(), [9443]);
    assert_eq!(*config.ssl.trusted.value(), Some(Trusted::System));
    assert_eq!(config.ssl.protocols.value().versions, [Protocol::Tls12, Protocol::Tls13]);
    assert_eq!(config.etcd.hosts.value().first().unwrap().value, "http://127.0.0.1:2379");
    assert_eq!(*config.router.value(), Router::HostUri);
    let admin = config.admin.unwrap();
    assert_eq!(*admin.listen.unwrap().port.value(), 9180);
    assert_eq!(admin.allow.value(), &["127.0.0.0/24"]);
    assert!(admin.keys.is_empty() && admin.random_key.is_some());
    assert!(config.refusals.is_empty(), "{:?}", config.refusals);

    let older = read_at("deployment: {role: traditional}", Version(3, 2, 0));
    assert_eq!(*older.ssl.trusted.value(), None);
    assert_eq!(*older.router.value(), Router::Uri);
    assert!(older.admin.unwrap().keys.iter().all(|key| key.published));
}

#[test]
fn ports_are_written_in_many_forms() {
    for (text, plain, tls) in [
        ("apisix: {node_listen: 9081}", vec![9081], vec![9443]),
        ("apisix: {node_listen: [9080, 9081]}", vec![9080, 9081], vec![9443]),
        ("apisix: {node_listen: [{port: 81, ip: 127.0.0.1}, {ip: 127.0.0.2}]}", vec![81, 9080], vec![9443]),
        ("apisix: {ssl: {listen: [{port: 443}, {port: 8443}]}}", vec![9080], vec![443, 8443]),
        ("apisix: {ssl: {listen_port: 443}}", vec![9080], vec![443]),
    ] {
        let config = latest(text);
        let ports =
            |listens: &[Listen]| listens.iter().map(|listen| *listen.port.value()).collect::<Vec<_>>();
        assert_eq!(ports(&config.plain), plain, "{text}");
        assert_eq!(ports(&config.ssl.listen), tls, "{text}");
    }
}

#[test]
fn the_role_decides_about_the_admin_api() {
    for (text, admin) in [
        ("deployment: {role: data_plane, role_data_plane: {config_provider: yaml}}", false),
        ("deployment: {role: control_plane}", true),
        ("{deployment: {role: traditional}, apisix: {enable_admin: false}}", false),
        ("{deployment: {role: control_plane}, apisix: {enable_admin: false}}", true),
    ] {
        assert_eq!(latest(text).admin.is_some(), admin, "{text}");
    }
}

#[test]
fn https_and_client_authentication_of_the_admin_api_act_in_either_place() {
    let mtls = "{admin_ssl_cert: c, admin_ssl_cert_key: k, admin_ssl_ca_cert: a}";
    let missing = "missing ssl cert for https admin";
    for (text, https, ca, log) in [
        (format!("deployment: {{admin: {{https_admin: true, admin_api_mtls: {mtls}}}}}"), true, true, None),
        (format!("apisix: {{https_admin: true, admin_api_mtls: {mtls}}}"), true, true, None),
        (
            format!("{{apisix: {{https_admin: true}}, deployment: {{admin: {{admin_api_mtls: {mtls}}}}}}}"),
            true,
            true,
            None,
        ),
        (
            format!("{{apisix: {{admin_api_mtls: {mtls}}}, deployment: {{admin: {{https_admin: true}}}}}}"),
            true,
            true,
            Some(missing),
        ),
        (format!("deployment: {{admin: {{admin_api_mtls: {mtls}}}}}"), false, true, None),
        ("deployment: {admin: {https_admin: true}}".to_owned(), true, false, Some(missing)),
        (
            "deployment: {admin: {https_admin: true, admin_api_mtls: {cert: c, key: k, ca: a}}}".to_owned(),
            true,
            false,
            Some(missing),
        ),
        (
            "deployment: {admin: {https_admin: true, admin_api_mtls: {admin_ssl_cert: c, admin_ssl_cert_key: k, admin_ssl_ca_cert: ''}}}".to_owned(),
            true,
            false,
            None,
        ),
    ] {
        let config = latest(&text);
        let admin = config.admin.as_ref().unwrap();
        assert_eq!(*admin.https.value(), https, "{text}");
        let has_ca = admin.mtls.as_ref().is_some_and(|mtls| mtls.client_ca.is_some());
        assert_eq!(has_ca, ca, "{text}");
        assert_eq!(logs(&config).first().copied(), log, "{text}");
    }
}

#[test]
fn what_apisix_refuses_is_told_in_its_own_words() {
    const READ: &str = "failed to read local yaml config of apisix: ";
    for (text, log) in [
        (
            "deployment: {etcd: {host: ['https://e:2379'], tls: {verify: 'false'}}}",
            format!("{READ}failed to merge, path[deployment->etcd->tls->verify] expect: boolean, but got: string"),
        ),
        (
            "deployment: {etcd: {host: 'https://e:2379'}}",
            format!("{READ}failed to merge, path[deployment->etcd->host] expect: table, but got: string"),
        ),
        (
            "deployment: {etcd: {host: ['srv.example.test:2379']}}",
            format!(
                "{READ}invalid deployment traditional configuration: property \"etcd\" validation failed: property \"host\" validation failed: failed to validate item 1: failed to match pattern \"^https?://\" with \"srv.example.test:2379\""
            ),
        ),
        (
            "apisix: {ssl: {ssl_protocols: TLSv1.4}}",
            "nginx: [emerg] invalid value \"TLSv1.4\" in /usr/local/apisix/conf/nginx.conf".to_owned(),
        ),
        (
            "nginx_config: {http_server_configuration_snippet: 'proxy_ssl_name x;'}",
            "nginx: [emerg] \"proxy_ssl_name\" directive is duplicate in /usr/local/apisix/conf/nginx.conf".to_owned(),
        ),
        (
            "{nginx_config: {http_admin_configuration_snippet: 'ssl_verify_client optional;'}, deployment: {admin: {https_admin: true, admin_api_mtls: {admin_ssl_cert: c, admin_ssl_cert_key: k, admin_ssl_ca_cert: a}}}}",
            "nginx: [emerg] \"ssl_verify_client\" directive is duplicate in /usr/local/apisix/conf/nginx.conf"
                .to_owned(),
        ),
    ] {
        assert_eq!(logs(&latest(text)).first().copied(), Some(log.as_str()), "{text}");
    }
}

#[test]
fn a_snippet_that_sets_something_else_is_no_duplicate() {
    for text in [
        "nginx_config: {http_server_configuration_snippet: 'proxy_ssl_verify on;'}",
        "nginx_config: {http_configuration_snippet: 'proxy_ssl_name x;'}",
        "nginx_config: {http_admin_configuration_snippet: 'ssl_verify_depth 3;'}",
        "{nginx_config: {http: {proxy_ssl_server_name: false}, http_server_configuration_snippet: 'proxy_ssl_name x;'}}",
        "{apisix: {node_listen: 9080}, nginx_config: {user: root}}",
    ] {
        assert!(latest(text).refusals.is_empty(), "{text}: {:?}", latest(text).refusals);
    }
}

#[test]
fn variables_come_from_the_environment_and_what_was_not_seen_concerns_its_part_only() {
    let config = latest(
        "deployment: {etcd: {host: ['${{ETCD}}', '${{OTHER:=http://e2:2379}}']}, admin: {admin_key: [{name: admin, key: '${{KEY}}'}]}}",
    );
    let hosts: Vec<&str> = config.etcd.hosts.value().iter().map(|host| host.value.as_str()).collect();
    assert_eq!(hosts, ["https://etcd:2379", "http://e2:2379"]);
    assert_eq!(config.unseen, [(Area::Keys, "Secret edge/keys is not among the sources".to_owned())]);
    assert!(config.refusals.is_empty());
}

#[test]
fn keys_are_kept_as_hashes_and_published_ones_are_known() {
    let key = "edd1c9f034335f136f87ad84b625c8f1";
    let config = latest(&format!(
        "deployment: {{admin: {{admin_key: [{{name: a, key: {key}, role: admin}}, {{key: own}}]}}}}"
    ));
    let admin = config.admin.unwrap();
    assert_eq!(admin.keys.iter().map(|key| key.published).collect::<Vec<_>>(), [true, false]);
    assert!(!format!("{admin:?}").contains(key));
}

#[test]
fn keys_without_effect_are_named() {
    for (text, ignored) in [
        ("{etcd: {host: ['https://e']}, deployment: {role: traditional}}", Ignored::TopLevelEtcd),
        ("apisix: {admin_key: []}", Ignored::AdminUnderApisix),
        ("deployment: {etcd: {tls: {ca: x}}}", Ignored::EtcdCa),
        ("deployment: {etcd: {mtls: {cert: x}}}", Ignored::EtcdMtls),
        ("apisix: {ssl: {ssl_cert: x}}", Ignored::SslCertificate),
    ] {
        let config = latest(text);
        assert!(config.ignored.iter().any(|key| key.value == ignored), "{text}");
    }
}

#[test]
fn a_key_without_effect_is_named_once() {
    let config = read_at("etcd: {host: ['https://e'], mtls: {ca_file: x, cert_file: y}}", Version(2, 15, 0));
    let ignored: Vec<Ignored> = config.ignored.iter().map(|key| key.value).collect();
    assert_eq!(ignored, [Ignored::EtcdMtls, Ignored::EtcdCa]);
    // what lies within an ignored block is ignored with it
    let config = latest("{etcd: {mtls: {ca_file: x}}, deployment: {role: traditional}}");
    let ignored: Vec<Ignored> = config.ignored.iter().map(|key| key.value).collect();
    assert_eq!(ignored, [Ignored::TopLevelEtcd]);
}

#[test]
fn two_x_is_read_in_its_own_shape() {
    let config = read_at(
        "{apisix: {admin_key: [{key: k}], https_admin: true, port_admin: 9180, admin_api_mtls: {admin_ssl_cert: c, admin_ssl_cert_key: k}}, etcd: {host: 'https://e:2379', tls: {cert: c, key: k}}}",
        Version(2, 15, 0),
    );
    assert!(config.refusals.is_empty(), "{:?}", config.refusals);
    assert_eq!(config.etcd.hosts.value().first().unwrap().value, "https://e:2379");
    assert!(config.etcd.tls.is_some());
    let admin = config.admin.unwrap();
    assert!(*admin.https.value());
    assert_eq!(*admin.listen.unwrap().port.value(), 9180);
}

#[test]
fn a_configuration_is_recognised_by_its_keys() {
    for (text, expected) in [
        ("deployment: {role: traditional}", true),
        ("apisix: {ssl: {}}", true),
        ("deployment: {replicas: 2}", false),
        ("{apisix: {ssl: {enabled: true}}, etcd: {enabled: true}, replicaCount: 1}", false),
        ("{apisix: {ssl: {enable: true}}, plugins: [], wasm: {}}", true),
        ("{apiVersion: v1, kind: ConfigMap, apisix: {ssl: {}}}", false),
        ("services: {apisix: {image: x}}", false),
    ] {
        let mut sources = Sources::default();
        let id = sources.add("x.yaml", text);
        let parsed = yaml::parse(&sources.text(id).unwrap());
        assert_eq!(recognises(parsed.documents.first().unwrap().root()), expected, "{text}");
    }
}

#[test]
fn a_null_admin_key_leaves_no_key_and_an_open_admin_api_is_refused_without_one() {
    let open = "deployment: {role: traditional, admin: {admin_key: ~, allow_admin: [0.0.0.0/0]}}";
    for version in [Version(3, 2, 0), Version(3, 18, 0)] {
        let config = read_at(open, version);
        assert_eq!(logs(&config), ["ERROR: missing valid Admin API token."], "{version}");
        let local = read_at("deployment: {role: traditional, admin: {admin_key: ~}}", version);
        assert!(local.refusals.is_empty() && local.admin.unwrap().no_keys.is_some());
    }
    let old = read_at("apisix: {admin_key: ~, allow_admin: [0.0.0.0/0]}", Version(2, 15, 3));
    assert!(old.refusals.is_empty(), "{:?}", old.refusals);
    let admin = old.admin.unwrap();
    assert!(admin.no_keys.is_some() && admin.keys.is_empty() && admin.random_key.is_none());
}

#[test]
fn a_proxy_mode_of_stream_alone_leaves_no_port_for_http() {
    let ports = |text: &str, version| {
        let config = read_at(text, version);
        let http = config.plain.len() + config.ssl.listen.len();
        (http, config.admin.and_then(|admin| admin.listen).is_some(), config.stream.len())
    };
    let stream = "apisix: {proxy_mode: stream, stream_proxy: {tcp: [9100]}}";
    assert_eq!(ports(stream, Version(3, 18, 0)), (0, false, 1));
    let both = "apisix: {proxy_mode: http&stream, stream_proxy: {tcp: [9100]}}";
    assert_eq!(ports(both, Version(3, 18, 0)), (2, true, 1));
    let only = "apisix: {enable_admin: false, stream_proxy: {tcp: [9100]}}";
    assert_eq!(ports(only, Version(2, 15, 3)), (0, false, 1));
    let not_only = "apisix: {enable_admin: false, stream_proxy: {only: false, tcp: [9100]}}";
    assert_eq!(ports(not_only, Version(2, 15, 3)), (2, false, 1));
}

#[test]
fn etcd_behind_nginx_s_proxy_has_one_scheme() {
    let etcd = |hosts: &str, version| {
        let text = format!("deployment: {{role: traditional, etcd: {{host: [{hosts}]}}}}");
        let config = read_at(&text, version);
        logs(&config).first().map(|log| (*log).to_owned())
    };
    let mixed = "'https://a:2379', 'http://b:2379'";
    let log = "all nodes in the etcd cluster should enable/disable TLS together";
    assert_eq!(etcd(mixed, Version(3, 2, 0)).as_deref(), Some(log));
    assert_eq!(etcd(mixed, Version(3, 6, 0)), None);
    assert_eq!(etcd("'https://a:2379', 'https://b:2379'", Version(3, 2, 0)), None);
}

#[test]
fn a_control_plane_provides_nothing_since_3_6() {
    let text = "deployment: {role: data_plane, role_data_plane: {config_provider: control_plane}}";
    assert!(read_at(text, Version(3, 5, 0)).refusals.is_empty());
    assert_eq!(read_at(text, Version(3, 6, 0)).refusals.len(), 1);
    let server = "deployment: {role: control_plane, role_control_plane: {conf_server: {cert: /c.crt}}}";
    assert_eq!(read_at(server, Version(3, 5, 0)).refusals.len(), 1);
}

#[test]
fn config_yaml_is_recognised_by_what_it_holds_or_where_it_stands() {
    let parse = |text: &str| {
        let mut sources = Sources::default();
        let id = sources.add("config.yaml", text);
        let parsed = yaml::parse(&sources.text(id).unwrap());
        let root = parsed.documents.first().unwrap().root();
        (recognises(root), recognises_at("/usr/local/apisix/conf/config.yaml", root))
    };
    assert_eq!(parse("etcd: {host: ['https://etcd:2379']}"), (true, true));
    assert_eq!(parse("apisix: {proxy_mode: stream}\nvault: {}"), (true, true));
    // a Helm chart's values
    assert_eq!(parse("image: {}\netcd: {host: ['http://etcd:2379']}"), (false, true));
    assert_eq!(parse("plugins: [prometheus]"), (false, true));
    assert_eq!(parse("name: x"), (false, false));
}

#[test]
fn how_many_workers_there_are_concerns_no_connection() {
    let config = latest("nginx_config: {worker_processes: '${{nproc}}'}\ndeployment: {role: traditional}");
    assert!(config.unseen.is_empty(), "{:?}", config.unseen);
}

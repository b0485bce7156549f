use super::*;
use crate::deployment::Lookup;
use crate::source::{FileId, Text};
use crate::syntax::yaml;

const V3_4: Version = Version(3, 4, 23);
const V3_5: Version = Version(3, 5, 16);
const FILE: FileId = FileId(0);
const PARENT: Span = Span { file: FILE, start: 0, end: 0 };

fn words(line: &str) -> Vec<Located<String>> {
    let mut start = 0;
    line.split(' ')
        .map(|word| {
            let span = Span { file: FILE, start, end: start + word.len() as u32 };
            start = span.end + 1;
            Located::new(word.to_owned(), span)
        })
        .collect()
}

fn from_flags(
    line: &str,
    variables: &str,
    version: Version,
    supplied: &[(&'static str, &'static str)],
) -> EtcdConfig {
    let arguments = if line.is_empty() { Vec::new() } else { words(line) };
    let variables: Vec<_> = environment(&Text::excerpt(FILE, 0, variables))
        .into_iter()
        .map(|(name, value)| (name, Lookup::Found(value)))
        .collect();
    let environment = variables.iter().map(|(name, value)| Variable { name, value }).collect();
    read(&Start { arguments: &arguments, environment, file: None, version, supplied, parent: PARENT })
}

fn from_file(text: &str, version: Version) -> EtcdConfig {
    let parsed = yaml::parse(&Text::excerpt(FILE, 0, text));
    assert!(parsed.problems.is_empty(), "{:?}", parsed.problems);
    let path = Located::new("/etc/etcd/etcd.conf.yml".to_owned(), PARENT);
    let arguments = words("--name=flag --client-cert-auth");
    read(&Start {
        arguments: &arguments,
        environment: Vec::new(),
        file: parsed.documents.first().map(|document| (path, document.root())),
        version,
        supplied: &[],
        parent: PARENT,
    })
}

fn logs(config: &EtcdConfig) -> Vec<String> {
    config.refusals.iter().map(|refusal| refusal.log.clone().unwrap_or(refusal.message.clone())).collect()
}

fn shown(urls: &[Located<Url>]) -> Vec<String> {
    urls.iter().map(|url| url.value.to_string()).collect()
}

#[test]
fn flags_are_read_as_go_reads_them() {
    let config = from_flags(
        "--name=m1 -data-dir /var/lib/etcd --listen-client-urls https://0.0.0.0:2379,http://127.0.0.1:2381 \
         --advertise-client-urls=https://etcd:2379 --client-cert-auth --peer-client-cert-auth=false \
         --cert-file=/s.crt --key-file /s.key --trusted-ca-file=/ca.crt --cipher-suites \
         TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "",
        V3_5,
        &[],
    );
    assert_eq!(logs(&config), Vec::<String>::new());
    assert_eq!(config.name.value(), "m1");
    assert_eq!(config.data_dir.unwrap().value, "/var/lib/etcd");
    assert_eq!(shown(config.listen_client_urls.value()), ["https://0.0.0.0:2379", "http://127.0.0.1:2381"]);
    assert!(*config.client.client_cert_auth.value());
    assert!(config.peer.client_cert_auth.is_given() && !config.peer.client_cert_auth.value());
    assert_eq!(config.client.key_file.unwrap().value, "/s.key");
    // the value's own place, not the whole word's
    let span = config.client.cert_file.unwrap().span;
    assert_eq!(span.end - span.start, 6);
    assert_eq!(config.cipher_suites.len(), 1);
}

#[test]
fn a_variable_fills_what_no_flag_gives_and_an_empty_one_is_unset() {
    let config = from_flags(
        "--name=flag --advertise-client-urls=http://a:1",
        "ETCD_DATA_DIR=\nexport ETCD_CLIENT_CERT_AUTH=\"true\"\nETCD_CA_FILE=/old\nPATH=/bin\n",
        V3_5,
        &[],
    );
    assert_eq!(config.name.value(), "flag");
    assert_eq!(config.data_dir, None);
    assert!(config.client.client_cert_auth.value());
    let ignored: Vec<_> =
        config.ignored.iter().map(|ignored| (ignored.name.value.as_str(), ignored.why)).collect();
    assert_eq!(ignored, [("ETCD_CA_FILE", IgnoredBecause::Unknown)]);
}

#[test]
fn a_variable_beside_its_flag_is_refused() {
    for variables in ["ETCD_NAME=other\n", "ETCD_NAME=flag\n", "ETCD_NAME=\n"] {
        let config = from_flags("--name=flag", variables, V3_5, &[]);
        let [refusal] = config.refusals.as_slice() else { panic!("{variables}: {:?}", config.refusals) };
        assert_eq!(refusal.message, "ETCD_NAME and --name give the same setting, and etcd refuses that");
        assert_eq!(refusal.labels.len(), 2);
    }
}

#[test]
fn a_configuration_file_leaves_flags_and_variables_aside() {
    let config = from_file("name: file\nlisten-client-urls: http://127.0.0.1:2379\n", V3_5);
    assert_eq!(config.name.value(), "file");
    assert!(!config.client.client_cert_auth.value());
    let ignored: Vec<_> = config.ignored.iter().map(|ignored| ignored.name.value.as_str()).collect();
    assert_eq!(ignored, ["--client-cert-auth", "--name"]);
    // advertise-client-urls has its default here, which listen-client-urls does not take away
    assert_eq!(logs(&config), Vec::<String>::new());
    assert_eq!(shown(config.advertise_client_urls.value()), ["http://localhost:2379"]);
}

#[test]
fn the_gateway_is_on_except_under_a_file_before_3_5() {
    for (version, by_flags, by_file) in
        [(V3_4, true, false), (Version(3, 5, 0), true, true), (V3_5, true, true)]
    {
        assert_eq!(from_flags("", "", version, &[]).enable_grpc_gateway.value(), &by_flags, "{version}");
        assert_eq!(from_file("name: a\n", version).enable_grpc_gateway.value(), &by_file, "{version}");
        assert!(from_file("enable-grpc-gateway: true\n", version).enable_grpc_gateway.value(), "{version}");
    }
}

#[test]
fn allowed_names_in_the_file_depend_on_the_version() {
    let text = "client-transport-security:\n  allowed-hostname: client.example.test\n";
    let list = "client-transport-security:\n  allowed-hostname: [a.test, b.test]\n";
    let wrong = "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal string into Go struct field \
                 securityConfig.configJSON.client-transport-security.allowed-hostname of type []string";
    for (version, of_text, refused_text, of_list) in [
        (V3_4, 0, false, 0),
        (Version(3, 5, 13), 0, false, 0),
        (Version(3, 5, 14), 1, false, 0),
        (V3_5, 0, true, 2),
        (Version(3, 6, 1), 0, true, 2),
    ] {
        let config = from_file(text, version);
        assert_eq!(config.client.allowed_hostname.len(), of_text, "{version}");
        assert_eq!(logs(&config), if refused_text { vec![wrong.to_owned()] } else { vec![] }, "{version}");
        assert_eq!(from_file(list, version).client.allowed_hostname.len(), of_list, "{version}");
    }
    let config = from_file(text, V3_4);
    assert_eq!(config.ignored[0].why, IgnoredBecause::NotInFile);
}

#[test]
fn several_allowed_names_are_one_name_before_3_5_15() {
    let line = "--peer-cert-allowed-cn=a,b";
    assert_eq!(from_flags(line, "", V3_4, &[]).peer.allowed_cn.len(), 1);
    assert_eq!(from_flags(line, "", V3_5, &[]).peer.allowed_cn.len(), 2);
}

#[test]
fn what_etcd_refuses_at_start_it_refuses_in_its_words() {
    for (flags, version, log) in [
        (
            "--listen-client-urls=http://127.0.0.1:2379",
            V3_5,
            "--advertise-client-urls is required when --listen-client-urls is set explicitly",
        ),
        (
            "--listen-client-urls=https://0.0.0.0:2379 --advertise-client-urls=https://etcd:2379",
            V3_5,
            "TLS key/cert (--cert-file, --key-file) must be provided for client url https://0.0.0.0:2379 with HTTPS scheme",
        ),
        (
            "--listen-peer-urls=https://0.0.0.0:2380",
            V3_5,
            "cannot listen on TLS for 0.0.0.0:2380: KeyFile and CertFile are not presented",
        ),
        ("--peer-cert-file=/p.crt", V3_5, "KeyFile and CertFile must both be present[key: , cert: /p.crt]"),
        ("--listen-peer-urls=http://etcd:2380", V3_5, "expected IP in URL for binding (http://etcd:2380)"),
        (
            "--listen-peer-urls=http://127.0.0.1:2380/",
            V3_5,
            "URL must not contain a path: http://127.0.0.1:2380/",
        ),
        (
            "--initial-advertise-peer-urls=http://m1",
            V3_5,
            "URL address does not have the form \"host:port\": http://m1",
        ),
        (
            "--advertise-client-urls=etcd:2379",
            V3_5,
            "URL scheme must be http, https, unix, or unixs: etcd:2379",
        ),
        ("--client-cert-auth true", V3_5, "'true' is not a valid flag"),
        ("--client-cert-auth=yes", V3_5, "invalid boolean value \"yes\" for -client-cert-auth: parse error"),
        ("--ca-file=/ca.crt", V3_5, "flag provided but not defined: -ca-file"),
        ("--tls-min-version=TLS1.3", Version(3, 5, 7), "flag provided but not defined: -tls-min-version"),
        ("--cert-file", V3_5, "flag needs an argument: -cert-file"),
        ("--cipher-suites=BOGUS", V3_5, "unexpected TLS cipher suite \"BOGUS\""),
        (
            "--cipher-suites=TLS_AES_128_GCM_SHA256 --tls-min-version=TLS1.3",
            V3_5,
            "cipher suites cannot be configured when only TLS1.3 is enabled",
        ),
        (
            "--tls-min-version=TLS1.3 --tls-max-version=TLS1.2",
            V3_5,
            "min version (TLS1.3) is greater than max version (TLS1.2)",
        ),
        (
            "--peer-cert-file=/p --peer-key-file=/k --peer-cert-allowed-cn=m --peer-cert-allowed-hostname=h",
            V3_4,
            "AllowedCN and AllowedHostname are mutually exclusive (cn=\"m\", hostname=\"h\")",
        ),
    ] {
        assert_eq!(logs(&from_flags(flags, "", version, &[])), [log], "{flags}");
    }
}

#[test]
fn keys_and_types_of_the_file_are_json_ones() {
    for (text, expected) in [
        (
            "client-transport-security:\n  client-cert-auth: 'true'\n",
            "client-cert-auth is true or false in etcd's configuration file, and this is text",
        ),
        (
            "listen-client-urls:\n  - http://127.0.0.1:2379\n",
            "listen-client-urls is text in etcd's configuration file, and this is a list",
        ),
        (
            "heartbeat-interval: '100'\n",
            "heartbeat-interval is a number in etcd's configuration file, and this is text",
        ),
        (
            "cipher-suites: TLS_AES_128_GCM_SHA256\n",
            "cipher-suites is a list in etcd's configuration file, and this is text",
        ),
        (
            "peer-transport-security: true\n",
            "peer-transport-security is a mapping of settings, and this is a single value",
        ),
        ("- name: a\n", "etcd's configuration file is a mapping of settings, and this is none"),
    ] {
        let messages: Vec<_> =
            from_file(text, V3_5).refusals.into_iter().map(|refusal| refusal.message).collect();
        assert_eq!(messages, [expected], "{text}");
    }
    // a number is text where text is wanted, and keys do not depend on case
    let config = from_file("Name: 1\ncert-file: /flat.crt\nunknown: 1\n", V3_5);
    assert_eq!(config.name.value(), "1");
    assert!(config.client.cert_file.is_none());
    let ignored: Vec<_> =
        config.ignored.iter().map(|ignored| (ignored.name.value.as_str(), ignored.why)).collect();
    assert_eq!(
        ignored[..2],
        [("cert-file", IgnoredBecause::NotInFile), ("unknown", IgnoredBecause::Unknown)]
    );
}

#[test]
fn the_start_script_of_bitnami_supplies_what_etcd_demands() {
    let environment = "ETCD_LISTEN_CLIENT_URLS=https://0.0.0.0:2379\nETCD_CERT_FILE=/c\nETCD_KEY_FILE=/k\n";
    let stock = from_flags("", environment, Version(3, 5, 7), &[]);
    assert_eq!(stock.refusals.len(), 1);
    let bitnami = from_flags("", environment, Version(3, 5, 7), BITNAMI);
    assert_eq!(logs(&bitnami), Vec::<String>::new());
    assert!(bitnami.advertise_client_urls_supplied.is_some());
    assert_eq!(shown(bitnami.advertise_client_urls.value()), ["http://127.0.0.1:2379"]);
    assert_eq!(shown(bitnami.listen_client_urls.value()), ["https://0.0.0.0:2379"]);
}

#[test]
fn what_a_shell_fills_in_is_neither_refused_nor_believed() {
    let config = from_flags(
        "--name=${HOSTNAME} --listen-client-urls=https://$(POD_IP):2379 --advertise-client-urls=https://$NAME:2379 \
         --cert-file=${DIR}/c --key-file=/k --initial-cluster=${HOSTNAME}=https://${HOSTNAME}:2380",
        "",
        V3_5,
        &[],
    );
    assert_eq!(
        config.unseen,
        [
            "cert-file is ${DIR}/c, which is filled in elsewhere",
            "listen-client-urls is https://$(POD_IP):2379, which is filled in elsewhere"
        ]
    );
    assert_eq!(logs(&config), Vec::<String>::new());
}

#[test]
fn members_have_names_and_urls_where_they_are_written() {
    let text = "initial-cluster: m1=https://m1:2380,m2=https://m2:12380,m2=https://m2:12381\n";
    let config = from_file(text, V3_5);
    let members: Vec<_> = config
        .initial_cluster
        .value()
        .iter()
        .map(|member| {
            let span = member.url.span;
            (member.name.value.as_str(), &text[span.start as usize..span.end as usize])
        })
        .collect();
    assert_eq!(members, [("m1", "https://m1:2380"), ("m2", "https://m2:12380"), ("m2", "https://m2:12381")]);
}

#[test]
fn files_are_recognised_by_what_only_etcd_says() {
    for (text, expected) in [
        ("name: m1\nlisten-client-urls: http://127.0.0.1:2379\n", true),
        ("client-transport-security:\n  cert-file: a\n", true),
        ("name: m1\ndata-dir: /x\n", false),
        ("apiVersion: v1\nkind: Pod\ninitial-cluster: a\n", false),
        ("- a\n", false),
    ] {
        let parsed = yaml::parse(&Text::excerpt(FILE, 0, text));
        assert_eq!(
            parsed.documents.first().is_some_and(|document| recognises(document.root())),
            expected,
            "{text}"
        );
    }
    for (text, expected) in [
        ("# etcd\nETCD_NAME=m1\nexport ETCD_CERT_FILE='/c'\n", true),
        ("PATH=/bin\n", false),
        ("ETCDCTL_CACERT=/ca\n", false),
        ("ETCD_NAME: m1\n", false),
        ("etcd --name m1\n", false),
    ] {
        assert_eq!(recognises_environment(text), expected, "{text}");
    }
}

#[test]
fn variables_of_a_file_are_where_they_are_written() {
    let text = "# x\n  export ETCD_CERT_FILE=\"/etc/a b.crt\" \nETCD_NAME=\n";
    let variables = environment(&Text::excerpt(FILE, 0, text));
    assert_eq!(variables.len(), 2);
    let (name, value) = &variables[0];
    let at = |span: Span| &text[span.start as usize..span.end as usize];
    assert_eq!((at(name.span), at(value.span)), ("ETCD_CERT_FILE", "/etc/a b.crt"));
    assert_eq!(variables[1].1.value, "");
}

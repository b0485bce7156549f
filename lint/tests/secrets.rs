//! Secrets stay secret: markers planted in every kind of input are in no output of any command and format.

#![expect(clippy::unwrap_used, clippy::panic, reason = "the functions around the tests are tests too")]

mod folder;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use folder::Folder;

const AT: &str = "2026-11-23T00:00:00Z";

/// What is planted, and in which forms it would be a leak.
#[derive(Default)]
struct Markers(Vec<(String, String)>);

impl Markers {
    /// A word that stands nowhere else; `of` says where it is planted.
    fn plant(&mut self, of: &str) -> String {
        // letters and digits, a multiple of three bytes: its base64 looks the same within a longer text's
        let marker = format!("Mk{:04}zQ7xW9vB3nL5tRa", self.0.len());
        assert_eq!(marker.len() % 3, 0);
        self.0.push((of.to_owned(), marker.clone()));
        marker
    }

    /// The body of a private key with a marker in it, in lines of 64 letters.
    fn key(&mut self, label: &str) -> String {
        let marker = self.plant(&format!("the body of {label}"));
        format!(
            "-----BEGIN {label}-----\n{marker}{}\n{marker}{marker}\n-----END {label}-----\n",
            "A".repeat(40)
        )
    }

    fn assert_absent(&self, what: &str, output: &str) {
        for (of, marker) in &self.0 {
            let once = STANDARD.encode(marker);
            let twice = STANDARD.encode(&once);
            // what stands at the end of base64 depends on what follows
            let forms = [marker.as_str(), &once[..once.len() - 4], &twice[..twice.len() - 8]];
            if let Some(form) = forms.iter().find(|form| output.contains(**form)) {
                let at = output.find(*form).unwrap();
                let start = output[..at].char_indices().rev().nth(200).map_or(0, |(at, _)| at);
                panic!("{what} shows {of}:\n{}", &output[start..at + form.len()]);
            }
        }
    }
}

fn fixture(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/pki").join(name)).unwrap()
}

/// Everything that a run prints.
fn run(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mtls-lint"));
    let output = command.args(arguments).stdin(Stdio::null()).output().unwrap();
    assert!(
        output.status.code().is_some_and(|status| status < 3),
        "{arguments:?} ended with {}",
        output.status
    );
    [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat()
}

/// Every command and format over the paths; joined, for a look at whether anything was found at all.
fn everything(markers: &Markers, paths: &[&str], command: &[&str]) -> String {
    let mut all = String::new();
    let mut look = |arguments: Vec<&str>| {
        let output = run(&arguments);
        markers.assert_absent(&arguments.join(" "), &output);
        all.push_str(&output);
    };
    for format in ["human", "json", "sarif", "github", "junit"] {
        look([&["check", "--at", AT, "--color", "always", "--format", format], paths].concat());
    }
    look([&["check", "--at", AT, "--diff"], paths].concat());
    if command.is_empty() {
        let folder = Folder::new("written");
        let baseline = folder.0.join("known.yaml").to_string_lossy().into_owned();
        look([&["check", "--at", AT, "--write-baseline", &baseline], paths].concat());
        markers.assert_absent("the baseline", &fs::read_to_string(&baseline).unwrap_or_default());
        look([&["check", "--at", AT, "--format", "json", "--baseline", &baseline], paths].concat());
    }
    for format in ["human", "json", "mermaid", "svg"] {
        let tail: &[&str] = if command.is_empty() { &[] } else { &["--"] };
        look([&["predict", "--at", AT, "--format", format], paths, tail, command].concat());
    }
    all
}

const KEY_LABELS: &[&str] = &[
    "PRIVATE KEY",
    "RSA PRIVATE KEY",
    "EC PRIVATE KEY",
    "DSA PRIVATE KEY",
    "ENCRYPTED PRIVATE KEY",
    "OPENSSH PRIVATE KEY",
];

fn block(text: &str, indent: usize) -> String {
    text.lines().map(|line| format!("{}{line}\n", " ".repeat(indent))).collect()
}

#[test]
fn keys_of_every_label_whole_and_damaged() {
    let mut markers = Markers::default();
    let folder = Folder::new("keys");
    let mut paths = Vec::new();
    for (number, label) in KEY_LABELS.iter().enumerate() {
        let key = markers.key(label);
        let nginx = format!(
            "events {{}}\nhttp {{ server {{ listen {}; listen 844{number} ssl; ssl_certificate {number}.pem; \
             ssl_certificate_key {number}.key; }} }}\n",
            9000 + number
        );
        paths.push(folder.write(&format!("{number}.conf"), &nginx));
        paths.push(folder.write(&format!("{number}.key"), &key));
        paths.push(folder.write(&format!("{number}.pem"), format!("{}{key}", fixture("server.pem"))));
        paths.push(folder.write(
            &format!("cut-{number}.pem"),
            key.lines().next().map(|_| &key[..key.len() - 12]).unwrap(),
        ));
        paths.push(folder.write(&format!("indented-{number}.pem"), block(&key, 2)));
        paths.push(folder.write(&format!("glued-{number}.pem"), key.replace('\n', "")));
        paths.push(folder.write(&format!("comment-{number}.pem"), key.replace("AAAA", "AA!A")));
    }
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let all = everything(&markers, &paths, &[]);
    assert!(all.contains("unreadable-file") || all.contains("certificate-without-key"), "{all}");
    for format in ["human", "json"] {
        for path in &paths {
            markers.assert_absent(
                &format!("inspect {path}"),
                &run(&["inspect", "--at", AT, "--format", format, path]),
            );
        }
    }
    // where another file belongs
    for path in paths.iter().filter(|path| path.ends_with(".key") || path.ends_with(".pem")) {
        markers.assert_absent("decide", &run(&["decide", "--policy", path]));
        markers.assert_absent(
            "decide",
            &run(&["decide", "--policy", path, "--certificate", path, "--chain", path]),
        );
    }
}

/// Real keys, whose lines are found in the output only if they are shown.
#[test]
fn a_real_key_is_shown_nowhere() {
    let folder = Folder::new("real");
    let key = fixture("server.key");
    let conf = "events {}\nhttp {\n  server {\n    listen 8443 ssl;\n    ssl_certificate a.pem;\n    ssl_certificate_key a.pem;\n  }\n}\n";
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\nstringData:\n  tls.key: |\n{}  tls.crt: |\n{}",
        block(&key, 4),
        block(&fixture("client.pem"), 4)
    );
    let paths = [
        folder.write("nginx.conf", conf),
        folder.write("a.pem", format!("{}{key}", fixture("client-expired.pem"))),
        folder.write("secret.yaml", &secret),
    ];
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let mut all = everything(&Markers::default(), &paths, &[]);
    all.push_str(&run(&["inspect", paths[1]]));
    all.push_str(&run(&["inspect", "--format", "json", paths[1]]));
    for line in key.lines().filter(|line| !line.starts_with('-')) {
        assert!(!all.contains(line) && !all.contains(&STANDARD.encode(line)));
    }
}

#[test]
fn values_of_secrets_and_environments() {
    let mut markers = Markers::default();
    let folder = Folder::new("kubernetes");
    let mut plain = |of: &str| markers.plant(of);
    let (data, string, twice, broken) =
        (plain("data"), plain("stringData"), plain("data, encoded twice"), plain("data that is no base64"));
    let (docker, annotation) = (plain(".dockerconfigjson"), plain("last-applied-configuration"));
    let (password, root, token, argument) = (
        plain("ETCD_ROOT_PASSWORD"),
        plain("ETCDCTL_USER"),
        plain("API_TOKEN"),
        plain("an argument of a container"),
    );
    let (probe, map) = (plain("a probe's command"), plain("a ConfigMap's nginx.conf"));
    let key = markers.key("EC PRIVATE KEY");
    let other = markers.key("PRIVATE KEY");
    let manifest = format!(
        "apiVersion: v1
kind: Secret
metadata:
  name: a
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: |
      {{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"stringData\":{{\"password\":\"{annotation}\"}},\"data\":{{\"tls.key\":\"{}\"}}}}
data:
  tls.key: {}
  tls.crt: {}
  word: {}
  twice: {}
  broken: \"{broken}!!\"
stringData:
  plain: {string}
  other.key: |
{}---
apiVersion: v1
kind: Secret
type: kubernetes.io/dockerconfigjson
metadata: {{name: d}}
data: {{.dockerconfigjson: {}}}
---
apiVersion: v1
kind: List
items:
- {{apiVersion: v1, kind: Secret, metadata: {{name: e}}, data: {{password: {}}}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: n}}
data:
  nginx.conf: |
    events {{}}
    http {{
      server {{
        listen 8443 ssl;
        ssl_certificate /etc/tls/tls.crt;
        ssl_certificate_key /etc/tls/tls.key;
        location / {{
          proxy_set_header Authorization \"Bearer {map}\";
          proxy_pass https://user:{map}@missing.test;
          proxy_ssl_certificate /nowhere.pem;
          proxy_set_header Cookie \"session={map}\";
        }}
      }}
    }}
---
apiVersion: v1
kind: Pod
metadata: {{name: p}}
spec:
  containers:
  - name: etcd
    image: bitnami/etcd:3.5
    command: [etcd]
    args: [--listen-client-urls, https://0.0.0.0:2379, --user, \"root:{argument}\", --password={argument}]
    livenessProbe:
      exec:
        command: [etcdctl, --user, \"root:{probe}\", --endpoints, https://localhost:2379, endpoint, health]
    env:
    - name: ETCD_LISTEN_CLIENT_URLS
      value: https://0.0.0.0:2379
    - name: ETCD_ROOT_PASSWORD
      value: {password}
    - {{name: ETCDCTL_USER, value: \"root:{root}\"}}
    - {{name: API_TOKEN, value: {token}}}
    - {{name: FROM_SECRET, valueFrom: {{secretKeyRef: {{name: a, key: word}}}}}}
    - {{name: ETCD_CERT_FILE, valueFrom: {{secretKeyRef: {{name: a, key: plain}}}}}}
  - name: nginx
    image: nginx:1.26.3
    volumeMounts:
    - {{name: n, mountPath: /etc/nginx/nginx.conf, subPath: nginx.conf}}
    - {{name: t, mountPath: /etc/tls}}
  volumes:
  - {{name: n, configMap: {{name: n}}}}
  - {{name: t, secret: {{secretName: a}}}}
",
        STANDARD.encode(&key),
        STANDARD.encode(&key),
        STANDARD.encode(fixture("client-expired.pem")),
        STANDARD.encode(&data),
        STANDARD.encode(STANDARD.encode(&twice)),
        block(&other, 4),
        STANDARD.encode(format!("{{\"auths\":{{\"r\":{{\"password\":\"{docker}\"}}}}}}")),
        STANDARD.encode(&data),
    );
    let path = folder.write("all.yaml", &manifest);
    let all = everything(&markers, &[&path], &[]);
    assert!(all.contains("literal-password"), "{all}");
    let command =
        ["curl", "--cacert", "k8s:default/a/word", "--key", "k8s:default/a/tls.key", "https://p:8443"];
    everything(&markers, &[&path], &command);
    // the same, cut somewhere, so that it is malformed: errors quote nothing
    for at in (0..manifest.len()).step_by(97).filter(|at| manifest.is_char_boundary(*at)) {
        let path = folder.write("cut.yaml", &manifest[..at]);
        markers.assert_absent(&format!("cut at {at}"), &run(&["check", "--at", AT, &path]));
    }
}

#[test]
fn gateways_and_stores() {
    let mut markers = Markers::default();
    let folder = Folder::new("gateways");
    let mut plain = |of: &str| markers.plant(of);
    let (admin, viewer, etcd, keyring, jwt, basic, auth) = (
        plain("admin_key"),
        plain("a viewer's key"),
        plain("etcd's password"),
        plain("the keyring"),
        plain("jwt secret"),
        plain("basic-auth password"),
        plain("key-auth key"),
    );
    let (inline, generic, password, ticket, header, user) = (
        plain("inline_string of a private key"),
        plain("a generic secret"),
        plain("a password's inline_string"),
        plain("a ticket key"),
        plain("a header that Envoy sets"),
        plain("a URL's user"),
    );
    let ssl = markers.key("PRIVATE KEY");
    let client = markers.key("RSA PRIVATE KEY");
    let envoy_key = markers.key("EC PRIVATE KEY");
    let json = |text: &str| text.replace('\n', "\\n");
    let config = format!(
        "apisix:\n  node_listen: 9080\n  ssl:\n    enable: true\n    data_encryption:\n    key_encrypt_salt: {keyring}\n  \
         data_encryption:\n    keyring:\n    - {keyring}\n  id: 1\ndeployment:\n  role: traditional\n  admin:\n    \
         allow_admin: [0.0.0.0/0]\n    admin_key:\n    - name: admin\n      key: {admin}\n      role: admin\n    - {{name: viewer, key: {viewer}, role: viewer}}\n  \
         etcd:\n    host: [\"http://root:{user}@etcd:2379\", \"https://etcd:2379\"]\n    user: root\n    password: {etcd}\n    tls: {{verify: false, \
         cert: /nowhere.pem, key: /nowhere.key}}\nnginx_config:\n  http_server_configuration_snippet: |\n    \
         proxy_ssl_verify maybe;\n    set $api_token {jwt};\nplugin_attr:\n  x: {{secret: {jwt}}}\n"
    );
    let objects = format!(
        "{{\"ssls\":[{{\"id\":\"1\",\"snis\":[\"a.test\"],\"cert\":\"x\",\"key\":\"{}\",\"keys\":[\"{}\"]}}],\
          \"upstreams\":[{{\"id\":\"1\",\"scheme\":\"https\",\"nodes\":{{\"b.test:443\":1}},\"tls\":{{\"client_cert\":\"x\",\"client_key\":\"{}\"}}}}],\
          \"consumers\":[{{\"username\":\"u\",\"plugins\":{{\"key-auth\":{{\"key\":\"{auth}\"}},\"jwt-auth\":{{\"secret\":\"{jwt}\"}},\
          \"basic-auth\":{{\"username\":\"u\",\"password\":\"{basic}\"}}}}}}],\
          \"routes\":[{{\"id\":\"1\",\"uri\":\"/*\",\"upstream_id\":\"1\",\"plugins\":{{\"proxy-rewrite\":{{\"headers\":{{\"Authorization\":\"Basic {basic}\"}}}}}}}}]}}",
        json(&ssl),
        json(&client),
        json(&client)
    );
    let envoy = format!(
        "static_resources:\n  secrets:\n  - name: g\n    generic_secret: {{secret: {{inline_string: {generic}}}}}\n  - name: t\n    \
         session_ticket_keys: {{keys: [{{inline_bytes: {}}}]}}\n  listeners:\n  - name: l\n    address: {{socket_address: {{address: 0.0.0.0, port_value: 8443}}}}\n    \
         filter_chains:\n    - transport_socket:\n        name: tls\n        typed_config:\n          \
         \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext\n          \
         common_tls_context:\n            tls_certificates:\n            - certificate_chain: {{inline_string: x}}\n              \
         private_key: {{inline_string: \"{inline}\"}}\n              password: {{inline_string: \"{password}\"}}\n            \
         - certificate_chain: {{inline_string: y}}\n              private_key:\n                inline_string: |\n{}            - certificate_chain: {{inline_string: z}}\n              private_key: {{inline_bytes: {}}}\n      filters:\n      - name: h\n        typed_config:\n          \
         \"@type\": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager\n          \
         stat_prefix: x\n          route_config:\n            request_headers_to_add:\n            - header: {{key: authorization, value: \"Bearer {header}\"}}\n            virtual_hosts: []\n            unknown_field: 1\n",
        STANDARD.encode(&ticket),
        block(&envoy_key, 18),
        STANDARD.encode(&envoy_key),
    );
    let nginx = format!(
        "events {{}}\nhttp {{\n  upstream u {{ server a:443; }}\n  server {{\n    listen 9443 ssl;\n    ssl_certificate /a.pem;\n    \
         set $token \"{jwt}\";\n    ssl_verify_client maybe;\n    location / {{\n      proxy_pass https://user:{user}@a;\n      \
         proxy_ssl_name $x;\n      proxy_set_header Authorization \"Basic {basic}\";\n      proxy_ssl_verify perhaps;\n    }}\n  }}\n}}\n"
    );
    let etcd_env = format!(
        "ETCD_LISTEN_CLIENT_URLS=https://0.0.0.0:2379\nETCD_ROOT_PASSWORD={etcd}\nETCD_CERT_FILE=/a.pem\n"
    );
    let paths = [
        folder.write("config.yaml", &config),
        folder.write("objects.json", &objects),
        folder.write("apisix.yaml", format!("{objects}\n#END\n")),
        folder.write("envoy.yaml", &envoy),
        folder.write("nginx.conf", &nginx),
        folder.write("etcd.env", &etcd_env),
    ];
    let each: Vec<&str> = paths.iter().map(String::as_str).collect();
    let all = everything(&markers, &each, &[]);
    for kind in ["apisix", "envoy", "nginx", "etcd"] {
        assert!(all.contains(&format!("\"kind\": \"{kind}\"")), "{kind} is not there");
    }
    for path in &each {
        everything(&markers, &[path], &[]);
    }
    // malformed: cut anywhere, and with a line that does not belong there
    for text in [&config, &objects, &envoy, &nginx] {
        for at in (0..text.len()).step_by(211).filter(|at| text.is_char_boundary(*at)) {
            for name in ["cut.yaml", "cut.json", "cut.conf"] {
                let path = folder.write(name, format!("{}\n\t}}]: \"\n{}", &text[..at], &text[at..]));
                let output = run(&["check", "--at", AT, "--format", "human", &path]);
                markers.assert_absent(&format!("{name} cut at {at}"), &output);
            }
        }
    }
}

#[test]
fn passwords_on_command_lines() {
    let mut markers = Markers::default();
    let word = markers.plant("a command line's password");
    let folder = Folder::new("commands");
    let server = folder.write(
        "nginx.conf",
        "events {}\nhttp { server { listen 8443 ssl; server_name a.test; ssl_certificate a.pem; ssl_certificate_key a.key; } }\n",
    );
    let user = format!("root:{word}");
    let userinfo = format!("https://root:{word}@a.test:8443/");
    let bearer = format!("Authorization: Bearer {word}");
    let lines: &[&[&str]] = &[
        &["curl", "-u", &user, "https://a.test:8443"],
        &["curl", &format!("-u{user}"), "https://a.test:8443"],
        &["curl", &format!("--user={user}"), "https://a.test:8443"],
        &[
            "curl",
            "--proxy-user",
            &user,
            "-x",
            &format!("http://root:{word}@proxy:3128"),
            "https://a.test:8443",
        ],
        &["curl", "-H", &bearer, "https://a.test:8443"],
        &["curl", &format!("-H{bearer}"), "https://a.test:8443"],
        &["curl", "--header", &format!("X-API-KEY: {word}"), "https://a.test:8443/apisix/admin/routes"],
        &["curl", "--cert", &format!("a.pem:{word}"), "https://a.test:8443"],
        &["curl", "--cert", "a.pem", "--key", "a.key", "--pass", &word, "https://a.test:8443"],
        &["curl", "--oauth2-bearer", &word, "https://a.test:8443"],
        &["curl", "-b", &format!("session={word}"), "https://a.test:8443"],
        &["curl", "-d", &format!("password={word}"), "https://a.test:8443"],
        &["curl", "-k", &userinfo],
        &["curl", &format!("{userinfo}?token={word}")],
        &["etcdctl", "--endpoints", "https://a.test:8443", "--user", &user, "get", "x"],
        &[
            "etcdctl",
            "--endpoints",
            "https://a.test:8443",
            &format!("--password={word}"),
            "--user=root",
            "get",
            "x",
        ],
        &[&format!("ETCDCTL_USER={user}"), "etcdctl", "--endpoints", "https://a.test:8443", "get", "x"],
        &[&format!("ETCDCTL_PASSWORD={word}"), "etcdctl", "--endpoints", "https://a.test:8443", "get", "x"],
        &["etcdctl", "--endpoints", &userinfo, "get", "x"],
        &[
            "openssl",
            "s_client",
            "-connect",
            "a.test:8443",
            "-cert",
            "a.pem",
            "-key",
            "a.key",
            "-pass",
            &format!("pass:{word}"),
        ],
        &["openssl", "s_client", "-connect", "a.test:8443", "-psk", &word],
    ];
    for line in lines {
        everything(&markers, &[&server], line);
        // as one text, quoted and not
        let quoted: Vec<String> = line.iter().map(|word| format!("'{word}'")).collect();
        everything(&markers, &[&server], &[&quoted.join(" ")]);
        // without quotes a word with a blank is two, and the second one an address that curl would dial
        if !line.iter().any(|word| word.contains(' ')) {
            everything(&markers, &[&server], &[&line.join(" ")]);
        }
    }
}

/// What stands in mtls-lint.yaml, a baseline or a policy by mistake is in no message about the mistake.
#[test]
fn configurations_baselines_and_policies() {
    let mut markers = Markers::default();
    let folder = Folder::new("configurations");
    let (key, word) = (markers.key("EC PRIVATE KEY"), markers.plant("a password"));
    let conf = folder.write(
        "nginx.conf",
        "events {}\nhttp { server { listen 8443 ssl; ssl_certificate a.pem; ssl_certificate_key a.key; } }\n",
    );
    let escaped = format!("\"{}\"", key.replace('\n', "\\n"));
    let values = [
        escaped.clone(),
        format!("|\n{}", block(&key, 6)),
        format!("[{escaped}]"),
        format!("{{a: {escaped}}}"),
        STANDARD.encode(&key),
        format!("https://root:{word}@a.test/"),
    ];
    let mut texts = vec![
        key.clone(),
        block(&key, 2),
        format!("{key}{key}"),
        format!("password: {word}\n"),
        format!("token: {word}\nrules: [\n"),
        format!("rules: {{weak-key: error}}\nadmin_key: {{key: {word}}}\n"),
        format!("ignore: [{{rule: weak-key, reason: why, password: {word}}}]\n"),
        format!("version: 1\nfindings: [{{file: a, password: {word}}}]\n"),
        format!("certificate: {{from: envoy, secret: {word}}}\n"),
        format!("identities: {{a: {{dns: a.test, password: {word}}}}}\n"),
    ];
    for value in values {
        for place in [
            "rules:\n  weak-key: @\n",
            "rules: @\n",
            "ignore:\n  - rule: @\n    reason: why\n",
            "ignore:\n  - rule: weak-key\n    expires: @\n",
            "ignore:\n  - file: @\n    rule: x\n",
            "assume:\n  nginx: @\n",
            "assume: @\n",
            "paths:\n  exclude: @\n  more: [\n",
            "expires-within: @\n",
            "deny: @\n",
            "nobody-knows-it: @\n",
            "version: @\n",
            "version: 1\nfindings: @\n",
            "version: 1\nfindings:\n  - message: @\n    file: a\n",
            "version: 1\nfindings:\n  - {file: a, rule: b, fingerprint: c, count: x, message: y}\n  - file: @\n",
            "certificate: @\n",
            "certificate: {from: envoy}\nidentities: @\n",
            "certificate: {from: envoy}\nidentities:\n  a: @\n",
            "certificate: {from: envoy}\nidentities:\n  a:\n    spiffe: @\nrules: [{allow: a}]\n",
            "certificate: {from: envoy}\nidentities: {a: {dns: a.test}}\nrules:\n  - allow: @\n",
            "certificate: {from: envoy}\nmode: @\n",
        ] {
            texts.push(place.replace('@', &value));
        }
    }
    let mut refused = 0;
    for (number, text) in texts.iter().enumerate() {
        let file = folder.write("planted.yaml", text);
        for arguments in [
            ["check", "--config", &file, &conf].as_slice(),
            &["check", "--format", "json", "--config", &file, &conf],
            &["predict", "--config", &file, &conf],
            &["check", "--no-config", "--baseline", &file, &conf],
            &["check", "--no-config", "--baseline", &file, "--diff", &conf],
            &["decide", "--policy", &file],
            &["check", "--no-config", &file],
        ] {
            let output = run(arguments);
            markers.assert_absent(&format!("text {number}, {}\n{text}", arguments.join(" ")), &output);
            refused += usize::from(output.contains("planted.yaml"));
        }
    }
    assert!(refused > 2 * texts.len(), "{refused} messages of {} files", texts.len());
}

//! Where fuzzing begins: what lies in `fixtures/`, in the form that each target takes.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mtls_identity::certificate::Certificate;

use super::whole::FILE;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures")
}

/// Every file beneath a folder, sorted; links and what is no file are left out.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                Ok(kind) if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

fn contents(files: impl IntoIterator<Item = PathBuf>) -> Vec<Vec<u8>> {
    files.into_iter().filter_map(|path| fs::read(path).ok()).collect()
}

/// Files of `rules` and `deployments` whose text has one of the words.
fn configurations(words: &[&str]) -> Vec<Vec<u8>> {
    let all = ["rules", "deployments"].iter().flat_map(|folder| files(&fixtures().join(folder)));
    let texts = all.filter_map(|path| fs::read_to_string(path).ok());
    texts.filter(|text| words.iter().any(|word| text.contains(word))).map(String::into_bytes).collect()
}

/// A certificate of `pki/decisions`, PEM.
pub(super) fn decisions_certificate(name: &str) -> Option<String> {
    fs::read_to_string(fixtures().join(format!("pki/decisions/{name}.pem"))).ok()
}

/// A policy's source: the header that a trusted proxy sets.
pub(super) fn header_policy(format: &str) -> String {
    let header = if format == "xfcc" { "x-forwarded-client-cert" } else { "client-cert" };
    format!(
        "certificate: {{from: header, header: {header}, format: {format}, trusted-peers: {{addresses: [10.0.0.0/8]}}}}\n"
    )
}

fn decision_names() -> Vec<String> {
    let certificates = files(&fixtures().join("pki/decisions")).into_iter();
    let certificates = certificates.filter(|path| path.extension().is_some_and(|ending| ending == "pem"));
    certificates.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect()
}

pub(super) fn pem() -> Vec<Vec<u8>> {
    contents(files(&fixtures().join("pki")))
}

pub(super) fn certificate() -> Vec<Vec<u8>> {
    let texts = pem().into_iter().chain(contents(files(&fixtures().join("signatures"))));
    let blocks = texts.flat_map(|text| mtls_lint::syntax::pem::blocks(&text));
    blocks.filter_map(|block| block.content.ok()).collect()
}

pub(super) fn policy() -> Vec<Vec<u8>> {
    let mut seeds = configurations(&["identities:"]);
    for path in files(&fixtures().join("decisions")) {
        let table = fs::read_to_string(path).ok().and_then(|text| serde_yaml::from_str(&text).ok());
        let policy =
            table.and_then(|table: serde_json::Value| Some(table.get("policy")?.as_str()?.to_owned()));
        seeds.extend(policy.map(|policy| filled(&policy).into_bytes()));
    }
    seeds.push(header_policy("xfcc").into_bytes());
    seeds
}

/// Fills in `@pem NAME@`, and anything for the digests.
fn filled(policy: &str) -> String {
    let mut text = policy.to_owned();
    for name in decision_names() {
        let Some(pem) = decisions_certificate(&name) else { continue };
        let Ok(read) = Certificate::parse_pem(&pem) else { continue };
        let digest = mtls_identity::certificate::hexadecimal(&read.sha256);
        text = text.replace(&format!("@pem {name}@"), &pem.replace('\n', "\\n"));
        text = text.replace(&format!("@sha256 {name}@"), &digest).replace(&format!("@key {name}@"), &digest);
    }
    text
}

pub(super) fn path() -> Vec<Vec<u8>> {
    let written = [
        "/",
        "*",
        "/orders/7?next=/../x",
        "/%6frders/%7Ea",
        "/a;v=1/b",
        "/a/..;x/b",
        "/a%252fb",
        "//a",
        "/50%25",
    ];
    written.iter().map(|path| path.as_bytes().to_vec()).collect()
}

fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let letter = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(letter).collect()
}

pub(super) fn xfcc() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for name in decision_names() {
        let pem = escaped(&decisions_certificate(&name).unwrap_or_default());
        seeds.push(format!(
            "By=spiffe://a;Hash=00;Cert=\"{pem}\";Subject=\"CN=a,O=b\";URI=spiffe://example.test/a"
        ));
        seeds.push(format!("Hash=00;Chain=\"{pem}{pem}\";Cert={pem},By=b;Cert=\"{pem}\""));
    }
    seeds.into_iter().map(String::into_bytes).collect()
}

pub(super) fn rfc9440() -> Vec<Vec<u8>> {
    let certificates = certificate().into_iter().map(|der| STANDARD.encode(der));
    certificates.map(|text| format!(":{text}:\n:{text}:, :{text}:").into_bytes()).collect()
}

pub(super) fn filter() -> Vec<Vec<u8>> {
    let policies: Vec<String> = policy()
        .into_iter()
        .filter_map(|policy| String::from_utf8(policy).ok())
        .map(|text| text.replace("\n\n", "\n"))
        .collect();
    let mut seeds = Vec::new();
    for (index, name) in decision_names().iter().enumerate() {
        let pem = decisions_certificate(name).unwrap_or_default();
        let Ok(read) = Certificate::parse_pem(&pem) else { continue };
        let Some(policy) = policies.get(index % policies.len().max(1)) else { continue };
        let digest = mtls_identity::certificate::hexadecimal(&read.sha256);
        let pem = pem.replace('\n', "\\n");
        seeds.push(format!(
            "{policy}\n\n:method: GET\n:authority: shop.test\n:path: /orders/7\nx-client: forged\nx_client: forged\n\
             source.address=10.0.0.7:1\nconnection.mtls=\\x01\nconnection.peer_certificate_valid=\\x01\n\
             connection.sha256_peer_certificate_digest={digest}\nconnection.peer_certificate={pem}\n\
             ssl_client_verify=SUCCESS\nssl_client_raw_cert={pem}\nmsec=1780000000.132"
        ).into_bytes());
    }
    seeds
}

pub(super) fn yaml() -> Vec<Vec<u8>> {
    let mut seeds = configurations(&[":"]);
    let written = [
        "a: &a [*a]\n",
        "<<: &b {c: 1}\nd: *b\n",
        "- |2-\n   a\n- >+\n  b\n\n",
        "{\"a\":[1,2]}{\"b\":\"\\u00e9\"}",
        "!!binary aGk=\n",
    ];
    seeds.extend(written.iter().map(|text| text.as_bytes().to_vec()));
    seeds
}

pub(super) fn nginx() -> Vec<Vec<u8>> {
    let mut seeds = configurations(&["server {", "http {"]);
    seeds.retain(|text| !text.starts_with(b"apiVersion"));
    seeds.push(
        b"events {}\nhttp { map $ssl_client_s_dn $who { ~CN=(?<name>.*) $name; default ''; } upstream u { server a:1; } \
          server { listen 443 ssl default_server; server_name ~^a\\d+$ *.b.test; ssl_verify_client optional; \
          if ($ssl_client_verify != SUCCESS) { return 403; } location ~ ^/x { proxy_pass https://u; \
          proxy_ssl_verify on; proxy_set_header X-Cert $ssl_client_escaped_cert; } include x/*.conf; } }\n"
            .to_vec(),
    );
    seeds
}

pub(super) fn apisix() -> Vec<Vec<u8>> {
    let mut seeds = configurations(&["apisix:", "admin_api_mtls", "client_cert", "\"upstream\"", "ssls:"]);
    seeds.retain(|text| !text.starts_with(b"apiVersion"));
    seeds.push(
        b"apisix:\n  node_listen: 9080\n  ssl: {enable: true, listen: [{port: 9443}], ssl_trusted_certificate: /a/ca.pem}\n\
          deployment:\n  role: traditional\n  admin: {https_admin: true, admin_key: [{name: a, key: b, role: admin}], \
          admin_api_mtls: {admin_ssl_cert: /a, admin_ssl_cert_key: /b, admin_ssl_ca_cert: /c}, allow_admin: [0.0.0.0/0]}\n  \
          etcd: {host: ['https://a:2379'], prefix: /apisix, tls: {cert: /a, key: /b, verify: true, sni: x}}\n\
          nginx_config: {http_server_configuration_snippet: \"proxy_ssl_verify on;\"}\n"
            .to_vec(),
    );
    seeds.push(
        b"{\"value\":{\"id\":\"1\",\"snis\":[\"*.a.test\"],\"cert\":\"x\",\"key\":\"y\",\"client\":{\"ca\":\"z\",\"depth\":2,\
          \"skip_mtls_uri_regex\":[\"/a.*\"]}}}"
            .to_vec(),
    );
    seeds
}

pub(super) fn envoy() -> Vec<Vec<u8>> {
    configurations(&["static_resources", "common_tls_context", "listeners:"])
}

pub(super) fn etcd() -> Vec<Vec<u8>> {
    let mut seeds = configurations(&["client-transport-security", "listen-client-urls"]);
    seeds.retain(|text| !text.starts_with(b"apiVersion"));
    for text in [
        "name: m1\nlisten-client-urls: https://0.0.0.0:2379\nadvertise-client-urls: https://a:2379\n\
         client-transport-security: {cert-file: /a, key-file: /b, trusted-ca-file: /c, client-cert-auth: true, \
         allowed-cn: x}\npeer-transport-security: {auto-tls: true}\n",
        "ETCD_NAME=m1\nETCD_LISTEN_CLIENT_URLS=\"https://0.0.0.0:2379\"\nETCD_CERT_FILE=/a\nETCD_CLIENT_CERT_AUTH=true\n",
    ] {
        seeds.push(text.as_bytes().to_vec());
    }
    seeds
}

pub(super) fn command() -> Vec<Vec<u8>> {
    let written = [
        "curl --resolve shop.test:8443:127.0.0.1 https://shop.test:8443/a --cacert ca.pem --cert a.pem:pass --key a.key",
        "curl -sSkv -u user:word -H 'Authorization: Bearer x' \"https://u:p@shop.test:8443\" --tlsv1.2 --tls-max 1.2",
        "curl --cacert <(kubectl -n a get secret b -o jsonpath='{.data.ca\\.crt}' | base64 -d) https://shop.test:8443",
        "ETCDCTL_API=3 ETCDCTL_CACERT=/ca etcdctl --endpoints=https://a:2379,b:2379 --cert=c --key d --user u:p get x",
        "openssl s_client -connect shop.test:8443 -servername shop.test -CAfile ca.pem -cert a.pem -verify_return_error",
        "kubectl exec -it pod -c x -- curl https://a -E a.pem # comment",
        "a=1 b='2 3' ; curl $a \"${b}\" `x` $(y) \\\n -k https://[::1]:8443",
    ];
    written.iter().map(|line| line.as_bytes().to_vec()).collect()
}

pub(super) fn script() -> Vec<Vec<u8>> {
    let written = [
        "set -euo pipefail\nFILE=\"/backup/etcd-$(date +%F).db\"\netcdctl --endpoints=https://a:2379 --cert /tls/c snapshot save \"$FILE\"\n",
        "#!/bin/sh\nuntil curl -sf --cacert /tls/ca.crt https://$HOST:8443/; do sleep 1; done\nexec curl -k https://${HOST}:1\n",
        "if [ -f /tls/a ] && curl https://a; then\n  curl https://b || exit 1\nelif true; then :; else exit 2; fi; curl https://c\n",
        "f() { curl https://a; }\nfor i in 1 2; do f; done\ncase $1 in a|b) curl https://b;; *) (curl https://c);; esac\n",
        "cat <<'END' >x\ncurl https://a\nEND\nexport ETCDCTL_CACERT=/tls/ca; etcdctl --endpoints https://a:2379 get x &\nwait",
        "A=b; A=$A-c curl --cert \"$A.pem\" 'https://a' >/dev/null 2>&1 | tee x && { curl https://b; } # curl https://c\n",
        "while ! openssl s_client -connect a:443 -CAfile /tls/ca.crt </dev/null; do :; done; trap 'curl https://a' EXIT\n",
    ];
    written.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// Each fixture's folder as one input.
pub(super) fn lint() -> Vec<Vec<u8>> {
    let rules = fs::read_dir(fixtures().join("rules")).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = rules
        .flat_map(|rule| fs::read_dir(rule.path()).into_iter().flatten().flatten())
        .map(|case| case.path())
        .collect();
    folders.push(fixtures().join("deployments/apisix-mtls-article"));
    folders.sort();
    let seeds = folders.into_iter().map(|folder| {
        let parts = files(&folder).into_iter().filter_map(|path| {
            let name = path.strip_prefix(&folder).ok()?.display().to_string();
            Some(format!("{FILE}{name}\n{}", fs::read_to_string(&path).ok()?))
        });
        parts.collect::<String>().trim_start().as_bytes().to_vec()
    });
    seeds.collect()
}

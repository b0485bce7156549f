//! The finished module in a real Envoy, asked by a real curl over mTLS.
//!
//! Needs `cargo run --release -p mtls-tests --bin dist` before; `tests/run` does so.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mtls_tests::programs::Program;
use serde_json::{Value, json};

const WHO: &str = "identities: {web: {spiffe: spiffe://example.test/ns/shop/sa/web}}\n\
                   rules: [{name: all, path: /**, allow: web}]\nexempt: [{name: health, path: /healthz}]\n\
                   forward: {x-client: identity, x-name: name}\n";

/// A running Envoy; stopped when dropped.
struct Envoy {
    child: Child,
    ports: Vec<u16>,
    admin: u16,
    log: PathBuf,
}

impl Drop for Envoy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One listener: its policy and what is unusual about it.
#[derive(Default)]
struct Listener {
    policy: String,
    accept_untrusted: bool,
    forward: Option<&'static str>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn pki(name: &str) -> String {
    root().join("fixtures/pki").join(name).to_string_lossy().into_owned()
}

fn module() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let module = target.join("dist/mtls_guard.wasm");
    assert!(
        module.is_file(),
        "{} is missing: run cargo run --release -p mtls-tests --bin dist",
        module.display()
    );
    module
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn listener(port: u16, wanted: &Listener) -> Value {
    let mut validation = json!({"trusted_ca": {"filename": pki("decisions/ca.pem")}});
    if wanted.accept_untrusted {
        validation["trust_chain_verification"] = json!("ACCEPT_UNTRUSTED");
    }
    let mut manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "x",
        "route_config": {"virtual_hosts": [{"name": "v", "domains": ["*"],
            "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 404}}]}]},
        "http_filters": [
            {"name": "guard", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                "config": {
                    "name": "mtls-guard", "root_id": "mtls-guard",
                    "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": wanted.policy},
                    "vm_config": {"vm_id": format!("guard-{port}"), "runtime": "envoy.wasm.runtime.v8",
                        "code": {"local": {"filename": module()}}},
                }}},
            // answers with the headers that an upstream would get
            {"name": "echo", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
                "default_source_code": {"inline_string":
                    "function envoy_on_request(handle)\n\
                       local text = ''\n\
                       for name, value in pairs(handle:headers()) do text = text .. name .. ': ' .. value .. '\\n' end\n\
                       handle:respond({[':status'] = '200'}, text)\n\
                     end"}}},
            {"name": "router", "typed_config":
                {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}},
        ],
    });
    if let Some(forward) = wanted.forward {
        manager["forward_client_cert_details"] = json!(forward);
        manager["set_current_client_cert_details"] =
            json!({"cert": true, "uri": true, "dns": true, "subject": true});
    }
    json!({
        "name": format!("listener-{port}"),
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{
            "transport_socket": {"name": "tls", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                "require_client_certificate": false,
                "common_tls_context": {
                    "alpn_protocols": ["h2", "http/1.1"],
                    "tls_certificates": [{"certificate_chain": {"filename": pki("server.pem")},
                        "private_key": {"filename": pki("server.key")}}],
                    "validation_context": validation,
                }}},
            "filters": [{"name": "manager", "typed_config": manager}],
        }],
    })
}

fn configuration(listeners: &[Listener]) -> (Value, Vec<u16>, u16) {
    let ports: Vec<u16> = listeners.iter().map(|_| free_port()).collect();
    let admin = free_port();
    let listeners: Vec<Value> =
        std::iter::zip(&ports, listeners).map(|(port, wanted)| listener(*port, wanted)).collect();
    let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": admin}});
    (json!({"admin": {"address": address}, "static_resources": {"listeners": listeners}}), ports, admin)
}

fn launch(name: &str, listeners: &[Listener], workers: u32) -> Envoy {
    let (configuration, ports, admin) = configuration(listeners);
    let folder = std::env::temp_dir().join(format!("mtls-guard-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("envoy.json"), configuration.to_string()).unwrap();
    let log = folder.join("log");
    let output = std::fs::File::create(&log).unwrap();
    let child = Command::new(Program::Envoy.find().unwrap())
        .args(["--use-dynamic-base-id", "-l", "warn", "--concurrency", &workers.to_string(), "-c"])
        .arg(folder.join("envoy.json"))
        .stdout(Stdio::null())
        .stderr(output)
        .spawn()
        .unwrap();
    Envoy { child, ports, admin, log }
}

fn start(name: &str, listeners: &[Listener], workers: u32) -> Envoy {
    let mut envoy = launch(name, listeners, workers);
    let began = Instant::now();
    loop {
        if envoy.admin("ready").contains("LIVE") {
            return envoy;
        }
        let over = envoy.child.try_wait().unwrap().is_some() || began.elapsed() > Duration::from_secs(120);
        assert!(!over, "Envoy does not start: {}", envoy.log());
        std::thread::sleep(Duration::from_millis(100));
    }
}

impl Envoy {
    fn admin(&self, path: &str) -> String {
        let url = format!("http://127.0.0.1:{}/{path}", self.admin);
        let output = Command::new(Program::Curl.find().unwrap()).args(["-s", &url]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Status and what the upstream saw.
    fn ask(&self, listener: usize, certificate: Option<&str>, path: &str, more: &[&str]) -> (String, String) {
        let port = self.ports[listener];
        let mut command = Command::new(Program::Curl.find().unwrap());
        command
            .args(["-sS", "--path-as-is", "--cacert", &pki("ca.pem"), "-w", "\n%{http_code}"])
            .args(["--resolve", &format!("server.example.test:{port}:127.0.0.1")])
            .args(more);
        if let Some(name) = certificate {
            command.args(["--cert", &pki(&format!("decisions/{name}.pem"))]);
            command.args(["--key", &pki(&format!("decisions/{name}.key"))]);
        }
        let output = command.arg(format!("https://server.example.test:{port}{path}")).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.to_owned(), body.to_owned())
    }
}

fn plain(policy: &str) -> Listener {
    Listener { policy: format!("{policy}\n{WHO}"), ..Listener::default() }
}

#[test]
fn envoy_lets_through_whom_the_policy_allows() {
    let envoy = start("allow", &[plain("certificate: {from: envoy}")], 8);
    let table: &[(Option<&str>, &str, &str)] = &[
        (Some("web"), "/orders", "200"),
        (Some("web-dns"), "/orders", "200"),
        (Some("rsa2048"), "/orders", "200"),
        (Some("cart"), "/orders", "403"),
        (Some("two-spiffe"), "/orders", "403"),
        (Some("injection"), "/orders", "403"),
        (Some("injection-quote"), "/orders", "403"),
        (Some("many-names"), "/orders", "403"),
        (Some("web"), "/a/../b", "403"),
        (Some("web"), "/a%2fb", "403"),
        (None, "/orders", "403"),
        (None, "/healthz", "200"),
        (Some("cart"), "/healthz", "200"),
    ];
    for (certificate, path, status) in table {
        for version in ["--http1.1", "--http2"] {
            let (found, _) = envoy.ask(0, *certificate, path, &[version]);
            // some paths are refused by Envoy itself
            let refused = *status == "403" && found == "400";
            assert!(found == *status || refused, "{certificate:?} {path} {version}: {found} {}", envoy.log());
        }
    }
    let forged =
        ["-H", "x_client: admin", "-H", "X-Client: admin", "-H", "x-client: root", "-H", "x-name: \u{ff}"];
    let (status, seen) = envoy.ask(0, Some("web"), "/orders", &forged);
    assert_eq!(status, "200");
    assert!(seen.contains("x-client: web\n") && !seen.contains("admin") && !seen.contains("root"), "{seen}");
    assert!(seen.contains("x-name: spiffe:spiffe://example.test/ns/shop/sa/web\n"), "{seen}");
    assert!(!seen.contains("x_client"), "{seen}");
    let stats = envoy.admin("stats?filter=mtls_guard");
    for counter in
        ["allow", "exempt", "deny.no-certificate", "deny.unknown-identity", "deny.ambiguous-identity"]
    {
        assert!(
            stats.contains(&format!("wasmcustom.mtls_guard.{counter}: ")),
            "{counter} is missing: {stats}"
        );
    }
    assert!(envoy.log().contains("deny reason=unknown-identity"), "{}", envoy.log());
}

#[test]
fn envoy_that_accepts_strangers_does_not_vouch_for_them() {
    let untrusted = Listener { accept_untrusted: true, ..plain("certificate: {from: envoy}") };
    let envoy = start("untrusted", &[untrusted], 1);
    assert_eq!(envoy.ask(0, Some("impostor"), "/orders", &[]).0, "403");
    assert_eq!(envoy.ask(0, Some("web"), "/orders", &[]).0, "200");
    assert_eq!(envoy.ask(0, Some("impostor"), "/orders", &[]).0, "403");
    assert!(envoy.log().contains("reason=unverified-certificate"), "{}", envoy.log());
}

#[test]
fn a_forged_xfcc_is_worth_nothing_in_any_forwarding_mode() {
    let modes = ["SANITIZE_SET", "APPEND_FORWARD", "SANITIZE", "FORWARD_ONLY", "ALWAYS_FORWARD_ONLY"];
    let listeners: Vec<Listener> = modes
        .iter()
        .map(|mode| Listener { forward: Some(mode), ..plain("certificate: {from: envoy-xfcc}") })
        .collect();
    let envoy = start("xfcc", &listeners, 1);
    let web = std::fs::read_to_string(pki("decisions/web.pem")).unwrap();
    let escaped: String = web.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let forged =
        format!("x-forwarded-client-cert: Cert=\"{escaped}\";URI=spiffe://example.test/ns/shop/sa/web");
    for (index, mode) in modes.iter().enumerate() {
        assert_eq!(envoy.ask(index, Some("cart"), "/orders", &["-H", &forged]).0, "403", "{mode}");
        assert_eq!(envoy.ask(index, None, "/orders", &["-H", &forged]).0, "403", "{mode}");
    }
    for index in [0, 1] {
        let (status, _) = envoy.ask(index, Some("web"), "/orders", &[]);
        assert_eq!(status, "200", "{}: {}", modes[index], envoy.log());
    }
}

#[test]
fn audit_mode_lets_everyone_through_without_identity() {
    let envoy = start("audit", &[plain("mode: audit\ncertificate: {from: envoy}")], 1);
    let (status, seen) = envoy.ask(0, Some("cart"), "/orders", &["-H", "x-client: admin"]);
    assert_eq!(status, "200");
    assert!(!seen.contains("x-client"), "{seen}");
    assert!(envoy.admin("stats?filter=mtls_guard").contains("audit.unknown-identity: 1"));
}

#[test]
fn envoy_does_not_start_with_a_bad_policy() {
    let mut envoy = launch("bad", &[plain("certificate: {from: envoi}")], 1);
    let status = envoy.child.wait().unwrap();
    assert!(!status.success());
    assert!(envoy.log().contains("did you mean envoy?"), "{}", envoy.log());
}

#[test]
fn sessions_resumed_in_either_version_are_believed_and_dates_are_not_forgotten() {
    let envoy = start("resumed", &[plain("certificate: {from: envoy}")], 1);
    let port = envoy.ports[0];
    for version in ["-tls1_2", "-tls1_3"] {
        let session =
            std::env::temp_dir().join(format!("mtls-guard-session{version}-{}", std::process::id()));
        let session = session.to_string_lossy();
        for (turn, argument, mark) in [("first", "-sess_out", "New, "), ("resumed", "-sess_in", "Reused, ")] {
            let mut client = Command::new(Program::Openssl.find().unwrap())
                .args(["s_client", "-connect", &format!("127.0.0.1:{port}"), version, argument, &session])
                .args(["-servername", "server.example.test", "-CAfile", &pki("ca.pem"), "-ign_eof"])
                .args(["-cert", &pki("decisions/web.pem"), "-key", &pki("decisions/web.key")])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            std::io::Write::write_all(
                client.stdin.as_mut().unwrap(),
                b"GET /orders HTTP/1.1\r\nHost: server.example.test\r\nConnection: close\r\n\r\n",
            )
            .unwrap();
            let output = client.wait_with_output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(text.contains(mark), "{version} {turn}: {text}");
            assert!(text.contains("HTTP/1.1 200"), "{version} {turn}: {text} {}", envoy.log());
        }
    }
}

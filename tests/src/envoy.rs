//! A real Envoy with the finished module in it: configured, started, asked, told to reload.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cases::fixtures;
use crate::client::{self, Answer};
use crate::programs::{Program, Running, required, target};

/// One listener: TLS, filters, and what is unusual about it.
#[derive(Debug, Clone, Default)]
pub struct Listener {
    /// The HTTP filters before the last.
    pub filters: Vec<Value>,
    /// The port, or 0 for any.
    pub port: u16,
    /// Verification of clients is asked for and its result ignored.
    pub accept_untrusted: bool,
    /// `forward_client_cert_details`; with it all details are set.
    pub forward: Option<&'static str>,
    /// `use_remote_address`: no client chooses its address by X-Forwarded-For.
    pub remote_address: bool,
    /// `xff_num_trusted_hops`: so many proxies in front are believed about X-Forwarded-For.
    pub trusted_hops: u32,
    /// PEM of clients' authorities; fixtures/pki/decisions/ca.pem where not said.
    pub authorities: Option<String>,
    /// Instead, a file from which Envoy takes them anew whenever it changes (SDS); [`Listener::discovered`] is its text.
    pub discovery: Option<PathBuf>,
    /// The answer is fixed, instead of the headers that an upstream would have got.
    pub silent: bool,
}

/// A running Envoy; stopped when dropped.
#[derive(Debug)]
pub struct Envoy {
    running: Running,
    folder: PathBuf,
    /// The listeners' ports, in their order.
    pub ports: Vec<u16>,
    /// The administrator's port.
    pub admin: u16,
}

/// Whether the tests here have to be passed over: there is no Envoy, and nobody provisioned one.
pub fn absent() -> bool {
    match Program::Envoy.find() {
        Err(error) if !required() => {
            eprintln!("passed over: {error}");
            true
        }
        _ => false,
    }
}

/// A file of fixtures/pki.
pub fn pki(name: &str) -> String {
    fixtures().join("pki").join(name).to_string_lossy().into_owned()
}

/// The finished module.
///
/// # Panics
/// Nobody made it.
pub fn module() -> PathBuf {
    let module = target().join("dist/mtls_guard.wasm");
    assert!(module.is_file(), "{} is missing: run cargo run -p mtls-tests --bin dist", module.display());
    module
}

/// The filter with this policy. All of one machine's plugins share one instance per worker.
pub fn guard(policy: &str) -> Value {
    wasm("mtls-guard", &module(), policy)
}

/// A proxy-wasm filter with this configuration.
pub fn wasm(name: &str, module: &Path, configuration: &str) -> Value {
    json!({"name": name, "typed_config": {
    "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
    "config": {
        "name": name, "root_id": name,
        "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": configuration},
        "vm_config": {"vm_id": name, "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": module}}},
    }}})
}

/// A filter in Lua.
pub fn lua(script: &str) -> Value {
    json!({"name": "lua", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
        "default_source_code": {"inline_string": script}}})
}

/// Answers with the headers that an upstream would get; two of them also as headers, since HEAD has no body.
const ECHO: &str = "function envoy_on_request(handle)\n\
     local text = ''\n\
     for name, value in pairs(handle:headers()) do text = text .. name .. ': ' .. value .. '\\n' end\n\
     local headers = handle:headers()\n\
     handle:respond({[':status'] = '200', ['x-client'] = headers:get('x-client'), ['x-rule'] = headers:get('x-rule')}, text)\n\
   end";

/// A free port of this machine, free for as long as nobody takes it.
///
/// # Panics
/// There is none.
pub fn free_port() -> u16 {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    socket.local_addr().expect("its address").port()
}

// === impl Listener ===

impl Listener {
    /// The filter with this policy, and nothing unusual.
    pub fn guarded(policy: &str) -> Self {
        Listener { filters: vec![guard(policy)], ..Listener::default() }
    }

    /// How clients are verified.
    fn validation(&self) -> Value {
        let authorities = match &self.authorities {
            Some(pem) => json!({"inline_string": pem}),
            None => json!({"filename": pki("decisions/ca.pem")}),
        };
        let mut validation = json!({"trusted_ca": authorities});
        if self.accept_untrusted {
            validation["trust_chain_verification"] = json!("ACCEPT_UNTRUSTED");
        }
        validation
    }

    /// What the file of [`Listener::discovery`] says of this listener's clients.
    pub fn discovered(&self) -> String {
        let secret = json!({
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
            "name": "clients", "validation_context": self.validation(),
        });
        json!({"resources": [secret]}).to_string()
    }

    /// As Envoy's configuration has it. Routes are named by the header x-route; a denial's details are in x-details.
    pub fn configuration(&self, name: &str) -> Value {
        let validation = match &self.discovery {
            Some(path) => (
                "validation_context_sds_secret_config",
                json!({"name": "clients", "sds_config": {"path_config_source": {"path": path}}}),
            ),
            None => ("validation_context", self.validation()),
        };
        let route = |name: &str| {
            json!({"name": name, "direct_response": {"status": 200}, "match": {"prefix": "/",
                "headers": [{"name": "x-route", "string_match": {"exact": name}}]}})
        };
        let last = json!({"match": {"prefix": "/"}, "direct_response": {"status": 200}});
        let echo = (!self.silent).then(|| lua(ECHO));
        let router = json!({"name": "router", "typed_config":
            {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}});
        let filters: Vec<Value> = self.filters.iter().cloned().chain(echo).chain([router]).collect();
        let mut manager = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "x",
            "route_config": {"virtual_hosts": [{"name": "v", "domains": ["*"],
                "routes": [route("a"), route("b"), route("c"), last]}]},
            "http_filters": filters,
        });
        if !self.silent {
            manager["local_reply_config"] = json!({"mappers": [{
                "filter": {"status_code_filter": {"comparison":
                    {"op": "GE", "value": {"default_value": 300, "runtime_key": "none"}}}},
                "headers_to_add": [{"header": {"key": "x-details", "value": "%RESPONSE_CODE_DETAILS%"}}]}]});
        }
        if let Some(forward) = self.forward {
            manager["forward_client_cert_details"] = json!(forward);
            manager["set_current_client_cert_details"] =
                json!({"cert": true, "uri": true, "dns": true, "subject": true});
        }
        if self.remote_address {
            manager["use_remote_address"] = json!(true);
        }
        if self.trusted_hops > 0 {
            manager["xff_num_trusted_hops"] = json!(self.trusted_hops);
        }
        json!({
            "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
            "name": name,
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": self.port}},
            "filter_chains": [{
                "transport_socket": {"name": "tls", "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                    "require_client_certificate": false,
                    "common_tls_context": {
                        "alpn_protocols": ["h2", "http/1.1"],
                        "tls_certificates": [{"certificate_chain": {"filename": pki("server.pem")},
                            "private_key": {"filename": pki("server.key")}}],
                        validation.0: validation.1,
                    }}},
                "filters": [{"name": "manager", "typed_config": manager}],
            }],
        })
    }
}

// === impl Envoy ===

impl Envoy {
    /// Starts it with these listeners and waits until it serves.
    ///
    /// # Panics
    /// It does not start.
    pub fn start(name: &str, listeners: &[Listener], workers: u32) -> Self {
        let named = listeners.iter().enumerate();
        let mut configured: Vec<Value> =
            named.map(|(index, listener)| listener.configuration(&format!("listener-{index:03}"))).collect();
        for listener in &mut configured {
            listener.as_object_mut().expect("an object").remove("@type");
        }
        // what is discovered needs somebody who asks
        let node = json!({"id": name, "cluster": "tests"});
        let mut envoy =
            Self::launch(name, json!({"node": node, "static_resources": {"listeners": configured}}), workers);
        envoy.wait(listeners.len());
        envoy
    }

    /// Starts it with this bootstrap, to which the administrator is added, and does not wait.
    ///
    /// # Panics
    /// There is no Envoy.
    pub fn launch(name: &str, mut bootstrap: Value, workers: u32) -> Self {
        bootstrap["admin"] =
            json!({"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}});
        let folder = std::env::temp_dir().join(format!("mtls-guard-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("envoy.json"), bootstrap.to_string()).expect("a file");
        let mut command = Command::new(Program::Envoy.find().unwrap_or_else(|error| panic!("{error}")));
        command
            .args(["--use-dynamic-base-id", "-l", "warn", "--concurrency", &workers.to_string()])
            .args(["--drain-time-s", "5", "--drain-strategy", "immediate", "--admin-address-path"])
            .arg(folder.join("admin"))
            .arg("-c")
            .arg(folder.join("envoy.json"));
        let running =
            Running::start(&mut command, &folder.join("log")).unwrap_or_else(|error| panic!("{error}"));
        Self { running, folder, ports: Vec::new(), admin: 0 }
    }

    /// Waits until it serves this many listeners.
    ///
    /// # Panics
    /// It ended, or took more than two minutes.
    pub fn wait(&mut self, listeners: usize) {
        let began = Instant::now();
        loop {
            let address = std::fs::read_to_string(self.folder.join("admin")).unwrap_or_default();
            self.admin = address.rsplit(':').next().and_then(|port| port.trim().parse().ok()).unwrap_or(0);
            if self.admin != 0 && self.ask_admin("ready").body.contains("LIVE") {
                self.ports = self.listening();
                if self.ports.len() == listeners {
                    return;
                }
            }
            let over = self.ended() || began.elapsed() > Duration::from_secs(120);
            assert!(!over, "Envoy does not serve {listeners} listeners: {}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn listening(&self) -> Vec<u16> {
        let listeners: Value =
            serde_json::from_str(&self.ask_admin("listeners?format=json").body).unwrap_or_default();
        let mut ports: Vec<(String, u16)> = listeners["listener_statuses"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|status| {
                let port = status["local_address"]["socket_address"]["port_value"].as_u64()?;
                Some((status["name"].as_str()?.to_owned(), u16::try_from(port).ok()?))
            })
            .collect();
        ports.sort();
        ports.into_iter().map(|(_, port)| port).collect()
    }

    /// What the administrator is told.
    pub fn ask_admin(&self, path: &str) -> Answer {
        client::get(self.admin, path).unwrap_or_default()
    }

    /// One number of /stats, 0 if it is not there.
    pub fn stat(&self, name: &str) -> u64 {
        let text = self.ask_admin(&format!("stats?filter=^{}$", name.replace('.', "\\."))).body;
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")?.parse().ok()).unwrap_or(0)
    }

    /// The filter's counters, by what follows `mtls_guard.`, as soon as they add up to so many: the workers tell
    /// them once a second. After ten seconds as they are.
    pub fn counters_adding_up_to(&self, requests: u64) -> BTreeMap<String, u64> {
        let began = Instant::now();
        loop {
            let counters = self.counters();
            if counters.values().sum::<u64>() >= requests || began.elapsed() > Duration::from_secs(10) {
                return counters;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The filter's counters, by what follows `mtls_guard.`, as they were told.
    pub fn counters(&self) -> BTreeMap<String, u64> {
        let text = self.ask_admin("stats?filter=mtls_guard").body;
        let counter = |line: &str| {
            let (name, value) = line.strip_prefix("wasmcustom.mtls_guard.")?.split_once(": ")?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        text.lines().filter_map(counter).collect()
    }

    /// Whether it has ended.
    pub fn ended(&mut self) -> bool {
        self.running.ended().is_some()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.running.output()
    }

    /// Its process.
    pub fn process(&self) -> u32 {
        self.running.process()
    }

    /// A folder of its own.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

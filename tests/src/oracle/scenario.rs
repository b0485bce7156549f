//! Scenarios from a seed: which programs, what is wrong with each side's files, which settings.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::configuration as configure;
use crate::mint::certificate::{General, Name};
use crate::mint::plan::{Plan, Role};
use crate::mint::variation::{
    AUTHORITIES, BUNDLE_FILES, CLIENT_NAMES, CONSTRAINTS, DATES, FILES, KEYS, ODDITIES, PATHS, REVOCATIONS,
    SERVER_NAMES, SIGNATURES, USAGES, Variation,
};
use crate::seeded::Seeded;

/// One scenario, without its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenario {
    /// Seed and number: what repeats it.
    pub id: String,
    /// E1 curl or openssl → nginx, E2 etcdctl or curl → etcd, E3 nginx → nginx or etcd, E4 Envoy → nginx or etcd,
    /// E5 curl or openssl → Envoy, E7 etcd member ↔ etcd member.
    pub edge: String,
    /// What differs from a good set-up.
    pub factors: Vec<String>,
    /// Who dials.
    pub client: Actor,
    /// Who listens.
    pub server: Actor,
    /// The port dialled.
    pub port: u16,
    /// The plaintext request that makes a gateway dial.
    pub drive: Option<String>,
}

/// A program of a scenario.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Which program.
    pub kind: String,
    /// Its configuration file.
    pub config: Option<String>,
    /// Its environment, as a file of NAME=value lines.
    pub environment: Option<String>,
    /// Its command line, where a person would type one.
    #[serde(default)]
    pub argv: Vec<String>,
}

/// Paths below the machine's root, with contents.
pub type Files = BTreeMap<String, Vec<u8>>;

impl Scenario {
    /// What a person would have typed, with the environment in front; empty where the programs dial by themselves.
    pub fn command(&self, folder: &Path) -> Vec<String> {
        let environment = self.client.environment.as_ref();
        let environment = environment.and_then(|path| {
            fs::read_to_string(folder.join("rootfs").join(path.trim_start_matches('/'))).ok()
        });
        let mut command: Vec<String> = Vec::new();
        if !self.client.argv.is_empty() {
            command.extend(environment.unwrap_or_default().lines().map(str::to_owned));
            command.extend(self.client.argv.iter().cloned());
        }
        command
    }
}

/// Puts a scenario on disk: `scenario.json` and `rootfs/`.
///
/// # Errors
/// It cannot be written.
pub fn write(scenario: &Scenario, files: &Files, folder: &Path) -> Result<(), String> {
    let complain = |error: std::io::Error| format!("{}: {error}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(complain)?;
    }
    for (path, bytes) in files {
        let path = folder.join("rootfs").join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap_or(folder)).map_err(complain)?;
        fs::write(path, bytes).map_err(complain)?;
    }
    let text = serde_json::to_string_pretty(scenario).map_err(|error| error.to_string())?;
    fs::write(folder.join("scenario.json"), text + "\n").map_err(complain)
}

/// The scenario of a seed and a number.
pub fn generate(seed: u64, number: u32) -> (Scenario, Files) {
    let mut draw = Draw {
        source: Seeded::new(&format!("oracle {seed} {number}")),
        label: format!("oracle {seed} {number}"),
        factors: Vec::new(),
        files: Files::new(),
    };
    let edges = [("E1", 30), ("E2", 20), ("E3", 20), ("E4", 12), ("E5", 12), ("E7", 6)];
    let mut rest = draw.source.below(100);
    let mut edge = "E1";
    for (name, weight) in edges {
        edge = name;
        if rest < weight {
            break;
        }
        rest -= weight;
    }
    draw.files.insert("/etc/hosts".into(), HOSTS.into());
    let (client, server, port, drive) = match edge {
        "E1" => draw.command_to_nginx(),
        "E2" => draw.command_to_etcd(),
        "E3" => draw.nginx_upstream(),
        "E4" => draw.envoy_upstream(),
        "E5" => draw.command_to_envoy(),
        _ => draw.members(),
    };
    let scenario = Scenario {
        id: format!("{seed}-{number}"),
        edge: edge.into(),
        factors: draw.factors,
        client,
        server,
        port,
        drive,
    };
    (scenario, draw.files)
}

const HOSTS: &str = "127.0.0.1 localhost srv.example.test m1.example.test m2.example.test\n::1 localhost\n";

type Drawn = (Actor, Actor, u16, Option<String>);

struct Draw {
    source: Seeded,
    label: String,
    factors: Vec<String>,
    files: Files,
}

impl Draw {
    /// This often in a hundred, and then noted.
    fn option(&mut self, often: usize, name: &str) -> bool {
        let drawn = self.source.percent(often);
        if drawn {
            self.factors.push(name.to_owned());
        }
        drawn
    }

    /// One of the values this often in a hundred, and then noted.
    fn setting(&mut self, often: usize, name: &str, values: &[&str]) -> Option<String> {
        if !self.source.percent(often) {
            return None;
        }
        let value = (*self.source.pick(values)).to_owned();
        self.factors.push(format!("{name} {value}"));
        Some(value)
    }

    /// Client and server files below their folders: mostly one thing is wrong on one side, seldom on both.
    fn credentials(
        &mut self,
        client: &str,
        trusted_by_client: &str,
        server: &str,
        trusted_by_server: &str,
    ) -> [bool; 2] {
        let names = |name: &str| vec![General::Dns(format!("{name}.example.test"))];
        let mut of_client = Plan::new(Role::Client, &format!("{} c", self.label), "client", names("client"));
        let mut of_server = Plan::new(Role::Server, &format!("{} s", self.label), "server", names("srv"));
        let (vary_client, vary_server) = match self.source.below(100) {
            0..=5 => (false, false),
            6..=48 => (true, false),
            49..=90 => (false, true),
            _ => (true, true),
        };
        let common: &[&[Variation]] = &[
            KEYS,
            SIGNATURES,
            USAGES,
            DATES,
            PATHS,
            PATHS,
            AUTHORITIES,
            AUTHORITIES,
            CONSTRAINTS,
            ODDITIES,
            FILES,
            BUNDLE_FILES,
            REVOCATIONS,
        ];
        if vary_client {
            self.vary(&mut of_client, "client", &[common, &[CLIENT_NAMES]].concat());
        }
        if vary_server {
            self.vary(&mut of_server, "server", &[common, &[SERVER_NAMES]].concat());
        }
        let of_client =
            self.put(&of_client, client, "client", trusted_by_server, "client-ca.pem", "client-crl.pem");
        let of_server =
            self.put(&of_server, server, "server", trusted_by_client, "server-ca.pem", "server-crl.pem");
        [of_client, of_server]
    }

    fn vary(&mut self, plan: &mut Plan, side: &str, lists: &[&[Variation]]) {
        let count = if self.source.percent(15) { 2 } else { 1 };
        for _ in 0..count {
            let list = *self.source.pick(lists);
            let variation = *self.source.pick(list);
            (variation.change)(plan);
            self.factors.push(format!("{side}: {}", variation.name));
        }
    }

    /// Writes a plan's files; whether the peer has a revocation list for it.
    fn put(&mut self, plan: &Plan, own: &str, name: &str, peer: &str, bundle: &str, list: &str) -> bool {
        let minted = plan.mint();
        let files = [
            (format!("{own}/{name}.pem"), minted.certificate),
            (format!("{own}/{name}.key"), minted.key),
            (format!("{peer}/{bundle}"), minted.bundle),
            (format!("{peer}/{list}"), minted.revocations),
        ];
        for (path, bytes) in files {
            if let Some(bytes) = bytes {
                self.files.insert(path, bytes);
            }
        }
        plan.revocations.is_some()
    }

    fn file(&mut self, path: &str, text: String) -> Option<String> {
        self.files.insert(path.to_owned(), text.into_bytes());
        Some(path.to_owned())
    }

    /// curl or openssl with the client's files, dialling this port of srv.example.test.
    fn typed(&mut self, port: u16, path: &str, data: Option<&str>, curl_alone: bool) -> Actor {
        let without = self.option(6, "no client certificate");
        if !curl_alone && self.option(18, "openssl s_client") {
            let mut argv = vec![
                "openssl",
                "s_client",
                "-connect",
                "127.0.0.1:8443",
                "-CAfile",
                "/etc/client/server-ca.pem",
            ];
            argv.extend([
                "-verify_return_error",
                "-servername",
                "srv.example.test",
                "-verify_hostname",
                "srv.example.test",
            ]);
            argv.push("-quiet");
            if !without {
                argv.extend(["-cert", "/etc/client/client.pem", "-key", "/etc/client/client.key"]);
                if self.option(70, "-cert_chain") {
                    argv.extend(["-cert_chain", "/etc/client/client.pem"]);
                }
            }
            if self.option(15, "-tls1_2") {
                argv.push("-tls1_2");
            }
            return Actor {
                kind: "openssl".into(),
                argv: argv.into_iter().map(str::to_owned).collect(),
                ..Actor::default()
            };
        }
        let mut argv = vec!["curl", "-sS", "-v", "--http1.1", "--max-time", "6"];
        if self.option(5, "-k") {
            argv.push("-k");
        } else {
            argv.extend(["--cacert", "/etc/client/server-ca.pem"]);
        }
        if !without {
            argv.extend(["--cert", "/etc/client/client.pem", "--key", "/etc/client/client.key"]);
        }
        match self
            .setting(20, "curl", &["--tls-max 1.2", "--tlsv1.3", "--ciphers DEFAULT@SECLEVEL=0"])
            .as_deref()
        {
            Some("--tls-max 1.2") => argv.extend(["--tls-max", "1.2"]),
            Some("--tlsv1.3") => argv.push("--tlsv1.3"),
            Some(_) => argv.extend(["--ciphers", "DEFAULT@SECLEVEL=0"]),
            None => {}
        }
        argv.extend(data.iter().flat_map(|data| ["-d", data]));
        let url = format!("https://srv.example.test:{port}{path}");
        let argv = argv.into_iter().map(str::to_owned).chain([url]).collect();
        Actor { kind: "curl".into(), argv, ..Actor::default() }
    }

    fn nginx_server(&mut self, folder: &str, revocations: bool) -> Actor {
        let settings = configure::NginxServer {
            folder: folder.to_owned(),
            verify: self
                .setting(25, "ssl_verify_client", &["optional", "optional_no_ca", "off"])
                .unwrap_or("on".into()),
            depth: self.setting(25, "ssl_verify_depth", &["0", "1", "2", "3"]),
            protocols: self.setting(40, "ssl_protocols", &["TLSv1.2", "TLSv1.3", "TLSv1.2 TLSv1.3"]),
            authority: self
                .setting(8, "client CA by", &["ssl_trusted_certificate"])
                .unwrap_or("ssl_client_certificate".into()),
            revocations,
        };
        let config = self.file(&format!("{folder}/nginx.conf"), settings.text());
        Actor { kind: "nginx".into(), config, ..Actor::default() }
    }

    fn etcd_server(&mut self, revocations: bool, gateway: bool) -> Actor {
        let settings = configure::EtcdServer {
            client_auth: self.setting(30, "client-cert-auth", &["false", "unset"]).unwrap_or("true".into()),
            trusted: !self.option(8, "no trusted-ca-file"),
            revocations,
            gateway,
            allowed: self.setting(4, "allowed hostname", &["client.example.test", "other.example.test"]),
        };
        // lists of allowed names and revocations are flags and environment alone
        if settings.allowed.is_some() || revocations || self.option(30, "etcd by environment") {
            let environment = self.file("/etc/etcd/etcd.env", settings.environment());
            return Actor { kind: "etcd".into(), environment, ..Actor::default() };
        }
        let config = self.file("/etc/etcd/etcd.conf.yml", settings.yaml());
        Actor { kind: "etcd".into(), config, ..Actor::default() }
    }

    fn command_to_nginx(&mut self) -> Drawn {
        let [of_client, _] = self.credentials("/etc/client", "/etc/client", "/etc/nginx", "/etc/nginx");
        let server = self.nginx_server("/etc/nginx", of_client);
        (self.typed(8443, "/", None, false), server, 8443, None)
    }

    fn command_to_etcd(&mut self) -> Drawn {
        let [of_client, _] = self.credentials("/etc/client", "/etc/client", "/etc/etcd", "/etc/etcd");
        let by_curl = self.option(40, "curl");
        let gateway = !self.option(20, "gateway off");
        let server = self.etcd_server(of_client, gateway);
        if by_curl {
            let path = *self.source.pick(&["/health", "/version", "/v3/kv/range"]);
            self.factors.push(path.to_owned());
            let data = path.starts_with("/v3").then_some(r#"{"key":"Zm9v"}"#);
            return (self.typed(2379, path, data, true), server, 2379, None);
        }
        let without = self.option(5, "no client certificate");
        let environment = self.file("/etc/client/etcdctl.env", configure::etcdctl(without));
        let argv = ["etcdctl", "get", "foo"].map(str::to_owned).to_vec();
        (Actor { kind: "etcdctl".into(), environment, argv, ..Actor::default() }, server, 2379, None)
    }

    fn nginx_upstream(&mut self) -> Drawn {
        let folder = if self.option(25, "upstream etcd") { "/etc/etcd" } else { "/etc/upstream" };
        let [of_client, of_server] = self.credentials("/etc/gateway", "/etc/gateway", folder, folder);
        let (server, port, path) = self.upstream_in(folder, of_client);
        let settings = configure::NginxGateway {
            port,
            verify: self.setting(12, "proxy_ssl_verify", &["off"]).unwrap_or("on".into()),
            depth: self.setting(25, "proxy_ssl_verify_depth", &["0", "1", "2"]),
            name: self.setting(8, "proxy_ssl_name", &["srv.example.test", "other.example.test"]),
            server_name: self.setting(12, "proxy_ssl_server_name", &["off"]).unwrap_or("on".into()),
            protocols: self.setting(25, "proxy_ssl_protocols", &["TLSv1.2", "TLSv1.3", "TLSv1.2 TLSv1.3"]),
            credential: !self.option(6, "no client certificate"),
            revocations: of_server,
        };
        let config = self.file("/etc/gateway/nginx.conf", settings.text());
        let drive = Some(format!("http://127.0.0.1:8080{path}"));
        (Actor { kind: "nginx".into(), config, ..Actor::default() }, server, port, drive)
    }

    fn upstream_in(&mut self, folder: &str, revocations: bool) -> (Actor, u16, &'static str) {
        if folder == "/etc/etcd" {
            (self.etcd_server(revocations, true), 2379, "/health")
        } else {
            (self.nginx_server(folder, revocations), 8443, "/")
        }
    }

    fn envoy_upstream(&mut self) -> Drawn {
        let folder = if self.option(25, "upstream etcd") { "/etc/etcd" } else { "/etc/upstream" };
        let [of_client, of_server] = self.credentials("/etc/envoy", "/etc/envoy", folder, folder);
        let (server, port, path) = self.upstream_in(folder, of_client);
        let settings = configure::EnvoyUpstream {
            port,
            names: self.setting(20, "san matcher", &["none", "suffix", "address"]).unwrap_or("exact".into()),
            sni: !self.option(8, "no sni"),
            tls: configure::EnvoyTls {
                depth: self.setting(12, "max_verify_depth", &["0", "1", "2", "3"]),
                maximum: self.setting(15, "tls_maximum_protocol_version", &["TLSv1_3", "TLSv1_2"]),
                revocations: of_server,
                revocations_leaf_only: of_server && self.option(20, "only_verify_leaf_cert_crl"),
                untrusted: self.option(4, "ACCEPT_UNTRUSTED"),
                expired: self.option(6, "allow_expired_certificate"),
            },
            credential: !self.option(6, "no client certificate"),
        };
        let config = self.file("/etc/envoy/envoy.yaml", settings.text());
        let drive = Some(format!("http://127.0.0.1:10000{path}"));
        (Actor { kind: "envoy".into(), config, ..Actor::default() }, server, port, drive)
    }

    fn command_to_envoy(&mut self) -> Drawn {
        let [of_client, _] = self.credentials("/etc/client", "/etc/client", "/etc/envoy", "/etc/envoy");
        let settings = configure::EnvoyListener {
            require: self
                .setting(20, "require_client_certificate", &["false", "unset"])
                .unwrap_or("true".into()),
            tls: configure::EnvoyTls {
                depth: self.setting(15, "max_verify_depth", &["0", "1", "2", "3"]),
                maximum: self.setting(15, "tls_maximum_protocol_version", &["TLSv1_3", "TLSv1_2"]),
                revocations: of_client,
                revocations_leaf_only: of_client && self.option(20, "only_verify_leaf_cert_crl"),
                untrusted: self.option(4, "ACCEPT_UNTRUSTED"),
                expired: self.option(6, "allow_expired_certificate"),
            },
        };
        let config = self.file("/etc/envoy/envoy.yaml", settings.text());
        let server = Actor { kind: "envoy".into(), config, ..Actor::default() };
        (self.typed(8443, "/", None, false), server, 8443, None)
    }

    /// Two members of a cluster, each of which dials the other.
    fn members(&mut self) -> Drawn {
        let lists: &[&[Variation]] = &[USAGES, DATES, PATHS, AUTHORITIES, KEYS, ODDITIES];
        let varied = self.source.below(3);
        let mut actors = Vec::new();
        for (number, name) in ["m1", "m2"].into_iter().enumerate() {
            let names = vec![General::Dns(format!("{name}.example.test"))];
            let mut plan = Plan::new(Role::Peer, &format!("{} {name}", self.label), name, names);
            if varied == number || varied == 2 && self.source.percent(50) {
                match self.source.below(10) {
                    0..=1 => {
                        plan.leaf.names = vec![General::Dns("other.example.test".into())];
                        self.factors.push(format!("{name}: other name"));
                    }
                    2 => {
                        plan.leaf.names.clear();
                        plan.leaf.subject = Name::of(&format!("{name}.example.test"));
                        self.factors.push(format!("{name}: common name alone"));
                    }
                    3 => {
                        plan.leaf.names = vec![General::Dns("*.example.test".into())];
                        self.factors.push(format!("{name}: wildcard"));
                    }
                    _ => self.vary(&mut plan, name, lists),
                }
            }
            let (own, peer) = if name == "m1" { ("m1", "m2") } else { ("m2", "m1") };
            self.put(
                &plan,
                &format!("/etc/etcd-{own}"),
                "peer",
                &format!("/etc/etcd-{peer}"),
                "peer-ca.pem",
                "crl.pem",
            );
            let config = self.file(&format!("/etc/etcd-{name}/etcd.conf.yml"), configure::etcd_member(name));
            actors.push(Actor { kind: "etcd".into(), config, ..Actor::default() });
        }
        let client = actors.pop().unwrap_or_default();
        let server = actors.pop().unwrap_or_default();
        (client, server, 2380, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_and_a_number_repeat_a_scenario_with_all_its_files() {
        let (scenario, files) = generate(7, 3);
        assert_eq!(generate(7, 3), (scenario.clone(), files.clone()));
        assert_ne!(generate(7, 4).1, files);
        assert_eq!(scenario.id, "7-3");
    }

    #[test]
    fn sixty_scenarios_cover_every_edge() {
        let edges: std::collections::BTreeSet<String> =
            (0..60).map(|number| generate(3, number).0.edge).collect();
        assert_eq!(edges.into_iter().collect::<Vec<_>>(), ["E1", "E2", "E3", "E4", "E5", "E7"]);
    }
}

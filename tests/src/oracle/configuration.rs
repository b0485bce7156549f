//! The configurations of a scenario's programs, as a person would write them.

use serde_json::{Value, json};

/// An nginx that listens with TLS and asks for client certificates.
pub struct NginxServer {
    /// Where its files lie.
    pub folder: String,
    /// `ssl_verify_client`.
    pub verify: String,
    /// `ssl_verify_depth`, where set.
    pub depth: Option<String>,
    /// `ssl_protocols`, where set.
    pub protocols: Option<String>,
    /// The directive that names the clients' CA file.
    pub authority: String,
    /// Whether `ssl_crl` is set.
    pub revocations: bool,
}

impl NginxServer {
    /// nginx.conf.
    pub fn text(&self) -> String {
        let Self { folder, verify, authority, .. } = self;
        let mut lines = vec![
            "listen 127.0.0.1:8443 ssl;".to_owned(),
            "server_name srv.example.test;".to_owned(),
            format!("ssl_certificate {folder}/server.pem;"),
            format!("ssl_certificate_key {folder}/server.key;"),
            format!("{authority} {folder}/client-ca.pem;"),
            format!("ssl_verify_client {verify};"),
        ];
        lines.extend(self.depth.iter().map(|depth| format!("ssl_verify_depth {depth};")));
        lines.extend(self.protocols.iter().map(|protocols| format!("ssl_protocols {protocols};")));
        if self.revocations {
            lines.push(format!("ssl_crl {folder}/client-crl.pem;"));
        }
        lines.push("location / { return 200 \"verify=$ssl_client_verify\\n\"; }".to_owned());
        nginx("server", &lines)
    }
}

/// An nginx that dials an upstream with TLS.
pub struct NginxGateway {
    /// The upstream's port.
    pub port: u16,
    /// `proxy_ssl_verify`.
    pub verify: String,
    /// `proxy_ssl_verify_depth`, where set.
    pub depth: Option<String>,
    /// `proxy_ssl_name`, where set.
    pub name: Option<String>,
    /// `proxy_ssl_server_name`.
    pub server_name: String,
    /// `proxy_ssl_protocols`, where set.
    pub protocols: Option<String>,
    /// Whether it has a certificate to present.
    pub credential: bool,
    /// Whether `proxy_ssl_crl` is set.
    pub revocations: bool,
}

impl NginxGateway {
    /// nginx.conf.
    pub fn text(&self) -> String {
        let mut lines = vec![
            format!("proxy_pass https://srv.example.test:{};", self.port),
            format!("proxy_ssl_verify {};", self.verify),
            "proxy_ssl_trusted_certificate /etc/gateway/server-ca.pem;".to_owned(),
            format!("proxy_ssl_server_name {};", self.server_name),
        ];
        lines.extend(self.depth.iter().map(|depth| format!("proxy_ssl_verify_depth {depth};")));
        lines.extend(self.name.iter().map(|name| format!("proxy_ssl_name {name};")));
        lines.extend(self.protocols.iter().map(|protocols| format!("proxy_ssl_protocols {protocols};")));
        if self.credential {
            lines.push("proxy_ssl_certificate /etc/gateway/client.pem;".to_owned());
            lines.push("proxy_ssl_certificate_key /etc/gateway/client.key;".to_owned());
        }
        if self.revocations {
            lines.push("proxy_ssl_crl /etc/gateway/server-crl.pem;".to_owned());
        }
        let location = format!("location / {{\n            {}\n        }}", lines.join("\n            "));
        nginx("gateway", &["listen 127.0.0.1:8080;".to_owned(), location])
    }
}

fn nginx(name: &str, lines: &[String]) -> String {
    format!(
        "user root;\nworker_processes 1;\npid /run/{name}.pid;\nerror_log stderr info;\n\
         events {{ worker_connections 64; }}\nhttp {{\n    access_log off;\n    server {{\n        {}\n    }}\n}}\n",
        lines.join("\n        ")
    )
}

/// An etcd of one member.
pub struct EtcdServer {
    /// `client-cert-auth`: true, false or unset.
    pub client_auth: String,
    /// Whether `trusted-ca-file` is set.
    pub trusted: bool,
    /// Whether a revocation list is set.
    pub revocations: bool,
    /// Whether the gRPC gateway is on.
    pub gateway: bool,
    /// `client-cert-allowed-hostname`, where set.
    pub allowed: Option<String>,
}

impl EtcdServer {
    const PLAIN: &[(&str, &str)] = &[
        ("name", "e1"),
        ("data-dir", "/run/etcd/e1"),
        ("listen-client-urls", "https://127.0.0.1:2379,https://[::1]:2379"),
        ("advertise-client-urls", "https://srv.example.test:2379"),
        ("listen-peer-urls", "http://127.0.0.1:2380"),
        ("initial-advertise-peer-urls", "http://127.0.0.1:2380"),
        ("initial-cluster", "e1=http://127.0.0.1:2380"),
        ("logger", "zap"),
        ("log-level", "info"),
        ("heartbeat-interval", "20"),
        ("election-timeout", "200"),
    ];

    /// etcd.conf.yml.
    pub fn yaml(&self) -> String {
        let mut text: String = Self::PLAIN.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        text.push_str("log-outputs:\n- stderr\n");
        // off by default in files until 3.5
        text.push_str(&format!("enable-grpc-gateway: {}\n", self.gateway));
        text.push_str("client-transport-security:\n  cert-file: /etc/etcd/server.pem\n  key-file: /etc/etcd/server.key\n");
        if self.client_auth != "unset" {
            text.push_str(&format!("  client-cert-auth: {}\n", self.client_auth));
        }
        if self.trusted {
            text.push_str("  trusted-ca-file: /etc/etcd/client-ca.pem\n");
        }
        text
    }

    /// ETCD_* lines.
    pub fn environment(&self) -> String {
        let line = |(name, value): &(&str, &str)| {
            format!("ETCD_{}={value}\n", name.to_uppercase().replace('-', "_"))
        };
        let mut text: String = Self::PLAIN.iter().map(line).collect();
        let gateway = self.gateway.to_string();
        let mut rest = vec![
            ("log-outputs", "stderr"),
            ("enable-grpc-gateway", gateway.as_str()),
            ("cert-file", "/etc/etcd/server.pem"),
            ("key-file", "/etc/etcd/server.key"),
        ];
        if self.client_auth != "unset" {
            rest.push(("client-cert-auth", self.client_auth.as_str()));
        }
        if self.trusted {
            rest.push(("trusted-ca-file", "/etc/etcd/client-ca.pem"));
        }
        if self.revocations {
            rest.push(("client-crl-file", "/etc/etcd/client-crl.pem"));
        }
        if let Some(allowed) = &self.allowed {
            rest.push(("client-cert-allowed-hostname", allowed));
        }
        text.extend(rest.iter().map(line));
        text
    }
}

/// One of two members, m1 at 2380 and m2 at 12380.
pub fn etcd_member(name: &str) -> String {
    let (peer, client) = if name == "m1" { (2380, 2379) } else { (12380, 12379) };
    format!(
        "name: {name}\ndata-dir: /run/etcd/{name}\nlisten-client-urls: http://127.0.0.1:{client}\n\
         advertise-client-urls: http://127.0.0.1:{client}\nlisten-peer-urls: https://127.0.0.1:{peer}\n\
         initial-advertise-peer-urls: https://{name}.example.test:{peer}\n\
         initial-cluster: m1=https://m1.example.test:2380,m2=https://m2.example.test:12380\n\
         initial-cluster-state: new\npeer-transport-security:\n  cert-file: /etc/etcd-{name}/peer.pem\n  \
         key-file: /etc/etcd-{name}/peer.key\n  trusted-ca-file: /etc/etcd-{name}/peer-ca.pem\n  \
         client-cert-auth: true\nlogger: zap\nlog-outputs:\n- stderr\nlog-level: info\n\
         heartbeat-interval: 50\nelection-timeout: 500\n"
    )
}

/// etcdctl's environment.
pub fn etcdctl(without_certificate: bool) -> String {
    let mut text = "ETCDCTL_API=3\nETCDCTL_ENDPOINTS=https://srv.example.test:2379\n\
                    ETCDCTL_CACERT=/etc/client/server-ca.pem\n"
        .to_owned();
    if !without_certificate {
        text.push_str("ETCDCTL_CERT=/etc/client/client.pem\nETCDCTL_KEY=/etc/client/client.key\n");
    }
    text + "ETCDCTL_DIAL_TIMEOUT=2s\nETCDCTL_COMMAND_TIMEOUT=2s\n"
}

/// What both of Envoy's TLS contexts have.
pub struct EnvoyTls {
    /// `max_verify_depth`, where set.
    pub depth: Option<String>,
    /// `tls_maximum_protocol_version`, where set.
    pub maximum: Option<String>,
    /// Whether `crl` is set.
    pub revocations: bool,
    /// `only_verify_leaf_cert_crl`.
    pub revocations_leaf_only: bool,
    /// `trust_chain_verification: ACCEPT_UNTRUSTED`.
    pub untrusted: bool,
    /// `allow_expired_certificate`.
    pub expired: bool,
}

impl EnvoyTls {
    fn common(&self, own: Option<&str>, peer: &str) -> Value {
        let mut validation = json!({"trusted_ca": {"filename": format!("/etc/envoy/{peer}-ca.pem")}});
        if let Some(depth) = self.depth.as_deref().and_then(|depth| depth.parse::<u32>().ok()) {
            validation["max_verify_depth"] = json!(depth);
        }
        if self.revocations {
            validation["crl"] = json!({"filename": format!("/etc/envoy/{peer}-crl.pem")});
        }
        if self.revocations_leaf_only {
            validation["only_verify_leaf_cert_crl"] = json!(true);
        }
        if self.untrusted {
            validation["trust_chain_verification"] = json!("ACCEPT_UNTRUSTED");
        }
        if self.expired {
            validation["allow_expired_certificate"] = json!(true);
        }
        let mut common = json!({"validation_context": validation});
        if let Some(own) = own {
            common["tls_certificates"] = json!([{
                "certificate_chain": {"filename": format!("/etc/envoy/{own}.pem")},
                "private_key": {"filename": format!("/etc/envoy/{own}.key")},
            }]);
        }
        if let Some(maximum) = &self.maximum {
            common["tls_params"] = json!({"tls_maximum_protocol_version": maximum});
        }
        common
    }
}

/// An Envoy that dials an upstream with TLS.
pub struct EnvoyUpstream {
    /// The upstream's port.
    pub port: u16,
    /// Which names it demands: `exact`, `suffix`, `address`, `none`.
    pub names: String,
    /// Whether `sni` is set.
    pub sni: bool,
    /// The rest.
    pub tls: EnvoyTls,
    /// Whether it has a certificate to present.
    pub credential: bool,
}

const TYPES: &str = "type.googleapis.com/envoy.extensions";

impl EnvoyUpstream {
    /// envoy.yaml.
    pub fn text(&self) -> String {
        let mut common = self.tls.common(self.credential.then_some("client"), "server");
        let matcher = match self.names.as_str() {
            "exact" => json!([{"san_type": "DNS", "matcher": {"exact": "srv.example.test"}}]),
            "suffix" => json!([{"san_type": "DNS", "matcher": {"suffix": "example.test"}}]),
            "address" => json!([{"san_type": "IP_ADDRESS", "matcher": {"exact": "127.0.0.1"}}]),
            _ => Value::Null,
        };
        if !matcher.is_null() {
            common["validation_context"]["match_typed_subject_alt_names"] = matcher;
        }
        let mut context = json!({
            "@type": format!("{TYPES}.transport_sockets.tls.v3.UpstreamTlsContext"),
            "common_tls_context": common,
        });
        if self.sni {
            context["sni"] = json!("srv.example.test");
        }
        let route = json!({"match": {"prefix": "/"}, "route": {"cluster": "up", "timeout": "4s"}});
        let bootstrap = json!({"static_resources": {
            "listeners": [{
                "name": "l",
                "address": {"socket_address": {"address": "127.0.0.1", "port_value": 10000}},
                "filter_chains": [{"filters": [manager(route)]}],
            }],
            "clusters": [{
                "name": "up",
                "type": "STATIC",
                "connect_timeout": "2s",
                "load_assignment": {"cluster_name": "up", "endpoints": [{"lb_endpoints": [{"endpoint": {
                    "hostname": "srv.example.test",
                    "address": {"socket_address": {"address": "127.0.0.1", "port_value": self.port}},
                }}]}]},
                "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": context},
            }],
        }});
        yaml(&bootstrap)
    }
}

/// An Envoy that listens with TLS and asks for client certificates.
pub struct EnvoyListener {
    /// `require_client_certificate`: true, false or unset.
    pub require: String,
    /// The rest.
    pub tls: EnvoyTls,
}

impl EnvoyListener {
    /// envoy.yaml.
    pub fn text(&self) -> String {
        let mut context = json!({
            "@type": format!("{TYPES}.transport_sockets.tls.v3.DownstreamTlsContext"),
            "common_tls_context": self.tls.common(Some("server"), "client"),
        });
        if self.require != "unset" {
            context["require_client_certificate"] = json!(self.require == "true");
        }
        let route = json!({
            "match": {"prefix": "/"},
            "direct_response": {"status": 200, "body": {"inline_string": "hello\n"}},
        });
        let bootstrap = json!({"static_resources": {"listeners": [{
            "name": "l",
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": 8443}},
            "filter_chains": [{
                "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": context},
                "filters": [manager(route)],
            }],
        }]}});
        yaml(&bootstrap)
    }
}

fn manager(route: Value) -> Value {
    json!({
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": format!("{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager"),
            "stat_prefix": "in",
            "route_config": {"name": "r", "virtual_hosts": [{"name": "v", "domains": ["*"], "routes": [route]}]},
            "http_filters": [{
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": format!("{TYPES}.filters.http.router.v3.Router")},
            }],
        },
    })
}

fn yaml(bootstrap: &Value) -> String {
    serde_yaml::to_string(bootstrap).expect("a JSON value is YAML")
}

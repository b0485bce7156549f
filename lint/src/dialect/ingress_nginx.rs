//! ingress-nginx: what the annotations `nginx.ingress.kubernetes.io/…` of an Ingress ask for.
//!
//! Facts are those of the controller's source: annotations/authtls and annotations/proxyssl (what is read, defaults,
//! what denies a location), controller.go (the first Secret with `ca.crt` holds for the whole host) and the template
//! (`ssl_verify_client` stands in the host's server block, `proxy_ssl_verify` only where the Secret has `ca.crt`).

use super::kubernetes::Ingress;
use crate::source::{Located, Span};

/// One Ingress, as far as its annotations concern certificates.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `Ingress edge/shop`.
    pub name: Located<String>,
    /// Its namespace.
    pub namespace: String,
    /// Hosts of its rules.
    pub hosts: Vec<Located<String>>,
    /// Hosts of its `tls`, in lower case; None: a `tls` without hosts.
    pub tls_hosts: Option<Vec<String>>,
    /// `auth-tls-secret`: whose certificates clients must have.
    pub client_secret: Option<Located<String>>,
    /// `auth-tls-verify-client`; `on` where it is none of the four words.
    pub verify_client: Option<Located<String>>,
    /// `auth-tls-verify-depth`; 1 where it is none, or 0.
    pub verify_depth: Option<Located<u32>>,
    /// `auth-tls-match-cn`: an expression that the subject must match.
    pub match_common_name: Option<Located<String>>,
    /// The first other `auth-tls-…`: its name.
    pub client_option: Option<Located<String>>,
    /// `proxy-ssl-secret`: the controller's own certificate and the CA of the servers behind.
    pub server_secret: Option<Located<String>>,
    /// `proxy-ssl-verify`.
    pub verify_server: Option<Located<bool>>,
    /// The first other `proxy-ssl-…`: its name.
    pub server_option: Option<Located<String>>,
    /// `backend-protocol` is HTTPS or GRPCS.
    pub tls_behind: Option<Span>,
    /// `ssl-redirect`.
    pub redirects: Option<Located<bool>>,
    /// `force-ssl-redirect`.
    pub forces_redirect: bool,
    /// `ssl-passthrough: "true"`.
    pub passes_through: Option<Span>,
    /// A snippet may say anything.
    pub snippet: bool,
}

const PREFIX: &str = "nginx.ingress.kubernetes.io/";

/// Controllers that read none of these annotations, by a part of their class.
const OTHERS: [&str; 13] = [
    "traefik",
    "haproxy",
    "kong",
    "apisix",
    "istio",
    "contour",
    "alb",
    "gce",
    "azure/",
    "azure-",
    "cilium",
    "ambassador",
    "openshift",
];

impl Settings {
    /// Reads an Ingress; None where another controller serves it.
    pub fn read(ingress: &Ingress) -> Option<Self> {
        let metadata = &ingress.metadata;
        let class = ingress.class.as_ref().or(metadata.annotation("kubernetes.io/ingress.class"));
        if class.is_some_and(|class| OTHERS.iter().any(|other| class.value.contains(other))) {
            return None;
        }
        let find = |name: &str| {
            metadata.annotations.iter().find(|pair| pair.key.value.strip_prefix(PREFIX) == Some(name))
        };
        let text = |name: &str| find(name).map(|pair| pair.value.clone());
        let flag = |name: &str| {
            let value = text(name)?;
            // strconv.ParseBool
            let truth = match value.value.as_str() {
                "true" | "1" | "t" | "T" | "TRUE" | "True" => true,
                "false" | "0" | "f" | "F" | "FALSE" | "False" => false,
                _ => return None,
            };
            Some(Located::new(truth, value.span))
        };
        let first = |prefix: &str, secret: &str| {
            let named = metadata.annotations.iter().find(|pair| {
                let name = pair.key.value.strip_prefix(PREFIX).unwrap_or_default();
                name.starts_with(prefix) && name != secret
            });
            named.map(|pair| pair.key.clone())
        };
        let protocol = text("backend-protocol");
        let behind = protocol
            .filter(|protocol| matches!(protocol.value.to_ascii_uppercase().as_str(), "HTTPS" | "GRPCS"));
        let tls_hosts = ingress.tls.iter().map(|tls| {
            let hosts = tls.hosts.iter().map(|host| host.value.to_ascii_lowercase());
            hosts.collect::<Vec<String>>()
        });
        let tls_hosts: Vec<Vec<String>> = tls_hosts.collect();
        let anything = tls_hosts.iter().any(Vec::is_empty);
        Some(Self {
            name: Located::new(format!("Ingress {}", metadata.path()), metadata.name.span),
            namespace: metadata.namespace().to_owned(),
            hosts: ingress.hosts.clone(),
            tls_hosts: (!anything).then(|| tls_hosts.concat()),
            client_secret: text("auth-tls-secret"),
            verify_client: text("auth-tls-verify-client"),
            verify_depth: text("auth-tls-verify-depth").and_then(|depth| {
                let number = depth.value.parse().ok().filter(|number| *number > 0)?;
                Some(Located::new(number, depth.span))
            }),
            match_common_name: text("auth-tls-match-cn"),
            client_option: first("auth-tls-", "auth-tls-secret"),
            server_secret: text("proxy-ssl-secret"),
            verify_server: text("proxy-ssl-verify")
                .map(|value| Located::new(value.value == "on", value.span)),
            server_option: first("proxy-ssl-", "proxy-ssl-secret"),
            tls_behind: behind.map(|protocol| protocol.span),
            redirects: flag("ssl-redirect"),
            forces_redirect: flag("force-ssl-redirect").is_some_and(|flag| flag.value),
            passes_through: flag("ssl-passthrough").filter(|flag| flag.value).map(|flag| flag.span),
            snippet: metadata.annotations.iter().any(|pair| pair.key.value.ends_with("-snippet")),
        })
    }

    /// Whether clients of a host reach it by TLS with a certificate of its own.
    pub fn has_tls(&self, host: &str) -> bool {
        let Some(hosts) = &self.tls_hosts else { return true };
        let host = host.to_ascii_lowercase();
        hosts.iter().any(|own| {
            *own == host
                || own
                    .strip_prefix("*.")
                    .is_some_and(|rest| host.split_once('.').is_some_and(|(_, parent)| parent == rest))
        })
    }

    /// Whether it asks for client certificates: a Secret is named, and it is not switched off.
    pub fn asks_clients(&self) -> bool {
        self.client_secret.is_some() && self.verify_client.as_ref().is_none_or(|mode| mode.value != "off")
    }
}

/// `namespace/name`, as the controller insists on it.
pub fn split_name(value: &str) -> Option<(&str, &str)> {
    let (namespace, name) = value.split_once('/')?;
    (!namespace.is_empty() && !name.is_empty() && !name.contains('/')).then_some((namespace, name))
}

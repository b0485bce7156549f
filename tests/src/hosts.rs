//! Gateways imitated for the filter: the properties, statuses and clocks of facts/GATEWAYS.md, one request each.

use std::cell::RefCell;
use std::collections::BTreeMap;

use mtls_guard::host::{Family, HeaderMap, Host, HostError, Level};
use rustls_pki_types::UnixTime;

/// proxy-wasm's BAD_ARGUMENT.
const BAD_ARGUMENT: u32 = 2;
/// proxy-wasm's UNIMPLEMENTED.
const UNIMPLEMENTED: u32 = 12;

/// Which gateway's habits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gateway {
    /// Envoy 1.40.
    Envoy,
    /// APISIX 3.18.
    Apisix,
    /// Kong with ngx_wasm_module.
    Kong,
}

/// A gateway with one request in hand, and what the filter did to it.
#[derive(Debug)]
pub struct Scripted {
    /// Whose habits.
    pub gateway: Gateway,
    /// Properties by their path, segments joined by dots.
    pub properties: BTreeMap<String, Vec<u8>>,
    /// The request's headers, with its pseudo-headers.
    pub headers: RefCell<Vec<(Vec<u8>, Vec<u8>)>>,
    /// The time, seconds since 1970.
    pub at: u64,
    /// The status of the denial that was sent, and its details.
    pub response: RefCell<Option<(u32, String)>>,
    /// Its headers and body.
    pub answer: RefCell<(Vec<(String, String)>, String)>,
    /// Counters.
    pub counts: RefCell<BTreeMap<String, u64>>,
    /// Log lines.
    pub logged: RefCell<Vec<String>>,
    /// How many host functions were called.
    pub calls: RefCell<Vec<&'static str>>,
    /// What workers share.
    pub shared: RefCell<BTreeMap<String, Vec<u8>>>,
    /// The function that fails, with its status.
    pub broken: Option<(&'static str, u32)>,
}

impl Scripted {
    /// A request without any certificate.
    pub fn new(gateway: Gateway, at: u64, headers: &[(&str, &str)]) -> Self {
        let mut properties = BTreeMap::new();
        match gateway {
            Gateway::Envoy => {
                properties.insert("connection.mtls".to_owned(), vec![0]);
            }
            Gateway::Apisix | Gateway::Kong => {
                let prefix = if gateway == Gateway::Kong { "ngx." } else { "" };
                let sent =
                    |name: &str| headers.iter().find(|(found, _)| *found == name).map(|(_, value)| *value);
                let host = sent(":authority").unwrap_or_default();
                let routed = host.rsplit_once(':').map_or(host, |(host, _)| host).to_ascii_lowercase();
                for (name, value) in [
                    ("ssl_client_verify", "NONE"),
                    ("msec", &format!("{at}.132")),
                    ("host", routed.trim_end_matches('.')),
                    ("http_host", host),
                    ("request_uri", sent(":path").unwrap_or_default()),
                ] {
                    properties.insert(format!("{prefix}{name}"), value.as_bytes().to_vec());
                }
            }
        }
        // nginx has the host as a header
        let named = |name: &str| match (gateway, name) {
            (Gateway::Apisix, ":authority") => b"host".to_vec(),
            _ => name.as_bytes().to_vec(),
        };
        let headers = headers.iter().map(|(name, value)| (named(name), value.as_bytes().to_vec()));
        Scripted {
            gateway,
            properties,
            headers: RefCell::new(headers.collect()),
            at,
            response: RefCell::default(),
            answer: RefCell::default(),
            counts: RefCell::default(),
            logged: RefCell::default(),
            calls: RefCell::default(),
            shared: RefCell::default(),
            broken: None,
        }
    }

    /// Sets a property.
    #[must_use]
    pub fn with(mut self, path: &str, value: impl AsRef<[u8]>) -> Self {
        self.properties.insert(path.to_owned(), value.as_ref().to_vec());
        self
    }

    /// The client authenticated with this certificate.
    #[must_use]
    pub fn with_certificate(self, pem: &str, sha256: &[u8]) -> Self {
        match self.gateway {
            Gateway::Envoy => self
                .with("connection.mtls", [1])
                .with("connection.peer_certificate_valid", [1])
                .with(
                    "connection.sha256_peer_certificate_digest",
                    mtls_identity::certificate::hexadecimal(sha256),
                )
                .with("connection.peer_certificate", pem),
            Gateway::Apisix => self.with("ssl_client_verify", "SUCCESS").with("ssl_client_raw_cert", pem),
            Gateway::Kong => {
                self.with("ngx.ssl_client_verify", "SUCCESS").with("ngx.ssl_client_raw_cert", pem)
            }
        }
    }

    /// The values of a header, as the upstream would see them.
    pub fn upstream(&self, name: &str) -> Vec<String> {
        let headers = self.headers.borrow();
        let same = headers.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()));
        same.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
    }

    /// The headers that the gateway hands over: nginx's modules stop after a hundred and say nothing.
    fn handed_over(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let headers = self.headers.borrow();
        let pseudo = |pseudo: bool| headers.iter().filter(move |(name, _)| name.starts_with(b":") == pseudo);
        match self.gateway {
            Gateway::Envoy => headers.clone(),
            Gateway::Apisix => pseudo(false).take(100).chain(pseudo(true)).cloned().collect(),
            Gateway::Kong => pseudo(true).chain(pseudo(false)).take(100).cloned().collect(),
        }
    }

    fn called(&self, call: &'static str) -> Result<(), HostError> {
        self.calls.borrow_mut().push(call);
        match self.broken {
            Some((broken, status)) if broken == call => Err(HostError { call, status }),
            _ => Ok(()),
        }
    }
}

impl Host for Scripted {
    fn family(&self) -> Family {
        if self.gateway == Gateway::Envoy { Family::Envoy } else { Family::Nginx }
    }

    fn property(&self, path: &[&str]) -> Result<Option<Vec<u8>>, HostError> {
        self.called("proxy_get_property")?;
        if path.is_empty() {
            return Err(HostError { call: "proxy_get_property", status: BAD_ARGUMENT });
        }
        let key = match self.gateway {
            Gateway::Envoy | Gateway::Kong => path.join("."),
            // one segment is the name of an nginx variable, whatever its case; several are nothing
            Gateway::Apisix => match path {
                [name] => name.to_ascii_lowercase(),
                _ => return Ok(None),
            },
        };
        Ok(self.properties.get(&key).cloned())
    }

    fn header(&self, name: &str) -> Result<Option<Vec<u8>>, HostError> {
        self.called("proxy_get_header_map_value")?;
        let headers = self.handed_over();
        let mut found = headers.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()));
        Ok(found.next().map(|(_, value)| value.clone()))
    }

    fn headers(&self) -> Result<HeaderMap, HostError> {
        self.called("proxy_get_header_map_pairs")?;
        Ok(HeaderMap::from_pairs(&self.handed_over()))
    }

    fn set_header(&self, name: &str, value: &str) -> Result<(), HostError> {
        self.called("proxy_replace_header_map_value")?;
        let mut headers = self.headers.borrow_mut();
        headers.retain(|(found, _)| !found.eq_ignore_ascii_case(name.as_bytes()));
        headers.push((name.as_bytes().to_vec(), value.as_bytes().to_vec()));
        Ok(())
    }

    fn remove_header(&self, name: &[u8]) -> Result<(), HostError> {
        self.called("proxy_remove_header_map_value")?;
        self.headers.borrow_mut().retain(|(found, _)| !found.eq_ignore_ascii_case(name));
        Ok(())
    }

    fn respond(
        &self,
        status: u32,
        details: &str,
        headers: &[(String, String)],
        body: &str,
    ) -> Result<(), HostError> {
        self.called("proxy_send_local_response")?;
        *self.response.borrow_mut() = Some((status, details.to_owned()));
        *self.answer.borrow_mut() = (headers.to_vec(), body.to_owned());
        Ok(())
    }

    fn count(&self, counter: &str) {
        *self.counts.borrow_mut().entry(counter.to_owned()).or_default() += 1;
    }

    fn log(&self, _: Level, message: &str) {
        self.logged.borrow_mut().push(message.to_owned());
    }

    fn now(&self) -> Result<UnixTime, HostError> {
        self.called("now")?;
        let seconds = match self.gateway {
            Gateway::Envoy => Some(self.at),
            Gateway::Apisix | Gateway::Kong => self
                .properties
                .get(if self.gateway == Gateway::Kong { "ngx.msec" } else { "msec" })
                .and_then(|text| std::str::from_utf8(text).ok()?.split('.').next()?.parse().ok()),
        };
        let seconds =
            seconds.ok_or(HostError { call: "proxy_get_current_time_nanoseconds", status: UNIMPLEMENTED })?;
        Ok(UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)))
    }

    fn remember(&self, key: &str, value: &[u8]) {
        if self.gateway == Gateway::Envoy {
            self.shared.borrow_mut().insert(key.to_owned(), value.to_vec());
        }
    }

    fn recall(&self, key: &str) -> Option<Vec<u8>> {
        self.shared.borrow().get(key).cloned()
    }
}

//! One of etcd's two sides, client and peer: what it presents, whom it trusts, how it listens and dials.

use std::net::{IpAddr, Ipv4Addr};

use super::{bound, sni};
use crate::deployment::{
    ClientAuth, ClientAuthMode, ClientTls, Credential, Dialer, DialerPurpose, FileRef, ListenerTls, Lookup,
    NameCheck, PathChecks, Protocol, Protocols, Selection, ServerContext, Setting, Speaks, Target, Trust,
    TrustLoader, Version,
};
use crate::dialect::etcd::{EtcdConfig, Security};
use crate::resolve::World;
use crate::resolve::machine::Machine;
use crate::source::Located;
use crate::syntax::url::Url;

/// Reads files as this etcd does.
pub(super) struct Reader<'w> {
    pub world: &'w World<'w>,
    pub machine: &'w Machine,
    pub base: String,
}

impl Reader<'_> {
    fn read(&self, path: &Located<String>) -> FileRef {
        self.machine.read(&self.world.index, path, &self.base)
    }
}

/// One of etcd's two sides, with what applies to both.
pub(super) struct Side<'s> {
    pub security: &'s Security,
    pub files: &'s Reader<'s>,
    pub config: &'s EtcdConfig,
}

impl Side<'_> {
    /// What the side presents as a server, `as_client` as a client.
    fn credential(&self, as_client: bool) -> Option<Credential> {
        let security = self.security;
        let (certificate, key) = match (&security.client_cert_file, as_client) {
            (Some(certificate), true) => (Some(certificate), &security.client_key_file),
            _ => (security.cert_file.as_ref(), &security.key_file),
        };
        if let Some(certificate) = certificate {
            return Some(Credential {
                certificate: self.files.read(certificate),
                key: key.as_ref().map(|key| self.files.read(key)),
                passphrase: None,
            });
        }
        if !*security.auto_tls.value() || !security.is_empty() {
            return None;
        }
        let made = |name: &str| FileRef {
            path: Located::new(name.to_owned(), security.auto_tls.span()),
            content: Lookup::Unseen("etcd makes its own certificate at start (auto-tls)".to_owned()),
            mode: None,
        };
        Some(Credential {
            certificate: made("fixtures/cert.pem"),
            key: Some(made("fixtures/key.pem")),
            passphrase: None,
        })
    }

    /// What the side loads when etcd starts, whether or not one of its URLs speaks TLS (`rafthttp.NewRoundTripper`;
    /// seen with 3.4.23).
    pub fn at_start(&self) -> (Option<Credential>, Vec<Trust>) {
        let pair = self.credential(false).filter(|_| self.security.cert_file.is_some());
        let bundle = self.security.trusted_ca_file.is_some();
        (pair, if bundle { self.trust() } else { Vec::new() })
    }

    /// `auto-tls` is in force: the other settings of the side are lost (`transport.SelfCert` makes new ones).
    fn self_signed(&self) -> bool {
        *self.security.auto_tls.value() && self.security.is_empty()
    }

    fn trust(&self) -> Vec<Trust> {
        match &self.security.trusted_ca_file {
            Some(path) => vec![Trust::File { file: self.files.read(path), loader: TrustLoader::Go }],
            None => vec![Trust::System(self.security.span)],
        }
    }

    /// `allowed-cn` or `allowed-hostname`, which hold for both roles.
    fn names(&self) -> Vec<Located<NameCheck>> {
        let common = self.security.allowed_cn.iter().cloned().map(|name| name.map(NameCheck::CommonName));
        let host = self.security.allowed_hostname.iter().cloned().map(|name| name.map(NameCheck::Hostname));
        common.chain(host).collect()
    }

    pub fn server_tls(&self, compares_address: bool) -> ListenerTls {
        let security = self.security;
        let mode = match (&security.trusted_ca_file, &security.client_cert_auth) {
            _ if self.self_signed() => Setting::Default { value: ClientAuthMode::Off, parent: security.span },
            // either setting alone makes it insist (listener.go, ServerConfig)
            (_, Setting::Given(auth)) if auth.value => {
                Setting::Given(Located::new(ClientAuthMode::Required, auth.span))
            }
            (Some(bundle), _) => Setting::Given(Located::new(ClientAuthMode::Required, bundle.span)),
            (None, Setting::Given(auth)) => Setting::Given(Located::new(ClientAuthMode::Off, auth.span)),
            (None, Setting::Default { parent, .. }) => {
                Setting::Default { value: ClientAuthMode::Off, parent: *parent }
            }
        };
        let asks = *mode.value() != ClientAuthMode::Off;
        let skips = *security.skip_client_san_verification.value();
        ListenerTls {
            contexts: vec![ServerContext {
                names: Vec::new(),
                credentials: self.credential(false).into_iter().collect(),
                client_auth: ClientAuth {
                    mode,
                    trust: if asks { self.trust() } else { Vec::new() },
                    checks: PathChecks {
                        crls: security.crl_file.iter().map(|path| self.files.read(path)).collect(),
                        names: if self.self_signed() { Vec::new() } else { self.names() },
                        peer_address: compares_address && !skips,
                        ..PathChecks::default()
                    },
                    skip_paths: Vec::new(),
                },
                protocols: self.protocols(true),
                ciphers: self.suites(),
                algorithms: crate::deployment::Algorithms::default(),
                rejects_handshake: false,
                refusals: Vec::new(),
                span: security.span,
            }],
            selection: Selection::Single,
        }
    }

    /// The dial to another member.
    pub fn dialer(&self, url: &Located<Url>) -> Option<Dialer> {
        let tls = is_tls(&url.value).then(|| {
            let verified = !self.self_signed();
            ClientTls {
                credential: self.credential(true),
                trust: self.trust(),
                server_name: sni(&url.value.host),
                reference: Some(Located::new(url.value.host.clone(), url.span)),
                checks: PathChecks {
                    // without a certificate of its own the settings are not looked at (TLSInfo.ClientConfig)
                    names: if self.security.is_empty() { Vec::new() } else { self.names() },
                    ..PathChecks::default()
                },
                ciphers: self.suites(),
                ..ClientTls::new(
                    Setting::Default { value: verified, parent: self.security.span },
                    self.protocols(false),
                    self.security.span,
                )
            }
        });
        let port = url.value.port?;
        let target = Target {
            url: url.value.to_string(),
            host: Located::new(url.value.host.clone(), url.span),
            port,
            connect_to: None,
        };
        Some(Dialer { tls, ..Dialer::new(DialerPurpose::Peer, target, url.span) })
    }

    /// The gateway's dial to its own port: with the server's certificate, without a look at the server's.
    pub fn gateway(&self, url: &Located<Url>) -> Dialer {
        let address = bound(&url.value).flatten().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let target = Target {
            url: url.value.to_string(),
            host: Located::new(url.value.host.clone(), url.span),
            port: url.value.port.unwrap_or_default(),
            connect_to: url.value.port.map(|port| (address.to_string(), port)),
        };
        Dialer {
            tls: Some(ClientTls {
                credential: self.credential(true),
                server_name: sni(&url.value.host),
                checks: PathChecks { names: self.names(), ..PathChecks::default() },
                ciphers: self.suites(),
                ..ClientTls::new(
                    Setting::Default { value: false, parent: self.security.span },
                    self.protocols(true),
                    self.security.span,
                )
            }),
            speaks: Speaks::Http2,
            ..Dialer::new(DialerPurpose::Gateway, target, url.span)
        }
    }

    /// TLS 1.2 and 1.3, as far as settings and version allow.
    ///
    /// 3.5.0 to 3.5.7 serve TLS 1.2 only (`ServerConfig` set MaxVersion until pull request 15483); 3.4.23 was seen
    /// to serve 1.3.
    fn protocols(&self, server: bool) -> Setting<Protocols> {
        let version = self.config.version;
        let named = |setting: &Option<Located<String>>, default| match setting
            .as_ref()
            .map(|text| text.value.as_str())
        {
            Some("TLS1.2") => Protocol::Tls12,
            Some("TLS1.3") => Protocol::Tls13,
            _ => default,
        };
        let capped = server && version >= Version(3, 5, 0) && version < Version(3, 5, 8);
        let highest =
            named(&self.config.tls_max_version, if capped { Protocol::Tls12 } else { Protocol::Tls13 });
        let lowest = named(&self.config.tls_min_version, Protocol::Tls12);
        let versions = [Protocol::Tls12, Protocol::Tls13]
            .into_iter()
            .filter(|protocol| *protocol >= lowest && *protocol <= highest)
            .collect();
        let value = Protocols { versions };
        match self.config.tls_max_version.as_ref().or(self.config.tls_min_version.as_ref()) {
            Some(setting) => Setting::Given(Located::new(value, setting.span)),
            None => Setting::Default { value, parent: self.security.span },
        }
    }

    fn suites(&self) -> Option<Located<String>> {
        let suites = &self.config.cipher_suites;
        let first = suites.first()?;
        let names: Vec<&str> = suites.iter().map(|suite| suite.value.as_str()).collect();
        Some(Located::new(names.join(","), first.span))
    }
}

pub(super) fn is_tls(url: &Url) -> bool {
    matches!(url.scheme.as_str(), "https" | "unixs")
}

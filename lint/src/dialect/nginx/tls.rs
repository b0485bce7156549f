//! TLS settings in force at a server, and towards an upstream.

use mtls_identity::sorted;

use super::scope::Scope;
use crate::deployment::{Algorithms, ClientAuthMode, Protocol, Protocols, Setting, Version};
use crate::source::{Located, Span};
use crate::syntax::nginx::Directive;

/// `ssl_*` in force for a `server` block.
#[derive(Debug, Clone)]
pub struct ServerTls {
    /// The old `ssl on`, which makes every listener of the server one for TLS (gone since 1.25.1).
    pub ssl: Setting<bool>,
    /// `ssl_certificate`, of the nearest level that has any.
    pub certificates: Vec<Located<String>>,
    /// `ssl_certificate_key`, likewise, paired with the certificates by position.
    pub keys: Vec<Located<String>>,
    /// `ssl_password_file`.
    pub password_file: Option<Located<String>>,
    /// `ssl_verify_client`.
    pub verify_client: Setting<ClientAuthMode>,
    /// `ssl_verify_depth`.
    pub verify_depth: Setting<u32>,
    /// `ssl_client_certificate`.
    pub client_certificate: Option<Located<String>>,
    /// `ssl_trusted_certificate`.
    pub trusted_certificate: Option<Located<String>>,
    /// `ssl_crl`.
    pub crl: Option<Located<String>>,
    /// `ssl_protocols`, narrowed by `ssl_conf_command`.
    pub protocols: Setting<Protocols>,
    /// `ssl_ciphers`, or the cipher string of `ssl_conf_command`.
    pub ciphers: Option<Located<String>>,
    /// `ssl_ecdh_curve`.
    pub curves: Option<Located<String>>,
    /// Groups and suites of TLS 1.3: `ssl_ecdh_curve`, or `ssl_conf_command`.
    pub algorithms: Algorithms,
    /// `ssl_dhparam`.
    pub dhparam: Option<Located<String>>,
    /// `ssl_stapling_file`, where `ssl_stapling` is on.
    pub stapling_file: Option<Located<String>>,
    /// `ssl_session_ticket_key`.
    pub ticket_keys: Vec<Located<String>>,
    /// `ssl_reject_handshake`.
    pub reject_handshake: Setting<bool>,
    /// `ssl_ocsp` is `on` or `leaf`: clients are rejected by what a responder says.
    pub ocsp: Option<Located<String>>,
    /// `ssl_session_cache`.
    pub session_cache: Option<Located<String>>,
    /// `ssl_session_tickets`.
    pub session_tickets: Setting<bool>,
    /// `ssl_conf_command`s that change the handshake in a way not modelled.
    pub other_commands: Vec<Located<String>>,
    /// Lua that chooses certificates during the handshake.
    pub by_lua: Option<Span>,
}

/// `proxy_ssl_*`, `grpc_ssl_*` or `uwsgi_ssl_*` in force.
#[derive(Debug, Clone)]
pub struct UpstreamTls {
    /// `proxy`, `grpc` or `uwsgi`.
    pub family: &'static str,
    /// `*_ssl_certificate`; None also for an empty one, which takes an inherited one back.
    pub certificate: Option<Located<String>>,
    /// `*_ssl_certificate` is in force with an empty name.
    pub emptied: Option<Span>,
    /// `*_ssl_certificate_key`.
    pub key: Option<Located<String>>,
    /// `*_ssl_password_file`.
    pub password_file: Option<Located<String>>,
    /// `*_ssl_verify`.
    pub verify: Setting<bool>,
    /// `*_ssl_verify_depth`.
    pub verify_depth: Setting<u32>,
    /// `*_ssl_trusted_certificate`.
    pub trusted_certificate: Option<Located<String>>,
    /// `*_ssl_crl`.
    pub crl: Option<Located<String>>,
    /// `*_ssl_name`.
    pub name: Option<Located<String>>,
    /// `*_ssl_server_name`: send SNI.
    pub server_name: Setting<bool>,
    /// `*_ssl_session_reuse`.
    pub session_reuse: Setting<bool>,
    /// `*_ssl_protocols`, narrowed by `*_ssl_conf_command`.
    pub protocols: Setting<Protocols>,
    /// `*_ssl_ciphers`, or the cipher string of `*_ssl_conf_command`.
    pub ciphers: Option<Located<String>>,
    /// Groups and suites of TLS 1.3 by `*_ssl_conf_command`.
    pub algorithms: Algorithms,
    /// `*_ssl_conf_command`s that change the handshake in a way not modelled.
    pub other_commands: Vec<Located<String>>,
    /// The first `*_ssl_*` directive in force, if any.
    pub written: Option<Span>,
    /// The first `*_ssl_*` directive of the very block that passes, if any.
    pub written_here: Option<Span>,
}

impl ServerTls {
    pub(super) fn read(scope: &Scope<'_>, version: Version) -> Self {
        let commands = Commands::read(scope, "ssl_conf_command");
        Self {
            ssl: scope.flag("ssl", false),
            certificates: scope.words("ssl_certificate"),
            keys: scope.words("ssl_certificate_key"),
            password_file: scope.word("ssl_password_file"),
            verify_client: scope.setting("ssl_verify_client", ClientAuthMode::Off, verify_client),
            verify_depth: scope.setting("ssl_verify_depth", 1, |word| word.parse().ok()),
            client_certificate: scope.path("ssl_client_certificate"),
            trusted_certificate: scope.path("ssl_trusted_certificate"),
            crl: scope.path("ssl_crl"),
            protocols: commands.narrow(protocols(scope, "ssl_protocols", version)),
            ciphers: commands.ciphers.clone().or_else(|| scope.word("ssl_ciphers")),
            algorithms: commands.algorithms(scope.path("ssl_ecdh_curve")),
            curves: scope.path("ssl_ecdh_curve"),
            dhparam: scope.path("ssl_dhparam"),
            stapling_file: scope
                .path("ssl_stapling_file")
                .filter(|_| *scope.flag("ssl_stapling", false).value()),
            ticket_keys: scope.words("ssl_session_ticket_key"),
            reject_handshake: scope.flag("ssl_reject_handshake", false),
            ocsp: scope.word("ssl_ocsp").filter(|word| !word.value.eq_ignore_ascii_case("off")),
            session_cache: scope.word("ssl_session_cache"),
            session_tickets: scope.flag("ssl_session_tickets", true),
            other_commands: commands.other,
            by_lua: scope.handshake_code(),
        }
    }
}

impl UpstreamTls {
    pub(super) fn read(scope: &Scope<'_>, family: &'static str, version: Version) -> Self {
        let name = |rest: &str| format!("{family}_ssl_{rest}");
        let commands = Commands::read(scope, &name("conf_command"));
        Self {
            family,
            certificate: scope.path(&name("certificate")),
            emptied: scope
                .word(&name("certificate"))
                .filter(|word| word.value.is_empty())
                .map(|word| word.span),
            key: scope.path(&name("certificate_key")),
            password_file: scope.word(&name("password_file")),
            verify: scope.flag(&name("verify"), false),
            verify_depth: scope.setting(&name("verify_depth"), 1, |word| word.parse().ok()),
            trusted_certificate: scope.path(&name("trusted_certificate")),
            crl: scope.path(&name("crl")),
            name: scope.word(&name("name")),
            server_name: scope.flag(&name("server_name"), false),
            session_reuse: scope.flag(&name("session_reuse"), true),
            protocols: commands.narrow(protocols(scope, &name("protocols"), version)),
            algorithms: commands.algorithms(None),
            ciphers: commands.ciphers.or_else(|| scope.word(&name("ciphers"))),
            other_commands: commands.other,
            written: scope.first_with_prefix(&format!("{family}_ssl_")),
            written_here: scope.own_with_prefix(&format!("{family}_ssl_")),
        }
    }
}

fn verify_client(word: &str) -> Option<ClientAuthMode> {
    match word.to_ascii_lowercase().as_str() {
        "off" => Some(ClientAuthMode::Off),
        "on" => Some(ClientAuthMode::Required),
        "optional" => Some(ClientAuthMode::Optional),
        "optional_no_ca" => Some(ClientAuthMode::OptionalNoCa),
        _ => None,
    }
}

/// Protocols that nginx speaks, on either side, where nothing is configured (docs/xml/nginx/changes.xml: TLS 1.3 since
/// 1.23.4, no TLS 1.0 and 1.1 since 1.27.3).
pub fn default_protocols(version: Version) -> Protocols {
    let mut versions = Vec::new();
    if version < Version(1, 27, 3) {
        versions.extend([Protocol::Tls10, Protocol::Tls11]);
    }
    versions.push(Protocol::Tls12);
    if version >= Version(1, 23, 4) {
        versions.push(Protocol::Tls13);
    }
    Protocols { versions }
}

fn protocols(scope: &Scope<'_>, name: &str, version: Version) -> Setting<Protocols> {
    match scope.last(name) {
        None => Setting::Default { value: default_protocols(version), parent: scope.span() },
        Some(directive) => {
            let mut versions: Vec<Protocol> =
                directive.arguments.iter().filter_map(|word| protocol_in_any_case(&word.value)).collect();
            sorted::sort(&mut versions);
            versions.dedup();
            Setting::Given(Located::new(Protocols { versions }, directive.span))
        }
    }
}

/// nginx compares the words of its own directives without regard to case (ngx_conf_set_bitmask_slot).
fn protocol_in_any_case(word: &str) -> Option<Protocol> {
    let spelt = ["SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];
    spelt.into_iter().find(|spelt| spelt.eq_ignore_ascii_case(word)).and_then(protocol)
}

fn protocol(word: &str) -> Option<Protocol> {
    match word {
        "SSLv2" | "SSLv3" => Some(Protocol::Ssl3),
        "TLSv1" => Some(Protocol::Tls10),
        "TLSv1.1" => Some(Protocol::Tls11),
        "TLSv1.2" => Some(Protocol::Tls12),
        "TLSv1.3" => Some(Protocol::Tls13),
        _ => None,
    }
}

/// What `ssl_conf_command` says of things that have a directive of their own; applied after those (SSL_CONF_cmd(3)).
#[derive(Default)]
struct Commands {
    minimum: Option<Located<Protocol>>,
    maximum: Option<Located<Protocol>>,
    ciphers: Option<Located<String>>,
    groups: Option<Located<String>>,
    suites: Option<Located<String>>,
    other: Vec<Located<String>>,
}

impl Commands {
    fn read(scope: &Scope<'_>, name: &str) -> Self {
        let mut commands = Self::default();
        for directive in scope.all(name) {
            let Directive { arguments, span, .. } = directive;
            let [command, value] = arguments.as_slice() else { continue };
            match command.value.to_ascii_lowercase().as_str() {
                "minprotocol" => {
                    commands.minimum = protocol(&value.value).map(|value| Located::new(value, *span));
                }
                "maxprotocol" => {
                    commands.maximum = protocol(&value.value).map(|value| Located::new(value, *span));
                }
                "cipherstring" => commands.ciphers = Some(value.clone()),
                "curves" | "groups" | "ecdhparameters" => commands.groups = Some(value.clone()),
                "ciphersuites" => commands.suites = Some(value.clone()),
                // what is preferred decides no connection here
                "options" | "dhparameters" | "numtickets" | "recordpadding" => {}
                _ => commands.other.push(Located::new(format!("{} {}", command.value, value.value), *span)),
            }
        }
        commands
    }

    /// Groups and suites, where they are others than the library's own.
    fn algorithms(&self, curves: Option<Located<String>>) -> Algorithms {
        let groups = self.groups.clone().or(curves);
        let own = |list: &Located<String>| {
            !["auto", "automatic", "default"].iter().any(|name| list.value.eq_ignore_ascii_case(name))
        };
        Algorithms {
            groups: groups.filter(own).into_iter().collect(),
            suites: self.suites.clone(),
            ..Algorithms::default()
        }
    }

    fn narrow(&self, setting: Setting<Protocols>) -> Setting<Protocols> {
        let Some(span) = self.minimum.as_ref().or(self.maximum.as_ref()).map(|bound| bound.span) else {
            return setting;
        };
        let mut protocols = setting.value().clone();
        protocols.versions.retain(|version| {
            self.minimum.as_ref().is_none_or(|minimum| *version >= minimum.value)
                && self.maximum.as_ref().is_none_or(|maximum| *version <= maximum.value)
        });
        Setting::Given(Located::new(protocols, span))
    }
}

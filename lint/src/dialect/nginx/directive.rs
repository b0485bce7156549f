//! Which directives of TLS and of structure nginx knows, where they may stand and what they take.

use crate::deployment::Version;
use crate::suggestion::is_one_slip_away;

/// A set of places where a directive may stand.
pub(super) type Places = u16;

pub(super) const MAIN: Places = 1;
pub(super) const HTTP: Places = 1 << 1;
pub(super) const SERVER: Places = 1 << 2;
pub(super) const LOCATION: Places = 1 << 3;
pub(super) const LOCATION_IF: Places = 1 << 4;
pub(super) const SERVER_IF: Places = 1 << 5;
pub(super) const LIMIT_EXCEPT: Places = 1 << 6;
pub(super) const UPSTREAM: Places = 1 << 7;
pub(super) const STREAM: Places = 1 << 8;
pub(super) const STREAM_SERVER: Places = 1 << 9;
pub(super) const STREAM_UPSTREAM: Places = 1 << 10;
pub(super) const MAIL: Places = 1 << 11;
pub(super) const MAIL_SERVER: Places = 1 << 12;

const SERVERS: Places = HTTP | SERVER | STREAM | STREAM_SERVER | MAIL | MAIL_SERVER;
const HTTP_SERVERS: Places = HTTP | SERVER;
const STREAM_SERVERS: Places = STREAM | STREAM_SERVER;
const LOCATIONS: Places = HTTP | SERVER | LOCATION;

/// What a directive takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// `on` or `off`, once.
    Flag,
    /// A number, once.
    Number,
    /// One word, once.
    Word,
    /// One of these words, once.
    OneOf(&'static [&'static str]),
    /// Any of these words.
    AnyOf(&'static [&'static str]),
    /// One word, as often as wanted.
    Words,
    /// A name and a value, as often as wanted.
    Pair,
    /// A block.
    Block,
    /// Anything; read elsewhere.
    Anything,
}

/// A directive.
pub(super) struct Known {
    pub(super) places: Places,
    pub(super) takes: Takes,
}

const PROTOCOLS: Takes = Takes::AnyOf(&["SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]);

/// What nginx's own modules say of a directive; None for others and for those that matter to nobody here.
pub(super) fn known(name: &str, version: Version) -> Option<Known> {
    if let Some((places, rest)) = upstream_directive(name) {
        let takes = match rest {
            "certificate"
            | "certificate_key"
            | "password_file"
            | "trusted_certificate"
            | "crl"
            | "name"
            | "ciphers" => Takes::Word,
            "verify" | "server_name" | "session_reuse" => Takes::Flag,
            "verify_depth" => Takes::Number,
            "protocols" => PROTOCOLS,
            "conf_command" => Takes::Pair,
            _ => return None,
        };
        return Some(Known { places, takes });
    }
    let with_ocsp = if version < Version(1, 27, 2) { HTTP_SERVERS } else { HTTP_SERVERS | STREAM_SERVERS };
    let (places, takes) = match name {
        "ssl_certificate" | "ssl_certificate_key" => (SERVERS, Takes::Words),
        "ssl_password_file"
        | "ssl_dhparam"
        | "ssl_ecdh_curve"
        | "ssl_ciphers"
        | "ssl_client_certificate"
        | "ssl_trusted_certificate"
        | "ssl_crl" => (SERVERS, Takes::Word),
        "ssl_protocols" => (SERVERS, PROTOCOLS),
        "ssl_verify_client" => (SERVERS, Takes::OneOf(&["off", "on", "optional", "optional_no_ca"])),
        "ssl_verify_depth" => (SERVERS, Takes::Number),
        "ssl_prefer_server_ciphers" | "ssl_session_tickets" => (SERVERS, Takes::Flag),
        "ssl_conf_command" => (SERVERS, Takes::Pair),
        "ssl_session_cache" | "ssl_session_ticket_key" => (SERVERS, Takes::Anything),
        "ssl_early_data" => (HTTP_SERVERS, Takes::Flag),
        // stream has virtual servers since 1.25.5, OCSP since 1.27.2 (docs/xml/nginx/changes.xml)
        "ssl_reject_handshake" if version < Version(1, 25, 5) => (HTTP_SERVERS, Takes::Flag),
        "ssl_reject_handshake" => (HTTP_SERVERS | STREAM_SERVERS, Takes::Flag),
        "ssl_stapling" | "ssl_stapling_verify" => (with_ocsp, Takes::Flag),
        "ssl_ocsp" => (with_ocsp, Takes::OneOf(&["off", "on", "leaf"])),
        "ssl_stapling_file" | "ssl_stapling_responder" | "ssl_ocsp_responder" => (with_ocsp, Takes::Word),
        "starttls" => (MAIL | MAIL_SERVER, Takes::OneOf(&["off", "on", "only"])),
        "proxy_ssl" => (STREAM_SERVERS, Takes::Flag),
        "proxy_pass" => (LOCATION | LOCATION_IF | LIMIT_EXCEPT | STREAM_SERVER, Takes::Anything),
        "grpc_pass" | "uwsgi_pass" | "fastcgi_pass" | "scgi_pass" => {
            (LOCATION | LOCATION_IF, Takes::Anything)
        }
        "proxy_set_header" | "grpc_set_header" => (LOCATIONS, Takes::Pair),
        "auth_request" | "satisfy" => (LOCATIONS, Takes::Anything),
        "http" | "stream" | "mail" | "events" => (MAIN, Takes::Block),
        "location" => (SERVER | LOCATION, Takes::Block),
        "limit_except" => (LOCATION, Takes::Block),
        "if" => (SERVER | LOCATION, Takes::Block),
        "upstream" => (HTTP | STREAM, Takes::Block),
        "server_name" => (SERVER | STREAM_SERVER | MAIL | MAIL_SERVER, Takes::Anything),
        "listen" => (SERVER | STREAM_SERVER | MAIL_SERVER, Takes::Anything),
        _ => return None,
    };
    Some(Known { places, takes })
}

/// For `proxy_ssl_verify` and the like: where it may stand, and `verify`.
fn upstream_directive(name: &str) -> Option<(Places, &str)> {
    let (family, rest) = name.split_once("_ssl_")?;
    match family {
        "proxy" => Some((LOCATIONS | STREAM_SERVERS, rest)),
        "grpc" | "uwsgi" => Some((LOCATIONS, rest)),
        _ => None,
    }
}

/// Whether a directive is code or a foreign module's that decides the certificate during the handshake.
pub(super) fn decides_handshake(name: &str) -> bool {
    ["ssl_certificate_by_lua", "ssl_client_hello_by_lua"].iter().any(|prefix| name.starts_with(prefix))
}

/// Whether a name could be meant for a TLS directive.
pub(super) fn looks_like_tls(name: &str) -> bool {
    ["ssl_", "proxy_ssl_", "grpc_ssl_", "uwsgi_ssl_"].iter().any(|prefix| name.starts_with(prefix))
}

/// The TLS directive of which a slip of the keyboard makes a name.
pub(super) fn meant(name: &str) -> Option<String> {
    const SERVER: [&str; 16] = [
        "ssl_certificate",
        "ssl_certificate_key",
        "ssl_ciphers",
        "ssl_client_certificate",
        "ssl_conf_command",
        "ssl_crl",
        "ssl_ocsp",
        "ssl_password_file",
        "ssl_prefer_server_ciphers",
        "ssl_protocols",
        "ssl_reject_handshake",
        "ssl_session_cache",
        "ssl_session_tickets",
        "ssl_trusted_certificate",
        "ssl_verify_client",
        "ssl_verify_depth",
    ];
    const UPSTREAM: [&str; 11] = [
        "certificate",
        "certificate_key",
        "ciphers",
        "conf_command",
        "crl",
        "name",
        "password_file",
        "protocols",
        "server_name",
        "trusted_certificate",
        "verify",
    ];
    if let Some((_, rest)) = upstream_directive(name) {
        let known = UPSTREAM.iter().find(|known| is_one_slip_away(rest, known))?;
        return Some(format!("{}{known}", name.strip_suffix(rest)?));
    }
    SERVER.iter().find(|known| is_one_slip_away(name, known)).map(|known| (*known).to_owned())
}

/// Names of `ssl_*` directives beside those of [`known`], so that a typing error stands out.
pub(super) fn is_ssl_directive(name: &str, version: Version) -> bool {
    known(name, version).is_some()
        || name.contains("_by_lua")
        || name.ends_with("_ssl_certificate_cache")
        || name.ends_with("_ssl_key_log")
        || matches!(
            name,
            "ssl"
                | "ssl_engine"
                | "ssl_object_cache_inheritable"
                | "ssl_buffer_size"
                | "ssl_certificate_cache"
                | "ssl_certificate_compression"
                | "ssl_session_timeout"
                | "ssl_ocsp_cache"
                | "ssl_handshake_timeout"
                | "ssl_alpn"
                | "ssl_preread"
                | "ssl_encrypted_hello_key"
                | "ssl_ech_file"
                | "ssl_key_log"
        )
}

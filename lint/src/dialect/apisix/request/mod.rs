//! What APISIX does with a request once the handshake is done, apart from routing it.
//!
//! Data plane: `skip_mtls_uri_regex`, then the Host header against the server name (init.lua,
//! verify_https_client). Admin API: `allow_admin`, then the key. facts/APISIX.md, A1 and A4.

mod admin;
mod path;
#[cfg(test)]
mod tests;

use regex_lite::Regex;

pub use admin::admin_api;
pub use path::normalised;
use path::{host_of, is_no_regex};

use super::objects;
use crate::deployment::{
    ClientAuth, ClientAuthMode, ListenerTls, Refusal, Request, Selection, ServerContext, Trust, TrustLoader,
};
use crate::selection::Selected;

/// What a gate answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The request goes on.
    Passes,
    /// It is refused.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The rule that names the mistake.
        rule: &'static str,
        /// Both halves of the disagreement.
        message: String,
        /// What APISIX logs.
        log: String,
    },
    /// It cannot be told; completes "undetermined because …".
    Undetermined(String),
}

/// nginx's `$ssl_client_verify`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientVerify {
    /// A certificate came and was verified.
    Success,
    /// None came.
    None,
    /// One came and was not verified, for this reason (OpenSSL's text).
    Failed(String),
}

/// Why an ssl object that this server name asks for was dropped, where no other object has the name.
///
/// An object whose names are themselves refused, or missing, may have been meant for any name.
pub fn dropped_object<'t>(tls: &'t ListenerTls, server_name: Option<&str>) -> Option<&'t Refusal> {
    let dropped = || tls.contexts.iter().filter(|context| !context.refusals.is_empty());
    let named = dropped().find(|context| {
        let alone = ServerContext { refusals: Vec::new(), ..(*context).clone() };
        let selection = match &tls.selection {
            Selection::Apisix { fallback, .. } => {
                Selection::Apisix { fallback: fallback.clone(), lists: Vec::new(), complete: true }
            }
            other => other.clone(),
        };
        let asked = ListenerTls { contexts: vec![alone], selection };
        matches!(asked.select(server_name), Selected::Context(_))
    });
    let unnamed =
        || dropped().find(|context| context.names.iter().all(|name| !objects::is_name(&name.value)));
    named.or_else(unnamed).and_then(|context| context.refusals.first())
}

/// The data plane's gate for a request over a connection whose server name chose a context.
///
/// A context that APISIX dropped must have no names left in `tls`.
pub fn data_plane(
    tls: &ListenerTls,
    context: &ServerContext,
    server_name: Option<&str>,
    request: &Request,
    verify: &ClientVerify,
) -> Answer {
    let skipping = verified_by_object(&context.client_auth) && !context.client_auth.skip_paths.is_empty();
    if skipping && *verify != ClientVerify::Success {
        match skips(&context.client_auth, &request.path) {
            Skips::Yes => {}
            Skips::No => return not_verified(verify, &request.path),
            Skips::Unknown(why) => return Answer::Undetermined(why),
        }
    }
    let fallback = match &tls.selection {
        Selection::Apisix { fallback, .. } => fallback.as_ref().map(|name| name.value.as_str()),
        _ => None,
    };
    let server_name = server_name.or(fallback).unwrap_or_default().to_ascii_lowercase();
    let host = host_of(&request.host);
    if host == server_name {
        return Answer::Passes;
    }
    let found = match tls.select(Some(&host)) {
        Selected::Context(index) => tls.contexts.get(index),
        Selected::Nobody(_) => None,
        Selected::Undetermined(why) => return Answer::Undetermined(why),
    };
    match found {
        Some(found) if verified_by_object(&found.client_auth) => Answer::Refused {
            status: 400,
            rule: "host-differs-from-server-name",
            message: format!(
                "the request is for the host {host}, whose ssl object verifies clients, over a connection whose server name is {server_name}"
            ),
            log: format!("client certificate verified with SNI {server_name}, but the host is {host}"),
        },
        _ => Answer::Passes,
    }
}

/// Whether an ssl object's own `client` verifies (and not a snippet of nginx's directives).
fn verified_by_object(auth: &ClientAuth) -> bool {
    *auth.mode.value() == ClientAuthMode::Required
        && auth
            .trust
            .iter()
            .any(|trust| matches!(trust, Trust::File { loader: TrustLoader::ApisixClientCa, .. }))
}

fn not_verified(verify: &ClientVerify, path: &str) -> Answer {
    let path = normalised(path);
    let (rule, message, log) = match verify {
        ClientVerify::Failed(why) => (
            "unknown-issuer",
            format!(
                "the client's certificate is not verified ({why}), and {path} is no path that skip_mtls_uri_regex lets through"
            ),
            format!("client certificate verification is not passed: FAILED:{why}"),
        ),
        _ => (
            "missing-client-certificate",
            format!(
                "the client presents no certificate, and {path} is no path that skip_mtls_uri_regex lets through"
            ),
            "client certificate was not present".to_owned(),
        ),
    };
    Answer::Refused { status: 400, rule, message, log }
}

enum Skips {
    Yes,
    No,
    Unknown(String),
}

/// Whether one of the patterns is found in the path.
fn skips(auth: &ClientAuth, path: &str) -> Skips {
    let path = normalised(path);
    let mut unknown = None;
    for pattern in &auth.skip_paths {
        match Regex::new(&pattern.value) {
            Ok(regex) if regex.is_match(&path) => return Skips::Yes,
            Ok(_) => {}
            // PCRE refuses it as well: it matches nothing, and the other entries still work
            Err(_) if is_no_regex(&pattern.value) => {}
            Err(_) => {
                unknown = Some(format!(
                    "skip_mtls_uri_regex has {}, a regular expression beyond what can be evaluated here",
                    pattern.value
                ));
            }
        }
    }
    unknown.map_or(Skips::No, Skips::Unknown)
}

//! The Admin API's gate.

use std::net::IpAddr;

use sha2::{Digest, Sha256};

use super::Answer;
use crate::deployment::{Gate, Request};

/// The Admin API's gate; passes for any other.
pub fn admin_api(gate: &Gate, request: &Request) -> Answer {
    let Gate::ApisixAdmin { allow, keys, keys_unseen, shipped_keys, key_required } = gate else {
        return Answer::Passes;
    };
    match allowed(allow.value(), request.from) {
        Some(true) => {}
        Some(false) => {
            return Answer::Refused {
                status: 403,
                rule: "address-not-allowed",
                message: format!(
                    "the request comes from {}, and allow_admin lets in {}",
                    request.from.map_or("elsewhere".to_owned(), |address| address.to_string()),
                    allow.value().join(", ")
                ),
                log: "access forbidden by rule".to_owned(),
            };
        }
        None => {
            return Answer::Undetermined(format!(
                "the address from which the request comes is not known, and allow_admin lets in {}",
                allow.value().join(", ")
            ));
        }
    }
    if !key_required || !request.path.starts_with("/apisix/admin") {
        return Answer::Passes;
    }
    let Some(key) = presented_key(request) else {
        // where nobody wrote a key, a request without one asks about the connection: anybody can add the shipped one
        if *shipped_keys {
            return Answer::Passes;
        }
        return unknown_key("the request has no X-API-KEY, which the Admin API demands", "missing apikey");
    };
    let hash: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    match (keys, keys_unseen) {
        (Some(keys), _) if keys.contains(&hash) => Answer::Passes,
        (_, Some(why)) => Answer::Undetermined(why.clone()),
        (None, None) => unknown_key(
            "the request's X-API-KEY cannot be right: no admin_key is configured, so APISIX makes a random one",
            "wrong apikey",
        ),
        (Some(_), None) => {
            unknown_key("the request's X-API-KEY is none of the configured admin_key", "wrong apikey")
        }
    }
}

fn unknown_key(message: &str, log: &str) -> Answer {
    Answer::Refused {
        status: 401,
        rule: "wrong-api-key",
        message: message.to_owned(),
        log: format!("failed to check token: {log}"),
    }
}

/// `api_key` of the query, the header, the cookie: the first that is there (admin/init.lua).
fn presented_key(request: &Request) -> Option<String> {
    let query = request.path.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let argument = query.split('&').find_map(|pair| pair.strip_prefix("api_key="));
    let header = |name: &str| {
        request
            .headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    };
    let cookie = || {
        let cookies = header("cookie")?;
        cookies.split(';').find_map(|cookie| cookie.trim().strip_prefix("x_api_key="))
    };
    argument.or_else(|| header("x-api-key")).or_else(cookie).map(str::to_owned)
}

/// Whether an address is in one of the networks; None: it is not known and it matters.
fn allowed(networks: &[String], from: Option<IpAddr>) -> Option<bool> {
    if networks.iter().any(|network| network == "all") {
        return Some(true);
    }
    match from {
        Some(address) => Some(networks.iter().any(|network| contains(network, address))),
        None if networks.is_empty() => Some(false),
        None => networks.iter().any(|network| network == "0.0.0.0/0").then_some(true),
    }
}

/// Whether a network (or a single address) contains an address of its own family.
fn contains(network: &str, address: IpAddr) -> bool {
    let (base, length) = match network.split_once('/') {
        Some((base, length)) => (base, length.parse::<u32>().ok()),
        None => (network, Some(128)),
    };
    let (Ok(base), Some(length)) = (base.parse::<IpAddr>(), length) else { return false };
    match (base, address) {
        (IpAddr::V4(base), IpAddr::V4(address)) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(length)).unwrap_or(0);
            base.to_bits() & mask == address.to_bits() & mask
        }
        (IpAddr::V6(base), IpAddr::V6(address)) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(length)).unwrap_or(0);
            base.to_bits() & mask == address.to_bits() & mask
        }
        _ => false,
    }
}

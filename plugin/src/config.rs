//! The plugin's configuration: a policy, and what follows from it once instead of for each request.
//!
//! The configuration reference is [`mtls_identity::policy`].

#![forbid(unsafe_code)]

use mtls_identity::policy::{ForwardValue, Policy, SourceKind, Verification};
use sha2::{Digest as _, Sha256};

use crate::host::Host;

/// A policy made ready for requests.
#[derive(Debug)]
pub struct Config {
    /// The policy.
    pub policy: Policy,
    /// Which fields of a request the rules look at beside the path.
    pub asks: Asks,
    /// Headers that a client may not bring, in lower case: those set upstream, those removed, and the chain that
    /// belongs to a certificate set upstream (RFC 9440 section 2.4).
    pub inbound: Vec<String>,
    /// Those, and the headers that carry the certificate itself: without an identity nobody vouches for them.
    pub claims: Vec<String>,
    /// Begins the keys under which workers share what they verified: no other policy's word counts.
    pub scope: String,
}

/// Which fields of a request the rules look at beside the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asks {
    /// The method.
    pub method: bool,
    /// The host.
    pub host: bool,
    /// The gateway's route name.
    pub route: bool,
    /// All headers, because some have to be removed.
    pub headers: bool,
}

impl Config {
    /// Reads a configuration; the error says what is wrong and where.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| {
            "the configuration is not text: in Envoy pass the policy as google.protobuf.StringValue"
                .to_owned()
        })?;
        if text.trim().is_empty() {
            return Err(
                "the configuration is empty: pass the policy, in Envoy as google.protobuf.StringValue, in \
                        APISIX as conf"
                    .to_owned(),
            );
        }
        let policy = Policy::parse(text).map_err(|error| error.to_string())?;
        let chain = |name: &String| format!("{name}-chain");
        let chains = policy.forward.iter().filter(|(_, value)| *value == ForwardValue::ClientCert);
        let chains = chains.map(|(name, _)| chain(name));
        let names = policy.forward.iter().map(|(name, _)| name).chain(&policy.remove_headers);
        let inbound: Vec<String> = names.cloned().chain(chains).collect();
        let mut claims = inbound.clone();
        if policy.source.kind == SourceKind::Header {
            claims.extend([policy.source.header.clone(), chain(&policy.source.header)]);
        }
        let asks = Asks {
            method: policy.asks_for_method(),
            host: policy.asks_for_host(),
            route: policy.asks_for_route(),
            headers: !claims.is_empty(),
        };
        Ok(Config { policy, asks, inbound, claims, scope: scope(Sha256::digest(bytes).into()) })
    }

    /// Narrows the scope to this filter's place: its name, and its listener's direction and metadata. What a listener
    /// verified is no other listener's word, if their filters differ in any of these.
    pub fn narrow(&mut self, host: &impl Host) {
        if !self.verifies_connections() {
            return;
        }
        let mut hasher = Sha256::new();
        hasher.update(&self.scope);
        for name in ["plugin_name", "listener_direction", "listener_metadata"] {
            let value = host.property(&[name]).ok().flatten().unwrap_or_default();
            hasher.update(u64::try_from(value.len()).unwrap_or(u64::MAX).to_le_bytes());
            hasher.update(&value);
        }
        self.scope = scope(hasher.finalize().into());
    }

    /// Whether a certificate has to have been verified in some handshake before it is believed.
    pub fn verifies_connections(&self) -> bool {
        matches!(self.policy.source.kind, SourceKind::Envoy | SourceKind::EnvoyXfcc)
            && self.policy.source.verification == Verification::Connection
    }

    /// Whether a certificate's own bytes are needed after it was recognised.
    pub fn keeps_certificates(&self) -> bool {
        self.policy.forward.iter().any(|(_, value)| {
            matches!(value, ForwardValue::ClientCert | ForwardValue::Subject | ForwardValue::Issuer)
                || matches!(value, ForwardValue::CertificateSha256 | ForwardValue::Serial)
        })
    }
}

fn scope(digest: [u8; 32]) -> String {
    let digest = mtls_identity::certificate::hexadecimal(&digest);
    format!("mtls-guard.{}", digest.get(..16).unwrap_or_default())
}

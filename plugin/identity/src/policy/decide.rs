//! The decision: everything that the policy says, asked in one order.
//!
//! [`Policy::recognise`] answers what depends on the certificate alone, so that a gateway asks it once for each
//! certificate; [`Policy::decide`] adds what depends on the time and the request, each time.

use std::borrow::Cow;

use rustls_pki_types::UnixTime;

use super::host::Host;
use super::path;
use super::reason::{Absence, Reason};
use super::recognise::{Evidence, Standing};
use super::{Policy, Rule};

/// A request as far as a policy looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Request<'a> {
    /// The method, in upper case as it came.
    pub method: &'a str,
    /// The Host header or `:authority`, with or without port.
    pub host: &'a str,
    /// The path with its query, as it came.
    pub path: &'a str,
    /// The route's name where the gateway has such (Envoy's `xds.route_name`).
    pub route: Option<&'a str>,
}

/// A request that only a certificate can answer.
#[derive(Debug)]
pub struct Asked<'a, 'r> {
    policy: &'a Policy,
    request: Request<'r>,
    host: Host<'r>,
    path: Cow<'r, str>,
}

/// What a policy answers to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision<'a> {
    /// The request may be made by this identity.
    Allow(Allowed<'a>),
    /// The request may be made by anyone: no certificate was looked at. The exemption's name.
    Exempt(&'a str),
    /// The request may not be made.
    Deny(Reason),
}

/// Who may make a request, and what says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed<'a> {
    /// The policy's name for the identity.
    pub identity: &'a str,
    /// What in the certificate made it this identity.
    pub evidence: &'a Evidence,
    /// The rule's name.
    pub rule: &'a str,
}

impl Policy {
    /// Decides about one request with a certificate as [`Policy::recognise`] knows it, or with none.
    pub fn decide<'a>(
        &'a self,
        request: &Request<'_>,
        presented: Result<&'a Standing, &Absence>,
        at: UnixTime,
    ) -> Decision<'a> {
        match self.ask(*request) {
            Ok(asked) => asked.answer(presented, at),
            Err(decision) => decision,
        }
    }

    /// The first half of [`Policy::decide`]: what is decided without any certificate, or what is left to ask, so that
    /// nobody fetches a certificate for nothing.
    #[inline]
    pub fn ask<'a, 'r>(&'a self, request: Request<'r>) -> Result<Asked<'a, 'r>, Decision<'a>> {
        let path = match path::normalise(request.path, self.path_parameters) {
            Ok(path) => path,
            Err(why) => return Err(Decision::Deny(Reason::AmbiguousPath(why))),
        };
        let host = Host::new(request.host);
        if !host.is_plain() && self.asks_for_host() {
            return Err(Decision::Deny(Reason::AmbiguousHost));
        }
        if request.method.bytes().any(|byte| byte.is_ascii_lowercase()) && self.asks_for_method() {
            return Err(Decision::Deny(Reason::AmbiguousMethod));
        }
        match self.exempt.iter().find(|exemption| exemption.scope.covers(&request, &host, &path)) {
            Some(exemption) => Err(Decision::Exempt(&exemption.name)),
            None => Ok(Asked { policy: self, request, host, path }),
        }
    }

    fn names_of(&self, standing: &Standing) -> String {
        let known = standing.identities.iter().take(8);
        let names = known.filter_map(|known| self.identities.get(known.identity));
        names.map(|identity| identity.name.as_str()).collect::<Vec<_>>().join(" ")
    }
}

// === impl Asked ===

impl<'a> Asked<'a, '_> {
    /// The second half of [`Policy::decide`].
    #[inline]
    pub fn answer(&self, presented: Result<&'a Standing, &Absence>, at: UnixTime) -> Decision<'a> {
        let standing = match presented {
            Ok(standing) => standing,
            Err(absence) => return Decision::Deny(Reason::Absent(absence.clone())),
        };
        let policy = self.policy;
        if let Some(reason) = &standing.denied {
            return Decision::Deny(reason.clone());
        }
        let skew = policy.usage.clock_skew;
        let validity = standing.validity;
        if validity.is_over(at, skew) {
            return Decision::Deny(Reason::Expired { not_after: validity.not_after, at: at.as_secs() });
        }
        if validity.is_ahead(at, skew) {
            return Decision::Deny(Reason::NotYetValid { not_before: validity.not_before, at: at.as_secs() });
        }
        if let Some(reason) = &standing.problem {
            return Decision::Deny(reason.clone());
        }
        let Some(rule) = self.rule() else {
            return Decision::Deny(Reason::NoRule);
        };
        let mut out_of_date = None;
        for known in standing.identities.iter().filter(|known| rule.allows(known.identity)) {
            if !known.paths.is_empty() && !known.paths.iter().any(|path| path.contains(at, skew)) {
                out_of_date = known.paths.last().copied();
                continue;
            }
            return match policy.identities.get(known.identity) {
                Some(identity) => Decision::Allow(Allowed {
                    identity: &identity.name,
                    evidence: &known.evidence,
                    rule: &rule.name,
                }),
                None => Decision::Deny(Reason::NoRule),
            };
        }
        Decision::Deny(match out_of_date {
            Some(validity) => Reason::IssuerOutOfDate { validity, at: at.as_secs() },
            None => Reason::IdentityNotAllowedHere {
                identity: policy.names_of(standing),
                rule: rule.name.clone(),
            },
        })
    }

    #[inline]
    fn rule(&self) -> Option<&'a Rule> {
        self.policy.rules.iter().find(|rule| rule.scope.covers(&self.request, &self.host, &self.path))
    }
}

// === impl Rule ===

impl Rule {
    /// Whether it allows the identity with this index in the policy.
    #[inline]
    pub fn allows(&self, identity: usize) -> bool {
        self.any_identity
            || self.allowed.get(identity / 64).is_some_and(|bits| bits >> (identity % 64) & 1 != 0)
    }
}

impl super::Scope {
    #[inline]
    fn covers(&self, request: &Request<'_>, host: &Host<'_>, path: &str) -> bool {
        (self.paths.is_empty() || self.paths.iter().any(|pattern| pattern.matches(path)))
            && (self.methods.is_empty() || self.methods.iter().any(|method| method == request.method))
            && (self.hosts.is_empty() || self.hosts.iter().any(|pattern| pattern.matches(host.as_str())))
            && (self.routes.is_empty() || self.routes.iter().any(|route| request.route == Some(route)))
    }
}

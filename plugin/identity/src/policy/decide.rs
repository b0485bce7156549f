//! The decision: everything that the policy says, asked in one order.
//!
//! [`Policy::recognise`] answers what depends on the certificate alone, so that a gateway asks it once for each
//! certificate; [`Policy::decide`] adds what depends on the time and the request, each time.

use std::borrow::Cow;
use std::fmt;

use rustls_pki_types::UnixTime;

use super::path::{self, Ambiguity};
use super::{IdentityPattern, Policy, Rule, TrustAnchor};
use crate::certificate::{Certificate, Validity, hexadecimal};
use crate::identity::{self, Identity, SpiffeId};
use crate::signature::{self, Verdict};
use crate::usage::{self, KeyPurpose, UsageProblem};

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

/// What in a certificate made it an identity of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// One of its names.
    Name(Identity),
    /// Its SHA-256.
    Certificate([u8; 32]),
    /// The SHA-256 of its public key.
    PublicKey([u8; 32]),
    /// Its only common name, for a policy that says so.
    LegacyCommonName(String),
    /// Nothing of its own: who issued it.
    Issuer(String),
}

/// A certificate as a policy knows it: everything that neither time nor request changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Which identities of the policy it is; in the policy's order.
    pub identities: Vec<Recognised>,
    /// When it is valid.
    pub validity: Validity,
    /// It may be further identities, or be one for longer, if other intermediates come with it.
    pub incomplete: bool,
    /// What denies it at any time.
    denied: Option<Reason>,
    /// What denies it after its dates were judged.
    problem: Option<Reason>,
}

/// An identity of the policy that a certificate is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognised {
    /// Its index in the policy.
    pub identity: usize,
    /// What makes it so.
    pub evidence: Evidence,
    /// When a certification path to one of its trust anchors is valid, anchors apart; empty if it needs none.
    pub paths: Vec<Validity>,
}

/// Why there is no certificate to judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Absence {
    /// The client sent none.
    NoCertificate,
    /// There is one, and the gateway did not verify it; what the gateway says.
    Unverified(String),
    /// The peer that hands the certificate on is none of the trusted ones; who it is.
    UntrustedPeer(String),
    /// There is something that is no certificate.
    Malformed(String),
    /// The gateway answered with an error.
    HostError(String),
}

/// Why a request is denied; [`Reason::name`] is what logs, metrics and tests use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// There is no certificate to judge.
    Absent(Absence),
    /// The gateway hands over a part of the headers only: what stands in the others, nobody knows.
    TooManyHeaders,
    /// The host has two readings, or is none that a name or an address could be.
    AmbiguousHost,
    /// A rule asks for the route, and removing a header that the request brings makes the gateway choose a route anew.
    AmbiguousRoute,
    /// The method has lower-case letters: some servers take it for the one in upper case.
    AmbiguousMethod,
    /// The path has two readings.
    AmbiguousPath(Ambiguity),
    /// The certificate is denied by its SHA-256.
    DeniedFingerprint([u8; 32]),
    /// The public key is denied by its SHA-256.
    DeniedPublicKey([u8; 32]),
    /// The serial number is denied.
    DeniedSerial(String),
    /// notAfter has passed.
    Expired {
        /// notAfter, seconds since 1970.
        not_after: i64,
        /// The time of the request.
        at: u64,
    },
    /// notBefore is yet to come.
    NotYetValid {
        /// notBefore, seconds since 1970.
        not_before: i64,
        /// The time of the request.
        at: u64,
    },
    /// An intermediate between it and the trust anchor that its identity is pinned to is out of date.
    IssuerOutOfDate {
        /// When the path is valid.
        validity: Validity,
        /// The time of the request.
        at: u64,
    },
    /// It may not be used to authenticate a client.
    Usage(UsageProblem),
    /// A SPIFFE ID stands beside other URI names; how many there are in all.
    AmbiguousIdentity {
        /// How many URI names.
        uris: usize,
    },
    /// It is no identity of the policy; what it is.
    UnknownIdentity {
        /// Its names, at most eight.
        names: Vec<Identity>,
    },
    /// No rule is about this request.
    NoRule,
    /// The rule about this request allows other identities.
    IdentityNotAllowedHere {
        /// Who it is.
        identity: String,
        /// The rule's name.
        rule: String,
    },
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

    /// Answers everything about a certificate that neither time nor request changes.
    ///
    /// `presented` holds the certificates that came with it, in any order; they serve `issued-under` alone.
    pub fn recognise(&self, certificate: &Certificate, presented: &[Certificate]) -> Standing {
        let mut standing = Standing {
            identities: Vec::new(),
            validity: certificate.validity,
            incomplete: false,
            denied: self.denied(certificate),
            problem: None,
        };
        if standing.denied.is_some() {
            return standing;
        }
        if let Err(problem) = usage::client_authentication(certificate, &self.usage) {
            standing.problem = Some(Reason::Usage(problem));
            return standing;
        }
        let found = match identity::identities(certificate) {
            Ok(found) => found,
            Err(ambiguous) => {
                standing.problem = Some(Reason::AmbiguousIdentity { uris: ambiguous.uris });
                return standing;
            }
        };
        let known = vec![None; self.trust_anchors.len()];
        let mut issued =
            IssuedUnder { policy: self, certificate, presented, known, verdicts: Vec::new(), missed: false };
        for (identity, pattern) in self.identities.iter().enumerate() {
            if let Some((evidence, paths)) = pattern.recognise(certificate, &found.all, &mut issued) {
                standing.identities.push(Recognised { identity, evidence, paths });
            }
        }
        standing.incomplete = issued.missed;
        if standing.identities.is_empty() {
            let names = found.all.into_iter().take(8).collect();
            standing.problem = Some(Reason::UnknownIdentity { names });
        }
        standing
    }

    fn denied(&self, certificate: &Certificate) -> Option<Reason> {
        if self.deny.certificates.contains(&certificate.sha256) {
            return Some(Reason::DeniedFingerprint(certificate.sha256));
        }
        if self.deny.public_keys.contains(&certificate.public_key_sha256) {
            return Some(Reason::DeniedPublicKey(certificate.public_key_sha256));
        }
        let serial = self.deny.serials.iter().any(|denied| {
            denied.serial.0 == certificate.serial
                && denied.issuer.as_ref().is_none_or(|issuer| issuer.matches(&certificate.issuer))
        });
        serial.then(|| Reason::DeniedSerial(certificate.serial_text()))
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

// === impl Standing ===

impl Standing {
    /// About how many bytes it takes, so that whoever keeps it can keep within bounds.
    pub fn size(&self) -> usize {
        let name = |name: &Identity| 64usize.saturating_add(name.to_string().len());
        let identities = self.identities.iter().map(|known| {
            let paths = known.paths.len().saturating_mul(16);
            known.evidence.to_string().len().saturating_add(paths).saturating_add(128)
        });
        let names = match &self.problem {
            Some(Reason::UnknownIdentity { names }) => names.iter().map(name).sum(),
            _ => 0,
        };
        identities.fold(names, usize::saturating_add)
    }
}

// === impl IdentityPattern ===

impl IdentityPattern {
    /// What makes a certificate this identity, and when the paths to its trust anchors are valid.
    fn recognise(
        &self,
        certificate: &Certificate,
        names: &[Identity],
        issued: &mut IssuedUnder<'_>,
    ) -> Option<(Evidence, Vec<Validity>)> {
        let issuer = &certificate.issuer;
        if !self.issuer.is_empty() && !self.issuer.iter().any(|wanted| wanted.matches(issuer)) {
            return None;
        }
        let evidence = self.evidence(certificate, names)?;
        // signatures last: they cost most
        let paths: Vec<Validity> =
            self.issued_under.iter().flat_map(|anchor| issued.paths_to(*anchor)).collect();
        if !self.issued_under.is_empty() {
            issued.missed |= !paths.contains(&certificate.validity);
            if paths.is_empty() {
                return None;
            }
        }
        Some((evidence, paths))
    }

    fn evidence(&self, certificate: &Certificate, names: &[Identity]) -> Option<Evidence> {
        if !self.names_anyone() {
            return Some(Evidence::Issuer(certificate.issuer.to_string()));
        }
        if let Some(name) = names.iter().find(|name| self.matches_name(name)) {
            return Some(Evidence::Name(name.clone()));
        }
        if self.certificate_sha256.contains(&certificate.sha256) {
            return Some(Evidence::Certificate(certificate.sha256));
        }
        if self.public_key_sha256.contains(&certificate.public_key_sha256) {
            return Some(Evidence::PublicKey(certificate.public_key_sha256));
        }
        if self.legacy_common_name.is_empty() {
            return None;
        }
        let mut common_names = certificate.subject.common_names();
        match (common_names.next(), common_names.next()) {
            (Some(only), None) if self.legacy_common_name.iter().any(|wanted| wanted == only) => {
                Some(Evidence::LegacyCommonName(only.to_owned()))
            }
            _ => None,
        }
    }
}

/// Whether a certificate was issued under trust anchors of the policy: signatures are verified, each path is looked for
/// once, and one answer serves for each pair of certificate and issuer's key.
struct IssuedUnder<'a> {
    policy: &'a Policy,
    certificate: &'a Certificate,
    presented: &'a [Certificate],
    known: Vec<Option<Vec<Validity>>>,
    verdicts: Vec<([u8; 32], [u8; 32], bool)>,
    /// Some identity has everything but a path to its anchor that is valid for as long as the certificate.
    missed: bool,
}

/// How many intermediates a path may have, and how many signatures are verified for one anchor.
const LONGEST_PATH: usize = 4;
const MOST_SIGNATURES: usize = 16;

impl IssuedUnder<'_> {
    fn paths_to(&mut self, anchor: usize) -> Vec<Validity> {
        if let Some(Some(known)) = self.known.get(anchor) {
            return known.clone();
        }
        let policy = self.policy;
        let paths = policy.trust_anchors.get(anchor).map_or_else(Vec::new, |anchor| self.find_paths(anchor));
        if let Some(known) = self.known.get_mut(anchor) {
            *known = Some(paths.clone());
        }
        paths
    }

    /// Walks from the certificate up through what was presented, breadth first (RFC 5280 section 6.1), and answers when
    /// each path is valid. What intermediates restrict is not honoured, so that those which restrict are not used.
    fn find_paths(&mut self, anchor: &TrustAnchor) -> Vec<Validity> {
        let mut budget = MOST_SIGNATURES;
        let mut paths = Vec::new();
        let (certificate, presented) = (self.certificate, self.presented);
        let mut level: Vec<(&Certificate, Validity)> = vec![(certificate, certificate.validity)];
        for depth in 0..=LONGEST_PATH {
            let mut next: Vec<(&Certificate, Validity)> = Vec::new();
            for (child, validity) in level {
                let mut issuers = anchor.certificates.iter();
                if issuers
                    .any(|issuer| may_issue(issuer, child, depth) && self.signed(child, issuer, &mut budget))
                {
                    paths.push(validity);
                    // nothing between them: no other path is valid for longer
                    if depth == 0 {
                        return paths;
                    }
                }
                for issuer in presented.iter().take(LONGEST_PATH * 2) {
                    let new = issuer.sha256 != child.sha256
                        && !next.iter().any(|(known, _)| known.sha256 == issuer.sha256);
                    if new
                        && is_plain_intermediate(issuer)
                        && may_issue(issuer, child, depth)
                        && self.signed(child, issuer, &mut budget)
                    {
                        next.push((issuer, validity.overlap(issuer.validity)));
                    }
                }
            }
            if next.is_empty() {
                break;
            }
            level = next;
        }
        paths
    }

    fn signed(&mut self, child: &Certificate, issuer: &Certificate, budget: &mut usize) -> bool {
        let (certificate, key) = (child.sha256, issuer.public_key_sha256);
        let mut known = self.verdicts.iter();
        if let Some((.., verdict)) = known.find(|known| known.0 == certificate && known.1 == key) {
            return *verdict;
        }
        let Some(left) = budget.checked_sub(1) else { return false };
        *budget = left;
        let verdict = matches!(
            child.signed_by(issuer),
            Verdict::Valid(algorithm) if signature::is_believed(algorithm, &issuer.key)
        );
        self.verdicts.push((certificate, key, verdict));
        verdict
    }
}

/// A CA that says nothing more than that: no constraint on names, no critical extension that is not understood, no
/// purpose that leaves clients out.
fn is_plain_intermediate(issuer: &Certificate) -> bool {
    let serves = |purposes: &Vec<KeyPurpose>| {
        purposes.contains(&KeyPurpose::ClientAuth) || purposes.contains(&KeyPurpose::Any)
    };
    issuer.is_ca()
        && !issuer.name_constrained
        && issuer.unknown_critical_extensions.is_empty()
        && issuer.extended_key_usage.as_ref().is_none_or(serves)
}

/// Names chain, and the issuer's extensions let it sign with so many intermediates beneath it.
fn may_issue(issuer: &Certificate, child: &Certificate, depth: usize) -> bool {
    let path_length = issuer.basic_constraints.and_then(|constraints| constraints.path_length);
    issuer.subject.der == child.issuer.der
        && issuer.basic_constraints.is_none_or(|constraints| constraints.ca)
        && issuer.key_usage.is_none_or(|usage| usage.certificate_signing())
        && path_length.is_none_or(|length| depth <= usize::try_from(length).unwrap_or(usize::MAX))
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

/// A request's host, without port, in lower case.
#[derive(Debug)]
struct Host<'a>(Cow<'a, str>);

/// Whether two authorities name one host, ports, case and a final dot apart.
pub fn same_host(one: &str, other: &str) -> bool {
    Host::new(one).0 == Host::new(other).0
}

impl<'a> Host<'a> {
    #[inline]
    fn new(authority: &'a str) -> Self {
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        };
        let host = host.strip_suffix('.').unwrap_or(host);
        if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Host(host.to_ascii_lowercase().into())
        } else {
            Host(host.into())
        }
    }

    /// Nothing, the labels of a name or an IPv4 address, or an IPv6 address in brackets: what else a server makes of it
    /// (a user before an at sign, a second host after a comma) no pattern tells.
    fn is_plain(&self) -> bool {
        let host = self.0.as_ref();
        let label = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) => {
                address.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'))
            }
            None => {
                host.is_empty() || host.split('.').all(|part| !part.is_empty() && part.bytes().all(label))
            }
        }
    }
}

impl super::Scope {
    #[inline]
    fn covers(&self, request: &Request<'_>, host: &Host<'_>, path: &str) -> bool {
        (self.paths.is_empty() || self.paths.iter().any(|pattern| pattern.matches(path)))
            && (self.methods.is_empty() || self.methods.iter().any(|method| method == request.method))
            && (self.hosts.is_empty() || self.hosts.iter().any(|pattern| pattern.matches(&host.0)))
            && (self.routes.is_empty() || self.routes.iter().any(|route| request.route == Some(route)))
    }
}

// === impl Reason ===

impl Reason {
    /// The name that logs, metrics and tests use.
    pub fn name(&self) -> &'static str {
        match self {
            Reason::Absent(Absence::NoCertificate) => "no-certificate",
            Reason::Absent(Absence::Unverified(_)) => "unverified-certificate",
            Reason::Absent(Absence::UntrustedPeer(_)) => "untrusted-peer",
            Reason::Absent(Absence::Malformed(_)) => "malformed-certificate",
            Reason::Absent(Absence::HostError(_)) => "host-error",
            Reason::TooManyHeaders => "too-many-headers",
            Reason::AmbiguousHost => "ambiguous-host",
            Reason::AmbiguousMethod => "ambiguous-method",
            Reason::AmbiguousRoute => "ambiguous-route",
            Reason::AmbiguousPath(_) => "ambiguous-path",
            Reason::DeniedFingerprint(_) => "denied-fingerprint",
            Reason::DeniedPublicKey(_) => "denied-public-key",
            Reason::DeniedSerial(_) => "denied-serial",
            Reason::Expired { .. } => "expired",
            Reason::NotYetValid { .. } => "not-yet-valid",
            Reason::IssuerOutOfDate { .. } => "issuer-out-of-date",
            Reason::Usage(UsageProblem::CertificateAuthority) => "certificate-authority",
            Reason::Usage(UsageProblem::NotForClientAuthentication(_)) => "not-for-client-authentication",
            Reason::Usage(UsageProblem::NoDigitalSignature(_)) => "not-for-digital-signature",
            Reason::Usage(UsageProblem::LifetimeTooLong { .. }) => "lifetime-too-long",
            Reason::Usage(UsageProblem::WeakKey { .. }) => "weak-key",
            Reason::Usage(UsageProblem::UnknownCriticalExtension(_)) => "unknown-critical-extension",
            Reason::AmbiguousIdentity { .. } => "ambiguous-identity",
            Reason::UnknownIdentity { .. } => "unknown-identity",
            Reason::NoRule => "no-rule",
            Reason::IdentityNotAllowedHere { .. } => "identity-not-allowed-here",
        }
    }

    /// Every name that [`Reason::name`] may answer.
    pub const NAMES: [&str; 26] = [
        "no-certificate",
        "unverified-certificate",
        "untrusted-peer",
        "malformed-certificate",
        "host-error",
        "too-many-headers",
        "ambiguous-host",
        "ambiguous-method",
        "ambiguous-route",
        "ambiguous-path",
        "denied-fingerprint",
        "denied-public-key",
        "denied-serial",
        "expired",
        "not-yet-valid",
        "certificate-authority",
        "not-for-client-authentication",
        "not-for-digital-signature",
        "lifetime-too-long",
        "weak-key",
        "unknown-critical-extension",
        "ambiguous-identity",
        "unknown-identity",
        "no-rule",
        "issuer-out-of-date",
        "identity-not-allowed-here",
    ];
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Absent(absence) => write!(f, "{absence}"),
            Reason::TooManyHeaders => f.write_str(
                "the request has more headers than the gateway hands over: those behind are unseen",
            ),
            Reason::AmbiguousHost => f.write_str(
                "the host is no name and no address, or the gateway routes by another than the Host header's",
            ),
            Reason::AmbiguousMethod => f.write_str("the method is not written in upper case"),
            Reason::AmbiguousRoute => {
                f.write_str("a header has to be removed, and the route may be another one without it")
            }
            Reason::AmbiguousPath(why) => write!(f, "{why}"),
            Reason::DeniedFingerprint(digest) => {
                write!(f, "the certificate with SHA-256 {} is denied", hexadecimal(digest))
            }
            Reason::DeniedPublicKey(digest) => {
                write!(f, "the public key with SHA-256 {} is denied", hexadecimal(digest))
            }
            Reason::DeniedSerial(serial) => write!(f, "the serial number {serial} is denied"),
            Reason::Expired { not_after, at } => {
                write!(
                    f,
                    "the certificate was valid until {}, the request came at {}",
                    Date(*not_after),
                    date(*at)
                )
            }
            Reason::NotYetValid { not_before, at } => {
                write!(
                    f,
                    "the certificate is valid from {} on, the request came at {}",
                    Date(*not_before),
                    date(*at)
                )
            }
            Reason::IssuerOutOfDate { validity, at } => {
                write!(
                    f,
                    "the path to the trust anchor is valid from {} until {}, the request came at {}",
                    Date(validity.not_before),
                    Date(validity.not_after),
                    date(*at)
                )
            }
            Reason::Usage(problem) => write!(f, "{problem}"),
            Reason::AmbiguousIdentity { uris } => {
                write!(
                    f,
                    "the certificate has a SPIFFE ID among {uris} URI names, an X.509-SVID has exactly one"
                )
            }
            Reason::UnknownIdentity { names } if names.is_empty() => f.write_str(
                "the certificate has no name that identifies anybody, the policy names identities",
            ),
            Reason::UnknownIdentity { names } => {
                let names: Vec<String> = names.iter().map(|name| format!("{} {name}", name.kind())).collect();
                write!(f, "no identity of the policy is {}", names.join(", "))
            }
            Reason::NoRule => f.write_str("no rule is about this request"),
            Reason::IdentityNotAllowedHere { identity, rule } => {
                write!(f, "the rule {rule} does not allow {identity}")
            }
        }
    }
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Absence::NoCertificate => f.write_str("the client sent no certificate"),
            Absence::Unverified(why) => write!(f, "the gateway did not verify the certificate: {why}"),
            Absence::UntrustedPeer(peer) => {
                write!(f, "{peer} is no trusted peer, its certificate header counts nothing")
            }
            Absence::Malformed(why) => f.write_str(why),
            Absence::HostError(why) => write!(f, "the gateway could not be asked: {why}"),
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Evidence::Name(identity) => write!(f, "{}:{identity}", identity.kind()),
            Evidence::Certificate(digest) => write!(f, "certificate-sha256:{}", hexadecimal(digest)),
            Evidence::PublicKey(digest) => write!(f, "public-key-sha256:{}", hexadecimal(digest)),
            Evidence::LegacyCommonName(name) => write!(f, "common-name:{name}"),
            Evidence::Issuer(name) => write!(f, "issuer:{name}"),
        }
    }
}

impl Evidence {
    /// The SPIFFE ID, where that is what it is.
    pub fn spiffe(&self) -> Option<&SpiffeId> {
        match self {
            Evidence::Name(Identity::Spiffe(id)) => Some(id),
            _ => None,
        }
    }
}

/// Seconds since 1970 as RFC 3339.
struct Date(i64);

fn date(at: u64) -> Date {
    Date(i64::try_from(at).unwrap_or(i64::MAX))
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // days to civil date, Howard Hinnant's algorithm; certificates reach from 0000 to 9999
        let days = self.0.div_euclid(86400);
        let second = self.0.rem_euclid(86400);
        if !(-719_468..=2_932_896).contains(&days) {
            return write!(f, "{} s after 1970", self.0);
        }
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
            second / 3600,
            second / 60 % 60,
            second % 60
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_rfc_3339() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_454_184, "2026-11-23T17:16:24Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(Date(seconds).to_string(), text);
        }
    }
}

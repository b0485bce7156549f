//! The policy: who may do what with which certificate. This page is the configuration reference.
//!
//! A policy is one YAML or JSON document. The smallest useful one:
//!
//! ```
//! # let policy = r#"
//! certificate: {from: envoy}
//! identities:
//!   web: {spiffe: spiffe://example.org/ns/shop/sa/web}
//! rules:
//!   - {path: /orders/**, allow: web}
//! # "#;
//! # mtls_identity::policy::Policy::parse(policy).unwrap();
//! ```
//!
//! It reads: the certificate comes from Envoy; whoever has that SPIFFE ID is `web`; `web` may request `/orders` and
//! everything beneath; everything else is denied. A complete one:
//!
//! ```
//! # let policy = r#"
//! version: 1
//! mode: enforce                    # or audit: log and count what would be denied, and let it pass
//!
//! certificate:                     # where the certificate comes from; nothing is guessed
//!   from: envoy
//!
//! usage:                           # what every certificate has to be; these are the defaults
//!   extended-key-usage: [clientAuth]           # may add: anyExtendedKeyUsage, absent
//!   key-usage: digitalSignature-if-present     # or digitalSignature (must be present), unchecked
//!   certificate-authority: deny                # or allow
//!   minimum-rsa-bits: 2048
//!   minimum-ecdsa-bits: 256
//!   clock-skew: 0s
//!   maximum-lifetime: 398d                     # not limited by default
//!
//! deny:                            # whoever appears here is denied, whatever the rules say
//!   certificates: ["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"]
//!   public-keys: []
//!   serials:
//!     - {serial: "0A:1B:2C", issuer: "CN=Example CA,O=Example"}
//!
//! identities:                      # who there is; one match within an identity is enough
//!   web:
//!     spiffe: spiffe://example.org/ns/shop/sa/web
//!   shop:                          # * is one path segment, ** all that follow
//!     spiffe: [spiffe://example.org/ns/shop/**, spiffe://example.org/region/*/shop]
//!   partner:
//!     dns: "*.partner.example"     # exactly one label more
//!     issuer: "CN=Partner CA,O=Partner"        # and only if issued by that name
//!   people:
//!     email: ["alice@example.org", "*@ops.example.org"]
//!   meters:
//!     uri: urn:example:meter:7
//!     ip: [10.1.0.0/16, "2001:db8::/32"]
//!   break-glass:
//!     certificate-sha256: "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"
//!   old-batch:
//!     legacy-common-name: batch-7  # the only way a common name counts
//!
//! exempt:                          # answered without looking at any certificate
//!   - {path: /healthz, method: GET}
//!
//! rules:                           # the first rule about a request decides; what no rule is about is denied
//!   - name: read-orders
//!     host: [shop.example.org, "*.shop.example.org"]
//!     path: [/orders, "/orders/{id}"]          # {name} or * is one segment
//!     method: [GET, HEAD]
//!     allow: [web, partner]
//!   - name: locked
//!     path: /admin/secret/**
//!     allow: []                                # nobody
//!   - name: admin
//!     path: /admin/**                          # /admin and everything beneath
//!     route: admin-route                       # Envoy's route name
//!     allow: [people, break-glass]
//!   - name: anyone-known
//!     path: /whoami
//!     allow: any-identity                      # every identity above
//!
//! denial:                          # what a denied client gets; never the reason
//!   status: 403
//!   body: "denied\n"
//!   headers: {cache-control: no-store}
//!
//! path-parameters: deny            # or allow: a path may have a semicolon
//!
//! forward:                         # headers of an allowed request; a client's own copies are always removed
//!   x-client-identity: identity
//!   x-client-name: name
//!   client-cert: client-cert
//! remove-headers: [x-ssl-client-cert]
//! # "#;
//! # let policy = mtls_identity::policy::Policy::parse(policy).unwrap();
//! # assert_eq!((policy.identities.len(), policy.rules.len()), (7, 4));
//! ```
//!
//! ## Where the certificate comes from
//! | `from` | what is read |
//! | --- | --- |
//! | `envoy` | `connection.peer_certificate` (Envoy 1.40) |
//! | `envoy-xfcc` | `Cert=` of the X-Forwarded-Client-Cert header that this Envoy sets itself (`set_current_client_cert_details: {cert: true}`, older releases); counts only if its SHA-256 is the connection's, so a forged header is worth nothing in any forwarding mode |
//! | `apisix` | `ssl_client_raw_cert`, if `ssl_client_verify` is `SUCCESS` |
//! | `kong` | the same variables under Kong's `ngx.` prefix |
//! | `header` | a header that a proxy in front sets; only from `trusted-peers` |
//!
//! ```
//! # let policy = r#"
//! certificate:
//!   from: header
//!   header: client-cert
//!   format: rfc9440                # or escaped-pem (nginx's $ssl_client_escaped_cert), xfcc
//!   trusted-peers:                 # the TCP peer's address, or the SHA-256 of the certificate it presents to us
//!     addresses: [10.0.0.0/8]
//!     certificates: ["60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"]
//! # "#;
//! # mtls_identity::policy::Policy::parse(policy).unwrap();
//! ```
//! In Envoy an address is the connection's own, and counts only with its port: one that Envoy took from
//! X-Forwarded-For has none. Set `use_remote_address: true` so that every peer has its own, and neither
//! `xff_num_trusted_hops` nor `original_ip_detection_extensions`, by which clients choose it; a certificate is the better
//! name for a trusted peer. On nginx it is `$realip_remote_addr`.
//!
//! With `format: xfcc` the proxy in front has to write `Cert=` into every element (`set_current_client_cert_details:
//! {cert: true}`) and should replace the header (SANITIZE_SET): exactly one element counts, and one with a quote where
//! none may stand is `malformed-certificate`. Requests that pass without an identity (exempt, or in audit mode) lose the
//! header that carries the certificate, and its `-chain`.
//!
//! `verification` (with `envoy` and `envoy-xfcc`) says what makes the certificate a verified one. `connection`, the
//! default, wants `connection.peer_certificate_valid` once for each certificate: a full handshake must have been
//! verified before a resumed session (where Envoy answers 0) is believed. `listener` believes the listener, which
//! then has to have `require_client_certificate: true`, a validation context and not ACCEPT_UNTRUSTED.
//!
//! A verified handshake counts for seven days, as long as BoringSSL lets its sessions be resumed, and whether there was
//! another is looked at once an hour: under ACCEPT_UNTRUSTED a certificate whose CA was withdrawn passes for as long. A
//! listener that refuses unverified certificates refuses it at once.
//!
//! What one listener verified, another one with the same policy believes, unless their filters differ in `name` or
//! the listeners in direction or metadata. Where two listeners, or two filter chains of one listener, verify by different
//! trust anchors, give the filter of each a name of its own (`config.name`).
//!
//! ## Nothing written
//! A key of a rule, an exemption or an identity that is there with nothing in it (`path: []`, `issuer:`) is refused:
//! without it the rule would be about more, or the identity be more people.
//!
//! ## Issued under
//! A name says who somebody claims to be; which CA may say so can be pinned. The signature is verified, not the
//! issuer's name: Ed25519, or RSA or ECDSA on P-256 or P-384 over SHA-256, SHA-384 or SHA-512. A text may hold several
//! certificates: each is trusted as given, intermediates included; one with name constraints is refused, since they are
//! not honoured.
//!
//! Between the certificate and the anchor may stand up to four intermediates that came with it: CAs, valid at the time
//! of the request (`issuer-out-of-date` else), without name constraints, without critical extensions that are not
//! understood, and with an extended key usage that has clientAuth or any, or without one.
//!
//! ```text
//! trust-anchors:
//!   partner-ca: |
//!     -----BEGIN CERTIFICATE-----
//!     …
//! identities:
//!   partner: {dns: api.partner.example, issued-under: partner-ca}
//! ```
//!
//! ## What a header may carry
//! `identity` (the policy's name), `name` (what in the certificate made it so, typed: `spiffe:spiffe://…`), `rule`,
//! `serial`, `certificate-sha256`, `subject`, `issuer`, `client-cert` (RFC 9440). Values are percent-encoded. Beside a
//! header with `client-cert`, a client's own `<name>-chain` is removed too.
//!
//! A client's copies are those that servers may take for one: `X_Client_Identity` and `x.client.identity` are
//! `x-client-identity`. Gateways on nginx hand over a hundred headers: where some have to be removed, a request with as
//! many is denied as `too-many-headers`.
//!
//! ## Routes
//! Changing a header makes Envoy choose the route anew. So a request that brings a header which has to be removed is
//! denied as `ambiguous-route` where a rule asks for `route`, and no route may match on a header that `forward` sets or
//! `remove-headers` names.
//!
//! ## Paths
//! Rules see the path without query, in normal form: `/jobs/all%3Apurge` is `/jobs/all:purge`, `/a[0]` is
//! `/a%5B0%5D`; an asterisk of the path's own is written `%2A`. Upper and lower case differ, and `/orders/` is not
//! `/orders` (`/orders/**` is about both). A path with two readings (`..`, `//`, `%2F`, backslashes, bytes that are no
//! UTF-8, …) is denied as `ambiguous-path`, exemptions included. On Kong it is the path as the client sent it.
//!
//! So is one with a semicolon (`/a;v=1/b`, also as `%3B`): some servers cut path parameters off before they look for
//! what is meant, so that `/admin;x/keys` would be `/admin/keys` to them and not to the policy. Where no server behind
//! the gateway does, `path-parameters: allow` takes them for a part of the name; `..;` stays denied.
//!
//! Hosts are compared without port and final dot; one that is neither a name nor an address is denied as
//! `ambiguous-host`, and so is on nginx a Host header beside another host in the request line, by which nginx routes. A
//! method in lower-case letters is denied as `ambiguous-method`. Each only where a rule or exemption asks for it. The filter judges the method, host and path of the request itself:
//! where an application is told others by a header (X-HTTP-Method-Override, X-Original-URL, X-Forwarded-Host), remove
//! that header (`remove-headers`) or let the gateway do so.
//!
//! ## The order of the questions
//! Ambiguous path, host or method, exemption, is there a verified certificate, is it denied, dates, usage, identity, rule. Each answer has a
//! name, [`Reason::NAMES`].

mod build;
mod decide;
mod document;
mod error;
mod forward;
mod host;
mod issued_under;
mod path;
mod pattern;
mod reason;
mod recognise;
#[cfg(test)]
mod tests;
mod tree;

pub use self::decide::{Allowed, Asked, Decision, Request};
pub use self::error::{PolicyError, Position, Step, position};
pub use self::forward::{ForwardValue, escape};
pub use self::host::same_host;
pub use self::path::{Ambiguity, PathParameters, normalise};
pub use self::pattern::{
    DistinguishedName, EmailPattern, Fingerprint, HostPattern, Network, PathPattern, PlainUri, Serial,
    SpiffePattern,
};
pub use self::reason::{Absence, Reason};
pub use self::recognise::{Evidence, Recognised, Standing};
use crate::certificate::Certificate;
use crate::identity::Identity;
use crate::usage::UsageRequirements;

/// A policy, ready to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Whether denials are acted on.
    pub mode: Mode,
    /// Where the certificate comes from.
    pub source: Source,
    /// What every certificate has to be.
    pub usage: UsageRequirements,
    /// Who is denied whatever the rules say.
    pub deny: Denials,
    /// The trust anchors that identities are pinned to, by name.
    pub trust_anchors: Vec<TrustAnchor>,
    /// Who there is, sorted by name.
    pub identities: Vec<IdentityPattern>,
    /// What is answered without a certificate.
    pub exempt: Vec<Exemption>,
    /// Who may do what; the first rule about a request decides.
    pub rules: Vec<Rule>,
    /// Whether a path may have parameters.
    pub path_parameters: PathParameters,
    /// What a denied client gets.
    pub denial: Denial,
    /// Which headers carry what upstream; names in lower case.
    pub forward: Vec<(String, ForwardValue)>,
    /// Headers removed beside those, in lower case.
    pub remove_headers: Vec<String>,
}

/// Whether denials are acted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Denied requests get the denial.
    #[default]
    Enforce,
    /// Denied requests are logged and counted, and pass.
    Audit,
}

/// Where the certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Which gateway or header.
    pub kind: SourceKind,
    /// What makes a certificate a verified one, in Envoy.
    pub verification: Verification,
    /// The header, in lower case, for [`SourceKind::Header`].
    pub header: String,
    /// How the header writes it.
    pub format: HeaderFormat,
    /// TCP peers whose header counts.
    pub trusted_addresses: Vec<Network>,
    /// SHA-256 of the certificates of peers whose header counts.
    pub trusted_certificates: Vec<[u8; 32]>,
}

/// Which gateway vouches for the certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// Envoy's connection properties.
    Envoy,
    /// Envoy's own X-Forwarded-Client-Cert.
    EnvoyXfcc,
    /// APISIX's nginx variables.
    Apisix,
    /// Kong's nginx variables.
    Kong,
    /// A header that a trusted proxy in front sets.
    Header,
}

/// What makes a certificate a verified one, in Envoy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verification {
    /// A handshake with it was verified.
    #[default]
    Connection,
    /// The listener refuses every other.
    Listener,
}

/// How a header writes a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HeaderFormat {
    /// RFC 9440: base64 of the DER between colons.
    #[default]
    Rfc9440,
    /// URL-encoded PEM, as nginx's `$ssl_client_escaped_cert`.
    EscapedPem,
    /// Envoy's X-Forwarded-Client-Cert; of its elements exactly one has a `Cert=`.
    Xfcc,
}

/// Who is denied whatever the rules say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Denials {
    /// SHA-256 of certificates.
    pub certificates: Vec<[u8; 32]>,
    /// SHA-256 of public keys.
    pub public_keys: Vec<[u8; 32]>,
    /// Serial numbers, of one issuer or of any.
    pub serials: Vec<DeniedSerial>,
}

/// A denied serial number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeniedSerial {
    /// The number.
    pub serial: Serial,
    /// Whose; any issuer's if `None`.
    pub issuer: Option<DistinguishedName>,
}

/// Certificates accepted as given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustAnchor {
    /// The policy's name for it.
    pub name: String,
    /// At least one.
    pub certificates: Vec<Certificate>,
}

/// Somebody: any of its names or digests, and only if issued as it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityPattern {
    /// The policy's name for it.
    pub name: String,
    /// SPIFFE IDs.
    pub spiffe: Vec<SpiffePattern>,
    /// Other URIs.
    pub uri: Vec<PlainUri>,
    /// DNS names.
    pub dns: Vec<HostPattern>,
    /// E-mail addresses.
    pub email: Vec<EmailPattern>,
    /// IP addresses.
    pub ip: Vec<Network>,
    /// SHA-256 of certificates.
    pub certificate_sha256: Vec<[u8; 32]>,
    /// SHA-256 of public keys.
    pub public_key_sha256: Vec<[u8; 32]>,
    /// Common names, for certificates that have nothing better.
    pub legacy_common_name: Vec<String>,
    /// Issuers' names, one of which it must have; any if empty.
    pub issuer: Vec<DistinguishedName>,
    /// Trust anchors by index, under one of which it must be issued; any issuer if empty.
    pub issued_under: Vec<usize>,
}

/// Which requests a rule or an exemption is about; an empty list is about all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Hosts.
    pub hosts: Vec<HostPattern>,
    /// Paths.
    pub paths: Vec<PathPattern>,
    /// Methods in upper case.
    pub methods: Vec<String>,
    /// Route names.
    pub routes: Vec<String>,
}

/// Who may make the requests of a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name, or `rule-N` counted from 1.
    pub name: String,
    /// Which requests it is about.
    pub scope: Scope,
    /// It allows every identity of the policy.
    pub any_identity: bool,
    /// The identities it allows, one bit each by their index.
    allowed: Vec<u64>,
}

/// Requests that are answered without a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exemption {
    /// Its name, or `exempt-N` counted from 1.
    pub name: String,
    /// Which requests.
    pub scope: Scope,
}

/// What a denied client gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// HTTP status, 400 to 599; 403 unless the policy says otherwise.
    pub status: u32,
    /// The body.
    pub body: String,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
}

/// The longest policy that is read, in bytes.
pub const LONGEST: usize = 8 * 1024 * 1024;

/// The word in `allow` that stands for every identity.
pub const ANY_IDENTITY: &str = "any-identity";

// === impl Policy ===

impl Policy {
    /// Reads a policy; see [the reference](self).
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        if text.len() > LONGEST {
            let message = format!("the policy has {} bytes, more than {LONGEST}", text.len());
            return Err(PolicyError { message, at: None, help: None });
        }
        build::policy(text, document::Document::read(text)?)
    }

    /// The identity with a name.
    pub fn identity(&self, name: &str) -> Option<&IdentityPattern> {
        self.identities.iter().find(|identity| identity.name == name)
    }

    /// The identities that a rule allows.
    pub fn allowed_by<'a>(&'a self, rule: &'a Rule) -> impl Iterator<Item = &'a IdentityPattern> {
        self.identities
            .iter()
            .enumerate()
            .filter(|(index, _)| rule.allows(*index))
            .map(|(_, identity)| identity)
    }

    /// Whether a rule asks for the route's name.
    pub fn asks_for_route(&self) -> bool {
        self.scopes().any(|scope| !scope.routes.is_empty())
    }

    /// Whether a rule or an exemption asks for the host.
    pub fn asks_for_host(&self) -> bool {
        self.scopes().any(|scope| !scope.hosts.is_empty())
    }

    /// Whether a rule or an exemption asks for the method.
    pub fn asks_for_method(&self) -> bool {
        self.scopes().any(|scope| !scope.methods.is_empty())
    }

    fn scopes(&self) -> impl Iterator<Item = &Scope> {
        let exempt = self.exempt.iter().map(|exemption| &exemption.scope);
        self.rules.iter().map(|rule| &rule.scope).chain(exempt)
    }
}

impl IdentityPattern {
    /// Whether one of its name patterns fits.
    pub fn matches_name(&self, name: &Identity) -> bool {
        pattern::names(name, &self.spiffe, &self.uri, &self.dns, &self.email, &self.ip)
    }

    /// Whether it names anyone by a name or digest, rather than everyone of an issuer.
    pub fn names_anyone(&self) -> bool {
        !(self.spiffe.is_empty()
            && self.uri.is_empty()
            && self.dns.is_empty()
            && self.email.is_empty()
            && self.ip.is_empty()
            && self.certificate_sha256.is_empty()
            && self.public_key_sha256.is_empty()
            && self.legacy_common_name.is_empty())
    }
}

impl Scope {
    /// Whether every request of `other` is one of this scope too; `false` where that is not certain.
    pub fn includes(&self, other: &Scope) -> bool {
        let subset = |mine: &[String], theirs: &[String]| {
            mine.is_empty() || !theirs.is_empty() && theirs.iter().all(|one| mine.contains(one))
        };
        let paths = self.paths.is_empty()
            || !other.paths.is_empty()
                && other.paths.iter().all(|theirs| self.paths.iter().any(|mine| mine.covers(theirs)));
        let hosts = self.hosts.is_empty()
            || !other.hosts.is_empty() && other.hosts.iter().all(|theirs| self.hosts.contains(theirs));
        paths && hosts && subset(&self.methods, &other.methods) && subset(&self.routes, &other.routes)
    }
}

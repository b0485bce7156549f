//! From the document to the policy that decides: every text is read, every reference followed.

use std::str::FromStr;

use super::document;
use super::{
    ANY_IDENTITY, Denial, Denials, DeniedSerial, Exemption, Fingerprint, ForwardValue, HeaderFormat,
    IdentityPattern, Mode, PathParameters, Policy, PolicyError, Rule, Scope, Source, SourceKind, Step,
    TrustAnchor, Verification,
};
use crate::certificate;
use crate::signature;
use crate::sorted;
use crate::usage::{KeyUsageRequirement, UsageRequirements};

struct Build<'t> {
    text: &'t str,
}

/// Makes the working form of a document; the text serves to say where an error stands.
pub(super) fn policy(text: &str, document: document::Document) -> Result<Policy, PolicyError> {
    Build { text }.policy(document)
}

/// A header name as servers fold it that make variables of headers.
fn folded(name: &str) -> String {
    name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect()
}

fn beneath(route: &[Step], name: &str) -> Vec<Step> {
    route.iter().cloned().chain([key(name)]).collect()
}

fn key(name: impl Into<String>) -> Step {
    Step::Key(name.into())
}

impl Build<'_> {
    fn refuse(&self, route: &[Step], message: impl Into<String>) -> PolicyError {
        PolicyError::at(self.text, route, message)
    }

    /// Reads every entry of the list `name` beneath a route.
    fn texts<T: FromStr<Err = String>>(
        &self,
        route: &[Step],
        name: &str,
        list: Vec<String>,
    ) -> Result<Vec<T>, PolicyError> {
        let read = |(index, text): (usize, &String)| {
            text.parse().map_err(|error: String| {
                PolicyError::at_entry(self.text, &beneath(route, name), index, error)
            })
        };
        list.iter().enumerate().map(read).collect()
    }

    fn digests(&self, route: &[Step], name: &str, list: Vec<String>) -> Result<Vec<[u8; 32]>, PolicyError> {
        let digests: Vec<Fingerprint> = self.texts(route, name, list)?;
        Ok(digests.into_iter().map(|digest| digest.0).collect())
    }

    fn methods(&self, route: &[Step], list: Vec<String>) -> Result<Vec<String>, PolicyError> {
        let methods: Vec<document::Method> = self.texts(route, "method", list)?;
        Ok(methods.into_iter().map(|method| method.0).collect())
    }

    fn text<T: FromStr<Err = String>>(
        &self,
        route: &[Step],
        name: &str,
        text: Option<String>,
    ) -> Result<Option<T>, PolicyError> {
        let read =
            |text: String| text.parse().map_err(|error: String| self.refuse(&beneath(route, name), error));
        text.map(read).transpose()
    }

    /// Reads a value that is one of a few words.
    fn word<T: Copy>(&self, route: &[Step], text: &str, words: &[(&str, T)]) -> Result<T, PolicyError> {
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(*value);
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let message =
            format!("unknown value {}, expected one of {}", crate::identity::shown(text), known.join(", "));
        Err(self.refuse(route, message).likely(text, known))
    }

    fn policy(&self, document: document::Document) -> Result<Policy, PolicyError> {
        if document.version.is_some_and(|version| version != 1) {
            return Err(self.refuse(&[key("version")], "only version 1 is known"));
        }
        let source = self.source(document.certificate)?;
        let usage = self.usage(document.usage)?;
        let trust_anchors = self.trust_anchors(document.trust_anchors)?;
        let identities = self.identities(document.identities, &trust_anchors)?;
        let rules = document.rules.into_iter().enumerate();
        let rules =
            rules.map(|(index, rule)| self.rule(index, rule, &identities)).collect::<Result<Vec<_>, _>>()?;
        let exempt = document.exempt.into_iter().enumerate().map(|(index, exemption)| {
            let route = [key("exempt"), Step::Index(index)];
            let scope = Scope {
                hosts: self.texts(&route, "host", exemption.host)?,
                paths: self.texts(&route, "path", exemption.path)?,
                methods: self.methods(&route, exemption.method)?,
                routes: Vec::new(),
            };
            if scope.paths.is_empty() {
                return Err(
                    self.refuse(&route, "an exemption without a path would exempt everything: write path")
                );
            }
            let name = self.name(&route, exemption.name, || format!("exempt-{}", index + 1))?;
            Ok(Exemption { name, scope })
        });
        let mode = match document.mode {
            None => Mode::default(),
            Some(word) => {
                self.word(&[key("mode")], &word, &[("enforce", Mode::Enforce), ("audit", Mode::Audit)])?
            }
        };
        let words = [("deny", PathParameters::Deny), ("allow", PathParameters::Allow)];
        let path_parameters = match document.path_parameters {
            None => PathParameters::default(),
            Some(word) => self.word(&[key("path-parameters")], &word, &words)?,
        };
        Ok(Policy {
            mode,
            path_parameters,
            deny: self.denials(document.deny)?,
            exempt: exempt.collect::<Result<Vec<_>, _>>()?,
            denial: self.denial(document.denial)?,
            forward: self.forward(document.forward)?,
            remove_headers: self.remove_headers(document.remove_headers)?,
            source,
            usage,
            trust_anchors,
            identities,
            rules,
        })
    }

    fn source(&self, certificate: document::Certificate) -> Result<Source, PolicyError> {
        let only = |present: bool, name: &str, with: &str| {
            let route = [key("certificate"), key(name)];
            if present { Err(self.refuse(&route, format!("belongs to from: {with}"))) } else { Ok(()) }
        };
        let route = [key("certificate")];
        let kind = self.word(
            &beneath(&route, "from"),
            &certificate.from,
            &[
                ("envoy", SourceKind::Envoy),
                ("envoy-xfcc", SourceKind::EnvoyXfcc),
                ("apisix", SourceKind::Apisix),
                ("kong", SourceKind::Kong),
                ("header", SourceKind::Header),
            ],
        )?;
        let (trusted_addresses, trusted_certificates, named) = match certificate.trusted_peers {
            Some(peers) => {
                let route = beneath(&route, "trusted-peers");
                let addresses = self.texts(&route, "addresses", peers.addresses)?;
                (addresses, self.digests(&route, "certificates", peers.certificates)?, true)
            }
            None => (Vec::new(), Vec::new(), false),
        };
        if kind != SourceKind::Header {
            only(certificate.header.is_some(), "header", "header")?;
            only(certificate.format.is_some(), "format", "header")?;
            only(named, "trusted-peers", "header")?;
        }
        if !matches!(kind, SourceKind::Envoy | SourceKind::EnvoyXfcc) {
            only(certificate.verification.is_some(), "verification", "envoy")?;
        }
        if kind == SourceKind::Header && trusted_addresses.is_empty() && trusted_certificates.is_empty() {
            let message =
                "a header counts only from trusted peers: write trusted-peers with addresses or certificates";
            return Err(self.refuse(&[key("certificate")], message));
        }
        let format = match certificate.format {
            None => HeaderFormat::default(),
            Some(word) => self.word(
                &beneath(&route, "format"),
                &word,
                &[
                    ("rfc9440", HeaderFormat::Rfc9440),
                    ("escaped-pem", HeaderFormat::EscapedPem),
                    ("xfcc", HeaderFormat::Xfcc),
                ],
            )?,
        };
        let header: Option<document::HeaderName> = self.text(&route, "header", certificate.header)?;
        let header = match header {
            Some(header) => header.0,
            None if format == HeaderFormat::Xfcc => "x-forwarded-client-cert".to_owned(),
            None if kind == SourceKind::Header && format == HeaderFormat::EscapedPem => {
                return Err(self.refuse(&[key("certificate")], "write which header carries the certificate"));
            }
            None => "client-cert".to_owned(),
        };
        let verification = match certificate.verification {
            None => Verification::default(),
            Some(word) => self.word(
                &beneath(&route, "verification"),
                &word,
                &[("connection", Verification::Connection), ("listener", Verification::Listener)],
            )?,
        };
        Ok(Source { kind, verification, header, format, trusted_addresses, trusted_certificates })
    }

    fn usage(&self, usage: Option<document::Usage>) -> Result<UsageRequirements, PolicyError> {
        let default = UsageRequirements::default();
        let Some(usage) = usage else { return Ok(default) };
        let route = [key("usage")];
        let (mut client, mut any, mut absent) = (false, false, false);
        for word in &usage.extended_key_usage {
            let words = [("clientAuth", 0), ("anyExtendedKeyUsage", 1), ("absent", 2)];
            match self.word(&beneath(&route, "extended-key-usage"), word, &words)? {
                0 => client = true,
                1 => any = true,
                _ => absent = true,
            }
        }
        if !usage.extended_key_usage.is_empty() && !client {
            let message = "clientAuth is always accepted: write it too";
            return Err(self.refuse(&beneath(&route, "extended-key-usage"), message));
        }
        let key_usage = match usage.key_usage {
            None => default.key_usage,
            Some(word) => self.word(
                &beneath(&route, "key-usage"),
                &word,
                &[
                    ("digitalSignature-if-present", KeyUsageRequirement::DigitalSignatureIfPresent),
                    ("digitalSignature", KeyUsageRequirement::DigitalSignature),
                    ("unchecked", KeyUsageRequirement::Unchecked),
                ],
            )?,
        };
        let certificate_authority = match usage.certificate_authority {
            None => default.certificate_authority,
            Some(word) => self.word(
                &beneath(&route, "certificate-authority"),
                &word,
                &[("allow", true), ("deny", false)],
            )?,
        };
        let maximum_lifetime: Option<document::Duration> =
            self.text(&route, "maximum-lifetime", usage.maximum_lifetime)?;
        let clock_skew: Option<document::Duration> = self.text(&route, "clock-skew", usage.clock_skew)?;
        let bits = |value: Option<u64>, default: usize, most: u64, name: &str| match value {
            None => Ok(default),
            Some(bits) if bits <= most => Ok(usize::try_from(bits).unwrap_or(default)),
            Some(_) => {
                Err(self.refuse(&[key("usage"), key(name)], format!("no key has more than {most} bits")))
            }
        };
        Ok(UsageRequirements {
            absent_extended_key_usage: absent,
            any_extended_key_usage: any,
            key_usage,
            certificate_authority,
            maximum_lifetime: maximum_lifetime.map(|span| span.0),
            minimum_rsa_bits: bits(
                usage.minimum_rsa_bits,
                default.minimum_rsa_bits,
                16384,
                "minimum-rsa-bits",
            )?,
            minimum_ecdsa_bits: bits(
                usage.minimum_ecdsa_bits,
                default.minimum_ecdsa_bits,
                521,
                "minimum-ecdsa-bits",
            )?,
            clock_skew: clock_skew.map_or(0, |span| span.0),
        })
    }

    fn trust_anchors(&self, anchors: Vec<(String, String)>) -> Result<Vec<TrustAnchor>, PolicyError> {
        let read = |(name, text): (String, String)| {
            let route = [key("trust-anchors"), key(&name)];
            let certificates = certificate::certificates_in(&text)
                .map_err(|error| self.refuse(&route, error.to_string()))?;
            if certificates.is_empty() {
                return Err(self.refuse(&route, "there is no PEM block of type CERTIFICATE"));
            }
            if certificates.iter().any(|anchor| !signature::is_believed_of(&anchor.key)) {
                let message = "signatures on P-521 are not verified: name an anchor with RSA, Ed25519 or ECDSA on \
                               P-256 or P-384";
                return Err(self.refuse(&route, message));
            }
            if certificates.iter().any(|anchor| anchor.name_constrained) {
                let message = "name constraints are not honoured: name an anchor without";
                return Err(self.refuse(&route, message));
            }
            Ok(TrustAnchor { name, certificates })
        };
        anchors.into_iter().map(read).collect()
    }

    fn identities(
        &self,
        identities: Vec<(String, document::Identity)>,
        anchors: &[TrustAnchor],
    ) -> Result<Vec<IdentityPattern>, PolicyError> {
        let mut built = Vec::new();
        for (name, identity) in identities {
            let route = [key("identities"), key(&name)];
            let name = self.name(&route, Some(name), String::new)?;
            if name == ANY_IDENTITY {
                return Err(self.refuse(&route, "any-identity stands for all identities and cannot name one"));
            }
            let mut issued_under = Vec::new();
            for wanted in &identity.issued_under {
                match anchors.iter().position(|anchor| anchor.name == *wanted) {
                    Some(index) => issued_under.push(index),
                    None => {
                        let message = format!("there is no trust anchor {}", crate::identity::shown(wanted));
                        return Err(self
                            .refuse(&beneath(&route, "issued-under"), message)
                            .likely(wanted, anchors.iter().map(|anchor| anchor.name.as_str())));
                    }
                }
            }
            let pattern = IdentityPattern {
                name,
                spiffe: self.texts(&route, "spiffe", identity.spiffe)?,
                uri: self.texts(&route, "uri", identity.uri)?,
                dns: self.texts(&route, "dns", identity.dns)?,
                email: self.texts(&route, "email", identity.email)?,
                ip: self.texts(&route, "ip", identity.ip)?,
                certificate_sha256: self.digests(
                    &route,
                    "certificate-sha256",
                    identity.certificate_sha256,
                )?,
                public_key_sha256: self.digests(&route, "public-key-sha256", identity.public_key_sha256)?,
                legacy_common_name: identity.legacy_common_name,
                issuer: self.texts(&route, "issuer", identity.issuer)?,
                issued_under,
            };
            if !pattern.names_anyone() && pattern.issuer.is_empty() && pattern.issued_under.is_empty() {
                let message = "an identity without a name would be everybody: write spiffe, uri, dns, email, ip or \
                               certificate-sha256";
                return Err(self.refuse(&route, message));
            }
            built.push(pattern);
        }
        sorted::sort_by(&mut built, &|one, other| one.name.cmp(&other.name));
        Ok(built)
    }

    fn rule(
        &self,
        index: usize,
        rule: document::Rule,
        identities: &[IdentityPattern],
    ) -> Result<Rule, PolicyError> {
        let route = [key("rules"), Step::Index(index)];
        let mut allowed = vec![0u64; identities.len().div_ceil(64)];
        let mut any_identity = false;
        for (entry, wanted) in rule.allow.iter().enumerate() {
            if wanted == ANY_IDENTITY {
                any_identity = true;
                continue;
            }
            let Ok(found) = identities.binary_search_by(|identity| identity.name.as_str().cmp(wanted)) else {
                let message = format!("there is no identity {}", crate::identity::shown(wanted));
                return Err(PolicyError::at_entry(self.text, &beneath(&route, "allow"), entry, message)
                    .likely(wanted, identities.iter().map(|identity| identity.name.as_str())));
            };
            if let Some(bits) = allowed.get_mut(found / 64) {
                *bits |= 1 << (found % 64);
            }
        }
        let name = self.name(&route, rule.name, || format!("rule-{}", index + 1))?;
        let scope = Scope {
            hosts: self.texts(&route, "host", rule.host)?,
            paths: self.texts(&route, "path", rule.path)?,
            methods: self.methods(&route, rule.method)?,
            routes: rule.route,
        };
        Ok(Rule { name, scope, any_identity, allowed })
    }

    fn name(
        &self,
        route: &[Step],
        name: Option<String>,
        otherwise: impl FnOnce() -> String,
    ) -> Result<String, PolicyError> {
        let name = name.unwrap_or_else(otherwise);
        let plain = |letter: char| letter.is_alphanumeric() || "-_./ :@".contains(letter);
        if name.is_empty() || name.len() > 128 || !name.chars().all(plain) {
            let message =
                format!("{} is no name: use letters, digits, - _ . / : @", crate::identity::shown(&name));
            return Err(self.refuse(route, message));
        }
        Ok(name)
    }

    fn denial(&self, denial: Option<document::Denial>) -> Result<Denial, PolicyError> {
        let Some(denial) = denial else {
            return Ok(Denial { status: 403, body: String::new(), headers: Vec::new() });
        };
        let status = denial.status.unwrap_or(403);
        let body = denial.body.unwrap_or_default();
        let status = match u32::try_from(status) {
            Ok(status) if (400..=599).contains(&status) => status,
            _ => return Err(self.refuse(&[key("denial"), key("status")], "a denial's status is 400 to 599")),
        };
        if body.len() > 64 * 1024 {
            return Err(self.refuse(&[key("denial"), key("body")], "a denial's body has at most 64 KiB"));
        }
        let mut headers = Vec::new();
        for (name, value) in denial.headers {
            let route = [key("denial"), key("headers"), key(&name)];
            let name: document::HeaderName =
                name.parse().map_err(|error: String| self.refuse(&route, error))?;
            if ["content-length", "transfer-encoding", "connection"].contains(&folded(&name.0).as_str()) {
                return Err(self.refuse(&route, "the gateway writes this header itself"));
            }
            let value: document::HeaderValue =
                value.parse().map_err(|error: String| self.refuse(&route, error))?;
            headers.push((name.0, value.0));
        }
        Ok(Denial { status, body, headers })
    }

    fn forward(&self, forward: Vec<(String, String)>) -> Result<Vec<(String, ForwardValue)>, PolicyError> {
        let mut headers: Vec<(String, ForwardValue)> = Vec::new();
        for (name, value) in forward {
            let route = [key("forward"), key(&name)];
            let name = self.free_header(&route, &name)?;
            let value = self.word(&route, &value, &ForwardValue::WORDS)?;
            if headers.iter().any(|(other, _)| folded(other) == folded(&name)) {
                return Err(self.refuse(&route, "servers take this for the same header as another one"));
            }
            headers.push((name, value));
        }
        sorted::sort(&mut headers);
        Ok(headers)
    }

    fn remove_headers(&self, names: Vec<String>) -> Result<Vec<String>, PolicyError> {
        let names = names.iter().enumerate();
        names
            .map(|(index, name)| self.free_header(&[key("remove-headers"), Step::Index(index)], name))
            .collect()
    }

    fn denials(&self, deny: Option<document::Deny>) -> Result<Denials, PolicyError> {
        let Some(deny) = deny else { return Ok(Denials::default()) };
        let route = [key("deny")];
        let mut serials = Vec::new();
        for (index, denied) in deny.serials.into_iter().enumerate() {
            let route = [key("deny"), key("serials"), Step::Index(index)];
            let serial = denied
                .serial
                .parse()
                .map_err(|error: String| self.refuse(&beneath(&route, "serial"), error))?;
            serials.push(DeniedSerial { serial, issuer: self.text(&route, "issuer", denied.issuer)? });
        }
        Ok(Denials {
            certificates: self.digests(&route, "certificates", deny.certificates)?,
            public_keys: self.digests(&route, "public-keys", deny.public_keys)?,
            serials,
        })
    }

    /// A header that may be set or removed without changing what the request is.
    fn free_header(&self, route: &[Step], name: &str) -> Result<String, PolicyError> {
        const TAKEN: [&str; 8] = [
            "host",
            "content-length",
            "transfer-encoding",
            "connection",
            "te",
            "upgrade",
            "content-type",
            "expect",
        ];
        let name: document::HeaderName = name.parse().map_err(|error: String| self.refuse(route, error))?;
        if TAKEN.contains(&folded(&name.0).as_str()) {
            return Err(self.refuse(route, "this header belongs to the request itself"));
        }
        Ok(name.0)
    }
}

//! How a cluster speaks TLS: credential, trust, and the names that it sends and compares.

use super::Loader;
use super::dialer::Hop;
use super::refusal::refuse;
use super::routes::UpstreamHost;
use super::secret::{self, Effective, Followed};
use crate::deployment::{ClientTls, Dialer, Protocol, Refusal, Setting, Trust, Versions};
use crate::dialect::envoy::{Discovery, UpstreamTls};
use crate::source::{Located, Span};
use crate::syntax::url::without_port;

impl Loader<'_, '_, '_> {
    /// How the cluster speaks TLS to one of its endpoints.
    pub(super) fn client(
        &mut self,
        hop: &Hop<'_>,
        tls: &UpstreamTls,
        versions: &Versions,
        dialer: &mut Dialer,
        fatal: &mut Vec<Refusal>,
    ) -> ClientTls {
        let common = &tls.common;
        let mut followed = Followed::default();
        let credential = self.credentials(hop.config, common, &mut followed).into_iter().next();
        let given = common.certificates.len() + common.certificate_secrets.len();
        if given > 1 {
            followed.fatal.push(refuse(
                format!("{given} certificates are given, and a client presents one"),
                common.span,
                "keep one entry of tls_certificates or tls_certificate_sds_secret_configs".to_owned(),
                Some("Multiple TLS certificates are not supported for client contexts".to_owned()),
            ));
        }
        let validation = self.validation(hop.config, common, &mut followed);
        if let Some(effective) = &validation {
            secret::validation_mistakes(effective, &mut followed);
        }
        followed.fatal.extend(secret::cipher_mistake(common));
        followed.fatal.extend(secret::curve_mistake(common, versions));
        followed.fatal.extend(unverified_name(tls, validation.as_ref()));
        let custom = validation.as_ref().and_then(|effective| effective.context.custom_validator.as_ref());
        if let Some(custom) = custom {
            dialer.unseen.push(format!("the validator {} judges the server's certificate", custom.value));
        }
        if common.custom_handshaker.is_some() {
            dialer.unseen.push("a custom handshaker does TLS".to_owned());
        }
        let names = hop.names(tls, &mut dialer.unseen);
        let mut trust = validation.as_ref().map(|effective| self.trust(effective)).unwrap_or_default();
        let mut checks =
            validation.as_ref().map(|effective| self.checks(&effective.context)).unwrap_or_default();
        // max_verify_depth has no effect upstream (facts, section 1, "Depth")
        checks.depth = None;
        if names.reference.is_some() {
            // the name that is sent takes the place of the configured matchers
            checks.names.clear();
        }
        let verifies = validation.as_ref().is_some_and(verifies);
        // auto_san_validation makes BoringSSL verify even where Envoy's own validator has nothing to do: without
        // anchors that always fails (seen with 1.40.0)
        let waves_through = validation.as_ref().is_some_and(|found| found.context.accept_untrusted.is_some());
        if let Some(span) = names.by_host.filter(|_| !verifies && !waves_through) {
            // its store is empty; the system's stands for it, which does not know a private issuer either
            trust.push(Trust::System(span));
        }
        let verifies = verifies || (names.by_host.is_some() && !waves_through);
        fatal.append(&mut followed.fatal);
        dialer.refusals.append(&mut followed.local);
        dialer.unseen.append(&mut followed.unseen);
        let verify = match &validation {
            Some(found) => Setting::Given(Located::new(verifies, found.context.span)),
            None => Setting::Default { value: verifies, parent: common.span },
        };
        // clients speak TLS 1.2 unless told otherwise (facts, section 6)
        let protocols = secret::protocols(common, Protocol::Tls12, Protocol::Tls12);
        ClientTls {
            credential,
            trust,
            server_name: names.server_name,
            reference: names.reference,
            checks,
            ciphers: secret::ciphers(common),
            algorithms: common.params.algorithms.clone(),
            names_from_request: names.from_request,
            ..ClientTls::new(verify, protocols, tls.span)
        }
    }
}

/// A validation context that refuses something.
fn verifies(found: &Effective) -> bool {
    let context = &found.context;
    // names without anchors are refused, which is another mistake than not verifying
    let checks_something = context.trusted_ca.is_some()
        || context.has_pins()
        || context.custom_validator.is_some()
        || !context.names.is_empty();
    found.unseen.is_some() || (checks_something && context.accept_untrusted.is_none())
}

/// `auto_sni_san_validation` that is in force.
fn names_sni(tls: &UpstreamTls) -> Option<&Located<bool>> {
    tls.auto_sni_san_validation.as_ref().filter(|flag| flag.value)
}

/// `auto_sni_san_validation` where nothing verifies the certificate.
fn unverified_name(tls: &UpstreamTls, validation: Option<&Effective>) -> Option<Refusal> {
    let flag = names_sni(tls)?;
    let log = match validation {
        None => "'auto_sni_san_validation' was configured without a validation context",
        Some(found) if found.context.trusted_ca.is_none() && found.unseen.is_none() => {
            "'auto_sni_san_validation' was configured without configuring a trusted CA"
        }
        Some(_) => return None,
    };
    Some(refuse(
        "auto_sni_san_validation compares names of a certificate that nothing else verifies".to_owned(),
        flag.span,
        "write validation_context with trusted_ca in common_tls_context".to_owned(),
        Some(log.to_owned()),
    ))
}

/// The names of a connection.
struct Names {
    /// What is sent.
    server_name: Option<String>,
    /// What is compared.
    reference: Option<Located<String>>,
    /// They are the Host header's.
    from_request: bool,
    /// `auto_san_validation`: the host of the request is compared.
    by_host: Option<Span>,
}

impl Hop<'_> {
    fn names(&self, tls: &UpstreamTls, unseen: &mut Vec<String>) -> Names {
        let by_host = self.cluster.auto_san_validation.as_ref().filter(|flag| flag.value);
        let by_host = by_host.map(|flag| flag.span).filter(|_| *self.host != UpstreamHost::Stream);
        let sni = self.server_name(tls);
        let upstream = self.upstream_name();
        if sni.unknown || (by_host.is_some() && upstream.unknown) {
            unseen.push("the name it sends comes from a header or path of the request".to_owned());
        }
        let reference = if let Some(span) = by_host {
            if upstream.from_request && !sni.from_request && sni.name.is_some() {
                unseen.push(
                    "the name it compares comes from the request, the name it sends does not".to_owned(),
                );
            }
            upstream.known().map(|name| Located::new(name, span))
        } else {
            names_sni(tls).and_then(|flag| sni.known().map(|name| Located::new(name, flag.span)))
        };
        Names {
            reference,
            from_request: sni.from_request || (by_host.is_some() && upstream.from_request),
            server_name: sni.name.or(sni.from_request.then(String::new)),
            by_host,
        }
    }

    /// The name a cluster sends: `auto_sni`'s for HTTP requests, else `auto_host_sni`'s, else `sni`.
    fn server_name(&self, tls: &UpstreamTls) -> Sni {
        let is_true = |flag: &Option<Located<bool>>| flag.as_ref().is_some_and(|flag| flag.value);
        let is_name = |name: &String| name.parse::<std::net::IpAddr>().is_err();
        if is_true(&self.cluster.auto_sni) && *self.host != UpstreamHost::Stream {
            let mut sni = self.upstream_name();
            // an address is no server name (RFC 6066 3)
            sni.name = sni.name.filter(is_name);
            return sni;
        }
        let endpoints = is_true(&tls.auto_host_sni).then(|| self.endpoint_name()).flatten().filter(is_name);
        let name = endpoints.or_else(|| tls.sni.as_ref().map(|name| name.value.clone()));
        Sni { name, ..Sni::default() }
    }

    /// The host that the cluster sees in the request.
    fn upstream_name(&self) -> Sni {
        let name = match self.host {
            _ if self.cluster.auto_sni_header.is_some() => None,
            UpstreamHost::Literal(name) => Some(without_port(name).to_owned()),
            UpstreamHost::Endpoint => self.endpoint_name(),
            UpstreamHost::Client => return Sni { from_request: true, ..Sni::default() },
            UpstreamHost::Unknown | UpstreamHost::Stream => None,
        };
        Sni { unknown: name.is_none(), name, from_request: false }
    }

    /// An endpoint's `hostname`, else the name by which it was resolved.
    fn endpoint_name(&self) -> Option<String> {
        let resolved = matches!(self.cluster.discovery, Discovery::Dns { .. })
            .then(|| self.endpoint.address.host.value.clone());
        self.endpoint.hostname.as_ref().map(|name| name.value.clone()).or(resolved)
    }
}

/// A name that a cluster sends or compares.
#[derive(Default)]
struct Sni {
    name: Option<String>,
    /// It is the Host header of the request.
    from_request: bool,
    unknown: bool,
}

impl Sni {
    /// The name; empty where the request will tell it.
    fn known(&self) -> Option<String> {
        self.name.clone().or_else(|| self.from_request.then(String::new))
    }
}

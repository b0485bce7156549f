use std::collections::BTreeSet;

use crate::deployment::{Configuration, Dialer, DialerPurpose, Program, Speaks, Version};
use crate::dialect::apisix::Facts;
use crate::dialect::apisix::objects::Upstream;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::source::{Located, Span};

rule! {
    /// `tls.verify: true` stands on an APISIX upstream to which it does not apply: the server is not verified.
    ///
    /// Up to 3.18 the setting is read for kafka alone. For `https`, `grpcs` and `tls` it changes nothing.
    ///
    /// ## Why it matters
    ///
    /// It reads as if the upstream were authenticated. Whoever answers at the address is taken for it.
    ///
    /// ## How to fix
    ///
    /// In config.yaml:
    ///
    /// ```yaml
    /// apisix:
    ///   ssl:
    ///     ssl_trusted_certificate: /usr/local/apisix/conf/cert/upstream-ca.crt
    /// nginx_config:
    ///   http_server_configuration_snippet: |
    ///     proxy_ssl_verify on;
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// Nothing: that is the point.
    ///
    /// ## Reference
    ///
    /// <https://github.com/apache/apisix/issues/12783>; apisix/schema_def.lua ("currently only kafka upstream is supported")
    "ignored-upstream-verification", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut told = BTreeSet::new();
    for (program, dialer) in subject.dialers() {
        let Some(verify) = asked_in_vain(program, dialer) else { continue };
        if told.insert(verify) {
            findings.push(RULE.finding(
                format!(
                    "{} does not check the certificate of {}, in spite of tls.verify",
                    program.name, dialer.target.url
                ),
                Some(help(dialer)),
                vec![
                    Label { span: verify, message: "has an effect for kafka only".to_owned() },
                    Label { span: dialer.target.host.span, message: format!("dials {}", dialer.target.url) },
                ],
            ));
        }
    }
}

/// What makes APISIX verify an upstream, by the protocol within the connection.
pub(super) fn help(dialer: &Dialer) -> String {
    match dialer.speaks {
        Speaks::Http => "in config.yaml, write nginx_config.http_server_configuration_snippet: \
             \"proxy_ssl_verify on;\", with the upstream's CA in apisix.ssl.ssl_trusted_certificate"
            .to_owned(),
        // the location of gRPC compares the name of its own block, which no certificate bears
        Speaks::Http2 => {
            "give the upstream's connection to a proxy of its own that verifies it: no setting makes \
             APISIX verify grpcs, where grpc_ssl_verify on; compares the name apisix_backend"
                .to_owned()
        }
        Speaks::Stream => {
            "in config.yaml, write nginx_config.stream_configuration_snippet: \"proxy_ssl_verify on; \
             proxy_ssl_trusted_certificate /path/ca.crt;\"; the name that is compared is apisix_backend"
                .to_owned()
        }
    }
}

/// Where `tls.verify` asks for what this dialer does not do.
pub(super) fn asked_in_vain(program: &Program, dialer: &Dialer) -> Option<Span> {
    let Configuration::Apisix(facts) = &program.configuration else { return None };
    // later releases verify https and grpcs; which is the first, is not known
    if program.versions.program >= Version(3, 19, 0) {
        return None;
    }
    asked(facts, dialer)
}

/// Whether `tls.verify` asks for what this dialer may do, in a release that nobody has seen.
pub(super) fn may_verify(program: &Program, dialer: &Dialer) -> bool {
    let Configuration::Apisix(facts) = &program.configuration else { return false };
    program.versions.program >= Version(3, 19, 0) && asked(facts, dialer).is_some()
}

/// Where `tls.verify` stands for a dialer that nothing else makes verify.
fn asked(facts: &Facts, dialer: &Dialer) -> Option<Span> {
    let tls = dialer.tls.as_ref().filter(|_| dialer.purpose == DialerPurpose::Upstream)?;
    if *tls.verify.value() {
        return None;
    }
    let host = dialer.target.host.span;
    let upstream =
        upstreams(facts).find(|upstream| upstream.nodes.iter().any(|node| node.host.span == host))?;
    upstream
        .tls
        .as_ref()?
        .verify
        .as_ref()
        .filter(|verify| verify.value)
        .map(|verify: &Located<bool>| verify.span)
}

/// Every upstream, of its own or within a route or service.
pub(super) fn upstreams(facts: &Facts) -> impl Iterator<Item = &Upstream> {
    let objects = &facts.objects;
    let routes = objects.routes.iter().chain(&objects.stream_routes);
    let inline = routes.filter_map(|route| route.upstream.as_ref());
    inline
        .chain(objects.services.iter().filter_map(|service| service.upstream.as_ref()))
        .chain(&objects.upstreams)
}

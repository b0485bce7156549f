use std::collections::BTreeSet;

use crate::deployment::{Configuration, Dialer, DialerPurpose, Program};
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
                Some(
                    "in config.yaml, write nginx_config.http_server_configuration_snippet: \"proxy_ssl_verify on;\", \
                     with the upstream's CA in apisix.ssl.ssl_trusted_certificate"
                        .to_owned(),
                ),
                vec![
                    Label { span: verify, message: "has an effect for kafka only".to_owned() },
                    Label {
                        span: dialer.target.host.span,
                        message: format!("dials {}", dialer.target.url),
                    },
                ],
            ));
        }
    }
}

/// Where `tls.verify` asks for what this dialer does not do.
pub(super) fn asked_in_vain(program: &Program, dialer: &Dialer) -> Option<Span> {
    let Configuration::Apisix(facts) = &program.configuration else { return None };
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

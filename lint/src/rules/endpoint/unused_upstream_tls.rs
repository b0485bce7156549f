use std::collections::BTreeSet;

use super::nginx::configurations;
use crate::deployment::{Configuration, Program};
use crate::dialect::apisix::config::Etcd;
use crate::dialect::apisix::objects::Scheme;
use crate::dialect::nginx::{Location, NginxConfig, Pass, PassKind};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// TLS settings for an upstream stand beside a pass that does not speak TLS.
    ///
    /// `proxy_ssl_*` say how to speak TLS; whether to speak it, the scheme of `proxy_pass` says (in `stream`: `proxy_ssl on`).
    /// For an upstream of APISIX, `scheme` says so; without it, it is http. For its etcd, the URLs in `host` say so.
    ///
    /// ## Why it matters
    ///
    /// The connection is plaintext: no encryption, no certificate, no verification, whatever the settings look like.
    ///
    /// ## How to fix
    ///
    /// ```nginx
    /// proxy_pass https://backend;
    /// ```
    ///
    /// APISIX: `scheme: https` beside `tls`; `host: ["https://etcd:2379"]` of `deployment.etcd`.
    ///
    /// ## What you see in the logs
    ///
    /// - a TLS server as upstream: `The plain HTTP request was sent to HTTPS port`
    ///
    /// ## Reference
    ///
    /// <https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_pass>
    "unused-upstream-tls", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    apisix(subject, findings);
    for (program, config) in configurations(subject) {
        // settings of an outer block may be meant for other passes
        let used = passes(config).any(|(_, pass)| pass.tls || pass.written.value.contains('$'));
        let mut told = BTreeSet::new();
        for (location, pass) in passes(config) {
            let written = if used { location.tls.written_here } else { location.tls.written };
            let Some(written) = written.filter(|_| !pass.tls && pass.unix.is_none()) else { continue };
            // a server that wants TLS there is the sharper finding
            if pass.kind == PassKind::Plain
                || pass.written.value.contains('$')
                || subject.is_told(pass.span, "plaintext-to-tls-port")
            {
                continue;
            }
            if told.insert(written) {
                let help = match pass.kind {
                    PassKind::Proxy => pass
                        .written
                        .value
                        .strip_prefix("http://")
                        .map(|rest| format!("write proxy_pass https://{rest};")),
                    PassKind::Grpc => Some("write grpc_pass grpcs://…".to_owned()),
                    PassKind::Uwsgi => Some("write uwsgi_pass suwsgi://…".to_owned()),
                    PassKind::Stream => Some("write proxy_ssl on;".to_owned()),
                    PassKind::Plain => None,
                };
                findings.push(RULE.finding(
                    format!(
                        "{} has TLS settings for {}, to which it speaks plaintext",
                        program.name, pass.host.value
                    ),
                    help,
                    vec![
                        Label { span: pass.span, message: "no TLS here".to_owned() },
                        Label { span: written, message: "so that this has no effect".to_owned() },
                    ],
                ));
            }
        }
    }
}

fn passes(config: &NginxConfig) -> impl Iterator<Item = (&Location, &Pass)> {
    let locations = config.servers.iter().flat_map(|server| &server.locations);
    locations.filter_map(|location| Some((location, location.pass.as_ref()?)))
}

/// APISIX's etcd with a client certificate, at URLs without TLS alone.
fn store(subject: &Subject<'_>, program: &Program, etcd: &Etcd) -> Option<Finding> {
    let tls = etcd.tls.as_ref()?;
    let certificate = tls.certificate.as_ref()?;
    let hosts = etcd.hosts.value();
    let first = hosts.first().filter(|_| hosts.iter().all(|host| host.value.starts_with("http://")))?;
    // an etcd that wants TLS there is the sharper finding
    if subject.is_told(first.span, "plaintext-to-tls-port") {
        return None;
    }
    Some(RULE.finding(
        format!("{} has TLS settings for {}, to which it speaks plaintext", program.name, first.value),
        Some(format!("write {}", first.value.replacen("http://", "https://", 1))),
        vec![
            Label { span: first.span, message: "no TLS here".to_owned() },
            Label { span: certificate.span, message: "never presented".to_owned() },
        ],
    ))
}

/// An upstream of APISIX with a client certificate and a scheme without TLS: the certificate is never presented.
fn apisix(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for program in &subject.deployment.programs {
        let Configuration::Apisix(facts) = &program.configuration else { continue };
        findings.extend(store(subject, program, &facts.config.etcd));
        for upstream in super::ignored_upstream_verification::upstreams(facts) {
            let Some(tls) = &upstream.tls else { continue };
            let scheme = upstream.scheme.value();
            let presents = tls.certificate.is_some() || tls.certificate_id.is_some();
            if !presents || scheme.is_tls() || *scheme == Scheme::Kafka || !upstream.refusals.is_empty() {
                continue;
            }
            let secure = if *scheme == Scheme::Grpc { "grpcs" } else { "https" };
            let label = if upstream.scheme.is_given() { "no TLS here" } else { "no scheme: http" };
            findings.push(RULE.finding(
                format!(
                    "{} has a client certificate for an upstream to which it speaks {}",
                    program.name,
                    scheme.name()
                ),
                Some(format!("write scheme: {secure}")),
                vec![
                    Label { span: tls.span, message: "never presented".to_owned() },
                    Label { span: upstream.scheme.span(), message: label.to_owned() },
                ],
            ));
        }
    }
}

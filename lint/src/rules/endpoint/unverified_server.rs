use std::collections::BTreeSet;

use super::nginx::unsettled;
use crate::deployment::{Configuration, Dialer, DialerPurpose, Program, ProgramKind, Version};
use crate::dialect::envoy::{Cluster, Discovery, UpstreamTls, Validation};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A client speaks TLS and does not check whose certificate the server presents.
    ///
    /// ## Why it matters
    ///
    /// Whoever answers at the address is taken for the server: a foreign, an expired or a self-signed certificate makes
    /// no difference. The connection is encrypted to somebody. This is the default of nginx (`proxy_ssl_verify off`), of
    /// APISIX for its upstreams, and of Envoy without `trusted_ca`.
    ///
    /// ## How to fix
    ///
    /// - nginx: `proxy_ssl_verify on;` with `proxy_ssl_trusted_certificate /path/ca.crt;` and, if the block's name is not
    ///   the server's, `proxy_ssl_name server.example;`
    /// - APISIX, upstreams: `nginx_config.http_server_configuration_snippet: "proxy_ssl_verify on;"` with
    ///   `apisix.ssl.ssl_trusted_certificate: /path/ca.crt`; `tls.verify` of an upstream has no effect for https
    /// - APISIX, etcd: `deployment.etcd.tls.verify: true`
    /// - Envoy: `validation_context` with `trusted_ca` and `match_typed_subject_alt_names`
    /// - ingress-nginx: the annotations `proxy-ssl-verify: "on"`, `proxy-ssl-name` and `proxy-ssl-secret`
    /// - curl: `--cacert ca.crt` instead of `--insecure`
    ///
    /// ## What you see in the logs
    ///
    /// Nothing: that is the point.
    ///
    /// ## Reference
    ///
    /// RFC 9525, section 6; <https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_verify>
    "unverified-server", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    ingresses(subject, findings);
    clusters(subject, findings);
    // the addresses of one upstream are one mistake
    let mut told = BTreeSet::new();
    let unsettled = unsettled(subject);
    for (program, dialer) in subject.dialers() {
        // etcd's gateway dials its own process; what a person types is theirs
        let looked_at = matches!(
            dialer.purpose,
            DialerPurpose::Upstream | DialerPurpose::Configuration | DialerPurpose::Peer
        );
        let Some(tls) = dialer.tls.as_ref().filter(|tls| looked_at && !tls.verify.value()) else { continue };
        // asked for and waved through: accepted-untrusted-certificate says so
        if tls.checks.accept_untrusted.is_some() {
            continue;
        }
        // asked for in vain: the sharper finding
        if super::ignored_upstream_verification::asked_in_vain(program, dialer).is_some()
            || super::ignored_upstream_verification::may_verify(program, dialer)
        {
            continue;
        }
        // another file may ask for it
        if !tls.verify.is_given() && unsettled.contains(&dialer.span) {
            continue;
        }
        // etcd's peers with certificates of their own making: self-made-certificate says so
        if dialer.purpose == DialerPurpose::Peer && super::self_made_certificate::makes_for_peers(program) {
            continue;
        }
        if !told.insert((tls.verify.span(), dialer.target.host.span)) {
            continue;
        }
        let label = if tls.verify.is_given() {
            "verification is off here"
        } else {
            "verification is off by default here"
        };
        let mut labels = vec![Label { span: tls.verify.span(), message: label.to_owned() }];
        if dialer.target.host.span != tls.verify.span() {
            labels.push(Label {
                span: dialer.target.host.span,
                message: format!("dials {}", dialer.target.url),
            });
        }
        findings.push(RULE.finding(
            format!("{} does not check the certificate of {}", program.name, dialer.target.url),
            help(program, dialer),
            labels,
        ));
    }
}

/// Clusters of Envoy whose hosts the request names: TLS to whichever it is, and no validation context.
fn clusters(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for program in &subject.deployment.programs {
        let Configuration::Envoy(config) = &program.configuration else { continue };
        for (cluster, tls) in
            config.clusters.iter().filter_map(|cluster| Some((cluster, verifies_nothing(cluster)?)))
        {
            let name = cluster
                .name
                .as_ref()
                .map_or("a cluster".to_owned(), |name| format!("the cluster {}", name.value));
            findings.push(
                RULE.finding(
                    format!("{} does not check the certificates of the hosts of {name}", program.name),
                    Some(
                        "add to its common_tls_context a validation_context with trusted_ca, and leave \
                     allow_insecure_cluster_options out"
                            .to_owned(),
                    ),
                    vec![Label { span: tls.common.span, message: "no validation_context here".to_owned() }],
                ),
            );
        }
    }
}

/// The TLS settings of a cluster that finds hosts by the request, where they verify nobody.
pub(super) fn verifies_nothing(cluster: &Cluster) -> Option<&UpstreamTls> {
    let by_request =
        matches!(&cluster.discovery, Discovery::Other(name) if name.value.contains("dynamic_forward_proxy"));
    let tls = cluster.transport.tls().filter(|_| by_request)?;
    matches!(tls.common.validation, Validation::Absent).then_some(tls)
}

/// Servers behind ingress-nginx: by TLS, and not verified unless an annotation says so.
fn ingresses(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for ingress in &subject.deployment.manifests.nginx_ingresses {
        let settings = &ingress.settings;
        let on = settings.verify_server.as_ref().is_some_and(|verify| verify.value);
        // the bytes are handed on: the client verifies the server itself
        if settings.passes_through.is_some() {
            continue;
        }
        let Some(behind) = settings.tls_behind.filter(|_| !on && !settings.snippet) else { continue };
        let message = match &settings.verify_server {
            Some(_) => "TLS to the servers",
            None => "TLS, and verification is off by default",
        };
        let mut labels = vec![Label { span: behind, message: message.to_owned() }];
        if let Some(verify) = &settings.verify_server {
            let off = Label { span: verify.span, message: "verification is off here".to_owned() };
            labels.insert(0, off);
        }
        findings.push(RULE.finding(
            format!("{} does not have the certificates of its servers checked", settings.name.value),
            Some(format!(
                "add nginx.ingress.kubernetes.io/proxy-ssl-verify: \"on\", proxy-ssl-name with the server's name, and \
                 proxy-ssl-secret: {}/NAME with the CA as ca.crt",
                settings.namespace
            )),
            labels,
        ));
    }
}

/// Envoy's matcher for the name that is sent, else for the host that is dialled.
pub(super) fn matcher_for(dialer: &Dialer) -> String {
    let sent = dialer.tls.as_ref().and_then(|tls| tls.server_name.as_deref()).filter(|name| !name.is_empty());
    let name = sent.unwrap_or(&dialer.target.host.value);
    let kind = if name.parse::<std::net::IpAddr>().is_ok() { "IP_ADDRESS" } else { "DNS" };
    format!("{{san_type: {kind}, matcher: {{exact: {name}}}}}")
}

fn help(program: &Program, dialer: &Dialer) -> Option<String> {
    let text = match (program.kind, dialer.purpose) {
        (ProgramKind::Nginx, _) => {
            let family = match dialer.target.url.split("://").next() {
                Some("grpcs") => "grpc",
                Some("suwsgi") => "uwsgi",
                _ => "proxy",
            };
            format!(
                "write {family}_ssl_verify on; and {family}_ssl_trusted_certificate with the CA of the upstream"
            )
        }
        (ProgramKind::Apisix, DialerPurpose::Configuration) => {
            let block = if program.versions.program < Version(3, 0, 0) { "" } else { "deployment." };
            format!("write {block}etcd.tls.verify: true, and etcd's CA in apisix.ssl.ssl_trusted_certificate")
        }
        (ProgramKind::Apisix, _) => super::ignored_upstream_verification::help(dialer),
        (ProgramKind::Envoy, _) => format!(
            "add to the cluster's common_tls_context a validation_context with trusted_ca and \
             match_typed_subject_alt_names: [{}]",
            matcher_for(dialer)
        ),
        _ => return None,
    };
    Some(text)
}

use crate::deployment::{ClientTls, Configuration, DialerPurpose, ProgramKind, Refusal, Trust};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::source::Span;

rule! {
    /// A client verifies who issued the server's certificate, and not whose it is.
    ///
    /// ## Why it matters
    ///
    /// Every certificate of that issuer is accepted: whoever holds one for any other service can stand in for this
    /// server. With the system's trust store that is everybody with a domain name. It is Envoy's default: a
    /// `validation_context` with `trusted_ca` alone compares no name.
    ///
    /// ## How to fix
    ///
    /// Envoy, in the cluster's `UpstreamTlsContext`: either the name itself,
    ///
    /// ```yaml
    /// validation_context:
    ///   trusted_ca: {filename: /etc/envoy/ca.crt}
    ///   match_typed_subject_alt_names:
    ///   - {san_type: DNS, matcher: {exact: server.example}}
    /// ```
    ///
    /// or the name that is sent as SNI: `sni: server.example` with `auto_sni_san_validation: true`; for names that
    /// follow the request, `auto_sni: true` with `auto_san_validation: true` in `upstream_http_protocol_options`.
    /// etcd and curl compare names by themselves, nginx does with `proxy_ssl_verify on`.
    ///
    /// ## What you see in the logs
    ///
    /// Nothing.
    ///
    /// ## Reference
    ///
    /// RFC 9525, section 6; <https://github.com/envoyproxy/envoy/issues/6763>
    "unchecked-server-name", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut told = Vec::new();
    for (program, dialer) in subject.dialers() {
        if program.kind != ProgramKind::Envoy || dialer.purpose != DialerPurpose::Upstream {
            continue;
        }
        let Some(tls) = &dialer.tls else { continue };
        if !tls.verify.value() || compares(tls) || !has_anchors(tls) || told.contains(&tls.span) {
            continue;
        }
        // what is refused is read as far as the refusal
        if program.refusals.iter().chain(&dialer.refusals).any(|refusal| is_within(refusal, tls.span)) {
            continue;
        }
        told.push(tls.span);
        let anchor = tls.trust.first().map(|trust| match trust {
            Trust::File { file, .. } => file.path.span,
            Trust::System(span) => *span,
        });
        let host = &dialer.target.host;
        let mut labels = vec![Label {
            span: anchor.unwrap_or(tls.span),
            message: "any certificate of these issuers is accepted".to_owned(),
        }];
        labels.push(Label { span: host.span, message: format!("dials {}", dialer.target.url) });
        findings.push(RULE.finding(
            format!("{} compares no name with the certificate of {}", program.name, dialer.target.url),
            Some(format!(
                "write match_typed_subject_alt_names: [{}] beside trusted_ca",
                super::unverified_server::matcher_for(dialer)
            )),
            labels,
        ));
    }
    for program in &subject.deployment.programs {
        let Configuration::Envoy(config) = &program.configuration else { continue };
        for cluster in &config.clusters {
            let Some(span) = cluster.allows_insecure_options else { continue };
            // where nothing is verified at all, that is the finding
            if super::unverified_server::verifies_nothing(cluster).is_some() {
                continue;
            }
            findings.push(RULE.finding(
                format!("{} may reach any host without comparing its name", program.name),
                Some(
                    "remove allow_insecure_cluster_options, and write auto_sni: true and auto_san_validation: true"
                        .to_owned(),
                ),
                vec![Label { span, message: "dynamic_forward_proxy insists on names without this".to_owned() }],
            ));
        }
    }
}

fn is_within(refusal: &Refusal, span: Span) -> bool {
    let first = refusal.labels.first().map(|label| label.span);
    first.is_some_and(|at| at.file == span.file && span.start <= at.start && at.end <= span.end)
}

/// Whether anything of the certificate itself is compared.
fn compares(tls: &ClientTls) -> bool {
    tls.reference.is_some() || !tls.checks.names.is_empty() || !tls.checks.pins.is_empty()
}

fn has_anchors(tls: &ClientTls) -> bool {
    !tls.trust.is_empty()
}

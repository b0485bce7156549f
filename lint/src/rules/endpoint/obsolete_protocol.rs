use std::collections::BTreeSet;

use crate::deployment::{Program, ProgramKind, Protocol, Protocols, Setting};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::source::Span;

rule! {
    /// TLS 1.0 or TLS 1.1 is switched on by hand.
    ///
    /// ## Why it matters
    ///
    /// Both sign the handshake with SHA-1, client certificates included, and both were withdrawn in 2021. OpenSSL at
    /// security level 2 (Debian, or OpenSSL 3.2 and later) does not speak them any more, so that the line has no effect
    /// on one machine and lowers the guard on the next.
    ///
    /// ## How to fix
    ///
    /// - nginx: `ssl_protocols TLSv1.2 TLSv1.3;` (`proxy_ssl_protocols` likewise)
    /// - APISIX: `apisix.ssl.ssl_protocols: TLSv1.2 TLSv1.3`
    /// - Envoy: `tls_params: {tls_minimum_protocol_version: TLSv1_2}`
    ///
    /// ## What you see in the logs
    ///
    /// - clients of today: `tlsv1 alert protocol version`, `unsupported protocol`
    ///
    /// ## Reference
    ///
    /// RFC 8996
    "obsolete-protocol", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut told = BTreeSet::new();
    for (program, listener) in subject.listeners() {
        for context in listener.tls.iter().flat_map(|tls| &tls.contexts) {
            findings.extend(finding(program, &context.protocols, &mut told));
        }
    }
    for (program, dialer) in subject.dialers() {
        // what a person types is theirs
        if matches!(program.kind, ProgramKind::Curl | ProgramKind::Openssl | ProgramKind::Etcdctl) {
            continue;
        }
        findings.extend(dialer.tls.as_ref().and_then(|tls| finding(program, &tls.protocols, &mut told)));
    }
}

fn finding(program: &Program, protocols: &Setting<Protocols>, told: &mut BTreeSet<Span>) -> Option<Finding> {
    let Setting::Given(given) = protocols else { return None };
    let old: Vec<&str> = [(Protocol::Tls10, "TLS 1.0"), (Protocol::Tls11, "TLS 1.1")]
        .into_iter()
        .filter(|(version, _)| given.value.versions.contains(version))
        .map(|(_, name)| name)
        .collect();
    if old.is_empty() || !told.insert(given.span) {
        return None;
    }
    let help = match program.kind {
        ProgramKind::Envoy => "write tls_minimum_protocol_version: TLSv1_2",
        _ => "leave TLSv1.2 and TLSv1.3 alone in the list",
    };
    Some(RULE.finding(
        format!("{} speaks {} by its own wish", program.name, old.join(" and ")),
        Some(help.to_owned()),
        vec![Label { span: given.span, message: format!("switches {} on", old.join(" and ")) }],
    ))
}

use std::collections::BTreeSet;

use crate::deployment::{PlannedCertificate, PlannedIssuer, Program};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::source::Span;
use crate::stack::certificate::Purpose;

rule! {
    /// A server certificate has a common name and no alternative name of that kind.
    ///
    /// ## Why it matters
    ///
    /// Go, Envoy, browsers and rustls do not look at common names: for them this certificate names nobody. nginx and
    /// curl still accept it, so that it works until the first other client comes.
    ///
    /// ## How to fix
    ///
    /// Write the name as an alternative name as well:
    ///
    /// ```yaml
    /// dnsNames:
    ///   - web
    ///   - web.demo.svc
    /// ```
    ///
    /// With openssl: `subjectAltName = DNS:web`.
    ///
    /// ## What you see in the logs
    ///
    /// - Go: `x509: certificate relies on legacy Common Name field, use SANs instead`,
    ///   `relies on legacy Common Name field`
    /// - Envoy: `SAN matcher, certificate SANs are []`
    /// - Chromium: `NET::ERR_CERT_COMMON_NAME_INVALID`
    ///
    /// ## Reference
    ///
    /// RFC 9525, section 2; RFC 9110, section 4.3.4
    "common-name-only", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut told = BTreeSet::new();
    for presented in subject.held.presented.iter().filter(|presented| presented.purpose == Purpose::Server) {
        let Some(first) = presented.chain.first() else { continue };
        let Some(name) = first.subject.common_names.first() else { continue };
        let path = &presented.credential.certificate.path;
        // beside other kinds of names, a common name that the server is called by
        let (lacks, missing) = match first.alternative_names {
            None => ("no alternative name", "no subjectAltName"),
            Some(_)
                if first.dns_names().next().is_none() && is_called(presented.program, path.span, name) =>
            {
                ("no DNS name", "no DNS name in subjectAltName")
            }
            Some(_) => continue,
        };
        // the key belongs to another certificate: this one is not meant to stand first
        if subject.presented(presented.program, presented.credential).is_empty() {
            continue;
        }
        let copied = subject.deployment.planned.iter().any(|it| it.span == first.span && may_be_copied(it));
        if copied || subject.is_blamed(first.span) || subject.is_blamed(path.span) || !told.insert(first.span)
        {
            continue;
        }
        findings.push(RULE.finding(
            format!("{} of {} has the common name {name} and {lacks}", first.shown, presented.program.name),
            Some(format!(
                "issue it anew with {name} as an alternative name (dnsNames, or subjectAltName = DNS:{name})"
            )),
            vec![
                Label { span: first.span, message: missing.to_owned() },
                Label { span: path.span, message: "presented from here".to_owned() },
            ],
        ));
    }
    // its mistake is to be no CA
    let manifests = &subject.deployment.manifests;
    let signs = |planned: &PlannedCertificate| {
        let mut authorities = manifests.issuers.iter().filter_map(|issuer| manifests.authority_of(issuer));
        authorities.any(|certificate| planned.name == format!("Certificate {}", certificate.metadata.path()))
    };
    for planned in subject.deployment.planned.iter().filter(|planned| is_for_servers(planned)) {
        let Some(name) = planned.common_name.as_ref().filter(|_| !planned.is_ca.value()) else { continue };
        let lists = [&planned.dns_names, &planned.ip_addresses, &planned.uris, &planned.email_addresses];
        if lists.iter().any(|list| !list.is_empty())
            || may_be_copied(planned)
            || signs(planned)
            || subject.is_blamed(planned.span)
            || !told.insert(planned.span)
        {
            continue;
        }
        findings.push(RULE.finding(
            format!("{} is for a server, and has a common name alone", planned.name),
            Some(format!("write dnsNames: [{}]", name.value)),
            vec![
                Label { span: name.span, message: "no client in Go looks at it".to_owned() },
                Label { span: planned.span, message: "has no dnsNames".to_owned() },
            ],
        ));
    }
}

/// Whether the issuer may write the common name among the alternative names: Vault and public CAs do.
fn may_be_copied(planned: &PlannedCertificate) -> bool {
    matches!(planned.issuer, PlannedIssuer::Public | PlannedIssuer::Unknown { .. })
}

/// Whether a server that presents a certificate goes by this name.
fn is_called(program: &Program, certificate: Span, name: &str) -> bool {
    let contexts = program.listeners.iter().filter_map(|listener| listener.tls.as_ref());
    let mut contexts = contexts.flat_map(|tls| &tls.contexts).filter(|context| {
        context.credentials.iter().any(|credential| credential.certificate.path.span == certificate)
    });
    contexts.any(|context| context.names.iter().any(|own| own.value.eq_ignore_ascii_case(name)))
        || program.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
}

/// Whether the usages of a certificate say that a server, and no client, presents it.
fn is_for_servers(planned: &PlannedCertificate) -> bool {
    let has = |purpose: Purpose| planned.extended_key_usage.value().iter().any(|oid| oid == purpose.oid());
    planned.extended_key_usage.is_given() && has(Purpose::Server) && !has(Purpose::Client)
}

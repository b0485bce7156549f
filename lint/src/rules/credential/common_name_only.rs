use std::collections::BTreeSet;

use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::stack::certificate::Purpose;

rule! {
    /// A server certificate has a common name and no alternative name.
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
        let Some(first) = presented.chain.first().filter(|first| first.alternative_names.is_none()) else {
            continue;
        };
        let Some(name) = first.subject.common_names.first() else { continue };
        let path = &presented.credential.certificate.path;
        if subject.is_blamed(first.span) || subject.is_blamed(path.span) || !told.insert(first.span) {
            continue;
        }
        findings.push(RULE.finding(
            format!(
                "{} of {} has the common name {name} and no alternative name",
                first.shown, presented.program.name
            ),
            Some(format!(
                "issue it anew with {name} as an alternative name (dnsNames, or subjectAltName = DNS:{name})"
            )),
            vec![
                Label { span: first.span, message: "no subjectAltName".to_owned() },
                Label { span: path.span, message: "presented from here".to_owned() },
            ],
        ));
    }
}

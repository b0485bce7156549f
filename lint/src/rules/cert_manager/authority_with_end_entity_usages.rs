use crate::finding::{Finding, Label, Severity};
use crate::rules::{Subject, rule};
use crate::stack::certificate::{CLIENT_AUTH, SERVER_AUTH};

rule! {
    /// A CA lists server auth or client auth among its usages.
    ///
    /// ## Why it matters
    ///
    /// The extended key usage of a CA limits all that it issues: below a CA for `server auth` no client certificate is
    /// accepted, by nobody. It is copied from the Certificate of a server.
    ///
    /// ## How to fix
    ///
    /// Leave them out of the CA:
    ///
    /// ```yaml
    /// isCA: true
    /// usages:
    ///   - cert sign
    ///   - crl sign
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - Go: `x509: certificate specifies an incompatible key usage`
    /// - OpenSSL: `unsuitable certificate purpose` at depth 1
    ///
    /// ## Reference
    ///
    /// RFC 5280, section 4.2.1.12; <https://github.com/cert-manager/cert-manager/issues/2407>
    "authority-with-end-entity-usages", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for planned in subject.deployment.planned.iter().filter(|planned| *planned.is_ca.value()) {
        let usages = planned.extended_key_usage.value();
        let word = |oid: &str| usages.iter().any(|usage| usage == oid);
        let listed = match (word(SERVER_AUTH), word(CLIENT_AUTH)) {
            (true, true) => "server auth and client auth",
            (true, false) => "server auth",
            (false, true) => "client auth",
            (false, false) => continue,
        };
        if subject.is_blamed(planned.span) {
            continue;
        }
        let mut finding = RULE.finding(
            format!("{} is a CA for {listed} alone: what it issues is good for nothing else", planned.name),
            Some("remove server auth and client auth from the usages of the CA".to_owned()),
            vec![
                Label { span: planned.extended_key_usage.span(), message: format!("lists {listed}") },
                Label { span: planned.is_ca.span(), message: "a CA".to_owned() },
            ],
        );
        // servers and clients it serves both
        if word(SERVER_AUTH) && word(CLIENT_AUTH) {
            finding.severity = Severity::Advice;
        }
        findings.push(finding);
    }
}

use super::end_entities;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A Certificate lists no usages.
    ///
    /// ## Why it matters
    ///
    /// cert-manager then asks for `digital signature` and `key encipherment` and for no extended key usage: the
    /// certificate may be used by servers and by clients alike. Whoever gets hold of the one of a server can be a
    /// client with it. Some issuers outside put in what they like.
    ///
    /// ## How to fix
    ///
    /// Say what it is for:
    ///
    /// ```yaml
    /// usages:
    ///   - digital signature
    ///   - key encipherment
    ///   - server auth
    /// ```
    ///
    /// or `client auth`; both for etcd.
    ///
    /// ## What you see in the logs
    ///
    /// Nothing.
    ///
    /// ## Reference
    ///
    /// <https://cert-manager.io/docs/usage/certificate/>; RFC 5280, section 4.2.1.12
    "defaulted-usages", Advice, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for (certificate, planned) in end_entities(subject) {
        if certificate.usages.extended_key_usage.is_given() || subject.is_blamed(planned.span) {
            continue;
        }
        findings.push(
            RULE.finding(
                format!("{} may be used by servers and by clients: it lists no usages", planned.name),
                Some(
                    "write usages with digital signature, key encipherment, and server auth or client auth"
                        .to_owned(),
                ),
                vec![Label { span: planned.span, message: "its spec has no usages".to_owned() }],
            ),
        );
    }
}

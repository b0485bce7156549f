use std::collections::BTreeSet;

use crate::deployment::PlannedIssuer;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::stack::Certificate;
use crate::stack::certificate::{CLIENT_AUTH, Purpose};

rule! {
    /// A client certificate comes from a public CA, and these no longer issue any.
    ///
    /// ## Why it matters
    ///
    /// Public CAs give up the usage clientAuth: Let's Encrypt since February 2026, Google Trust Services since April
    /// 2026, DigiCert by March 2027. After the next renewal the certificate is good for servers only, and mutual TLS
    /// breaks. And a server that trusts a public CA for its clients lets in whoever gets a certificate there, which is
    /// everybody.
    ///
    /// ## How to fix
    ///
    /// Issue client certificates by a CA of your own, and let the server trust that one alone:
    ///
    /// ```yaml
    /// issuerRef:
    ///   name: clients-authority
    ///   kind: Issuer
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// After the renewal:
    ///
    /// - nginx: `client SSL certificate verify error: (26:unsuitable certificate purpose)`
    /// - Go: `x509: certificate specifies an incompatible key usage`
    ///
    /// ## Reference
    ///
    /// <https://letsencrypt.org/2025/05/14/ending-tls-client-authentication>
    "public-client-certificate", Warning, check
}

const HELP: &str = "issue it by a CA of your own, and let the server trust that one alone";

/// Organizations of public CAs that give up the usage clientAuth.
const PUBLIC: [&str; 4] =
    ["O=Let's Encrypt", "O=Google Trust Services", "O=DigiCert Inc", "O=Sectigo Limited"];

/// The public CA that issued a certificate, among those that are known here.
pub fn public_authority(certificate: &Certificate) -> Option<&'static str> {
    let found = PUBLIC.iter().find(|organization| certificate.issuer.text.contains(**organization))?;
    Some(found.trim_start_matches("O="))
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut told = BTreeSet::new();
    let asked = subject.deployment.planned.iter().filter(|planned| {
        matches!(planned.issuer, PlannedIssuer::Public)
            && planned.extended_key_usage.value().iter().any(|oid| oid == CLIENT_AUTH)
    });
    for planned in asked {
        told.insert(planned.span);
        findings.push(RULE.finding(
            format!("{} asks a public CA for a client certificate", planned.name),
            Some(HELP.to_owned()),
            vec![Label {
                span: planned.extended_key_usage.span(),
                message: "client auth is asked for here".to_owned(),
            }],
        ));
    }
    for presented in subject.held.presented.iter().filter(|presented| presented.purpose == Purpose::Client) {
        let Some(first) = presented.chain.first().filter(|first| !first.is_planned()) else { continue };
        let Some(ca) = public_authority(first) else { continue };
        if subject.is_blamed(first.span) || !told.insert(first.span) {
            continue;
        }
        findings.push(RULE.finding(
            format!(
                "{} presents {} as a client, which {} issued: its renewal will not be good for clients",
                presented.program.name, first.shown, ca
            ),
            Some(HELP.to_owned()),
            vec![
                Label { span: first.span, message: format!("issued by {}", first.issuer.text) },
                Label {
                    span: presented.credential.certificate.path.span,
                    message: "presented from here".to_owned(),
                },
            ],
        ));
    }
}

use std::sync::Arc;

use mtls_identity::certificate::SubjectName;
use mtls_identity::identity::Identity;
use mtls_identity::policy::{IdentityPattern, Step, position};

use crate::deployment::Lookup;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::stack::Certificate;
use crate::stack::certificate::{ANY_USAGE, CLIENT_AUTH, GeneralName, address};

rule! {
    /// The policy knows an identity that no client certificate of the deployment bears.
    ///
    /// Looked at are the certificates that the sources give clients: those that programs present and those that
    /// cert-manager will issue. The rule speaks only where all of them are seen and at least one bears an identity of
    /// the same policy.
    ///
    /// ## Why it matters
    ///
    /// What the policy allows this identity, nobody can do. Mostly it is a slip: another trust domain, a namespace that
    /// was renamed, a DNS name where the certificate has a SPIFFE ID.
    ///
    /// ## How to fix
    ///
    /// Write the name as the certificate has it (`mtls-lint inspect client.crt` shows it), or issue the certificate with
    /// the name that the policy has. If clients come with certificates from elsewhere, allow this rule with a reason.
    ///
    /// ## What you see in the logs
    ///
    /// - the filter: `mtls-guard: deny reason=unknown-identity`, with the names that the client has
    ///
    /// ## Reference
    ///
    /// `mtls_identity::policy`, `identities`
    "unreachable-identity", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some(known) = clients(subject) else { return };
    for given in super::policies(subject) {
        let Some(Ok(policy)) = given.read() else { continue };
        let bears = |identity: &IdentityPattern| {
            known.iter().find(|(_, names)| names.iter().any(|name| identity.matches_name(name)))
        };
        let Some((somebody, _)) = policy.identities.iter().find_map(bears) else { continue };
        for identity in &policy.identities {
            if !by_name_alone(identity) || bears(identity).is_some() {
                continue;
            }
            let route = [Step::Key("identities".to_owned()), Step::Key(identity.name.clone())];
            let at = given.text.and_then(|text| position(text.as_str().ok()?, &route));
            let place = at.map_or(given.span, |at| given.line_from(at.offset));
            let borne: Vec<String> =
                known.iter().take(MOST_SHOWN).map(|(certificate, _)| certificate.shown_names()).collect();
            findings.push(RULE.finding(
                format!(
                    "{}: no client certificate of the deployment bears the identity {}; they bear {}",
                    given.program.name,
                    identity.name,
                    borne.join("; ")
                ),
                Some("write a name that a client bears, or issue a certificate with this one".to_owned()),
                vec![
                    Label { span: place, message: "nobody is this".to_owned() },
                    Label { span: somebody.span, message: format!("bears {}", somebody.shown_names()) },
                ],
            ));
        }
    }
}

/// As many certificates as a message names.
const MOST_SHOWN: usize = 4;

/// Whether an identity is told by names only: digests and common names are not compared here.
fn by_name_alone(identity: &IdentityPattern) -> bool {
    identity.names_anyone()
        && identity.certificate_sha256.is_empty()
        && identity.public_key_sha256.is_empty()
        && identity.legacy_common_name.is_empty()
}

/// Every certificate that a client of the deployment may present, with its identities; None where one is not seen.
fn clients(subject: &Subject<'_>) -> Option<Vec<(Arc<Certificate>, Vec<Identity>)>> {
    let mut found: Vec<(Arc<Certificate>, Vec<Identity>)> = Vec::new();
    for (program, dialer) in subject.dialers() {
        let Some(credential) = dialer.tls.as_ref().and_then(|tls| tls.credential.as_ref()) else { continue };
        if matches!(credential.certificate.content, Lookup::Unseen(_)) {
            return None;
        }
        if let Some(first) = subject.presented(program, credential).first() {
            add(&mut found, Arc::clone(first));
        }
    }
    for id in 0..subject.deployment.planned.len() {
        if let Some(certificate) = subject.planned(id) {
            add(&mut found, certificate);
        }
    }
    Some(found)
}

fn add(found: &mut Vec<(Arc<Certificate>, Vec<Identity>)>, certificate: Arc<Certificate>) {
    let usages = certificate.extended_key_usage.as_ref();
    let client =
        usages.is_none_or(|usages| usages.iter().any(|usage| usage == CLIENT_AUTH || usage == ANY_USAGE));
    let known = found.iter().any(|(other, _)| other.digest == certificate.digest);
    if client && !certificate.is_ca() && !known {
        let names = certificate.names().iter().filter_map(identity).collect();
        found.push((certificate, names));
    }
}

fn identity(name: &GeneralName) -> Option<Identity> {
    let name = match name {
        GeneralName::Dns(text) => SubjectName::Dns(text.clone()),
        GeneralName::Email(text) => SubjectName::Email(text.clone()),
        GeneralName::Uri(text) => SubjectName::Uri(text.clone()),
        GeneralName::Ip(octets) => SubjectName::Ip(address(octets)?),
        GeneralName::Directory(_) | GeneralName::Other(_) => return None,
    };
    Identity::from_name(&name).ok()
}

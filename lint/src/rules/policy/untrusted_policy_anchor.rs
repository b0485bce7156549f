use std::sync::Arc;

use mtls_identity::policy::{Step, TrustAnchor, position};

use crate::deployment::{ClientAuthMode, Program, ServerContext};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::stack::Certificate;

rule! {
    /// The policy tells identities by a trust anchor that the listener in front does not trust.
    ///
    /// `issued-under` asks which anchor of `trust-anchors` a certificate was issued under. The listener verifies first,
    /// with a bundle of its own.
    ///
    /// ## Why it matters
    ///
    /// Clients of that CA never get as far as the filter, so nobody is recognised by it. Or the two bundles have drifted
    /// apart, and the policy still knows the CA of last year.
    ///
    /// ## How to fix
    ///
    /// Add the anchor's certificate to the listener's bundle (`trusted_ca`, `client.ca`), or write the CA that the
    /// listener trusts in the policy.
    ///
    /// ## What you see in the logs
    ///
    /// - Envoy: `…_VERIFY_FAILED`
    /// - the client: `alert unknown ca`
    ///
    /// ## Reference
    ///
    /// `mtls_identity::policy`, `trust-anchors`
    "untrusted-policy-anchor", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for given in super::policies(subject) {
        let Some(Ok(policy)) = given.read() else { continue };
        let contexts: Vec<&ServerContext> = match given.context {
            Some(context) => vec![context],
            None if given.in_envoy => continue,
            None => asking(given.program),
        };
        let waved_through = |context: &&ServerContext| context.client_auth.checks.accept_untrusted.is_some();
        if contexts.is_empty() || contexts.iter().any(waved_through) {
            continue;
        }
        // every bundle has to be seen
        let bundles: Option<Vec<_>> = contexts
            .iter()
            .map(|context| subject.trusted(&given.program.versions, &context.client_auth.trust))
            .collect();
        let Some(bundles) = bundles else { continue };
        let trusted: Vec<Arc<Certificate>> = bundles.concat();
        for (index, anchor) in policy.trust_anchors.iter().enumerate() {
            let used = policy.identities.iter().any(|identity| identity.issued_under.contains(&index));
            if !used || !is_foreign(anchor, &trusted) {
                continue;
            }
            let route = [Step::Key("trust-anchors".to_owned()), Step::Key(anchor.name.clone())];
            let at = given.text.and_then(|text| position(text.as_str().ok()?, &route));
            let place = at.map_or(given.span, |at| given.line_from(at.offset));
            let mut labels =
                vec![Label { span: place, message: "identities are told by this anchor".to_owned() }];
            labels.extend(trusted.first().map(|certificate| Label {
                span: certificate.span,
                message: format!("the listener trusts {}", certificate.shown),
            }));
            findings.push(
                RULE.finding(
                    format!(
                        "{} recognises nobody by the anchor {}: its listener does not trust it",
                        given.program.name, anchor.name
                    ),
                    Some(
                        "add the anchor to the listener's bundle, or write the listener's CA in the policy"
                            .to_owned(),
                    ),
                    labels,
                ),
            );
        }
    }
}

/// The contexts of an APISIX that ask for client certificates.
fn asking(program: &Program) -> Vec<&ServerContext> {
    let contexts =
        program.listeners.iter().flat_map(|listener| listener.tls.iter().flat_map(|tls| &tls.contexts));
    contexts.filter(|context| *context.client_auth.mode.value() != ClientAuthMode::Off).collect()
}

/// Whether no path that ends in one of the trusted certificates can pass this anchor: it is a root, it is not among
/// them, and none of them was issued by it.
fn is_foreign(anchor: &TrustAnchor, trusted: &[Arc<Certificate>]) -> bool {
    anchor.certificates.iter().all(|certificate| {
        let same_key = |own: &Arc<Certificate>| own.key.digest == certificate.public_key_sha256;
        certificate.is_self_issued()
            && !trusted.iter().any(same_key)
            // one that is no root may have been issued by the anchor
            && trusted.iter().all(|own| own.is_self_issued())
    })
}

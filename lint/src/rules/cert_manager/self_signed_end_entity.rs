use super::end_entities;
use crate::deployment::PlannedIssuer;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A certificate for a server or client signs itself.
    ///
    /// ## Why it matters
    ///
    /// A SelfSigned issuer is for the root of a CA. Directly below it each certificate is a world of its own: nobody
    /// can verify it except by trusting exactly this one, and each renewal makes another that nobody trusts yet.
    ///
    /// ## How to fix
    ///
    /// Make a CA with the SelfSigned issuer, an Issuer of kind CA with its Secret, and issue by that:
    ///
    /// ```yaml
    /// issuerRef:
    ///   name: demo-authority
    ///   kind: Issuer
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - OpenSSL: `self-signed certificate`
    /// - Go: `x509: certificate signed by unknown authority`
    ///
    /// ## Reference
    ///
    /// <https://cert-manager.io/docs/configuration/selfsigned/>
    "self-signed-end-entity", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for (certificate, planned) in end_entities(subject) {
        if !matches!(planned.issuer, PlannedIssuer::SelfSigned) || subject.is_blamed(planned.span) {
            continue;
        }
        // cert-manager writes its CA into the webhooks that dial it, at each renewal
        let injected = subject.deployment.manifests.injected.iter();
        let own = certificate.metadata.path();
        // a kustomization fills in the names of some
        if injected
            .clone()
            .any(|name| *name == own || name.contains(|c: char| c.is_ascii_uppercase() || c == '$'))
        {
            continue;
        }
        let place = certificate.issuer.name.as_ref().map_or(planned.span, |name| name.span);
        findings.push(RULE.finding(
            format!("{} signs itself: nobody can verify it but by trusting this very one", planned.name),
            Some("name an issuer of kind CA in issuerRef".to_owned()),
            vec![
                Label { span: place, message: "a SelfSigned issuer".to_owned() },
                Label { span: planned.span, message: "no CA".to_owned() },
            ],
        ));
    }
}

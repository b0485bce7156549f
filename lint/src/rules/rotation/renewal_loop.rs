use std::collections::BTreeSet;

use mtls_identity::sorted;

use crate::deployment::PlannedIssuer;
use crate::dialect::cert_manager::{Issuer, IssuerSource, hours};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A certificate is to be renewed as soon as it is issued.
    ///
    /// ## Why it matters
    ///
    /// ACME servers and other systems date their certificates back, by up to an hour, against clocks that are slow; the
    /// CA and SelfSigned issuers do not. Where `renewBefore` is hardly shorter than `duration`, the new certificate is due
    /// for renewal when it arrives: cert-manager issues without end, until the CA's rate limit is reached.
    ///
    /// ## How to fix
    ///
    /// Leave `renewBefore` out (a third of the life is the default), or write a third to a half:
    ///
    /// ```yaml
    /// duration: 24h
    /// renewBefore: 8h
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - cert-manager: CertificateRequests pile up, `Renewing certificate as renewal was scheduled at …`
    ///
    /// ## Reference
    ///
    /// <https://github.com/cert-manager/cert-manager/issues/1786>
    "renewal-loop", Warning, check
}

/// By how much issuers date back.
const BACKDATED: i64 = 3600;
/// Those within cert-manager do not: what is left is too short by itself.
const HARDLY: i64 = 600;

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let manifests = &subject.deployment.manifests;
    let by_ca = manifests.issuers.iter().filter(|issuer| matches!(issuer.source, IssuerSource::Ca { .. }));
    let within: BTreeSet<String> = sorted::set(by_ca.map(Issuer::title));
    for planned in &subject.deployment.planned {
        let renewal = planned.renew_before.span();
        let mut refused = manifests.refusals.iter().flat_map(|refusal| &refusal.labels);
        if refused.any(|label| label.span == renewal) {
            continue;
        }
        let (duration, before) = (*planned.duration.value(), *planned.renew_before.value());
        let rest = duration - before;
        let least = match &planned.issuer {
            // a CA whose Secret is not seen
            PlannedIssuer::Unknown { name, .. } if within.contains(name) => HARDLY,
            PlannedIssuer::Public | PlannedIssuer::Unknown { .. } => BACKDATED,
            PlannedIssuer::SelfSigned | PlannedIssuer::Planned(_) | PlannedIssuer::Certificate(_) => HARDLY,
            // it is never issued
            PlannedIssuer::Nobody(_) => continue,
        };
        // one that is refused is told as such
        if rest <= 0 || rest > least || duration < BACKDATED || !planned.renew_before.is_given() {
            continue;
        }
        findings.push(RULE.finding(
            format!(
                "{} lives {}, and is due for renewal {} after it is issued",
                planned.name,
                hours(duration),
                hours(rest)
            ),
            Some("leave renewBefore out, or write a third of duration".to_owned()),
            vec![
                Label { span: planned.renew_before.span(), message: format!("leaves {}", hours(rest)) },
                Label { span: planned.duration.span(), message: hours(duration) },
            ],
        ));
    }
}

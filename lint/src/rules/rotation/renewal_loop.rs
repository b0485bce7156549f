use crate::dialect::cert_manager::hours;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A certificate is to be renewed as soon as it is issued.
    ///
    /// ## Why it matters
    ///
    /// An issuer dates its certificates back, by up to an hour, against clocks that are slow. Where `renewBefore` is
    /// hardly shorter than `duration`, the new certificate is due for renewal when it arrives: cert-manager issues
    /// without end, until the CA's rate limit is reached.
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

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for planned in &subject.deployment.planned {
        let (duration, before) = (*planned.duration.value(), *planned.renew_before.value());
        let rest = duration - before;
        // one that is refused is told as such
        if rest <= 0 || rest > BACKDATED || duration < BACKDATED || !planned.renew_before.is_given() {
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
                Label { span: planned.renew_before.span(), message: "leaves an hour at most".to_owned() },
                Label { span: planned.duration.span(), message: hours(duration) },
            ],
        ));
    }
}

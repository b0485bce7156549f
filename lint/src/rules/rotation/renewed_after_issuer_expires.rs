use std::collections::BTreeMap;

use crate::deployment::PlannedIssuer;
use crate::dialect::cert_manager::hours;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A certificate is still in use when the CA that signed it has expired.
    ///
    /// ## Why it matters
    ///
    /// A renewal of the CA does not renew what it issued: that waits for its own turn. A certificate issued just before
    /// the CA is renewed is signed by a CA certificate that ends first. Its Secret keeps that one as `ca.crt` as well,
    /// until its own renewal. From the CA's end until then, programs that trust this copy refuse everybody.
    ///
    /// ## How to fix
    ///
    /// Renew the CA earlier than the certificates live, and the CA long before its end:
    ///
    /// ```yaml
    /// isCA: true
    /// duration: 87600h
    /// renewBefore: 8760h
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - OpenSSL: `certificate has expired` at depth 1
    /// - Go: `x509: certificate has expired or is not yet valid`, for a certificate that is valid
    ///
    /// ## Reference
    ///
    /// <https://github.com/cert-manager/cert-manager/issues/2478>; <https://github.com/kedacore/charts/issues/711>
    "renewed-after-issuer-expires", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let planned = &subject.deployment.planned;
    // one finding for each CA, with the certificate that is in use for the longest
    let mut worst = BTreeMap::new();
    for certificate in planned {
        let PlannedIssuer::Planned(by) = &certificate.issuer else { continue };
        let Some(issuer) = planned.get(*by) else { continue };
        let in_use = certificate.duration.value().saturating_sub(*certificate.renew_before.value());
        if in_use > *issuer.renew_before.value() {
            let known = worst.entry(*by).or_insert((in_use, certificate));
            if in_use > known.0 {
                *known = (in_use, certificate);
            }
        }
    }
    for (by, (in_use, certificate)) in worst {
        let Some(issuer) = planned.get(by) else { continue };
        findings.push(RULE.finding(
            format!(
                "{} is in use for {}, but its issuer {} is renewed only {} before its own end",
                certificate.name,
                hours(in_use),
                issuer.name,
                hours(*issuer.renew_before.value())
            ),
            Some(format!(
                "write a longer duration for {}, and a renewBefore of more than {}",
                issuer.name,
                hours(in_use)
            )),
            vec![
                Label {
                    span: issuer.renew_before.span(),
                    message: if issuer.renew_before.is_given() {
                        "renewed too late".to_owned()
                    } else {
                        "renewed a third of its life before its end, since it has no renewBefore".to_owned()
                    },
                },
                Label { span: certificate.span, message: "still in use when the CA expires".to_owned() },
            ],
        ));
    }
}

use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// An object is written for an API version that is no longer served.
    ///
    /// ## Why it matters
    ///
    /// The API server does not know it: nothing is created, or, where an old cluster still serves it, the next upgrade
    /// takes it away.
    ///
    /// ## How to fix
    ///
    /// Write the version that is served, and the fields as it has them. For cert-manager `cmctl convert` does it:
    ///
    /// ```yaml
    /// apiVersion: cert-manager.io/v1
    /// kind: Certificate
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - `no matches for kind "Certificate" in version "certmanager.k8s.io/…"`
    ///
    /// ## Reference
    ///
    /// <https://kubernetes.io/docs/reference/using-api/deprecation-guide/>; <https://cert-
    /// manager.io/docs/releases/upgrading/>
    "retired-api-version", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for retired in &subject.deployment.manifests.retired {
        findings.push(RULE.finding(
            format!(
                "{} is written for {}, which is gone since {}",
                retired.title, retired.api_version.value, retired.since
            ),
            Some(format!("write apiVersion: {}, and the fields as that version has them", retired.instead)),
            vec![Label { span: retired.api_version.span, message: format!("gone since {}", retired.since) }],
        ));
    }
}

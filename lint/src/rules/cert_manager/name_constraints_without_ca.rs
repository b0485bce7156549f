use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// nameConstraints stand in a Certificate that is no CA.
    ///
    /// ## Why it matters
    ///
    /// They limit the names for which a CA issues, and mean nothing elsewhere: the webhook refuses the Certificate.
    ///
    /// ## How to fix
    ///
    /// Write them into the Certificate of the CA. cert-manager takes them where the feature gate NameConstraints is on,
    /// in the webhook and in the controller:
    ///
    /// ```yaml
    /// isCA: true
    /// nameConstraints:
    ///   critical: true
    ///   permitted:
    ///     dnsDomains: [demo.svc]
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - `isCa should be true when nameConstraints is set`
    ///
    /// ## Reference
    ///
    /// <https://cert-manager.io/docs/reference/api-docs/#cert-manager.io/v1.CertificateSpec>
    "name-constraints-without-ca", Error, check
}

const HELP: &str = "move nameConstraints to the Certificate of the CA, or write isCA: true";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.refused_manifests(&RULE, HELP, findings);
}

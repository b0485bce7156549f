use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A Certificate gives its subject twice, as literalSubject and as fields.
    ///
    /// ## Why it matters
    ///
    /// The webhook refuses it, and the certificate that stands is not renewed with the new settings. `literalSubject`
    /// is taken as it is written and leaves no room for `commonName` or `subject`.
    ///
    /// ## How to fix
    ///
    /// Keep one of them. In `literalSubject` the common name is a part:
    ///
    /// ```yaml
    /// spec:
    ///   literalSubject: "CN=web,O=Example"
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - ``When providing a `LiteralSubject` no `commonName` may be provided.``
    /// - ``When providing a `LiteralSubject` no `Subject` properties may be provided.``
    ///
    /// ## Reference
    ///
    /// <https://cert-manager.io/docs/reference/api-docs/#cert-manager.io/v1.CertificateSpec>
    "conflicting-subject", Error, check
}

const HELP: &str = "keep literalSubject and write the name into it (CN=…), or remove literalSubject";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.refused_manifests(&RULE, HELP, findings);
}

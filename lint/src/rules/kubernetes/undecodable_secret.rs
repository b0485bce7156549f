use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A value under data of a Secret is not base64.
    ///
    /// ## Why it matters
    ///
    /// The API server refuses the object. Text belongs under `stringData`, where the API server encodes it.
    ///
    /// ## How to fix
    ///
    /// For PEM as it is:
    ///
    /// ```yaml
    /// stringData:
    ///   tls.crt: |
    ///     -----BEGIN CERTIFICATE-----
    /// ```
    ///
    /// Or encode it on one line: `base64 -w0 tls.crt`.
    ///
    /// ## What you see in the logs
    ///
    /// - `cannot be handled as a Secret: illegal base64 data at input byte`
    /// - `illegal base64 data at input byte`
    ///
    /// ## Reference
    ///
    /// <https://kubernetes.io/docs/concepts/configuration/secret/#restriction-names-data>
    "undecodable-secret", Error, check
}

const HELP: &str = "move the text as it is under stringData (of a ConfigMap: from binaryData under data), or write what base64 -w0 prints";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.refused_manifests(&RULE, HELP, findings);
}

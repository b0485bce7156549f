use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A listener that ends TLS has no certificate.
    ///
    /// ## Why it matters
    ///
    /// The Gateway has nothing to show: the API server refuses it.
    ///
    /// ## How to fix
    ///
    /// Name the Secret of type kubernetes.io/tls:
    ///
    /// ```yaml
    /// tls:
    ///   certificateRefs:
    ///     - name: web-tls
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - `certificateRefs or options must be specified when mode is Terminate`
    ///
    /// ## Reference
    ///
    /// <https://gateway-api.sigs.k8s.io/reference/spec/>
    "listener-without-certificate", Error, check
}

const HELP: &str = "write certificateRefs with the Secret of the certificate";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.refused_manifests(&RULE, HELP, findings);
}

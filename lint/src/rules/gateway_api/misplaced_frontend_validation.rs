use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// Clients are verified by a field of the listener that has moved.
    ///
    /// ## Why it matters
    ///
    /// Experimental versions of the Gateway API had `frontendValidation` under the tls of a listener. It moved to
    /// `spec.tls.frontend`; a version that does not know the old field drops it without a word, and clients are then
    /// not verified.
    ///
    /// ## How to fix
    ///
    /// Write it for the whole Gateway or for a port:
    ///
    /// ```yaml
    /// spec:
    ///   tls:
    ///     frontend:
    ///       default:
    ///         validation:
    ///           caCertificateRefs:
    ///             - group: ""
    ///               kind: ConfigMap
    ///               name: clients-ca
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - `unknown field "spec.listeners[…].tls.frontendValidation"`
    ///
    /// ## Reference
    ///
    /// <https://gateway-api.sigs.k8s.io/geps/gep-91/>
    "misplaced-frontend-validation", Warning, check
}

const HELP: &str = "move it to spec.tls.frontend.default.validation (or perPort)";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.refused_manifests(&RULE, HELP, findings);
}

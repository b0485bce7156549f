use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A CA has name constraints, and cert-manager's webhook is started without the feature gate for them.
    ///
    /// ## Why it matters
    ///
    /// The webhook refuses the Certificate, so the CA is never made, nor anything that it should sign.
    ///
    /// ## How to fix
    ///
    /// Switch the gate on, in the webhook and in the controller, or leave `nameConstraints` out:
    ///
    /// ```yaml
    /// args:
    ///   - --feature-gates=NameConstraints=true
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - `feature gate NameConstraints must be enabled`
    ///
    /// ## Reference
    ///
    /// <https://cert-manager.io/docs/installation/configuring-components/#feature-gates>
    "gated-name-constraints", Error, check
}

const HELP: &str =
    "add --feature-gates=NameConstraints=true to the arguments of the webhook and of the controller";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.refused_manifests(&RULE, HELP, findings);
}

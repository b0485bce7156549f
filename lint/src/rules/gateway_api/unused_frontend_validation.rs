use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// Clients are verified on a port where the Gateway does not listen.
    ///
    /// ## Why it matters
    ///
    /// A `perPort` entry counts for the listeners of that port only. Where the port is mistyped, the listener that was
    /// meant is left to the default, or verifies nobody.
    ///
    /// ## How to fix
    ///
    /// Write the port of the listener:
    ///
    /// ```yaml
    /// perPort:
    ///   - port: 8443
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// Nothing.
    ///
    /// ## Reference
    ///
    /// <https://gateway-api.sigs.k8s.io/geps/gep-91/>
    "unused-frontend-validation", Warning, check
}

const HELP: &str = "write the port of the listener whose clients are to be verified";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.refused_manifests(&RULE, HELP, findings);
}

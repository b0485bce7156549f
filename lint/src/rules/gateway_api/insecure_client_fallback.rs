use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A Gateway lets in clients that it could not verify.
    ///
    /// ## Why it matters
    ///
    /// With `AllowInsecureFallback` a client without a certificate passes, and one with a certificate of a stranger as
    /// well. It looks like mutual TLS and is none, unless something behind the Gateway looks at every request.
    ///
    /// ## How to fix
    ///
    /// Leave `mode` out, or write:
    ///
    /// ```yaml
    /// mode: AllowValidOnly
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// Nothing: that is the point. The Gateway has the condition `InsecureFrontendValidationMode`.
    ///
    /// ## Reference
    ///
    /// <https://gateway-api.sigs.k8s.io/geps/gep-91/>
    "insecure-client-fallback", Warning, check
}

const HELP: &str = "write mode: AllowValidOnly, which is the default";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.refused_manifests(&RULE, HELP, findings);
}

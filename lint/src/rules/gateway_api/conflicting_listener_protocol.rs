use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A listener's protocol and its tls contradict each other.
    ///
    /// ## Why it matters
    ///
    /// HTTP, TCP and UDP have no TLS, and HTTPS ends it at the Gateway: the API server refuses the Gateway, or the
    /// listener is not served.
    ///
    /// ## How to fix
    ///
    /// For mutual TLS with the Gateway, `HTTPS` that terminates; `Passthrough` only with the protocol `TLS`:
    ///
    /// ```yaml
    /// listeners:
    ///   - name: web
    ///     protocol: HTTPS
    ///     port: 443
    ///     tls:
    ///       mode: Terminate
    ///       certificateRefs:
    ///         - name: web-tls
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - `tls must not be specified for protocols ['HTTP', 'TCP', 'UDP']`
    /// - `tls mode must be Terminate for protocol HTTPS`
    ///
    /// ## Reference
    ///
    /// <https://gateway-api.sigs.k8s.io/reference/spec/>
    "conflicting-listener-protocol", Error, check
}

const HELP: &str = "write protocol: HTTPS with mode: Terminate, or protocol: TLS with mode: Passthrough";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.refused_manifests(&RULE, HELP, findings);
}

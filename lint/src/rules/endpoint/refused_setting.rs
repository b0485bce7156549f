use crate::rules::{Subject, rule};

rule! {
    /// A program refuses its configuration: it does not start, or drops the part that it cannot accept.
    ///
    /// ## Why it matters
    ///
    /// Nothing that depends on the refused part works. A program that is already running may go on with its old
    /// configuration, so that the mistake shows only at the next restart, when nobody thinks of it any more.
    ///
    /// ## How to fix
    ///
    /// The finding says which setting is refused, and what to write. To ask the program itself:
    ///
    /// - Envoy: `envoy --mode validate -c envoy.yaml`
    /// - nginx: `nginx -t`
    /// - APISIX: `apisix test`
    ///
    /// ## What you see in the logs
    ///
    /// - Envoy: `error initializing configuration '/etc/envoy/envoy.yaml': …`
    /// - Envoy, discovery files: `Filesystem config update rejected: …`
    /// - nginx: `[emerg] …`
    ///
    /// ## Reference
    ///
    /// <https://www.envoyproxy.io/docs/envoy/latest/operations/cli>, `--mode`
    "refused-setting", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<crate::finding::Finding>) {
    subject.named(&RULE, findings);
}

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
    /// Correct the marked setting, and ask the program itself before it runs again.
    ///
    /// nginx: `nginx -t`. APISIX: `apisix test`. Envoy: `envoy --mode validate -c envoy.yaml`.
    ///
    /// ## What you see in the logs
    ///
    /// - Envoy: `error initializing configuration '/etc/envoy/envoy.yaml': …`
    /// - Envoy, discovery files: `Filesystem config update rejected: …`
    /// - nginx: `[emerg] …`
    /// - etcd: `--advertise-client-urls is required when --listen-client-urls is set explicitly`
    /// - etcd: `expected IP in URL for binding (…)`, `URL must not contain a path: …`
    /// - etcd: `flag provided but not defined: -…`, `'true' is not a valid flag`
    /// - etcd: `conflicting environment variable … is shadowed by corresponding command-line flag`
    /// - etcd: `cannot unmarshal string into Go struct field … of type []string`
    /// - etcd: `AllowedCN and AllowedHostname are mutually exclusive`
    /// - etcd, of `cipher-suites` without the one that HTTP/2 demands: `etcdmain: accept tcp …: use of closed network connection`
    /// - Envoy: `Unexpected SDS secret (expecting …)`, `SdsSecretConfigValidationError.Name: value length must be at least 1`
    ///
    /// ## Reference
    ///
    /// <https://www.envoyproxy.io/docs/envoy/latest/operations/cli>, `--mode`
    "refused-setting", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<crate::finding::Finding>) {
    subject.named(&RULE, findings);
}

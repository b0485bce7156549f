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
    /// - Envoy: `error initializing configuration '…'`
    /// - Envoy: `Protobuf message (type … reason INVALID_ARGUMENT …) has unknown fields`,
    ///   `Proto constraint validation failed`, `route: unknown cluster '…'`,
    ///   `malformed IP address: …. Consider setting resolver_name`, `Failed to load incomplete private key from path`
    /// - Envoy: `Unable to parse JSON as proto`, `Unable to convert YAML as JSON`, `embedded message failed validation`,
    ///   `cluster manager: duplicate cluster '…'`, `error adding listener`, `must have a certificate specified`,
    ///   `must be the last filter in a network filter chain`, `is the last filter in a http filter chain`,
    ///   `clusters must have a single locality_lb_endpoint`, `Invalid hex-encoded SHA-256`
    /// - Envoy: `Didn't find a registered implementation for '…' with type URL`,
    ///   `Failed to create SAN matcher for OTHER_NAME with OID`, `Failed to initialize ECDH curves …`,
    ///   `node 'id' and 'cluster' are required`
    /// - Envoy, discovery files: `Filesystem config update rejected: …`
    /// - nginx: `[emerg] …`, `SSL_CTX_set_cipher_list("…") failed`, `invalid value "…"`,
    ///   `directive is not allowed here`, `invalid number of arguments in`, `directive invalid number`,
    ///   `invalid parameter "…"`, `has no opening`, `invalid URL prefix in`, `invalid port in upstream`,
    ///   `upstream "…" may not have port`, `no "events" section in configuration`, `"ssl_ocsp" is incompatible with`,
    ///   `unknown "…" variable`
    /// - APISIX: `failed to merge, path[…] expect: …, but got: …`, `expect: …, but got: …`,
    ///   `missing ssl cert for https admin`, `missing ssl cert_key for https admin`,
    ///   `failed to read local yaml config of apisix`, `failed to validate config: property`,
    ///   `ERROR: missing valid Admin API token`, `invalid http host: …, err: not matched`,
    ///   `got malformed version message`
    /// - etcd: `--advertise-client-urls is required when --listen-client-urls is set explicitly`
    /// - etcd: `expected IP in URL for binding (…)`, `URL must not contain a path: …`
    /// - etcd: `flag provided but not defined: -…`, `'true' is not a valid flag`, `unexpected TLS cipher suite "…"`
    /// - etcd: `flag needs an argument`, `invalid boolean value … parse error`, `invalid value … parse error`,
    ///   `URL address does not have the form "host:port"`, `URL scheme must be http, https, unix, or unixs`,
    ///   `min version … is greater than max version`, `KeyFile and CertFile must both be present`,
    ///   `ClientKeyFile and ClientCertFile must both be present or both absent`
    /// - etcd: `conflicting environment variable … is shadowed by corresponding command-line flag`
    /// - etcd: `cannot unmarshal string into Go struct field … of type []string`
    /// - etcd: `AllowedCN and AllowedHostname are mutually exclusive`
    /// - etcd, of `cipher-suites` without the one that HTTP/2 demands:
    ///   `etcdmain: accept tcp …: use of closed network connection`
    /// - Envoy: `Unexpected SDS secret (expecting …)`,
    ///   `SdsSecretConfigValidationError.Name: value length must be at least 1`
    ///
    /// ## Reference
    ///
    /// <https://www.envoyproxy.io/docs/envoy/latest/operations/cli>, `--mode`
    "refused-setting", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<crate::finding::Finding>) {
    subject.named(&RULE, findings);
}

//! Which settings etcd knows, of which form, from which version on, and whether its file may hold them.

use crate::deployment::Version;

/// A setting under its flag's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettingName {
    /// The flag, without dashes; `ETCD_` and upper case make the variable of it.
    pub name: &'static str,
    /// What it holds.
    pub form: Form,
    /// The first release of each line that knows it, oldest first; empty: all that are alive.
    pub since: &'static [Version],
}

/// What a setting holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Text; in the file also a number or boolean, which is taken as text.
    Text,
    /// URLs with commas between them; one string in the file too.
    Urls,
    /// `true` or `false`; as a flag alone it means true.
    Bool,
    /// A number; durations are numbers of nanoseconds in the file, text with a unit elsewhere.
    Number,
    /// Items with commas between them; a list in the file.
    List,
}

impl SettingName {
    /// Whether a version knows it.
    pub fn known_to(&self, version: Version) -> bool {
        in_release(self.since, version)
    }
}

/// Whether a feature that came in these releases (one for each line, oldest first) is in a version.
pub fn in_release(since: &[Version], version: Version) -> bool {
    let Some(last) = since.last() else { return true };
    version >= *last
        || since.iter().any(|first| (first.0, first.1) == (version.0, version.1) && version >= *first)
}

/// The setting of a flag.
pub fn of_flag(name: &str) -> Option<&'static SettingName> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// The setting of an environment variable.
pub fn of_variable(name: &str) -> Option<&'static SettingName> {
    let name = name.strip_prefix("ETCD_")?.to_ascii_lowercase().replace('_', "-");
    of_flag(&name)
}

/// The setting of a top-level key of the file; keys are compared as Go's JSON does, without regard to case.
pub fn of_key(key: &str) -> Option<&'static SettingName> {
    SETTINGS
        .iter()
        .find(|setting| setting.name.eq_ignore_ascii_case(key) && !NOT_IN_FILE.contains(&setting.name))
}

/// The setting of a key beneath `client-transport-security` or `peer-transport-security`.
///
/// `allowed-cn` and `allowed-hostname` are known there from 3.5.14 on (change log, pull request 18063).
pub fn of_security_key(peer: bool, key: &str) -> Option<&'static SettingName> {
    let (_, client_name, peer_name) =
        SECURITY_KEYS.iter().find(|(known, _, _)| known.eq_ignore_ascii_case(key))?;
    of_flag(if peer { peer_name } else { client_name })
}

/// Where a setting belongs that the file does not take where it stands: text to write.
pub fn where_it_belongs(key: &str, version: Version) -> String {
    match key {
        "allowed-cn" | "allowed-hostname" => {
            format!(
                "give the flag --peer-cert-{key} (or --client-cert-{key}); in the file, {version} does not take it"
            )
        }
        "client-crl-file" | "crl-file" | "peer-crl-file" => {
            "a revocation list is given by flag or environment alone, without a configuration file".to_owned()
        }
        _ => {
            let (block, name) = match key.strip_prefix("peer-") {
                Some(name) => ("peer-transport-security", name),
                None => ("client-transport-security", key),
            };
            match SECURITY_KEYS.iter().any(|(known, _, _)| *known == name) {
                true => format!("write {name} within {block}"),
                false => format!("this key cannot stand in the configuration file of {version}"),
            }
        }
    }
}

const fn text(name: &'static str) -> SettingName {
    SettingName { name, form: Form::Text, since: &[] }
}
const fn urls(name: &'static str) -> SettingName {
    SettingName { name, form: Form::Urls, since: &[] }
}
const fn flag(name: &'static str) -> SettingName {
    SettingName { name, form: Form::Bool, since: &[] }
}
const fn number(name: &'static str) -> SettingName {
    SettingName { name, form: Form::Number, since: &[] }
}
const fn list(name: &'static str) -> SettingName {
    SettingName { name, form: Form::List, since: &[] }
}
const fn from(since: &'static [Version], setting: SettingName) -> SettingName {
    SettingName { since, ..setting }
}

/// Key beneath a security block, the client side's setting, the peer side's.
const SECURITY_KEYS: &[(&str, &str, &str)] = &[
    ("cert-file", "cert-file", "peer-cert-file"),
    ("key-file", "key-file", "peer-key-file"),
    ("client-cert-file", "client-cert-file", "peer-client-cert-file"),
    ("client-key-file", "client-key-file", "peer-client-key-file"),
    ("client-cert-auth", "client-cert-auth", "peer-client-cert-auth"),
    ("trusted-ca-file", "trusted-ca-file", "peer-trusted-ca-file"),
    ("auto-tls", "auto-tls", "peer-auto-tls"),
    ("allowed-cn", CLIENT_ALLOWED_CN, "peer-cert-allowed-cn"),
    ("allowed-hostname", "client-cert-allowed-hostname", "peer-cert-allowed-hostname"),
    ("skip-client-san-verification", CLIENT_SKIP_SAN, "peer-skip-client-san-verification"),
];

/// `client-transport-security.allowed-cn`, for which there is no flag.
pub const CLIENT_ALLOWED_CN: &str = "client-transport-security.allowed-cn";
/// `client-transport-security.skip-client-san-verification`, for which there is no flag.
pub const CLIENT_SKIP_SAN: &str = "client-transport-security.skip-client-san-verification";

/// What `peer-skip-client-san-verification` was called before 3.6.
pub const EXPERIMENTAL_SKIP_SAN: &str = "experimental-peer-skip-client-san-verification";

/// Settings that the top level of the file does not know: those of the security blocks, and revocation lists.
const NOT_IN_FILE: &[&str] = &[
    "cert-file",
    "key-file",
    "client-cert-file",
    "client-key-file",
    "client-cert-auth",
    "trusted-ca-file",
    "auto-tls",
    "client-crl-file",
    "client-cert-allowed-hostname",
    "peer-cert-file",
    "peer-key-file",
    "peer-client-cert-file",
    "peer-client-key-file",
    "peer-client-cert-auth",
    "peer-trusted-ca-file",
    "peer-auto-tls",
    "peer-crl-file",
    "peer-cert-allowed-cn",
    "peer-cert-allowed-hostname",
    "peer-skip-client-san-verification",
    EXPERIMENTAL_SKIP_SAN,
    CLIENT_ALLOWED_CN,
    CLIENT_SKIP_SAN,
    "config-file",
    "version",
];

const V3_5: &[Version] = &[Version(3, 5, 0)];
const V3_6: &[Version] = &[Version(3, 6, 0)];
/// `tls-min-version` and `tls-max-version` came with 3.5.8 and 3.4.25 (pull requests 15483 and 15486).
const TLS_VERSIONS: &[Version] = &[Version(3, 4, 25), Version(3, 5, 8)];
/// `listen-client-http-urls` came with 3.5.8 and 3.4.25.
const HTTP_URLS: &[Version] = &[Version(3, 4, 25), Version(3, 5, 8)];

const SETTINGS: &[SettingName] = &[
    text("name"),
    text("data-dir"),
    text("wal-dir"),
    text("config-file"),
    urls("listen-client-urls"),
    from(HTTP_URLS, urls("listen-client-http-urls")),
    urls("listen-peer-urls"),
    urls("listen-metrics-urls"),
    urls("advertise-client-urls"),
    urls("initial-advertise-peer-urls"),
    text("initial-cluster"),
    text("initial-cluster-state"),
    text("initial-cluster-token"),
    text("discovery"),
    text("discovery-proxy"),
    text("discovery-srv"),
    text("discovery-srv-name"),
    text("discovery-fallback"),
    text("discovery-endpoints"),
    text("discovery-token"),
    text("discovery-user"),
    text("discovery-password"),
    text("discovery-cert"),
    text("discovery-key"),
    text("discovery-cacert"),
    number("discovery-dial-timeout"),
    number("discovery-request-timeout"),
    number("discovery-keepalive-time"),
    number("discovery-keepalive-timeout"),
    flag("discovery-insecure-transport"),
    flag("discovery-insecure-skip-tls-verify"),
    text("cert-file"),
    text("key-file"),
    from(V3_5, text("client-cert-file")),
    from(V3_5, text("client-key-file")),
    flag("client-cert-auth"),
    text("trusted-ca-file"),
    text("client-crl-file"),
    list("client-cert-allowed-hostname"),
    flag("auto-tls"),
    text("peer-cert-file"),
    text("peer-key-file"),
    from(V3_5, text("peer-client-cert-file")),
    from(V3_5, text("peer-client-key-file")),
    flag("peer-client-cert-auth"),
    text("peer-trusted-ca-file"),
    text("peer-crl-file"),
    list("peer-cert-allowed-cn"),
    list("peer-cert-allowed-hostname"),
    flag("peer-auto-tls"),
    from(V3_6, flag("peer-skip-client-san-verification")),
    list(CLIENT_ALLOWED_CN),
    from(V3_6, flag(CLIENT_SKIP_SAN)),
    from(&[Version(3, 5, 0)], number("self-signed-cert-validity")),
    list("cipher-suites"),
    from(TLS_VERSIONS, text("tls-min-version")),
    from(TLS_VERSIONS, text("tls-max-version")),
    flag("enable-grpc-gateway"),
    text("cors"),
    text("host-whitelist"),
    text("auth-token"),
    number("auth-token-ttl"),
    number("bcrypt-cost"),
    text("auto-compaction-mode"),
    text("auto-compaction-retention"),
    text("backend-bbolt-freelist-type"),
    number("backend-batch-interval"),
    number("backend-batch-limit"),
    number("bootstrap-defrag-threshold-megabytes"),
    number("compact-hash-check-time"),
    number("compaction-batch-limit"),
    number("compaction-sleep-interval"),
    number("corrupt-check-time"),
    flag("debug"),
    flag("disable-log-sampling"),
    text("distributed-tracing-address"),
    text("distributed-tracing-instance-id"),
    number("distributed-tracing-sampling-rate"),
    text("distributed-tracing-service-name"),
    number("downgrade-check-time"),
    number("election-timeout"),
    flag("enable-distributed-tracing"),
    flag("enable-log-rotation"),
    flag("enable-pprof"),
    flag("enable-v2"),
    from(&[Version(3, 6, 0)], text("feature-gates")),
    flag("force-new-cluster"),
    number("grpc-keepalive-interval"),
    number("grpc-keepalive-min-time"),
    number("grpc-keepalive-timeout"),
    number("heartbeat-interval"),
    flag("initial-election-tick-advance"),
    text("log-format"),
    text("log-level"),
    text("log-output"),
    list("log-outputs"),
    text("log-package-levels"),
    text("log-rotation-config-json"),
    text("logger"),
    number("max-concurrent-streams"),
    number("max-learners"),
    number("max-request-bytes"),
    number("max-snapshots"),
    number("max-txn-ops"),
    number("max-wals"),
    flag("memory-mlock"),
    text("metrics"),
    flag("pre-vote"),
    text("proxy"),
    number("proxy-dial-timeout"),
    number("proxy-failure-wait"),
    number("proxy-read-timeout"),
    number("proxy-refresh-interval"),
    number("proxy-write-timeout"),
    number("quota-backend-bytes"),
    number("raft-read-timeout"),
    number("raft-write-timeout"),
    number("snapshot-catchup-entries"),
    number("snapshot-count"),
    flag("socket-reuse-address"),
    flag("socket-reuse-port"),
    flag("strict-reconfig-check"),
    flag("unsafe-no-fsync"),
    text("v2-deprecation"),
    flag("version"),
    number("warning-apply-duration"),
    number("warning-unary-request-duration"),
    number("watch-progress-notify-interval"),
    // settings of releases long gone, taken and ignored
    text("cluster-active-size"),
    text("cluster-remove-delay"),
    text("cluster-sync-interval"),
    text("config"),
    text("force"),
    text("max-result-buffer"),
    text("max-retry-attempts"),
    text("peer-heartbeat-interval"),
    text("peer-election-timeout"),
    text("retry-interval"),
    text("snapshot"),
    text("v"),
    text("vv"),
    flag(EXPERIMENTAL_SKIP_SAN),
    text("experimental-backend-bbolt-freelist-type"),
    number("experimental-compaction-batch-limit"),
    number("experimental-corrupt-check-time"),
    text("experimental-enable-v2v3"),
    number("experimental-warning-apply-duration"),
    number("experimental-watch-progress-notify-interval"),
    flag("experimental-initial-corrupt-check"),
    flag("experimental-enable-lease-checkpoint"),
    flag("experimental-enable-lease-checkpoint-persist"),
    flag("experimental-enable-distributed-tracing"),
    flag("experimental-compact-hash-check-enabled"),
    flag("experimental-memory-mlock"),
    flag("experimental-txn-mode-write-with-shared-buffer"),
    flag("experimental-stop-grpc-service-on-defrag"),
    flag("experimental-set-member-localaddr"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_belongs_to_the_lines_that_got_it() {
        for (version, known) in [
            (Version(3, 4, 23), false),
            (Version(3, 4, 25), true),
            (Version(3, 5, 0), false),
            (Version(3, 5, 7), false),
            (Version(3, 5, 8), true),
            (Version(3, 6, 0), true),
        ] {
            assert_eq!(of_flag("tls-min-version").unwrap().known_to(version), known, "{version}");
        }
    }

    #[test]
    fn flags_variables_and_keys_name_the_same_settings() {
        assert_eq!(of_variable("ETCD_TRUSTED_CA_FILE"), of_flag("trusted-ca-file"));
        assert_eq!(of_security_key(true, "trusted-ca-file"), of_flag("peer-trusted-ca-file"));
        assert_eq!(of_security_key(false, "Cert-File"), of_flag("cert-file"));
        assert_eq!(of_key("Listen-Client-URLs"), of_flag("listen-client-urls"));
        // the file knows certificates only within the security blocks
        assert_eq!(of_key("cert-file"), None);
        assert_eq!(of_variable("ETCD_CA_FILE"), None);
    }

    #[test]
    fn no_setting_stands_twice() {
        let mut names: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}

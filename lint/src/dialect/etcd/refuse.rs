//! What etcd refuses at start, in its own words: `embed.Config.Validate` and the set-up of its listeners.

use super::EtcdConfig;
use super::given::{ALLOWED_LISTS, refusal};
use super::settings::in_release;
use crate::deployment::{Refusal, Version};
use crate::finding::Label;
use crate::source::Located;
use crate::syntax::url::Url;

/// Everything this configuration is refused for, whatever its files hold.
pub fn at_start(config: &EtcdConfig) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    binds(config, &mut refusals);
    versions(config, &mut refusals);
    suites(config, &mut refusals);
    credentials(config, &mut refusals);
    logger(config, &mut refusals);
    refusals
}

/// `logger`: capnslog went in 3.5.
fn logger(config: &EtcdConfig, refusals: &mut Vec<Refusal>) {
    let old = config.logger.as_ref().filter(|logger| logger.value == "capnslog");
    if let Some(logger) = old.filter(|_| config.version >= Version(3, 5, 0)) {
        refusals.push(refusal(
            format!("etcd {} has no logger capnslog any more", config.version),
            logger.span,
            "write zap",
            Some("--logger=capnslog is removed in v3.5".to_owned()),
        ));
    }
}

/// `checkBindURLs`: it listens on addresses, not on names.
fn binds(config: &EtcdConfig, refusals: &mut Vec<Refusal>) {
    let lists = [
        ("listen-peer-urls", config.listen_peer_urls.value()),
        ("listen-client-urls", config.listen_client_urls.value()),
        ("listen-client-http-urls", &config.listen_client_http_urls),
        ("listen-metrics-urls", &config.listen_metrics_urls),
    ];
    for (name, urls) in lists {
        for url in urls {
            let host = url.value.host.as_str();
            let tcp = is_tcp(&url.value);
            if tcp && host != "localhost" && host.parse::<std::net::IpAddr>().is_err() {
                refusals.push(refusal(
                    format!("{name}: etcd listens on addresses, and {host:?} is a name"),
                    url.span,
                    &format!(
                        "write an address, {}://0.0.0.0:{} for all of them",
                        url.value.scheme,
                        url.value.port.unwrap_or_default()
                    ),
                    Some(format!("expected IP in URL for binding ({})", url.value)),
                ));
            }
        }
    }
}

/// `tls-min-version` and `tls-max-version`.
fn versions(config: &EtcdConfig, refusals: &mut Vec<Refusal>) {
    let mut rank = |setting: &Option<Located<String>>, default: u8| match setting {
        None => default,
        Some(text) => match text.value.as_str() {
            "TLS1.2" => 2,
            "TLS1.3" => 3,
            other => {
                refusals.push(refusal(
                    format!("etcd knows TLS1.2 and TLS1.3, not {other}"),
                    text.span,
                    "write TLS1.2 or TLS1.3",
                    None,
                ));
                default
            }
        },
    };
    let (lowest, highest) = (rank(&config.tls_min_version, 2), rank(&config.tls_max_version, 3));
    let (Some(low), true) = (&config.tls_min_version, lowest > highest) else { return };
    let high = config.tls_max_version.as_ref();
    let mut refused = refusal(
        format!("tls-min-version {} is above tls-max-version", low.value),
        low.span,
        "write TLS1.2, or raise tls-max-version",
        Some(format!(
            "min version ({}) is greater than max version ({})",
            low.value,
            high.map_or("", |high| high.value.as_str())
        )),
    );
    if let Some(high) = high {
        refused.labels.push(Label { span: high.span, message: "the highest version".to_owned() });
    }
    refusals.push(refused);
}

/// `cipher-suites`: Go's names only, not for TLS 1.3 alone, and with what HTTP/2 requires.
fn suites(config: &EtcdConfig, refusals: &mut Vec<Refusal>) {
    let Some(first) = config.cipher_suites.first() else { return };
    if config.tls_min_version.as_ref().is_some_and(|version| version.value == "TLS1.3") {
        refusals.push(refusal(
            "cipher-suites concern TLS 1.2, and tls-min-version is TLS1.3".to_owned(),
            first.span,
            "leave cipher-suites out",
            Some("cipher suites cannot be configured when only TLS1.3 is enabled".to_owned()),
        ));
        return;
    }
    for suite in &config.cipher_suites {
        if !SUITES.contains(&suite.value.as_str()) {
            refusals.push(refusal(
                format!("{:?} is none of the cipher suites that Go knows", suite.value),
                suite.span,
                "write a name of Go\'s, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 for instance",
                Some(format!("unexpected TLS cipher suite {:?}", suite.value)),
            ));
            return;
        }
    }
    let https = client_urls(config).any(|url| url.value.scheme == "https");
    let has_required =
        config.cipher_suites.iter().any(|suite| REQUIRED_BY_HTTP2.contains(&suite.value.as_str()));
    if https && !has_required {
        // net/http's ConfigureServer refuses such a list, and etcd stops (etcd's issues 10652, 16850)
        refusals.push(refusal(
            format!("the client port speaks HTTP/2, which needs one of {}", REQUIRED_BY_HTTP2.join(" or ")),
            first.span,
            &format!("add {} to the list", REQUIRED_BY_HTTP2.join(" and ")),
            None,
        ));
    }
}

/// Certificates and keys that are not named, or contradict each other.
fn credentials(config: &EtcdConfig, refusals: &mut Vec<Refusal>) {
    let client_tls = client_urls(config).find(|url| is_tls(&url.value));
    if config.client.is_empty() && !config.client.auto_tls.value() {
        if let Some(url) = client_tls {
            refusals.push(without_credential(
                config,
                url,
                false,
                format!(
                    "TLS key/cert (--cert-file, --key-file) must be provided for client url {} with HTTPS scheme",
                    url.value
                ),
            ));
        } else if let Some(url) = config.listen_metrics_urls.iter().find(|url| is_tls(&url.value)) {
            refusals.push(without_credential(
                config,
                url,
                false,
                format!(
                    "cannot listen on TLS for {}: KeyFile and CertFile are not presented",
                    url.value.authority()
                ),
            ));
        }
    }
    let peer_tls = config.listen_peer_urls.value().iter().find(|url| is_tls(&url.value));
    if let (true, false, Some(url)) = (config.peer.is_empty(), *config.peer.auto_tls.value(), peer_tls) {
        refusals.push(without_credential(
            config,
            url,
            true,
            format!(
                "cannot listen on TLS for {}: KeyFile and CertFile are not presented",
                url.value.authority()
            ),
        ));
    }
    let metrics_tls = config.listen_metrics_urls.iter().any(|url| is_tls(&url.value));
    if client_tls.is_some() || metrics_tls {
        side(config, false, refusals);
    }
    // the peers' files are loaded for dialling, whether or not it listens with TLS
    side(config, true, refusals);
}

fn without_credential(config: &EtcdConfig, url: &Located<Url>, peer: bool, log: String) -> Refusal {
    let pair = config.tls_settings(peer, "", &["cert-file", "key-file"]);
    let mut refused = refusal(
        format!("{} is served with TLS, and {pair} are not given", url.value),
        url.span,
        &format!("give {pair}, or write http"),
        Some(log),
    );
    refused.rule = "missing-credential";
    let block = if peer { config.peer.span } else { config.client.span };
    if block != url.span {
        refused.labels.push(Label { span: block, message: format!("{pair} could stand here") });
    }
    refused
}

/// `TLSInfo.baseConfig`: halves of a pair, and two ways to name who may call.
fn side(config: &EtcdConfig, peer: bool, refusals: &mut Vec<Refusal>) {
    let side = if peer { &config.peer } else { &config.client };
    if side.is_empty() {
        return;
    }
    let text =
        |file: &Option<Located<String>>| file.as_ref().map_or(String::new(), |file| file.value.clone());
    let pairs = [
        (
            (&side.cert_file, &side.key_file),
            ("cert-file", "key-file"),
            format!(
                "KeyFile and CertFile must both be present[key: {}, cert: {}]",
                text(&side.key_file),
                text(&side.cert_file)
            ),
        ),
        (
            (&side.client_cert_file, &side.client_key_file),
            ("client-cert-file", "client-key-file"),
            format!(
                "ClientKeyFile and ClientCertFile must both be present or both absent: key: {}, cert: {}]",
                text(&side.client_key_file),
                text(&side.client_cert_file)
            ),
        ),
    ];
    for ((cert, key), (cert_name, key_name), log) in pairs {
        let (given, missing, span) = match (cert, key) {
            (Some(cert), None) => (cert_name, key_name, cert.span),
            (None, Some(key)) => (key_name, cert_name, key.span),
            _ => continue,
        };
        let given = if peer && config.file.is_none() { format!("peer-{given}") } else { given.to_owned() };
        let missing = config.tls_settings(peer, "", &[missing]);
        let mut refused = refusal(
            format!("{given} is given and {missing} is not"),
            span,
            &format!("give {missing} as well"),
            Some(log),
        );
        refused.rule = "missing-credential";
        refusals.push(refused);
    }
    if let (Some(cn), Some(hostname)) = (side.allowed_cn.first(), side.allowed_hostname.first()) {
        let log = if in_release(ALLOWED_LISTS, config.version) {
            "AllowedCN and AllowedHostname are mutually exclusive".to_owned()
        } else {
            format!(
                "AllowedCN and AllowedHostname are mutually exclusive (cn={:?}, hostname={:?})",
                cn.value, hostname.value
            )
        };
        let mut refused = refusal(
            "etcd compares either common names or host names with a certificate, not both".to_owned(),
            hostname.span,
            "leave one of the two out",
            Some(log),
        );
        refused.labels.push(Label { span: cn.span, message: "the common name".to_owned() });
        refusals.push(refused);
    }
}

fn client_urls(config: &EtcdConfig) -> impl Iterator<Item = &Located<Url>> {
    config.listen_client_urls.value().iter().chain(&config.listen_client_http_urls)
}

fn is_tls(url: &Url) -> bool {
    matches!(url.scheme.as_str(), "https" | "unixs")
}

fn is_tcp(url: &Url) -> bool {
    matches!(url.scheme.as_str(), "http" | "https")
}

/// One of them must stand in the list of an HTTP/2 server (RFC 7540, section 9.2.2; net/http).
const REQUIRED_BY_HTTP2: [&str; 2] =
    ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"];

/// Go's crypto/tls, secure and insecure ones, with the two names that came for old ones in Go 1.14.
const SUITES: &[&str] = &[
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_RSA_WITH_RC4_128_SHA",
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
];

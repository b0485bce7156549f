//! What etcd makes of what it was given: defaults, URLs, members, and what it refuses at start.

use super::given::{Given, Variable, is_filled_in, part, refusal, split};
use super::settings::in_release;
use super::{EtcdConfig, Member, Security};
use crate::deployment::{Lookup, Refusal, Setting, Version};
use crate::source::{Located, Span};
use crate::syntax::url::Url;
use crate::syntax::yaml::Node;

/// How an etcd was started.
pub struct Start<'s> {
    /// Its arguments, without its own name.
    pub arguments: &'s [Located<String>],
    /// Its environment.
    pub environment: Vec<Variable<'s>>,
    /// The configuration file in force, with the path by which it is named.
    pub file: Option<(Located<String>, Node<'s>)>,
    /// Its version.
    pub version: Version,
    /// Settings that the image's start script fills in where they are not given: variables with their values.
    pub supplied: &'s [(&'static str, &'static str)],
    /// Where settings could be written: the container, or the file.
    pub parent: Span,
}

/// What the start scripts of bitnami/etcd set where the environment does not (libetcd, `etcd-env.sh`).
pub const BITNAMI: &[(&str, &str)] = &[
    ("ETCD_LISTEN_CLIENT_URLS", "http://0.0.0.0:2379"),
    ("ETCD_ADVERTISE_CLIENT_URLS", "http://127.0.0.1:2379"),
    ("ETCD_DATA_DIR", "/bitnami/etcd/data"),
];

/// What to write for a URL that etcd does not take.
const URL_ADVICE: &str = "write https://HOST:PORT, without a path";

/// What is said where `listen-client-urls` is set by flag or variable and `advertise-client-urls` is not.
pub const ADVERTISE_MISSING: &str = "listen-client-urls is given and advertise-client-urls is not";

/// The path of the configuration file that flags or environment name, if they do: the flag wins.
pub fn config_file(arguments: &[Located<String>], environment: &[Variable<'_>]) -> Option<Located<String>> {
    let mut flags = Given::default();
    flags.read_flags(arguments, Version(u32::MAX, 0, 0));
    flags.text("config-file").or_else(|| {
        let variable = environment.iter().find(|variable| variable.name.value == "ETCD_CONFIG_FILE")?;
        variable.value.found().filter(|value| !value.value.is_empty()).cloned()
    })
}

/// Reads an etcd's settings.
pub fn read(start: &Start<'_>) -> EtcdConfig {
    let version = start.version;
    let mut given = Given::default();
    let supplied: Vec<(Located<String>, Lookup<Located<String>>)> = start
        .supplied
        .iter()
        .filter(|(name, _)| {
            !start.environment.iter().any(|variable| {
                variable.name.value == *name
                    && variable.value.found().is_none_or(|value| !value.value.is_empty())
            })
        })
        .map(|(name, value)| {
            let located = |text: &str| Located::new(text.to_owned(), start.parent);
            (located(name), Lookup::Found(located(value)))
        })
        .collect();
    let mut ends_early = false;
    match &start.file {
        Some((_, root)) => {
            given.read_file(*root, version);
            given.ignore_beside_file(start.arguments, start.environment.iter().copied());
        }
        None => {
            given.read_flags(start.arguments, version);
            // etcd ends at the first word that it does not take: what follows was never read
            ends_early = !given.refusals.is_empty();
            given.read_environment(start.environment.iter().copied(), version);
            given.read_environment(supplied.iter().map(|(name, value)| Variable { name, value }), version);
        }
    }
    let open = given.open;
    let mut config = build(start, given);
    if let Some(certain) = open {
        config.refusals.truncate(certain);
    } else if !ends_early {
        let more = super::refuse::at_start(&config);
        config.refusals.extend(more);
    }
    config
}

fn build(start: &Start<'_>, mut given: Given) -> EtcdConfig {
    let version = start.version;
    let parent = start.file.as_ref().map_or(start.parent, |(_, root)| root.span());
    let mut urls = Urls { given: &given, refusals: Vec::new(), open: Vec::new() };
    let default_url = |text: &str| Setting::Default {
        value: Url::parse(text).map(|url| vec![Located::new(url, parent)]).unwrap_or_default(),
        parent,
    };
    let listen_client_urls = urls.of("listen-client-urls");
    let listen_client_http_urls = urls.of("listen-client-http-urls");
    let listen_peer_urls = urls.of("listen-peer-urls");
    let listen_metrics_urls = urls.of("listen-metrics-urls");
    let advertise_client_urls = urls.of("advertise-client-urls");
    let initial_advertise_peer_urls = urls.of("initial-advertise-peer-urls");
    let Urls { mut refusals, mut open, .. } = urls;
    let plain = |list: Option<Setting<Vec<Located<Url>>>>| {
        list.map(|setting| setting.value().clone()).unwrap_or_default()
    };
    let listens_explicitly = listen_client_urls.is_some();
    if start.file.is_none()
        && advertise_client_urls.is_none()
        && let Some(listen) = &listen_client_urls
    {
        refusals.push(refusal(
            ADVERTISE_MISSING.to_owned(),
            listen.span(),
            "give advertise-client-urls too: the URL by which clients reach this member",
            Some(
                "--advertise-client-urls is required when --listen-client-urls is set explicitly".to_owned(),
            ),
        ));
    }
    let name = match given.text("name") {
        Some(name) => Setting::Given(name),
        None => Setting::Default { value: "default".to_owned(), parent },
    };
    let initial_advertise_peer_urls =
        initial_advertise_peer_urls.unwrap_or_else(|| default_url("http://localhost:2380"));
    let discovery =
        ["discovery-srv", "discovery-endpoints", "discovery"].iter().find_map(|name| given.text(name));
    let initial_cluster = match given.text("initial-cluster") {
        Some(text) => Setting::Given(Located::new(members(&text, &mut refusals), text.span)),
        None => Setting::Default {
            value: initial_advertise_peer_urls
                .value()
                .iter()
                .map(|url| Member { name: Located::new(name.value().clone(), name.span()), url: url.clone() })
                .collect(),
            parent,
        },
    };
    let client = security(&given, false, version, given.security_spans.0.unwrap_or(parent));
    let peer = security(&given, true, version, given.security_spans.1.unwrap_or(parent));
    // before 3.5 the gateway is off under a configuration file that does not turn it on (etcd's pull request 12297)
    let enable_grpc_gateway = match given.flag("enable-grpc-gateway") {
        Some(value) => Setting::Given(value),
        None => Setting::Default {
            value: start.file.is_none() || in_release(&[Version(3, 5, 0)], version),
            parent,
        },
    };
    let mut config = EtcdConfig {
        version,
        file: start.file.as_ref().map(|(path, _)| path.clone()),
        name,
        data_dir: given.text("data-dir"),
        listen_client_urls: listen_client_urls.unwrap_or_else(|| default_url("http://localhost:2379")),
        listen_client_http_urls: plain(listen_client_http_urls),
        listen_peer_urls: listen_peer_urls.unwrap_or_else(|| default_url("http://localhost:2380")),
        listen_metrics_urls: plain(listen_metrics_urls),
        advertise_client_urls: advertise_client_urls.unwrap_or_else(|| {
            match listens_explicitly && start.file.is_none() {
                true => Setting::Default { value: Vec::new(), parent },
                false => default_url("http://localhost:2379"),
            }
        }),
        advertise_client_urls_supplied: supplied_advertisement(start, &given),
        initial_advertise_peer_urls,
        initial_cluster,
        discovery,
        client,
        peer,
        cipher_suites: given.list("cipher-suites"),
        logger: given.text("logger"),
        tls_min_version: given.text("tls-min-version"),
        tls_max_version: given.text("tls-max-version"),
        enable_grpc_gateway,
        ignored: std::mem::take(&mut given.ignored),
        refusals: std::mem::take(&mut given.refusals),
        unseen: std::mem::take(&mut given.unseen),
    };
    config.refusals.append(&mut refusals);
    config.unseen.append(&mut open);
    config
}

/// Where the image's start script filled in what is advertised to clients.
fn supplied_advertisement(start: &Start<'_>, given: &Given) -> Option<Span> {
    let supplied = start.supplied.iter().any(|(name, _)| *name == "ETCD_ADVERTISE_CLIENT_URLS");
    let text = given.text("advertise-client-urls").filter(|_| start.file.is_none() && supplied)?;
    (text.span == start.parent).then_some(text.span)
}

/// The settings that hold URLs.
struct Urls<'g> {
    given: &'g Given,
    /// URLs that etcd does not take.
    refusals: Vec<Refusal>,
    /// Where to listen is filled in elsewhere.
    open: Vec<String>,
}

impl Urls<'_> {
    fn of(&mut self, name: &'static str) -> Option<Setting<Vec<Located<Url>>>> {
        let text = self.given.text(name)?;
        let mut list = Vec::new();
        for item in split(&text) {
            if is_filled_in(&item.value) {
                if name.starts_with("listen-") {
                    self.open.push(format!("{name} is {}, which is filled in elsewhere", item.value));
                }
                continue;
            }
            match url(&item) {
                Ok(url) => list.push(Located::new(url, item.span)),
                Err((message, log)) => {
                    self.refusals.push(refusal(format!("{name}: {message}"), item.span, URL_ADVICE, log));
                }
            }
        }
        Some(Setting::Given(Located::new(list, text.span)))
    }
}

fn security(given: &Given, peer: bool, version: Version, span: Span) -> Security {
    let name = |client: &'static str, peer_name: &'static str| if peer { peer_name } else { client };
    let switch = |value: Option<Located<bool>>| match value {
        Some(value) => Setting::Given(value),
        None => Setting::Default { value: false, parent: span },
    };
    let (allowed_cn, allowed_hostname) = given.allowed(peer, version);
    Security {
        cert_file: given.text(name("cert-file", "peer-cert-file")),
        key_file: given.text(name("key-file", "peer-key-file")),
        client_cert_file: given.text(name("client-cert-file", "peer-client-cert-file")),
        client_key_file: given.text(name("client-key-file", "peer-client-key-file")),
        client_cert_auth: switch(given.flag(name("client-cert-auth", "peer-client-cert-auth"))),
        trusted_ca_file: given.text(name("trusted-ca-file", "peer-trusted-ca-file")),
        crl_file: given.text(name("client-crl-file", "peer-crl-file")),
        allowed_cn,
        allowed_hostname,
        auto_tls: switch(given.flag(name("auto-tls", "peer-auto-tls"))),
        skip_client_san_verification: switch(given.skips_san(peer)),
        span,
    }
}

/// A URL as etcd takes it (`types.NewURLs`), or what is wrong with it and etcd's own words for that.
fn url(item: &Located<String>) -> Result<Url, (String, Option<String>)> {
    let text = item.value.trim();
    let parsed = Url::parse(text);
    if let Ok(url) = &parsed {
        match url.scheme.as_str() {
            "unix" | "unixs" => return Ok(url.clone()),
            "http" | "https" => {
                if url.port.is_none() {
                    return Err((
                        format!("{text} has no port"),
                        Some(format!("URL address does not have the form \"host:port\": {text}")),
                    ));
                }
                if !url.path.is_empty() && !url.path.starts_with('?') {
                    return Err((
                        format!("{text} has a path, and etcd takes none, not even a slash"),
                        Some(format!("URL must not contain a path: {text}")),
                    ));
                }
                return Ok(url.clone());
            }
            _ => {}
        }
    }
    match parsed {
        Ok(_) => Err((
            format!("{text} is no URL for etcd: its scheme is none of http, https, unix and unixs"),
            Some(format!("URL scheme must be http, https, unix, or unixs: {text}")),
        )),
        Err(why) => Err((format!("{text} is no URL: {why}"), None)),
    }
}

/// `name=url,name=url`; a name may stand several times.
fn members(text: &Located<String>, refusals: &mut Vec<Refusal>) -> Vec<Member> {
    let mut members = Vec::new();
    for item in split(text) {
        if is_filled_in(&item.value) {
            continue;
        }
        let Some((name, address)) = item.value.split_once('=') else {
            refusals.push(refusal(
                format!("initial-cluster: {:?} is not NAME=URL", item.value),
                item.span,
                "write NAME=https://HOST:2380",
                None,
            ));
            continue;
        };
        let address = part(&item, name.len() + 1, address.len());
        match url(&address) {
            Ok(url) => members
                .push(Member { name: part(&item, 0, name.len()), url: Located::new(url, address.span) }),
            Err((message, log)) => {
                refusals.push(refusal(format!("initial-cluster: {message}"), address.span, URL_ADVICE, log));
            }
        }
    }
    members
}

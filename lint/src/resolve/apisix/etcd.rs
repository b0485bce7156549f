//! APISIX as a client of etcd (or of a control plane).
//!
//! Three clients do it: `apisix init_etcd` and the load in the master, which look at no host name and read every
//! file as root, then the workers, which check the name (X509_check_host, so no IP SAN) and read as `nobody`.
//! The two see the same chain, dates and usages; so the workers' checks are the ones to predict, and a pair that
//! does not fit is refused by the first (seen on 3.18.0; of older starts nobody saw it).

use super::Given;
use super::objects::unseen_in;
use crate::deployment::{
    ClientTls, Credential, Dialer, DialerPurpose, PathChecks, Protocol, Protocols, Refusal, Setting, Target,
    Trust, TrustLoader, UnfitCredential, Version,
};
use crate::dialect::apisix::Config;
use crate::dialect::apisix::config::{Area, ControlPlane, Provider, Role};
use crate::finding::Label;
use crate::source::{Located, Span};

/// Dialers for every address of etcd.
pub fn dialers(given: &Given<'_>, config: &Config, bundles: &[Trust]) -> Vec<Dialer> {
    if let Some(plane) = &config.control_plane
        && *config.provider.value() == Provider::ControlPlane
    {
        return plane.hosts.iter().filter_map(|host| control_plane(given, plane, host)).collect();
    }
    if *config.provider.value() != Provider::Etcd && *config.role.value() != Role::ControlPlane {
        return Vec::new();
    }
    config.etcd.hosts.value().iter().filter_map(|host| dialer(given, config, bundles, host)).collect()
}

/// `lua_ssl_protocols`: the cosocket of an nginx before 1.23.4 speaks TLS 1.2 at most, as nginx itself does (observed:
/// lua-nginx-module 0.10.23 in 1.22.1 and 0.10.28 in 1.26.3). APISIX before 3.9 is built on OpenResty 1.21 (its release
/// notes), unless `--assume` names another nginx; a real 3.18 on 1.29 speaks TLS 1.3.
fn cosocket_protocols(given: &Given<'_>) -> Protocols {
    let nginx = given.world.assume.nginx.unwrap_or(Version(1, 21, 4));
    if given.version < Version(3, 9, 0) && nginx < Version(1, 23, 4) {
        return Protocols { versions: vec![Protocol::Tls12] };
    }
    Protocols::modern()
}

/// The parts of `https://host:port/path`.
struct Address<'u> {
    https: bool,
    host: &'u str,
    port: u16,
    path: &'u str,
}

fn address(url: &str) -> Option<Address<'_>> {
    // what the schema refuses is shown as what was meant
    let (https, rest) = match url.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (false, rest),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (true, rest),
        Some(_) => return None,
        None => (true, url),
    };
    let (authority, path) = match rest.find('/') {
        Some(at) => (rest.get(..at)?, rest.get(at..)?),
        None => (rest, ""),
    };
    let (host, port) = match authority.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((host, after)) => (host, after.strip_prefix(':')),
        None => match authority.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = match port {
        Some(port) => port.parse().ok()?,
        None if https => 443,
        None => 80,
    };
    Some(Address { https, host, port, path })
}

fn dialer(given: &Given<'_>, config: &Config, bundles: &[Trust], url: &Located<String>) -> Option<Dialer> {
    let address = address(&url.value)?;
    let span = url.span;
    let mut refusals = Vec::new();
    // lua-resty-etcd takes letters, digits, dots and dashes for a host
    if address.host.contains('_') {
        refusals.push(refusal(
            format!("{} has an underscore in its name, which the workers do not take for a host", url.value),
            span,
            format!("invalid http host: {}, err: not matched", url.value),
        ));
    }
    let tls = address.https.then(|| tls(given, config, bundles, &address, span, &mut refusals));
    let mut unseen = unseen_in(config, &[Area::Etcd]);
    if let Some(tls) = &tls {
        unseen.extend(unknown_name_check(config, tls));
    }
    let target = Target {
        url: url.value.trim_end_matches('/').to_owned(),
        host: Located::new(address.host.to_owned(), span),
        port: address.port,
        connect_to: None,
    };
    Some(Dialer {
        tls,
        path_prefix: address.path.to_owned(),
        refusals,
        unseen,
        // no request: the start asks for HOST/version, one slash too many, and etcd knows no such path
        ..Dialer::new(DialerPurpose::Configuration, target, span)
    })
}

/// Why it is unknown which name the certificate must bear.
fn unknown_name_check(config: &Config, tls: &ClientTls) -> Option<String> {
    let name = tls.reference.as_ref().filter(|_| *tls.verify.value())?;
    if name.value.is_empty() {
        return Some(
            "deployment.etcd.tls.sni is empty, and what is compared then is not known here".to_owned(),
        );
    }
    // Go finds an address among the IP SANs, where X509_check_host does not look
    let by_go = config.etcd.use_grpc && name.value.parse::<std::net::IpAddr>().is_ok();
    by_go.then(|| "with use_grpc a client in Go compares the address, which is not predicted here".to_owned())
}

fn tls(
    given: &Given<'_>,
    config: &Config,
    bundles: &[Trust],
    address: &Address<'_>,
    span: Span,
    refusals: &mut Vec<Refusal>,
) -> ClientTls {
    let written = config.etcd.tls.as_ref();
    let certificate = written.and_then(|tls| tls.certificate.as_ref());
    let key = written.and_then(|tls| tls.key.as_ref());
    match (certificate, key) {
        (Some(certificate), None) => refusals.push(refusal(
            "etcd.tls has cert without key".to_owned(),
            certificate.span,
            "missing 'ssl_key_path' or 'ssl_key' when 'ssl_cert_path' or 'ssl_cert' is given".to_owned(),
        )),
        (None, Some(key)) => refusals.push(refusal(
            "etcd.tls has key without cert".to_owned(),
            key.span,
            "missing 'ssl_cert_path' or 'ssl_cert' when 'ssl_key_path' or 'ssl_key' is given".to_owned(),
        )),
        _ => {}
    }
    let sni = written.and_then(|tls| tls.sni.clone());
    let name = sni.unwrap_or_else(|| Located::new(address.host.to_owned(), span));
    let parent = written.map_or(config.etcd.span, |tls| tls.span);
    let verify = match written {
        Some(tls) => tls.verify.clone(),
        None => Setting::Default { value: true, parent },
    };
    ClientTls {
        credential: certificate.map(|certificate| Credential {
            certificate: given.read(certificate, &given.home),
            key: key.map(|key| given.read(key, &given.home)),
            passphrase: None,
        }),
        trust: bundles.to_vec(),
        server_name: Some(name.value.clone()),
        reference: Some(name),
        checks: PathChecks {
            // lua_ssl_verify_depth of the generated nginx.conf
            depth: Some(Setting::Default { value: 5, parent: config.ssl.span }),
            ..PathChecks::default()
        },
        unfit_credential: if given.version >= Version(3, 18, 0) {
            UnfitCredential::Refused
        } else {
            UnfitCredential::FailsHandshake
        },
        // up to 3.5 nginx's master loads the files for its own proxy to etcd
        reads_unprivileged: given.version >= Version(3, 6, 0)
            && config
                .nginx
                .user
                .as_ref()
                .is_none_or(|user| user.value.split_whitespace().next() != Some("root")),
        ..ClientTls::new(verify, Setting::Default { value: cosocket_protocols(given), parent }, parent)
    }
}

/// 3.0 to 3.5: a data plane at its control plane, through nginx's own proxy.
fn control_plane(given: &Given<'_>, plane: &ControlPlane, url: &Located<String>) -> Option<Dialer> {
    let address = address(&url.value)?;
    // cli/ops.lua makes these absolute, from APISIX's home
    let read = |path: &Located<String>| given.read(path, &given.home);
    let trust = match &plane.trusted {
        Some(path) => vec![Trust::File { file: read(path), loader: TrustLoader::Anchors }],
        None => Vec::new(),
    };
    let host = Located::new(address.host.to_owned(), url.span);
    // it verifies when it was given a CA (cli/snippet.lua)
    let verify = match &plane.trusted {
        Some(path) => Setting::Given(Located::new(true, path.span)),
        None => Setting::Default { value: false, parent: plane.span },
    };
    let tls = address.https.then(|| ClientTls {
        credential: plane.certificate.as_ref().map(|certificate| Credential {
            certificate: read(certificate),
            key: plane.key.as_ref().map(read),
            passphrase: None,
        }),
        trust,
        server_name: Some(host.value.clone()),
        reference: Some(host.clone()),
        checks: PathChecks {
            depth: Some(Setting::Default { value: 1, parent: plane.span }),
            ..PathChecks::default()
        },
        ..ClientTls::new(
            verify,
            Setting::Default { value: Protocols::modern(), parent: plane.span },
            plane.span,
        )
    });
    Some(Dialer {
        tls,
        ..Dialer::new(
            DialerPurpose::Configuration,
            Target { url: url.value.clone(), host, port: address.port, connect_to: None },
            url.span,
        )
    })
}

fn refusal(message: String, span: Span, log: String) -> Refusal {
    Refusal {
        rule: "refused-setting",
        message,
        labels: vec![Label { span, message: String::new() }],
        help: None,
        log: Some(log),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_etcd_is_taken_apart() {
        for (url, want) in [
            ("https://etcd:2379", Some((true, "etcd", 2379, ""))),
            ("http://127.0.0.1:2379", Some((false, "127.0.0.1", 2379, ""))),
            ("https://srv.example.test.:2379/", Some((true, "srv.example.test.", 2379, "/"))),
            ("https://[::1]:2379", Some((true, "::1", 2379, ""))),
            ("https://etcd", Some((true, "etcd", 443, ""))),
            ("etcd:2379", Some((true, "etcd", 2379, ""))),
            ("HTTPS://etcd:2379", Some((true, "etcd", 2379, ""))),
            ("unix:///run/etcd.sock", None),
        ] {
            let got = address(url).map(|address| (address.https, address.host, address.port, address.path));
            assert_eq!(got, want, "{url}");
        }
    }
}

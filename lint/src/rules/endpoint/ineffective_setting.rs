use crate::deployment::{Configuration, Program, Version};
use crate::dialect::apisix::Facts;
use crate::dialect::apisix::config::Ignored;
use crate::dialect::etcd::{self, EtcdConfig, IgnoredBecause};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A setting stands where this version of the program does not look for it.
    ///
    /// APISIX reads what it knows and says nothing of the rest. Settings of 2.x, and a CA where other programs have
    /// theirs, so seem to be in force and are not. etcd ignores flags and environment as soon as it has a configuration
    /// file, and keys of the file that it does not know: certificates stand there within `client-transport-security`
    /// and `peer-transport-security` only.
    ///
    /// ## Why it matters
    ///
    /// The default is in force instead: etcd at `http://127.0.0.1:2379`, trust in the operating system's bundle, an
    /// Admin API for the loopback only or with a key that is not yours.
    ///
    /// A warning, and no error: what fails for want of the setting is an error of its own.
    ///
    /// ## How to fix
    ///
    /// ```yaml
    /// apisix:
    ///   ssl:
    ///     ssl_trusted_certificate: /usr/local/apisix/conf/cert/etcd-ca.crt   # the one CA, for etcd and upstreams
    /// deployment:
    ///   admin:
    ///     admin_key: []          # since 3.0 here, and not under apisix
    ///   etcd:                    # since 3.0 here, and not at the top level
    ///     host:
    ///       - https://etcd:2379
    ///     tls:
    ///       cert: /usr/local/apisix/conf/cert/etcd-client.crt
    ///       key: /usr/local/apisix/conf/cert/etcd-client.key
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - `request etcd endpoint … error, certificate verify failed`
    /// - `all etcd nodes are unavailable`
    ///
    /// ## Reference
    ///
    /// <https://apisix.apache.org/docs/apisix/upgrade-guide-from-2.15.x-to-3.0.0/>
    "ineffective-setting", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for program in &subject.deployment.programs {
        if let Configuration::Etcd(config) = &program.configuration {
            findings.extend(of_etcd(config));
        }
        let Configuration::Apisix(facts) = &program.configuration else { continue };
        findings.extend(of_objects(program, facts));
        findings.extend(facts.objects.unread_ssls.as_ref().map(|read| {
            RULE.finding(
                format!(
                    "APISIX {} does not read this list: it reads ssl objects from {}",
                    program.versions.program, read.value
                ),
                Some(format!("write {}:", read.value)),
                vec![Label { span: read.span, message: "no object of it is served".to_owned() }],
            )
        }));
        for ignored in &facts.config.ignored {
            // where the connection fails for it, that is the sharper finding, at the same place
            if ignored.value == Ignored::EtcdCa && subject.is_predicted(program, &["missing-trust-bundle"]) {
                continue;
            }
            let (what, help) = match ignored.value {
                Ignored::TopLevelEtcd => {
                    ("etcd at the top level is a setting of 2.x", "write it as deployment.etcd")
                }
                Ignored::AdminUnderApisix => (
                    "admin_key and allow_admin under apisix are settings of 2.x",
                    "write them under deployment.admin",
                ),
                Ignored::EtcdCa => {
                    ("etcd has no CA of its own", "write the file as apisix.ssl.ssl_trusted_certificate")
                }
                Ignored::EtcdMtls => {
                    ("etcd has no mtls block", "write cert and key under deployment.etcd.tls")
                }
                Ignored::EtcdUnderApisix => ("apisix has no etcd block", "write it as deployment.etcd"),
                Ignored::SslCertificate => (
                    "ssl_cert and ssl_cert_key are not looked at",
                    "give the certificate as an ssl object with its server names",
                ),
            };
            // 2.x has no deployment block
            let help = if program.versions.program < Version(3, 0, 0) {
                help.replace("deployment.etcd", "etcd")
            } else {
                help.to_owned()
            };
            findings.push(RULE.finding(
                format!("APISIX {} ignores this: {what}", program.versions.program),
                Some(help),
                vec![Label { span: ignored.span, message: "without effect".to_owned() }],
            ));
        }
    }
}

/// Keys of `client` and `tls` that the schema of ssl objects and upstreams lets pass and nothing reads.
fn of_objects(program: &Program, facts: &Facts) -> Vec<Finding> {
    let clients = facts.objects.ssls.iter().filter_map(|ssl| ssl.client.as_ref());
    let clients = clients.flat_map(|client| {
        client.unknown.iter().map(|key| ("client", "ca, depth and skip_mtls_uri_regex", key))
    });
    // 3.18 is the last release whose keys are known
    let known = program.versions.program < Version(3, 19, 0);
    let upstreams = super::ignored_upstream_verification::upstreams(facts).filter(|_| known);
    let tls = upstreams.filter_map(|upstream| upstream.tls.as_ref()).flat_map(|tls| {
        let known = "client_cert, client_key, client_cert_id and verify";
        tls.unknown.iter().map(move |key| ("tls", known, key))
    });
    clients
        .chain(tls)
        .map(|(block, known, key)| {
            RULE.finding(
                format!("APISIX {} ignores {} within {block}", program.versions.program, key.value),
                Some(format!("{block} has {known}")),
                vec![Label { span: key.span, message: "without effect".to_owned() }],
            )
        })
        .collect()
}

fn of_etcd(config: &EtcdConfig) -> Vec<Finding> {
    let version = config.version;
    let mut findings = Vec::new();
    let mut tell = |name: &crate::source::Located<String>, why: String, help: String| {
        findings.push(RULE.finding(
            format!("etcd {version} ignores {}: {why}", name.value),
            Some(help),
            vec![Label { span: name.span, message: "without effect".to_owned() }],
        ));
    };
    for ignored in &config.ignored {
        let name = &ignored.name;
        match ignored.why {
            IgnoredBecause::ConfigurationFile => {
                let file = config.file.as_ref().map_or("the file", |file| file.value.as_str());
                let help = format!("write it in {file}, or leave the file out");
                tell(name, format!("{file} is its whole configuration"), help);
            }
            IgnoredBecause::NotInFile => tell(
                name,
                "its configuration file has no such key here".to_owned(),
                etcd::where_it_belongs(&name.value, version),
            ),
            IgnoredBecause::Unknown if name.value.ends_with("CA_FILE") => {
                let help = format!("name it {}", name.value.replace("CA_FILE", "TRUSTED_CA_FILE"));
                tell(name, "the variable was removed with 3.4".to_owned(), help);
            }
            // the start scripts of images have variables of their own
            IgnoredBecause::Unknown if name.value.starts_with("ETCD_") => {}
            IgnoredBecause::Unknown => {
                tell(name, "it knows no such key".to_owned(), "correct its name, or remove it".to_owned());
            }
        }
    }
    findings
}

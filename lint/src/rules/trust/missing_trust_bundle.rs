use std::collections::BTreeSet;

use crate::deployment::{Configuration, Connection, DialerPurpose};
use crate::dialect::apisix::config::Ignored;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::source::Span;

rule! {
    /// Verification is on, but the verifier trusts nothing that could have issued the peer's certificate.
    ///
    /// ## Why it matters
    ///
    /// Without a bundle of its own, the program falls back to the system's public CAs or to nothing; a private CA
    /// is in neither.
    ///
    /// ## How to fix
    ///
    /// Configure the CA: APISIX `apisix.ssl.ssl_trusted_certificate`, nginx `proxy_ssl_trusted_certificate`, curl
    /// `--cacert`, etcdctl `--cacert`.
    ///
    /// ## What you see in the logs
    ///
    /// - APISIX, of etcd: `request etcd endpoint … error, certificate verify failed`, `all etcd nodes are unavailable`,
    ///   `the etcd cluster needs at least 50% and above healthy nodes`
    /// - lua: `lua ssl certificate verify error: (20: unable to get local issuer certificate)`
    /// - APISIX: `… verify failed`, `20: unable to get local issuer certificate`, `18: self-signed certificate`,
    ///   `self-signed certificate in certificate chain`
    /// - curl: `unable to get local issuer certificate`
    /// - the server, as an alert: `alert unknown ca`
    ///
    /// ## Reference
    ///
    /// RFC 5280, section 6.1.1
    "missing-trust-bundle", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut found = Vec::new();
    subject.named_on(&RULE, &mut found, |connection| ignored_authority(subject, connection).is_none());
    let mut told = BTreeSet::new();
    for (connection, prediction) in subject.deployment.connections.iter().zip(subject.predictions) {
        let Some(ignored) = ignored_authority(subject, connection) else { continue };
        let Some(why) = prediction.why.first().filter(|why| why.rule == RULE.id) else { continue };
        if told.insert(ignored) {
            let here = Label { span: ignored, message: "ignored: etcd has no CA of its own".to_owned() };
            let labels = std::iter::once(here).chain(why.labels.iter().cloned()).collect();
            let help = "write the file as apisix.ssl.ssl_trusted_certificate".to_owned();
            found.push(RULE.finding(why.message.clone(), Some(help), labels));
        }
    }
    for (connection, prediction) in subject.deployment.connections.iter().zip(subject.predictions) {
        let Some((program, dialer)) = subject.dialer_of(connection) else { continue };
        let help = match (&program.configuration, dialer.purpose) {
            (Configuration::Etcd(config), DialerPurpose::Peer) => {
                let setting = config.tls_settings(true, "--", &["trusted-ca-file"]);
                format!("give etcd {setting} with the CA of the members")
            }
            (Configuration::Etcd(config), DialerPurpose::Gateway) => {
                let setting = config.tls_settings(false, "--", &["trusted-ca-file"]);
                format!("give etcd {setting} with the CA of the clients")
            }
            (Configuration::Apisix(_), DialerPurpose::Configuration) => {
                "write apisix.ssl.ssl_trusted_certificate with the CA that signed etcd's certificate"
                    .to_owned()
            }
            _ => continue,
        };
        let why = prediction.why.first().filter(|why| why.rule == RULE.id);
        let place = why.and_then(|why| why.labels.first()).map(|label| label.span);
        let same = |finding: &&mut Finding| finding.labels.first().map(|label| label.span) == place;
        for finding in found.iter_mut().filter(same) {
            finding.help.get_or_insert_with(|| help.clone());
        }
    }
    findings.append(&mut found);
}

/// Where APISIX was given a CA for etcd that it does not read.
fn ignored_authority(subject: &Subject<'_>, connection: &Connection) -> Option<Span> {
    let (program, dialer) = subject.dialer_of(connection)?;
    let Configuration::Apisix(facts) = &program.configuration else { return None };
    let mut ignored = facts.config.ignored.iter().filter(|ignored| ignored.value == Ignored::EtcdCa);
    ignored.next().filter(|_| dialer.purpose == DialerPurpose::Configuration).map(|ignored| ignored.span)
}

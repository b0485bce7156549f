use crate::finding::Finding;
use crate::rules::{Subject, rule};

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
    subject.named(&RULE, findings);
}

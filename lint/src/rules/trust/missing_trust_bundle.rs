use crate::deployment::{DialerPurpose, ProgramKind};
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
    /// - APISIX: `certificate verify failed`, `20: unable to get local issuer certificate`
    /// - curl: `unable to get local issuer certificate`
    /// - APISIX, of etcd: `all etcd nodes are unavailable`
    ///
    /// ## Reference
    ///
    /// RFC 5280, section 6.1.1
    "missing-trust-bundle", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut found = Vec::new();
    subject.named(&RULE, &mut found);
    for (connection, prediction) in subject.deployment.connections.iter().zip(subject.predictions) {
        let Some((program, dialer)) = subject.dialer_of(connection) else { continue };
        let help = match (program.kind, dialer.purpose) {
            (ProgramKind::Etcd, DialerPurpose::Peer) => {
                "give etcd --peer-trusted-ca-file with the CA of the members"
            }
            (ProgramKind::Etcd, DialerPurpose::Gateway) => {
                "give etcd --trusted-ca-file with the CA of the clients"
            }
            _ => continue,
        };
        let place = prediction.why.first().and_then(|why| why.labels.first()).map(|label| label.span);
        let same = |finding: &&mut Finding| finding.labels.first().map(|label| label.span) == place;
        for finding in found.iter_mut().filter(same) {
            finding.help.get_or_insert_with(|| help.to_owned());
        }
    }
    findings.append(&mut found);
}

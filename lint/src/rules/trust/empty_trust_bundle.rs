use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A trust bundle holds no certificate.
    ///
    /// ## Why it matters
    ///
    /// nginx, curl and Envoy refuse such a file. Go accepts it: etcd starts, trusts nobody and rejects every
    /// client.
    ///
    /// ## How to fix
    ///
    /// Put the CA's certificate (`-----BEGIN CERTIFICATE-----`) into the file. A BOM, DER, or spaces before BEGIN
    /// make Go find nothing.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `no certificate or crl found`
    /// - etcd: `x509: certificate signed by unknown authority`, for every client
    /// - Envoy: `Failed to load trusted CA certificates from …`, `file … is empty`
    /// - curl: `error setting certificate file`, `error adding trust anchors from file`
    /// - APISIX: `error loading CA locations`
    ///
    /// ## Reference
    ///
    /// RFC 7468, section 5
    "empty-trust-bundle", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

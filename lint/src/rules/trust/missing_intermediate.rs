use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// An intermediate certificate is neither sent by the peer nor in the verifier's bundle.
    ///
    /// ## Why it matters
    ///
    /// The verifier has the root and the end-entity certificate, but nothing that links them. A verifier that has
    /// cached or configured the intermediate may still work, so that the mistake shows only for some peers.
    ///
    /// ## How to fix
    ///
    /// Append the intermediate to the peer's certificate file, after the end-entity certificate: `cat leaf.crt
    /// intermediate.crt > tls.crt`.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `(21:unable to verify the first certificate)`
    /// - curl, Envoy: `unable to get local issuer certificate`
    /// - Go: `x509: certificate signed by unknown authority`
    /// - OpenSSL: `unable to verify the first certificate`
    /// - the other side, as an alert: `alert unknown ca`, Go `remote error: tls: unknown certificate authority`
    ///
    /// ## Reference
    ///
    /// RFC 8446, section 4.4.2
    "missing-intermediate", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

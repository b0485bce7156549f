use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A revocation list is missing, out of date, of another issuer or unreadable.
    ///
    /// ## Why it matters
    ///
    /// nginx and Envoy, once they have a list, refuse every certificate whose issuer has no current list in the
    /// file. etcd looks at neither dates nor issuer; since 3.6 it reads DER alone, not PEM.
    ///
    /// ## How to fix
    ///
    /// Fetch a current list of every CA on the path and renew it before nextUpdate: `cat root.crl intermediate.crl
    /// > crl.pem`. For etcd from 3.6 on: `openssl crl -in crl.pem -outform der -out crl.der`.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `(3:unable to get certificate CRL)`, `(12:CRL has expired)`, `(11:CRL is not yet valid)`
    /// - etcd: `asn1: syntax error: sequence truncated`, `x509: malformed crl`, `open …crl…: no such file or directory`,
    ///   `open …crl…: no such file`
    /// - Envoy: `certificate revocation check against provided CRLs failed: …`, `Failed to load CRL from …`
    /// - curl: `error loading CRL file`
    ///
    /// ## Reference
    ///
    /// RFC 5280, section 5.1.2.5
    "unusable-revocation-list", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

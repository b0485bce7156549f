use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A trusted CA bears the issuer's name, but another key than the one that signed.
    ///
    /// ## Why it matters
    ///
    /// The CA was made anew with the same name: what the old key signed does not verify under the new one.
    /// cert-manager makes a new key at every renewal of a CA unless `rotationPolicy: Never`.
    ///
    /// ## How to fix
    ///
    /// Renew the certificates below the new CA, or keep the old CA in the bundle until they are renewed. For a CA
    /// Certificate of cert-manager, write `privateKey: {rotationPolicy: Never}`.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `(7:certificate signature failure)`, `(21:unable to verify the first certificate)`
    /// - Go: `x509: certificate signed by unknown authority (possibly because of … while trying to verify candidate
    ///   authority certificate …)`
    /// - Go: `x509: ECDSA verification failure`, `crypto/rsa: verification error`
    /// - Envoy: `certificate verification error at depth …: certificate signature failure`
    /// - the other side, as an alert: `alert decrypt error`, Go `remote error: tls: error decrypting message`
    ///
    /// ## Reference
    ///
    /// RFC 5280, sections 4.2.1.1 and 4.4
    "issuer-with-other-key", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

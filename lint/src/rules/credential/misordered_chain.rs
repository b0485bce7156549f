use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// The certificate that the private key belongs to is not the first in its file.
    ///
    /// ## Why it matters
    ///
    /// The first certificate of the file is taken for the one of the key, whatever follows. With an intermediate or the
    /// root in front, the program finds a key that does not belong to it, and does not start.
    ///
    /// ## How to fix
    ///
    /// End-entity certificate first, then the intermediate that signed it, and so on; the root can stay away:
    ///
    /// ```console
    /// $ cat server.pem intermediate.pem > chain.pem
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `SSL_CTX_use_PrivateKey("…") failed (SSL: … key values mismatch)`
    /// - Go: `tls: private key does not match public key`
    /// - Envoy: `Failed to load certificate chain from …`, `KEY_VALUES_MISMATCH`
    /// - APISIX: `failed to set PEM priv key: SSL_use_PrivateKey() failed`
    ///
    /// ## Reference
    ///
    /// RFC 8446, section 4.4.2
    "misordered-chain", Error, check
}

const HELP: &str = "put the certificate of the key first in the file, and those that issued it after it";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut found = Vec::new();
    subject.named(&RULE, &mut found);
    for finding in &mut found {
        finding.help.get_or_insert_with(|| HELP.to_owned());
    }
    findings.append(&mut found);
}

use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A configuration names a file that is not there.
    ///
    /// ## Why it matters
    ///
    /// The program refuses to start.
    ///
    /// ## How to fix
    ///
    /// Create or mount the file, or correct the path.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `cannot load certificate "…": BIO_new_file() failed (… No such file or directory …)`,
    ///   `cannot load certificate key "…": BIO_new_file() failed (… No such file or directory …)`
    /// - nginx, of other files: `BIO_new_file("…") failed (… No such file or directory …)`
    /// - nginx, of CAs: `SSL_CTX_load_verify_locations("…") failed (… No such file or directory …)`
    /// - OpenSSL: `BIO_new_file() failed`
    /// - etcd: `open …: no such file or directory`
    /// - Envoy: `Invalid path: …`
    /// - Envoy, of a pair: `Failed to load incomplete certificate from`, `incomplete certificate`,
    ///   `Failed to load incomplete private key from path`
    /// - nginx, of a file to include: `open() "…" failed (2: No such file or directory)`
    /// - Envoy, of discovery: `paths must refer to an existing path in the system`
    /// - APISIX: `certificate path … doesn't exist`
    /// - curl: `error setting certificate file`, `error adding trust anchors from file`
    ///
    /// ## Reference
    ///
    /// The vendor's reference of the setting
    "missing-file", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

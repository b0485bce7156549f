use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A private key is encrypted, and no passphrase is configured, or another one.
    ///
    /// ## Why it matters
    ///
    /// The program cannot ask anybody at start-up. etcd has no setting for a passphrase at all. Envoy takes the whole file
    /// of a `password` for it, the line break at its end too.
    ///
    /// ## How to fix
    ///
    /// Decrypt the key where it is deployed (`openssl pkey -in tls.key -out plain.key`) and protect the file by its
    /// mode, or give nginx `ssl_password_file`, Envoy `password`, with the passphrase that the key was encrypted with
    /// (`printf %s PASSPHRASE > FILE` writes no line break).
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `PEM_read_bio_PrivateKey() failed … bad password read`,
    ///   `cannot load certificate key "…": PEM_read_bio_PrivateKey() … problems getting password`
    /// - OpenSSL: `problems getting password`
    /// - Go: `tls: failed to parse private key`
    /// - Envoy: `BAD_PASSWORD_READ`, `BAD_DECRYPT`
    /// - nginx, OpenSSL: `bad decrypt`, `maybe wrong password`
    /// - Envoy: `Failed to load private key from …`
    /// - curl: `unable to set private key file`
    /// - APISIX: `failed to set upstream: PEM_read_bio_PrivateKey() failed`,
    ///   `error loading private key (processing error)`, `failed to parse key: PEM_read_bio_PrivateKey() failed`
    /// - `PEM_read_bio_PrivateKey()`
    ///
    /// ## Reference
    ///
    /// RFC 5958, section 3
    "encrypted-key", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

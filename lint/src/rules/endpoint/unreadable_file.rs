use crate::finding::Finding;
use crate::rules::{Subject, rule};
use crate::source::Span;

rule! {
    /// A certificate, key or bundle file is there, but this program cannot read it.
    ///
    /// ## Why it matters
    ///
    /// Not PEM where PEM is needed, a damaged block, a file that only root may open: libraries differ in what they
    /// forgive, so a file that works for one program stops another.
    ///
    /// ## How to fix
    ///
    /// Write PEM with `-----BEGIN …-----` at the start of a line and nothing glued to it; convert DER with `openssl
    /// x509 -inform der`. Give the program's user the right to read it.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `PEM_read_bio_X509_AUX() failed`, `PEM_read_bio_X509() failed`, `bad base64 decode`, `no start line`
    /// - nginx, of a key: `PEM_read_bio_PrivateKey() failed … No supported data to decode`
    /// - curl: `could not load PEM client certificate from …`, `error setting certificate file`,
    ///   `error adding trust anchors from file`
    /// - Go: `tls: failed to find any PEM data`, `tls: failed to find any PEM data in … input`,
    ///   `tls: failed to find certificate PEM data in certificate input`
    /// - nginx: `cannot load certificate … BIO_new_file() failed … Permission denied`
    /// - APISIX, etcd: `Permission denied`
    /// - Envoy: `Failed to load certificate chain from …`, `Failed to load private key from …`
    /// - APISIX: `failed to parse cert`, `failed to parse key: PEM_read_bio_PrivateKey() failed`,
    ///   `failed to decrypt previous encrypted key`, `failed to set upstream: PEM_read_bio_`,
    ///   `error loading private key`, `error loading certificate`, `error loading CA locations`,
    ///   `tls set client certificate failed`
    /// - OpenSSL, of END and BEGIN on one line: `bad end line`
    /// - `PEM_read_bio_PrivateKey()`
    ///
    /// ## Reference
    ///
    /// RFC 7468
    "unreadable-file", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut found = Vec::new();
    subject.named(&RULE, &mut found);
    // a Secret's value that was encoded twice is told as that
    let twice = subject.deployment.manifests.refusals.iter();
    let twice: Vec<Span> = twice
        .filter(|refusal| refusal.rule == crate::rules::kubernetes::double_encoded_secret::RULE.id)
        .flat_map(|refusal| refusal.labels.iter().map(|label| label.span))
        .collect();
    found.retain(|finding| !finding.labels.iter().any(|label| twice.contains(&label.span)));
    findings.append(&mut found);
}

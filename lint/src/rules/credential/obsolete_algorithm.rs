use std::collections::BTreeSet;

use mtls_identity::signature::Digest;

use super::unjudged::unjudged;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::stack::openssl::{level, self_signed};
use crate::stack::{Certificate, KeyType};

rule! {
    /// A certificate has a key or a signature that many verifiers refuse, though none of them is seen here.
    ///
    /// ## Why it matters
    ///
    /// OpenSSL at security level 2, Debian's default, refuses RSA keys under 2048 bits, a peer's like its own. SHA-1 and MD5
    /// make signatures forgeable: OpenSSL from security level 1 on and Go refuse both, BoringSSL MD5. Who presents such a
    /// certificate does not notice, nor do clients that are older.
    ///
    /// Where a peer of the deployment refuses it, `weak-key` or `weak-signature` says so.
    ///
    /// ## How to fix
    ///
    /// Let the CA issue the certificate again, signed with SHA-256, for a key with RSA 2048 or ECDSA P-256: in cert-manager
    /// `privateKey: {algorithm: ECDSA, size: 256}`.
    ///
    /// ## What you see in the logs
    ///
    /// Of whoever refuses it:
    ///
    /// - OpenSSL: `EE certificate key too weak`, `CA signature digest algorithm too weak`
    /// - Go: `x509: cannot verify signature: insecure algorithm SHA1-RSA`
    ///
    /// ## Reference
    ///
    /// RFC 9155; OpenSSL, SSL_CTX_set_security_level(3)
    "obsolete-algorithm", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut told = BTreeSet::new();
    for unjudged in unjudged(subject, |chain| chain.iter().any(|certificate| obsolete(certificate).is_some()))
    {
        for certificate in unjudged.chain {
            let Some((what, who)) = obsolete(certificate) else { continue };
            if !told.insert(certificate.digest) {
                continue;
            }
            findings.push(RULE.finding(
                format!("{} has {what}, which {who}", certificate.shown),
                None,
                unjudged.labels(Label { span: certificate.span, message: what }),
            ));
        }
    }
}

/// What is obsolete about a certificate, and who refuses it.
fn obsolete(certificate: &Certificate) -> Option<(String, &'static str)> {
    if certificate.is_planned() {
        return None;
    }
    if let KeyType::Rsa(bits) = certificate.key.kind
        && bits < 2048
    {
        return Some((
            format!("the key RSA-{bits}"),
            "OpenSSL refuses of its peers at security level 2, Debian's default",
        ));
    }
    // nobody looks at the signature of a root
    let digest = certificate.algorithm.filter(|_| !self_signed(certificate))?.digest;
    let who = match digest {
        Digest::Md5 => "OpenSSL from security level 1 on, Go and BoringSSL refuse",
        Digest::Sha1 => "OpenSSL from security level 1 on and Go refuse",
        _ => return None,
    };
    Some((format!("a signature with {}", level::digest_name(certificate)), who))
}

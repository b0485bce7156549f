use std::collections::BTreeSet;

use crate::deployment::{Configuration, Program, Protocol, ServerContext};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::source::Span;
use crate::stack::KeyType;
use crate::stack::openssl::ciphers;

rule! {
    /// The list of cipher suites leaves none for the kind of key that the server has.
    ///
    /// Until TLS 1.2 a cipher suite names the kind of certificate: `ECDHE-ECDSA-…` is of no use with an RSA key, nor
    /// `ECDHE-RSA-…` with an EC key. TLS 1.3 has suites of its own, which such lists do not touch.
    ///
    /// ## Why it matters
    ///
    /// Clients that speak TLS 1.2 at most find nothing in common with this server. APISIX before 3.9 and nginx before
    /// 1.23.4 are such clients.
    ///
    /// ## How to fix
    ///
    /// List suites of the key's kind, or of both:
    ///
    /// - nginx: `ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256;`
    /// - etcd: `--cipher-suites=TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `no shared cipher`
    /// - etcd: `tls: no cipher suite supported by both client and server`
    /// - the client: `alert handshake failure`
    ///
    /// ## Reference
    ///
    /// RFC 8446, appendix B.4; <https://github.com/etcd-io/etcd/issues/8320>
    "mismatched-cipher-list", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut told = BTreeSet::new();
    for (program, listener) in subject.listeners() {
        if !program.refusals.is_empty() || subject.is_predicted(program, &["no-common-algorithm"]) {
            continue;
        }
        for context in listener.tls.iter().flat_map(|tls| &tls.contexts) {
            let versions = &context.protocols.value().versions;
            let Some((place, allowed)) = list(program, context) else { continue };
            // without TLS 1.2 the list means nothing
            if !versions.contains(&Protocol::Tls12) || told.contains(&place) {
                continue;
            }
            let chains: Vec<_> =
                context.credentials.iter().map(|credential| subject.presented(program, credential)).collect();
            let usable = |kind: KeyType| match kind {
                KeyType::Rsa(_) => allowed.rsa,
                KeyType::Ec(_) | KeyType::Ed25519 => allowed.ecdsa,
                KeyType::Other => true,
            };
            let mut first = chains.iter().map(|chain| chain.first());
            // one that is not seen may fit
            if chains.is_empty() || !first.all(|one| one.is_some_and(|one| !usable(one.key.kind))) {
                continue;
            }
            let Some(certificate) = chains.first().and_then(|chain| chain.first()) else { continue };
            let (has, lists) = match certificate.key.kind {
                KeyType::Rsa(_) => ("RSA", "ECDSA"),
                _ => ("ECDSA", "RSA"),
            };
            told.insert(place);
            findings.push(RULE.finding(
                format!(
                    "{} has the key {} and lists cipher suites for {lists} only: no client gets through with TLS 1.2",
                    program.name, certificate.key.kind
                ),
                Some(format!("list suites for {has} as well, or give the server a certificate for {lists}")),
                vec![
                    Label { span: place, message: format!("suites for {lists} only") },
                    Label {
                        span: certificate.span,
                        message: format!("this certificate's key is {}", certificate.key.kind),
                    },
                ],
            ));
        }
    }
}

/// The list in force, and for which keys it has suites.
fn list(program: &Program, context: &ServerContext) -> Option<(Span, ciphers::Authentication)> {
    if let Configuration::Etcd(config) = &program.configuration {
        let first = config.cipher_suites.first()?;
        let names = |word: &str| config.cipher_suites.iter().any(|suite| suite.value.contains(word));
        let rsa = names("ECDHE_RSA") || names("TLS_RSA_");
        let ecdsa = names("ECDHE_ECDSA");
        // a name that says neither is one of TLS 1.3, or unknown
        return (rsa || ecdsa).then_some((first.span, ciphers::Authentication { ecdsa, rsa }));
    }
    let written = context.ciphers.as_ref()?;
    let allowed = ciphers::authentication(Some(&written.value))?;
    (allowed.rsa || allowed.ecdsa).then_some((written.span, allowed))
}

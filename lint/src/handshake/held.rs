//! Certificates as they are held: what each program presents and trusts, and what lies in Secrets, whether or not a
//! connection is known that uses it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::shelf::Shelf;
use crate::deployment::{Credential, Deployment, FileRef, Lookup, Program, Trust, Version, Versions};
use crate::source::Span;
use crate::stack::certificate::{Certificate, Purpose};
use crate::stack::load::Certificates;
use crate::stack::signatures::Signed;
use crate::syntax::pem;

/// A certificate file that a program presents.
#[derive(Debug, Clone)]
pub struct Presented<'d> {
    /// Who presents it.
    pub program: &'d Program,
    /// As a server, or as a client.
    pub purpose: Purpose,
    /// The file and its key.
    pub credential: &'d Credential,
    /// What it holds, as this program loads it; never empty.
    pub chain: Certificates,
}

/// A trust bundle that a program loads.
#[derive(Debug, Clone)]
pub struct Trusted<'d> {
    /// Who loads it.
    pub program: &'d Program,
    /// The file.
    pub file: &'d FileRef,
    /// What it holds, as this program loads it.
    pub certificates: Certificates,
    /// Where a private key stands in it.
    pub key: Option<Span>,
}

/// A Secret's `tls.crt`.
#[derive(Debug, Clone)]
pub struct Stored {
    /// `Secret demo/web-tls`.
    pub title: String,
    /// The Secret's name.
    pub name: Span,
    /// What it holds; never empty.
    pub chain: Certificates,
}

/// Everything that is held.
#[derive(Debug, Clone, Default)]
pub struct Held<'d> {
    /// What programs present.
    pub presented: Vec<Presented<'d>>,
    /// What programs trust.
    pub trusted: Vec<Trusted<'d>>,
    /// What lies in Secrets.
    pub stored: Vec<Stored>,
    /// Certificate and the last moment of those that signed it, by digest; only where a signer is held.
    outlived: BTreeMap<[u8; 32], Arc<Certificate>>,
}

impl<'d> Held<'d> {
    /// Loads every file once, as its program does; what it refuses is not held.
    pub(crate) fn of(deployment: &'d Deployment, shelf: &Shelf<'_>) -> Self {
        let mut held = Self::default();
        for program in &deployment.programs {
            for context in program.listeners.iter().flat_map(|l| &l.tls).flat_map(|tls| &tls.contexts) {
                for credential in &context.credentials {
                    held.present(shelf, program, Purpose::Server, credential);
                }
                held.trust(shelf, program, &context.client_auth.trust);
            }
            for tls in program.dialers.iter().filter_map(|dialer| dialer.tls.as_ref()) {
                if let Some(credential) = &tls.credential {
                    held.present(shelf, program, Purpose::Client, credential);
                }
                held.trust(shelf, program, &tls.trust);
            }
        }
        for secret in &deployment.manifests.stored {
            let datum = secret.data.iter().find(|datum| datum.key.value == "tls.crt");
            let Some(Ok(text)) = datum.map(|datum| &datum.value) else { continue };
            let chain = shelf.lying(text);
            if !chain.is_empty() {
                let title = format!("Secret {}", secret.metadata.path());
                held.stored.push(Stored { title, name: secret.metadata.name.span, chain });
            }
        }
        held.outlived = held.find_outlived(shelf);
        held
    }

    /// The certificate that signed this one and ends before it, where none that is held ends later.
    pub fn outlived(&self, certificate: &Certificate) -> Option<&Certificate> {
        self.outlived.get(&certificate.digest).map(Arc::as_ref)
    }

    fn present(
        &mut self,
        shelf: &Shelf<'_>,
        program: &'d Program,
        purpose: Purpose,
        credential: &'d Credential,
    ) {
        let place = credential.certificate.path.span;
        let known = |other: &Presented<'_>| {
            other.credential.certificate.path.span == place
                && other.purpose == purpose
                && std::ptr::eq(other.program, program)
        };
        if self.presented.iter().rev().take(64).any(known) {
            return;
        }
        if let Ok(pair) = shelf.pair(credential, &program.versions, 0, "own")
            && !pair.chain.certificates.is_empty()
        {
            self.presented.push(Presented { program, purpose, credential, chain: pair.chain.certificates });
        }
    }

    fn trust(&mut self, shelf: &Shelf<'_>, program: &'d Program, trust: &'d [Trust]) {
        for source in trust {
            let Trust::File { file, .. } = source else { continue };
            let known = |other: &Trusted<'_>| {
                other.file.path.span == file.path.span && std::ptr::eq(other.program, program)
            };
            if self.trusted.iter().rev().take(64).any(known) {
                continue;
            }
            let key = match &file.content {
                Lookup::Found(crate::deployment::Content::Bytes(text)) => pem::blocks(text.bytes())
                    .iter()
                    .find(|block| block.label.ends_with("PRIVATE KEY"))
                    .map(|block| text.span(block.range.start..block.range.start + "-----BEGIN ".len())),
                _ => None,
            };
            let Ok(anchors) =
                shelf.anchors(std::slice::from_ref(source), &program.versions, loosest(program))
            else {
                continue;
            };
            self.trusted.push(Trusted { program, file, certificates: anchors.certificates, key });
        }
    }

    fn find_outlived(&self, shelf: &Shelf<'_>) -> BTreeMap<[u8; 32], Arc<Certificate>> {
        let chains = self.presented.iter().map(|presented| &presented.chain);
        let chains = chains.chain(self.stored.iter().map(|stored| &stored.chain));
        let anchors = self.trusted.iter().flat_map(|trusted| &trusted.certificates);
        // thousands of servers may load one file: each certificate is looked at once, beside those of its issuer's name
        let mut issuers: HashMap<&[u8], Vec<&Arc<Certificate>>> = HashMap::new();
        let mut listed = HashSet::new();
        for issuer in chains.clone().flatten().chain(anchors) {
            if issuer.is_ca() && !issuer.is_planned() && listed.insert(issuer.digest) {
                issuers.entry(&issuer.subject.canonical).or_default().push(issuer);
            }
        }
        let mut found = BTreeMap::new();
        let mut judged = HashSet::new();
        for certificate in chains.flatten().filter(|certificate| !certificate.is_planned()) {
            if !judged.insert(certificate.digest) {
                continue;
            }
            shelf.signatures.renew();
            let named = issuers.get(certificate.issuer.canonical.as_slice()).into_iter().flatten();
            let signers = named.filter(|issuer| {
                issuer.digest != certificate.digest
                    && shelf.signatures.signed(certificate, issuer) == Signed::Yes
            });
            let last = signers.max_by_key(|issuer| issuer.not_after);
            if let Some(issuer) = last.filter(|issuer| issuer.not_after < certificate.not_after) {
                found.insert(certificate.digest, Arc::clone(issuer));
            }
        }
        found
    }
}

/// The version whose loader of client CAs refuses least: what is refused is told by the prediction.
fn loosest(program: &Program) -> Version {
    let Versions { program: version, .. } = program.versions;
    version.max(Version(1, 27, 0))
}

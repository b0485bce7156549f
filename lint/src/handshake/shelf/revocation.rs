//! Revocation lists, as a program loads them.

use super::{FileUse, Found, Refused, Shelf};
use crate::deployment::{FileRef, Stack, Version, Versions};
use crate::source::Text;
use crate::stack::crl::RevocationList;
use crate::stack::load::Problem;
use crate::stack::{Mistake, boringssl, go, openssl};

/// Revocation lists as they were loaded.
#[derive(Debug, Clone, Default)]
pub struct Lists {
    /// The lists.
    pub lists: Vec<RevocationList>,
    /// What could not be seen.
    pub unseen: Vec<String>,
    /// Go: every peer is refused for this.
    pub broken: Option<Refused>,
}

impl Shelf<'_> {
    /// Loads revocation lists; Go reads them anew for every connection, so that a bad one is no refusal to start.
    ///
    /// # Errors
    /// Why the program refuses one; for Go, why it refuses the peer.
    pub fn revocation_lists(&self, files: &[FileRef], versions: &Versions) -> Result<Lists, Refused> {
        let mut lists = Lists::default();
        for file in files {
            let role = "the revocation list";
            let found = match self.found(file, FileUse::RevocationList, role, versions) {
                Ok(found) => found,
                Err(refused) => {
                    if matches!(versions.stack, Stack::Go(_)) {
                        lists.broken.get_or_insert(refused);
                        continue;
                    }
                    return Err(refused);
                }
            };
            match found {
                Found::Text(text) => match versions.stack {
                    Stack::OpenSsl { .. } => {
                        lists.lists.extend(openssl::load::revocation_lists(text).map_err(|problem| {
                            Refused::problem(file, FileUse::RevocationList, role, &problem)
                        })?)
                    }
                    Stack::BoringSsl => {
                        lists.lists.extend(boringssl::load::revocation_lists(text).map_err(|problem| {
                            Refused::problem(file, FileUse::RevocationList, role, &problem)
                        })?)
                    }
                    Stack::Go(_) => self.go_list(&mut lists, file, text, role, versions.program),
                },
                Found::Empty => {}
                Found::Planned(_) | Found::PlannedKey(_) => {}
                Found::Unseen(why) => lists.unseen.push(why),
            }
        }
        let mut moments = self.moments.borrow_mut();
        for list in &lists.lists {
            moments.insert(list.this_update);
            moments.extend(list.next_update.map(|next| next.saturating_add(1)));
        }
        Ok(lists)
    }

    /// etcd (client/pkg/transport/listener_tls.go checkCRL).
    fn go_list(&self, lists: &mut Lists, file: &FileRef, text: &Text, role: &str, etcd: Version) {
        let read = match der(text.bytes(), etcd) {
            Some(der) => RevocationList::read(&der, text.full_span())
                .ok_or(("holds no revocation list", "asn1: syntax error: sequence truncated")),
            None => Err(("is PEM, and etcd reads DER alone since 3.6", "x509: malformed crl")),
        };
        match read {
            Ok(list) => lists.lists.push(list),
            Err((message, log)) => {
                let problem = Problem::whole(Mistake::UnusableRevocationList, text, message, log);
                lists
                    .broken
                    .get_or_insert_with(|| Refused::problem(file, FileUse::RevocationList, role, &problem));
            }
        }
    }
}

/// What etcd takes for a list: up to 3.5 x509.ParseCRL, PEM or DER; since 3.6 x509.ParseRevocationList, DER alone.
fn der(bytes: &[u8], etcd: Version) -> Option<Vec<u8>> {
    let block = go::pem::blocks(bytes).into_iter().find(|block| block.label == "X509 CRL");
    match block {
        Some(_) if etcd >= Version(3, 6, 0) => None,
        Some(block) => Some(block.der),
        None => Some(bytes.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etcd_reads_a_list_as_pem_up_to_3_5() {
        let pem = include_bytes!("../../../../fixtures/pki/client-revoked.crl.pem");
        let inner = der(pem, Version(3, 5, 30)).unwrap();
        assert_eq!(inner.first(), Some(&0x30));
        assert_eq!(der(pem, Version(3, 6, 0)), None);
        assert_eq!(der(&inner, Version(3, 6, 0)), Some(inner));
    }
}

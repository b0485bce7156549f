//! Revocation lists, as a program loads them.

use super::{Found, Refused, Shelf};
use crate::deployment::{FileRef, Stack, Versions};
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
            let found = match self.found(file, role, versions) {
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
                    Stack::OpenSsl { .. } => lists.lists.extend(
                        openssl::load::revocation_lists(text)
                            .map_err(|problem| Refused::problem(file, role, &problem))?,
                    ),
                    Stack::BoringSsl => lists.lists.extend(
                        boringssl::load::revocation_lists(text)
                            .map_err(|problem| Refused::problem(file, role, &problem))?,
                    ),
                    Stack::Go(_) => self.go_list(&mut lists, file, text, role),
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

    /// etcd: x509.ParseCRL, PEM or DER (client/pkg/transport/listener_tls.go checkCRL).
    fn go_list(&self, lists: &mut Lists, file: &FileRef, text: &Text, role: &str) {
        let der = go::pem::blocks(text.bytes())
            .into_iter()
            .find(|block| block.label == "X509 CRL")
            .map_or_else(|| text.bytes().to_vec(), |block| block.der);
        match RevocationList::read(&der, text.full_span()) {
            Some(list) => lists.lists.push(list),
            None => {
                let problem = Problem::whole(
                    Mistake::UnusableRevocationList,
                    text,
                    "holds no revocation list",
                    "asn1: syntax error: sequence truncated",
                );
                lists.broken.get_or_insert_with(|| Refused::problem(file, role, &problem));
            }
        }
    }
}

//! Planned certificates, as the stacks will see them.

use std::sync::Arc;

use super::{Reader, Shelf};
use crate::deployment::{PlannedId, PlannedIssuer};
use crate::stack::certificate::{Certificate, Signer};

/// Issuers of planned certificates that are followed before it is called a loop.
const MOST_ISSUERS: usize = 16;

impl Shelf<'_> {
    /// A planned certificate as the stacks see it.
    pub fn planned(&self, id: PlannedId) -> Option<Arc<Certificate>> {
        self.planned_within(id, 0)
    }

    fn planned_within(&self, id: PlannedId, depth: usize) -> Option<Arc<Certificate>> {
        if let Some(known) = self.planned.borrow().get(&id) {
            return Some(Arc::clone(known));
        }
        let planned = self.deployment.planned.get(id)?;
        let mut real_issuer = None;
        let (issuer, signer) = match &planned.issuer {
            PlannedIssuer::SelfSigned => (None, Signer::Planned(id)),
            PlannedIssuer::Planned(by) if depth < MOST_ISSUERS && *by != id => {
                (self.planned_within(*by, depth + 1), Signer::Planned(*by))
            }
            PlannedIssuer::Planned(by) => (None, Signer::Planned(*by)),
            PlannedIssuer::Certificate(file) => match self.read(Reader::OpensslChain, file) {
                Ok(Ok(loaded)) if !loaded.certificates.is_empty() => {
                    real_issuer = loaded.certificates.first().map(Arc::clone);
                    let key = real_issuer.as_ref().map_or([0; 32], |issuer| issuer.key.digest);
                    (None, Signer::Key(key))
                }
                _ => (None, Signer::Unknown(format!("the issuer of {} is not seen", planned.name))),
            },
            PlannedIssuer::Public => (None, Signer::Public),
            PlannedIssuer::Unknown { why, .. } => (None, Signer::Unknown(why.clone())),
            PlannedIssuer::Nobody(_) => {
                (None, Signer::Unknown(format!("{} will not be issued", planned.name)))
            }
        };
        let issuer = issuer.or(real_issuer);
        let certificate = Arc::new(Certificate::planned(id, planned, issuer.as_deref(), signer));
        self.planned.borrow_mut().insert(id, Arc::clone(&certificate));
        Some(certificate)
    }
}

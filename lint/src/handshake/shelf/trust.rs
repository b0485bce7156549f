//! Trust bundles, as a program loads them.

use super::{FileUse, Found, Reader, Refused, Shelf};
use crate::deployment::{Trust, TrustLoader, Version, Versions};
use crate::finding::Label;
use crate::stack::load::Problem;
use crate::stack::{Anchors, Mistake, openssl};

impl Shelf<'_> {
    /// Loads trust bundles in their order.
    ///
    /// # Errors
    /// Why the program refuses one.
    pub fn anchors(
        &self,
        trust: &[Trust],
        versions: &Versions,
        program: Version,
    ) -> Result<Anchors, Refused> {
        let mut anchors = Anchors::default();
        for source in trust {
            let (file, loader) = match source {
                Trust::System(_) => {
                    anchors.system = true;
                    continue;
                }
                Trust::File { file, loader } => (file, *loader),
            };
            let role = "the trust bundle";
            let reader = match loader {
                TrustLoader::ClientCaList | TrustLoader::Anchors => Reader::OpensslAnchors,
                TrustLoader::ApisixClientCa => Reader::ApisixClientCa,
                TrustLoader::Go => Reader::GoAnchors,
                TrustLoader::Envoy => Reader::EnvoyAnchors,
            };
            let refuse = |problem: &Problem| Refused::problem(file, FileUse::Trust, role, problem);
            let loaded = match self.found(file, FileUse::Trust, role, versions)? {
                Found::Text(text) => {
                    // 1.27 and later build the list from what they read themselves
                    if loader == TrustLoader::ClientCaList && program < Version(1, 27, 0) {
                        openssl::load::client_ca_list(text).map_err(|problem| {
                            match self.parse(reader, text) {
                                Err(first) => refuse(&first),
                                Ok(_) => Refused::problem(file, FileUse::ClientCaList, role, &problem),
                            }
                        })?;
                    }
                    self.parse(reader, text).map_err(|problem| refuse(&problem))?.certificates
                }
                Found::Planned(ids) => ids.iter().filter_map(|id| self.planned(*id)).collect(),
                Found::Empty | Found::PlannedKey(_) if loader == TrustLoader::Go => Vec::new(),
                Found::Empty | Found::PlannedKey(_) => {
                    return Err(Refused {
                        rule: Mistake::EmptyTrustBundle.rule(),
                        message: format!("the trust bundle {} holds no certificate", file.path.value),
                        words: openssl::load::NOTHING_FOUND.to_owned(),
                        labels: vec![Label { span: file.path.span, message: "loaded from here".to_owned() }],
                        file: Some((FileUse::Trust, file.path.value.clone())),
                    });
                }
                Found::Unseen(why) => {
                    anchors.unseen.push(why);
                    continue;
                }
            };
            for certificate in loaded {
                if !anchors.certificates.iter().any(|known| known.digest == certificate.digest) {
                    anchors.certificates.push(certificate);
                }
            }
        }
        Ok(anchors)
    }
}

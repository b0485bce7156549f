//! Certificate.Verify: every path to a trusted certificate is tried, and one good one is enough.

use std::sync::Arc;

use mtls_identity::signature::Digest;
use mtls_identity::sorted;

use super::super::certificate::{ANY_USAGE, Certificate, GeneralName, KeyUsage, Origin, Signer};
use super::super::openssl;
use super::super::signatures::{Knowledge, Signed};
use super::super::{Fault, KeyType, Mistake, Question, say};
use super::names::constraint_violation;
use crate::deployment::Version;

/// Signature checks before Go gives up (maxChainSignatureChecks).
const SIGNATURE_CHECKS: usize = 100;

/// Builds paths and checks them.
///
/// # Errors
/// The fault that Go reports, in its words.
pub fn validate(question: &Question<'_>, knowledge: &Knowledge<'_>) -> Result<Vec<Arc<Certificate>>, Fault> {
    let Some(end_entity) = question.presented.first() else {
        return Ok(Vec::new());
    };
    let mut search = Search { question, knowledge, checks: 0, paths: Vec::new() };
    search.fits(end_entity, Role::EndEntity, &[])?;
    if question.anchors.certificates.iter().any(|anchor| anchor.digest == end_entity.digest) {
        search.paths.push(vec![Arc::clone(end_entity)]);
    } else {
        search.extend(&[Arc::clone(end_entity)])?;
    }
    let good = search.paths.iter().find(|path| usable(path, question.purpose.oid()));
    match good {
        Some(path) => Ok(path.clone()),
        None => {
            let path = search.paths.first().cloned().unwrap_or_default();
            let blamed = path
                .iter()
                .enumerate()
                .find(|(_, certificate)| !allows(certificate, question.purpose.oid()))
                .map(|(depth, certificate)| (depth, Arc::clone(certificate)))
                .unwrap_or((0, Arc::clone(end_entity)));
            Err(Fault {
                mistake: Mistake::missing_usage(blamed.0, question.purpose),
                number: None,
                text: "x509: certificate specifies an incompatible key usage".to_owned(),
                depth: blamed.0,
                message: say::lacks_usage(blamed.0, &blamed.1, question.purpose),
                certificate: Some(blamed.1),
            })
        }
    }
}

/// What Go's parser refuses although other stacks read it; None: it parses.
pub fn parse_error(certificate: &Certificate) -> Option<String> {
    if certificate.is_planned() {
        return None;
    }
    if certificate.duplicate_extension.is_some() {
        return Some("x509: certificate contains duplicate extensions".to_owned());
    }
    if let Some(wrong) = certificate.subject.malformed.as_ref().or(certificate.issuer.malformed.as_ref()) {
        return Some(format!("x509: invalid RDNSequence: invalid attribute value: {wrong}"));
    }
    if let Some(wrong) = &certificate.malformed_names {
        return Some(wrong.clone());
    }
    if let Some(oid) = certificate.malformed_extensions.first() {
        return Some(format!("x509: malformed extension {oid}"));
    }
    if certificate.key.kind == KeyType::Ec(0) {
        return Some("x509: unsupported elliptic curve".to_owned());
    }
    None
}

#[derive(Clone, Copy, PartialEq)]
enum Role {
    EndEntity,
    Intermediate,
    Root,
}

struct Search<'a> {
    question: &'a Question<'a>,
    knowledge: &'a Knowledge<'a>,
    checks: usize,
    paths: Vec<Vec<Arc<Certificate>>>,
}

impl Search<'_> {
    /// buildChains: candidates by name, those whose key identifier fits first.
    fn extend(&mut self, path: &[Arc<Certificate>]) -> Result<(), Fault> {
        let Some(current) = path.last() else { return Ok(()) };
        let depth = path.len() - 1;
        let mut hint: Option<Fault> = None;
        let mut last: Option<Fault> = None;
        let before = self.paths.len();
        let question = self.question;
        let roots = parents(current, question.anchors.certificates.iter());
        let intermediates = parents(current, question.presented.iter().skip(1));
        let candidates = roots
            .into_iter()
            .map(|parent| (Role::Root, parent))
            .chain(intermediates.into_iter().map(|parent| (Role::Intermediate, parent)));
        for (role, candidate) in candidates {
            if path.iter().any(|known| same_entity(known, &candidate)) {
                continue;
            }
            self.checks += 1;
            if self.checks > SIGNATURE_CHECKS {
                last = Some(fault(
                    Mistake::UnknownIssuer,
                    "x509: signature check attempts limit reached while verifying certificate chain",
                    depth,
                    current,
                    format!("{} leads to more possible issuers than Go tries", say::which(depth, current)),
                ));
                break;
            }
            if let Err(wrong) = self.signed_from(current, &candidate, depth) {
                hint.get_or_insert(wrong);
                continue;
            }
            if let Err(wrong) = self.fits(&candidate, role, path) {
                last = Some(wrong);
                continue;
            }
            let mut longer = path.to_vec();
            longer.push(Arc::clone(&candidate));
            match role {
                Role::Root => self.paths.push(longer),
                Role::Intermediate | Role::EndEntity => {
                    // Go assigns the inner error, also when it is none
                    last = self.extend(&longer).err();
                }
            }
        }
        if self.paths.len() > before {
            return Ok(());
        }
        if let Some(last) = last {
            return Err(last);
        }
        self.no_issuer(current, depth, hint).map(|()| self.paths.push(path.to_vec()))
    }

    fn no_issuer(&self, current: &Arc<Certificate>, depth: usize, hint: Option<Fault>) -> Result<(), Fault> {
        let anchors = self.question.anchors;
        if let Some(why) = anchors.unseen.first()
            && self.knowledge.hope(why.clone())
        {
            return Ok(());
        }
        if let Origin::Planned { signer: Signer::Unknown(why), .. } = &current.origin
            && self.knowledge.hope(why.clone())
        {
            return Ok(());
        }
        if anchors.system && openssl::is_public(current) {
            let why =
                format!("whether {} leads to a public CA that the system trusts is not seen", current.shown);
            if self.knowledge.hope(why) {
                return Ok(());
            }
        }
        let unknown = "x509: certificate signed by unknown authority";
        Err(match hint {
            Some(hint) => {
                let name = hint.certificate.as_ref().map_or("", |certificate| certificate.shown.as_str());
                let name = name.rsplit_once("CN=").map_or(name, |(_, name)| name);
                Fault {
                    text: format!(
                        "{unknown} (possibly because of \"{}\" while trying to verify candidate authority certificate \"{name}\")",
                        hint.text
                    ),
                    ..hint
                }
            }
            None => fault(
                if depth == 0 && openssl::self_signed(current) {
                    Mistake::UntrustedSelfSigned
                } else {
                    Mistake::UnknownIssuer
                },
                unknown,
                depth,
                current,
                self.unknown_issuer(depth, current),
            ),
        })
    }

    fn unknown_issuer(&self, depth: usize, current: &Certificate) -> String {
        let mut message = say::unknown_issuer(depth, current, self.question.anchors);
        let anchors = &self.question.anchors.certificates;
        if anchors.iter().any(|anchor| anchor.subject.canonical == current.issuer.canonical) {
            message.push_str("; the names differ in case, spaces or encoding, which Go does not forgive");
        }
        message
    }

    /// Certificate.isValid.
    fn fits(
        &self,
        certificate: &Arc<Certificate>,
        role: Role,
        path: &[Arc<Certificate>],
    ) -> Result<(), Fault> {
        let depth = path.len();
        let at = self.question.at;
        if let Some(what) = unhandled_critical(certificate) {
            return Err(fault(
                Mistake::UnknownCriticalExtension,
                "x509: unhandled critical extension",
                depth,
                certificate,
                format!("{} has {what}, which Go does not handle", say::which(depth, certificate)),
            ));
        }
        let dates = |mistake, message| {
            let text = format!(
                "x509: certificate has expired or is not yet valid: current time {} is {} {}",
                crate::time::format(at),
                if certificate.not_before > at { "before" } else { "after" },
                crate::time::format(if certificate.not_before > at {
                    certificate.not_before
                } else {
                    certificate.not_after
                })
            );
            fault(mistake, &text, depth, certificate, message)
        };
        if certificate.not_before > at {
            return Err(dates(Mistake::NotYetValidCertificate, say::not_yet_valid(depth, certificate, at)));
        }
        if certificate.not_after < at {
            return Err(dates(Mistake::ExpiredCertificate, say::expired(depth, certificate, at)));
        }
        if role == Role::EndEntity {
            return self.path_length(certificate, path);
        }
        if let Some(constraints) = &certificate.name_constraints {
            for (below, subject) in path.iter().enumerate() {
                if let Some(what) = constraint_violation(subject, constraints) {
                    return Err(fault(
                        Mistake::NameConstraintViolated,
                        &format!(
                            "x509: a root or intermediate certificate is not authorized to sign for this name: {what}"
                        ),
                        below,
                        subject,
                        format!(
                            "{} bears a name that {} may not sign for: {what}",
                            say::which(below, subject),
                            certificate.shown
                        ),
                    ));
                }
            }
        }
        if role == Role::Intermediate && !certificate.is_ca() {
            return Err(fault(
                Mistake::IssuerNotCa,
                "x509: certificate is not authorized to sign other certificates",
                depth,
                certificate,
                format!("{} is no CA by its basicConstraints", say::which(depth, certificate)),
            ));
        }
        self.path_length(certificate, path)
    }

    fn path_length(&self, certificate: &Arc<Certificate>, path: &[Arc<Certificate>]) -> Result<(), Fault> {
        let depth = path.len();
        let limit = certificate.basic_constraints.and_then(|constraints| constraints.path_length);
        let intermediates = depth.saturating_sub(1);
        match limit {
            // a zero path length without cA is no constraint (parseBasicConstraintsExtension keeps it, IsCA false)
            Some(limit) if depth > 0 && intermediates > limit as usize => Err(fault(
                Mistake::PathLengthExceeded,
                "x509: too many intermediates for path length constraint",
                depth,
                certificate,
                say::path_too_long(
                    depth,
                    certificate,
                    limit,
                    u64::try_from(intermediates).unwrap_or(u64::MAX),
                ),
            )),
            _ => Ok(()),
        }
    }

    /// CheckSignatureFrom.
    fn signed_from(
        &self,
        child: &Arc<Certificate>,
        parent: &Arc<Certificate>,
        depth: usize,
    ) -> Result<(), Fault> {
        let not_ca = match parent.basic_constraints {
            Some(constraints) => !constraints.ca,
            None => parent.version == 3,
        };
        if not_ca || !parent.may(KeyUsage::KEY_CERT_SIGN) && parent.key_usage != Some(0) {
            let (mistake, what) = if not_ca {
                (Mistake::IssuerNotCa, "is no CA by its basicConstraints")
            } else {
                (Mistake::UnsuitableKeyUsage, "has a key usage without keyCertSign")
            };
            return Err(fault(
                mistake,
                "x509: invalid signature: parent certificate cannot sign this kind of certificate",
                depth + 1,
                parent,
                format!("{} {what}", say::which(depth + 1, parent)),
            ));
        }
        if let Some(algorithm) = child.algorithm {
            let name = match algorithm.digest {
                Digest::Md5 => Some("MD5"),
                Digest::Sha1 => Some("SHA1"),
                _ => None,
            };
            if let Some(name) = name {
                let family =
                    if algorithm.key == mtls_identity::signature::KeyKind::Rsa { "RSA" } else { "ECDSA" };
                let shown = if family == "RSA" { format!("{name}-RSA") } else { format!("ECDSA-{name}") };
                return Err(Fault {
                    certificate: Some(Arc::clone(parent)),
                    ..fault(
                        Mistake::WeakSignature,
                        &format!("x509: cannot verify signature: insecure algorithm {shown}"),
                        depth,
                        child,
                        format!(
                            "{} is signed with {shown}, which Go no longer verifies",
                            say::which(depth, child)
                        ),
                    )
                });
            }
        }
        match self.knowledge.signed(child, parent) {
            Signed::Yes | Signed::Unknown(_) => Ok(()),
            Signed::No | Signed::Unsupported(_) => {
                let text = match parent.key.kind {
                    KeyType::Rsa(_) => "crypto/rsa: verification error",
                    KeyType::Ed25519 => "x509: Ed25519 verification failure",
                    _ => "x509: ECDSA verification failure",
                };
                Err(Fault {
                    certificate: Some(Arc::clone(parent)),
                    ..fault(
                        Mistake::IssuerWithOtherKey,
                        text,
                        depth,
                        child,
                        format!(
                            "the signature of {} does not verify with the key of {}, although that is its issuer's name",
                            say::which(depth, child),
                            parent.shown
                        ),
                    )
                })
            }
        }
    }
}

/// findPotentialParents: by the bytes of the name; key identifiers only sort.
fn parents<'c>(
    child: &Certificate,
    pool: impl Iterator<Item = &'c Arc<Certificate>>,
) -> Vec<Arc<Certificate>> {
    let wanted = child.authority_key_id.as_ref().and_then(|id| id.key_id.as_ref());
    let mut found: Vec<(u8, Arc<Certificate>)> = pool
        .filter(|parent| parent.subject.raw == child.issuer.raw)
        .map(|parent| {
            let rank = match (wanted, &parent.subject_key_id) {
                (Some(wanted), Some(has)) if wanted == has => 0,
                (Some(_), Some(_)) => 2,
                (None, None) => 0,
                _ => 1,
            };
            (rank, Arc::clone(parent))
        })
        .collect();
    sorted::sort_by_key(&mut found, |(rank, _)| *rank);
    let mut parents: Vec<Arc<Certificate>> = Vec::new();
    for (_, parent) in found {
        if !parents.iter().any(|known| known.digest == parent.digest) {
            parents.push(parent);
        }
    }
    parents
}

/// alreadyInChain: same subject, key and alternative names.
fn same_entity(a: &Certificate, b: &Certificate) -> bool {
    a.subject.raw == b.subject.raw
        && a.key.digest == b.key.digest
        && a.alternative_names == b.alternative_names
}

/// Critical extensions that Go leaves unhandled: unknown ones, and name constraints of kinds it does not know.
fn unhandled_critical(certificate: &Certificate) -> Option<String> {
    if let Some(oid) = certificate.unknown_critical.first() {
        return Some(format!("the critical extension {oid}"));
    }
    if let Some(constraints) =
        certificate.name_constraints.as_ref().filter(|constraints| constraints.critical)
    {
        let unknown = |name: &GeneralName| matches!(name, GeneralName::Directory(_) | GeneralName::Other(_));
        if constraints.permitted.iter().chain(&constraints.excluded).any(unknown) {
            return Some("critical name constraints on directory names".to_owned());
        }
    }
    // a critical subjectAltName without any name that Go knows stays unhandled; it is taken here as known, since a
    // certificate's own subjectAltName is critical only with an empty subject
    None
}

fn usable(path: &[Arc<Certificate>], usage: &str) -> bool {
    path.iter().all(|certificate| allows(certificate, usage))
}

fn allows(certificate: &Certificate, usage: &str) -> bool {
    certificate
        .extended_key_usage
        .as_ref()
        .is_none_or(|usages| usages.is_empty() || usages.iter().any(|oid| oid == usage || oid == ANY_USAGE))
}

fn fault(
    mistake: Mistake,
    text: &str,
    depth: usize,
    certificate: &Arc<Certificate>,
    message: String,
) -> Fault {
    Fault {
        mistake,
        number: None,
        text: text.to_owned(),
        depth,
        message,
        certificate: Some(Arc::clone(certificate)),
    }
}

/// Before this version, the message of a failed verification at a client lacks `tls: failed to verify certificate: `
/// (observed: not in 1.19, in 1.24; documented with 1.20).
pub const WRAPS_VERIFICATION_ERRORS: Version = Version(1, 20, 0);

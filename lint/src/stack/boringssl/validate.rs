//! X509_verify_cert of BoringSSL: the first fault ends it.

use std::sync::Arc;

use mtls_identity::signature::Digest;

use super::super::certificate::{ANY_USAGE, Certificate, KeyUsage, Origin, Purpose, Signer};
use super::super::crl;
use super::super::openssl::{self, error_text};
use super::super::signatures::{Knowledge, Signed};
use super::super::{Fault, Mistake, Question, say};

/// How Envoy set BoringSSL up.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings {
    /// `max_verify_depth` of a downstream context; an upstream context's has no effect (observed).
    pub depth: Option<u32>,
    /// `allow_expired_certificate`: dates of any certificate of the path are let pass.
    pub allow_expired: bool,
    /// `only_verify_leaf_cert_crl`.
    pub only_end_entity_crl: bool,
}

/// Builds and checks a path.
///
/// # Errors
/// The first fault.
pub fn validate(
    question: &Question<'_>,
    settings: &Settings,
    knowledge: &Knowledge<'_>,
) -> Result<Vec<Arc<Certificate>>, Fault> {
    let Some(end_entity) = question.presented.first() else { return Ok(Vec::new()) };
    let mut check = Check { question, settings, knowledge, path: vec![Arc::clone(end_entity)], untrusted: 1 };
    check.build()?;
    check.extensions()?;
    if let Some(lists) = question.crls.filter(|lists| !lists.is_empty()) {
        let faults = crl::check(&check.path, lists, settings.only_end_entity_crl, question.at);
        if let Some(first) = faults.into_iter().next() {
            return Err(first);
        }
    }
    check.signatures_and_dates()?;
    match openssl::name_constraints(&check.path).into_iter().next() {
        Some(fault) => Err(fault),
        None => Ok(check.path),
    }
}

struct Check<'a> {
    question: &'a Question<'a>,
    settings: &'a Settings,
    knowledge: &'a Knowledge<'a>,
    path: Vec<Arc<Certificate>>,
    untrusted: usize,
}

impl Check<'_> {
    fn fault(&self, mistake: Mistake, number: u32, depth: usize, message: String) -> Fault {
        Fault {
            mistake,
            number: Some(number),
            text: match number {
                // crypto/x509/x509_txt.cc has its own words for it
                26 => "unsupported certificate purpose".to_owned(),
                18 => "self signed certificate".to_owned(),
                19 => "self signed certificate in certificate chain".to_owned(),
                number => error_text(number).to_owned(),
            },
            depth,
            message,
            certificate: self.path.get(depth).map(Arc::clone),
        }
    }

    fn build(&mut self) -> Result<(), Fault> {
        let bundle = &self.question.anchors.certificates;
        let mut offered: Vec<&Arc<Certificate>> = self.question.presented.iter().skip(1).collect();
        while let Some(current) = self.path.last() {
            if self_signed(current) || find(bundle.iter(), current).is_some() {
                break;
            }
            let Some(issuer) = find(offered.iter().copied(), current) else { break };
            offered.retain(|certificate| !Arc::ptr_eq(certificate, &issuer));
            self.path.push(issuer);
            self.untrusted += 1;
        }
        // Observed: with n intermediates sent, n + 1 must be allowed; none needs nothing
        let sent = self.untrusted - 1;
        if let Some(limit) = self.settings.depth.filter(|limit| sent > 0 && sent + 1 > *limit as usize) {
            let depth = (limit as usize).clamp(1, sent);
            let message = format!(
                "max_verify_depth {limit} allows {} intermediates, and {sent} are sent",
                limit.saturating_sub(1)
            );
            return Err(self.fault(Mistake::VerifyDepthExceeded, 20, depth, message));
        }
        let last_self_signed = self.path.last().is_some_and(|last| self_signed(last));
        let mut lone_root = None;
        if last_self_signed && self.path.len() == 1 {
            let twin = self.path.first().and_then(|current| {
                find(bundle.iter(), current).filter(|twin| twin.digest == current.digest)
            });
            match twin {
                Some(twin) => {
                    self.path = vec![twin];
                    self.untrusted = 0;
                }
                None => return self.no_anchor(None),
            }
        } else if last_self_signed {
            lone_root = self.path.pop();
            self.untrusted -= 1;
        }
        // paths of planned and hostile bundles alike end: an issuer is taken once
        while self.path.len() < 100
            && let Some(current) = self.path.last()
            && !self_signed(current)
        {
            let known =
                |issuer: &Arc<Certificate>| self.path.iter().any(|other| other.digest == issuer.digest);
            let Some(issuer) = find(bundle.iter(), current).filter(|issuer| !known(issuer)) else { break };
            self.path.push(issuer);
        }
        if self.untrusted < self.path.len() {
            return Ok(());
        }
        let twin =
            self.path.first().and_then(|leaf| bundle.iter().find(|anchor| anchor.digest == leaf.digest));
        if twin.is_some() {
            self.untrusted = 0;
            return Ok(());
        }
        self.no_anchor(lone_root)
    }

    fn no_anchor(&mut self, root: Option<Arc<Certificate>>) -> Result<(), Fault> {
        let anchors = self.question.anchors;
        let Some(last) = self.path.last().map(Arc::clone) else { return Ok(()) };
        let unseen = match &last.origin {
            Origin::Planned { signer: Signer::Unknown(why), .. } => Some(why.clone()),
            _ => anchors.unseen.first().cloned(),
        };
        if unseen.is_some_and(|why| self.knowledge.hope(why)) {
            return Ok(());
        }
        if anchors.system && openssl::is_public(&last) {
            let why =
                format!("whether {} leads to a public CA that the system trusts is not seen", last.shown);
            if self.knowledge.hope(why) {
                return Ok(());
            }
        }
        let depth = self.path.len() - 1;
        if depth == 0 && self_signed(&last) {
            let message = format!(
                "{} signed itself, and the verifier trusts {}",
                say::which(0, &last),
                say::trusted(anchors)
            );
            return Err(self.fault(Mistake::UntrustedSelfSigned, 18, 0, message));
        }
        if let Some(root) = root {
            let depth = self.path.len();
            let message = format!(
                "{} is sent, and the verifier trusts {}",
                say::which(depth, &root),
                say::trusted(anchors)
            );
            self.path.push(root);
            return Err(self.fault(Mistake::UnknownIssuer, 19, depth, message));
        }
        let mistake = if openssl::self_signed(&last) {
            Mistake::UntrustedSelfSigned
        } else {
            openssl::unknown_issuer_kind(&last, self.question)
        };
        Err(self.fault(mistake, 20, depth, say::unknown_issuer(depth, &last, anchors)))
    }

    /// check_chain_extensions: certificates from the bundle are not looked at.
    fn extensions(&self) -> Result<(), Fault> {
        let purpose = self.question.purpose;
        let mut below: u32 = 0;
        for (depth, certificate) in self.path.iter().enumerate().take(self.untrusted) {
            let which = say::which(depth, certificate);
            if let Some(oid) = certificate.unknown_critical.first() {
                let message =
                    format!("{which} has the critical extension {oid}, which BoringSSL does not know");
                return Err(self.fault(Mistake::UnknownCriticalExtension, 34, depth, message));
            }
            if depth > 0 && !may_issue(certificate) {
                let message = format!("{which} is no CA by its basicConstraints and key usage");
                return Err(self.fault(Mistake::IssuerNotCa, 79, depth, message));
            }
            self.purpose(depth, certificate, purpose)?;
            if depth > 1
                && !certificate.is_self_issued()
                && let Some(limit) =
                    certificate.basic_constraints.and_then(|constraints| constraints.path_length)
                && below > limit + 1
            {
                let message = say::path_too_long(depth, certificate, limit, below - 1);
                return Err(self.fault(Mistake::PathLengthExceeded, 25, depth, message));
            }
            below += u32::from(!certificate.is_self_issued());
        }
        Ok(())
    }

    fn purpose(&self, depth: usize, certificate: &Certificate, purpose: Purpose) -> Result<(), Fault> {
        if let Some(usages) = &certificate.extended_key_usage
            && !usages.iter().any(|oid| oid == purpose.oid())
        {
            let mut message = say::lacks_usage(depth, certificate, purpose);
            if usages.iter().any(|oid| oid == ANY_USAGE) {
                message.push_str("; BoringSSL does not take anyExtendedKeyUsage for it");
            }
            return Err(self.fault(Mistake::missing_usage(depth, purpose), 26, depth, message));
        }
        if depth > 0 {
            return Ok(());
        }
        let usages = match purpose {
            Purpose::Client => KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_AGREEMENT,
            Purpose::Server => {
                KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_ENCIPHERMENT | KeyUsage::KEY_AGREEMENT
            }
        };
        if certificate.may(usages) {
            return Ok(());
        }
        let message = format!(
            "{} has the key usage {}, but digitalSignature is needed",
            say::which(depth, certificate),
            KeyUsage::names(certificate.key_usage.unwrap_or(0))
        );
        Err(self.fault(Mistake::UnsuitableKeyUsage, 26, depth, message))
    }

    /// internal_verify, from the top down.
    fn signatures_and_dates(&self) -> Result<(), Fault> {
        for depth in (0..self.path.len()).rev() {
            let Some(certificate) = self.path.get(depth) else { continue };
            if let Some(issuer) = self.path.get(depth + 1) {
                self.signature(depth, certificate, issuer)?;
            }
            if self.settings.allow_expired {
                continue;
            }
            let at = self.question.at;
            if certificate.not_before > at {
                let message = say::not_yet_valid(depth, certificate, at);
                return Err(self.fault(Mistake::NotYetValidCertificate, 9, depth, message));
            }
            if certificate.not_after < at {
                return Err(self.fault(
                    Mistake::ExpiredCertificate,
                    10,
                    depth,
                    say::expired(depth, certificate, at),
                ));
            }
        }
        Ok(())
    }

    fn signature(&self, depth: usize, certificate: &Certificate, issuer: &Certificate) -> Result<(), Fault> {
        if certificate.algorithm.is_some_and(|algorithm| algorithm.digest == Digest::Md5) {
            let message = format!(
                "{} is signed with MD5, which BoringSSL does not verify",
                say::which(depth, certificate)
            );
            return Err(self.fault(Mistake::WeakSignature, 7, depth, message));
        }
        match self.knowledge.signed(certificate, issuer) {
            Signed::Yes | Signed::Unknown(_) => Ok(()),
            Signed::No | Signed::Unsupported(_) => {
                let message = format!(
                    "the signature of {} does not verify with the key of {}, although that is its issuer's name",
                    say::which(depth, certificate),
                    issuer.shown
                );
                Err(self.fault(Mistake::IssuerWithOtherKey, 7, depth, message))
            }
        }
    }
}

/// The first issuer that fits, whatever its dates.
fn find<'c>(
    pool: impl Iterator<Item = &'c Arc<Certificate>>,
    subject: &Certificate,
) -> Option<Arc<Certificate>> {
    let mut pool = pool;
    pool.find(|issuer| check_issued(issuer, subject)).map(Arc::clone)
}

/// X509_check_issued: as OpenSSL's, and the issuer's key usage must allow it.
fn check_issued(issuer: &Certificate, subject: &Certificate) -> bool {
    openssl::likely_issued(issuer, subject) && issuer.may(KeyUsage::KEY_CERT_SIGN)
}

/// EXFLAG_SS: as OpenSSL's, unless the key usage forbids signing certificates.
fn self_signed(certificate: &Certificate) -> bool {
    openssl::self_signed(certificate) && certificate.may(KeyUsage::KEY_CERT_SIGN)
}

/// check_ca: basicConstraints say so; version 1 only if self-signed.
fn may_issue(certificate: &Certificate) -> bool {
    certificate.may(KeyUsage::KEY_CERT_SIGN)
        && (certificate.is_ca() || (certificate.version == 1 && self_signed(certificate)))
}

//! X509_verify_cert: builds a path and checks it, noting every fault in the library's order.
//!
//! Who stops at the first fault (curl, a default verify callback) takes the first; nginx's callback lets every
//! check run and reports the last one (src/event/ngx_event_openssl.c, ngx_ssl_verify_callback).

use std::sync::Arc;

use super::super::certificate::{ANY_USAGE, Certificate, KeyType, KeyUsage, Purpose, TrustSettings};
use super::super::crl;
use super::super::signatures::{Knowledge, Signed};
use super::super::{Fault, Mistake, Question, say};
use super::{level, name_constraints};

/// How a program set OpenSSL up.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Security level of the connection.
    pub security_level: u8,
    /// Greatest number of intermediates; None: OpenSSL's 100.
    pub depth: Option<u32>,
    /// X509_V_FLAG_PARTIAL_CHAIN: any certificate of the bundle may end the path (curl since 7.68).
    pub partial_paths: bool,
}

/// What was built and what is wrong with it.
#[derive(Debug, Clone)]
pub struct Validation {
    /// End-entity certificate first.
    pub path: Vec<Arc<Certificate>>,
    /// How many of them, from the first, came from the peer.
    pub untrusted: usize,
    /// In the order in which OpenSSL comes upon them; empty: accepted.
    pub faults: Vec<Fault>,
}

/// Builds and checks a path as X509_verify_cert does.
pub fn validate(question: &Question<'_>, settings: &Settings, knowledge: &Knowledge<'_>) -> Validation {
    let Some(end_entity) = question.presented.first() else {
        return Validation { path: Vec::new(), untrusted: 0, faults: Vec::new() };
    };
    let mut check = Check {
        question,
        settings,
        knowledge,
        path: vec![Arc::clone(end_entity)],
        untrusted: 1,
        faults: Vec::new(),
    };
    check.end_entity_key();
    check.build();
    check.extensions();
    check.security_level();
    if let Some(lists) = question.crls {
        let faults = crl::check(&check.path, lists, false, question.at);
        check.faults.extend(faults);
    }
    check.signatures_and_dates();
    let faults = name_constraints(&check.path);
    check.faults.extend(faults);
    Validation { path: check.path, untrusted: check.untrusted, faults: check.faults }
}

/// EXFLAG_SS: self-issued, its own key identifiers agree and its key can have made its signature.
pub fn self_signed(certificate: &Certificate) -> bool {
    certificate.is_self_issued()
        && fits_key_ids(certificate, certificate)
        && fits_algorithm(certificate, certificate)
}

struct Check<'a> {
    question: &'a Question<'a>,
    settings: &'a Settings,
    knowledge: &'a Knowledge<'a>,
    path: Vec<Arc<Certificate>>,
    untrusted: usize,
    faults: Vec<Fault>,
}

#[derive(PartialEq)]
enum TrustAnswer {
    Trusted,
    Rejected,
    Neutral,
}

impl Check<'_> {
    fn fault(&mut self, mistake: Mistake, number: u32, depth: usize, message: String) {
        self.faults.push(Fault {
            mistake,
            number: Some(number),
            text: error_text(number).to_owned(),
            depth,
            message,
            certificate: self.path.get(depth).map(Arc::clone),
        });
    }

    fn end_entity_key(&mut self) {
        let Some(certificate) = self.path.first() else { return };
        if !level::key_allowed(certificate.key.kind, self.settings.security_level) {
            let message = format!(
                "{} has the key {}, too short for OpenSSL's security level {}",
                say::which(0, certificate),
                certificate.key.kind,
                self.settings.security_level
            );
            self.fault(Mistake::WeakKey, 66, 0, message);
        }
    }

    /// build_chain with X509_V_FLAG_TRUSTED_FIRST.
    fn build(&mut self) {
        let limit = usize::try_from(self.settings.depth.unwrap_or(100).min(1000)).unwrap_or(1000) + 1;
        let mut offered: Vec<&Arc<Certificate>> = self.question.presented.iter().skip(1).collect();
        let mut search_untrusted = !offered.is_empty();
        let mut trust = TrustAnswer::Neutral;
        loop {
            let Some(current) = self.path.last().map(Arc::clone) else { return };
            let current_self_signed = self_signed(&current);
            if self.path.len() <= limit
                && let Some(issuer) = self.trusted_issuer(&current)
            {
                let mut grown = true;
                let mut top_self_signed = current_self_signed;
                if !current_self_signed {
                    top_self_signed = self_signed(&issuer);
                    self.path.push(issuer);
                } else if issuer.digest == current.digest {
                    // replaced by its trusted twin, with its trust settings
                    if let Some(last) = self.path.last_mut() {
                        *last = issuer;
                    }
                    self.untrusted = self.untrusted.min(self.path.len().saturating_sub(1));
                } else {
                    grown = false;
                }
                if grown {
                    search_untrusted = false;
                    trust = self.trust_of_added();
                    if trust != TrustAnswer::Neutral {
                        break;
                    }
                    if !top_self_signed {
                        continue;
                    }
                }
            }
            if !search_untrusted {
                break;
            }
            let found = if current_self_signed || self.path.len() > limit {
                None
            } else {
                self.best_issuer(&current, offered.iter().copied())
            };
            match found {
                Some(issuer) => {
                    offered.retain(|certificate| !Arc::ptr_eq(certificate, &issuer));
                    self.path.push(issuer);
                    self.untrusted += 1;
                }
                None => search_untrusted = false,
            }
        }
        if trust == TrustAnswer::Neutral
            && self.settings.partial_paths
            && self.untrusted == self.path.len()
            && let Some(twin) = self.path.first().and_then(|leaf| self.in_bundle(leaf))
        {
            // the end-entity certificate itself is trusted
            self.path = vec![twin];
            self.untrusted = 0;
            trust = TrustAnswer::Trusted;
        }
        match trust {
            TrustAnswer::Trusted => {}
            TrustAnswer::Rejected => {
                let depth = self.path.len() - 1;
                self.fault(
                    Mistake::UnknownIssuer,
                    28,
                    depth,
                    "the trust settings in the bundle reject this use".to_owned(),
                );
            }
            TrustAnswer::Neutral => self.no_anchor(limit),
        }
    }

    fn no_anchor(&mut self, limit: usize) {
        let depth = self.path.len().saturating_sub(1);
        let Some(last) = self.path.last().map(Arc::clone) else { return };
        let anchors = self.question.anchors;
        if let Some(why) = anchors.unseen.first()
            && self.knowledge.hope(why.clone())
        {
            return;
        }
        if let super::super::certificate::Origin::Planned {
            signer: super::super::certificate::Signer::Unknown(why),
            ..
        } = &last.origin
            && self.knowledge.hope(why.clone())
        {
            return;
        }
        if anchors.system && is_public(&last) {
            let why =
                format!("whether {} leads to a public CA that the system trusts is not seen", last.shown);
            if self.knowledge.hope(why) {
                return;
            }
        }
        if self_signed(&last) {
            let message = format!(
                "{} signed itself, and the verifier trusts {}",
                say::which(depth, &last),
                say::trusted(anchors)
            );
            if depth == 0 {
                self.fault(Mistake::UntrustedSelfSigned, 18, depth, message);
            } else {
                self.fault(Mistake::UnknownIssuer, 19, depth, message);
            }
            return;
        }
        // Excess depth is reported as a missing issuer, never as 22 (observed)
        if self.path.len() > limit {
            let message = format!(
                "{} stands below more than {} intermediates, which is the configured depth",
                say::which(0, self.path.first().unwrap_or(&last)),
                limit - 1
            );
            let number = if self.untrusted < self.path.len() { 2 } else { 20 };
            self.fault(Mistake::VerifyDepthExceeded, number, depth, message);
            return;
        }
        if self.untrusted < self.path.len() {
            let message = format!(
                "the bundle holds {}, but not its issuer {}; OpenSSL insists on the self-signed root",
                last.shown, last.issuer.text
            );
            self.fault(Mistake::MissingRoot, 2, depth, message);
            return;
        }
        let mistake = unknown_issuer_kind(&last, self.question);
        self.fault(mistake, 20, depth, say::unknown_issuer(depth, &last, anchors));
    }

    /// X509_STORE_CTX_get1_issuer: the first certificate of that name that fits if it is in date, else the first
    /// one in date, else the one that expired last.
    fn trusted_issuer(&self, certificate: &Certificate) -> Option<Arc<Certificate>> {
        self.best(certificate, self.question.anchors.certificates.iter(), false)
    }

    fn best_issuer<'c>(
        &self,
        certificate: &Certificate,
        offered: impl Iterator<Item = &'c Arc<Certificate>>,
    ) -> Option<Arc<Certificate>> {
        self.best(certificate, offered, true)
    }

    fn best<'c>(
        &self,
        certificate: &Certificate,
        candidates: impl Iterator<Item = &'c Arc<Certificate>>,
        not_twice: bool,
    ) -> Option<Arc<Certificate>> {
        let at = self.question.at;
        let mut best: Option<&Arc<Certificate>> = None;
        for candidate in candidates {
            let lone_self_issued = certificate.is_self_issued() && self.path.len() == 1;
            if !likely_issued(candidate, certificate)
                || (not_twice
                    && !lone_self_issued
                    && self.path.iter().any(|known| known.digest == candidate.digest))
            {
                continue;
            }
            if (candidate.not_before..=candidate.not_after).contains(&at) {
                return Some(Arc::clone(candidate));
            }
            if best.is_none_or(|best| candidate.not_after > best.not_after) {
                best = Some(candidate);
            }
        }
        best.map(Arc::clone)
    }

    fn in_bundle(&self, certificate: &Certificate) -> Option<Arc<Certificate>> {
        let bundle = &self.question.anchors.certificates;
        bundle.iter().find(|anchor| anchor.digest == certificate.digest).map(Arc::clone)
    }

    /// check_trust over what the bundle added.
    fn trust_of_added(&self) -> TrustAnswer {
        for certificate in self.path.iter().skip(self.untrusted) {
            match explicit_trust(certificate, self.question.purpose) {
                TrustAnswer::Neutral if certificate.trust_settings.is_none() && self_signed(certificate) => {
                    return TrustAnswer::Trusted;
                }
                TrustAnswer::Neutral
                    if certificate
                        .trust_settings
                        .as_ref()
                        .is_some_and(|settings| settings == &TrustSettings::default())
                        && self_signed(certificate) =>
                {
                    return TrustAnswer::Trusted;
                }
                TrustAnswer::Neutral => {}
                decided => return decided,
            }
        }
        if self.untrusted < self.path.len() && self.settings.partial_paths {
            return TrustAnswer::Trusted;
        }
        TrustAnswer::Neutral
    }

    /// check_extensions.
    fn extensions(&mut self) {
        let purpose = self.question.purpose;
        let mut below: u32 = 0;
        for depth in 0..self.path.len() {
            let Some(certificate) = self.path.get(depth).map(Arc::clone) else { return };
            let last = depth + 1 == self.path.len();
            if let Some(oid) = certificate.unknown_critical.first() {
                let message = format!(
                    "{} has the critical extension {oid}, which OpenSSL does not know",
                    say::which(depth, &certificate)
                );
                self.fault(Mistake::UnknownCriticalExtension, 34, depth, message);
            }
            if depth > 0 {
                let ca = may_issue(&certificate);
                if ca == Ca::No || (!last && ca != Ca::Yes) {
                    let message = not_ca(depth, &certificate);
                    self.fault(Mistake::IssuerNotCa, 79, depth, message);
                }
            }
            if depth >= self.untrusted {
                match explicit_trust(&certificate, purpose) {
                    TrustAnswer::Trusted => {
                        below += u32::from(depth > 0 && !certificate.is_self_issued());
                        continue;
                    }
                    TrustAnswer::Rejected | TrustAnswer::Neutral => {}
                }
            }
            if let Some((mistake, message)) = unfit(&certificate, purpose, depth) {
                self.fault(mistake, 26, depth, message);
            }
            if depth > 1
                && let Some(limit) =
                    certificate.basic_constraints.and_then(|constraints| constraints.path_length)
                && below > limit
            {
                let message = format!(
                    "{} allows {limit} intermediates below it, and there are {below}",
                    say::which(depth, &certificate)
                );
                self.fault(Mistake::PathLengthExceeded, 25, depth, message);
            }
            below += u32::from(depth > 0 && !certificate.is_self_issued());
        }
    }

    /// check_auth_level.
    fn security_level(&mut self) {
        let wanted = self.settings.security_level;
        for depth in 0..self.path.len() {
            let Some(certificate) = self.path.get(depth).map(Arc::clone) else { return };
            if depth > 0 && !level::key_allowed(certificate.key.kind, wanted) {
                let message = format!(
                    "{} has the key {}, too short for OpenSSL's security level {wanted}",
                    say::which(depth, &certificate),
                    certificate.key.kind
                );
                self.fault(Mistake::WeakKey, 67, depth, message);
            }
            if depth + 1 < self.path.len() && !level::signature_allowed(&certificate, wanted) {
                let message = format!(
                    "{} is signed with {}, too weak for OpenSSL's security level {wanted}",
                    say::which(depth, &certificate),
                    level::digest_name(&certificate)
                );
                self.fault(Mistake::WeakSignature, 68, depth, message);
            }
        }
    }

    /// internal_verify: signatures and dates from the top down.
    fn signatures_and_dates(&mut self) {
        let Some(top) = self.path.len().checked_sub(1) else { return };
        let Some(last) = self.path.get(top).map(Arc::clone) else { return };
        let mut depth = top;
        let mut check_signature = true;
        let mut issuer = top;
        if !likely_issued(&last, &last) {
            if self.settings.partial_paths {
                check_signature = false;
            } else if top == 0 {
                if self.faults.iter().any(|fault| fault.number == Some(20)) {
                    // the last word on a missing issuer where the callback lets the checks go on
                    let earlier = self.faults.iter().find(|fault| fault.number == Some(20)).cloned();
                    if let Some(earlier) = earlier {
                        self.fault(earlier.mistake, 21, 0, earlier.message);
                    }
                }
                check_signature = false;
            } else {
                depth = top - 1;
            }
        }
        loop {
            if check_signature && depth != issuer {
                self.signature(depth, issuer);
            }
            self.dates(depth);
            check_signature = true;
            issuer = depth;
            let Some(next) = depth.checked_sub(1) else { return };
            depth = next;
        }
    }

    fn signature(&mut self, depth: usize, issuer_depth: usize) {
        let (Some(subject), Some(issuer)) =
            (self.path.get(depth).map(Arc::clone), self.path.get(issuer_depth).map(Arc::clone))
        else {
            return;
        };
        if !issuer.may(KeyUsage::KEY_CERT_SIGN) {
            let message = format!(
                "the key usage of {} is {}, without keyCertSign",
                say::which(issuer_depth, &issuer),
                KeyUsage::names(issuer.key_usage.unwrap_or(0))
            );
            self.fault(Mistake::UnsuitableKeyUsage, 32, issuer_depth, message);
        }
        match self.knowledge.signed(&subject, &issuer) {
            Signed::Yes | Signed::Unknown(_) => {}
            Signed::No | Signed::Unsupported(_) => {
                let message = format!(
                    "the signature of {} does not verify with the key of {}, although that is its issuer's name",
                    say::which(depth, &subject),
                    issuer.shown
                );
                self.fault(Mistake::IssuerWithOtherKey, 7, depth, message);
            }
        }
    }

    fn dates(&mut self, depth: usize) {
        let Some(certificate) = self.path.get(depth).map(Arc::clone) else { return };
        let at = self.question.at;
        if certificate.not_before > at {
            self.fault(
                Mistake::NotYetValidCertificate,
                9,
                depth,
                say::not_yet_valid(depth, &certificate, at),
            );
        }
        if certificate.not_after < at {
            self.fault(Mistake::ExpiredCertificate, 10, depth, say::expired(depth, &certificate, at));
        }
    }
}

/// Why an issuer is not found: it is missing, or its key is another.
pub(crate) fn unknown_issuer_kind(certificate: &Certificate, question: &Question<'_>) -> Mistake {
    if certificate.duplicate_extension.is_some() {
        return Mistake::MalformedCertificate;
    }
    let mut candidates = question.anchors.certificates.iter().chain(question.presented.iter());
    if candidates.any(|other| other.subject.canonical == certificate.issuer.canonical) {
        return Mistake::IssuerWithOtherKey;
    }
    Mistake::UnknownIssuer
}

/// A certificate whose issuer's name is that of a well-known public CA: the system's store may know it.
pub(crate) fn is_public(certificate: &Certificate) -> bool {
    if matches!(
        &certificate.origin,
        super::super::certificate::Origin::Planned { signer: super::super::certificate::Signer::Public, .. }
    ) {
        return true;
    }
    // organisations of the roots in Mozilla's programme that issue most certificates
    const KNOWN: [&str; 17] = [
        "o=let's encrypt",
        "o=internet security research group",
        "o=digicert inc",
        "o=google trust services",
        "o=google trust services llc",
        "o=sectigo limited",
        "o=the usertrust network",
        "o=comodo ca limited",
        "o=globalsign nv-sa",
        "o=globalsign",
        "o=amazon",
        "o=godaddy.com, inc.",
        "o=starfield technologies, inc.",
        "o=entrust, inc.",
        "o=identrust",
        "o=zerossl",
        "o=buypass as-983163327",
    ];
    let issuer = certificate.issuer.text.to_ascii_lowercase();
    KNOWN.iter().any(|known| issuer.contains(known))
}

#[derive(PartialEq)]
enum Ca {
    Yes,
    /// Tolerated as an anchor alone: version 1, or keyCertSign without basicConstraints.
    Barely,
    No,
}

/// v3_purp.c check_ca.
fn may_issue(certificate: &Certificate) -> Ca {
    if !certificate.may(KeyUsage::KEY_CERT_SIGN) {
        return Ca::No;
    }
    match certificate.basic_constraints {
        Some(constraints) if constraints.ca => Ca::Yes,
        Some(_) => Ca::No,
        None if certificate.version == 1 && self_signed(certificate) => Ca::Barely,
        None if certificate.key_usage.is_some() => Ca::Barely,
        None if certificate.netscape_type.is_some_and(|bits| bits & 0x07 != 0) => Ca::Barely,
        None => Ca::No,
    }
}

fn not_ca(depth: usize, certificate: &Certificate) -> String {
    let which = say::which(depth, certificate);
    match certificate.basic_constraints {
        _ if !certificate.may(KeyUsage::KEY_CERT_SIGN) => {
            format!("the key usage of {which} lacks keyCertSign")
        }
        Some(_) => format!("{which} says CA:FALSE in basicConstraints"),
        None => format!("{which} has no basicConstraints"),
    }
}

/// X509_check_purpose for SSL clients and servers.
fn unfit(certificate: &Certificate, purpose: Purpose, depth: usize) -> Option<(Mistake, String)> {
    if let Some(usages) = &certificate.extended_key_usage {
        // Netscape's and Microsoft's server gated crypto count as serverAuth; anyExtendedKeyUsage does not
        let gated = ["1.3.6.1.4.1.311.10.3.3", "2.16.840.1.113730.4.1"];
        let fits = usages
            .iter()
            .any(|oid| oid == purpose.oid() || (purpose == Purpose::Server && gated.contains(&oid.as_str())));
        if !fits {
            let mut message = say::lacks_usage(depth, certificate, purpose);
            if usages.iter().any(|oid| oid == ANY_USAGE) {
                message.push_str("; OpenSSL does not take anyExtendedKeyUsage for it");
            }
            return Some((Mistake::missing_usage(depth, purpose), message));
        }
    }
    if depth > 0 {
        return (may_issue(certificate) == Ca::No)
            .then(|| (Mistake::IssuerNotCa, not_ca(depth, certificate)));
    }
    let (usages, names) = match purpose {
        Purpose::Client => {
            (KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_AGREEMENT, "digitalSignature or keyAgreement")
        }
        Purpose::Server => (
            KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_ENCIPHERMENT | KeyUsage::KEY_AGREEMENT,
            "digitalSignature, keyEncipherment or keyAgreement",
        ),
    };
    if !certificate.may(usages) {
        let message = format!(
            "{} has the key usage {}, but {names} is needed",
            say::which(depth, certificate),
            KeyUsage::names(certificate.key_usage.unwrap_or(0))
        );
        return Some((Mistake::UnsuitableKeyUsage, message));
    }
    let netscape = if purpose == Purpose::Client { 0x80 } else { 0x40 };
    if certificate.netscape_type.is_some_and(|bits| bits & netscape == 0) {
        return Some((
            Mistake::missing_usage(depth, purpose),
            format!("{} has a Netscape certificate type for another use", say::which(depth, certificate)),
        ));
    }
    None
}

/// x509_trust.c obj_trust, from the settings of a TRUSTED CERTIFICATE.
fn explicit_trust(certificate: &Certificate, purpose: Purpose) -> TrustAnswer {
    let Some(settings) = &certificate.trust_settings else { return TrustAnswer::Neutral };
    let meant = |list: &[String]| list.iter().any(|oid| oid == purpose.oid() || oid == ANY_USAGE);
    if meant(&settings.reject) {
        TrustAnswer::Rejected
    } else if meant(&settings.trust) {
        TrustAnswer::Trusted
    } else if settings.trust.is_empty() {
        TrustAnswer::Neutral
    } else {
        TrustAnswer::Rejected
    }
}

/// ossl_x509_likely_issued: names, key identifiers and algorithms fit. The signature is not looked at.
pub(crate) fn likely_issued(issuer: &Certificate, subject: &Certificate) -> bool {
    issuer.subject.canonical == subject.issuer.canonical
        && issuer.duplicate_extension.is_none()
        && subject.duplicate_extension.is_none()
        && fits_key_ids(issuer, subject)
        && fits_algorithm(issuer, subject)
}

/// X509_check_akid.
fn fits_key_ids(issuer: &Certificate, subject: &Certificate) -> bool {
    let Some(wanted) = &subject.authority_key_id else { return true };
    if let (Some(wanted), Some(has)) = (&wanted.key_id, &issuer.subject_key_id)
        && wanted != has
    {
        return false;
    }
    if wanted.serial.as_ref().is_some_and(|serial| *serial != issuer.serial) {
        return false;
    }
    wanted.issuer.as_ref().is_none_or(|name| name.canonical == issuer.issuer.canonical)
}

/// check_sig_alg_match.
fn fits_algorithm(issuer: &Certificate, subject: &Certificate) -> bool {
    use mtls_identity::signature::KeyKind;
    let Some(algorithm) = subject.algorithm else { return true };
    matches!(
        (algorithm.key, issuer.key.kind),
        (KeyKind::Rsa, KeyType::Rsa(_))
            | (KeyKind::Ecdsa, KeyType::Ec(_))
            | (KeyKind::Ed25519, KeyType::Ed25519)
    )
}

/// X509_verify_cert_error_string.
pub fn error_text(number: u32) -> &'static str {
    match number {
        2 => "unable to get issuer certificate",
        3 => "unable to get certificate CRL",
        7 => "certificate signature failure",
        8 => "CRL signature failure",
        9 => "certificate is not yet valid",
        10 => "certificate has expired",
        11 => "CRL is not yet valid",
        12 => "CRL has expired",
        18 => "self-signed certificate",
        19 => "self-signed certificate in certificate chain",
        20 => "unable to get local issuer certificate",
        21 => "unable to verify the first certificate",
        23 => "certificate revoked",
        25 => "path length constraint exceeded",
        26 => "unsuitable certificate purpose",
        28 => "certificate rejected",
        32 => "key usage does not include certificate signing",
        34 => "unhandled critical extension",
        35 => "key usage does not include CRL signing",
        47 => "permitted subtree violation",
        48 => "excluded subtree violation",
        51 => "unsupported name constraint type",
        53 => "unsupported or invalid name syntax",
        62 => "hostname mismatch",
        66 => "EE certificate key too weak",
        67 => "CA certificate key too weak",
        68 => "CA signature digest algorithm too weak",
        79 => "invalid CA certificate",
        _ => "unspecified certificate verification error",
    }
}

//! X509_verify_cert: builds a path and checks it, noting every fault in the library's order.
//!
//! Who stops at the first fault (curl, a default verify callback) takes the first; nginx's callback lets every
//! check run and reports the last one (src/event/ngx_event_openssl.c, ngx_ssl_verify_callback).

mod extensions;
mod path;
mod signatures;
mod trust;

use std::sync::Arc;

use super::{error_text, level, name_constraints};
use crate::stack::signatures::Knowledge;
use crate::stack::{Certificate, Fault, Mistake, Question, crl, say};

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

struct Check<'a> {
    question: &'a Question<'a>,
    settings: &'a Settings,
    knowledge: &'a Knowledge<'a>,
    path: Vec<Arc<Certificate>>,
    untrusted: usize,
    faults: Vec<Fault>,
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
}

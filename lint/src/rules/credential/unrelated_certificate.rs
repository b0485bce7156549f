use std::collections::BTreeSet;

use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A certificate stands in a chain in which it issued nothing.
    ///
    /// ## Why it matters
    ///
    /// It is sent in every handshake for nothing, and often it stands where the right intermediate should: after a
    /// renewal with another intermediate the old one stays in the file, and peers that do not know the new one find no
    /// path.
    ///
    /// ## How to fix
    ///
    /// Keep in the file the end-entity certificate and those that issued it: each names the next as its issuer. `mtls-
    /// lint inspect FILE` shows who issued whom.
    ///
    /// ## What you see in the logs
    ///
    /// - OpenSSL: `unable to verify the first certificate`, where the right one is missing
    ///
    /// ## Reference
    ///
    /// RFC 8446, section 4.4.2
    "unrelated-certificate", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut told = BTreeSet::new();
    for presented in &subject.held.presented {
        let path = &presented.credential.certificate.path;
        // the wrong one first, or nothing right in it: that is another mistake
        if presented.chain.iter().any(|certificate| subject.is_blamed(certificate.span))
            || subject.is_blamed(path.span)
        {
            continue;
        }
        for certificate in presented.chain.iter().skip(1).filter(|certificate| !certificate.is_planned()) {
            let issued = presented.chain.iter().any(|other| {
                other.digest != certificate.digest && other.issuer.canonical == certificate.subject.canonical
            });
            if issued || !told.insert(certificate.span) {
                continue;
            }
            let first = presented.chain.first().map_or("", |first| first.shown.as_str());
            findings.push(RULE.finding(
                format!("{} is sent with {first}, and issued nothing of what is sent", certificate.shown),
                Some(format!("remove it from {}, or put the right intermediate in its place", path.value)),
                vec![
                    Label {
                        span: certificate.span,
                        message: "belongs to no other certificate here".to_owned(),
                    },
                    Label { span: path.span, message: "sent from here".to_owned() },
                ],
            ));
        }
    }
}

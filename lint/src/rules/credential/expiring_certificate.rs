use std::collections::BTreeSet;

use mtls_identity::sorted;

use super::unjudged::unjudged;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::source::Span;
use crate::stack::Certificate;
use crate::time::format_day;

rule! {
    /// A certificate in use expires soon, or has expired where nobody is known who minds.
    ///
    /// ## Why it matters
    ///
    /// From its last second on every verifier refuses it, and with a CA everything below it. How early this speaks is
    /// set by `--expires-within` (30 days unless given). Of an expired one it speaks where no error does: the peers that
    /// are known do not verify, an intermediate is sent to which some peer may know another way, or it lies in a Secret.
    ///
    /// ## How to fix
    ///
    /// Renew it now, give the new file to the program, and let programs that do not re-read files restart. A CA first
    /// reaches everyone who trusts it, then signs anew. With cert-manager a certificate in this state says that renewal
    /// has failed: `kubectl describe certificate NAME`.
    ///
    /// ## What you see in the logs
    ///
    /// Nothing yet. Then:
    ///
    /// - Go: `x509: certificate has expired or is not yet valid`
    /// - OpenSSL: `certificate has expired`
    ///
    /// ## Reference
    ///
    /// RFC 5280, section 4.1.2.5
    "expiring-certificate", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let held = &subject.held;
    let mut told = BTreeSet::new();
    let refused: BTreeSet<[u8; 32]> = sorted::set(
        unjudged(subject, |chain| chain.first().is_some_and(|first| first.not_after < subject.at))
            .iter()
            .filter_map(|unjudged| unjudged.chain.first())
            .map(|first| first.digest),
    );
    let anchors = held.trusted.iter().flat_map(|trusted| &trusted.certificates);
    let trusted: BTreeSet<[u8; 32]> = sorted::set(anchors.map(|anchor| anchor.digest));
    // expired, and no error: nobody is known who minds, or a peer may know another path
    let over = |certificate: &Certificate| {
        certificate.not_after < subject.at
            && !refused.contains(&certificate.digest)
            && !trusted.contains(&certificate.digest)
            && !subject.is_blamed(certificate.span)
    };
    let mut tell = |certificate: &Certificate, holder: String, place: Span| {
        let ends = certificate.not_after;
        let soon = ends >= subject.at && ends < subject.at.saturating_add(subject.expires_within);
        let over = over(certificate);
        if !(soon || over) || certificate.is_planned() || !told.insert(certificate.digest) {
            return;
        }
        let days = (ends - subject.at) / 86_400;
        let (verb, left) = match days {
            _ if over => ("expired", "and is refused wherever it is verified".to_owned()),
            0 => ("expires", "within a day".to_owned()),
            1 => ("expires", "in 1 day".to_owned()),
            days => ("expires", format!("in {days} days")),
        };
        let mut labels =
            vec![Label { span: certificate.span, message: format!("{verb} on {}", format_day(ends)) }];
        if place != certificate.span {
            labels.push(Label { span: place, message: holder });
        }
        findings.push(RULE.finding(
            format!("{} {verb} on {}, {left}", certificate.shown, format_day(ends)),
            Some("renew it, and see to it that the programs which hold it read the new one".to_owned()),
            labels,
        ));
    };
    for presented in &held.presented {
        for certificate in &presented.chain {
            let place = presented.credential.certificate.path.span;
            tell(certificate, format!("{} presents it", presented.program.name), place);
        }
    }
    for trusted in &held.trusted {
        for certificate in &trusted.certificates {
            tell(certificate, format!("{} trusts it", trusted.program.name), trusted.file.path.span);
        }
    }
    for stored in &held.stored {
        for certificate in &stored.chain {
            tell(certificate, format!("{} holds it", stored.title), stored.name);
        }
    }
}

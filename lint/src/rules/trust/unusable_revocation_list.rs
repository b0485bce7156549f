use std::collections::BTreeSet;

use crate::deployment::{ClientAuthMode, PathChecks, Program, Stack, Trust};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::source::Span;
use crate::stack::crl::RevocationList;
use crate::time::{UnixSeconds, format_day};

rule! {
    /// A revocation list is missing, out of date, of another issuer or unreadable.
    ///
    /// ## Why it matters
    ///
    /// nginx and Envoy, once they have a list, refuse every certificate whose issuer has no current list in the
    /// file. etcd looks at neither dates nor issuer; since 3.6 it reads DER alone, not PEM.
    ///
    /// ## How to fix
    ///
    /// Fetch a current list of every CA on the path and renew it before nextUpdate: `cat root.crl intermediate.crl
    /// > crl.pem`. For etcd from 3.6 on: `openssl crl -in crl.pem -outform der -out crl.der`.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `(3:unable to get certificate CRL)`, `(12:CRL has expired)`, `(11:CRL is not yet valid)`
    /// - etcd: `asn1: syntax error: sequence truncated`, `x509: malformed crl`, `open …crl…: no such file or directory`,
    ///   `open …crl…: no such file`
    /// - Envoy: `certificate revocation check against provided CRLs failed: …`, `Failed to load CRL from …`
    /// - curl: `error loading CRL file`
    ///
    /// ## Reference
    ///
    /// RFC 5280, section 5.1.2.5
    "unusable-revocation-list", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
    let mut told = BTreeSet::new();
    for (program, listener) in subject.listeners() {
        for context in listener.tls.iter().flat_map(|tls| &tls.contexts) {
            let auth = &context.client_auth;
            if *auth.mode.value() != ClientAuthMode::Off {
                unusable(subject, program, &auth.trust, &auth.checks, &mut told, findings);
            }
        }
    }
    for (program, dialer) in subject.dialers() {
        if let Some(tls) = dialer.tls.as_ref().filter(|tls| *tls.verify.value()) {
            unusable(subject, program, &tls.trust, &tls.checks, &mut told, findings);
        }
    }
}

/// Files without any list: every certificate is refused. Lists that are not in force at the moment, of CAs that are
/// trusted, where no other list of theirs is: whatever these issued is refused. Go looks at no dates.
fn unusable(
    subject: &Subject<'_>,
    program: &Program,
    trust: &[Trust],
    checks: &PathChecks,
    told: &mut BTreeSet<Span>,
    findings: &mut Vec<Finding>,
) {
    if matches!(program.versions.stack, Stack::Go(_))
        || checks.accept_untrusted.is_some()
        || subject.is_predicted(program, &[RULE.id])
    {
        return;
    }
    if let Some(file) = checks.crls.first()
        && subject.lacks_revocation_lists(program, &checks.crls)
    {
        if told.insert(file.path.span) {
            let message = format!(
                "{} holds no revocation list: {} refuses every certificate",
                file.path.value, program.name
            );
            let label = Label { span: file.path.span, message: "read as a revocation list".to_owned() };
            findings.push(RULE.finding(message, None, vec![label]));
        }
        return;
    }
    let Some(trusted) = subject.trusted(&program.versions, trust).filter(|_| !checks.crls.is_empty()) else {
        return;
    };
    let lists = subject.revocation_lists(program, &checks.crls);
    for list in lists.iter().filter(|list| !is_current(list, subject.at)) {
        let same = |other: &&RevocationList| other.issuer.canonical == list.issuer.canonical;
        let in_force = lists.iter().filter(same).any(|other| is_current(other, subject.at));
        let issuer = trusted.iter().find(|anchor| anchor.subject.canonical == list.issuer.canonical);
        let (Some(issuer), false) = (issuer, in_force || subject.is_blamed(list.span)) else { continue };
        if !told.insert(list.span) {
            continue;
        }
        let when = match list.next_update.filter(|next| *next < subject.at) {
            Some(next) => format!("had to be replaced by {}", format_day(next)),
            None => format!("is in force from {} on", format_day(list.this_update)),
        };
        let mut labels = vec![Label { span: list.span, message: when.clone() }];
        labels.extend(
            checks
                .crls
                .iter()
                .map(|file| Label { span: file.path.span, message: "read from here".to_owned() }),
        );
        findings.push(RULE.finding(
            format!(
                "the revocation list of {} {when}: {} refuses every certificate of that issuer",
                issuer.shown, program.name
            ),
            None,
            labels,
        ));
    }
}

fn is_current(list: &RevocationList, at: UnixSeconds) -> bool {
    list.this_update <= at && list.next_update.is_none_or(|next| at <= next)
}

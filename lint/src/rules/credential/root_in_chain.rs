use std::collections::BTreeSet;

use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A program sends the self-signed root along with its certificate.
    ///
    /// ## Why it matters
    ///
    /// Whoever verifies has the root already, or does not trust it: the bytes are of no use, and in every handshake.
    ///
    /// ## How to fix
    ///
    /// Leave the root out of the file: end-entity certificate, then intermediates.
    ///
    /// ## What you see in the logs
    ///
    /// Nothing.
    ///
    /// ## Reference
    ///
    /// RFC 8446, section 4.4.2
    "root-in-chain", Advice, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut told = BTreeSet::new();
    for presented in &subject.held.presented {
        let path = &presented.credential.certificate.path;
        let above = presented.chain.iter().skip(1);
        let mut roots = above.filter(|root| root.is_self_issued() && root.is_ca() && !root.is_planned());
        let Some(root) = roots.next() else { continue };
        // one that issued nothing in the file is told as unrelated
        let issued = presented
            .chain
            .iter()
            .any(|other| other.digest != root.digest && other.issuer.canonical == root.subject.canonical);
        if !issued || subject.is_blamed(root.span) || !told.insert(root.span) {
            continue;
        }
        findings.push(RULE.finding(
            format!("{} sends the root {} in every handshake", presented.program.name, root.shown),
            Some(format!("remove {} from {}", root.shown, path.value)),
            vec![
                Label { span: root.span, message: "a root: whoever trusts it has it".to_owned() },
                Label { span: path.span, message: "sent from here".to_owned() },
            ],
        ));
    }
}

use std::collections::BTreeSet;

use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A private key stands in a trust bundle.
    ///
    /// ## Why it matters
    ///
    /// A bundle of CAs is copied everywhere and readable by everyone: a key in it is no longer private. If it is the
    /// key of the CA, whoever reads the bundle issues certificates that all of them accept. Go refuses such a bundle.
    ///
    /// ## How to fix
    ///
    /// Take the key out of the file, and treat it as disclosed: issue a new certificate with a new key, and if it was
    /// the key of a CA, a new CA.
    ///
    /// ## What you see in the logs
    ///
    /// - etcd: `x509: malformed tbs certificate`
    /// - OpenSSL: nothing, it skips the block
    ///
    /// ## Reference
    ///
    /// RFC 7468, section 5; RFC 5280, section 8
    "private-key-in-trust-bundle", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut told = BTreeSet::new();
    for trusted in &subject.held.trusted {
        let Some(place) = trusted.key else { continue };
        let path = &trusted.file.path;
        if subject.is_blamed(path.span) || !told.insert(place) {
            continue;
        }
        findings.push(RULE.finding(
            format!("the trust bundle {} of {} holds a private key", path.value, trusted.program.name),
            Some("remove the key from the bundle, and issue anew what it belongs to".to_owned()),
            vec![
                Label { span: place, message: "a private key begins here".to_owned() },
                Label { span: path.span, message: "trusted from here".to_owned() },
            ],
        ));
    }
}

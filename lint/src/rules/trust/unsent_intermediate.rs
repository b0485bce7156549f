use std::collections::BTreeSet;

use crate::finding::{Finding, Label};
use crate::rules::credential::public_client_certificate::public_authority;
use crate::rules::credential::unjudged::unjudged;
use crate::rules::{Subject, rule};
use crate::stack::Certificate;
use crate::stack::load::Certificates;

rule! {
    /// A certificate is presented without the intermediate that issued it, to peers that are not seen.
    ///
    /// The intermediate lies in another file, or the issuer is a public CA, which issues by intermediates only.
    ///
    /// ## Why it matters
    ///
    /// Who trusts the root alone finds no path. Some browsers fetch what is missing or have kept it, so that it shows only
    /// for the others: curl, Go, gateways. nginx, Envoy and etcd send what is in the certificate file, and nothing that they
    /// trust themselves.
    ///
    /// A warning, and no error: a peer that is not seen may have the intermediate in its own trust bundle.
    ///
    /// ## How to fix
    ///
    /// Append the intermediate to the certificate file, after the end-entity certificate: `cat leaf.crt intermediate.crt >
    /// tls.crt`. Of an ACME client take `fullchain.pem`, not `cert.pem`.
    ///
    /// ## What you see in the logs
    ///
    /// Nothing at the one who presents it but the alert `unknown ca`; its peers:
    ///
    /// - curl, Envoy: `unable to get local issuer certificate`
    /// - OpenSSL: `unable to verify the first certificate`
    /// - Go: `x509: certificate signed by unknown authority`
    ///
    /// ## Reference
    ///
    /// RFC 8446, section 4.4.2
    "unsent-intermediate", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut told = BTreeSet::new();
    for unjudged in unjudged(subject, |chain| last_of_path(chain).is_some()) {
        // whoever takes a Secret may add to it
        if unjudged.purpose.is_none() {
            continue;
        }
        let Some(last) = last_of_path(unjudged.chain).filter(|last| !told.contains(&last.digest)) else {
            continue;
        };
        let mut labels = unjudged.labels(Label {
            span: last.span,
            message: format!("issued by {}, which does not follow", last.issuer.text),
        });
        let bundle = subject.bundle_of(last.span).unwrap_or("the certificate file");
        let (issuer, help) = match subject.intermediate_of(last) {
            Some((issuer, path)) => {
                labels.push(Label { span: issuer.span, message: "the intermediate stands here".to_owned() });
                (issuer.shown.clone(), format!("append {}, which {path} has, to {bundle}", issuer.shown))
            }
            None if public_authority(last).is_some() && !last.is_ca() => (
                format!("the intermediate {}", last.issuer.text),
                format!("append {} to {bundle}; fullchain.pem of an ACME client has both", last.issuer.text),
            ),
            None => continue,
        };
        told.insert(last.digest);
        findings.push(RULE.finding(
            format!(
                "{} is presented without {issuer}: a peer that has only the root finds no path",
                last.shown
            ),
            Some(help),
            labels,
        ));
    }
}

/// The last certificate on the way from the first one up through the file; None where that is a root, or not issued yet.
fn last_of_path(chain: &Certificates) -> Option<&Certificate> {
    let mut last: &Certificate = chain.first()?;
    for _ in 0..chain.len() {
        let issuer = chain
            .iter()
            .find(|other| other.digest != last.digest && other.subject.canonical == last.issuer.canonical);
        let Some(issuer) = issuer else { break };
        last = issuer;
    }
    (!last.is_self_issued() && !last.is_planned()).then_some(last)
}

use super::lost;
use crate::finding::Finding;
use crate::rules::{Subject, rule};
use crate::source::Span;

rule! {
    /// A file is expected from a Secret or ConfigMap that has no such key.
    ///
    /// ## Why it matters
    ///
    /// The volume is mounted, the file is not in it: the program finds nothing at its path.
    ///
    /// ## How to fix
    ///
    /// Name a key that the object has (cert-manager's Secrets have tls.crt, tls.key and ca.crt), map it with
    /// `items`, or add the key.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `cannot load certificate "…": BIO_new_file() failed (… No such file or directory …)`
    /// - `No such file or directory`, although the folder is mounted
    /// - kubelet: `references non-existent secret key`, `references non-existent config key`,
    ///   `couldn't find key … in Secret`
    /// - APISIX's ingress controller: `missing cert field`, `missing key field`
    ///
    /// ## Reference
    ///
    /// <https://kubernetes.io/docs/concepts/storage/volumes/#secret>
    "missing-key", Error, check
}

const HELP: &str = "write a key that is there, or add the key";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut found = Vec::new();
    lost(subject, &RULE, HELP, &mut found);
    // a Secret that the API server refuses for the key is told as that
    let refused = subject.deployment.manifests.refusals.iter();
    let refused: Vec<Span> = refused
        .filter(|refusal| refusal.rule == super::tls_secret_without_pair::RULE.id)
        .flat_map(|refusal| refusal.labels.iter().map(|label| label.span))
        .collect();
    found.retain(|finding| !finding.labels.iter().any(|label| refused.contains(&label.span)));
    findings.append(&mut found);
    subject.refused_manifests(&RULE, HELP, findings);
}

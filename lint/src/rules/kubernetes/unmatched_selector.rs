use super::lost;
use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A Service selects no Pod.
    ///
    /// Told of Services to which a program of the deployment dials.
    ///
    /// ## Why it matters
    ///
    /// Its name resolves, and nothing answers.
    ///
    /// ## How to fix
    ///
    /// Correct the Service's selector to labels that the Pods have (`spec.template.metadata.labels`).
    ///
    /// ## What you see in the logs
    ///
    /// - `connection refused`, `no endpoints available for service`
    ///
    /// ## Reference
    ///
    /// <https://kubernetes.io/docs/concepts/services-networking/service/>
    "unmatched-selector", Error, check
}

const HELP: &str = "write labels that the Pods have into the Service's selector";

const HELP_NAMES: &str = "give the Pods that name: the Service has to be their governing one (serviceName of a \
                          StatefulSet, or hostname and subdomain of a Pod)";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let first = findings.len();
    lost(subject, &RULE, HELP, findings);
    // selected they are, and called otherwise
    for finding in findings.iter_mut().skip(first).filter(|finding| finding.message.starts_with("no Pod of "))
    {
        finding.help = Some(HELP_NAMES.to_owned());
    }
}

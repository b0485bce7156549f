use std::collections::BTreeSet;

use crate::deployment::DialerPurpose;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::stack::Mistake;

rule! {
    /// The kubelet probes a port that demands client certificates.
    ///
    /// ## Why it matters
    ///
    /// The kubelet has no client certificate and cannot be given one: the probe fails for ever. A Pod whose readiness
    /// fails gets no traffic, one whose liveness fails is restarted in a circle.
    ///
    /// ## How to fix
    ///
    /// Probe a port for it alone, in plaintext and without data, such as etcd's `--listen-metrics-
    /// urls=http://0.0.0.0:2381`; or a TCP probe; or a command with a certificate:
    ///
    /// ```yaml
    /// readinessProbe:
    ///   tcpSocket:
    ///     port: 2379
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - kubelet: `probe failed: Get "https://…": remote error: tls: certificate required`
    /// - etcd: `tls: client didn't provide a certificate`
    /// - nginx: `No required SSL certificate was sent`
    /// - nothing, once `listen-metrics-urls` has an address without TLS for the probe
    ///
    /// ## Reference
    ///
    /// <https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/>;
    /// <https://github.com/bitnami/charts/issues/29096>
    "probe-without-client-certificate", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut told = BTreeSet::new();
    let predictions = subject.deployment.connections.iter().zip(subject.predictions);
    for (connection, prediction) in predictions {
        let Some((program, dialer)) = subject.dialer_of(connection) else { continue };
        let why = prediction.why.first().filter(|why| why.rule == Mistake::MissingClientCertificate.rule());
        let Some(why) = why.filter(|_| dialer.purpose == DialerPurpose::Probe) else { continue };
        if !told.insert(dialer.span) {
            continue;
        }
        let whom = program.name.strip_prefix("kubelet, for ").unwrap_or(&program.name);
        let mut labels =
            vec![Label { span: dialer.span, message: "the kubelet has no client certificate".to_owned() }];
        labels.extend(why.labels.iter().filter(|label| label.span != dialer.span).cloned());
        findings.push(RULE.finding(
            format!("the kubelet's probe of {whom} fails: {} demands a client certificate", connection.url),
            Some("probe a port without client authentication, or by tcpSocket".to_owned()),
            labels,
        ));
    }
}

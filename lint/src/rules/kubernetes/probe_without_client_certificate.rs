use std::collections::BTreeSet;

use crate::deployment::{DialerPurpose, ProgramKind};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::stack::Mistake;

rule! {
    /// A probe dials a port that demands client certificates, and has none.
    ///
    /// ## Why it matters
    ///
    /// The kubelet has no client certificate and cannot be given one (`httpGet`); a command (`exec`) has those that its
    /// options name. The probe fails for ever: a Pod whose readiness fails gets no traffic, one whose liveness or startup
    /// fails is restarted in a circle.
    ///
    /// ## How to fix
    ///
    /// Probe a port for it alone, in plaintext and without data, such as etcd's `--listen-metrics-
    /// urls=http://0.0.0.0:2381`; or a TCP probe; or a command with a certificate:
    ///
    /// ```yaml
    /// readinessProbe:
    ///   exec:
    ///     command: [etcdctl, --endpoints=https://127.0.0.1:2379, --cacert=/tls/ca.crt, --cert=/tls/tls.crt,
    ///       --key=/tls/tls.key, endpoint, health]
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - kubelet: `probe failed: Get "https://…": remote error: tls: certificate required`
    /// - etcdctl in a probe: `context deadline exceeded`
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
        let mut labels =
            why.labels.iter().filter(|label| label.span != dialer.span).cloned().collect::<Vec<_>>();
        let (message, help) = if program.kind == ProgramKind::Kubelet {
            let message = "the kubelet has no client certificate".to_owned();
            labels.insert(0, Label { span: dialer.span, message });
            let whom = program.name.strip_prefix("kubelet, for ").unwrap_or(&program.name);
            (
                format!(
                    "the kubelet's probe of {whom} fails: {} demands a client certificate",
                    connection.url
                ),
                "probe a port without client authentication, or by tcpSocket".to_owned(),
            )
        } else {
            let command = program.kind.name();
            let place = dialer.tls.as_ref().map_or(dialer.span, |tls| tls.span);
            labels.retain(|label| label.span != place);
            labels
                .insert(0, Label { span: place, message: format!("this {command} is given no certificate") });
            (
                format!("the {} fails: {} demands a client certificate", program.name, connection.url),
                match program.kind {
                    ProgramKind::Openssl => "add -cert and -key".to_owned(),
                    _ => "add --cert and --key".to_owned(),
                },
            )
        };
        findings.push(RULE.finding(message, Some(help), labels));
    }
}

use crate::deployment::{Lookup, ProgramKind, Speaks};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A client without TLS dials a port that speaks TLS.
    ///
    /// ## Why it matters
    ///
    /// The scheme is http where it must be https; nothing is encrypted and nothing is answered.
    ///
    /// ## How to fix
    ///
    /// Write https in the URL, and configure the client's trust and certificate.
    ///
    /// A probe of the kubelet by `grpc` speaks no TLS, whatever the port: probe a port without TLS (etcd's
    /// `--listen-metrics-urls=http://0.0.0.0:2381` with `httpGet`), or by `tcpSocket`, or with a command.
    ///
    /// APISIX's ingress controller dials `controlPlane.service` by plain HTTP, always: name the Admin API in `endpoints`
    /// instead.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: 400 `The plain HTTP request was sent to HTTPS port`
    /// - nginx's own log: `client sent plain HTTP request to HTTPS port`
    /// - nginx, of gRPC: `upstream sent too large http2 frame`, at the server
    ///   `client sent invalid request while reading client request line`
    /// - a Go server's answer: `Client sent an HTTP request to an HTTPS server`
    /// - Go: `tls: first record does not look like a TLS handshake`
    /// - kubelet: `timeout: failed to connect service`, `error: failed to connect service at`
    /// - APISIX, of etcd: `request etcd endpoint … error, closed`, `failed to load the configuration: … closed`
    ///
    /// ## Reference
    ///
    /// RFC 9110, section 4.2.2
    "plaintext-to-tls-port", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let first = findings.len();
    subject.named(&RULE, findings);
    // what has no URL to write https in
    for finding in findings.iter_mut().skip(first) {
        let place = finding.labels.first().map(|label| label.span);
        let mut connections = subject.deployment.connections.iter();
        let client = connections.find_map(|connection| {
            let (program, dialer) = subject.dialer_of(connection)?;
            (Some(dialer.span) == place).then_some((program.kind, dialer.speaks))
        });
        let help = match client {
            Some((ProgramKind::Kubelet, Speaks::Http2)) => {
                "probe a port without TLS, or by tcpSocket: gRPC probes speak no TLS"
            }
            Some((ProgramKind::Kubelet, _)) => {
                "write scheme: HTTPS in httpGet; if the port demands a client certificate, probe by tcpSocket"
            }
            Some((ProgramKind::Etcdctl, _)) => {
                "add --endpoints with an https URL, and --cacert, --cert and --key (or set ETCDCTL_ENDPOINTS and its like)"
            }
            _ => continue,
        };
        finding.help = Some(help.to_owned());
    }
    control_planes(subject, findings);
}

/// The Services by which controllers of APISIX dial an Admin API that speaks TLS.
fn control_planes(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for proxy in &subject.deployment.manifests.control_planes {
        let Some(address) = proxy.endpoint.value.strip_prefix("http://") else { continue };
        let Lookup::Found(server) = proxy.listener else { continue };
        let Some((program, listener)) =
            subject.listener(server).filter(|(_, listener)| listener.tls.is_some())
        else {
            continue;
        };
        let context = listener.tls.iter().flat_map(|tls| &tls.contexts).next();
        let speaks = context.map_or(listener.span, |context| context.span);
        findings.push(RULE.finding(
            format!(
                "{} sends the controller to {} without TLS, and the Admin API of {} speaks TLS there",
                proxy.name, proxy.endpoint.value, program.name
            ),
            Some(format!("write controlPlane.endpoints: [\"https://{address}\"], with tlsVerify: true")),
            vec![
                Label { span: proxy.endpoint.span, message: "plain HTTP".to_owned() },
                Label { span: speaks, message: "TLS is spoken here".to_owned() },
            ],
        ));
    }
}

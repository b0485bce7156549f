use crate::deployment::{Connection, DialerPurpose};
use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// The server insists on a client certificate and the client has none to present.
    ///
    /// ## Why it matters
    ///
    /// etcd asks for certificates as soon as `trusted-ca-file` is set, even with `client-cert-auth: false`.
    ///
    /// ## How to fix
    ///
    /// Give the client a certificate of a CA that the server trusts, with its key: nginx `proxy_ssl_certificate`
    /// and `proxy_ssl_certificate_key`, APISIX `deployment.etcd.tls.cert` and `key` or the upstream's
    /// `tls.client_cert`, Envoy `tls_certificates`, curl and etcdctl `--cert` and `--key`.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: 400 `No required SSL certificate was sent`
    /// - nginx, of a condition on the certificate: `HTTP 403`
    /// - nginx's own log: `client sent no required SSL certificate while reading client request headers`
    /// - etcd: `tls: client didn't provide a certificate`
    /// - the client: `alert certificate required`, `alert bad certificate`, `alert handshake failure`
    /// - the client of a Go server: `remote error: tls: certificate required`, in TLS 1.2
    ///   `remote error: tls: bad certificate`
    /// - Envoy, APISIX: `peer did not return a certificate`
    /// - APISIX, of the request: `client certificate was not present`
    /// - nginx and APISIX as clients: `SSL alert number 116`, in TLS 1.2 `SSL alert number 40` or `SSL alert number 42`
    /// - APISIX, of etcd: `no healthy etcd endpoint available, next retry after …`,
    ///   `has no healthy etcd endpoint available`, `request etcd endpoint … error, closed`,
    ///   `failed to load the configuration: … closed`
    /// - etcd: `rejected connection on client endpoint`
    /// - etcdctl: `context deadline exceeded`, `failed to write client preface: … connection reset by peer`,
    ///   `broken pipe`
    /// - the alert: `certificate_required`; Envoy: `SSLV3_ALERT_…`
    ///
    /// ## Reference
    ///
    /// RFC 8446, section 4.3.2
    "missing-client-certificate", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    // the kubelet's probes have a rule of their own
    let probes = |connection: &Connection| {
        subject.dialer_of(connection).is_some_and(|(_, dialer)| dialer.purpose == DialerPurpose::Probe)
    };
    subject.named_on(&RULE, findings, |connection| !probes(connection));
}

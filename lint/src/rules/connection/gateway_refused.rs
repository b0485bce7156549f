use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// etcd's gRPC gateway cannot use the server's certificate as a client certificate.
    ///
    /// ## Why it matters
    ///
    /// The gateway (HTTP under /v3, which APISIX uses) dials the member's own port and presents the server
    /// certificate. If client authentication is on, that certificate must pass as a client's: clientAuth among its
    /// usages, its CA in trusted-ca-file. etcd starts, etcdctl works, and every request to /v3 fails.
    ///
    /// ## How to fix
    ///
    /// Add `client auth` to the usages of etcd's server certificate and its CA to `trusted-ca-file`; from etcd 3.6
    /// on, `--client-cert-file` and `--client-key-file` can name another one.
    ///
    /// ## What you see in the logs
    ///
    /// - the caller: HTTP 503 `{"error":"connection closed","code":14}`
    /// - etcd: `rejected connection … remote error: tls: bad certificate`, from 127.0.0.1
    ///
    /// ## Reference
    ///
    /// <https://github.com/etcd-io/etcd/issues/9785>
    "gateway-refused", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// The client needs etcd's gRPC gateway, which is off.
    ///
    /// ## Why it matters
    ///
    /// etcd 3.4 switches the gateway off when it is started with `--config-file`, unless the file says otherwise.
    ///
    /// ## How to fix
    ///
    /// Write `enable-grpc-gateway: true` into the configuration file.
    ///
    /// ## What you see in the logs
    ///
    /// - the caller: `HTTP 404`
    /// - APISIX: `gRPC gateway is not enabled in etcd cluster`, `failed to read etcd dir`
    ///
    /// ## Reference
    ///
    /// <https://etcd.io/docs/latest/dev-guide/api_grpc_gateway/>
    "gateway-disabled", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

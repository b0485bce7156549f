use crate::deployment::DialerPurpose;
use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// The peer's certificate bears none of the names that the verifier demands.
    ///
    /// ## Why it matters
    ///
    /// etcd's `allowed-cn` and `allowed-hostname` and Envoy's SAN matchers let in only certificates of these names,
    /// however good their issuer is.
    ///
    /// ## How to fix
    ///
    /// Issue the peer's certificate with an allowed name, or allow the name it has. With etcd's
    /// `client-cert-allowed-hostname`, the server's own certificate needs the name too: the gateway dials with it.
    ///
    /// ## What you see in the logs
    ///
    /// - etcd: `client certificate authentication failed`
    /// - Envoy: `CERTIFICATE_VERIFY_FAILED:verify cert failed: SAN matcher, certificate SANs are …`, `verify SAN list`
    /// - Envoy: `…_VERIFY_FAILED`
    /// - the other side, as an alert: Go `remote error: tls: bad certificate`, Envoy `alert certificate unknown`
    ///
    /// ## Reference
    ///
    /// RFC 9525, section 6
    "name-not-allowed", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    // what etcd demands of its own gateway is the self-refusing-gateway's
    subject.named_on(&RULE, findings, |connection| {
        subject.dialer_of(connection).is_none_or(|(_, dialer)| dialer.purpose != DialerPurpose::Gateway)
    });
}

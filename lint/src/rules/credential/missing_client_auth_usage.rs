use super::{help_for_pem, unjudged};
use crate::deployment::{Connection, DialerPurpose};
use crate::finding::Finding;
use crate::rules::{Subject, rule};
use crate::stack::certificate::Purpose;

rule! {
    /// A certificate is presented by a client, but its extended key usage does not include clientAuth.
    ///
    /// ## Why it matters
    ///
    /// An absent extended key usage allows every use; a present one allows only what it lists. etcd needs
    /// clientAuth even in its server certificate, because its gRPC gateway dials the member's own port with it.
    ///
    /// ## How to fix
    ///
    /// In the cert-manager Certificate, add the usage:
    ///
    /// ```yaml
    /// usages:
    ///   - digital signature
    ///   - key encipherment
    ///   - client auth
    /// ```
    ///
    /// With openssl: `extendedKeyUsage = clientAuth`.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `client SSL certificate verify error: (26:unsuitable certificate purpose)`
    /// - OpenSSL: `unsuitable certificate purpose`, `unsupported certificate purpose` before 3
    /// - APISIX: `client certificate verification is not passed: FAILED:unsuitable certificate purpose`
    /// - Go: `x509: certificate specifies an incompatible key usage`, `incompatible key usage`
    /// - etcd's gateway: HTTP 503 `"error":"connection closed"`, `"code":14,"message":"connection closed"`
    /// - Envoy: `unsupported certificate purpose`
    /// - the client of a Go server: `remote error: tls: bad certificate`
    /// - the client of others, as an alert: `unsupported certificate`, `SSL alert number 43`
    /// - etcdctl: `failed to write client preface`
    ///
    /// ## Reference
    ///
    /// RFC 5280, section 4.2.1.12
    "missing-client-auth-usage", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    // etcd's own gateway is told by self-refusing-gateway, unless a client is seen that needs it
    let by_others = |connection: &Connection| {
        subject.dialer_of(connection).is_none_or(|(_, dialer)| dialer.purpose != DialerPurpose::Gateway)
    };
    let mut found = Vec::new();
    subject.named_on(&RULE, &mut found, by_others);
    found.extend(unjudged::lacking_usage(subject, &RULE, Purpose::Client));
    help_for_pem(subject, &mut found, "clientAuth");
    findings.append(&mut found);
}

use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// Client and server have no TLS version in common.
    ///
    /// ## Why it matters
    ///
    /// nginx before 1.23.4 speaks at most TLS 1.2 unless told otherwise, Envoy as a client too; a peer that insists
    /// on TLS 1.3 finds nothing in common. TLS 1.0 and 1.1 fail at OpenSSL's security level 2.
    ///
    /// ## How to fix
    ///
    /// Let both speak TLS 1.2 and 1.3: `ssl_protocols TLSv1.2 TLSv1.3;`, `proxy_ssl_protocols TLSv1.2 TLSv1.3;`,
    /// `tls_params: {tls_maximum_protocol_version: TLSv1_3}`.
    ///
    /// ## What you see in the logs
    ///
    /// - `alert protocol version`, `unsupported protocol`, `SSL alert number 70`
    /// - Go: `tls: client offered only unsupported versions`, `remote error: tls: protocol version not supported`
    /// - Envoy: `NO_SUPPORTED_VERSIONS_ENABLED`
    /// - Envoy: `TLSV1_ALERT_PROTOCOL_VERSION`
    /// - curl and nginx, of no version that is left: `no protocols available`
    ///
    /// ## Reference
    ///
    /// RFC 8446, section 4.2.1
    "no-common-protocol", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}

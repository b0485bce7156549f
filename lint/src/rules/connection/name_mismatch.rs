use crate::finding::Finding;
use crate::rules::endpoint::unsent_server_name;
use crate::rules::{Subject, rule};

rule! {
    /// The server's certificate does not bear the name that the client checks.
    ///
    /// ## Why it matters
    ///
    /// The client compares a reference identifier (the host it dials, or a configured name) with the subjectAltName
    /// of the certificate. Rules differ: Go and Envoy never look at the common name; nginx never looks at IP
    /// addresses in the subjectAltName and checks the name of the upstream block unless `proxy_ssl_name` says
    /// otherwise.
    ///
    /// ## How to fix
    ///
    /// Issue the certificate with the name that is dialled (`dnsNames`, or `ipAddresses` for an address), or dial,
    /// or configure, a name that it bears (`proxy_ssl_name`, `etcd.tls.sni`, `match_typed_subject_alt_names`).
    ///
    /// ## What you see in the logs
    ///
    /// - Go: `x509: certificate is valid for …, not …`,
    ///   `x509: certificate is not valid for any names, but wanted to match …`
    /// - curl: `SSL: no alternative certificate subject name matches target …`,
    ///   `SSL: certificate subject name … does not match target …`,
    ///   `SSL: unable to obtain common name from peer certificate`
    /// - nginx: `upstream SSL certificate does not match "…"`
    /// - APISIX: `certificate host mismatch`, and of etcd then `has no healthy etcd endpoint available`
    /// - Go: `x509: certificate relies on legacy Common Name field, use SANs instead`,
    ///   `relies on legacy Common Name field`
    /// - Go: `x509: cannot validate certificate for … because it doesn't contain any IP SANs`
    /// - Envoy: `verify SAN list`, `CERTIFICATE_VERIFY_FAILED:verify cert failed: SAN matcher, certificate SANs are …`
    /// - OpenSSL: `(62:hostname mismatch)`, `host name mismatch`
    /// - lua: `lua ssl certificate does not match host …`
    /// - APISIX, of an address or nothing in `etcd.tls.sni`: `SSL_set_tlsext_host_name failed`
    /// - the server, as an alert: Go `remote error: tls: bad certificate`, Envoy `alert certificate unknown`
    ///
    /// ## Reference
    ///
    /// RFC 9525, section 6
    "name-mismatch", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut found = Vec::new();
    subject.named(&RULE, &mut found);
    unsent_server_name::explain(subject, &RULE, &mut found);
    findings.append(&mut found);
}

use super::{help_for_pem, unjudged};
use crate::finding::Finding;
use crate::rules::{Subject, rule};
use crate::stack::certificate::Purpose;

rule! {
    /// A certificate is presented by a server, but its extended key usage does not include serverAuth.
    ///
    /// ## Why it matters
    ///
    /// An absent extended key usage allows every use; a present one allows only what it lists, so clients refuse
    /// the server.
    ///
    /// ## How to fix
    ///
    /// In the cert-manager Certificate, add the usage:
    ///
    /// ```yaml
    /// usages:
    ///   - digital signature
    ///   - key encipherment
    ///   - server auth
    /// ```
    ///
    /// With openssl: `extendedKeyUsage = serverAuth`.
    ///
    /// ## What you see in the logs
    ///
    /// - curl: `SSL certificate problem: unsuitable certificate purpose`
    /// - OpenSSL: `unsuitable certificate purpose`, `unsupported certificate purpose` before 3
    /// - Go: `x509: certificate specifies an incompatible key usage`, `incompatible key usage`
    /// - nginx: `upstream SSL certificate verify error: (26:unsuitable certificate purpose)`
    /// - the server, as an alert: `unsupported certificate`
    /// - rustls: `RequiredEKUNotFound`
    ///
    /// ## Reference
    ///
    /// RFC 5280, section 4.2.1.12
    "missing-server-auth-usage", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut found = Vec::new();
    subject.named(&RULE, &mut found);
    found.extend(unjudged::lacking_usage(subject, &RULE, Purpose::Server));
    help_for_pem(subject, &mut found, "serverAuth");
    findings.append(&mut found);
}
